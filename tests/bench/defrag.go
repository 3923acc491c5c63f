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

const (
	// mixedSmall and mixedLarge are the sizes of the values of the part about
	// defragmentation, evenly spread between.
	mixedSmall, mixedLarge = 16, 400
	// quietWindow is how long GETs are timed while nothing else happens.
	quietWindow = 3 * time.Second
	// defragSettled is for how long defragmentation must not have run to be over: it
	// is decided on once a second.
	defragSettled  = 2500 * time.Millisecond
	defragPatience = 2 * time.Minute
)

// defragFigures are the medians' raw material. Times are milliseconds.
type defragFigures struct {
	filled, thinned, after paired // resident bytes for each that is used
	freed                  paired // MiB resident that it gave back
	quiet, during          paired // p99 of another client's GET
	quietMax, duringMax    paired
	seconds, cpu           paired // how long it took, and of how much processor
}

// defragmentation fills a server with keys of mixed sizes, deletes three of four by
// chance, and turns activedefrag on. Debian's Redis cannot: of it only the ratio is
// told that it is left with.
func (b *bench) defragmentation() error {
	var f defragFigures
	err := b.alone(func() error {
		for round := range b.rounds {
			for _, c := range order(round) {
				if err := b.defragOf(c, &f); err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
			}
		}
		return nil
	})
	b.print("\n## Defragmentation\n\n%d keys with values of %d to %d bytes, of which three of four go by chance; then `activedefrag yes` with its default settings. "+
		"Debian's Redis is built without it.\n", 2*b.keys, mixedSmall, mixedLarge)
	b.table("figure", "Redis", "Dozo")
	b.print("| resident over used, filled | %.2f | %.2f |\n", f.filled.of(redis), f.filled.of(dozo))
	b.print("| three of four deleted | %.2f | %.2f |\n", f.thinned.of(redis), f.thinned.of(dozo))
	b.print("| after defragmentation | - | **%.2f** |\n", f.after.of(dozo))
	b.print("| resident memory given back, MiB | - | %.0f |\n", f.freed.of(dozo))
	b.print("| time that it took, s | - | %.1f |\n", f.seconds.of(dozo))
	b.print("| CPU beyond that of the GETs, s | - | %.2f |\n", f.cpu.of(dozo))
	b.print("| p99 of another client's GET before and after it, ms | - | %.3f |\n", f.quiet.of(dozo))
	b.print("| p99 meanwhile, ms | - | %.3f |\n", f.during.of(dozo))
	b.print("| the longest GET before and after it, ms, best round | - | %.2f |\n", f.quietMax.best(dozo))
	b.print("| the longest meanwhile, ms, best round | - | %.2f |\n", f.duringMax.best(dozo))
	b.target("resident over used after defragmentation", f.after.of(dozo), 1.2, true)
	b.target("p99 of GET during defragmentation, ms over quiet", f.during.of(dozo)-f.quiet.of(dozo), 0.3, true)
	return err
}

func (b *bench) defragOf(c candidate, f *defragFigures) error {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return err
	}
	defer s.Stop()
	keys := 2 * b.keys
	sizes := rand.New(rand.NewPCG(1, 1))
	text := strings.Repeat("x", mixedLarge)
	err = pipeline(s, keys, func(i int) []string {
		return []string{"SET", mixedKey(i), text[:mixedSmall+sizes.IntN(mixedLarge-mixedSmall+1)]}
	})
	if err != nil {
		return err
	}
	if _, err := residentRatio(s, c, &f.filled); err != nil {
		return err
	}
	fate := rand.New(rand.NewPCG(2, 2))
	var left []int
	err = pipeline(s, keys, func(i int) []string {
		if fate.IntN(4) == 0 {
			left = append(left, i)
			return []string{"PING"}
		}
		return []string{"DEL", mixedKey(i)}
	})
	if err != nil {
		return err
	}
	time.Sleep(time.Second) // free memory goes back bit by bit
	before, err := residentRatio(s, c, &f.thinned)
	if err != nil || c != dozo {
		return err
	}
	g := &getter{keys: left, rng: rand.New(rand.NewPCG(3, 3))}
	if g.conn, err = s.Dial(); err != nil {
		return err
	}
	defer g.conn.Close()
	if err := g.defragment(s, f); err != nil {
		return err
	}
	after, err := residentRatio(s, c, &f.after)
	f.freed.add(dozo, (before-after)/(1<<20))
	return err
}

func mixedKey(i int) string { return "mixed:" + strconv.Itoa(i) }

// residentRatio notes how much is resident for each byte used, and returns what is
// resident.
func residentRatio(s *testutil.Server, c candidate, p *paired) (resident float64, err error) {
	used, resident, err := footprint(s)
	p.add(c, resident/used)
	return resident, err
}

// getter is the other client.
type getter struct {
	conn *testutil.Conn
	keys []int
	rng  *rand.Rand
}

// watch reads keys for a while and appends how long each took.
func (g *getter) watch(times []float64, d time.Duration) ([]float64, error) {
	for begin := time.Now(); time.Since(begin) < d; {
		key := mixedKey(g.keys[g.rng.IntN(len(g.keys))])
		sent := time.Now()
		if _, err := g.conn.DoRaw("GET", key); err != nil {
			return nil, err
		}
		times = append(times, milliseconds(time.Since(sent)))
		time.Sleep(20 * time.Microsecond)
	}
	return times, nil
}

// running tells whether defragmentation is under way.
func (g *getter) running() (bool, error) {
	v, err := g.conn.DoErr("INFO", "memory")
	return testutil.InfoField(v.Str, "active_defrag_running") != "0", err
}

// defragment turns it on and reads keys until it is over.
func (g *getter) defragment(s *testutil.Server, f *defragFigures) error {
	idle, err := cpuOf(s)
	if err != nil {
		return err
	}
	quiet, err := g.watch(nil, quietWindow)
	if err != nil {
		return err
	}
	begin, err := cpuOf(s)
	if err != nil {
		return err
	}
	if _, err := g.conn.DoErr("CONFIG", "SET", "activedefrag", "yes"); err != nil {
		return err
	}
	start, ended := time.Now(), time.Time{}
	var during []float64
	for is, was := false, false; ; was = is {
		if is, err = g.running(); err != nil {
			return err
		}
		switch at := time.Now(); {
		case was && !is:
			ended = at
		case !is && !ended.IsZero() && at.Sub(ended) > defragSettled:
			f.seconds.add(dozo, ended.Sub(start).Seconds())
			return f.note(s, quiet, during, at.Sub(start), idle, begin)
		case at.Sub(start) > defragPatience:
			return fmt.Errorf("not over after %v", defragPatience)
		}
		times, err := g.watch(nil, 100*time.Millisecond)
		if err != nil {
			return err
		}
		if is {
			during = append(during, times...)
		} else {
			quiet = append(quiet, times...)
		}
	}
}

// note keeps the figures of one run; idle and begin are what the server had computed
// for before the first quiet GETs and after them, all is the time since then.
func (f *defragFigures) note(s *testutil.Server, quiet, during []float64, all, idle, begin time.Duration) error {
	end, err := cpuOf(s)
	gets := float64(begin-idle) / float64(quietWindow) * float64(all)
	f.cpu.add(dozo, (float64(end-begin)-gets)/float64(time.Second))
	slices.Sort(quiet)
	slices.Sort(during)
	f.quiet.add(dozo, quiet[len(quiet)*99/100])
	f.quietMax.add(dozo, quiet[len(quiet)-1])
	f.during.add(dozo, during[len(during)*99/100])
	f.duringMax.add(dozo, during[len(during)-1])
	return err
}
