package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// load sets n keys of 16 bytes with values of 64 bytes, as redis-benchmark names
// them. With a ttl each gets a deadline that far away.
func load(s *testutil.Server, n int, ttl time.Duration) error {
	value := strings.Repeat("x", valueBytes)
	return pipeline(s, n, func(i int) []string {
		key := fmt.Sprintf("key:%012d", i)
		if ttl > 0 {
			return []string{"SET", key, value, "PX", strconv.FormatInt(ttl.Milliseconds()+int64(i), 10)}
		}
		return []string{"SET", key, value}
	})
}

// pipeline sends n commands in batches and demands that none fails.
func pipeline(s *testutil.Server, n int, command func(i int) []string) error {
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	const batch = 500
	for from := 0; from < n; from += batch {
		to := min(n, from+batch)
		for i := from; i < to; i++ {
			c.Queue(command(i)...)
		}
		if err := c.Flush(); err != nil {
			return err
		}
		for i := from; i < to; i++ {
			raw, err := c.ReadRaw()
			if err != nil {
				return err
			}
			if raw[0] == '-' {
				return fmt.Errorf("%q: %s", command(i), raw)
			}
		}
	}
	return nil
}

// footprint is what a server says and what the system says it holds.
func footprint(s *testutil.Server) (used, rss float64, err error) {
	c, err := s.Dial()
	if err != nil {
		return 0, 0, err
	}
	defer c.Close()
	v, err := c.DoErr("INFO", "memory")
	if err != nil {
		return 0, 0, err
	}
	used, err = strconv.ParseFloat(testutil.InfoField(v.Str, "used_memory"), 64)
	if err != nil {
		return 0, 0, err
	}
	bytes, err := testutil.RSS(s.Pid)
	return used, float64(bytes), err
}

func (b *bench) memory() error {
	var used, rss [2]paired // without and with deadlines
	ttls := []time.Duration{0, 24 * time.Hour}
	for round := range b.rounds {
		for _, c := range order(round) {
			for i, ttl := range ttls {
				u, r, err := b.bytesPerKey(c, ttl)
				if err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
				used[i].add(c, u)
				rss[i].add(c, r)
			}
		}
	}
	b.print("\n## Memory\n\n%d keys of 16 bytes with values of %d bytes; growth for each key.\n", b.keys, valueBytes)
	b.table("bytes a key", "Redis", "Dozo", "ratio")
	for i, name := range []string{"without TTL", "with TTL"} {
		b.print("| %s, used_memory | %.1f | %.1f | **%.2f** |\n", name, used[i].of(redis), used[i].of(dozo), used[i].ratio())
		b.print("| %s, resident | %.1f | %.1f | **%.2f** |\n", name, rss[i].of(redis), rss[i].of(dozo), rss[i].ratio())
		limit := []float64{0.65, 0.58}[i]
		b.target("used_memory a key "+name+", ratio", used[i].ratio(), limit, true)
		b.target("resident bytes a key "+name+", ratio", rss[i].ratio(), limit, true)
	}
	return nil
}

func (b *bench) bytesPerKey(c candidate, ttl time.Duration) (used, rss float64, err error) {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return 0, 0, err
	}
	defer s.Stop()
	u0, r0, err := footprint(s)
	if err != nil {
		return 0, 0, err
	}
	if err := load(s, b.keys, ttl); err != nil {
		return 0, 0, err
	}
	time.Sleep(500 * time.Millisecond) // a rehash in progress ends, buffers go
	u1, r1, err := footprint(s)
	return (u1 - u0) / float64(b.keys), (r1 - r0) / float64(b.keys), err
}
