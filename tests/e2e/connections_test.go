package e2e

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dozo/internal/testutil"
)

// manyConnections is what `maxclients` allows by default.
const manyConnections = 10_000

// raiseFileLimit asks for n open files and skips the test when the system refuses.
func raiseFileLimit(t *testing.T, n uint64) {
	t.Helper()
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if limit.Cur >= n {
		return
	}
	limit.Cur, limit.Max = n, max(limit.Max, n)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Skipf("this system allows fewer than %d open files: %v", n, err)
	}
}

func TestTenThousandConnections(t *testing.T) {
	raiseFileLimit(t, manyConnections+200)
	s := testutil.StartDozo(t, "--maxclients", strconv.Itoa(manyConnections))
	before, err := testutil.RSS(s.Pid)
	must(t, err)
	conns := make([]*testutil.Conn, manyConnections)
	for i := range conns {
		conns[i], err = s.Dial()
		must(t, err)
		defer conns[i].Close()
	}
	for round := range 2 {
		for _, c := range conns {
			c.Queue("PING", strconv.Itoa(round))
			must(t, c.Flush())
		}
		for i, c := range conns {
			v, err := c.ReadRaw()
			if err != nil || string(v) != "$1\r\n"+strconv.Itoa(round)+"\r\n" {
				t.Fatalf("connection %d: %q, %v", i, v, err)
			}
		}
	}
	after, err := testutil.RSS(s.Pid)
	must(t, err)
	t.Logf("%d bytes of resident memory for each idle connection", (after-before)/manyConnections)

	extra, err := s.Dial()
	must(t, err)
	defer extra.Close()
	if raw, err := extra.DoRaw("PING"); err == nil && !strings.HasPrefix(string(raw), "-ERR max number of clients reached") {
		t.Errorf("one connection too many: %q", raw)
	}
	for _, c := range conns[:manyConnections/2] {
		c.Close()
	}
	waitFor(t, "the server to notice closed connections", func() bool {
		v, err := conns[manyConnections-1].DoErr("INFO", "clients")
		must(t, err)
		n, _ := strconv.Atoi(testutil.InfoField(v.Str, "connected_clients"))
		return n <= manyConnections/2+1
	})
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// TestSlowReader: a client that asks for much and reads nothing is held back and,
// when the limit for its class says so, cut off; others do not notice.
func TestSlowReader(t *testing.T) {
	s := testutil.StartDozo(t, "--client-output-buffer-limit", "normal 20mb 0 0", "--client-output-buffer-limit", "pubsub 1mb 0 0")
	c := s.Conn(t, 2)
	c.MustOK("SET", "big", strings.Repeat("x", 1<<20))
	slow, err := s.Dial()
	must(t, err)
	defer slow.Close()
	// A hundred GETs in a row would only be held back: each reply is small. One
	// reply beyond the limit cannot be.
	args := []string{"MGET"}
	for range 100 {
		args = append(args, "big")
	}
	slow.Queue(args...)
	must(t, slow.Flush())
	waitFor(t, "the greedy client to be closed", func() bool {
		c.MustOK("PING")
		n, err := strconv.Atoi(c.Info("clients", "connected_clients"))
		return err == nil && n == 1
	})
	sub := s.Conn(t, 2)
	sub.MustOK("SUBSCRIBE", "news")
	for range 100 {
		c.MustOK("PUBLISH", "news", strings.Repeat("y", 1<<20))
	}
	waitFor(t, "the slow subscriber to be closed", func() bool { return c.Do("PUBLISH", "news", "z").Int() == 0 })
}

// TestPatientReader: a client that reads late, within its limit, loses nothing.
func TestPatientReader(t *testing.T) {
	s := testutil.StartDozo(t)
	c := s.Conn(t, 2)
	value := strings.Repeat("0123456789abcdef", 1<<16)
	c.MustOK("SET", "big", value)
	const replies = 60
	for range replies {
		c.Queue("GET", "big")
	}
	must(t, c.Flush())
	time.Sleep(300 * time.Millisecond)
	for i := range replies {
		raw, err := c.ReadRaw()
		if err != nil || !bytes.Contains(raw, []byte(value)) {
			t.Fatalf("reply %d: %d bytes, %v", i, len(raw), err)
		}
	}
}

// TestHalfOpen: a client that closes its sending side still gets the replies to
// what it sent; one that vanishes is forgotten.
func TestHalfOpen(t *testing.T) {
	s := testutil.StartDozo(t)
	conn, err := net.Dial("tcp", s.Addr())
	must(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte(strings.Repeat("PING\r\n", 1000)))
	must(t, err)
	must(t, conn.(*net.TCPConn).CloseWrite())
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second)) // shows in the read
	got, err := io.ReadAll(conn)
	if err != nil || string(got) != strings.Repeat("+PONG\r\n", 1000) {
		t.Errorf("after closing the sending side: %d bytes, %v", len(got), err)
	}
	gone, err := net.Dial("tcp", s.Addr())
	must(t, err)
	_, err = gone.Write([]byte("*2\r\n$3\r\nGET\r\n$1000\r\npartial"))
	must(t, err)
	must(t, gone.(*net.TCPConn).SetLinger(0)) // the close sends a reset
	must(t, gone.Close())
	c := s.Conn(t, 2)
	waitFor(t, "the vanished clients to be forgotten", func() bool { return c.Info("clients", "connected_clients") == "1" })
}

// TestByteByByte: a command that trickles in one byte at a time, and a large
// pipeline in one write, are both just commands.
func TestByteByByte(t *testing.T) {
	s := testutil.StartDozo(t)
	c := s.Conn(t, 2)
	for _, b := range testutil.AppendCommand(nil, "SET", "trickle", "a\r\nb") {
		_, err := c.Net().Write([]byte{b})
		must(t, err)
	}
	if raw, err := c.ReadRaw(); string(raw) != "+OK\r\n" {
		t.Fatalf("%q, %v", raw, err)
	}
	for i := range 100_000 {
		c.Queue("SET", "p"+strconv.Itoa(i%100), strconv.Itoa(i))
	}
	done := make(chan error, 1)
	go func() { done <- c.Flush() }()
	for i := range 100_000 {
		if raw, err := c.ReadRaw(); string(raw) != "+OK\r\n" {
			t.Fatalf("reply %d: %q, %v", i, raw, err)
		}
	}
	must(t, <-done)
}

// TestIdleTimeout: `timeout` closes idle clients, but no subscribers.
func TestIdleTimeout(t *testing.T) {
	s := testutil.StartDozo(t, "--timeout", "1")
	idle, sub := s.Conn(t, 2), s.Conn(t, 2)
	sub.MustOK("SUBSCRIBE", "c")
	if _, err := idle.ReadRaw(); !errors.Is(err, io.EOF) {
		t.Errorf("the idle client was not closed: %v", err)
	}
	if v := sub.Do("PING"); v.IsError() {
		t.Errorf("the subscriber: %v", v)
	}
}
