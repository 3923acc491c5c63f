package resp

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// outcome is all that a stream of input gave: commands, then perhaps an error.
type outcome struct {
	commands [][]string
	err      string
	rest     int
}

// feed passes input in pieces of the given sizes (the last is repeated), moving
// the buffer each time so that remembered slices would show.
func feed(t testing.TB, limits Limits, input []byte, sizes ...int) outcome {
	t.Helper()
	p := Parser{Limits: limits}
	var o outcome
	var pending []byte
	for len(input) > 0 {
		n := min(sizes[0], len(input))
		if len(sizes) > 1 {
			sizes = sizes[1:]
		}
		pending = append(append([]byte(nil), pending...), input[:n]...)
		input = input[n:]
		for {
			args, used, err := p.Next(pending)
			if err != nil {
				o.err = err.Error()
				return o
			}
			if used == 0 {
				if p.Missing() < 1 {
					t.Fatalf("Missing() = %d", p.Missing())
				}
				break
			}
			if args == nil {
				t.Fatal("nil args with a length")
			}
			o.commands = append(o.commands, texts(args))
			pending = pending[used:]
		}
	}
	o.rest = len(pending)
	return o
}

func texts(args [][]byte) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = string(a)
	}
	return out
}

func bulkCommand(args ...string) string {
	var w Writer
	w.Array(len(args))
	for _, a := range args {
		w.BulkString(a)
	}
	return string(w.Buf)
}

func TestParserCommands(t *testing.T) {
	long := strings.Repeat("x", 12345)
	for _, c := range []struct {
		in   string
		want [][]string
	}{
		{"*1\r\n$4\r\nPING\r\n", [][]string{{"PING"}}},
		{"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", [][]string{{"GET", ""}}},
		{bulkCommand("SET", "k", long), [][]string{{"SET", "k", long}}},
		{bulkCommand("SET", "k", long[:999]) + bulkCommand("GET", long[:1000]), [][]string{{"SET", "k", long[:999]}, {"GET", long[:1000]}}},
		{bulkCommand(strings.Split("a b c d e f g h i j k l", " ")...), [][]string{strings.Split("a b c d e f g h i j k l", " ")}},
		{"*0\r\n*-1\r\n*-20\r\n*1\r\n$1\r\na\r\n", [][]string{{}, {}, {}, {"a"}}},
		{"\r\n\n  \r\nPING\r\nGET a\n", [][]string{{}, {}, {}, {"PING"}, {"GET", "a"}}},
		{"*1\rX$1\rYaZZ", [][]string{{"a"}}},
		{"*1\rX$0\rYZZ", [][]string{{""}}},
		{"*2\r\n$1\r\naZZ$1\r\nb\n\n", [][]string{{"a", "b"}}},
		{"SET k \"a\\x41\\n\\\"\" 'it\\'s \\n'\r\n", [][]string{{"SET", "k", "aA\n\"", "it's \\n"}}},
		{"a\"b c\" d'e f' \"\"\n", [][]string{{"ab c", "de f", ""}}},
		{"a\vb \vc\n", [][]string{{"a\vb", "c"}}},
		{"a\\x41\n", [][]string{{"a\\x41"}}},
		{"\"\\xZZ\\x4\"\n", [][]string{{"xZZx4"}}},
		{"a\rb\r\n", [][]string{{"a", "b"}}},
	} {
		for _, size := range []int{1, 2, 7, len(c.in)} {
			o := feed(t, Limits{}, []byte(c.in), size)
			if o.err != "" || o.rest != 0 || !reflect.DeepEqual(o.commands, c.want) {
				t.Errorf("%.80q by %d: %.200q, error %q, rest %d", c.in, size, o.commands, o.err, o.rest)
			}
		}
	}
}

