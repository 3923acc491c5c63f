package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"dozo/oplog"
)

// readAll is the commands of a file, as text, and the error that ended it.
func readAll(content string) (list []string, r *Reader, err error) {
	r = NewReader("f.aof", strings.NewReader(content), 0, int64(len(content)))
	for {
		c, err := r.Next()
		if err != nil {
			return list, r, err
		}
		list = append(list, fmt.Sprintf("%d-%d %v %q", c.Offset, c.End, c.InUnit, bytes.Join(c.Args, []byte(" "))))
	}
}

func TestReadWhole(t *testing.T) {
	set := string(command("SET", "a\r\nb", ""))
	file := "#TS:100\r\n" + set + "#anything\n" + string(command("multi")) + set + string(command("exec")) + "#TS:7\r\n"
	list, r, err := readAll(file)
	if err != io.EOF || len(list) != 4 || r.Whole() != int64(len(file)) {
		t.Fatalf("%v at %d of %d: %q", err, r.Whole(), len(file), list)
	}
	want := []string{
		`9-38 false "SET a\r\nb "`, `48-63 true "multi"`, `63-92 true "SET a\r\nb "`, `92-106 true "exec"`,
	}
	for i, line := range want {
		if list[i] != line {
			t.Errorf("command %d is %s, want %s", i, list[i], line)
		}
	}
	if r.Lines() != 7+3+7+3 {
		t.Errorf("%d lines", r.Lines())
	}
}

func TestReadUntil(t *testing.T) {
	set := string(command("SET", "a", "1"))
	file := "#TS:100\r\n" + set + "#TS:101\r\n" + set + "#TS:102\r\n"
	r := NewReader("f.aof", strings.NewReader(file), 0, int64(len(file)))
	r.Until = 101
	for want := range int64(2) {
		if c, err := r.Next(); err != nil || c.Time != 100+want {
			t.Fatalf("%v, time %d", err, c.Time)
		}
	}
	if _, err := r.Next(); err != ErrTimeReached || r.Offset() != int64(len(file)-9) {
		t.Errorf("%v at %d", err, r.Offset())
	}
	r = NewReader("f.aof", strings.NewReader("#TS:1x\r\n"), 0, 8)
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("a time that is none: %v", err)
	}
	r = NewReader("f.aof", strings.NewReader("#TS:1x\r\n"), 0, 8)
	r.Until = 5
	var bad *FormatError
	if _, err := r.Next(); !errors.As(err, &bad) {
		t.Errorf("a time that is none: %v", err)
	}
}

// TestReadTornEverywhere cuts a file at each byte, and fills with zeros from each
// byte on: what is given is a beginning of whole units, and the error says where
// it ends.
func TestReadTornEverywhere(t *testing.T) {
	parts := []string{
		string(command("SELECT", "0")), "#TS:1700000000\r\n", string(command("SET", "k", "0123456789")),
		string(command("MULTI")) + string(command("INCR", "x")) + "#TS:1\r\n" + string(command("EXEC")), string(command("DEL", "k")),
	}
	file := strings.Join(parts, "")
	whole := map[int64]bool{}
	for i := range parts {
		whole[int64(len(strings.Join(parts[:i+1], "")))] = true
	}
	whole[0] = true
	for cut := range file {
		for _, content := range []string{file[:cut], file[:cut] + strings.Repeat("\x00", len(file)-cut)} {
			_, r, err := readAll(content)
			if err == io.EOF && whole[int64(len(content))] {
				continue
			}
			var torn *TornError
			if !errors.As(err, &torn) {
				t.Fatalf("cut at %d, %d bytes: %v", cut, len(content), err)
			}
			if !whole[torn.Offset] || torn.Offset > int64(cut) || torn.Size != int64(len(content)) || r.Whole() > torn.Offset {
				t.Errorf("cut at %d: the error says %d of %d, the reader %d", cut, torn.Offset, torn.Size, r.Whole())
			}
			if next := torn.Offset; next < int64(cut) && whole[int64(cut)] && len(content) == len(file) {
				t.Errorf("zeros from %d, a boundary, but whole up to %d only", cut, next)
			}
		}
	}
}

