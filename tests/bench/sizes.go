package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// sizedOperation is a command, or a pair of commands that leave the size as it is,
// whose cost should hardly depend on the size.
type sizedOperation struct {
	kind string
	name string
	make func(i, n int) []string // i is random below n, the number of elements
	undo func(i, n int) []string // after it; nil for none
}

// pageSize is what the ranges return.
const pageSize = 10

var sizedOperations = []sizedOperation{
	{"list", "LINDEX", func(i, _ int) []string { return []string{"LINDEX", "list", strconv.Itoa(i)} }, nil},
	{"list", "LSET", func(i, n int) []string { return []string{"LSET", "list", strconv.Itoa(i), element(n - i)} }, nil},
	{"list", "LRANGE of 10", func(i, _ int) []string {
		return []string{"LRANGE", "list", strconv.Itoa(i), strconv.Itoa(i + pageSize - 1)}
	}, nil},
	{"list", "LPUSH and RPOP", func(i, _ int) []string { return []string{"LPUSH", "list", element(i)} },
		func(_, _ int) []string { return []string{"RPOP", "list"} }},
	{"hash", "HGET", func(i, _ int) []string { return []string{"HGET", "hash", element(i)} }, nil},
	{"hash", "HSET", func(i, n int) []string { return []string{"HSET", "hash", element(i), element(n - i)} }, nil},
	{"hash", "HSET and HDEL", func(i, n int) []string { return []string{"HSET", "hash", element(n + i), "new"} },
		func(i, n int) []string { return []string{"HDEL", "hash", element(n + i)} }},
	{"hash", "HRANDFIELD", func(_, _ int) []string { return []string{"HRANDFIELD", "hash"} }, nil},
	{"set", "SISMEMBER", func(i, _ int) []string { return []string{"SISMEMBER", "set", element(i)} }, nil},
	{"set", "SADD and SREM", func(i, n int) []string { return []string{"SADD", "set", element(n + i)} },
		func(i, n int) []string { return []string{"SREM", "set", element(n + i)} }},
	{"set", "SRANDMEMBER", func(_, _ int) []string { return []string{"SRANDMEMBER", "set"} }, nil},
	{"zset", "ZSCORE", func(i, _ int) []string { return []string{"ZSCORE", "zset", element(i)} }, nil},
	{"zset", "ZADD, new score", func(i, _ int) []string { return []string{"ZADD", "zset", strconv.Itoa(scoreOf(i * 31)), element(i)} }, nil},
	{"zset", "ZADD and ZREM", func(i, n int) []string { return []string{"ZADD", "zset", strconv.Itoa(scoreOf(i)), element(n + i)} },
		func(i, n int) []string { return []string{"ZREM", "zset", element(n + i)} }},
	{"zset", "ZRANK", func(i, _ int) []string { return []string{"ZRANK", "zset", element(i)} }, nil},
	{"zset", "ZRANGE of 10", func(i, _ int) []string {
		return []string{"ZRANGE", "zset", strconv.Itoa(i), strconv.Itoa(i + pageSize - 1)}
	}, nil},
	{"zset", "ZRANGE of 10 by score", func(i, _ int) []string {
		return []string{"ZRANGE", "zset", strconv.Itoa(scoreOf(i)), "+inf", "BYSCORE", "LIMIT", "0", strconv.Itoa(pageSize)}
	}, nil},
	{"zset", "ZCOUNT", func(i, _ int) []string { return []string{"ZCOUNT", "zset", strconv.Itoa(scoreOf(i)), "+inf"} }, nil},
	{"stream", "XADD", func(i, _ int) []string { return []string{"XADD", "stream", "*", "field", element(i)} }, nil},
	{"stream", "XRANGE of 10", func(i, _ int) []string {
		return []string{"XRANGE", "stream", entryID(i), "+", "COUNT", strconv.Itoa(pageSize)}
	}, nil},
	{"stream", "XREAD of 10", func(i, _ int) []string {
		return []string{"XREAD", "COUNT", strconv.Itoa(pageSize), "STREAMS", "stream", entryID(i)}
	}, nil},
}

