package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dozo/internal/testutil"
)

const (
	// stormReplicas are dropped at once.
	stormReplicas = 3
	// stormClients write and read meanwhile, each again stormThink after its last reply: some
	// half of what one core serves, so that those who share the client's core have the rest.
	stormClients = 50
	stormThink   = 2 * time.Millisecond
	// stormQuiet is how long the clients run before the storm.
	stormQuiet = 8 * time.Second
	// stormPatience bounds the time until all are in sync.
	stormPatience = 10 * time.Minute
	stormPoll     = 20 * time.Millisecond
)

// syncFigures are of one full resync of an idle server.
type syncFigures struct {
	seconds, body      paired // of the transfer and the load; MiB of RDB
	primary, replica   paired // CPU seconds for each GiB of RDB
	copied             paired // seconds that the same bytes take over the loopback, from memory to memory
	resident, loadPeak paired // MiB of the primary before; of the replica at the worst moment, as a share of what it has after
}

// stormFigures are of replicas that all need a full resync at once.
type stormFigures struct {
	rate, rateStorm  paired // commands a second
	quiet, during    percentiles
	seconds          paired // until all are in sync
	cpu              paired // CPU seconds of the primary beyond those for the clients
	extra            paired // MiB resident at the worst moment beyond before
	fulls, snapshots paired
	backlog, cutOff  paired // MiB that the log had grown by; replicas that were cut off meanwhile
	replicas         paired // CPU seconds of all replicas
	unserved         paired // seconds in which one replica gave no data
}

// storm has replicas need all of the data: one of an idle server, then all at once under
// load. Then it writes as fast as it goes to a server with one replica.
func (b *bench) storm() error {
	var one syncFigures
	var all stormFigures
	var flood floodFigures
	err := b.alone(func() error {
		for round := range b.rounds {
			for _, c := range order(round) {
				if err := b.stormOf(c, &one, &all); err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
			}
		}
		return nil
	})
	if err == nil {
		err = b.flooding(&flood)
	}
	b.print("\n## Full resyncs\n\nThe mixed data of the saves (%d keys); the primary has one core, replicas the client's. One replica of an idle server, with nothing to flush, diskless on both sides "+
		"(repl-diskless-load on-empty-db for Redis); CPU for each GiB of RDB. The copy is the same number of bytes through a loopback connection by this program, on the client's core.\n", b.scaled(snapshotKeys))
	b.table("figure", "Redis", "Dozo", "ratio")
	one.report(b)
	b.print("\n%d replicas at once, whose histories are made useless (DEBUG CHANGE-REPL-ID) and whose connections are cut, while %d clients read and write strings, each again %v after a reply. "+
		"Memory is the primary's at the worst moment beyond before, for Redis with what its child had copied. Replicas have a low priority, so that clients are not kept from measuring.\n", stormReplicas, stormClients, stormThink)
	b.table("figure", "Redis", "Dozo", "ratio")
	all.report(b)
	flood.report(b)
	return err
}

func (f *syncFigures) report(b *bench) {
	b.paired("one replica: seconds", &f.seconds, "%.2f")
	b.paired("a copy of the same bytes: seconds", &f.copied, "%.2f")
	b.paired("MiB of RDB", &f.body, "%.0f")
	b.paired("CPU of the primary for each GiB, s", &f.primary, "%.2f")
	b.paired("CPU of the replica for each GiB, s", &f.replica, "%.2f")
	b.paired("resident memory of the primary, MiB", &f.resident, "%.0f")
	b.paired("most memory of the replica while it loads, over after", &f.loadPeak, "%.2f")
	b.target("time of a full resync, ratio", f.seconds.ratio(), 1, true)
}

