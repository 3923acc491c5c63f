package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// warm makes a server's data so large that its worker reads ahead.
func (l *logged) warm(c *testutil.Conn) {
	l.t.Helper()
	l.do(c, "SELECT 15")
	if _, err := c.DoRaw("SET", "ballast", strings.Repeat("x", 9<<20)); err != nil {
		l.t.Fatal(err)
	}
	l.do(c, "SELECT 0")
	for warming := false; !warming; time.Sleep(time.Millisecond) {
		done := make(chan struct{})
		l.workers[0].call(func(w *worker) { warming = w.warming; close(done) })
		<-done
	}
}

// pipeline is n random commands that fit any state of a connection.
func pipeline(r *rand.Rand, n int) []byte {
	var b []byte
	key := func() string { return fmt.Sprintf("k%d", r.IntN(20)) }
	for range n {
		words := [][]string{
			{"GET", key()}, {"SET", key(), fmt.Sprint(r.IntN(100))}, {"INCR", key()}, {"APPEND", key(), "x"},
			{"DEL", key()}, {"MGET", key(), key()}, {"PING"}, {"MULTI"}, {"EXEC"}, {"DISCARD"}, {"GET"}, {"NOSUCH", key()},
			{"MSET", key(), "1", key(), "2", key(), "3", key(), "4", key(), "5"}, {"SELECT", fmt.Sprint(r.IntN(3))},
			{"CLIENT", "REPLY", "SKIP"}, {"HELLO", fmt.Sprint(2 + r.IntN(2))}, {"WATCH", key()}, {"WAIT", "1", "1"},
			{"SUBSCRIBE", "ch"}, {"UNSUBSCRIBE"}, {"PUBLISH", "ch", key()}, {"RESET"},
		}[r.IntN(22)]
		switch r.IntN(12) {
		case 0:
			b = append(b, "\r\n"...)
		case 1:
			b = append(b, strings.Join(words, " ")+"\r\n"...)
		default:
			b = testutil.AppendCommand(b, words...)
		}
	}
	return b
}

// TestReadingAhead: a server that reads ahead answers like one that does not,
// wherever the input is cut.
func TestReadingAhead(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		input := pipeline(r, 200)
		input = append(input, "*1\r\n$x\r\n"...) // ends the connection
		var cuts []int
		for at := 0; at < len(input); at += 1 + r.IntN(2000) {
			cuts = append(cuts, at)
		}
		cuts = append(cuts, len(input))
		var replies [2]string
		for i := range replies {
			l := startLogged(t, 1, func(*Server) {})
			c := l.dial()
			if i == 1 {
				l.warm(c)
			}
			for k := range len(cuts) - 1 {
				c.QueueRaw(input[cuts[k]:cuts[k+1]])
				if err := c.Flush(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Millisecond)
			}
			_ = c.Net().SetReadDeadline(time.Now().Add(20 * time.Second))
			all, err := io.ReadAll(c.Net())
			if err != nil {
				t.Fatalf("seed %d, server %d: %v after %d bytes of replies", seed, i, err, len(all))
			}
			replies[i] = string(all)
		}
		ids := strings.NewReplacer("\r\n", "\n")
		if a, b := ids.Replace(hideID(replies[0])), ids.Replace(hideID(replies[1])); a != b {
			t.Fatalf("seed %d: without reading ahead\n%s\nwith it\n%s", seed, a, b)
		}
	}
}

// hideID drops the connection's ID from the greetings of HELLO.
func hideID(s string) string {
	parts := strings.Split(s, "$2\r\nid\r\n")
	for i := 1; i < len(parts); i++ {
		_, parts[i], _ = strings.Cut(parts[i], "\r\n")
	}
	return strings.Join(parts, "")
}
