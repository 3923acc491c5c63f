package importer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"dozo/client"
	"dozo/rdb"
	"dozo/resp"
)

const (
	scanCount = 500 // keys of one SCAN of the source
	// Values that are asked for at once lie in the source's memory: about dumpBytes, if the
	// next are like the last.
	dumpsFirst = 16
	dumpBytes  = 1 << 20
)

// scanner reads a server key by key. While one group of values is written to the target,
// the next is read: mostly the way to the one takes as long as that to the other. What is
// here belongs to the goroutine that reads.
type scanner struct {
	*Options
	src      *client.Conn
	useFreq  bool // the source counts how often keys are used, not when
	useTTL   bool // it is older than 7.0, and does not tell deadlines
	noTypes  bool // it is older than 6.0, where SCAN knows no types
	database int
	group    int // values to ask for at once
	found    chan group
	stop     chan struct{} // closed when nobody hears any more
}

// group are keys that were asked for together.
type group struct {
	list []asked
	// Of the last group of a SCAN: how many keys it gave, and the cursor behind it.
	last   bool
	keys   int
	cursor string
	err    error // then there is nothing else
}

// asked is what the source has answered of one key.
type asked struct {
	key               string
	use, ttl, value   resp.Value
	frequent, ttlOnly bool // what use and ttl are
	noTypes           bool // SCAN has not looked at its type
}

// scan imports by SCAN and DUMP.
func (r *run) scan() error {
	src, err := client.Dial(r.ctx, *r.Server)
	if err != nil {
		return fmt.Errorf("cannot connect to the source %s: %w", r.Server.Address, err)
	}
	defer src.Close()
	sizes, err := databases(src)
	if err != nil {
		return sourceError(err)
	}
	restarted, err := r.meetSource(src)
	switch {
	case err != nil:
		return err
	case restarted:
		r.again("the source was restarted, so that its cursors mean other keys")
	case r.restarted:
		r.again("the target was restarted")
	}
	s := &scanner{Options: &r.Options, src: src, group: dumpsFirst, stop: make(chan struct{})}
	defer close(s.stop)
	total := int64(0)
	for db, n := range sizes {
		if r.wantsDB(db) {
			total += n
		}
	}
	r.done = r.Keys + r.Same + r.Existing + r.Expired + r.Unwanted + r.Errors
	r.startProgress(total)
	for _, db := range slices.Sorted(maps.Keys(sizes)) {
		if db < r.next.DB || !r.wantsDB(db) {
			continue
		}
		if db > r.next.DB || r.next.Cursor == "" {
			r.next = position{DB: db, Cursor: "0"}
		} else {
			r.say("going on with the cursor %s of database %d", r.next.Cursor, db)
		}
		if err := r.keysOf(s, db); err != nil {
			return err
		}
	}
	return nil
}

// keysOf imports a database, from the cursor on.
func (r *run) keysOf(s *scanner, db int) error {
	s.database, s.found = db, make(chan group)
	go s.read(r.next.Cursor)
	for g := range s.found {
		if g.err != nil {
			return g.err
		}
		for i := range g.list {
			if err := r.found(db, &g.list[i]); err != nil {
				return err
			}
		}
		if !g.last {
			continue
		}
		r.done += int64(g.keys)
		if r.next.Cursor = g.cursor; g.cursor == "0" {
			r.next = position{DB: db + 1}
		}
		if err := r.flush(); err != nil {
			return err
		}
		if err := r.stopped(); err != nil {
			return err
		}
	}
	return nil
}

// read reads a database, from a cursor to the end.
func (s *scanner) read(cursor string) {
	defer close(s.found)
	_, err := s.src.Do("SELECT", strconv.Itoa(s.database))
	if err != nil {
		err = sourceError(err)
	}
	for more := true; more && err == nil; more = cursor != "0" {
		cursor, err = s.readStep(cursor)
	}
	if err != nil {
		s.tell(group{err: err})
	}
}

// readStep reads what one SCAN gives.
func (s *scanner) readStep(cursor string) (next string, err error) {
	next, keys, err := s.step(cursor)
	if err != nil {
		return "", err
	}
	for rest := keys; len(rest) > 0; {
		n := min(s.group, len(rest))
		var g group
		if g.list, err = s.dump(nil, rest[:n]); err != nil {
			return "", err
		}
		s.adapt(g.list)
		if !s.tell(g) {
			return "", errUnheard
		}
		rest = rest[n:]
	}
	if !s.tell(group{last: true, keys: len(keys), cursor: next}) {
		return "", errUnheard
	}
	return next, nil
}

