package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// workload is one run of redis-benchmark.
type workload struct {
	name     string
	test     string // of redis-benchmark -t
	pipeline int
	requests int
	ratioMin float64  // asked for: throughput, 0 for none
	cpuMax   float64  // asked for: CPU per operation, 0 for none
	command  []string // instead of test
	numbers  int      // how many random numbers there are; 0 for keySpace
}

var workloads = []workload{
	{name: "PING", test: "ping_mbulk", pipeline: 1, requests: 300_000},
	{name: "SET", test: "set", pipeline: 1, requests: 300_000, cpuMax: 0.88},
	{name: "GET", test: "get", pipeline: 1, requests: 300_000, cpuMax: 0.88},
	{name: "INCR", test: "incr", pipeline: 1, requests: 300_000},
	{name: "MSET of 10", test: "mset", pipeline: 1, requests: 150_000},
	{name: "PING", test: "ping_mbulk", pipeline: 16, requests: 2_000_000},
	{name: "SET", test: "set", pipeline: 16, requests: 2_000_000, ratioMin: 2},
	{name: "GET", test: "get", pipeline: 16, requests: 2_000_000, ratioMin: 2},
	{name: "INCR", test: "incr", pipeline: 16, requests: 2_000_000, ratioMin: 1.5},
	{name: "MSET of 10", test: "mset", pipeline: 16, requests: 300_000},
}

// keySpace is the number of keys that the workloads choose from, all loaded.
const keySpace = 200_000

// valueBytes is the size of the values.
const valueBytes = 64

// sample is what one run of redis-benchmark gave.
type sample struct {
	rate           float64 // commands a second
	p50, p99, p999 float64 // milliseconds
	cpu            float64 // microseconds of the server for each command
	busy           float64 // share of the time that the server was running
	client         float64 // the same of the client
}

type figures struct{ rate, p50, p99, p999, cpu, busy, client paired }

func (f *figures) add(c candidate, s sample) {
	f.rate.add(c, s.rate)
	f.p50.add(c, s.p50)
	f.p99.add(c, s.p99)
	f.p999.add(c, s.p999)
	f.cpu.add(c, s.cpu)
	f.busy.add(c, s.busy)
	f.client.add(c, s.client)
}

// shares are how busy the servers were, and how busy the client was with either.
func (f *figures) shares() string {
	return fmt.Sprintf("%.0f%% / %.0f%% | %.0f%% / %.0f%%", 100*f.busy.of(redis), 100*f.busy.of(dozo),
		100*f.client.of(redis), 100*f.client.of(dozo))
}

func (b *bench) throughput() error {
	all := make([]figures, len(workloads))
	for round := range b.rounds {
		for _, c := range order(round) {
			if err := b.throughputOf(c, all); err != nil {
				return fmt.Errorf("%v: %w", c, err)
			}
		}
	}
	b.print("\n## Throughput, latency and CPU\n\nredis-benchmark with 50 connections, %d keys of 16 bytes, values of %d bytes.\n", keySpace, valueBytes)
	b.table("command, pipeline", "Redis /s", "Dozo /s", "ratio", "p50 ms", "p99 ms", "p99.9 ms", "Redis CPU us", "Dozo CPU us", "ratio", "busy R/D", "client R/D")
	for i, w := range workloads {
		f := &all[i]
		b.print("| %s, %d | %.0f | %.0f | **%.2f** | %.2f / %.2f | %.2f / %.2f | %.2f / %.2f | %.2f | %.2f | **%.2f** | %s |\n",
			w.name, w.pipeline, f.rate.of(redis), f.rate.of(dozo), f.rate.ratio(),
			f.p50.of(redis), f.p50.of(dozo), f.p99.of(redis), f.p99.of(dozo), f.p999.of(redis), f.p999.of(dozo),
			f.cpu.of(redis), f.cpu.of(dozo), f.cpu.ratio(), f.shares())
		if w.ratioMin > 0 {
			b.target(fmt.Sprintf("throughput of %s at pipeline %d, ratio", w.name, w.pipeline), f.rate.ratio(), w.ratioMin, false)
		}
		if w.cpuMax > 0 {
			b.target(fmt.Sprintf("CPU of %s at pipeline %d, ratio", w.name, w.pipeline), f.cpu.ratio(), w.cpuMax, true)
		}
	}
	return nil
}

func (b *bench) throughputOf(c candidate, all []figures) error {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := load(s, keySpace, 0); err != nil {
		return err
	}
	for i, w := range workloads {
		got, err := b.measure(s, w, b.clientCPU)
		if err != nil {
			return err
		}
		all[i].add(c, got)
	}
	return nil
}

// measure runs one workload against a server.
func (b *bench) measure(s *testutil.Server, w workload, clientCPU string) (sample, error) {
	requests := b.scaled(w.requests)
	cmd := exec.Command("taskset", append([]string{"-c", clientCPU, "redis-benchmark", "-p", strconv.Itoa(s.Port),
		"-n", strconv.Itoa(requests)}, w.arguments()...)...)
	testutil.Tie(cmd)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cpu, err := cpuOf(s)
	if err != nil {
		return sample{}, err
	}
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", cmd, err, out.String())
	}
	after, err := cpuOf(s)
	if err != nil {
		return sample{}, err
	}
	got, elapsed, err := parseBenchmark(out.String())
	if err != nil {
		return got, fmt.Errorf("%s: %w", cmd, err)
	}
	used := (after - cpu).Seconds()
	got.cpu = used / float64(requests) * 1e6
	got.busy = used / elapsed
	got.client = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds() / elapsed
	return got, nil
}

// arguments are those of redis-benchmark that the workload decides.
func (w workload) arguments() []string {
	numbers := w.numbers
	if numbers == 0 {
		numbers = keySpace
	}
	args := []string{"-c", "50", "-P", strconv.Itoa(w.pipeline), "-d", strconv.Itoa(valueBytes), "-r", strconv.Itoa(numbers)}
	if w.command != nil {
		return append(args, w.command...)
	}
	return append(args, "-t", w.test)
}

func cpuOf(s *testutil.Server) (time.Duration, error) { return testutil.CPUTime(s.Pid) }

var (
	percentileLine = regexp.MustCompile(`(?m)^([0-9.]+)% <= ([0-9.]+) milliseconds`)
	completedLine  = regexp.MustCompile(`requests completed in ([0-9.]+) seconds`)
	rateLine       = regexp.MustCompile(`throughput summary: ([0-9.]+) requests per second`)
)

// parseBenchmark reads the report of redis-benchmark. Its percentiles come as a
// list: the first line at or above the one asked for counts.
func parseBenchmark(text string) (s sample, elapsed float64, err error) {
	rate, completed := rateLine.FindStringSubmatch(text), completedLine.FindStringSubmatch(text)
	list, _, ok := strings.Cut(text, "Cumulative distribution")
	if rate == nil || completed == nil || !ok {
		return s, 0, fmt.Errorf("not a report of redis-benchmark:\n%s", text)
	}
	s.rate, _ = strconv.ParseFloat(rate[1], 64) // the expressions only match numbers
	elapsed, _ = strconv.ParseFloat(completed[1], 64)
	for _, m := range percentileLine.FindAllStringSubmatch(list, -1) {
		percent, _ := strconv.ParseFloat(m[1], 64)
		ms, _ := strconv.ParseFloat(m[2], 64)
		for _, want := range []struct {
			percent float64
			at      *float64
		}{{50, &s.p50}, {99, &s.p99}, {99.9, &s.p999}} {
			if percent >= want.percent && *want.at == 0 {
				*want.at = ms
			}
		}
	}
	return s, elapsed, nil
}