// sizesMax is the largest value; each size is ten times the one before, but for
// the last.
const sizesMax = 5_000_000

// sizeFactorMax is how much more a command on the largest value may cost than on
// one of a thousand elements: what a deeper tree and misses of the caches explain.
const sizeFactorMax = 10

// sizeTime is how long an operation is repeated at each size.
const sizeTime = 500 * time.Millisecond

func (b *bench) sizeList() (list []int) {
	largest := b.scaled(sizesMax)
	for n := 1000; n < largest; n *= 10 {
		list = append(list, n)
	}
	return append(list, largest)
}

// sizes measures how the cost of a command grows with the value.
func (b *bench) sizes() error {
	list := b.sizeList()
	ops := chosen(b, sizedOperations, func(op sizedOperation) string { return op.name })
	cost := make([][]paired, len(ops)) // by operation and size
	for i := range cost {
		cost[i] = make([]paired, len(list))
	}
	err := b.alone(func() error {
		for round := range b.rounds {
			for _, c := range order(round) {
				for at, n := range list {
					if err := b.costsOf(c, ops, n, func(op int, us float64) { cost[op][at].add(c, us) }); err != nil {
						return fmt.Errorf("%v, %d elements: %w", c, n, err)
					}
				}
			}
		}
		return nil
	})
	b.sizeTable(list, ops, cost)
	return err
}

func (b *bench) sizeTable(list []int, ops []sizedOperation, cost [][]paired) {
	b.print("\n## Cost by size\n\nCPU of the server in us for each command in long pipelines, Redis / Dozo; at random places.\n")
	columns := []string{"command, elements"}
	for _, n := range list {
		columns = append(columns, strconv.Itoa(n))
	}
	b.table(append(columns, "largest over smallest R/D")...)
	for i, op := range ops {
		var cells []string
		for at := range list {
			cells = append(cells, fmt.Sprintf("%.2f / %.2f", cost[i][at].of(redis), cost[i][at].of(dozo)))
		}
		first, last := &cost[i][0], &cost[i][len(list)-1]
		factor := last.of(dozo) / first.of(dozo)
		b.print("| %s | %s | %.1f / **%.1f** |\n", op.name, strings.Join(cells, " | "), last.of(redis)/first.of(redis), factor)
		b.target(fmt.Sprintf("cost of %s with %d elements over 1000", op.name, list[len(list)-1]), factor, sizeFactorMax, true)
	}
}

// costsOf runs all operations on values of n elements, one value at a time.
func (b *bench) costsOf(c candidate, ops []sizedOperation, n int, report func(op int, us float64)) error {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return err
	}
	defer s.Stop()
	for _, k := range largeKinds {
		if !slices.ContainsFunc(ops, func(op sizedOperation) bool { return op.kind == k.name }) {
			continue
		}
		if err := k.fill(s, k.name, n); err != nil {
			return err
		}
	}
	for i, op := range ops {
		us, err := b.costOf(s, op, n)
		if err != nil {
			return fmt.Errorf("%s: %w", op.name, err)
		}
		report(i, us)
	}
	return nil
}

// costOf is the CPU of one command, in us.
func (b *bench) costOf(s *testutil.Server, op sizedOperation, n int) (float64, error) {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	before, err := cpuOf(s)
	if err != nil {
		return 0, err
	}
	done, i := 0, 0
	limit := max(100*time.Millisecond, time.Duration(float64(sizeTime)*b.scale))
	for begin := time.Now(); time.Since(begin) < limit; {
		const batch = 10_000
		err := pipeline(s, batch, func(at int) []string {
			if op.undo != nil && at%2 == 1 {
				return op.undo(i, n)
			}
			i = rng.IntN(n)
			return op.make(i, n)
		})
		if err != nil {
			return 0, err
		}
		done += batch
	}
	after, err := cpuOf(s)
	return float64((after - before).Microseconds()) / float64(done), err
}
