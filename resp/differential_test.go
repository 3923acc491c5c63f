package resp_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
	"dozo/resp"
)

var seed = flag.Uint64("seed", 1, "seed of the random inputs")

// oracle starts a redis-server, or skips the test where there is none.
func oracle(t *testing.T, config ...string) *testutil.Server {
	t.Helper()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	return testutil.StartRedis(t, config...)
}

// exchange sends raw bytes in two parts and returns all that the server says
// until it closes, which it does at the latest when it has read our end.
func exchange(t *testing.T, addr string, first, second []byte) []byte {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	_, _ = c.Write(first)
	if len(second) > 0 {
		time.Sleep(2 * time.Millisecond)
		_, _ = c.Write(second) // the server may have hung up for good reason
	}
	_ = c.(*net.TCPConn).CloseWrite()
	out, err := io.ReadAll(c)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	return out
}

// answer is what a server made of the parser would say: PING and ECHO work, all
// else is refused.
func answer(limits resp.Limits, in []byte) []byte {
	p := resp.Parser{Limits: limits}
	w := resp.Writer{Proto: 2}
	for {
		args, n, err := p.Next(in)
		switch {
		case err != nil:
			w.Error("ERR " + err.Error())
			return w.Buf
		case n == 0:
			return w.Buf
		case len(args) == 0:
		case limits.Unauthenticated:
			w.Error("ERR refused") // with NOAUTH, if it is a command at all
		case len(args) == 1 && bytes.EqualFold(args[0], []byte("ping")):
			w.SimpleString("PONG")
		case len(args) == 2 && bytes.EqualFold(args[0], []byte("ping")), len(args) == 2 && bytes.EqualFold(args[0], []byte("echo")):
			w.Bulk(args[1])
		default:
			w.Error("ERR refused")
		}
		in = in[n:]
	}
}

// normalize cuts the words of refusals, which are not the parser's business.
func normalize(replies []byte) string {
	lines := strings.SplitAfter(string(replies), "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "-ERR Protocol error") {
			lines[i] = "-ERR refused\r\n"
		}
	}
	return strings.Join(lines, "")
}

func compare(t *testing.T, addr string, limits resp.Limits, in []byte, cut int) {
	t.Helper()
	want := normalize(exchange(t, addr, in[:cut], in[cut:]))
	if got := normalize(answer(limits, in)); got != want {
		t.Errorf("%.200q cut at %d:\n got %.300q\nwant %.300q", in, cut, got, want)
	}
}

const echo = "*2\r\n$4\r\nECHO\r\n$3\r\nabc\r\n"

