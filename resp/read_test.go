package resp

import (
	"bufio"
	"errors"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

func read(in string) (Value, error) { return ReadValue(bufio.NewReader(strings.NewReader(in))) }

func TestReadValue(t *testing.T) {
	long := strings.Repeat("x", 100000)
	bulk := func(s string) Value { return Value{Kind: KindBulk, Str: s} }
	for in, want := range map[string]Value{
		"+OK\r\n":                    {Kind: KindStatus, Str: "OK"},
		"+" + long + "\r\n":          {Kind: KindStatus, Str: long},
		"-ERR x\r\n":                 {Kind: KindError, Str: "ERR x"},
		":-12\r\n":                   {Kind: KindInt, Int: -12, Str: "-12"},
		"$3\r\na\r\n\r\n":            bulk("a\r\n"),
		"$0\r\n\r\n":                 bulk(""),
		"$-1\r\n":                    {Kind: KindNull},
		"*-1\r\n":                    {Kind: KindNull},
		"_\r\n":                      {Kind: KindNull},
		"*0\r\n":                     {Kind: KindArray, Elems: []Value{}},
		"*2\r\n$1\r\na\r\n*-1\r\n":   {Kind: KindArray, Elems: []Value{bulk("a"), {Kind: KindNull}}},
		",1.5\r\n":                   {Kind: KindDouble, Double: 1.5, Str: "1.5"},
		",1e400\r\n":                 {Kind: KindDouble, Double: math.Inf(1), Str: "1e400"},
		"#t\r\n":                     {Kind: KindBool, Int: 1, Str: "t"},
		"#f\r\n":                     {Kind: KindBool, Str: "f"},
		"!5\r\nERR a\r\n":            {Kind: KindBulkError, Str: "ERR a"},
		"=7\r\ntxt:a\r\n\r\n":        {Kind: KindVerbatim, Format: "txt", Str: "a\r\n"},
		"(123456789012345678901\r\n": {Kind: KindBigNumber, Str: "123456789012345678901"},
		"%1\r\n+a\r\n:1\r\n":         {Kind: KindMap, Elems: []Value{{Kind: KindStatus, Str: "a"}, {Kind: KindInt, Int: 1, Str: "1"}}},
		"~1\r\n_\r\n":                {Kind: KindSet, Elems: []Value{{Kind: KindNull}}},
		">1\r\n_\r\n":                {Kind: KindPush, Elems: []Value{{Kind: KindNull}}},
		"|1\r\n_\r\n_\r\n+a\r\n":     {Kind: KindStatus, Str: "a", Attrs: &Value{Kind: KindMap, Elems: []Value{{Kind: KindNull}, {Kind: KindNull}}}},
	} {
		got, err := read(in)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%.60q: %+v, %v, want %+v", in, got, err, want)
		}
		slow, err := ReadValue(bufio.NewReader(iotest.OneByteReader(strings.NewReader(in))))
		if err != nil || !reflect.DeepEqual(slow, want) {
			t.Errorf("%.60q by bytes: %+v, %v", in, slow, err)
		}
		for cut := 0; cut < len(in) && cut < 100; cut++ {
			_, err := read(in[:cut])
			if cut == 0 && err != io.EOF || cut > 0 && err != io.ErrUnexpectedEOF {
				t.Errorf("%.60q cut at %d: %v", in, cut, err)
			}
		}
	}
}

func TestReadValueLarge(t *testing.T) {
	for _, n := range []int{1 << 20, 1<<20 + 1, 5 << 20} {
		var w Writer
		w.BulkString(strings.Repeat("x", n))
		if v, err := read(string(w.Buf)); err != nil || len(v.Str) != n {
			t.Errorf("%d: %d bytes, %v", n, len(v.Str), err)
		}
	}
}

func TestReadValueMalformed(t *testing.T) {
	for _, in := range []string{
		"\r\n", "x\r\n", "+a\n", ":a\r\n", ":\r\n", ",x\r\n", "#x\r\n", "_x\r\n", "$a\r\n", "$-2\r\n", "$1\r\nabc\r\n", "*-2\r\n", "*x\r\n", "*1\r\nx\r\n",
		"=3\r\ntxt\r\n", "=5\r\ntxt-a\r\n", "$9223372036854775807\r\n", "*9223372036854775807\r\n", strings.Repeat("*1\r\n", 1000), "+" + strings.Repeat("a", 2<<20) + "\r\n", "$?\r\n",
	} {
		if v, err := read(in); !errors.Is(err, ErrMalformed) {
			t.Errorf("%.40q: %+v, %v", in, v, err)
		}
	}
}

// TestReadValueAnnounced sees that a length alone does not take memory.
func TestReadValueAnnounced(t *testing.T) {
	if n := testing.AllocsPerRun(1, func() {
		_, _ = read("$8000000000\r\nabc")
		_, _ = read("*2000000000\r\n:1\r\n")
	}); n > 40 {
		t.Errorf("%v allocations", n)
	}
}

func TestValue(t *testing.T) {
	v, _ := read("-MOVED 1 a:2\r\n")
	var re ReplyError
	if !errors.As(v.Err(), &re) || re.Code() != "MOVED" || re.Error() != "MOVED 1 a:2" || ReplyError("ERR").Code() != "ERR" {
		t.Errorf("%v", v.Err())
	}
	v, _ = read("*4\r\n$1\r\na\r\n:1\r\n$1\r\nb\r\n$2\r\n22\r\n")
	if b, ok := v.Lookup("b"); !ok || b.Str != "22" || v.Err() != nil || v.IsNull() {
		t.Errorf("%+v", b)
	} else if n, ok := b.Number(); !ok || n != 22 {
		t.Error(n, ok)
	}
	if _, ok := v.Lookup("c"); ok {
		t.Error("c found")
	}
	if _, ok := v.Number(); ok {
		t.Error("an array is no number")
	}
	if got := v.Strings(); !reflect.DeepEqual(got, []string{"a", "1", "b", "22"}) {
		t.Error(got)
	}
}

// FuzzReadValue: never a panic, never more memory than input.
func FuzzReadValue(f *testing.F) {
	for _, s := range []string{"+OK\r\n", "*2\r\n$1\r\na\r\n:1\r\n", "%1\r\n+a\r\n,1.5\r\n", "|1\r\n_\r\n_\r\n#t\r\n", "=7\r\ntxt:abc\r\n", "$-1\r\n", "*1000000\r\n", "(1\r\n", "!3\r\nERR\r\n", ">0\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bufio.NewReaderSize(strings.NewReader(string(in)), 16)
		for {
			if _, err := ReadValueLimits(r, ReadLimits{Depth: 8, Bulk: 1 << 30, Elems: 1 << 20, Line: 100}); err != nil {
				return
			}
		}
	})
}
