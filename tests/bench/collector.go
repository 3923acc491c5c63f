package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// collector measures what Go's garbage collector costs Dozo, from the trace that
// the runtime writes on request: no part of Dozo has to be trusted for it.
func (b *bench) collector() error {
	b.print("\n## Garbage collection\n\nDozo only: %d keys held, SET and GET at pipeline 16 as above.\n", b.keys)
	b.table("run", "cycles", "share of CPU", "longest pause ms", "CPU a cycle ms")
	for _, keys := range []int{0, b.keys} {
		t, share, err := b.collectorWith(keys)
		if err != nil {
			return err
		}
		b.print("| %d keys | %d | %.2f%% | %.3f | %.2f |\n", keys, t.cycles, 100*share, t.pauseMax, t.cpu/float64(max(1, t.cycles)))
		b.target(fmt.Sprintf("GC share of CPU with %d keys, percent", keys), 100*share, 2, true)
		b.target(fmt.Sprintf("longest GC pause with %d keys, ms", keys), t.pauseMax, 1, true)
	}
	return nil
}

func (b *bench) collectorWith(keys int) (t trace, share float64, err error) {
	s, err := b.start(dozo, b.serverCPU, []string{"GODEBUG=gctrace=1"})
	if err != nil {
		return t, 0, err
	}
	defer s.Stop()
	if err := load(s, keys, 0); err != nil {
		return t, 0, err
	}
	skip := len(s.Log())
	begin, err := cpuOf(s)
	if err != nil {
		return t, 0, err
	}
	for _, test := range []string{"set", "get"} {
		w := workload{name: test, test: test, pipeline: 16, requests: 4_000_000}
		if _, err := b.measure(s, w, b.clientCPU); err != nil {
			return t, 0, err
		}
	}
	end, err := cpuOf(s)
	t = parseTrace(s.Log()[skip:])
	return t, t.cpu / (float64(end-begin) / float64(time.Millisecond)), err
}

// trace sums up lines of gctrace. Times are milliseconds.
type trace struct {
	cycles   int
	cpu      float64
	pauseMax float64
}

// gcLine is "gc 5 @1.2s 0%: 0.01+0.5+0.02 ms clock, 0.01+0.1/0.2/0+0.02 ms cpu".
var gcLine = regexp.MustCompile(`(?m)^gc \d+ @[\d.]+s \d+%: ([\d.+]+) ms clock, ([\d.+/]+) ms cpu`)

func parseTrace(log string) (t trace) {
	for _, m := range gcLine.FindAllStringSubmatch(log, -1) {
		t.cycles++
		clock := strings.Split(m[1], "+")
		for _, pause := range []string{clock[0], clock[len(clock)-1]} { // both ends stop the world
			ms, _ := strconv.ParseFloat(pause, 64) // the expression only matches numbers
			t.pauseMax = max(t.pauseMax, ms)
		}
		for _, part := range strings.FieldsFunc(m[2], func(r rune) bool { return r == '+' || r == '/' }) {
			ms, _ := strconv.ParseFloat(part, 64)
			t.cpu += ms
		}
	}
	return t
}