func (f *stormFigures) report(b *bench) {
	b.paired("commands a second before", &f.rate, "%.0f")
	b.paired("commands a second during", &f.rateStorm, "%.0f")
	for i, p := range []*percentiles{&f.quiet, &f.during} {
		when := []string{"before", "during"}[i]
		b.paired("p50 "+when+", ms", &p.p50, "%.2f")
		b.paired("p99 "+when+", ms", &p.p99, "%.2f")
		b.paired("p99.9 "+when+", ms", &p.p999, "%.2f")
		b.paired("longest "+when+", ms", &p.max, "%.1f")
	}
	b.paired("seconds until all are in sync", &f.seconds, "%.1f")
	b.paired("CPU seconds of the primary for it", &f.cpu, "%.2f")
	b.paired("CPU seconds of the replicas", &f.replicas, "%.2f")
	b.paired("extra memory of the primary, MiB", &f.extra, "%.1f")
	b.paired("of it the log, MiB", &f.backlog, "%.1f")
	b.paired("full resyncs", &f.fulls, "%.0f")
	b.paired("snapshots", &f.snapshots, "%.0f")
	b.paired("replicas cut off meanwhile", &f.cutOff, "%.0f")
	b.paired("seconds in which one replica gave no data", &f.unserved, "%.2f")
	b.target("throughput while 3 replicas resync, of that before", f.rateStorm.of(dozo)/f.rate.of(dozo), 0.8, false)
	b.target("extra memory while 3 replicas resync beyond the log, MiB", f.extra.of(dozo)-f.backlog.of(dozo), 64, true)
	b.target("snapshots for 3 replicas", f.snapshots.of(dozo), 1, true)
	b.target("full resyncs of 3 replicas", f.fulls.of(dozo), stormReplicas, true)
}

// fleet is a primary and its replicas.
type fleet struct {
	b        *bench
	c        candidate
	primary  *testutil.Server
	control  *testutil.Conn
	replicas []*testutil.Server
}

func (b *bench) newFleet(c candidate, config ...string) (*fleet, error) {
	s, err := b.start(c, b.serverCPU, nil, config...)
	if err != nil {
		return nil, err
	}
	f := &fleet{b: b, c: c, primary: s}
	if f.control, err = s.Dial(); err != nil {
		f.stop()
		return nil, err
	}
	f.control.SetTimeout(time.Minute)
	return f, nil
}

func (f *fleet) stop() {
	if f.control != nil {
		f.control.Close()
	}
	for _, s := range append(f.replicas, f.primary) {
		s.Stop()
	}
}

// add starts replicas on the client's core, which give way to the client if polite, and
// waits until they are in step.
func (f *fleet) add(n int, polite bool) error {
	var config []string
	if f.c == redis {
		config = []string{"--repl-diskless-load", "on-empty-db"}
	}
	for range n {
		s, err := f.b.start(f.c, f.b.clientCPU, nil, config...)
		if err != nil {
			return err
		}
		f.replicas = append(f.replicas, s)
		if polite {
			if err := renice(s.Pid); err != nil {
				return err
			}
		}
		if err := tell(s, "REPLICAOF", "127.0.0.1", strconv.Itoa(f.primary.Port)); err != nil {
			return err
		}
	}
	return f.awaitAll()
}

// tell sends a server one command, which must succeed.
func tell(s *testutil.Server, words ...string) error {
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	return must(c, words...)
}

func must(c *testutil.Conn, words ...string) error {
	v, err := c.DoErr(words...)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", words, err)
	}
	return nil
}

// info is the text of INFO of the primary.
func (f *fleet) info() (string, error) {
	v, err := f.control.DoErr("INFO", "everything")
	return v.Str, err
}

func number(info, field string) float64 {
	n, _ := strconv.ParseFloat(testutil.InfoField(info, field), 64) // what only one of them has is 0
	return n
}

// acked is what the i-th replica has acknowledged, if it is online.
func acked(info string, i int) (offset float64, online bool) {
	line := testutil.InfoField(info, "slave"+strconv.Itoa(i))
	_, rest, _ := strings.Cut(line, ",offset=")
	at, _, _ := strings.Cut(rest, ",")
	offset, err := strconv.ParseFloat(at, 64)
	return offset, err == nil && strings.Contains(line, "state=online")
}

