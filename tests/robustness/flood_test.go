package robustness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// TestFloods: clients that send pipelines as fast as they can and never read are
// held back, or cut off at their limits. What they cost is bounded, others are
// served, and when they are gone so is what was kept for them.
func TestFloods(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "2", "--client-query-buffer-limit", "2mb",
		"--client-output-buffer-limit", "normal 8mb 0 0", "--client-output-buffer-limit", "pubsub 2mb 0 0")
	c := s.Conn(t, 2)
	c.MustOK("SET", "big", strings.Repeat("b", 64<<10))
	files := filesOfOne(t, s, c)
	most, w := residence(t, s), watch(t, s, 2)
	const flooders = floodKinds
	kinds := make([]int, flooders) // each begins with another one
	for i := range kinds {
		kinds[i] = i
	}
	random := sources(seed, flooders)
	var held atomic.Int64
	until(t, flooders, func(i int) error {
		kinds[i]++
		if err := flood(s, random[i], kinds[i]%floodKinds); errors.Is(err, os.ErrDeadlineExceeded) {
			held.Add(1)
		}
		return nil // others are cut off, or get to their end
	})
	w.verdict()
	cut := number(t, c, "dozo", "client_output_buffer_limit_disconnections")
	t.Logf("%d floods were held back, %d cut off", held.Load(), cut)
	if cut == 0 {
		t.Error("none was cut off")
	}
	checkResident(t, most())
	serverAlone(t, s, c, files)
}

// flood sends for a while, or until it is refused or gets no further.
func flood(s *testutil.Server, r *rand.Rand, kind int) error {
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return fmt.Errorf("cannot connect: %w", err)
	}
	defer reset(c)
	_ = c.(*net.TCPConn).SetReadBuffer(4 << 10) // else the kernel swallows megabytes
	var out []byte
	for line, n := floodCommand(r, kind); len(out) < 32<<10 || n > 0; n-- {
		out = testutil.AppendCommand(out, line...)
	}
	for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
		_ = c.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) // shows in the write
		if _, err := c.Write(out); err != nil {
			return err
		}
	}
	return nil
}

// floodKinds is how many kinds of floods there are.
const floodKinds = 6

// floodCommand is a command whose replies are long or many, and how often it is
// sent at least.
func floodCommand(r *rand.Rand, kind int) (line []string, n int) {
	switch kind {
	case 0:
		return []string{"GET", "big"}, 1000
	case 1:
		return append([]string{"MGET"}, slicesOf("big", 200)...), 1 // more than the limit by itself
	case 2:
		return []string{"ECHO", strings.Repeat("e", r.IntN(100_000))}, 1
	case 3:
		return []string{"COMMAND", "DOCS"}, 10
	case 4:
		return []string{"PING"}, 1
	}
	return []string{"SUBSCRIBE", "flood", "flood2"}, 1
}

func slicesOf(word string, n int) []string {
	return strings.Fields(strings.Repeat(word+" ", n))
}

// reset ends a connection without a goodbye: the other side gets a RST.
func reset(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // no harm if it is gone already
	}
	_ = c.Close()
}
