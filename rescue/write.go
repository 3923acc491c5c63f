package rescue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"path/filepath"
	"strings"

	"dozo/env"
	"dozo/oplog"
	"dozo/resp"
)

// Source is the log from Head.From on: an oplog.Reader.
type Source interface {
	Peek() ([]byte, error)
	Advance(n int)
}

// Tail is what is to be kept.
type Tail struct {
	Head
	// Source begins at Head.From. Seek says that this need not be where a command begins.
	Source Source
	Seek   bool
	// DB is the database in force there; oplog.NoDB is taken for 0.
	DB int
	// Keys are the keys that a call names.
	Keys func(args [][]byte) [][]byte
	// Max is how many bytes the file may have.
	Max int64
	// Temp is a name of the writer's own in the folder.
	Temp string
}

const (
	// seekSize is how much is looked at to find where a command begins.
	seekSize  = 1 << 20
	writeSize = 256 << 10
	// keysMax bounds the memory for counting different keys; more are counted as that many.
	keysMax = 1 << 20
)

// Errors of Write.
var (
	// ErrNothing: there is no write in the tail, so that no file was made.
	ErrNothing = errors.New("there is no write in it")
	// ErrTooLarge: it would have more than Max bytes.
	ErrTooLarge = errors.New("the rescue files would pass repl-rescue-max-bytes: move the old ones elsewhere, or raise it")
)

// Write writes a tail to a file in a folder. After an error there is none.
func Write(ctx context.Context, files env.FS, dir string, t Tail) (File, error) {
	w := &writer{ctx: ctx, tail: &t, seed: maphash.MakeSeed(), keys: map[uint64]struct{}{}}
	w.parser.Limits = resp.Limits{MaxBulk: math.MaxInt64, MaxArgs: math.MaxInt32}
	f := File{Name: prefix + t.Time.UTC().Format(timeForm) + "-" + t.History + suffix}
	err := env.Replace(files, filepath.Join(dir, f.Name), env.Replacement{
		Temp: filepath.Join(dir, t.Temp), Perm: 0o600, Fill: w.fill,
	})
	f.Head, f.Size, f.Commands, f.Keys = t.Head, w.size, w.commands, len(w.keys)
	return f, err
}

// writer copies a tail, command by command.
type writer struct {
	ctx    context.Context
	tail   *Tail
	out    *bufio.Writer
	parser resp.Parser
	buf    []byte // read and not yet dealt with
	at     uint64 // the offset behind buf

	open     bool // between MULTI and EXEC
	size     int64
	commands int
	seed     maphash.Seed
	keys     map[uint64]struct{}
}

func (w *writer) fill(f env.File) error {
	w.out = bufio.NewWriterSize(f, writeSize)
	w.at = w.tail.From
	if err := w.begin(); err != nil {
		return err
	}
	for more := true; more; {
		n, err := w.copy()
		if err != nil {
			return err
		}
		w.buf = w.buf[:copy(w.buf, w.buf[n:])]
		if more, err = w.read(); err != nil {
			return err
		}
	}
	if len(w.buf) > 0 {
		return fmt.Errorf("the log ends within a command, at offset %d", w.at-uint64(len(w.buf)))
	}
	if w.commands == 0 {
		return ErrNothing
	}
	keys := fmt.Sprint(len(w.keys))
	if len(w.keys) == keysMax {
		keys = "more than " + keys
	}
	if err := w.write(fmt.Appendf(nil, "#commands: %d\r\n#keys: %s\r\n", w.commands, keys)); err != nil {
		return err
	}
	return w.out.Flush()
}

// begin writes what precedes the commands.
func (w *writer) begin() error {
	t := w.tail
	if t.Seek {
		for more := true; more && len(w.buf) < seekSize; {
			var err error
			if more, err = w.read(); err != nil {
				return err
			}
		}
		skip := findCommand(w.buf)
		t.From += uint64(skip)
		t.Missing += uint64(skip)
		w.buf = w.buf[:copy(w.buf, w.buf[skip:])]
	}
	b := oplog.AppendHeader(t.append(nil), 2)
	return w.write(oplog.AppendArgInt(oplog.AppendArgString(b, "SELECT"), int64(max(t.DB, 0))))
}

// read adds what comes next to buf; false at the end.
func (w *writer) read() (more bool, err error) {
	if err := w.ctx.Err(); err != nil {
		return false, err
	}
	if w.at >= w.tail.To {
		return false, nil
	}
	b, err := w.tail.Source.Peek()
	if err != nil {
		return false, err
	}
	if len(b) == 0 {
		return false, fmt.Errorf("the log ends at offset %d, where %d was expected", w.at, w.tail.To)
	}
	b = b[:min(uint64(len(b)), w.tail.To-w.at)]
	w.buf = append(w.buf, b...)
	w.at += uint64(len(b))
	w.tail.Source.Advance(len(b))
	return true, nil
}

// copy writes the whole commands of buf, and tells how long they are.
func (w *writer) copy() (done int, err error) {
	for done < len(w.buf) {
		args, n, err := w.parser.Next(w.buf[done:])
		if err == nil && len(args) > 0 && w.buf[done] != '*' {
			err = errors.New("it is not in the form of the protocol")
		}
		if err != nil {
			return done, fmt.Errorf("the log has something at offset %d that is no command: %w", w.at-uint64(len(w.buf)-done), err)
		}
		if n == 0 {
			break
		}
		if err := w.command(args, w.buf[done:done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return done, nil
}

// command writes one command, whose bytes are raw.
func (w *writer) command(args [][]byte, raw []byte) error {
	if len(args) == 0 {
		return nil // a line break between commands
	}
	switch strings.ToLower(string(args[0][:min(len(args[0]), 16)])) {
	case "ping", "replconf":
		return nil
	case "select":
	case "multi":
		w.open = true
	case "exec":
		if !w.open { // its begin is Missing
			return nil
		}
		w.open = false
	default:
		w.commands++
		for _, key := range w.tail.Keys(args) {
			if len(w.keys) < keysMax {
				w.keys[maphash.Bytes(w.seed, key)] = struct{}{}
			}
		}
	}
	return w.write(raw)
}

func (w *writer) write(b []byte) error {
	if w.size += int64(len(b)); w.size > w.tail.Max {
		return ErrTooLarge
	}
	_, err := w.out.Write(b)
	return err
}

// findCommand is where the first command begins that is outside of a transaction; everything
// is skipped if there is none.
func findCommand(b []byte) int {
	for i := range b {
		if b[i] != '*' || i > 0 && b[i-1] != '\n' {
			continue
		}
		if begin, ok := parses(b, i); ok {
			return begin
		}
	}
	return len(b)
}

// parses tells whether there are only commands from at on, and where the first begins that
// is not the rest of a transaction.
func parses(b []byte, at int) (begin int, ok bool) {
	p := resp.Parser{Limits: resp.Limits{MaxBulk: math.MaxInt64, MaxArgs: math.MaxInt32}}
	begin, open := at, false
	for at < len(b) {
		args, n, err := p.Next(b[at:])
		if err != nil || len(args) > 0 && b[at] != '*' {
			return 0, false
		}
		if n == 0 {
			break
		}
		ok = true
		at += n
		if len(args) != 1 {
			continue
		}
		switch strings.ToLower(string(args[0])) {
		case "multi":
			open = true
		case "exec":
			if !open {
				begin = at
			}
			open = false
		}
	}
	return begin, ok
}
