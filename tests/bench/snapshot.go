package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

const (
	// saveSettle is how long a server rests after it was filled.
	saveSettle = time.Second
	// savePoll is how often a save is looked at.
	savePoll = 5 * time.Millisecond
	// savePatience bounds a save.
	savePatience = 10 * time.Minute
	// overwriteRequests is how many SETs one run of redis-benchmark sends.
	overwriteRequests = 1_000_000
)

// snapshotFigures are the medians' raw material. Times are milliseconds unless they say
// otherwise.
type snapshotFigures struct {
	resident paired // MiB before all saves
	idle     saveFigures
	get, set latencyFigures
	probed   saveFigures // while the probes ran
	rate     paired      // SETs a second without a save
	rateSave paired      // and during one
	rewrite  saveFigures // during those
}

// saveFigures are of one save.
type saveFigures struct {
	seconds, cpu paired
	size         paired // MiB of the file
	speed, keys  paired // MiB and keys a second
	resident     paired // MiB more at the worst moment than before
	used         paired // the same of used_memory
}

// latencyFigures are a command's times without a save and during one.
type latencyFigures struct{ quiet, during percentiles }

type percentiles struct{ p50, p99, p999, max paired }

func (p *percentiles) add(c candidate, times []float64) {
	slices.Sort(times)
	at := func(share float64) float64 { return times[min(int(share*float64(len(times))), len(times)-1)] }
	p.p50.add(c, at(0.5))
	p.p99.add(c, at(0.99))
	p.p999.add(c, at(0.999))
	p.max.add(c, at(1))
}

// snapshot saves mixed data in the background, of an idle server, of one that a client
// looks at while another writes to a giant sorted set, and of one whose keys are all
// overwritten as fast as it goes. The file goes where temporary files go.
func (b *bench) snapshot() error {
	var f snapshotFigures
	err := b.alone(func() error {
		for round := range b.rounds {
			for _, c := range order(round) {
				if err := b.snapshotOf(c, &f); err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
			}
		}
		return nil
	})
	b.print("\n## Saving in the background\n\n%d keys (strings of %d to %d bytes, small values of the other types) and a sorted set of %d members. Redis' child and Dozo's writer share the core with the commands, "+
		"but for the idle server, which has all. Memory is what is resident beyond before, for Redis with what its child says it had copied.\n",
		b.scaled(snapshotKeys), smallString, largeString, b.scaled(giantSize))
	b.table("figure", "Redis", "Dozo", "ratio")
	f.report(b)
	return err
}

func (f *snapshotFigures) report(b *bench) {
	b.paired("resident before, MiB", &f.resident, "%.0f")
	f.idle.report(b, "idle server")
	f.probed.report(b, "probed server")
	f.get.report(b, "GET")
	f.set.report(b, "SET")
	b.paired("SETs a second at pipeline 16, quiet", &f.rate, "%.0f")
	b.paired("SETs a second at pipeline 16 during a save", &f.rateSave, "%.0f")
	f.rewrite.report(b, "all overwritten")
	b.target("speed of saving an idle server, ratio", f.idle.speed.ratio(), 1, false)
	b.target("p99.9 of GET during a save over quiet", f.get.factor(), 2, true)
	b.target("p99.9 of SET during a save over quiet", f.set.factor(), 2, true)
	b.target("extra memory of a save, share of the data", f.probed.resident.of(dozo)/f.resident.of(dozo), 0.1, true)
}

// paired prints a row.
func (b *bench) paired(name string, p *paired, form string) {
	b.print("| %s | "+form+" | "+form+" | **%.2f** |\n", name, p.of(redis), p.of(dozo), p.ratio())
}

func (f *saveFigures) report(b *bench, name string) {
	b.paired(name+": seconds", &f.seconds, "%.2f")
	b.paired(name+": CPU seconds", &f.cpu, "%.2f")
	b.paired(name+": file, MiB", &f.size, "%.1f")
	b.paired(name+": MiB of file a second", &f.speed, "%.1f")
	b.paired(name+": keys a second", &f.keys, "%.0f")
	b.paired(name+": extra resident memory, MiB", &f.resident, "%.1f")
	b.paired(name+": extra used_memory, MiB", &f.used, "%.1f")
}

func (f *latencyFigures) report(b *bench, command string) {
	for i, p := range []*percentiles{&f.quiet, &f.during} {
		when := []string{" quiet", " during a save"}[i]
		b.paired(command+when+": p50, ms", &p.p50, "%.3f")
		b.paired(command+when+": p99, ms", &p.p99, "%.3f")
		b.paired(command+when+": p99.9, ms", &p.p999, "%.3f")
		b.paired(command+when+": longest, ms", &p.max, "%.2f")
	}
}

// factor is how much longer the slow ones take during a save.
func (f *latencyFigures) factor() float64 {
	return f.during.p999.of(dozo) / max(f.quiet.p999.of(dozo), 1e-3)
}