func TestParserErrors(t *testing.T) {
	for _, c := range []struct {
		in, want string
		limits   Limits
	}{
		{in: "*x\r\n", want: "Protocol error: invalid multibulk length"},
		{in: "*\r\n", want: "Protocol error: invalid multibulk length"},
		{in: "*+1\r\n", want: "Protocol error: invalid multibulk length"},
		{in: "*01\r\n", want: "Protocol error: invalid multibulk length"},
		{in: "*2147483648\r\n", want: "Protocol error: invalid multibulk length"},
		{in: "*11\r\n", want: "Protocol error: unauthenticated multibulk length", limits: Limits{Unauthenticated: true}},
		{in: "*1\r\n$16385\r\n", want: "Protocol error: unauthenticated bulk length", limits: Limits{Unauthenticated: true}},
		{in: "*11\r\n", want: "Protocol error: unauthenticated multibulk length", limits: Limits{Unauthenticated: true, MaxArgs: 10}},
		{in: "*2147483648\r\n", want: "Protocol error: invalid multibulk length", limits: Limits{Unauthenticated: true}},
		{in: "*1\r\n$16385\r\n", want: "Protocol error: unauthenticated bulk length", limits: Limits{Unauthenticated: true, MaxBulk: 16384}},
		{in: "*1\r\n$1000001\r\n", want: "Protocol error: invalid bulk length", limits: Limits{Unauthenticated: true, MaxBulk: 1000000}},
		{in: "*1\r\n$-1\r\n", want: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$01\r\n", want: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$\r\n", want: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$536870913\r\n", want: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$9223372036854775807\r\n", want: "Protocol error: invalid bulk length"},
		{in: "*1\r\n$6\r\n", want: "Protocol error: invalid bulk length", limits: Limits{MaxBulk: 5}},
		{in: "*3\r\n$1\r\na\r\n", want: "Protocol error: invalid multibulk length", limits: Limits{MaxArgs: 2}},
		{in: "*1\r\n:1\r\n", want: "Protocol error: expected '$', got ':'"},
		{in: "*2\r\n$1\r\na\r\nfoo\r\n", want: "Protocol error: expected '$', got 'f'"},
		{in: "*1\r\n\r\n", want: "Protocol error: expected '$', got '\r'"},
		{in: "\"a\n", want: "Protocol error: unbalanced quotes in request"},
		{in: "'a\r\n", want: "Protocol error: unbalanced quotes in request"},
		{in: "\"a\"b\r\n", want: "Protocol error: unbalanced quotes in request"},
		{in: strings.Repeat("x", 65537), want: "Protocol error: too big inline request"},
		{in: "*" + strings.Repeat("1", 65536), want: "Protocol error: too big mbulk count string"},
		{in: "*1\r\n$" + strings.Repeat("1", 65536), want: "Protocol error: too big bulk count string"},
		{in: "\x00" + strings.Repeat("\n", 65536), want: "Protocol error: too big inline request"},
		{in: "*\x00" + strings.Repeat("\r", 65536), want: "Protocol error: too big mbulk count string"},
	} {
		for _, size := range []int{1, 3, 4096, len(c.in)} {
			if len(c.in) > 1000 && size < 100 {
				continue
			}
			if o := feed(t, c.limits, []byte(c.in), size); o.err != c.want {
				t.Errorf("%.40q by %d: error %q, want %q", c.in, size, o.err, c.want)
			}
		}
	}
}

func TestParserLongestLine(t *testing.T) {
	line := strings.Repeat("x", 65536)
	for _, size := range []int{1000, 70000} {
		if o := feed(t, Limits{}, []byte(line+"\n"), size); len(o.commands) != 1 || o.err != "" {
			t.Errorf("by %d: %d commands, error %q", size, len(o.commands), o.err)
		}
		if o := feed(t, Limits{}, []byte(line+"x\n"), size); o.err != errBigInline.Text {
			t.Errorf("by %d: one more: error %q", size, o.err)
		}
	}
}

func TestParserMissing(t *testing.T) {
	var p Parser
	in := []byte("*2\r\n$3\r\nSET\r\n$100000\r\nabc")
	if args, n, err := p.Next(in); args != nil || n != 0 || err != nil {
		t.Fatal(args, n, err)
	}
	if got := p.Missing(); got != 100000-3+2 {
		t.Errorf("Missing() = %d", got)
	}
	if !p.Pending() {
		t.Error("not pending")
	}
}

