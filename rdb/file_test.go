package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"dozo/object"
)

// testFile is a file with all kinds of values, as it is written in pieces of the given
// size.
func (s *shelf) testFile(t testing.TB, o WriterOptions, piece int) []byte {
	var out bytes.Buffer
	w := NewWriter(&out, o)
	check := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	check(w.Header(&Info{ServerVersion: "7.2.6", CreatedAt: 1700000000, UsedMemory: 1 << 40, Replication: &ReplicationInfo{DB: 3, ID: strings.Repeat("ab", 20), Offset: 12345}}))
	check(w.Function([]byte("#!lua name=lib\n" + strings.Repeat("-- nothing\n", 20))))
	plain := NewEncoder(o.Version, false)
	plain.Plain = true
	var records []byte
	n := 0
	add := func(d *object.Draft) {
		n++
		h := RecordHead{Key: fmt.Appendf(nil, "%0*d", n, n), Idle: -1, Freq: -1}
		switch n % 3 {
		case 0:
			h.Idle = int64(n * 100)
		case 1:
			h.Freq = n
		}
		if n%2 == 0 {
			h.Deadline = int64(n) << 30
		}
		records = plain.AppendRecord(records, &h, &d.Cell)
		g := d.Discard()
		g.FreeSome(s.heap, math.MaxInt)
	}
	for _, v := range []string{"", "1", "-70000", "123456789012345678", "text", strings.Repeat("long ", 50_000)} {
		var d object.Draft
		d.Begin(s.place(), object.NewString(s.heap, []byte("key"), []byte(v), object.Attrs{}))
		add(&d)
	}
	for _, body := range append(s.collections(40), s.streams(40)...) {
		var d object.Draft
		in := NewDecoder(body)
		check(s.Object(&in, s.place(), &d))
		add(&d)
	}
	check(w.Database(9, n, n/2))
	for p := range slices.Chunk(records, piece) {
		check(w.Records(p))
	}
	check(w.Close())
	return out.Bytes()
}

// readFile reads a file to its end and describes it.
func (s *shelf) readFile(in io.Reader, o ReaderOptions) (story string, err error) {
	r := NewReader(in, o)
	var b strings.Builder
	for {
		var it Item
		if err := r.Next(&it); err != nil {
			return b.String(), err
		}
		fmt.Fprintf(&b, "%d %.50q db %d, %d of %d, dated %v %d, idle %d, freq %d", it.Kind, it.Name, it.DB, it.Expires, it.Keys, it.Dated, it.Deadline, it.Idle, it.Freq)
		if it.Kind != Key {
			fmt.Fprintf(&b, " %q\n", it.Value)
		}
		if it.Kind == End {
			return b.String(), nil
		}
		if it.Kind != Key {
			continue
		}
		var d object.Draft
		at := s.place()
		at.Key = it.Name
		if err := r.ReadRecord(&s.Builder, at, &d); err != nil {
			return b.String(), err
		}
		var sum object.Digest
		d.Digest(&sum, 0)
		fmt.Fprintf(&b, " %s %x\n", d.Type(), sum)
		g := d.Discard()
		g.FreeSome(s.heap, math.MaxInt)
	}
}

// TestFile: a file reads back the same whatever the pieces were that it was written in,
// however it is read, and whatever the size of the buffer.
func TestFile(t *testing.T) {
	s := newShelf(t)
	for _, o := range []WriterOptions{{}, {Version: 10, Compress: true}, {Version: 10, Compress: true, DatedHashes: true}, {NoChecksum: true, Compress: true}} {
		file := s.testFile(t, o, math.MaxInt)
		for _, piece := range []int{1, 2, 7, 100, 5000, 100_000} {
			if again := s.testFile(t, o, piece); !bytes.Equal(again, file) {
				t.Fatalf("in pieces of %d bytes the file is another one", piece)
			}
		}
		want, err := s.readFile(bytes.NewReader(file), ReaderOptions{Size: int64(len(file))})
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(want, "\n"); n < 30 {
			t.Fatalf("%d items:\n%s", n, want)
		}
		for _, size := range []int64{0, int64(len(file))} {
			for _, room := range []int{64, 100, 1000, 60_000} {
				var slow io.Reader = iotest.OneByteReader(bytes.NewReader(file))
				if room > 64 {
					slow = iotest.HalfReader(bytes.NewReader(file))
				}
				own := make([]byte, room)
				got, err := s.readFile(slow, ReaderOptions{Size: size, Buffer: func() []byte { return own }, BufferSize: room})
				if err != nil || got != want {
					t.Fatalf("with %d bytes and size %d: %v\n%s\nand not\n%s", room, size, err, got, want)
				}
			}
		}
	}
}

// TestDamagedFile: whatever is cut off or changed is noticed, and said where.
func TestDamagedFile(t *testing.T) {
	s := newShelf(t)
	file := s.testFile(t, WriterOptions{Version: 10}, math.MaxInt)
	var f *FileError
	for cut := 0; cut < len(file); cut += 1 + cut/30 {
		for _, size := range []int64{0, int64(cut)} {
			if _, err := s.readFile(bytes.NewReader(file[:cut]), ReaderOptions{Size: size}); !errors.As(err, &f) || f.Offset > int64(cut) {
				t.Fatalf("cut after %d bytes: %v", cut, err)
			}
		}
	}
	for at := 0; at < len(file); at += 1 + at/60 {
		bad := bytes.Clone(file)
		bad[at] ^= 0x10
		if _, err := s.readFile(bytes.NewReader(bad), ReaderOptions{Size: int64(len(bad))}); !errors.As(err, &f) {
			t.Fatalf("changed at %d: %v", at, err)
		}
	}
	broken := errors.New("the disk is on fire")
	_, err := s.readFile(io.MultiReader(bytes.NewReader(file[:1000]), iotest.ErrReader(broken)), ReaderOptions{})
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}
