package persist

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"dozo/rdb"
)

// recordsOf are plain records of strings.
func recordsOf(value func() []byte) (b []byte) {
	e := rdb.NewEncoder(0, false)
	e.Plain = true
	for range 20 {
		b = e.AppendString(append(b, byte(0)), []byte("key"))
		b = e.AppendString(b, value())
	}
	return b
}

// TestThrift: a stream is compressed while its readers are behind, and hardly tried where
// that saves nothing.
func TestThrift(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	noise := recordsOf(func() []byte {
		b := make([]byte, 500)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		return b
	})
	text := recordsOf(func() []byte { return bytes.Repeat([]byte("text "), 100) })
	behind := false
	w := rdb.NewWriter(io.Discard, rdb.WriterOptions{Compress: true})
	thrift := &thrift{behind: func() bool { return behind }}
	tried := func(chunks int, plain []byte) (n int) {
		for range chunks {
			if err := thrift.records(w, plain); err != nil {
				t.Fatal(err)
			}
			if w.Encoder.Compress {
				n++
			}
		}
		return n
	}
	if n := tried(10, text); n != 0 {
		t.Errorf("%d chunks were compressed for readers that waited for them", n)
	}
	behind = true
	if n := tried(10, text); n != 10 {
		t.Errorf("%d of 10 chunks were compressed", n)
	}
	if n := tried(5000, noise); n < 5 || n > 15 {
		t.Errorf("%d of 5000 chunks that do not get shorter were tried", n)
	}
	if n := tried(2*thriftPauseMax, text); n < thriftPauseMax-1 {
		t.Errorf("%d of %d chunks were compressed when it paid again", n, 2*thriftPauseMax)
	}
	behind = false
	if n := tried(10, text); n != 0 {
		t.Errorf("%d chunks were compressed when the readers had caught up", n)
	}
}
