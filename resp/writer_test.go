package resp

import (
	"bufio"
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestWriter(t *testing.T) {
	for _, c := range []struct {
		name   string
		write  func(w *Writer)
		v2, v3 string
	}{
		{"ok", func(w *Writer) { w.OK() }, "+OK\r\n", "+OK\r\n"},
		{"status", func(w *Writer) { w.SimpleString("PONG") }, "+PONG\r\n", "+PONG\r\n"},
		{"error", func(w *Writer) { w.Error("\r\nERR a\r\nb\n") }, "-ERR a  b\r\n", "-ERR a  b\r\n"},
		{"int", func(w *Writer) { w.Int(-5); w.Int(7); w.Int(42); w.Int(100) }, ":-5\r\n:7\r\n:42\r\n:100\r\n", ":-5\r\n:7\r\n:42\r\n:100\r\n"},
		{"least", func(w *Writer) { w.Int(math.MinInt64) }, ":-9223372036854775808\r\n", ":-9223372036854775808\r\n"},
		{"bulk", func(w *Writer) { w.Bulk([]byte("a\r\nb")) }, "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"},
		{"empty", func(w *Writer) { w.BulkString("") }, "$0\r\n\r\n", "$0\r\n\r\n"},
		{"bulkint", func(w *Writer) { w.BulkInt(-12) }, "$3\r\n-12\r\n", "$3\r\n-12\r\n"},
		{"null", func(w *Writer) { w.Null() }, "$-1\r\n", "_\r\n"},
		{"nullarray", func(w *Writer) { w.NullArray() }, "*-1\r\n", "_\r\n"},
		{"array", func(w *Writer) { w.Array(12) }, "*12\r\n", "*12\r\n"},
		{"map", func(w *Writer) { w.Map(60) }, "*120\r\n", "%60\r\n"},
		{"set", func(w *Writer) { w.Set(2) }, "*2\r\n", "~2\r\n"},
		{"push", func(w *Writer) { w.Push(3) }, "*3\r\n", ">3\r\n"},
		{"attribute", func(w *Writer) { w.Attribute(1) }, "", "|1\r\n"},
		{"double", func(w *Writer) { w.Double(0.1) }, "$3\r\n0.1\r\n", ",0.1\r\n"},
		{"infinite", func(w *Writer) { w.Double(math.Inf(-1)) }, "$4\r\n-inf\r\n", ",-inf\r\n"},
		{"nan", func(w *Writer) { w.Double(math.NaN()) }, "$3\r\nnan\r\n", ",nan\r\n"},
		{"human", func(w *Writer) { w.HumanDouble(1.5e-9) }, "$12\r\n0.0000000015\r\n", ",0.0000000015\r\n"},
		{"humanwide", func(w *Writer) { w.HumanDouble(-1e300) }, "", ""},
		{"bignumber", func(w *Writer) { w.BigNumber("123") }, "$3\r\n123\r\n", "(123\r\n"},
		{"bool", func(w *Writer) { w.Bool(true); w.Bool(false) }, ":1\r\n:0\r\n", "#t\r\n#f\r\n"},
		{"verbatim", func(w *Writer) { w.Verbatim("t", "abc") }, "$3\r\nabc\r\n", "=7\r\nt  :abc\r\n"},
		{"raw", func(w *Writer) { w.Raw([]byte("+x\r\n")) }, "+x\r\n", "+x\r\n"},
		{"command", func(w *Writer) { w.Command([]byte("GET"), []byte("k")) }, "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"},
	} {
		for proto, want := range map[int]string{2: c.v2, 3: c.v3} {
			w := Writer{Proto: proto}
			c.write(&w)
			if c.name == "humanwide" {
				if n := len(w.Buf); n < 300 {
					t.Errorf("%s: %d bytes", c.name, n)
				}
			} else if string(w.Buf) != want {
				t.Errorf("%s in RESP%d: %q, want %q", c.name, proto, w.Buf, want)
			}
		}
	}
}

func TestDeferLen(t *testing.T) {
	w := Writer{Proto: 3, Buf: []byte("+before\r\n")}
	outer := w.DeferLen()
	for range 12 {
		inner := w.DeferLen()
		w.Int(1)
		w.EndSet(inner, 1)
	}
	w.EndArray(outer, 12)
	none := w.DeferLen()
	w.EndMap(none, 0)
	want := "+before\r\n*12\r\n" + strings.Repeat("~1\r\n:1\r\n", 12) + "%0\r\n"
	if string(w.Buf) != want {
		t.Errorf("%q, want %q", w.Buf, want)
	}
	w = Writer{Proto: 2}
	mark := w.DeferLen()
	w.Int(1)
	w.Int(2)
	w.EndMap(mark, 1)
	if string(w.Buf) != "*2\r\n:1\r\n:2\r\n" {
		t.Errorf("%q", w.Buf)
	}
}

func TestWriterAllocatesNothing(t *testing.T) {
	w := Writer{Proto: 2, Buf: make([]byte, 0, 4096)}
	key := []byte("key")
	if n := testing.AllocsPerRun(100, func() {
		w.Buf = w.Buf[:0]
		w.Bulk(key)
		w.BulkInt(123456)
		w.Double(1.25)
		w.HumanDouble(1.25)
		w.Verbatim("txt", "abc")
		mark := w.DeferLen()
		w.Int(1)
		w.EndArray(mark, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestWriterRoundTrip reads back what was written.
func TestWriterRoundTrip(t *testing.T) {
	w := Writer{Proto: 3}
	w.Map(1)
	w.BulkString("k")
	w.Push(2)
	w.Double(2.5)
	w.Verbatim("mkd", "# a")
	v, err := ReadValue(bufio.NewReader(bytes.NewReader(w.Buf)))
	if err != nil {
		t.Fatal(err)
	}
	got, ok := v.Lookup("k")
	if !ok || got.Kind != KindPush || got.Elems[0].Double != 2.5 || got.Elems[1].Format != "mkd" || got.Elems[1].Str != "# a" {
		t.Errorf("%+v", v)
	}
}

func BenchmarkWriter(b *testing.B) {
	buf := make([]byte, 0, 1<<16)
	value := []byte(strings.Repeat("v", 64))
	b.Run("bulk", func(b *testing.B) {
		w := Writer{Proto: 2, Buf: buf}
		for i := 0; i < b.N; i++ {
			if i&255 == 0 {
				w.Buf = w.Buf[:0]
			}
			w.Bulk(value)
		}
	})
	b.Run("int", func(b *testing.B) {
		w := Writer{Proto: 2, Buf: buf}
		for i := 0; i < b.N; i++ {
			if i&255 == 0 {
				w.Buf = w.Buf[:0]
			}
			w.Int(int64(i))
		}
	})
}
