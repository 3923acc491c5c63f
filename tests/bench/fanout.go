package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"dozo/internal/testutil"
)

// fanoutMessages is how many messages go to every subscriber.
const fanoutMessages = 50

type fanoutRun struct {
	rate float64 // deliveries a second
	last float64 // milliseconds until the last subscriber has a message
	cpu  float64 // microseconds of the server for each delivery
	rss  float64 // bytes for each subscriber
}

// fanout publishes to very many subscribers.
func (b *bench) fanout() error {
	var rate, last, cpu, rss paired
	for round := range b.rounds {
		for _, c := range order(round) {
			r, err := b.fanoutOf(c)
			if err != nil {
				return fmt.Errorf("%v: %w", c, err)
			}
			rate.add(c, r.rate)
			last.add(c, r.last)
			cpu.add(c, r.cpu)
			rss.add(c, r.rss)
		}
	}
	b.print("\n## Publishing to %d subscribers\n\nOne message at a time, the next when all have it.\n", b.subs)
	b.table("figure", "Redis", "Dozo", "ratio")
	b.print("| deliveries a second | %.0f | %.0f | **%.2f** |\n", rate.of(redis), rate.of(dozo), rate.ratio())
	b.print("| until the last subscriber has it, ms | %.1f | %.1f | **%.2f** |\n", last.of(redis), last.of(dozo), last.ratio())
	b.print("| CPU a delivery, us | %.2f | %.2f | **%.2f** |\n", cpu.of(redis), cpu.of(dozo), cpu.ratio())
	b.print("| resident bytes a subscriber | %.0f | %.0f | **%.2f** |\n", rss.of(redis), rss.of(dozo), rss.ratio())
	return nil
}

func (b *bench) fanoutOf(c candidate) (r fanoutRun, err error) {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return r, err
	}
	defer s.Stop()
	before, err := testutil.RSS(s.Pid)
	if err != nil {
		return r, err
	}
	f := &fan{message: "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$64\r\n" + strings.Repeat("m", 64) + "\r\n"}
	defer f.close()
	if err := f.subscribe(s, b.subs); err != nil {
		return r, err
	}
	after, err := testutil.RSS(s.Pid)
	if err != nil {
		return r, err
	}
	r.rss = float64(after-before) / float64(b.subs)
	cpu, err := cpuOf(s)
	if err != nil {
		return r, err
	}
	begin := time.Now()
	if err := f.publish(s); err != nil {
		return r, err
	}
	took := time.Since(begin)
	spent, err := cpuOf(s)
	deliveries := float64(b.subs * fanoutMessages)
	r.rate = deliveries / took.Seconds()
	r.last = float64(took.Microseconds()) / 1000 / fanoutMessages
	r.cpu = float64((spent - cpu).Microseconds()) / deliveries
	return r, err
}

// fan is the crowd of subscribers.
type fan struct {
	message string
	conns   []*testutil.Conn
	got     sync.WaitGroup // counts the deliveries of the current message down
	failed  chan error
}

func (f *fan) close() {
	for _, c := range f.conns {
		c.Close()
	}
}

func (f *fan) subscribe(s *testutil.Server, n int) error {
	f.failed = make(chan error, n)
	for range n {
		c, err := s.Dial()
		if err != nil {
			return err
		}
		f.conns = append(f.conns, c)
		if v, err := c.DoErr("SUBSCRIBE", "news"); err != nil || v.IsError() {
			return fmt.Errorf("SUBSCRIBE: %v, %w", v, err)
		}
		_ = c.Net().SetReadDeadline(time.Time{}) // readers wait for the whole run
	}
	for _, c := range f.conns {
		go f.read(c)
	}
	return nil
}

// read counts messages. They all have the same length, so no parsing is in the
// way of the measurement.
func (f *fan) read(c *testutil.Conn) {
	buf := make([]byte, len(f.message))
	for range fanoutMessages {
		if _, err := io.ReadFull(c.Net(), buf); err != nil || string(buf) != f.message {
			f.failed <- fmt.Errorf("a subscriber got %q, %w", buf, err)
			return
		}
		f.got.Done()
	}
}

func (f *fan) publish(s *testutil.Server) error {
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	for range fanoutMessages {
		f.got.Add(len(f.conns))
		v, err := c.DoErr("PUBLISH", "news", strings.Repeat("m", 64))
		if err != nil || int(v.Int()) != len(f.conns) {
			return fmt.Errorf("PUBLISH: %v, %w", v, err)
		}
		done := make(chan struct{})
		go func() {
			f.got.Wait()
			close(done)
		}()
		select {
		case <-done:
		case err := <-f.failed:
			return err
		case <-time.After(30 * time.Second):
			return fmt.Errorf("not all subscribers got a message within 30 s")
		}
	}
	return nil
}
