package main

import (
	"fmt"
	"strconv"
	"time"

	"dozo/internal/testutil"
)

// footprintCase is a value of which the memory is compared.
type footprintCase struct {
	kind  string
	size  int     // elements of a small value; 0 for one large value
	short bool    // elements of 8 bytes rather than 16
	aim   float64 // asked for: Dozo's bytes over Redis', 0 for none
}

var footprintCases = []footprintCase{
	{"list", 10, true, 0.55}, {"hash", 5, true, 0.80}, {"set", 10, true, 0}, {"zset", 5, true, 0.80}, {"stream", 10, true, 0},
	{"list", 10, false, 0.55}, {"hash", 5, false, 0.80}, {"set", 10, false, 0}, {"intset", 10, false, 0}, {"zset", 5, false, 0.80},
	{"list", 0, false, 1.0}, {"hash", 0, false, 0.65}, {"set", 0, false, 0.50}, {"zset", 0, false, 0.60}, {"stream", 0, false, 0},
}

// smallValues is how many keys share out one of the large value's elements.
const smallValues = 5

func (f footprintCase) name() string {
	if f.size == 0 {
		return "large " + f.kind + ", an element"
	}
	name := f.kind + " of " + strconv.Itoa(f.size)
	if f.short {
		name += " short"
	}
	return name + ", a key"
}

// typeMemory compares the bytes of small and of large values of each type.
func (b *bench) typeMemory() error {
	list := chosen(b, footprintCases, footprintCase.name)
	used, rss := make([]paired, len(list)), make([]paired, len(list))
	for round := range b.rounds {
		for i, f := range list {
			for _, c := range order(round) {
				u, r, err := b.footprintOf(c, f)
				if err != nil {
					return fmt.Errorf("%v, %s: %w", c, f.name(), err)
				}
				used[i].add(c, u)
				rss[i].add(c, r)
			}
		}
	}
	b.print("\n## Memory of the types\n\n%d small values of each type under keys of 16 bytes, or one value of %d elements; elements, fields, members and values of 16 bytes each, short ones of 8. "+
		"Redis 7.0 keeps small sets of strings as tables, 7.2 as listpacks.\n", b.smallCount(), b.largeCount())
	b.table("bytes of", "Redis used", "Dozo used", "ratio", "Redis resident", "Dozo resident", "ratio", "to reach")
	for i, f := range list {
		aim := "-"
		if f.aim > 0 {
			aim = fmt.Sprintf("%.2f", f.aim)
			b.target("used_memory of "+f.name()+", ratio", used[i].ratio(), f.aim, true)
		}
		b.print("| %s | %.1f | %.1f | **%.2f** | %.1f | %.1f | **%.2f** | %s |\n", f.name(), used[i].of(redis), used[i].of(dozo), used[i].ratio(),
			rss[i].of(redis), rss[i].of(dozo), rss[i].ratio(), aim)
	}
	return nil
}

func (b *bench) largeCount() int { return b.scaled(b.keys) }

func (b *bench) smallCount() int { return b.largeCount() / smallValues }

func (b *bench) footprintOf(c candidate, f footprintCase) (used, rss float64, err error) {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return 0, 0, err
	}
	defer s.Stop()
	u0, r0, err := footprint(s)
	if err != nil {
		return 0, 0, err
	}
	n := b.largeCount()
	if f.size > 0 {
		n = b.smallCount()
	}
	if err := f.load(s, n); err != nil {
		return 0, 0, err
	}
	time.Sleep(500 * time.Millisecond) // a rehash in progress ends, buffers go
	u1, r1, err := footprint(s)
	return (u1 - u0) / float64(n), (r1 - r0) / float64(n), err
}

// load makes n small values, each by one element at a time as they would grow in
// life, or a large one of n elements.
func (f footprintCase) load(s *testutil.Server, n int) error {
	k := kindOf(f.kind)
	if f.size == 0 {
		return k.fill(s, "value", n)
	}
	k.each = 1
	if f.short {
		k.element = shortElement
	}
	return pipeline(s, n*f.size, func(i int) []string {
		return k.add(fmt.Sprintf("key:%012d", i/f.size), i%f.size, f.size)
	})
}
