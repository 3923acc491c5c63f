package persist

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"dozo/aof"
	"dozo/arena"
	"dozo/env"
	"dozo/internal/faultfs"
	"dozo/logger"
	"dozo/oplog"
	"dozo/rdb"
)

// TestWhereabouts tells stories of what a start reads, a line for each:
//
//	base, incr            a part begins
//	aux LETTER OFFSET DB  what the snapshot of a base says of itself
//	at LETTER OFFSET, new LETTER OFFSET
//	                      an annotation; new is of a file that begins with a SELECT of its own
//	none                  one that says that nobody knows
//	WORDS                 a command
//
// The answer is where the data stands then, and from where on its end can be had back.
func TestWhereabouts(t *testing.T) {
	datadriven.RunTest(t, "testdata/whereabouts.txt", func(_ *testing.T, d *datadriven.TestData) string {
		var w whereabouts
		s := partStory{w: &w}
		for line := range strings.Lines(d.Input) {
			s.line(strings.Fields(line))
		}
		r := w.end()
		if r == nil {
			return "nobody knows"
		}
		from := "nowhere"
		if len(w.marks) > 0 {
			from = fmt.Sprintf("%d in database %d", w.marks[0].at, w.marks[0].db)
		}
		return fmt.Sprintf("%s:%d in database %d, of %q at %d; its end from %s", r.ID[:1], r.Offset, r.DB, r.Primary, r.Time, from)
	})
}

type partStory struct {
	w    *whereabouts
	size int64 // of the part so far
	note *aof.HistoryNote
}

func (s *partStory) line(words []string) {
	id, at := "", uint64(0)
	if len(words) > 2 {
		id = strings.Repeat(words[1], 40)
		at, _ = strconv.ParseUint(words[2], 10, 64)
	}
	text := historyText(&rdb.ReplicationInfo{ID: id, Lineage: id + ":0", Primary: "p:1", Time: 7})
	switch words[0] {
	case "base":
		s.size = 0
		s.w.begin(&aof.Part{FileInfo: aof.FileInfo{Type: aof.Base}})
	case "incr":
		s.size = 0
		s.w.begin(&aof.Part{FileInfo: aof.FileInfo{Type: aof.Incr}})
	case "aux":
		db, _ := strconv.Atoi(words[3])
		s.w.snapshot(&rdb.ReplicationInfo{ID: id, Lineage: id + ":0", Offset: int64(at), DB: db})
	case "at", "new":
		s.note = &aof.HistoryNote{Text: text, At: at, Selects: words[0] == "new"}
	case "none":
		s.note = &aof.HistoryNote{}
	default:
		s.command(words)
	}
}

func (s *partStory) command(words []string) {
	c := aof.Command{Offset: s.size, History: s.note}
	s.size += 4 // for "*1\r\n"
	for _, w := range words {
		c.Args = append(c.Args, []byte(w))
		s.size += int64(len(w)) + 6
	}
	c.End, s.note = s.size, nil
	s.w.pass(&c)
}

// TestAnyEnd: wherever a file ends, it is known where the data stands, and the end of the log
// is had back byte for byte: with annotations of times between, with histories that change,
// with files that were begun and gone on with.
func TestAnyEnd(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for _, gaps := range []bool{false, true} {
		d := newWritten(t, seed)
		d.gaps = gaps
		for run := range 3 {
			d.run(run%2 == 0)
		}
		d.checkAll()
	}
}

// strange is a command that the log leaves out.
var strange = oplog.AppendCommand(nil, []byte("MODULE.CALL"))

func (d *written) checkAll() {
	t := d.t
	set, err := aof.Inspect(d.place)
	must(t, err)
	last := set.Parts[len(set.Parts)-1]
	ends := map[uint64]bool{}
	for size := range last.Size + 1 {
		if at := d.check(last, size); at != 0 {
			ends[at] = true
		}
	}
	if !ends[d.log.Offset()] || len(ends) < 70 {
		t.Errorf("%d ends are known, up to %d", len(ends), d.log.Offset())
	}
}

// written is an append only file, and the log that was written to it.
type written struct {
	t     *testing.T
	r     *rand.Rand
	log   *oplog.Log
	disk  *faultfs.Mem
	place aof.Place
	gaps  bool // not all of the log is in it
}

const writtenFrom = 1000

