package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"dozo/internal/testutil"
)

// expiryRun is what happened around the second in which all keys fell due.
type expiryRun struct {
	gone     float64 // seconds after the last deadline until no key was left
	p99, max float64 // milliseconds, of other commands meanwhile
}

// expiry lets all keys fall due within one second and measures how long the last
// stay, and what a client of other keys notices.
func (b *bench) expiry() error {
	var gone, p99, worst paired
	for round := range b.rounds {
		for _, c := range order(round) {
			r, err := b.expiryOf(c)
			if err != nil {
				return fmt.Errorf("%v: %w", c, err)
			}
			gone.add(c, r.gone)
			p99.add(c, r.p99)
			worst.add(c, r.max)
		}
	}
	b.print("\n## %d keys due within one second\n", b.keys)
	b.table("figure", "Redis", "Dozo")
	b.print("| all gone after the last deadline, s | %.2f | %.2f |\n", gone.of(redis), gone.of(dozo))
	b.print("| p99 of another client's GET meanwhile, ms | %.2f | %.2f |\n", p99.of(redis), p99.of(dozo))
	b.print("| the longest of them, ms | %.2f | %.2f |\n", worst.of(redis), worst.of(dozo))
	b.target("seconds until all due keys are gone", gone.of(dozo), 1, true)
	b.target("p99 of other commands while keys expire, ms", p99.of(dozo), 2, true)
	return nil
}

func (b *bench) expiryOf(c candidate) (expiryRun, error) {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return expiryRun{}, err
	}
	defer s.Stop()
	// Loading takes some seconds; the deadlines are behind it.
	due := time.Now().Add(time.Duration(float64(b.keys)/1e6*float64(12*time.Second)) + 2*time.Second)
	rng := rand.New(rand.NewPCG(1, 1))
	err = pipeline(s, b.keys, func(i int) []string {
		at := due.UnixMilli() + int64(rng.IntN(1000))
		return []string{"SET", fmt.Sprintf("due:%012d", i), "value", "PXAT", strconv.FormatInt(at, 10)}
	})
	if err != nil {
		return expiryRun{}, err
	}
	if late := time.Since(due); late > 0 {
		return expiryRun{}, fmt.Errorf("loading took %v too long for its deadlines", late)
	}
	time.Sleep(time.Until(due) - 100*time.Millisecond)
	return watchExpiry(s, due.Add(time.Second))
}

// expiryPatience bounds the wait for the last key.
const expiryPatience = 60 * time.Second

// watchExpiry probes the server until no key is left.
func watchExpiry(s *testutil.Server, last time.Time) (r expiryRun, err error) {
	c, err := s.Dial()
	if err != nil {
		return r, err
	}
	defer c.Close()
	if _, err = c.DoErr("SET", "other", "value"); err != nil {
		return r, err
	}
	var times []float64
	for n := 0; ; n++ {
		begin := time.Now()
		if _, err := c.DoRaw("GET", "other"); err != nil {
			return r, err
		}
		times = append(times, float64(time.Since(begin).Microseconds())/1000)
		if n%10 == 0 {
			v, err := c.DoErr("DBSIZE")
			if err != nil {
				return r, err
			}
			if v.Int() <= 1 {
				break
			}
		}
		if time.Since(last) > expiryPatience {
			return r, fmt.Errorf("keys are left %v after the last deadline", expiryPatience)
		}
		time.Sleep(500 * time.Microsecond)
	}
	r.gone = max(0, time.Since(last).Seconds())
	slices.Sort(times)
	r.p99, r.max = times[len(times)*99/100], times[len(times)-1]
	return r, nil
}
