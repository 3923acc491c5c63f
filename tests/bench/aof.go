package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"dozo/internal/testutil"
)

// fsyncPolicies are what the append only file may do; "" is none at all.
var fsyncPolicies = []string{"", "everysec", "always"}

// aofCase is one workload with one policy.
type aofCase struct {
	policy string
	workload
}

func aofCases() (list []aofCase) {
	for _, pipeline := range []int{1, 16} {
		for _, policy := range fsyncPolicies {
			requests := 300_000 * min(pipeline, 4)
			if policy == "always" {
				requests /= 3
			}
			list = append(list, aofCase{policy, workload{name: "SET", test: "set", pipeline: pipeline, requests: requests}})
		}
	}
	return list
}

func (c aofCase) label() string {
	if c.policy == "" {
		return fmt.Sprintf("no file, %d", c.pipeline)
	}
	return fmt.Sprintf("%s, %d", c.policy, c.pipeline)
}

// aofConfig are the directives of a policy.
func aofConfig(policy string) []string {
	if policy == "" {
		return nil
	}
	return []string{"--appendonly", "yes", "--appendfsync", policy, "--auto-aof-rewrite-percentage", "0"}
}

// How reads fare beside writers with appendfsync always.
const (
	besideWriters  = 8
	besideRequests = 300_000
	// slowFlush is how long a write takes on the disk that is feigned.
	slowFlush = 10 * time.Millisecond
)

// besideFigures are of GETs, and of the SETs that others make meanwhile.
type besideFigures struct {
	get            figures
	sets           paired // a second
	setP50, setP99 paired // milliseconds
}

// appendOnly compares what the append only file costs the writers, and those who read
// beside them.
func (b *bench) appendOnly() error {
	cases := aofCases()
	all := make([]figures, len(cases))
	var disk, slow besideFigures
	var syncs []float64
	err := b.alone(func() error {
		for round := range b.rounds {
			n, err := fsyncRate()
			if err != nil {
				return err
			}
			syncs = append(syncs, n)
			for _, c := range order(round) {
				if err := b.appendOnlyOf(c, cases, all, &disk, &slow); err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
			}
		}
		return nil
	})
	b.print("\n## The append only file\n\nThe file is where temporary files are; that disk syncs %.0f small writes a second, one after the other. redis-benchmark with 50 connections, values of %d bytes; "+
		"the factor is the CPU of a SET over that without a file.\n", median(syncs), valueBytes)
	b.reportPolicies(cases, all)
	b.print("\nGETs of 50 clients while %d others write other keys, with appendfsync always: on this disk, and with each write to it made to take %v (DEBUG AOF-FLUSH-SLEEP).\n", besideWriters, slowFlush)
	b.table("figure", "Redis", "Dozo", "ratio")
	disk.report(b, "this disk")
	slow.report(b, "slow disk")
	b.target("GETs beside writers with a slow disk, ratio", slow.get.rate.ratio(), 10, false)
	b.target("GETs beside writers with always, ratio", disk.get.rate.ratio(), 2, false)
	return err
}

func (b *bench) reportPolicies(cases []aofCase, all []figures) {
	b.table("policy, pipeline", "Redis SET/s", "Dozo SET/s", "ratio", "p50 ms", "p99 ms", "Redis CPU us", "Dozo CPU us", "ratio", "factor R/D", "busy R/D", "client R/D")
	for i, c := range cases {
		f, none := &all[i], &all[i/len(fsyncPolicies)*len(fsyncPolicies)]
		b.print("| %s | %.0f | %.0f | **%.2f** | %.2f / %.2f | %.2f / %.2f | %.2f | %.2f | **%.2f** | %.2f / %.2f | %s |\n",
			c.label(), f.rate.of(redis), f.rate.of(dozo), f.rate.ratio(), f.p50.of(redis), f.p50.of(dozo), f.p99.of(redis), f.p99.of(dozo),
			f.cpu.of(redis), f.cpu.of(dozo), f.cpu.ratio(), f.cpu.of(redis)/none.cpu.of(redis), f.cpu.of(dozo)/none.cpu.of(dozo), f.shares())
		switch {
		case c.policy == "always" && c.pipeline == 1:
			b.target("SETs of 50 writers with always, ratio", f.rate.ratio(), 1, false)
		case c.policy == "everysec" && c.pipeline == 1:
			b.target("CPU of SET with everysec, ratio", f.cpu.ratio(), 0.88, true)
		case c.policy == "everysec":
			b.target("CPU of SET with everysec at pipeline 16, ratio", f.cpu.ratio(), 0.5, true)
		}
	}
}