func newWritten(t *testing.T, seed uint64) *written {
	d := &written{t: t, r: rand.New(rand.NewPCG(seed, 1)), disk: faultfs.New()}
	must(t, d.disk.Mkdir("/data", 0o755))
	d.place = aof.Place{FS: d.disk, Dir: "/data", Folder: "appendonlydir", Name: "appendonly.aof"}
	a, err := arena.New(arena.Options{Reserve: 16 << 20})
	must(t, err)
	d.log = oplog.New(a, oplog.Options{Retain: 1 << 20})
	d.log.Activate(writtenFrom)
	return d
}

// run is a process that writes to the file.
func (d *written) run(stamps bool) {
	store, err := aof.Open(d.place)
	must(d.t, err)
	must(d.t, store.Load(aof.LoadOptions{Command: func(*aof.Command) error { return nil }}))
	clock := env.Real().Clock
	w := aof.NewWriter(aof.Options{
		Store: store, Log: d.log, Gate: d.log.Gate("aof"), Clock: clock, Logger: logger.New(io.Discard, clock, 1, logger.Notice),
	}, aof.Settings{Policy: aof.No, Timestamps: stamps})
	note := func() {
		id := strings.Repeat(string(rune('a'+d.r.IntN(3))), 40)
		w.NoteHistory(historyText(&rdb.ReplicationInfo{ID: id, Lineage: id + ":0"}))
	}
	note()
	d.begin(store, w)
	for range 30 {
		if db, err := d.log.DBAt(d.log.Offset()); err == nil && d.r.IntN(15) == 0 && d.gaps {
			d.log.AppendRaw(strange, db, oplog.Span{To: len(strange)})
		}
		d.log.Append(d.r.IntN(3), oplog.AppendCommand(nil, []byte("SET"), []byte("key"), bytes.Repeat([]byte("v"), d.r.IntN(30))))
		if d.r.IntN(10) == 0 {
			note()
		}
		if d.r.IntN(10) == 0 {
			must(d.t, w.Flush())
		}
	}
	must(d.t, w.Flush())
	w.Stop()
	must(d.t, store.Close())
}

func (d *written) begin(store *aof.Store, w *aof.Writer) {
	if !store.Set().Empty() {
		must(d.t, w.Resume())
		go w.Run()
		return
	}
	rw, err := w.BeginRewrite(false)
	must(d.t, err)
	go w.Run()
	f, err := d.disk.OpenFile(rw.Path(), env.CreateNew, 0o644)
	must(d.t, err)
	must(d.t, f.Close())
	must(d.t, rw.Publish())
}

// check reads a beginning of a part, and tells where the data stands then, 0 if nobody knows.
func (d *written) check(part aof.Part, size int64) uint64 {
	part.Size = size
	var w whereabouts
	w.begin(&part)
	file, err := d.disk.OpenFile(part.Path, env.ReadOnly, 0)
	must(d.t, err)
	defer file.Close()
	for reader := aof.NewReader(part.Name, file, 0, size); ; {
		c, err := reader.Next()
		if err != nil {
			part.Size = reader.Whole() // as a torn end is cut
			break
		}
		w.pass(&c)
	}
	at := w.end()
	if at == nil {
		return 0
	}
	tail := w.tail(d.disk, 1<<20)
	if tail == nil && d.gaps {
		return uint64(at.Offset)
	}
	if tail == nil || tail.From != writtenFrom && !d.gaps {
		d.t.Fatalf("of %d bytes, at %d: the end begins at %+v", size, at.Offset, tail)
	}
	var got []byte
	for _, p := range tail.Pieces {
		got = append(got, p.Bytes...)
	}
	if want := d.history(uint64(at.Offset))[tail.From-writtenFrom:]; !bytes.Equal(got, want) {
		d.t.Fatalf("of %d bytes, at %d: had back\n%q\nwant\n%q", size, at.Offset, got, want)
	}
	if db, err := d.log.DBAt(uint64(at.Offset)); err != nil || db != at.DB {
		d.t.Fatalf("at %d: database %d, want %d, %v", at.Offset, at.DB, db, err)
	}
	return uint64(at.Offset)
}

// history is what the log has up to an offset.
func (d *written) history(upto uint64) []byte {
	in, err := d.log.NewReader(writtenFrom, nil)
	must(d.t, err)
	defer in.Close()
	b := make([]byte, upto-writtenFrom)
	_, err = in.Read(b)
	must(d.t, err)
	return b
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