func TestTornErrorNamesTheCommand(t *testing.T) {
	for _, c := range []struct{ file, command, detail string }{
		{string(command("SET", "k", "0123456789"))[:30], "SET", "Expected to read 12 bytes, got 5 bytes"},
		{"*2\r\n$3\r\nDEL\r\n", "DEL", ""},
		{"*2\r\n$3\r\nDE", "", "Expected to read 5 bytes, got 2 bytes"},
		{"*2", "", `Expected \r\n, got: 0000`},
		{string(command("MULTI")) + string(command("SET", "a", "b")), "MULTI", "Reached EOF before reading EXEC for MULTI"},
		{string(command("MULTI")) + "*1\r\n$4\r\nEX", "MULTI", "Expected to read 6 bytes, got 2 bytes"},
		{"*2\r\n$4\r\nINCR\r\n$99999999999\r\nshort", "INCR", "Expected to read 100000000001 bytes, got 5 bytes"},
	} {
		_, _, err := readAll(c.file)
		var torn *TornError
		if !errors.As(err, &torn) || torn.Command != c.command || torn.Detail != c.detail {
			t.Errorf("%q: %#v", c.file, err)
		}
	}
}

func TestReadRefusesGarbage(t *testing.T) {
	set := string(command("SET", "a", "1"))
	for _, c := range []struct {
		file     string
		upTo, at int64
	}{
		{"SET a 1\r\n" + set, 0, 0},
		{set + "\r\n" + set, 27, 27},
		{set + "*0\r\n" + set, 27, 27},
		{set + "*-1\r\n" + set, 27, 27},
		{set + "*1\r\n+3\r\nabc\r\n" + set, 27, 31},
		{set + "*1\r\n$3\r\nabcd\r\n" + set, 27, 35},
		{set + "*1\r\n$3x\r\nabc\r\n" + set, 27, 31},
		{set + "*1\r\n$99999999999999999999\r\nabc\r\n" + set, 27, 31},
		{set + "\x00\x00\x00" + set, 27, 27},
		{set + string(command("EXEC")) + set, 27, 35},
		{set + string(command("MULTI")) + string(command("MULTI")) + set, 27, 50},
		{set + string(command("MULTI")) + set + "?" + string(command("EXEC")), 27, 69},
		{set + "#" + strings.Repeat("x", 2000) + "\n" + set, 27, 27},
	} {
		list, _, err := readAll(c.file)
		var bad *FormatError
		if !errors.As(err, &bad) || bad.UpTo != c.upTo || bad.At != c.at {
			t.Errorf("%q: after %d commands %#v", c.file, len(list), err)
			continue
		}
		if !strings.Contains(err.Error(), fmt.Sprint("offset ", c.at)) || !strings.Contains(err.Error(), "dozo check aof --fix") {
			t.Errorf("the error does not help: %v", err)
		}
	}
}

// TestReadUnits reads random histories with units longer and shorter than the
// buffer, whole and cut.
func TestReadUnits(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for range 20 {
		var file []byte
		ends := []int{0}
		for range 30 {
			n := rnd.IntN(4)
			if n > 1 {
				file = append(file, command("MULTI")...)
			}
			for range max(1, n) {
				file = oplog.AppendCommand(file, []byte("SET"), []byte("k"), make([]byte, rnd.IntN(1<<rnd.IntN(19))))
			}
			if n > 1 {
				file = append(file, command("EXEC")...)
			}
			ends = append(ends, len(file))
		}
		cut := rnd.IntN(len(file))
		r := NewReader("f", bytes.NewReader(file), 0, int64(cut))
		var err error
		last := int64(0)
		for err == nil {
			var c Command
			if c, err = r.Next(); err == nil {
				last = c.End
			}
		}
		want := 0
		for _, e := range ends {
			if e <= cut {
				want = e
			}
		}
		if last != int64(want) {
			t.Fatalf("cut at %d: read up to %d, want %d (%v)", cut, last, want, err)
		}
	}
}

