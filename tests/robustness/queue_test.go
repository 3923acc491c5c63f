package robustness

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// TestQueues: jobs go through queues that workers of all loops wait for: some take
// them by BLPOP, some move them to a list of their own first, and die while they wait
// or with a job in their hands; others pass them on from queue to queue. Each job is
// done once.
func TestQueues(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "3")
	c := s.Conn(t, 2)
	q := &queues{s: s, random: sources(seed, 16)}
	roles := []func(*testutil.Conn, int) error{
		q.produce, q.produce, q.produce, q.relay, q.relay, q.take, q.take, q.take,
		q.move, q.move, q.move, q.move, q.move, q.kill,
	}
	conns := make([]*testutil.Conn, len(roles))
	until(t, len(roles), func(i int) error { return q.turn(&conns[i], i, roles[i]) })
	q.rest(t, conns)
	checkJobs(t, c, int(q.made.Load()))
	if n := number(t, c, "clients", "blocked_clients") + number(t, c, "clients", "total_blocking_keys"); n != 0 {
		t.Errorf("%d clients and keys are still waited for", n)
	}
	t.Logf("%d jobs, %d clients died", q.made.Load(), q.died.Load())
}

// queues are what the clients of TestQueues share.
type queues struct {
	s          *testutil.Server
	random     []*rand.Rand
	made, died atomic.Int64
}

const numQueues = 4

func (q *queues) any(i int) string { return "queue:" + strconv.Itoa(q.random[i].IntN(numQueues)) }

// turn has a client do one thing; it connects again if it has died.
func (q *queues) turn(c **testutil.Conn, i int, role func(*testutil.Conn, int) error) error {
	if *c == nil {
		fresh, err := q.s.Dial()
		if err != nil {
			return err
		}
		*c = fresh
	}
	err := role(*c, i)
	var broken net.Error
	if errors.Is(err, errDies) || errors.Is(err, io.EOF) || errors.As(err, &broken) && !broken.Timeout() {
		q.died.Add(1)
		reset((*c).Net())
		*c = nil
		return nil
	}
	return err
}

var errDies = errors.New("the client dies")

// ask sends commands together and fails on the first error among the replies.
func ask(c *testutil.Conn, lines ...[]string) (last testutil.Value, err error) {
	for _, line := range lines {
		c.Queue(line...)
	}
	if err := c.Flush(); err != nil {
		return last, err
	}
	for range lines {
		raw, err := c.ReadRaw()
		if err != nil {
			return last, err
		}
		if last, err = testutil.Parse(raw); err != nil || last.IsError() {
			return last, fmt.Errorf("%q: %v, %w", lines, last, err)
		}
	}
	return last, nil
}

// produce makes a few jobs, in one step or in a transaction with two queues.
func (q *queues) produce(c *testutil.Conn, i int) (err error) {
	job := func() string { return strconv.FormatInt(q.made.Add(1), 10) }
	switch r := q.random[i]; r.IntN(4) {
	case 0:
		_, err = ask(c, []string{"RPUSH", "entry", job(), job()})
	case 1:
		_, err = ask(c, []string{"MULTI"}, []string{"LPUSH", q.any(i), job()}, []string{"RPUSH", q.any(i), job()}, []string{"EXEC"})
	case 2:
		_, err = ask(c, []string{"RPUSH", q.any(i), job(), job(), job()})
	default:
		time.Sleep(time.Duration(r.IntN(3)) * time.Millisecond)
	}
	return err
}

// relay passes jobs on: entry -> hall -> queue.
func (q *queues) relay(c *testutil.Conn, i int) (err error) {
	if i%2 == 0 {
		_, err = ask(c, []string{"BLMOVE", "entry", "hall", "LEFT", "RIGHT", "0.05"})
	} else {
		_, err = ask(c, []string{"BLMOVE", "hall", q.any(i), "LEFT", "RIGHT", "0.05"})
	}
	return err
}

// take does jobs without a net.
func (q *queues) take(c *testutil.Conn, i int) error {
	v, err := ask(c, []string{"BLPOP", q.any(i), q.any(i), q.any(i), "0.05"})
	if err == nil && len(v.Elems) == 2 {
		_, err = ask(c, []string{"RPUSH", "done", v.Elems[1].Str})
	}
	return err
}

// move does jobs that it keeps in a list of its own meanwhile, and dies now and then.
// Who comes in its place does first what it has left.
func (q *queues) move(c *testutil.Conn, i int) error {
	own, r := "own:"+strconv.Itoa(i), q.random[i]
	v, err := ask(c, []string{"LRANGE", own, "0", "-1"})
	if err != nil {
		return err
	}
	for _, job := range v.Strings() {
		if err := finish(c, own, job); err != nil {
			return err
		}
	}
	line := []string{"BLMOVE", q.any(i), own, "LEFT", "RIGHT", "0.05"}
	if r.IntN(20) == 0 {
		c.Queue(line...)
		if err := c.Flush(); err != nil {
			return err
		}
		time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond)
		return errDies
	}
	v, err = ask(c, line)
	switch {
	case err != nil || v.Str == "":
		return err
	case r.IntN(20) == 0:
		return errDies
	}
	return finish(c, own, v.Str)
}

func finish(c *testutil.Conn, own, job string) error {
	v, err := ask(c, []string{"MULTI"}, []string{"LREM", own, "1", job}, []string{"RPUSH", "done", job}, []string{"EXEC"})
	if err == nil && v.Elems[0].Int() != 1 {
		err = fmt.Errorf("job %s is not in %s: %v", job, own, v)
	}
	return err
}

// kill ends waits of others: those of clients that move jobs by their connection,
// those of any by CLIENT UNBLOCK.
func (q *queues) kill(c *testutil.Conn, i int) error {
	time.Sleep(time.Millisecond)
	id := strconv.Itoa(q.random[i].IntN(100))
	_, err := ask(c, []string{"CLIENT", "UNBLOCK", id})
	return err
}

// rest does what is left.
func (q *queues) rest(t *testing.T, conns []*testutil.Conn) {
	t.Helper()
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
	c := q.s.Conn(t, 2)
	waitFor(t, "all waits to end", func() bool { return number(t, c, "clients", "blocked_clients") == 0 })
	names := []string{"entry", "hall"}
	for i := range numQueues {
		names = append(names, "queue:"+strconv.Itoa(i))
	}
	for i := range conns {
		names = append(names, "own:"+strconv.Itoa(i))
	}
	for _, name := range names {
		for batch := range slices.Chunk(c.MustOK("LRANGE", name, "0", "-1").Strings(), 1000) {
			c.MustOK(append([]string{"RPUSH", "done"}, batch...)...)
		}
	}
}

// checkJobs finds each job done once.
func checkJobs(t *testing.T, c *testutil.Peer, made int) {
	t.Helper()
	done := c.MustOK("LRANGE", "done", "0", "-1").Strings()
	numbers := make([]int, len(done))
	for i, job := range done {
		n, err := strconv.Atoi(job)
		must(t, err)
		numbers[i] = n
	}
	slices.Sort(numbers)
	for i := range made {
		if i >= len(numbers) || numbers[i] != i+1 {
			t.Fatalf("%d jobs were made, %d done: number %d was lost or done twice", made, len(done), i+1)
		}
	}
	if len(numbers) != made {
		t.Errorf("%d jobs were made, %d done", made, len(numbers))
	}
}