// inStep tells whether all replicas have acknowledged what was written up to an offset.
func (f *fleet) inStep(info string, offset float64) bool {
	for i := range f.replicas {
		if at, online := acked(info, i); !online || at < offset {
			return false
		}
	}
	return true
}

// awaitAll waits until all replicas have what there is now.
func (f *fleet) awaitAll() error {
	offset := 0.0
	for deadline := time.Now().Add(stormPatience); time.Now().Before(deadline); time.Sleep(stormPoll) {
		info, err := f.info()
		if err != nil {
			return err
		}
		if offset == 0 {
			offset = number(info, "master_repl_offset")
		}
		if f.inStep(info, offset) {
			return nil
		}
	}
	info, _ := f.info() // for the message
	return fmt.Errorf("the replicas are not in step after %v:\n%s\n%s", stormPatience, info, f.primary.Log())
}

func (b *bench) stormOf(c candidate, one *syncFigures, all *stormFigures) error {
	f, err := b.newFleet(c, "--repl-diskless-sync-delay", "0")
	if err != nil {
		return err
	}
	defer f.stop()
	d := b.mixedData()
	if err := d.fill(f.primary, b.scaled(giantSize)); err != nil {
		return err
	}
	time.Sleep(saveSettle)
	if err := f.single(one); err != nil {
		return err
	}
	if err := f.add(stormReplicas-1, true); err != nil {
		return err
	}
	if err := errors.Join(must(f.control, "CONFIG", "SET", "repl-diskless-sync-delay", "5"), renice(f.replicas[0].Pid)); err != nil {
		return err
	}
	time.Sleep(saveSettle)
	return f.together(d, all)
}

// single measures the full resync of one replica.
func (f *fleet) single(to *syncFigures) error {
	cpu, err := allCPU(f.primary)
	if err != nil {
		return err
	}
	info, err := f.info()
	if err != nil {
		return err
	}
	before, sent := time.Now(), number(info, "total_net_repl_output_bytes")
	if err := f.add(1, false); err != nil {
		return err
	}
	took := time.Since(before)
	after, err := allCPU(f.primary)
	if err != nil {
		return err
	}
	if info, err = f.info(); err != nil {
		return err
	}
	replica, err := cpuOf(f.replicas[0])
	if err != nil {
		return err
	}
	resident, err := testutil.RSS(f.primary.Pid)
	if err != nil {
		return err
	}
	most, _, err := testutil.Peaks(f.replicas[0].Pid)
	if err != nil {
		return err
	}
	now, err := testutil.RSS(f.replicas[0].Pid)
	if err != nil {
		return err
	}
	body := number(info, "total_net_repl_output_bytes") - sent
	copied, err := loopbackCopy(int64(body))
	if err != nil {
		return err
	}
	gib := body / (1 << 30)
	to.seconds.add(f.c, took.Seconds())
	to.copied.add(f.c, copied.Seconds())
	to.body.add(f.c, body/(1<<20))
	to.primary.add(f.c, (after-cpu).Seconds()/gib)
	to.replica.add(f.c, replica.Seconds()/gib)
	to.resident.add(f.c, float64(resident)/(1<<20))
	to.loadPeak.add(f.c, float64(most)/float64(now))
	return nil
}

// loopbackCopy sends bytes from memory to memory.
func loopbackCopy(n int64) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			sent <- err
			return
		}
		defer c.Close()
		b := make([]byte, 256<<10)
		for rest := n; rest > 0 && err == nil; rest -= int64(len(b)) {
			_, err = c.Write(b[:min(rest, int64(len(b)))])
		}
		sent <- err
	}()
	c, err := l.Accept()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	began := time.Now()
	b := make([]byte, 256<<10)
	for got := int64(0); got < n; {
		k, err := c.Read(b)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if got += int64(k); err == io.EOF {
			break
		}
	}
	return time.Since(began), <-sent
}

// crowdRun are clients that read and write strings until they are stopped.
type crowdRun struct {
	s       *testutil.Server
	strings int
	value   string
	stop    chan struct{}
	run     sync.WaitGroup
	mu      sync.Mutex
	times   []float64
	err     error
	began   time.Time
	count   atomic.Int64
}

