package importer

import (
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

// scanner reads a server key by key.
type scanner struct {
	*run
	src      *client.Conn
	useFreq  bool // the source counts how often keys are used, not when
	useTTL   bool // it is older than 7.0, and does not tell deadlines
	noTypes  bool // it is older than 6.0, where SCAN knows no types
	database int
	group    int // values to ask for at once
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
	s := &scanner{run: r, src: src, group: dumpsFirst}
	for db, n := range sizes {
		if r.wantsDB(db) {
			r.total += n
		}
	}
	for _, db := range slices.Sorted(maps.Keys(sizes)) {
		if db < r.next.DB || !r.wantsDB(db) {
			continue
		}
		if db > r.next.DB || r.next.Cursor == "" {
			r.next = position{DB: db, Cursor: "0"}
		} else {
			r.say("going on with the cursor %s of database %d", r.next.Cursor, db)
		}
		if err := s.keysOf(db); err != nil {
			return err
		}
	}
	return nil
}

// keysOf imports a database, from the cursor on.
func (s *scanner) keysOf(db int) error {
	if _, err := s.src.Do("SELECT", strconv.Itoa(db)); err != nil {
		return sourceError(err)
	}
	s.database = db
	for {
		cursor, keys, err := s.step()
		if err != nil {
			return err
		}
		for rest := keys; len(rest) > 0; {
			n := min(s.group, len(rest))
			before := s.Bytes
			if err := s.dump(rest[:n]); err != nil {
				return err
			}
			s.adapt(int(s.Bytes-before) / n)
			rest = rest[n:]
		}
		if s.done += int64(len(keys)); cursor == "0" {
			s.next = position{DB: db + 1}
			return s.flush()
		}
		s.next.Cursor = cursor
		if err := s.flush(); err != nil {
			return err
		}
		if err := s.stopped(); err != nil {
			return err
		}
	}
}

// adapt sets the size of the next group by the size of the last values.
func (s *scanner) adapt(valueBytes int) {
	s.group = max(1, min(dumpBytes/max(valueBytes, 1), 2*s.group, scanCount))
}

// step is one SCAN.
func (s *scanner) step() (cursor string, keys []string, err error) {
	args := []string{"SCAN", s.next.Cursor, "COUNT", strconv.Itoa(scanCount)}
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
		return s.step()
	case err != nil:
		return "", nil, sourceError(err)
	case len(v.Elems) != 2:
		return "", nil, fmt.Errorf("the source does not answer SCAN as it should: %v", v)
	}
	return v.Elems[0].Str, v.Elems[1].Strings(), nil
}

// dump asks for values and all that belongs to them, and writes them as they come. What was
// not used is asked first: DUMP is a use.
func (s *scanner) dump(keys []string) error {
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
		return sourceError(err)
	}
	var again []string
	for _, k := range keys {
		var v [3]resp.Value
		for i := range v {
			var err error
			if v[i], err = s.src.ReceiveReply(); err != nil {
				return sourceError(err)
			}
		}
		if s.learns(v, use, ttl) || v[1].Int == -2 && !v[2].IsNull() { // it was made in between
			again = append(again, k)
			continue
		}
		if err := s.found(k, v, use, ttl); err != nil {
			return err
		}
	}
	if len(again) > 0 {
		return s.dump(again)
	}
	return nil
}

// learns sees from the answers that the source is to be asked otherwise.
func (s *scanner) learns(v [3]resp.Value, use, ttl string) bool {
	lfu := v[0].IsError() && strings.Contains(v[0].Str, "LFU") && use == "IDLETIME"
	old := v[1].IsError() && ttl == "PEXPIRETIME" // it does not know it, or may not say it
	s.useFreq = s.useFreq || lfu
	s.useTTL = s.useTTL || old
	return lfu || old
}

// found writes what was found of a key.
func (s *scanner) found(key string, v [3]resp.Value, use, ttl string) error {
	rec := &record{db: s.dbOf(s.database), key: []byte(key), payload: []byte(v[2].Str), typeName: "unknown", idle: -1, freq: -1}
	switch {
	case v[2].IsError():
		s.failed(rec, "the source does not give it: "+v[2].Str)
		return nil
	case v[2].IsNull():
		return nil // it went meanwhile
	case v[1].IsError():
		s.failed(rec, "the source does not tell its deadline: "+v[1].Str)
		return nil
	case v[1].Int == 0 && ttl == "PTTL":
		s.Expired++ // within the millisecond
		return nil
	}
	s.Bytes += int64(len(rec.payload))
	if body, _, err := rdb.CheckDump(rec.payload, false); err == nil && rdb.Type(body[0]).Known() {
		if rec.typeName = "module"; rdb.Type(body[0]) != rdb.TypeModule {
			rec.typeName = rdb.Type(body[0]).Object().String()
		}
		rec.payload = payload(body)
	}
	if s.Type != "" && s.noTypes && rec.typeName != s.Type {
		s.Unwanted++
		return nil
	}
	if !v[0].IsError() && use == "IDLETIME" {
		rec.idle = v[0].Int
	} else if !v[0].IsError() {
		rec.freq = int(v[0].Int)
	}
	rec.deadline, rec.relative = max(v[1].Int, 0), ttl == "PTTL"
	return s.write(rec)
}