func (b *bench) snapshotOf(c candidate, f *snapshotFigures) error {
	s, err := b.start(c, b.serverCPU, nil, "--save", "")
	if err != nil {
		return err
	}
	defer s.Stop()
	d := b.mixedData()
	if err := d.fill(s, b.scaled(giantSize)); err != nil {
		return err
	}
	sv, err := newSaver(c, s, d.keys+1)
	if err != nil {
		return err
	}
	defer sv.control.Close()
	time.Sleep(saveSettle)
	f.resident.add(c, sv.before.resident/(1<<20))
	if err := b.saveIdle(sv, &f.idle); err != nil {
		return err
	}
	if err := b.saveProbed(sv, d, f); err != nil {
		return err
	}
	return b.saveRewritten(sv, d, f)
}

// saver has a server save.
type saver struct {
	c       candidate
	s       *testutil.Server
	control *testutil.Conn
	keys    int
	before  memoryNow
	most    memoryNow
	began   time.Time
	cpu     time.Duration
	copied  string // the field of INFO with what Redis' child had copied
}

// memoryNow is how many bytes a server holds.
type memoryNow struct{ used, resident float64 }

func newSaver(c candidate, s *testutil.Server, keys int) (*saver, error) {
	sv := &saver{c: c, s: s, keys: keys}
	var err error
	if sv.control, err = s.Dial(); err != nil {
		return nil, err
	}
	sv.before.used, sv.before.resident, err = footprint(s)
	return sv, err
}

// begin begins a save: BGSAVE or BGREWRITEAOF.
func (sv *saver) begin(command string) (err error) {
	if sv.before.used, sv.before.resident, err = footprint(sv.s); err != nil {
		return err
	}
	sv.most, sv.copied = sv.before, "rdb_last_cow_size"
	if command == "BGREWRITEAOF" {
		sv.copied = "aof_last_cow_size"
	}
	if sv.cpu, err = allCPU(sv.s); err != nil {
		return err
	}
	sv.began = time.Now()
	if v, err := sv.control.DoErr(command); err != nil || v.IsError() {
		return fmt.Errorf("%s: %v, %w", command, v, err)
	}
	return nil
}

// running tells whether the save goes on, and notes how much memory there is.
func (sv *saver) running() (bool, error) {
	v, err := sv.control.DoErr("INFO", "memory", "persistence")
	if err != nil {
		return false, err
	}
	field := func(name string) float64 {
		n, _ := strconv.ParseFloat(testutil.InfoField(v.Str, name), 64) // what only one of them has is 0
		return n
	}
	resident, err := testutil.RSS(sv.s.Pid)
	if err != nil {
		return false, err
	}
	sv.most.used = max(sv.most.used, field("used_memory"))
	sv.most.resident = max(sv.most.resident, float64(resident))
	if field("rdb_bgsave_in_progress")+field("aof_rewrite_in_progress")+field("aof_rewrite_scheduled") != 0 {
		return true, nil
	}
	for _, name := range []string{"rdb_last_bgsave_status", "aof_last_bgrewrite_status"} {
		if status := testutil.InfoField(v.Str, name); status != "ok" {
			return false, fmt.Errorf("%s: %s\n%s", name, status, sv.s.Log())
		}
	}
	if sv.c == redis {
		sv.most.resident += field(sv.copied)
	}
	return false, nil
}

// await waits for the end of the save.
func (sv *saver) await() error {
	for {
		if on, err := sv.running(); err != nil || !on {
			return err
		}
		if time.Since(sv.began) > savePatience {
			return fmt.Errorf("the save is not over after %v", savePatience)
		}
		time.Sleep(savePoll)
	}
}

// note keeps the figures of the save, which has ended; other is processor time that
// would have been used without it.
func (sv *saver) note(f *saveFigures, other time.Duration) error {
	took := time.Since(sv.began).Seconds()
	cpu, err := allCPU(sv.s)
	if err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(sv.s.Dir, "dump.rdb"))
	if err != nil {
		return err
	}
	size := float64(info.Size()) / (1 << 20)
	f.seconds.add(sv.c, took)
	f.cpu.add(sv.c, (cpu - sv.cpu - other).Seconds())
	f.size.add(sv.c, size)
	f.speed.add(sv.c, size/took)
	f.keys.add(sv.c, float64(sv.keys)/took)
	f.resident.add(sv.c, (sv.most.resident-sv.before.resident)/(1<<20))
	f.used.add(sv.c, (sv.most.used-sv.before.used)/(1<<20))
	return nil
}

// allCPU is the processor time of a server and of its children that have ended.
func allCPU(s *testutil.Server) (time.Duration, error) {
	own, err := cpuOf(s)
	if err != nil {
		return 0, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.Pid))
	if err != nil {
		return 0, err
	}
	const childUser, childSystem, tick = 13, 14, 10 * time.Millisecond
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) <= childSystem {
		return 0, fmt.Errorf("/proc/%d/stat: %q", s.Pid, b)
	}
	user, _ := strconv.Atoi(fields[childUser]) // the kernel writes numbers
	system, _ := strconv.Atoi(fields[childSystem])
	return own + time.Duration(user+system)*tick, nil
}