func startCrowd(s *testutil.Server, d *mixedData) (*crowdRun, error) {
	w := &crowdRun{s: s, strings: d.strings(), value: d.value(largeString/2, largeString/2), stop: make(chan struct{}), began: time.Now()}
	for i := range stormClients {
		conn, err := s.Dial()
		if err != nil {
			return nil, errors.Join(err, w.end())
		}
		w.run.Go(func() {
			defer conn.Close()
			err := w.ask(conn, rand.New(rand.NewPCG(7, uint64(i))))
			w.mu.Lock()
			defer w.mu.Unlock()
			w.err = errors.Join(w.err, err)
		})
	}
	return w, nil
}

func (w *crowdRun) ask(conn *testutil.Conn, rng *rand.Rand) error {
	var times []float64
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.times = append(w.times, times...)
	}()
	for n := 0; ; n++ {
		select {
		case <-w.stop:
			return nil
		case <-time.After(stormThink):
		}
		call := []string{"GET", stringKey(rng.IntN(w.strings))}
		if n%2 == 1 {
			call = []string{"SET", call[1], w.value}
		}
		sent := time.Now()
		raw, err := conn.DoRaw(call...)
		if err != nil || raw[0] == '-' {
			return fmt.Errorf("%s: %q, %w", call[0], raw, err)
		}
		times = append(times, milliseconds(time.Since(sent)))
		w.count.Add(1)
	}
}

// end stops them. Their times are there then.
func (w *crowdRun) end() error {
	close(w.stop)
	w.run.Wait()
	return w.err
}

func (w *crowdRun) rate() float64 { return float64(w.count.Load()) / time.Since(w.began).Seconds() }

// together measures the storm.
func (f *fleet) together(d *mixedData, to *stormFigures) error {
	w, err := startCrowd(f.primary, d)
	if err != nil {
		return err
	}
	cpu, err := cpuOf(f.primary)
	if err != nil {
		return err
	}
	time.Sleep(stormQuiet)
	quiet, err := cpuOf(f.primary)
	if err != nil {
		return err
	}
	to.rate.add(f.c, w.rate())
	each := (quiet - cpu).Seconds() / float64(w.count.Load())
	if err := w.end(); err != nil {
		return err
	}
	to.quiet.add(f.c, w.times)
	if w, err = startCrowd(f.primary, d); err != nil {
		return err
	}
	run, err := f.strike()
	rate, n := w.rate(), w.count.Load()
	if err = errors.Join(err, w.end()); err != nil {
		return err
	}
	to.rateStorm.add(f.c, rate)
	to.during.add(f.c, w.times)
	run.cpu -= each * float64(n)
	to.add(f.c, run)
	return nil
}

// stormRun is what a storm did to the primary.
type stormRun struct {
	seconds, cpu, replicas, extra, backlog, fulls, snapshots, cutOff, unserved float64
}

func (f *stormFigures) add(c candidate, r stormRun) {
	f.seconds.add(c, r.seconds)
	f.cpu.add(c, r.cpu)
	f.replicas.add(c, r.replicas)
	f.extra.add(c, r.extra)
	f.backlog.add(c, r.backlog)
	f.fulls.add(c, r.fulls)
	f.snapshots.add(c, r.snapshots)
	f.cutOff.add(c, r.cutOff)
	f.unserved.add(c, r.unserved)
}

const (
	snapshotEnded = "Background RDB transfer terminated with success"
	cutOffWords   = "utput buffer limits" // Redis'; Dozo names the directive
)

func cutOffs(log string) float64 {
	return float64(strings.Count(log, cutOffWords) + strings.Count(log, "client-output-buffer-limit"))
}

// state is what is counted from.
type stormState struct {
	info          string
	cpu, replicas time.Duration
	resident      float64
	log           string
}

func (f *fleet) state() (s stormState, err error) {
	if s.info, err = f.info(); err != nil {
		return s, err
	}
	if s.cpu, err = allCPU(f.primary); err != nil {
		return s, err
	}
	for _, r := range f.replicas {
		cpu, err := allCPU(r)
		if err != nil {
			return s, err
		}
		s.replicas += cpu
	}
	resident, err := testutil.RSS(f.primary.Pid)
	s.resident, s.log = float64(resident), f.primary.Log()
	return s, err
}