// tell hands a group over; false if nobody wants it.
func (s *scanner) tell(g group) bool {
	select {
	case s.found <- g:
		return true
	case <-s.stop:
		return false
	}
}

// errUnheard ends the reading when the import has ended.
var errUnheard = errors.New("the import has ended")

// adapt sets the size of the next group by the size of the last values.
func (s *scanner) adapt(list []asked) {
	size := 0
	for i := range list {
		size += len(list[i].value.Str)
	}
	s.group = max(1, min(dumpBytes/max(size/max(len(list), 1), 1), 2*s.group, scanCount))
}

// step is one SCAN.
func (s *scanner) step(from string) (cursor string, keys []string, err error) {
	args := []string{"SCAN", from, "COUNT", strconv.Itoa(scanCount)}
	if s.Match != "" {
		args = append(args, "MATCH", s.Match)
	}
	typed := s.Type != "" && !s.noTypes
	if typed {
		args = append(args, "TYPE", s.Type)
	}
	v, err := s.src.Do(args...)
	switch {
	case typed && v.IsError():
		s.noTypes = true
		return s.step(from)
	case err != nil:
		return "", nil, sourceError(err)
	case len(v.Elems) != 2:
		return "", nil, fmt.Errorf("the source does not answer SCAN as it should: %v", v)
	}
	return v.Elems[0].Str, v.Elems[1].Strings(), nil
}

// dump asks for values and all that belongs to them. What was not used is asked first: DUMP
// is a use.
func (s *scanner) dump(list []asked, keys []string) ([]asked, error) {
	use, ttl := "IDLETIME", "PEXPIRETIME"
	if s.useFreq {
		use = "FREQ"
	}
	if s.useTTL {
		ttl = "PTTL"
	}
	for _, k := range keys {
		s.src.Send("OBJECT", use, k)
		s.src.Send(ttl, k)
		s.src.Send("DUMP", k)
	}
	if err := s.src.Flush(); err != nil {
		return nil, sourceError(err)
	}
	var again []string
	for _, k := range keys {
		a := asked{key: k, frequent: use == "FREQ", ttlOnly: ttl == "PTTL", noTypes: s.noTypes}
		for _, v := range []*resp.Value{&a.use, &a.ttl, &a.value} {
			var err error
			if *v, err = s.src.ReceiveReply(); err != nil {
				return nil, sourceError(err)
			}
		}
		if s.learns(&a) || a.ttl.Int == -2 && !a.value.IsNull() { // it was made in between
			again = append(again, k)
			continue
		}
		list = append(list, a)
	}
	if len(again) > 0 {
		return s.dump(list, again)
	}
	return list, nil
}

// learns sees from the answers that the source is to be asked otherwise.
func (s *scanner) learns(a *asked) bool {
	lfu := !a.frequent && a.use.IsError() && strings.Contains(a.use.Str, "LFU")
	old := !a.ttlOnly && a.ttl.IsError() // it does not know it, or may not say it
	s.useFreq = s.useFreq || lfu
	s.useTTL = s.useTTL || old
	return lfu || old
}

// found writes what was found of a key.
func (r *run) found(db int, a *asked) error {
	rec := &record{db: r.dbOf(db), key: []byte(a.key), payload: []byte(a.value.Str), typeName: "unknown", idle: -1, freq: -1}
	switch {
	case a.value.IsError():
		r.failed(rec, "the source does not give it: "+a.value.Str)
		return nil
	case a.value.IsNull():
		return nil // it went meanwhile
	case a.ttl.IsError():
		r.failed(rec, "the source does not tell its deadline: "+a.ttl.Str)
		return nil
	case a.ttl.Int == 0 && a.ttlOnly:
		r.Expired++ // within the millisecond
		return nil
	}
	r.Bytes += int64(len(rec.payload))
	if body, _, err := rdb.CheckDump(rec.payload, false); err == nil && rdb.Type(body[0]).Known() {
		if rec.typeName = "module"; rdb.Type(body[0]) != rdb.TypeModule {
			rec.typeName = rdb.Type(body[0]).Object().String()
		}
		rec.payload = payload(body)
	}
	if r.Type != "" && a.noTypes && rec.typeName != r.Type {
		r.Unwanted++
		return nil
	}
	if !a.use.IsError() && !a.frequent {
		rec.idle = a.use.Int
	} else if !a.use.IsError() {
		rec.freq = int(a.use.Int)
	}
	rec.deadline, rec.relative = max(a.ttl.Int, 0), a.ttlOnly
	return r.write(rec)
}