// saveIdle saves a server that has nothing else to do and all cores.
func (b *bench) saveIdle(sv *saver, f *saveFigures) error {
	if err := pin(sv.s.Pid, b.serverCPU+","+b.clientCPU); err != nil {
		return err
	}
	if err := sv.begin("BGSAVE"); err != nil {
		return err
	}
	if err := sv.await(); err != nil {
		return err
	}
	if err := sv.note(f, 0); err != nil {
		return err
	}
	return pin(sv.s.Pid, b.serverCPU)
}

// probes are a client that reads and overwrites strings and one that writes to the
// giant.
type probes struct {
	strings, giant *testutil.Conn
	d              *mixedData
	members        int
	rng            *rand.Rand
	get, set       []float64
}

func (b *bench) newProbes(s *testutil.Server, d *mixedData) (p *probes, err error) {
	p = &probes{d: d, members: b.scaled(giantSize), rng: rand.New(rand.NewPCG(2, 2))}
	if p.strings, err = s.Dial(); err != nil {
		return nil, err
	}
	if p.giant, err = s.Dial(); err != nil {
		p.strings.Close()
	}
	return p, err
}

func (p *probes) close() {
	p.strings.Close()
	p.giant.Close()
}

// run asks until the time is over.
func (p *probes) run(over func() bool) error {
	p.get, p.set = p.get[:0], p.set[:0]
	written := make(chan error, 1)
	done := make(chan struct{})
	go func() { written <- p.write(done) }()
	err := p.ask(over)
	close(done)
	if e := <-written; err == nil {
		err = e
	}
	return err
}

// probePause is what a client waits between two commands.
const probePause = 50 * time.Microsecond

func (p *probes) ask(over func() bool) error {
	for n := 0; !over(); n++ {
		key := stringKey(p.rng.IntN(p.d.strings()))
		call, list := []string{"GET", key}, &p.get
		if n%2 == 1 {
			call, list = []string{"SET", key, p.d.value(smallString, largeString)}, &p.set
		}
		sent := time.Now()
		if _, err := p.strings.DoRaw(call...); err != nil {
			return err
		}
		*list = append(*list, milliseconds(time.Since(sent)))
		time.Sleep(probePause)
	}
	return nil
}

// write changes scores of the giant's members.
func (p *probes) write(done chan struct{}) error {
	rng := rand.New(rand.NewPCG(3, 3))
	for {
		select {
		case <-done:
			return nil
		default:
		}
		if _, err := p.giant.DoRaw("ZADD", giant, strconv.Itoa(rng.IntN(1<<31)), element(rng.IntN(p.members))); err != nil {
			return err
		}
		time.Sleep(probePause)
	}
}

// probeQuiet is how long the probes run without a save.
const probeQuiet = 4 * time.Second

// saveProbed saves while the probes run.
func (b *bench) saveProbed(sv *saver, d *mixedData, f *snapshotFigures) error {
	p, err := b.newProbes(sv.s, d)
	if err != nil {
		return err
	}
	defer p.close()
	cpu, err := cpuOf(sv.s)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := p.run(func() bool { return time.Since(begin) > probeQuiet }); err != nil {
		return err
	}
	after, err := cpuOf(sv.s)
	if err != nil {
		return err
	}
	f.get.quiet.add(sv.c, p.get)
	f.set.quiet.add(sv.c, p.set)
	if err := sv.begin("BGSAVE"); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- sv.await() }()
	err = p.run(func() bool { return len(ended) > 0 })
	if e := <-ended; err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	f.get.during.add(sv.c, p.get)
	f.set.during.add(sv.c, p.set)
	return sv.note(&f.probed, time.Duration(float64(after-cpu)*float64(time.Since(sv.began))/float64(probeQuiet)))
}

// saveRewritten saves while all strings are overwritten, over and over.
func (b *bench) saveRewritten(sv *saver, d *mixedData, f *snapshotFigures) error {
	w := workload{
		name: "SET", pipeline: 16, requests: overwriteRequests, numbers: d.strings(),
		command: []string{"SET", "key:" + randomNumber, d.value(largeString/2, largeString/2)},
	}
	quiet, err := b.measure(sv.s, w, b.clientCPU)
	if err != nil {
		return err
	}
	f.rate.add(sv.c, quiet.rate)
	if err := sv.begin("BGSAVE"); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- sv.await() }()
	var rates []float64
	var other time.Duration
	for len(ended) == 0 || len(rates) == 0 {
		got, err := b.measure(sv.s, w, b.clientCPU)
		if err != nil {
			return err
		}
		rates = append(rates, got.rate)
		other += time.Duration(quiet.cpu * float64(b.scaled(w.requests)) * float64(time.Microsecond))
	}
	if err := <-ended; err != nil {
		return err
	}
	f.rateSave.add(sv.c, median(rates))
	return sv.note(&f.rewrite, other)
}