// strike drops all replicas and watches until they are back.
func (f *fleet) strike() (r stormRun, err error) {
	from, err := f.state()
	if err != nil {
		return r, err
	}
	if err := forgetPeak(f.primary.Pid); err != nil {
		return r, err
	}
	reader := &witness{s: f.replicas[0], done: make(chan struct{}), ended: make(chan struct{})}
	go reader.look()
	began := time.Now()
	for _, words := range [][]string{{"MULTI"}, {"DEBUG", "CHANGE-REPL-ID"}, {"CLIENT", "KILL", "TYPE", "replica"}, {"EXEC"}} { // at once, so that nobody is back between them
		if err := must(f.control, words...); err != nil {
			return r, err
		}
	}
	most, err := f.watch(from)
	if err != nil {
		return r, err
	}
	r.seconds = time.Since(began).Seconds()
	r.unserved = reader.end()
	to, err := f.state()
	if err != nil {
		return r, err
	}
	r.cpu, r.replicas = (to.cpu - from.cpu).Seconds(), (to.replicas - from.replicas).Seconds()
	r.extra = (most - from.resident) / (1 << 20)
	r.backlog = (number(to.info, "repl_backlog_histlen") - number(from.info, "repl_backlog_histlen")) / (1 << 20)
	r.fulls = number(to.info, "sync_full") - number(from.info, "sync_full")
	r.snapshots = float64(strings.Count(to.log, snapshotEnded) - strings.Count(from.log, snapshotEnded))
	r.cutOff = cutOffs(to.log) - cutOffs(from.log)
	return r, nil
}

// watch waits until all replicas have had a snapshot and are in step, and returns the most
// memory that was in use.
func (f *fleet) watch(from stormState) (most float64, err error) {
	want, copied, offset := number(from.info, "sync_full")+float64(len(f.replicas)), 0.0, 0.0
	for deadline := time.Now().Add(stormPatience); ; time.Sleep(stormPoll) {
		info, err := f.info()
		if err != nil {
			return 0, err
		}
		copied = max(copied, number(info, "current_cow_peak"))
		if offset == 0 && f.inStep(info, 0) && number(info, "sync_full") >= want {
			offset = number(info, "master_repl_offset")
		}
		if offset != 0 && f.inStep(info, offset) {
			break
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("the replicas are not in sync after %v:\n%s\n%s", stormPatience, info, f.primary.Log())
		}
	}
	resident, _, err := testutil.Peaks(f.primary.Pid)
	return float64(resident) + copied, err
}

// forgetPeak has the system forget the most memory that a process has had.
func forgetPeak(pid int) error {
	const peak = "5"
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte(peak), 0)
}

// witness is a client of a replica, which asks all the time.
type witness struct {
	s           *testutil.Server
	done, ended chan struct{}
	unserved    time.Duration
}

// witnessPause is what it waits between two questions.
const witnessPause = 5 * time.Millisecond

func (w *witness) look() {
	defer close(w.ended)
	last := time.Now()
	for {
		served := w.served()
		now := time.Now()
		if !served || now.Sub(last) > 20*witnessPause {
			w.unserved += now.Sub(last)
		}
		last = now
		select {
		case <-w.done:
			return
		case <-time.After(witnessPause):
		}
	}
}

// served tells whether a key that is there from the first on was answered.
func (w *witness) served() bool {
	c, err := w.s.Dial()
	if err != nil {
		return false
	}
	defer c.Close()
	raw, err := c.DoRaw("GET", stringKey(0))
	return err == nil && !slices.Contains([]byte{'-', '_'}, raw[0]) && !strings.HasPrefix(string(raw), "$-1")
}

// end is for how many seconds it was not answered.
func (w *witness) end() float64 {
	close(w.done)
	<-w.ended
	return w.unserved.Seconds()
}
