package robustness

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// dial opens a bare connection whose reads and writes cannot hang for ever.
func dial(s *testutil.Server) (net.Conn, error) {
	c, err := net.Dial("tcp", s.Addr())
	if err == nil {
		err = c.SetDeadline(time.Now().Add(20 * time.Second))
	}
	return c, err
}

// TestVanishingClients: thousands of clients come and go in every way there is, in
// the middle of commands, transactions, subscriptions and replies. Nothing of them
// remains.
func TestVanishingClients(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "2")
	c := s.Conn(t, 2)
	files := filesOfOne(t, s, c)
	w := watch(t, s, 1)
	const ghosts = 8
	random := sources(seed, ghosts)
	visits := 0
	until(t, 1, func(int) error {
		together(ghosts, func(i int) {
			if err := visit(s, random[i]); err != nil {
				t.Error(err)
			}
		})
		visits += ghosts
		return nil
	})
	w.verdict()
	before := megabytes(t, s)
	c.MustOK("FLUSHALL")
	serverAlone(t, s, c, files)
	t.Logf("%d visits, %d MB resident", visits, before)
	checkResident(t, before)
}

// beginnings put a client into a state that must be undone when it goes.
var beginnings = [][]string{
	nil, {"MULTI"}, {"SUBSCRIBE", "ghosts"}, {"WATCH", "ghost:1"}, {"CLIENT", "REPLY", "OFF"}, {"MONITOR"}, {"PSUBSCRIBE", "g*"},
}

// visit is the life of one ghost.
func visit(s *testutil.Server, r *rand.Rand) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	stream := conversation(r, "ghost:", 1+r.IntN(5))
	if begin := beginnings[r.IntN(len(beginnings))]; begin != nil {
		stream = append(testutil.AppendCommand(nil, begin...), stream...)
	}
	if _, err := c.Write(stream[:r.IntN(len(stream)+1)]); err != nil {
		return fmt.Errorf("a write at the beginning: %w", err)
	}
	switch r.IntN(4) {
	case 0: // read a little
		_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
		_, _ = c.Read(make([]byte, 10))
	case 1: // half open: the server must answer what is whole, and end
		if err := c.(*net.TCPConn).CloseWrite(); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			return fmt.Errorf("half open: %w", err)
		}
	}
	if r.IntN(4) == 0 {
		return c.Close()
	}
	reset(c)
	return nil
}

// TestManyConnections: ten thousand clients (or as many as the system allows) come
// at once, are served by four loops, and vanish at once. So again.
func TestManyConnections(t *testing.T) {
	seeded(t)
	n := manyConnections(t)
	s := start(t, "--io-threads", "4", "--maxclients", "11000")
	c := s.Conn(t, 2)
	files := filesOfOne(t, s, c)
	w := watch(t, s, 1)
	const callers = 16
	for round := range 2 {
		conns := make([]net.Conn, n)
		together(callers, func(i int) {
			for ; i < n; i += callers {
				var err error
				if conns[i], err = dial(s); err == nil {
					_, err = conns[i].Write([]byte("PING\r\nGET half"))
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
		together(callers, func(i int) {
			for buf := make([]byte, 7); i < n && !t.Failed(); i += callers {
				if _, err := io.ReadFull(conns[i], buf); err != nil || string(buf) != "+PONG\r\n" {
					t.Errorf("connection %d: %q, %v", i, buf, err)
				}
			}
		})
		t.Logf("round %d: %d connections, %d MB resident", round, n, megabytes(t, s))
		for i, conn := range conns {
			switch {
			case conn == nil:
			case i%2 == round:
				reset(conn)
			default:
				_ = conn.Close()
			}
		}
		waitFor(t, "all to be forgotten", func() bool { return number(t, c, "clients", "connected_clients") == 2 })
	}
	w.verdict()
	checkResident(t, megabytes(t, s))
	serverAlone(t, s, c, files)
}

// manyConnections is 10,000, or what the limit of open files leaves.
func manyConnections(t *testing.T) int {
	t.Helper()
	var limit syscall.Rlimit
	must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	const others = 200
	return int(min(limit.Cur-others, 10_000))
}
