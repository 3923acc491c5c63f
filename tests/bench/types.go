package main

import (
	"fmt"
	"strings"

	"dozo/internal/testutil"
)

// typeWorkload is a command on values of a type, at pipeline 16.
type typeWorkload struct {
	name     string
	command  string // for redis-benchmark
	requests int
	// The value that is there before, if any: `fill` of this size under the name
	// of its kind. A size of 0 is as many elements as there are requests.
	fill string
	size int
}

const (
	rangeRequests = 100_000
	typeRequests  = 1_000_000
	bigValue      = 100_000
)

var typeWorkloads = []typeWorkload{
	{"LPUSH", "LPUSH list elem" + randomNumber, typeRequests, "", 0},
	{"RPOP", "RPOP list", typeRequests, "list", 0},
	{"LRANGE of 100", "LRANGE list 0 99", rangeRequests, "list", bigValue},
	{"LRANGE of 600", "LRANGE list 0 599", rangeRequests / 4, "list", bigValue},
	{"SADD", "SADD set elem" + randomNumber, typeRequests, "", 0},
	{"SPOP", "SPOP set", typeRequests, "set", 0},
	{"HSET", "HSET hash elem" + randomNumber + " elem" + randomNumber, typeRequests, "", 0},
	{"HGETALL of 100", "HGETALL hash", rangeRequests, "hash", 100},
	{"ZADD", "ZADD zset " + randomNumber + " elem" + randomNumber, typeRequests, "", 0},
	{"ZPOPMIN", "ZPOPMIN zset", typeRequests, "zset", 0},
	{"ZRANGE of 100", "ZRANGE zset 0 99", rangeRequests, "zset", bigValue},
	{"ZRANK", "ZRANK zset elem" + randomNumber, typeRequests, "zset", 0},
	{"XADD", "XADD stream * field elem" + randomNumber, typeRequests, "", 0},
	{"XREAD of 10", "XREAD COUNT 10 STREAMS stream " + randomNumber, typeRequests / 4, "stream", 0},
	{"LPUSH, many lists", "LPUSH list:" + randomNumber + " elem" + randomNumber, typeRequests, "", 0},
	{"SADD, many sets", "SADD set:" + randomNumber + " elem" + randomNumber, typeRequests, "", 0},
	{"HSET, many hashes", "HSET hash:" + randomNumber + " field elem" + randomNumber, typeRequests, "", 0},
	{"ZADD, many zsets", "ZADD zset:" + randomNumber + " 1 elem" + randomNumber, typeRequests, "", 0},
}

// typeRatio is the throughput asked for, as a ratio; where the client is the limit,
// the CPU of the server shows whether it is reached.
const typeRatio = 1.5

// manyValues is the number of keys of the workloads with many values: each gets a
// few elements.
const manyValues = 200_000

// types measures the commands of the data types, each on a server of its own.
func (b *bench) types() error {
	list := chosen(b, typeWorkloads, func(w typeWorkload) string { return w.name })
	all := make([]figures, len(list))
	for round := range b.rounds {
		for i, w := range list {
			for _, c := range order(round) {
				got, err := b.typeOf(c, w)
				if err != nil {
					return fmt.Errorf("%v, %s: %w", c, w.name, err)
				}
				all[i].add(c, got)
			}
		}
	}
	b.print("\n## Commands of the types\n\nredis-benchmark with 50 connections, pipeline 16, elements of 16 bytes; one large value unless the name says otherwise.\n")
	b.table("command", "Redis /s", "Dozo /s", "ratio", "Redis CPU us", "Dozo CPU us", "ratio", "busy R/D", "client R/D")
	for i, w := range list {
		f := &all[i]
		b.print("| %s | %.0f | %.0f | **%.2f** | %.2f | %.2f | **%.2f** | %s |\n", w.name,
			f.rate.of(redis), f.rate.of(dozo), f.rate.ratio(), f.cpu.of(redis), f.cpu.of(dozo), f.cpu.ratio(), f.shares())
		b.target("throughput of "+w.name+", ratio", f.rate.ratio(), typeRatio, false)
		b.target("CPU of "+w.name+", ratio", f.cpu.ratio(), 1/typeRatio, true)
	}
	return nil
}

func (b *bench) typeOf(c candidate, w typeWorkload) (sample, error) {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return sample{}, err
	}
	defer s.Stop()
	requests := b.scaled(w.requests)
	if err := b.prepare(s, w, requests); err != nil {
		return sample{}, err
	}
	numbers := requests
	if strings.Contains(w.name, "many") {
		numbers = min(requests, manyValues)
	}
	return b.measure(s, workload{name: w.name, command: strings.Fields(w.command), pipeline: 16, requests: w.requests, numbers: numbers}, b.clientCPU)
}

func (b *bench) prepare(s *testutil.Server, w typeWorkload, requests int) error {
	if w.fill == "" {
		return nil
	}
	size := w.size
	if size == 0 {
		size = requests
	}
	return kindOf(w.fill).fill(s, w.fill, size)
}
