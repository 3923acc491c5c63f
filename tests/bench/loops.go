package main

import (
	"fmt"
	"os/exec"
	"strconv"

	"dozo/internal/testutil"
)

// loops compares CPU per operation of Dozo with one and with two event loops.
// Both servers and the client may use both cores here.
func (b *bench) loops() error {
	cpus := b.serverCPU + "," + b.clientCPU
	list := []workload{
		{name: "SET", test: "set", pipeline: 1, requests: 300_000}, {name: "GET", test: "get", pipeline: 1, requests: 300_000},
		{name: "SET", test: "set", pipeline: 16, requests: 2_000_000}, {name: "GET", test: "get", pipeline: 16, requests: 2_000_000},
	}
	cost := make([]paired, len(list)) // "redis" is one loop, "dozo" two
	for range b.rounds {
		for n := range 2 {
			s, err := b.start(dozo, cpus, nil, "--io-threads", strconv.Itoa(n+1))
			if err != nil {
				return err
			}
			for i, w := range list {
				got, err := b.measure(s, w, cpus)
				if err != nil {
					s.Stop()
					return err
				}
				cost[i].add(candidate(n), got.cpu)
			}
			s.Stop()
		}
	}
	b.print("\n## Two event loops\n\nDozo on both cores together with the client; CPU for each operation.\n")
	b.table("command, pipeline", "1 loop us", "2 loops us", "ratio")
	for i, w := range list {
		b.print("| %s, %d | %.2f | %.2f | **%.2f** |\n", w.name, w.pipeline, cost[i].of(0), cost[i].of(1), cost[i].ratio())
		b.target(fmt.Sprintf("CPU of %s at pipeline %d, 2 loops over 1", w.name, w.pipeline), cost[i].ratio(), 1.1, true)
	}
	return nil
}

// microPackages have Go benchmarks that say how they scale with threads.
var microPackages = []string{"./resp", "./keyspace"}

// micro runs the Go benchmarks of the hot packages with one and two threads.
func (b *bench) micro() error {
	args := append([]string{"test", "-run", "^$", "-bench", ".", "-benchtime", "0.5s", "-cpu", "1,2"}, microPackages...)
	cmd := exec.Command("go", args...)
	cmd.Dir = testutil.Root()
	testutil.Tie(cmd)
	out, err := cmd.CombinedOutput()
	b.print("\n## In process\n\n```\n%s```\n", out)
	return err
}
