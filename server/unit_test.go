package server

import (
	"math"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
)

func TestGateKeepsApart(t *testing.T) {
	const loops, rounds = 4, 2000
	g := newGate(loops)
	var inside, alone atomic.Int32
	var all sync.WaitGroup
	for i := range loops {
		all.Go(func() {
			r := env.Seeded(uint64(i))
			for range rounds {
				g.enter(i)
				inside.Add(1)
				if alone.Load() != 0 {
					t.Error("inside while another is alone")
				}
				if r.Uint64()%8 == 0 {
					inside.Add(-1)
					g.exclusively(i, func() {
						if alone.Add(1) != 1 || inside.Load() != 0 {
							t.Error("not alone")
						}
						alone.Add(-1)
					})
					inside.Add(1)
				}
				inside.Add(-1)
				g.leave(i)
			}
		})
	}
	all.Wait()
}

// TestGateParks: a loop that stands still waits for the others, also for those
// that want to be alone themselves.
func TestGateParks(t *testing.T) {
	const loops, rounds = 4, 500
	g := newGate(loops)
	var all sync.WaitGroup
	var left atomic.Int32
	left.Store(loops)
	for i := range loops {
		all.Go(func() {
			for range rounds {
				g.enter(i)
				g.exclusively(i, func() {
					until := time.Now().Add(10 * time.Second)
					patient := func() bool { runtime.Gosched(); return left.Load() == loops && time.Now().Before(until) }
					if !g.allParked(i, patient) && left.Load() == loops {
						t.Error("the others never stood still")
					}
				})
				g.leave(i)
			}
			left.Add(-1)
		})
	}
	all.Wait()
}

func TestGateFreezes(t *testing.T) {
	g := newGate(3)
	patience := 3
	patient := func() bool { patience--; return patience > 0 }
	g.enter(1)
	if g.freeze(0, false, patient) {
		t.Error("frozen although a loop is inside")
	}
	g = newGate(3)
	g.enter(0)
	patience = 3
	if !g.freeze(0, false, patient) {
		t.Error("not frozen although only the crashed loop is inside")
	}
	g = newGate(3)
	g.enter(2)
	g.exclusively(2, func() {
		patience = 3
		if !g.freeze(2, true, patient) {
			t.Error("not frozen by the loop that is alone")
		}
	})
}

func TestRate(t *testing.T) {
	var r rate
	now, count := time.Second, int64(1000)
	r.sample(count, now)
	for range rateSlots {
		now += 100 * time.Millisecond
		count += 50
		r.sample(count, now)
	}
	if got := r.perSecond(); got != 500 {
		t.Errorf("50 in 100 ms are %d a second", got)
	}
	r.sample(0, now+time.Second) // counters were reset
	if got := r.perSecond(); got < 0 {
		t.Errorf("a rate of %d", got)
	}
}

func TestHumanBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 1023: "1023B", 1024: "1.00K", 1536: "1.50K", 1 << 20: "1.00M", 5 << 30: "5.00G", 1 << 50: "1.00P", math.MaxInt64: "8.00E",
	} {
		if got := humanBytes(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

func TestThreshold(t *testing.T) {
	for _, c := range []struct {
		n    int64
		want int64
	}{{-1, math.MaxInt64}, {0, 0}, {7, 7000}, {math.MaxInt64, math.MaxInt64}, {math.MaxInt64 / 1000, math.MaxInt64 / 1000 * 1000}} {
		if got := threshold(c.n, time.Microsecond); got != c.want {
			t.Errorf("%d: %d, want %d", c.n, got, c.want)
		}
	}
}

func TestClientLimit(t *testing.T) {
	cfg := config.New(config.Options{FS: env.Real().FS, WorkDir: "/"})
	for _, c := range []struct {
		clients, memory string
		want            int64
	}{
		{"0", "0", 0}, {"1gb", "0", 1 << 30}, {"1", "0", clientLimitMin}, {"5%", "0", 0}, {"5%", "1000mb", 50 << 20}, {"1%", "1mb", clientLimitMin},
	} {
		if err := cfg.Set([]config.Pair{{Name: "maxmemory-clients", Value: c.clients}, {Name: "maxmemory", Value: c.memory}}, config.Caller{}); err != nil {
			t.Fatal(err)
		}
		if got := clientLimit(cfg.Values()); got != c.want {
			t.Errorf("%s of %s: %d, want %d", c.clients, c.memory, got, c.want)
		}
	}
}

func TestRecentPeaks(t *testing.T) {
	var r recentPeaks
	r.note(100*time.Second, bufferSizes{queryMem: 500, outMem: 7})
	r.note(101*time.Second, bufferSizes{queryMem: 30, outMem: 70})
	for at, want := range map[time.Duration][2]int{102 * time.Second: {500, 70}, 108 * time.Second: {30, 70}, 120 * time.Second: {0, 0}} {
		if in, out := r.largest(at); in != want[0] || out != want[1] {
			t.Errorf("at %v: %d %d, want %v", at, in, out, want)
		}
	}
}

func TestLatencySeries(t *testing.T) {
	var m latencyMonitor
	for i := range int64(latencySamples + 40) {
		m.add("e", 1000+i, 10+i%7)
		m.add("e", 1000+i, 3) // the worst of a second counts
	}
	s := m.series("e")
	all := s.samples()
	if len(all) != latencySamples || all[0].at != 1040 || s.latest().at != 1000+latencySamples+39 || s.worst != 16 {
		t.Errorf("%d samples from %d to %d, worst %d", len(all), all[0].at, s.latest().at, s.worst)
	}
	f := s.figures(1000 + latencySamples + 40)
	if f.samples != latencySamples || f.average < 12 || f.average > 14 || f.deviation > 3 || f.period != 1 {
		t.Errorf("%+v", f)
	}
	if m.series("other") != nil || !m.reset("e") || m.reset("e") || len(m.names()) != 0 {
		t.Error("reset")
	}
}

func TestDrawLatency(t *testing.T) {
	var m latencyMonitor
	for i, ms := range []int64{10, 40, 20, 30} {
		m.add("e", int64(1000+i*50), ms)
	}
	got := drawLatency("e", m.series("e"), 1160)
	want := "e - high 40 ms, low 10 ms (all time high 40 ms)\n" + strings.Repeat("-", graphColumns) + "\n" +
		" #\n" +
		" | #\n" +
		" |#|\n" +
		"#|||\n" +
		"\n" +
		"2111\n" +
		"mmm0\n" +
		"   s\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for seconds, label := range map[int64]string{0: "0s", 59: "59s", 60: "1m", 3600: "1h", 86400 * 3: "3d"} {
		if ageLabel(seconds) != label {
			t.Errorf("%d seconds are %s", seconds, ageLabel(seconds))
		}
	}
}

func TestLongestPause(t *testing.T) {
	h := &metrics.Float64Histogram{Counts: []uint64{1, 0, 2, 0}, Buckets: []float64{0, 1e-6, 1e-5, 1e-4, math.Inf(1)}}
	if got := longest(h); got != 100*time.Microsecond {
		t.Errorf("%v", got)
	}
	h.Counts[3] = 1
	if got := longest(h); got != 100*time.Microsecond {
		t.Errorf("beyond the last bound: %v", got)
	}
	if got := longest(&metrics.Float64Histogram{Counts: []uint64{0}, Buckets: []float64{0, 1}}); got != 0 {
		t.Errorf("no pauses: %v", got)
	}
}

func TestDoctorReport(t *testing.T) {
	const gig = 1 << 30
	m := memoryUse{used: gig, peak: gig, resident: gig}
	m.arena.Used, m.arena.Mapped = gig, gig
	if got := doctorReport(&m, 1); !strings.Contains(got, "Nothing is odd") {
		t.Errorf("a healthy server: %s", got)
	}
	m.clients, m.arena.Free, m.resident, m.peak = 10<<20, gig, 4*gig, 2*gig
	got := doctorReport(&m, 10)
	for _, want := range []string{"Peak memory", "High total RSS", "High allocator RSS", "High process RSS", "Big client buffers"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, "High allocator fragmentation") {
		t.Errorf("no fragmentation, but: %s", got)
	}
}

func TestShortage(t *testing.T) {
	var s shortage
	for _, step := range []struct {
		over bool
		at   time.Duration
	}{{false, 1}, {true, 10}, {true, 20}, {false, 50}, {true, 100}} {
		s.note(step.over, step.at*time.Second)
	}
	if s.total != 40*time.Second || s.current(130*time.Second) != 30*time.Second {
		t.Errorf("%v and %v", s.total, s.current(130*time.Second))
	}
}

func TestSafeName(t *testing.T) {
	if got := safeName("A#B:C\nD\rE"); got != "A_B_C_D_E" {
		t.Error(got)
	}
}

func TestParseMemory(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "100b": 100, "1k": 1000, "2kb": 2048, "3mb": 3 << 20, "1gb": 1 << 30} {
		if n, ok := parseMemory(s); !ok || n != want {
			t.Errorf("%s: %d %v", s, n, ok)
		}
	}
	for _, s := range []string{"", "-1", "abc", "1tb", "1bk", "99999999999999999999"} {
		if n, ok := parseMemory(s); ok {
			t.Errorf("%q: %d", s, n)
		}
	}
}

func TestSlowlogTrim(t *testing.T) {
	l := slowlog{}
	for i := range 10 {
		l.entries = append(l.entries, slowEntry{id: int64(i)})
	}
	l.trim(4)
	if len(l.entries) != 4 || l.entries[0].id != 6 {
		t.Errorf("%v", l.entries)
	}
	l.trim(0)
	if len(l.entries) != 0 {
		t.Errorf("%v", l.entries)
	}
}

// TestDriftIsWarnedOf: at its age, again a day later, and when it comes back.
func TestDriftIsWarnedOf(t *testing.T) {
	var d driftWatch
	a, b := config.Difference{Name: "a"}, config.Difference{Name: "b"}
	for i, step := range []struct {
		at, age time.Duration
		list    []config.Difference
		due     string
	}{
		{10 * time.Second, time.Minute, []config.Difference{a}, ""},
		{50 * time.Second, time.Minute, []config.Difference{a, b}, ""},
		{70 * time.Second, time.Minute, []config.Difference{a, b}, "a"},
		{80 * time.Second, time.Minute, []config.Difference{a, b}, ""},
		{120 * time.Second, time.Minute, []config.Difference{a, b}, "b"},
		{24*time.Hour + 69*time.Second, time.Minute, []config.Difference{a, b}, ""},
		{24*time.Hour + 70*time.Second, time.Minute, []config.Difference{a, b}, "a"},
		{25 * time.Hour, 0, []config.Difference{a, b}, ""},
		{25 * time.Hour, time.Minute, []config.Difference{b}, "b"},
		{26 * time.Hour, time.Minute, []config.Difference{a, b}, ""},
		{26*time.Hour + time.Minute, time.Minute, []config.Difference{a, b}, "a"},
	} {
		var due string
		for _, diff := range d.due(step.list, step.age, step.at) {
			due += diff.Name
		}
		if due != step.due {
			t.Errorf("step %d: warned of %q, not %q", i, due, step.due)
		}
	}
}
