package robustness

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// listener is a subscriber that checks that each publisher's messages come in
// order and without a gap. Payloads are "publisher:number:padding".
type listener struct {
	conn *testutil.Conn
	last map[string]int
	got  atomic.Int64
}

func subscribeTo(t *testing.T, s *testutil.Server, channel string) *listener {
	t.Helper()
	c := s.Conn(t, 2)
	c.MustOK("SUBSCRIBE", channel)
	return &listener{conn: c.Conn, last: map[string]int{}}
}

// listen reads until want messages have come.
func (l *listener) listen(want int64) error {
	in := bufio.NewReaderSize(l.conn.Net(), 64<<10)
	for l.got.Load() < want {
		_ = l.conn.Net().SetReadDeadline(time.Now().Add(30 * time.Second)) // shows in the read
		raw, err := testutil.AppendReply(nil, in)
		if err != nil {
			return fmt.Errorf("after %d messages: %w", l.got.Load(), err)
		}
		v, err := testutil.Parse(raw)
		if err != nil || len(v.Elems) != 3 || v.Elems[0].Str != "message" {
			return fmt.Errorf("no message: %q, %v", raw, err)
		}
		if err := l.check(v.Elems[2].Str); err != nil {
			return err
		}
		l.got.Add(1)
	}
	return nil
}

func (l *listener) check(payload string) error {
	parts := strings.SplitN(payload, ":", 3)
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return err
	}
	if before := l.last[parts[0]]; n != before+1 {
		return fmt.Errorf("publisher %s: message %d after %d", parts[0], n, before)
	}
	l.last[parts[0]] = n
	return nil
}

// publish sends n numbered messages in pipelines and reads the replies.
func publish(c *testutil.Conn, channel, name string, n, size int) error {
	padding := strings.Repeat("m", size)
	done := make(chan error, 1)
	go func() {
		_, err := io.CopyN(io.Discard, c.Net(), int64(n)*int64(len(":60\r\n")))
		done <- err
	}()
	for i := 1; i <= n; i++ {
		c.Queue("PUBLISH", channel, name+":"+strconv.Itoa(i)+":"+padding)
		if i%50 == 0 || i == n {
			if err := c.Flush(); err != nil {
				return err
			}
		}
	}
	return <-done
}

// TestFastPublishers: authors that publish much faster than their messages can be
// handed out are slowed down; nobody loses a message, sees one out of order, or is
// cut off although it reads, and the server's memory stays small. All subscribers
// can be on one loop and all publishers on another.
func TestFastPublishers(t *testing.T) {
	for _, loops := range []string{"1", "2"} {
		t.Run(loops+" loops", func(t *testing.T) {
			seeded(t)
			s := start(t, "--io-threads", loops, "--client-output-buffer-limit", "pubsub 4mb 0 0")
			const subscribers, publishers, messages, size = 120, 3, 500, 2000
			var all []*listener
			for len(all) < subscribers {
				all = append(all, subscribeTo(t, s, "news"))
				s.Conn(t, 2).MustOK("PING") // so that they share a loop, if there are two
			}
			var wg sync.WaitGroup
			for _, l := range all {
				wg.Go(func() {
					if err := l.listen(publishers * messages); err != nil {
						t.Error(err)
					}
				})
			}
			began := time.Now()
			together(publishers, func(i int) {
				if err := publish(s.Conn(t, 2).Conn, "news", "p"+strconv.Itoa(i), messages, size); err != nil {
					t.Error(err)
				}
			})
			most := megabytes(t, s)
			wg.Wait()
			t.Logf("%d messages to %d subscribers in %v, %d MB resident", publishers*messages, subscribers, time.Since(began), most)
			checkResident(t, most)
		})
	}
}
