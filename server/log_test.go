package server

import (
	"io"
	"strings"
	"testing"
	"time"

	"dozo/arena"
	"dozo/command"
	"dozo/commands"
	"dozo/config"
	"dozo/env"
	"dozo/internal/testutil"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/oplog"
)

// logged is a server whose log is read: what persistence and replication will
// stand on.
type logged struct {
	*Server
	t    testing.TB
	addr string
}

// startLogged starts a server with an active log; prepare may change it before
// it serves.
func startLogged(t testing.TB, loops int, prepare func(s *Server)) *logged {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	world := env.Real()
	ks := keyspace.New(keyspace.Options{Arena: a, Loops: loops, Databases: 16, Seed: 1, NewRand: world.NewRand})
	log := oplog.New(a, oplog.Options{DeferWake: true})
	log.SetRetain(1 << 20)
	log.Activate(0)
	s, err := New(Options{
		Env: world, Config: config.New(config.Options{FS: world.FS, WorkDir: t.TempDir(), Cores: loops}),
		Keyspace: ks, Log: log, Logger: logger.New(io.Discard, world.Clock, 1, logger.Nothing), Loops: loops,
		Commands: [][]command.Spec{commands.String, commands.Generic, commands.List, commands.Set, commands.Hash, commands.Server},
	})
	if err != nil {
		t.Fatal(err)
	}
	at, err := s.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	prepare(s)
	s.Start()
	t.Cleanup(func() {
		_ = s.Close()
		log.Close()
		ks.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return &logged{Server: s, t: t, addr: at.String()}
}

func (l *logged) dial() *testutil.Conn {
	l.t.Helper()
	c, err := testutil.Dial(l.addr)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(c.Close)
	return c
}

func (l *logged) do(c *testutil.Conn, line string) string {
	l.t.Helper()
	raw, err := c.DoRaw(strings.Fields(line)...)
	if err != nil {
		l.t.Fatalf("%s: %v", line, err)
	}
	return string(raw)
}

// text is the log from its beginning, a command a line.
func (l *logged) text() string {
	l.t.Helper()
	r, err := l.log.NewReader(0, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer r.Close()
	buf := make([]byte, 1<<16)
	n, err := r.Read(buf)
	if err != nil {
		l.t.Fatal(err)
	}
	var out []string
	for _, cmd := range strings.Split(string(buf[:n]), "*")[1:] {
		var words []string
		for i, w := range strings.Split(cmd, "\r\n") {
			if i > 0 && i%2 == 0 {
				words = append(words, w)
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	return strings.Join(out, "\n")
}

// TestLogHasEffects: the log has each change, in an order and a form that give
// the same data when they are replayed at any later time.
func TestLogHasEffects(t *testing.T) {
	l := startLogged(t, 2, func(*Server) {})
	c := l.dial()
	for _, line := range []string{
		"SET a 1", "GET a", "INCR a", "DEL missing", "SELECT 3", "SET b x PXAT 99999999999999", "PEXPIREAT b 1",
		"MULTI", "SET c 1", "GET c", "APPEND c 2", "EXEC", "MULTI", "GET c", "EXEC", "MSET d 1 e 2", "SET a",
		"FLUSHDB",
	} {
		l.do(c, line)
	}
	want := strings.Join([]string{
		"SELECT 0", "SET a 1", "INCR a", "SELECT 3", "SET b x PXAT 99999999999999", "DEL b",
		"MULTI", "SET c 1", "APPEND c 2", "EXEC", "MSET d 1 e 2", "FLUSHDB",
	}, "\n")
	if got := l.text(); got != want {
		t.Errorf("the log is\n%s\n\nwant\n%s", got, want)
	}
}

// TestLogHasExpiry: a key that dies by itself is deleted in the log, before the
// command that met it, and relative times are absolute.
func TestLogHasExpiry(t *testing.T) {
	l := startLogged(t, 1, func(s *Server) {
		next := *s.settings.Load()
		next.ActiveExpireStop = true // the lookup is to meet the dead key
		s.settings.Store(&next)
	})
	c := l.dial()
	l.do(c, "SET k v PX 30")
	time.Sleep(50 * time.Millisecond)
	l.do(c, "SETNX k w")
	lines := strings.Split(l.text(), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[1], "SET k v PXAT 1") {
		t.Fatalf("the log is %q", lines)
	}
	if got := strings.Join(lines[2:], ","); got != "MULTI,DEL k,SETNX k w,EXEC" {
		t.Errorf("after the key's time the log has %s", got)
	}
}

// TestGatedReplies: with a gate, the reply to a write waits until the log has
// passed it; other connections, and reads before the write, do not wait.
func TestGatedReplies(t *testing.T) {
	var gate *oplog.Gate
	l := startLogged(t, 2, func(s *Server) {
		gate = s.log.Gate("test")
		s.GateReplies(gate)
	})
	writer, reader := l.dial(), l.dial()
	if got := l.do(writer, "GET k"); got != "$-1\r\n" {
		t.Fatalf("a read before the write: %q", got)
	}
	writer.Queue("SET", "k", "v")
	writer.Queue("PING")
	if err := writer.Flush(); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 2)
	go func() {
		for range 2 {
			raw, err := writer.ReadRaw()
			if err != nil {
				raw = []byte(err.Error())
			}
			got <- string(raw)
		}
	}()
	for l.log.Offset() == 0 { // until it was executed
		time.Sleep(time.Millisecond)
	}
	if got := l.do(reader, "GET other"); got != "$-1\r\n" {
		t.Fatalf("a read of another key: %q", got)
	}
	select {
	case r := <-got:
		t.Fatalf("%q left before the write was durable", r)
	case <-time.After(50 * time.Millisecond):
	}
	gate.Advance(l.log.Era(), l.log.Offset())
	for _, want := range []string{"+OK\r\n", "+PONG\r\n"} {
		select {
		case r := <-got:
			if r != want {
				t.Errorf("reply %q, want %q", r, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no %q although the write is durable", want)
		}
	}
}