func (f *besideFigures) report(b *bench, name string) {
	b.paired(name+": GETs a second", &f.get.rate, "%.0f")
	b.paired(name+": GET p50, ms", &f.get.p50, "%.2f")
	b.paired(name+": GET p99, ms", &f.get.p99, "%.2f")
	b.paired(name+": SETs a second", &f.sets, "%.0f")
	b.paired(name+": SET p50, ms", &f.setP50, "%.2f")
	b.paired(name+": SET p99, ms", &f.setP99, "%.2f")
}

func (b *bench) appendOnlyOf(c candidate, cases []aofCase, all []figures, disk, slow *besideFigures) error {
	for _, policy := range fsyncPolicies {
		s, err := b.start(c, b.serverCPU, nil, aofConfig(policy)...)
		if err != nil {
			return err
		}
		err = b.policyOf(c, s, policy, cases, all)
		if err == nil && policy == "always" {
			err = b.besideOf(c, s, disk, slow)
		}
		s.Stop()
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) policyOf(c candidate, s *testutil.Server, policy string, cases []aofCase, all []figures) error {
	if err := load(s, keySpace, 0); err != nil {
		return err
	}
	for i, w := range cases {
		if w.policy != policy {
			continue
		}
		got, err := b.measure(s, w.workload, b.clientCPU)
		if err != nil {
			return err
		}
		all[i].add(c, got)
	}
	return nil
}

// besideOf reads beside writers, on the disk as it is and on a slow one.
func (b *bench) besideOf(c candidate, s *testutil.Server, disk, slow *besideFigures) error {
	if err := b.readBeside(c, s, besideRequests, disk); err != nil {
		return err
	}
	control, err := s.Dial()
	if err != nil {
		return err
	}
	defer control.Close()
	if v, err := control.DoErr("DEBUG", "AOF-FLUSH-SLEEP", strconv.FormatInt(slowFlush.Microseconds(), 10)); err != nil || v.IsError() {
		return fmt.Errorf("DEBUG AOF-FLUSH-SLEEP: %v, %w", v, err)
	}
	requests := besideRequests
	if c == redis {
		requests /= 30 // it makes 50 in 10 ms
	}
	return b.readBeside(c, s, requests, slow)
}

func (b *bench) readBeside(c candidate, s *testutil.Server, requests int, f *besideFigures) error {
	w := &writers{s: s, stop: make(chan struct{})}
	if err := w.start(); err != nil {
		return err
	}
	began := time.Now()
	got, err := b.measure(s, workload{name: "GET", test: "get", pipeline: 1, requests: requests}, b.clientCPU)
	took := time.Since(began).Seconds()
	if e := w.end(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	f.get.add(c, got)
	var p percentiles
	p.add(c, w.times)
	f.sets.add(c, float64(len(w.times))/took)
	f.setP50.add(c, p.p50.of(c))
	f.setP99.add(c, p.p99.of(c))
	return nil
}

// writers write keys that nobody reads, each one after the other.
type writers struct {
	s    *testutil.Server
	stop chan struct{}
	run  sync.WaitGroup

	mu    sync.Mutex
	times []float64 // milliseconds
	err   error
}

func (w *writers) start() error {
	for i := range besideWriters {
		conn, err := w.s.Dial()
		if err != nil {
			return err
		}
		w.run.Go(func() {
			defer conn.Close()
			times, err := w.write(conn, "written:"+strconv.Itoa(i))
			w.mu.Lock()
			defer w.mu.Unlock()
			w.times = append(w.times, times...)
			if err != nil {
				w.err = err
			}
		})
	}
	return nil
}

func (w *writers) write(conn *testutil.Conn, key string) (times []float64, err error) {
	value := strings.Repeat("x", valueBytes)
	for {
		select {
		case <-w.stop:
			return times, nil
		default:
		}
		sent := time.Now()
		raw, err := conn.DoRaw("SET", key, value)
		if err != nil || raw[0] != '+' {
			return times, fmt.Errorf("SET: %q, %w", raw, err)
		}
		times = append(times, milliseconds(time.Since(sent)))
	}
}

func (w *writers) end() error {
	close(w.stop)
	w.run.Wait()
	return w.err
}

// fsyncRate is how many small writes a second the disk of temporary files makes
// durable, one after the other.
func fsyncRate() (float64, error) {
	f, err := os.CreateTemp("", "dozo-fsync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 100)
	n, began := 0, time.Now()
	for ; time.Since(began) < time.Second; n++ {
		if _, err := f.Write(block); err != nil {
			return 0, err
		}
		if err := f.Sync(); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