// oddInputs are what a parser may stumble over, alone or with a command behind.
func oddInputs() []string {
	in := []string{
		"", "\r\n", "\n", "   \r\n", "PING\r\n", "ping\n", "PING\r", "PI\x00NG\r\n", "\tPING \t x\r\n", "\vPING\v\r\n", "PING\va\r\n",
		"ECHO \"a b\"\r\n", "ECHO 'a b'\r\n", "ECHO a\"b\"\r\n", "ECHO \"a\"b\r\n", "ECHO \"a\r\n", "ECHO 'a\r\n", "ECHO \"\\x41\\x4\\xg1\\n\\r\\t\\a\\b\\q\\\"\"\r\n",
		"ECHO 'a\\'b\\n'\r\n", "ECHO \\x41\r\n", "ECHO \"\"\r\n", "ECHO ''\r\n", "ECHO a\rb\r\n", "ECHO \"a\"\vb\r\n", "ECHO \"\\\r\n", "ECHO \"a\\", "ECHO \"a\\\n", "\"\"\r\n",
		"*\r\n", "*a\r\n", "*+1\r\n", "* 1\r\n", "*1 \r\n", "*01\r\n", "*-0\r\n", "*0\r\n", "*00\r\n", "*-1\r\n", "*-5\r\n", "*-01\r\n", "*2147483647\r\n", "*2147483648\r\n",
		"*9223372036854775807\r\n", "*-9223372036854775808\r\n", "*9223372036854775808\r\n", "*-9223372036854775809\r\n", "*18446744073709551616\r\n", "*-1\rX",
		"*1\rX$4\rXPINGXX", "*1\n$4\nPING\n", "*1\r\n$4\r\nPINGxy", "*1\r\n\r\n", "*1\r\n\n\r\n", "*1\r\n:4\r\n", "*1\r\n*1\r\n", "*1\r\n\x00\r\n", "*1\r\nPING\r\n", "*1\r\n\xff\r\n",
		"*1\r\n$\r\n", "*1\r\n$a\r\n", "*1\r\n$-1\r\n", "*1\r\n$-0\r\n", "*1\r\n$+4\r\n", "*1\r\n$04\r\n", "*1\r\n$ 4\r\n", "*1\r\n$4 \r\n", "*1\r\n$4a\r\n", "*1\r\n$0\r\n\r\n", "*1\r\n$00\r\n",
		"*1\r\n$1048576\r\n", "*1\r\n$1048577\r\n", "*1\r\n$9223372036854775807\r\n", "*1\r\n$9223372036854775808\r\n", "*1\r\n$16384\r\n", "*1\r\n$16385\r\n", "*10\r\n", "*11\r\n",
		"*1\x00\r\n", "*\x001\r\n", "*1\r\n$\x004\r\n", "*1\r\n$4\x00\r\nPING\r\n", "*3\r\n$4\r\nECHO\r\n", "*2\r\n$4\r\nECHO\r\n$5\r\na\x00\r\nb\r\n", "*1", "*1\r", "*1\r\n$", "*1\r\n$4\r",
		"$4\r\nPING\r\n", "+PING\r\n", ":1\r\n", "GET / HTTP/1.0\r\n", "*2\r\n$4\r\nECHO\r\n$2000\r\n" + strings.Repeat("v", 2000) + "\r\n",
		"*12\r\n" + strings.Repeat("$1\r\na\r\n", 12), "*12\r\n" + strings.Repeat("$1\r\na\r\n", 11) + "x\r\n",
	}
	for _, s := range append([]string(nil), in...) {
		in = append(in, s+echo, echo+s, "PING\r\n"+s+"PING\r\n")
	}
	return in
}

func TestAgainstRedis(t *testing.T) {
	open := oracle(t, "--proto-max-bulk-len", "1mb").Addr()
	locked := oracle(t, "--requirepass", "x").Addr()
	for _, s := range oddInputs() {
		in := []byte(s)
		compare(t, open, resp.Limits{MaxBulk: 1 << 20}, in, len(in))
		compare(t, locked, resp.Limits{Unauthenticated: true}, in, len(in))
	}
}

// TestLongLinesAgainstRedis sends lines about as long as the limit. Redis takes
// longer ones if a single read brings them; that is not tried.
func TestLongLinesAgainstRedis(t *testing.T) {
	addr := oracle(t).Addr()
	for _, head := range []string{"PING ", "*", "*1\r\n$"} {
		for _, n := range []int{65535, 65536, 65537} {
			body := strings.Repeat("1", n-len(head)+strings.LastIndexByte(head, '\n')+1)
			in := []byte(head + body)
			compare(t, addr, resp.Limits{}, in, len(in))
			if n <= 65536 {
				in = append(in, "\r\n"...)
				compare(t, addr, resp.Limits{}, in[:len(in)-1], len(in)-1)
			}
		}
	}
}

