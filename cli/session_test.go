package cli

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/env"
	"dozo/resp"
)

// startOurs runs Main with a standard input that the test writes to; out shows
// what has been printed so far.
func startOurs(t *testing.T, args ...string) (in io.WriteCloser, out *output, done <-chan int) {
	t.Helper()
	r, w := io.Pipe()
	out = &output{}
	finished := make(chan int, 1)
	go func() { finished <- Main(args, r, out, out) }()
	t.Cleanup(func() { w.Close() })
	return w, out, finished
}

// output is a buffer that one goroutine fills and another waits on.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

// take waits until all that has been printed is what the test expects.
func (o *output) take(t *testing.T, want string) {
	t.Helper()
	got := ""
	for range 500 {
		o.mu.Lock()
		got = o.buf.String()
		if got == want {
			o.buf.Reset()
		}
		o.mu.Unlock()
		if got == want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("printed %q\nwant    %q", got, want)
}

// takePart is take for an output that merely contains what is expected.
func (o *output) takePart(t *testing.T, want string) {
	t.Helper()
	for range 500 {
		o.mu.Lock()
		got := o.buf.String()
		o.mu.Unlock()
		if strings.Contains(got, want) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("printed %q\nwithout %q", o.buf.String(), want)
}

func say(t *testing.T, in io.Writer, line string) {
	t.Helper()
	if _, err := io.WriteString(in, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// TestSubscribedMode follows the story in redis-cli's own suite; the program of
// 7.0, which is what there is to compare with, did not have this mode.
func TestSubscribedMode(t *testing.T) {
	const reading, erase = "Reading messages... (press Ctrl-C to quit or any key to type command)\r", "\x1b[K"
	s := pair(t)
	t.Setenv("FAKETTY", "1")
	c := s.Conn(t, 2)
	in, out, done := startOurs(t, "-p", strconv.Itoa(s.Port))
	say(t, in, "subscribe ch1 ch2")
	out.take(t, "1) \"subscribe\"\n2) \"ch1\"\n3) (integer) 1\n1) \"subscribe\"\n2) \"ch2\"\n3) (integer) 2\n"+reading)
	c.MustOK("PUBLISH", "ch2", "hello")
	out.take(t, erase+"1) \"message\"\n2) \"ch2\"\n3) \"hello\"\n"+reading)
	say(t, in, "unsubscribe ch1")
	out.take(t, erase+"1) \"unsubscribe\"\n2) \"ch1\"\n3) (integer) 1\n"+reading)
	say(t, in, "get k")
	out.take(t, erase+"(error) ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context\n"+reading)
	say(t, in, "ping")
	out.take(t, erase+"1) \"pong\"\n2) \"\"\n"+reading)
	say(t, in, "reset")
	out.take(t, erase+"RESET\n")
	say(t, in, "ping")
	out.take(t, "PONG\n")
	say(t, in, "psubscribe p*")
	out.take(t, "1) \"psubscribe\"\n2) \"p*\"\n3) (integer) 1\n"+reading)
	in.Close()
	out.take(t, erase)
	if code := <-done; code != 0 {
		t.Error(code)
	}
}

func TestSubscribedModeResp3(t *testing.T) {
	s := pair(t)
	os.Unsetenv("FAKETTY")
	c := s.Conn(t, 2)
	in, out, _ := startOurs(t, "-p", strconv.Itoa(s.Port), "-3")
	say(t, in, "subscribe ch1 ch2")
	out.take(t, "subscribe\nch1\n1\nsubscribe\nch2\n2\n")
	say(t, in, "client tracking on")
	out.take(t, "OK\n")
	say(t, in, "set k 42")
	out.take(t, "OK\n")
	say(t, in, "get k")
	out.take(t, "42\n")
	c.MustOK("PUBLISH", "ch1", "hello")
	c.MustOK("DEL", "k")
	c.MustOK("PUBLISH", "ch2", "world")
	out.take(t, "message\nch1\nhello\ninvalidate\nk\nmessage\nch2\nworld\n")
	say(t, in, "unsubscribe ch1 ch2")
	out.take(t, "unsubscribe\nch1\n1\nunsubscribe\nch2\n0\n")
}

func TestInvalidateMessages(t *testing.T) {
	s := pair(t)
	t.Setenv("FAKETTY", "1")
	c := s.Conn(t, 2)
	in, out, _ := startOurs(t, "-p", strconv.Itoa(s.Port), "-3")
	say(t, in, "client tracking on")
	say(t, in, "get k")
	out.take(t, "OK\n(nil)\n")
	c.MustOK("SET", "k", "v")
	say(t, in, "ping")
	out.take(t, "-> invalidate: 'k'\nPONG\n")
}

func TestMonitorAndLostConnection(t *testing.T) {
	s := pair(t)
	os.Unsetenv("FAKETTY")
	c := s.Conn(t, 2)
	in, out, done := startOurs(t, "-p", strconv.Itoa(s.Port))
	say(t, in, "client setname watcher")
	say(t, in, "monitor")
	out.take(t, "OK\nOK\n")
	c.MustOK("ECHO", "seen")
	out.takePart(t, `"ECHO" "seen"`)
	c.MustOK("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
	out.takePart(t, "Error: Server closed the connection\n")
	say(t, in, "echo again") // connects anew
	out.takePart(t, "\nagain\n")
	say(t, in, "quit")
	if code := <-done; code != 0 {
		t.Error(code)
	}
}

// TestSubscribeEnds: without a prompt, a subscription lasts as long as the server.
func TestSubscribeEnds(t *testing.T) {
	s := pair(t)
	os.Unsetenv("FAKETTY")
	c := s.Conn(t, 2)
	_, out, done := startOurs(t, "-p", strconv.Itoa(s.Port), "subscribe", "ch")
	out.take(t, "subscribe\nch\n1\n")
	c.MustOK("PUBLISH", "ch", "x")
	out.take(t, "message\nch\nx\n")
	c.MustOK("CLIENT", "KILL", "TYPE", "pubsub")
	if code := <-done; code != 1 {
		t.Error(code)
	}
	out.take(t, "Error: Server closed the connection\n")
}

func TestShutdown(t *testing.T) {
	s := pair(t)
	if r := runOurs("", "-p", strconv.Itoa(s.Port), "shutdown", "nosave"); r.code != 0 || r.out != "" || r.err != "" {
		t.Error(r)
	}
}

func TestReplicaTools(t *testing.T) {
	s := pair(t, "--repl-diskless-sync-delay", "0")
	os.Unsetenv("FAKETTY")
	c := s.Conn(t, 2)
	port := strconv.Itoa(s.Port)
	c.MustOK("SET", "k", strings.Repeat("v", 200000))
	for _, diskless := range []string{"no", "yes"} {
		if testing.Short() && diskless == "no" {
			continue
		}
		c.MustOK("CONFIG", "SET", "repl-diskless-sync", diskless)
		file := filepath.Join(t.TempDir(), "dump.rdb")
		r := runOurs("", "-p", port, "--rdb", file)
		b, err := os.ReadFile(file)
		if err != nil || r.code != 0 || !bytes.HasPrefix(b, []byte("REDIS00")) || b[len(b)-9] != 0xff || !strings.Contains(r.err, "Transfer finished with success") {
			t.Errorf("diskless %s: %d bytes, %v, %v", diskless, len(b), err, r)
		}
		if r := runOurs("", "-p", port, "--rdb", "-"); r.out != string(b) && len(r.out) < 100 {
			t.Errorf("diskless %s: %d bytes on standard output", diskless, len(r.out))
		}
		_, out, done := startOurs(t, "-p", port, "--replica")
		out.takePart(t, "Logging commands from master.\n")
		time.Sleep(1100 * time.Millisecond) // until it has acknowledged
		c.MustOK("SET", "seen", "x")
		out.takePart(t, `"SET","seen","x"`)
		c.MustOK("CLIENT", "KILL", "TYPE", "replica")
		if code := <-done; code != 1 {
			t.Error(code)
		}
	}
	if r := runOurs("", "-p", port, "--rdb", "/nonexistent/x"); r.code != 1 {
		t.Error(r)
	}
}

func TestLatencyAndStat(t *testing.T) {
	s := pair(t)
	os.Unsetenv("FAKETTY")
	port := strconv.Itoa(s.Port)
	for _, c := range []struct {
		mode  string
		parts int
		sep   string
	}{{"--raw", 4, " "}, {"--csv", 4, ","}, {"--json", 8, " "}} {
		r := runOurs("", "-p", port, c.mode, "-i", "0.05", "--latency")
		if r.code != 0 || len(strings.Split(r.out, c.sep)) != c.parts {
			t.Errorf("%s: %v", c.mode, r)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	var out bytes.Buffer
	o := defaultOptions()
	o.port, o.interval = s.Port, 50*time.Millisecond
	ses := &session{options: o, env: env.Real(), dialing: ctx, out: bufio.NewWriter(&out), errout: &out}
	if err := ses.connect(false); err != nil {
		t.Fatal(err)
	}
	statMode(ses)
	o.history = true
	if lines := strings.Split(out.String(), "\n"); len(lines) < 4 || !strings.HasPrefix(lines[1], "keys       mem ") || !strings.Contains(lines[3], "(+1)") {
		t.Errorf("%q", out.String())
	}
}

// TestRedirects plays a cluster of two nodes.
func TestRedirects(t *testing.T) {
	second := fakeNode(t, map[string]string{"ASKING": "+OK\r\n", "SET": "+OK\r\n"})
	host, port, _ := net.SplitHostPort(fakeNode(t, map[string]string{"SET": "-ASK 12182 " + second + "\r\n", "GET": "-MOVED 12182 " + second + "\r\n"}))
	if r := runOurs("", "-h", host, "-p", port, "-c", "SET", "k", "v"); r.out != "OK\n" || r.code != 0 {
		t.Error(r)
	}
	if r := runOurs("", "-h", host, "-p", port, "-c", "GET", "k"); !strings.HasPrefix(r.out, "ERR unknown") {
		t.Error(r)
	}
	if r := runOurs("", "-h", host, "-p", port, "GET", "k"); !strings.HasPrefix(r.out, "MOVED") {
		t.Error(r)
	}
	if r := runOurs("get k\n", "-h", host, "-p", port, "-c"); !strings.HasPrefix(r.out, "-> Redirected to slot [12182] located at "+second+"\n") {
		t.Error(r)
	}
}

// fakeNode answers commands by their names.
func fakeNode(t *testing.T, answers map[string]string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerAll(c, answers)
		}
	}()
	return l.Addr().String()
}

func answerAll(c net.Conn, answers map[string]string) {
	defer c.Close()
	for r := bufio.NewReader(c); ; {
		v, err := resp.ReadValue(r)
		if err != nil {
			return
		}
		answer, ok := answers[strings.ToUpper(v.Elems[0].Str)]
		if !ok {
			answer = "-ERR unknown\r\n"
		}
		_, _ = io.WriteString(c, answer)
	}
}

func TestNotConnected(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	os.Unsetenv("FAKETTY")
	r := runOurs("ping\nhelp\nquit\n", "-p", "1")
	refused := "Could not connect to Redis at 127.0.0.1:1: Connection refused\n"
	if r.code != 0 || r.err != refused+refused || !strings.HasPrefix(r.out, versionLine) {
		t.Error(r)
	}
	r = runOurs("connect 127.0.0.1 2\n", "-p", "1")
	if r.err != refused+"Could not connect to Redis at 127.0.0.1:2: Connection refused\n" {
		t.Error(r)
	}
	r = runOurs("", "--pipe", "-p", "1")
	if r.code != 1 || r.err != refused {
		t.Error(r)
	}
}

func TestPipeToolFails(t *testing.T) {
	s := pair(t)
	if r := runOurs("SET a \"b", "-p", strconv.Itoa(s.Port), "--pipe"); r.code != 1 || !strings.HasPrefix(r.err, "ERR Protocol error: unbalanced quotes") {
		t.Error(r)
	}
	if r := runOurs("DEBUG SLEEP 1.5\r\n", "-p", strconv.Itoa(s.Port), "--pipe", "--pipe-timeout", "1"); r.code != 1 || r.err != "No replies for 1 seconds: exiting.\n" {
		t.Error(r)
	}
}

func TestAskPassword(t *testing.T) {
	s := pair(t, "--requirepass", "secret")
	if r := runOurs("secret\n", "-p", strconv.Itoa(s.Port), "--askpass", "ping"); r.out != "PONG\n" {
		t.Error(r)
	}
}