// TestReadMutations damages files in random places: the reader gives a beginning
// of whole commands and an error, in memory that the file's size bounds.
func TestReadMutations(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var file []byte
	for i := range 30 {
		file = append(file, command("SET", fmt.Sprint(i), strings.Repeat("v", rnd.IntN(200)))...)
		if i%5 == 0 {
			file = append(append(append(file, command("MULTI")...), command("INCR", "n")...), command("EXEC")...)
			file = AppendAnnotation(file, int64(i))
		}
	}
	rounds := 100_000
	if testing.Short() {
		rounds = 5_000
	}
	for range rounds {
		b := bytes.Clone(file)
		for range 1 + rnd.IntN(3) {
			from, to := rnd.IntN(len(b)), rnd.IntN(len(b))
			switch rnd.IntN(4) {
			case 0:
				b[from] = byte(rnd.Uint32())
			case 1:
				b[from] = "*$#\r\n0123456789"[rnd.IntN(15)]
			case 2:
				b = b[:max(1, from)]
			default:
				copy(b[from:], b[to:])
			}
		}
		r := NewReader("f", bytes.NewReader(b), 0, int64(len(b)))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		var torn *TornError
		var bad *FormatError
		if err != io.EOF && !errors.As(err, &torn) && !errors.As(err, &bad) {
			t.Fatalf("%q: %v", b, err)
		}
		if cap(r.buf) > 2*len(b)+readSize {
			t.Fatalf("%q: a buffer of %d bytes", b, cap(r.buf))
		}
	}
}

type failingAt struct{ io.ReaderAt }

func (f failingAt) ReadAt(p []byte, at int64) (int, error) {
	n, _ := f.ReaderAt.ReadAt(p[:len(p)/2], at)
	return n, iotest.ErrTimeout
}

func TestReadErrors(t *testing.T) {
	file := string(command("SET", "a", "1"))
	r := NewReader("f.aof", failingAt{strings.NewReader(file)}, 0, int64(len(file)))
	if _, err := r.Next(); !errors.Is(err, iotest.ErrTimeout) || !strings.Contains(err.Error(), "f.aof") {
		t.Errorf("the disk's error: %v", err)
	}
	r = NewReader("f.aof", strings.NewReader(file), 0, 1000)
	if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that has shrunk: %v", err)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte("#TS:1\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		r := NewReader("f", bytes.NewReader(file), 0, int64(len(file)))
		depth, whole := 0, int64(0)
		for {
			c, err := r.Next()
			if err != nil {
				var torn *TornError
				var bad *FormatError
				switch {
				case err == io.EOF && depth == 0 && r.Whole() == int64(len(file)):
				case errors.As(err, &torn) && torn.Offset >= whole && depth == 0:
				case errors.As(err, &bad) && bad.UpTo >= whole && bad.UpTo <= bad.At && depth == 0:
				default:
					t.Fatalf("%v, depth %d, whole up to %d", err, depth, whole)
				}
				return
			}
			if c.Offset < whole || c.End <= c.Offset || len(c.Args) == 0 {
				t.Fatalf("command %+v behind %d", c, whole)
			}
			switch {
			case strings.EqualFold(string(c.Args[0]), "multi"):
				depth++
			case strings.EqualFold(string(c.Args[0]), "exec"):
				depth--
			}
			if c.InUnit != (depth == 1 || strings.EqualFold(string(c.Args[0]), "exec")) {
				t.Fatalf("InUnit %v at depth %d", c.InUnit, depth)
			}
			whole = c.End
		}
	})
}

// BenchmarkReader reads commands as small as they come in practice.
func BenchmarkReader(b *testing.B) {
	one := command("SET", "key:0000001234", "0123456789")
	for _, unit := range []bool{false, true} {
		file := bytes.Repeat(one, 1000)
		if unit {
			file = bytes.Repeat(append(append(command("MULTI"), one...), command("EXEC")...), 1000)
		}
		b.Run(fmt.Sprint("units=", unit), func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			b.ReportAllocs()
			r := NewReader("f", bytes.NewReader(file), 0, int64(len(file)))
			for b.Loop() {
				r.from, r.pos, r.buf = 0, 0, r.buf[:0]
				for {
					if _, err := r.Next(); err == io.EOF {
						break
					} else if err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