func TestRandomAgainstRedis(t *testing.T) {
	rounds := 300
	if !testing.Short() {
		rounds = 1500
	}
	addr := oracle(t, "--proto-max-bulk-len", "1mb").Addr()
	rnd := rand.New(rand.NewPCG(*seed, 0))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", *seed)
		}
	}()
	for range rounds {
		in := mutate(rnd, []byte(strings.Repeat(echo, 1+rnd.IntN(3))+"ECHO \"a b\" \r\nPING 'x'\r\n*1\r\n$4\r\nPING\r\n"))
		cut := len(in)
		if rnd.IntN(4) == 0 {
			cut = rnd.IntN(len(in) + 1)
		}
		compare(t, addr, resp.Limits{MaxBulk: 1 << 20}, in, cut)
	}
}

// mutate replaces, removes and inserts a few bytes.
func mutate(rnd *rand.Rand, in []byte) []byte {
	const likely = "*$\r\n\"' \\x019-+\x00ac\t\v"
	for range rnd.IntN(4) {
		at := rnd.IntN(len(in))
		c := likely[rnd.IntN(len(likely))]
		switch rnd.IntN(4) {
		case 0:
			in[at] = c
		case 1:
			in = append(in[:at], in[at+1:]...)
		case 2:
			in = append(in[:at], append([]byte{c}, in[at:]...)...)
		case 3:
			in[at] = byte(rnd.IntN(256))
		}
	}
	return in
}

// TestRepliesAgainstRedis compares what the writer writes with what DEBUG
// PROTOCOL shows of every type.
func TestRepliesAgainstRedis(t *testing.T) {
	server := oracle(t, "--enable-debug-command", "yes")
	for proto := 2; proto <= 3; proto++ {
		c := server.Conn(t, proto)
		for name, write := range map[string]func(w *resp.Writer){
			"string":   func(w *resp.Writer) { w.BulkString("Hello World") },
			"integer":  func(w *resp.Writer) { w.Int(12345) },
			"double":   func(w *resp.Writer) { w.Double(3.141) },
			"null":     func(w *resp.Writer) { w.Null() },
			"array":    func(w *resp.Writer) { w.Array(3); w.Int(0); w.Int(1); w.Int(2) },
			"set":      func(w *resp.Writer) { w.Set(3); w.Int(0); w.Int(1); w.Int(2) },
			"map":      func(w *resp.Writer) { writeMap(w) },
			"bignum":   func(w *resp.Writer) { w.BigNumber("1234567999999999999999999999999999999") },
			"true":     func(w *resp.Writer) { w.Bool(true) },
			"false":    func(w *resp.Writer) { w.Bool(false) },
			"verbatim": func(w *resp.Writer) { w.Verbatim("txt", "This is a verbatim\nstring") },
			"attrib":   writeAttribute,
		} {
			got, err := c.DoRaw("DEBUG", "PROTOCOL", name)
			if err != nil {
				t.Fatal(err)
			}
			w := resp.Writer{Proto: proto}
			write(&w)
			if string(got) != string(w.Buf) && name != "double" { // 7.0 prints %.17g
				t.Errorf("RESP%d %s: %q, Redis %q", proto, name, w.Buf, got)
			}
		}
	}
}

func writeMap(w *resp.Writer) {
	mark := w.DeferLen()
	for i := range 3 {
		w.Int(int64(i))
		w.Bool(i == 1)
	}
	w.EndMap(mark, 3)
}

func writeAttribute(w *resp.Writer) {
	if w.Attribute(1) {
		w.BulkString("key-popularity")
		w.Array(2)
		w.BulkString("key:123")
		w.Int(90)
	}
	w.BulkString("Some real reply following the attribute")
}

func Example() {
	var p resp.Parser
	buf := []byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\nPI")
	for {
		args, n, err := p.Next(buf)
		if err != nil || n == 0 {
			break // n == 0: read more, at least p.Missing() bytes, behind what is in buf
		}
		fmt.Printf("%q\n", args)
		buf = buf[n:]
	}
	w := resp.Writer{Proto: 3}
	w.Null()
	fmt.Printf("%q\n", w.Buf)
	// Output:
	// ["GET" "k"]
	// "_\r\n"
}
