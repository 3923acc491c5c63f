package rdb

import (
	"bytes"
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"
)

var mutations = flag.Int("mutations", 2000, "how many damaged files TestMutations reads; 100000 for a soak")

// readBoth reads a file in two ways, which must agree: with its size known, all at
// once, and without, through a small buffer.
func (s *shelf) readBoth(file []byte) error {
	want, err1 := s.readFile(bytes.NewReader(file), ReaderOptions{Size: int64(len(file)), SkipChecksum: true})
	own := make([]byte, 64)
	small := ReaderOptions{Buffer: func() []byte { return own }, BufferSize: len(own), SkipChecksum: true}
	got, err2 := s.readFile(bytes.NewReader(file), small)
	if (err1 == nil) != (err2 == nil) || err1 == nil && got != want {
		s.t.Fatalf("%x: read as\n%s%v\nand as\n%s%v", file, want, err1, got, err2)
	}
	var f *FileError
	if err1 != nil && (!errors.As(err1, &f) || f.What == "" || !errors.As(err2, &f) || f.What == "") {
		s.t.Fatalf("%x: %v, %v", file, err1, err2)
	}
	if n := s.heap.Used(); n != 0 {
		s.t.Fatalf("%x: %d bytes lost", file, n)
	}
	return err1
}

func FuzzReader(f *testing.F) {
	s := newShelf(f)
	f.Add(s.testFile(f, WriterOptions{Version: 10, Compress: true}, math.MaxInt)[:3000])
	f.Add(s.testFile(f, WriterOptions{}, math.MaxInt))
	for _, file := range oddFiles {
		f.Add([]byte(file.bytes))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		_ = newShelf(t).readBoth(file)
	})
}

// FuzzSkim: a value has the same end whether it is seen whole or byte by byte.
func FuzzSkim(f *testing.F) {
	s := newShelf(f)
	for _, body := range append(s.collections(20), s.streams(20)...) {
		f.Add(body)
	}
	f.Add([]byte("\x07\x81\x00\x00\x00\x00\x00\x00\x00\x01\x02\x05\x04ABCDEFGH\x05\x02ab\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		want, err := Skim(Type(b[0]), b[1:])
		var bytewise Skimmer
		if !bytewise.Begin(Type(b[0])) {
			if err == nil {
				t.Fatal("a type without a shape was skimmed")
			}
			return
		}
		rest, seen, n := b[1:], 0, 0
		for {
			k, done, err2 := bytewise.Skim(rest[:seen])
			rest, seen, n = rest[k:], seen-k, n+k
			if done || err2 != nil {
				if (err2 == nil) != (err == nil) || done && n != want {
					t.Fatalf("%d bytes, %v; byte by byte %d, %v", want, err, n, err2)
				}
				return
			}
			if seen == len(rest) {
				break
			}
			seen++
		}
		if !errors.Is(err, errEnds) {
			t.Fatalf("%d bytes, %v; byte by byte it does not end", want, err)
		}
	})
}

// TestMutations: files with random damage are read or refused, in bounded time and
// memory, and the ways to read them agree.
func TestMutations(t *testing.T) {
	s, r := newShelf(t), random(t)
	var files [][]byte
	for _, o := range []WriterOptions{{Version: 10, Compress: true}, {}, {DatedHashes: true, Compress: true}} {
		files = append(files, s.testFile(t, o, math.MaxInt))
	}
	for _, f := range oddFiles {
		files = append(files, []byte(f.bytes))
	}
	var before, after runtime.MemStats
	read := 0
	for i := range *mutations {
		bad := mutate(r, files[i%len(files)])
		if i%100 == 0 {
			runtime.ReadMemStats(&before)
		}
		start := time.Now()
		if s.readBoth(bad) == nil {
			read++
		}
		if i%100 == 0 {
			runtime.ReadMemStats(&after)
			if taken := after.TotalAlloc - before.TotalAlloc; taken > 64<<20 {
				t.Errorf("%d MB were taken for %x", taken>>20, bad)
			}
		}
		if spent := time.Since(start); spent > 20*time.Second {
			t.Errorf("%x took %v", bad, spent)
		}
	}
	t.Logf("%d of %d damaged files could be read", read, *mutations)
}

// mutate changes some bytes, bits or lengths, cuts, or repeats a part.
func mutate(r *rand.Rand, file []byte) []byte {
	bad := bytes.Clone(file)
	for range 1 + r.IntN(4) {
		at := headerBytes + r.IntN(max(1, len(bad)-headerBytes))
		if at >= len(bad) {
			continue
		}
		switch r.IntN(6) {
		case 0:
			bad[at] = byte(r.Uint32())
		case 1:
			bad[at] ^= 1 << r.IntN(8)
		case 2:
			bad[at] = []byte{0, 1, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xfa, 0xfc, 0xfe, 0xff}[r.IntN(12)]
		case 3:
			bad = bad[:at]
		case 4:
			n := min(len(bad)-at, 1+r.IntN(40))
			bad = append(bad[:at+n:at+n], bad[at:]...)
		case 5:
			n := min(len(bad)-at, 1+r.IntN(40))
			bad = append(bad[:at:at], bad[at+n:]...)
		}
	}
	return bad
}
