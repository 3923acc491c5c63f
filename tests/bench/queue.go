package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// queueCase is a job queue as people build it: how to give and how to take.
type queueCase struct {
	name       string
	setup      string // one command, "" for none
	give, take string
}

var queueCases = []queueCase{
	{"BRPOP", "", "LPUSH jobs elem" + randomNumber, "BRPOP jobs 0"},
	{"BLMOVE", "", "LPUSH jobs elem" + randomNumber, "BLMOVE jobs busy RIGHT LEFT 0"},
	{"XREADGROUP", "XGROUP CREATE jobs group $ MKSTREAM", "XADD jobs * job elem" + randomNumber,
		"XREADGROUP GROUP group worker" + randomNumber + " COUNT 1 BLOCK 0 STREAMS jobs >"},
}

const (
	queueWorkers   = 100
	queueProducers = 10
	queueJobs      = 300_000
)

type queueRun struct {
	rate float64 // jobs a second
	cpu  float64 // microseconds of the server for each job, given and taken
}

// queue lets blocked workers take what producers give.
func (b *bench) queue() error {
	list := chosen(b, queueCases, func(q queueCase) string { return q.name })
	rate, cpu := make([]paired, len(list)), make([]paired, len(list))
	for round := range b.rounds {
		for i, q := range list {
			for _, c := range order(round) {
				r, err := b.queueOf(c, q)
				if err != nil {
					return fmt.Errorf("%v, %s: %w", c, q.name, err)
				}
				rate[i].add(c, r.rate)
				cpu[i].add(c, r.cpu)
			}
		}
	}
	b.print("\n## Job queues\n\n%d blocked workers take what %d producers give one at a time (redis-benchmark both, on one core); CPU of the server is for a job given and taken.\n",
		queueWorkers, queueProducers)
	b.table("taken by", "Redis jobs/s", "Dozo jobs/s", "ratio", "Redis CPU us", "Dozo CPU us", "ratio")
	for i, q := range list {
		b.print("| %s | %.0f | %.0f | **%.2f** | %.2f | %.2f | **%.2f** |\n", q.name, rate[i].of(redis), rate[i].of(dozo), rate[i].ratio(),
			cpu[i].of(redis), cpu[i].of(dozo), cpu[i].ratio())
	}
	return nil
}

func (b *bench) queueOf(c candidate, q queueCase) (r queueRun, err error) {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return r, err
	}
	defer s.Stop()
	conn, err := s.Dial()
	if err != nil {
		return r, err
	}
	defer conn.Close()
	if q.setup != "" {
		if v, err := conn.DoErr(strings.Fields(q.setup)...); err != nil || v.IsError() {
			return r, fmt.Errorf("%s: %v, %w", q.setup, v, err)
		}
	}
	jobs := b.scaled(queueJobs)
	workers := b.crowd(s, queueWorkers, jobs, q.take)
	if err := workers.start(); err != nil {
		return r, err
	}
	if err := waitBlocked(conn, queueWorkers); err != nil {
		_ = workers.cmd.Process.Kill() // it waits for jobs that never come
		return r, fmt.Errorf("%w: %v", err, workers.wait())
	}
	before, err := cpuOf(s)
	if err != nil {
		return r, err
	}
	begin := time.Now()
	if err := b.crowd(s, queueProducers, jobs, q.give).run(); err != nil {
		return r, err
	}
	if err := workers.wait(); err != nil {
		return r, err
	}
	took := time.Since(begin)
	after, err := cpuOf(s)
	return queueRun{float64(jobs) / took.Seconds(), float64((after - before).Microseconds()) / float64(jobs)}, err
}

// crowd is a redis-benchmark whose clients all send one command.
type crowd struct {
	cmd *exec.Cmd
	out bytes.Buffer
}

func (b *bench) crowd(s *testutil.Server, clients, requests int, command string) *crowd {
	args := []string{"-c", b.clientCPU, "redis-benchmark", "-p", strconv.Itoa(s.Port), "-c", strconv.Itoa(clients),
		"-n", strconv.Itoa(requests), "-r", strconv.Itoa(clients)}
	cr := &crowd{cmd: exec.Command("taskset", append(args, strings.Fields(command)...)...)}
	testutil.Tie(cr.cmd)
	cr.cmd.Stdout, cr.cmd.Stderr = &cr.out, &cr.out
	return cr
}

func (cr *crowd) start() error { return cr.cmd.Start() }

// wait fails if the program did, or if a reply was an error.
func (cr *crowd) wait() error {
	err := cr.cmd.Wait()
	if text := cr.out.String(); err != nil || !strings.Contains(text, "throughput summary") {
		return fmt.Errorf("%s: %w\n%s", cr.cmd, err, text)
	}
	return nil
}

func (cr *crowd) run() error {
	if err := cr.start(); err != nil {
		return err
	}
	return cr.wait()
}

// blockedPatience bounds the wait for workers to be blocked.
const blockedPatience = 10 * time.Second

func waitBlocked(c *testutil.Conn, n int) error {
	for deadline := time.Now().Add(blockedPatience); ; time.Sleep(5 * time.Millisecond) {
		v, err := c.DoErr("INFO", "clients")
		if err != nil {
			return err
		}
		got := testutil.InfoField(v.Str, "blocked_clients")
		if got == strconv.Itoa(n) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s clients are blocked, not %d", got, n)
		}
	}
}