// TestParserReleases sees that storage of a huge command is not kept for ever.
func TestParserReleases(t *testing.T) {
	var p Parser
	huge := []byte(bulkCommand(strings.Split(strings.Repeat("a ", 5000), " ")...))
	small := []byte(bulkCommand("GET", "k"))
	for _, next := range [][]byte{small, []byte("PING\r\n"), []byte(bulkCommand(strings.Split("1 2 3 4 5 6 7 8 9 10 11", " ")...))} {
		if args, _, err := p.Next(huge); len(args) != 5001 || err != nil {
			t.Fatal(len(args), err)
		}
		if _, n, err := p.Next(next); n != len(next) || err != nil {
			t.Fatal(n, err)
		}
		if cap(p.args) > manyArgs {
			t.Errorf("after %q: room for %d arguments kept", next, cap(p.args))
		}
	}
}

// TestParserLinear feeds a large command in small pieces; were the parser to
// begin anew with each, this would take minutes.
func TestParserLinear(t *testing.T) {
	in := []byte(bulkCommand(strings.Split(strings.Repeat("argument ", 200000), " ")...))
	var p Parser
	for end := 100; ; end += 100 {
		args, n, err := p.Next(in[:min(end, len(in))])
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			if len(args) != 200001 || n != len(in) {
				t.Fatal(len(args), n)
			}
			return
		}
	}
}

func TestProtocolErrorType(t *testing.T) {
	var p Parser
	_, _, err := p.Next([]byte("*a\r\n"))
	var perr *ProtocolError
	if !errors.As(err, &perr) || perr.Cause != "invalid mbulk count" {
		t.Errorf("%#v", err)
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	in := []byte(bulkCommand("SET", "key:000000000001", strings.Repeat("v", 64)) + "PING hello\r\n" + bulkCommand(strings.Split("1 2 3 4 5 6 7 8 9 10 11", " ")...))
	var p Parser
	if n := testing.AllocsPerRun(100, func() {
		for at := 0; at < len(in); {
			_, n, _ := p.Next(in[at:])
			at += n
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzParser: never a panic, and the same outcome however the input is cut.
func FuzzParser(f *testing.F) {
	for _, s := range []string{
		bulkCommand("SET", "key", "value") + bulkCommand("GET", "key"),
		"*3\r\n$3\r\nSET\r\n", "*-1\r\nPING\r\n", "set \"a b\" 'c'\r\n", "*1\r\n$x\r\n", "\x00*\x00\r\n",
		"*12\r\n" + strings.Repeat("$1\r\na\r\n", 12), "*1\r\n$10000\r\n", "\"\\x4", "*1\r",
	} {
		f.Add([]byte(s), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		for _, limits := range []Limits{{}, {MaxBulk: 20, MaxArgs: 5, MaxInline: 10}, {Unauthenticated: true}} {
			whole := feed(t, limits, in, max(len(in), 1))
			bytewise := feed(t, limits, in, 1)
			pieces := feed(t, limits, in, int(cut)+1)
			late := feed(t, limits, in, int(cut)+1, max(len(in), 1))
			for name, o := range map[string]outcome{"bytewise": bytewise, "pieces": pieces, "late": late} {
				if !reflect.DeepEqual(o, whole) {
					t.Fatalf("%+v: %s %+v, whole %+v", limits, name, o, whole)
				}
			}
		}
	})
}

func BenchmarkParser(b *testing.B) {
	value := strings.Repeat("v", 64)
	for _, c := range []struct{ name, command string }{
		{"get", bulkCommand("GET", "key:000000000001")},
		{"set", bulkCommand("SET", "key:000000000001", value)},
		{"set1000", bulkCommand("SET", "key:000000000001", strings.Repeat("v", 1000))},
		{"mset50", bulkCommand(append([]string{"MSET"}, strings.Split(strings.TrimSpace(strings.Repeat("key:01 value ", 50)), " ")...)...)},
		{"inline", "GET key:000000000001\r\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			const pipeline = 16
			in := bytes.Repeat([]byte(c.command), pipeline)
			var p Parser
			b.SetBytes(int64(len(c.command)))
			b.ReportAllocs()
			for i := 0; i < b.N; i += pipeline {
				for at := 0; at < len(in); {
					_, n, err := p.Next(in[at:])
					if n == 0 || err != nil {
						b.Fatal(fmt.Sprint(n, err))
					}
					at += n
				}
			}
		})
	}
}
