package oplog

import (
	"errors"
	"flag"
	"math/rand"
	"testing"
)

var seedFlag = flag.Int64("seed", 0, "run the random tests with this seed only")

// seeds are what random tests run with.
func seeds(fixed ...int64) []int64 {
	if *seedFlag != 0 {
		return []int64{*seedFlag}
	}
	return fixed
}

// twin is a log that never forgets: one slice, and the database at each offset.
type twin struct {
	base  uint64
	bytes []byte
	dbs   []int // dbs[i] is in force at base+i; one more than bytes
	db    int
}

func newTwin(base uint64) *twin { return &twin{base: base, dbs: []int{NoDB}, db: NoDB} }

func (w *twin) end() uint64 { return w.base + uint64(len(w.bytes)) }

func (w *twin) write(p []byte, after int) {
	w.bytes = append(w.bytes, p...)
	for range p {
		w.dbs = append(w.dbs, w.db)
	}
	w.db, w.dbs[len(w.dbs)-1] = after, after
}

func (w *twin) append(db int, cmd []byte) {
	if db != NoDB && db != w.db {
		w.write(selectCommand(db), db)
	}
	w.write(cmd, w.db)
}

// story is one random history of a log and its twin.
type story struct {
	t       *testing.T
	rnd     *rand.Rand
	log     *Log
	twin    *twin
	retain  uint64
	readers []*Reader
	owed    uint64 // what may have been trimmed up to now
}

func TestTwin(t *testing.T) {
	for _, seed := range seeds(1, 2, 3, 4, 5, 6, 7, 8) {
		rnd := rand.New(rand.NewSource(seed))
		retain := uint64(rnd.Intn(3000))
		l := newLog(t, Options{BlockSize: 16 + rnd.Intn(500), Retain: retain})
		s := &story{t: t, rnd: rnd, log: l, retain: retain}
		s.restart()
		for i := 0; i < 6000 && !t.Failed(); i++ {
			s.step()
			s.oweLess()
		}
		if t.Failed() {
			t.Fatalf("seed %d: run again with -seed=%d", seed, seed)
		}
	}
}

func (s *story) step() {
	switch n := s.rnd.Intn(1000); {
	case n < 600:
		s.write()
	case n < 750:
		s.read()
	case n < 850:
		s.attach()
	case n < 870:
		s.detach()
	case n < 890:
		s.retain = uint64(s.rnd.Intn(3000))
		s.log.SetRetain(s.retain)
	case n < 893:
		s.restart()
	default:
		s.compare()
	}
}

func (s *story) restart() {
	base := uint64(s.rnd.Intn(5000))
	s.log.Activate(base)
	for _, r := range s.readers {
		if _, err := r.Peek(); !errors.Is(err, ErrReset) {
			s.t.Errorf("reader over a restart: %v", err)
		}
		r.Close()
	}
	s.readers, s.twin, s.owed = nil, newTwin(base), base
}

func (s *story) payload() []byte {
	p := make([]byte, s.rnd.Intn(80))
	if s.rnd.Intn(30) == 0 {
		p = make([]byte, s.rnd.Intn(2000))
	}
	s.rnd.Read(p)
	return p
}

func (s *story) write() {
	db := s.rnd.Intn(12) - 1
	switch s.rnd.Intn(10) {
	case 0:
		a, b := s.payload(), s.payload()
		s.log.AppendUnit(db, a, b)
		s.twin.append(db, a)
		s.twin.append(db, b)
	case 1:
		p := s.payload()
		s.log.AppendRaw(p, db)
		s.twin.append(NoDB, p)
		s.twin.write(nil, db)
	case 2:
		s.log.ForgetDB()
		s.twin.write(nil, NoDB)
	case 3:
		u := s.log.Begin()
		for range s.rnd.Intn(5) {
			p := s.payload()
			u.Write(db, p)
			s.twin.append(db, p)
			db = s.rnd.Intn(3)
		}
		u.End()
	default:
		p := s.payload()
		s.log.Append(db, p)
		s.twin.append(db, p)
	}
}

func (s *story) attach() {
	if len(s.readers) > 4 {
		return
	}
	first, end := s.log.First(), s.log.Offset()
	from := first + uint64(s.rnd.Intn(int(end-first)+1))
	r, err := s.log.NewReader(from, nil)
	if err != nil {
		s.t.Errorf("NewReader(%d) within %d..%d: %v", from, first, end, err)
		return
	}
	if want := s.twin.dbs[from-s.twin.base]; r.DB() != want {
		s.t.Errorf("database at %d = %d, want %d", from, r.DB(), want)
	}
	s.readers = append(s.readers, r)
}

func (s *story) detach() {
	if n := len(s.readers); n > 0 {
		s.readers[n-1].Close()
		s.readers = s.readers[:n-1]
	}
}

func (s *story) read() {
	if len(s.readers) == 0 {
		return
	}
	r := s.readers[s.rnd.Intn(len(s.readers))]
	at := r.Pos()
	buf := make([]byte, s.rnd.Intn(900))
	n, err := r.Read(buf)
	if err != nil {
		s.t.Errorf("Read at %d: %v", at, err)
		return
	}
	if want := min(uint64(len(buf)), s.twin.end()-at); uint64(n) != want {
		s.t.Errorf("Read at %d gave %d bytes of %d", at, n, want)
	}
	wantBytes(s.t, "read", buf[:n], s.twin.bytes[at-s.twin.base:at-s.twin.base+uint64(n)])
}

// oweLess moves what is owed to where the log may have trimmed just now.
func (s *story) oweLess() {
	end := s.twin.end()
	floor := end - min(end, s.retain)
	for _, r := range s.readers {
		floor = min(floor, r.Pos())
	}
	s.owed = max(s.owed, floor)
}

func (s *story) compare() {
	st := s.log.Stats()
	if st.End != s.twin.end() || s.log.Offset() != st.End {
		s.t.Errorf("end %d, twin's %d", st.End, s.twin.end())
	}
	if st.First > s.owed {
		s.t.Errorf("kept from %d, owed from %d", st.First, s.owed)
	}
	if _, err := s.log.NewReader(st.End+1, nil); !errors.Is(err, ErrFuture) {
		s.t.Errorf("beyond the end: %v", err)
	}
	if st.First > 0 {
		if _, err := s.log.NewReader(st.First-1, nil); !errors.Is(err, ErrTrimmed) {
			s.t.Errorf("before the first: %v", err)
		}
	}
}
