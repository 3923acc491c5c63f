package importer

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"dozo/object"
	"dozo/rdb"
	"dozo/resp"
)

// recordMax is the longest record that is restored as it is, of a file; payloadMax is how
// long a string a server takes (proto-max-bulk-len).
const (
	recordMax  = 16 << 20
	payloadMax = 512 << 20
)

// record is a key with its value.
type record struct {
	db       int // of the target
	key      []byte
	payload  []byte // what RESTORE takes; nil if the value is in memory as such
	typeName string
	deadline int64 // 0 = none
	relative bool  // the deadline is from now on
	idle     int64 // -1 = not said
	freq     int   // likewise
}

func number(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// write sends a record, with the next flush.
func (r *run) write(rec *record) error {
	if len(rec.payload) > payloadMax {
		r.later = append(r.later, func() error { return r.takeApart(rec) })
		return r.flush()
	}
	args := [][]byte{[]byte("RESTORE"), rec.key, number(rec.deadline), rec.payload}
	if !rec.relative {
		args = append(args, []byte("ABSTTL"))
	}
	if r.Replace {
		args = append(args, []byte("REPLACE"))
	}
	if rec.idle >= 0 {
		args = append(args, []byte("IDLETIME"), number(rec.idle))
	} else if rec.freq >= 0 {
		args = append(args, []byte("FREQ"), number(int64(rec.freq)))
	}
	r.p.use(rec.db)
	r.p.ask(func(v resp.Value) error { return r.restored(rec, v) }, args...)
	if r.p.full() {
		return r.flush()
	}
	return nil
}

// restored hears what RESTORE has answered.
func (r *run) restored(rec *record, v resp.Value) error {
	switch {
	case !v.IsError():
		r.wrote(rec.typeName)
	case strings.HasPrefix(v.Str, "BUSYKEY"):
		r.later = append(r.later, func() error { return r.conflict(rec, nil) })
	case v.Str == rdb.ErrPayload.Error() || v.Str == rdb.ErrFormat.Error():
		r.later = append(r.later, func() error { return r.takeApart(rec) })
	default:
		r.failed(rec, v.Str)
	}
	return nil
}

// failed lists an error of a key.
func (r *run) failed(rec *record, why string) {
	r.Summary.failed("key %.100q in database %d: %s", rec.key, rec.db, why)
}

// conflict is for a key that is there: before, or since an import that was interrupted
// wrote it, or since SCAN has given it twice. sum is of the value, if it has no payload.
func (r *run) conflict(rec *record, sum *object.Digest) error {
	if r.SkipExisting {
		r.Existing++
		return nil
	}
	r.p.use(rec.db)
	r.p.ask(func(v resp.Value) error {
		if r.isSame(rec, sum, v.Str) {
			r.Same++
		} else {
			r.failed(rec, "it is there with another value: --replace would write over it, --skip-existing leaves it"+r.maybeOwn())
		}
		return nil
	}, []byte("DUMP"), rec.key)
	return r.p.flush()
}

// maybeOwn tells where such a value may come from.
func (r *run) maybeOwn() string {
	if r.Scan {
		return " (if the import itself has written it, it was changed at the source since)"
	}
	return ""
}

func (r *run) isSame(rec *record, sum *object.Digest, there string) bool {
	got, _, err := rdb.CheckDump([]byte(there), false)
	if err != nil {
		return false
	}
	if sum != nil {
		var other object.Digest
		err := r.conv.open(rec.key, got, func(c *object.Cell) error { c.Digest(&other, 0); return nil })
		return err == nil && other == *sum
	}
	want, _, err := rdb.CheckDump(rec.payload, false)
	return err == nil && (bytes.Equal(got, want) || r.conv.same(rec.key, got, want))
}

// takeApart sends a value, which the target cannot restore as it is, as commands.
func (r *run) takeApart(rec *record) error {
	body, _, err := rdb.CheckDump(rec.payload, false)
	if err == nil {
		err = r.conv.open(rec.key, body, func(c *object.Cell) error { return r.writeCell(rec, c) })
	}
	return r.noted(rec, err)
}

// noted tells errors of a value, which are listed, from those that end the import.
func (r *run) noted(rec *record, err error) error {
	var fault *rdb.FileError
	if errors.Is(err, rdb.ErrEmpty) {
		return nil // a server leaves it out as well
	}
	if errors.Is(err, rdb.ErrPayload) || errors.Is(err, rdb.ErrFormat) && !errors.As(err, &fault) {
		r.failed(rec, "its value can neither be restored nor read: "+err.Error())
		return nil
	}
	return err
}

// writeCell sends a value as commands to a name of the import's own, and then gives it its
// name: nobody sees a part of it.
func (r *run) writeCell(rec *record, cell *object.Cell) error {
	r.Taken++
	temp := []byte(r.ownName() + ":value")
	r.p.use(rec.db)
	r.p.ask(nil, []byte("DEL"), temp)
	deadline := rec.deadline
	if rec.relative {
		deadline = 0
	}
	refused, err := r.sendCell(temp, deadline, cell)
	if err != nil {
		return err
	}
	if refused != "" {
		r.p.ask(nil, []byte("DEL"), temp)
		r.failed(rec, "it could not be made by commands: "+refused)
		return r.p.flush()
	}
	if rec.relative && rec.deadline != 0 {
		r.p.ask(mustBeOK("PEXPIRE"), []byte("PEXPIRE"), temp, number(rec.deadline))
	}
	return r.name(rec, temp, cell)
}

// sendCell sends the commands; refused is the first error that one was answered with.
func (r *run) sendCell(temp []byte, deadline int64, cell *object.Cell) (refused string, err error) {
	hear := func(v resp.Value) error {
		if v.IsError() && refused == "" {
			refused = v.Str
		}
		return nil
	}
	commands(temp, deadline, cell, func(b []byte) {
		hears := make([]func(resp.Value) error, countCommands(b))
		for i := range hears {
			hears[i] = hear
		}
		if r.p.raw(hears, b); err == nil {
			err = r.p.flush()
			r.limit()
		}
	})
	return refused, err
}

// name gives a value that is whole its name.
func (r *run) name(rec *record, temp []byte, cell *object.Cell) error {
	there := false
	verb := "RENAMENX"
	if r.Replace {
		verb = "RENAME"
	}
	r.p.ask(func(v resp.Value) error {
		there = verb == "RENAMENX" && v.Int == 0
		return mustBeOK(verb)(v)
	}, []byte(verb), temp, rec.key)
	if err := r.p.flush(); err != nil {
		return err
	}
	if !there {
		r.wrote(rec.typeName)
		return nil
	}
	r.p.ask(nil, []byte("DEL"), temp)
	var sum object.Digest
	cell.Digest(&sum, 0)
	return r.conflict(rec, &sum)
}

// countCommands is how many commands there are in what a snapshot.Image has written.
func countCommands(b []byte) (n int) {
	line := func(mark byte) int {
		end := bytes.IndexByte(b, '\n')
		if end < 2 || b[0] != mark {
			panic(fmt.Sprintf("importer: no command begins with %.20q", b))
		}
		x, _ := strconv.Atoi(string(b[1 : end-1])) // it was written by a program
		b = b[end+1:]
		return x
	}
	for ; len(b) > 0; n++ {
		for range line('*') {
			b = b[line('$')+len("\r\n"):]
		}
	}
	return n
}
