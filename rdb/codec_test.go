package rdb

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"
)

func TestLen(t *testing.T) {
	for _, c := range []struct {
		n    uint64
		want string
	}{
		{0, "00"}, {63, "3f"}, {64, "4040"}, {16383, "7fff"}, {16384, "8000004000"}, {math.MaxUint32, "80ffffffff"},
		{math.MaxUint32 + 1, "810000000100000000"}, {math.MaxUint64, "81ffffffffffffffff"},
	} {
		b := AppendLen(nil, c.n)
		if hex.EncodeToString(b) != c.want {
			t.Errorf("%d: %x, want %s", c.n, b, c.want)
		}
		d := NewDecoder(b)
		if n, err := d.Len(); err != nil || n != c.n || d.Left() != 0 {
			t.Errorf("%x: %d, %v", b, n, err)
		}
		for cut := range b {
			d := NewDecoder(b[:cut])
			if _, err := d.Len(); !errors.Is(err, ErrFormat) {
				t.Errorf("%x: %v", b[:cut], err)
			}
		}
	}
}

func TestStringForms(t *testing.T) {
	e := NewEncoder(0, true)
	for _, c := range []struct{ s, want string }{
		{"", "00"}, {"a", "0161"}, {"0", "c000"}, {"-128", "c080"}, {"128", "c18000"}, {"-32768", "c10080"}, {"32768", "c200800000"},
		{"-2147483648", "c200000080"}, {"2147483647", "c2ffffff7f"}, {"2147483648", "0a32313437343833363438"}, {"01", "023031"}, {"-0", "022d30"},
		{strings.Repeat("a", 20), "14" + strings.Repeat("61", 20)}, {strings.Repeat("a", 21), "c30615016161e00a00"},
	} {
		b := e.AppendString([]byte("x"), []byte(c.s))
		if got := hex.EncodeToString(b[1:]); got != c.want {
			t.Errorf("%q: %s, want %s", c.s, got, c.want)
		}
		d := NewDecoder(b[1:])
		if s, err := d.String(nil); err != nil || string(s) != c.s || d.Left() != 0 {
			t.Errorf("%x: %q, %v", b, s, err)
		}
	}
}

func TestAppendInt(t *testing.T) {
	e := NewEncoder(0, true)
	for _, v := range []int64{0, -1, 127, -129, 40000, math.MaxInt32, math.MaxInt32 + 1, math.MinInt64, math.MaxInt64} {
		var digits [24]byte
		if got, want := AppendInt(nil, v), e.AppendString(nil, fmtInt(digits[:0], v)); !bytes.Equal(got, want) {
			t.Errorf("%d: %x, as a string %x", v, got, want)
		}
	}
}

func TestDecoderRefuses(t *testing.T) {
	for _, s := range []string{"", "01", "82", "bf", "c0", "c100", "c2000000", "c4", "ff", "c3", "c302", "c3020a0061", "c30100", "c3010161", "c30240400061", "c3c000",
		"c381ffffffffffffffff00", "c30281ffffffffffffffff0061", "81ffffffffffffffff61", "c3030520000061", "c3020520ff", "c3030ae000ff"} {
		in, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		d := NewDecoder(in)
		if got, err := d.String(nil); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %q, %v", s, got, err)
		}
	}
	d := NewDecoder([]byte{0xc0, 1})
	if n, err := d.Len(); !errors.Is(err, ErrFormat) {
		t.Errorf("an encoding read as length: %d, %v", n, err)
	}
}

func TestDecoderAliasesAndReuses(t *testing.T) {
	in := []byte("\x03abc\xc0\x07")
	d := NewDecoder(in)
	buf := make([]byte, 0, 64)
	a, _ := d.String(buf)
	if &a[0] != &in[1] || cap(a) != 3 {
		t.Error("a plain string must be the input's bytes, and not reach behind them")
	}
	if n := testing.AllocsPerRun(100, func() {
		d := NewDecoder(in[4:])
		if s, err := d.String(buf); err != nil || string(s) != "7" {
			t.Error(s, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestCRC64(t *testing.T) {
	if got := CRC64(0, []byte("123456789")); got != 0xe9c6d914c4b8d9ca {
		t.Errorf("%x", got)
	}
	p := make([]byte, 100)
	for i := range p {
		p[i] = byte(i * 7)
	}
	for n := range p {
		if CRC64(CRC64(0, p[:n]), p[n:]) != CRC64(0, p) {
			t.Errorf("split at %d gives another sum", n)
		}
	}
}
