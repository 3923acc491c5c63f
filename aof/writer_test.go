package aof

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dozo/env"
	"dozo/internal/faultfs"
	"dozo/oplog"
)

// after is what a power failure now leaves to load.
func (d *world) after() []got {
	d.t.Helper()
	s, err := Open(placeOn(d.disk.CrashClone(1)))
	must(d.t, err)
	defer s.Close()
	return load(d.t, s)
}

// firstIncr is the name that the file of a writer that was started is open under.
const firstIncr = "temp-*.incr.aof"

func (d *world) incr(seq int) string {
	d.t.Helper()
	b, err := d.disk.ReadFile(d.place.path(IncrName("appendonly.aof", int64(seq))))
	must(d.t, err)
	return string(b)
}

func (d *world) manifest() string {
	d.t.Helper()
	b, err := d.disk.ReadFile(d.place.path("appendonly.aof.manifest"))
	must(d.t, err)
	return string(b)
}

func (d *world) wantLog(part string) {
	d.t.Helper()
	if !strings.Contains(d.lines.String(), part) {
		d.t.Errorf("the log does not say %q:\n%s", part, d.lines)
	}
}

// TestGroupCommit: one write and one fsync for all that has gathered, and the
// gate passes it then and not before.
func TestGroupCommit(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	syncs := d.fs.Calls(faultfs.Sync)
	for range 10 {
		d.append(0, 1, "v")
	}
	during := uint64(1)
	remove := d.fs.Inject(faultfs.Fault{Op: faultfs.Sync, Wait: func() { during = d.gate.Passed() }})
	d.step()
	remove()
	if n := d.fs.Calls(faultfs.Sync) - syncs; n != 1 || during != 0 || d.gate.Passed() != d.log.Offset() {
		t.Errorf("%d fsyncs, the gate was at %d and is at %d of %d", n, during, d.gate.Passed(), d.log.Offset())
	}
	if got := d.after(); len(got) != 10 {
		t.Errorf("a power failure leaves %d commands of 10", len(got))
	}
	s := d.w.Stats()
	if s.Syncs.Count == 0 || s.Writes.Count == 0 || s.State != On || s.Durable != d.log.Offset() || s.Written != s.Durable || d.events.took["aof-fsync-always"] == 0 || d.events.took["aof-write"] != d.events.took["aof-write-alone"] {
		t.Errorf("stats %+v, events %v", s, d.events.took)
	}
	if s.Size != int64(len(d.incr(1))) || s.BaseSize != 0 {
		t.Errorf("sizes %d %d", s.Size, s.BaseSize)
	}
}

func TestEverySec(t *testing.T) {
	d := started(t, Settings{Policy: EverySec})
	d.pass(2 * time.Second)
	syncs := d.fs.Calls(faultfs.Sync)
	d.append(0, 1, "v")
	d.pass(10 * time.Millisecond)
	first := d.fs.Calls(faultfs.Sync) - syncs
	d.append(0, 1, "v")
	d.pass(500 * time.Millisecond)
	if n := d.fs.Calls(faultfs.Sync) - syncs; n != first || d.w.Stats().Written != d.log.Offset() {
		t.Errorf("%d fsyncs within a second, written up to %d of %d", n, d.w.Stats().Written, d.log.Offset())
	}
	d.pass(600 * time.Millisecond)
	if n := d.fs.Calls(faultfs.Sync) - syncs; n != first+1 || d.w.Durable() != d.log.Offset() {
		t.Errorf("%d fsyncs after a second", n)
	}
	d.pass(2 * time.Second)
	if n := d.fs.Calls(faultfs.Sync) - syncs; n != first+1 {
		t.Errorf("%d fsyncs with nothing new", n)
	}
}

// TestAtRisk: an fsync that takes too long is noticed while it lasts.
func TestAtRisk(t *testing.T) {
	d := started(t, Settings{Policy: EverySec})
	d.pass(2 * time.Second)
	d.append(0, 1, "v")
	d.w.Tick()
	d.fs.Inject(faultfs.Fault{Op: faultfs.Sync, Times: 1, Wait: func() {
		for range 15 {
			d.clock.now += 200 * time.Millisecond
			d.append(0, 1, "v")
			d.w.Tick()
		}
	}})
	d.pass(time.Second)
	d.wantLog("Asynchronous AOF fsync is taking too long")
	if n := d.w.Stats().DelayedFsync; n != 1 {
		t.Errorf("aof_delayed_fsync %d", n)
	}
	d.pass(time.Second)
	d.pass(time.Second)
	d.wantLog("AOF fsync has caught up")
	if s := d.w.Stats(); s.Syncs.Max != 3*time.Second || s.DelayedFsync != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestNoPolicyAndSuspension(t *testing.T) {
	d := started(t, Settings{Policy: No})
	syncs := d.fs.Calls(faultfs.Sync)
	d.append(0, 1, "v")
	d.pass(time.Minute)
	if d.fs.Calls(faultfs.Sync) != syncs || d.gate.Passed() != d.log.Offset() || d.w.Durable() == d.log.Offset() {
		t.Errorf("appendfsync no: gate %d, durable %d of %d", d.gate.Passed(), d.w.Durable(), d.log.Offset())
	}
	d.w.Configure(Settings{Policy: Always, NoFsyncOnRewrite: true})
	d.w.SetBusy(true)
	d.append(0, 1, "v")
	d.pass(time.Minute)
	if d.fs.Calls(faultfs.Sync) != syncs || d.gate.Passed() != d.log.Offset() {
		t.Errorf("suspended: gate %d of %d", d.gate.Passed(), d.log.Offset())
	}
	if d.events.took["aof-write-active-child"] == 0 {
		t.Errorf("events %v", d.events.took)
	}
	d.w.SetBusy(false)
	d.step()
	if d.w.Durable() != d.log.Offset() {
		t.Errorf("after it durable is %d of %d", d.w.Durable(), d.log.Offset())
	}
}

// TestRotateAtOffset: what was appended before a rewrite is in the old file, and
// what came after in the new one, which begins with its database.
func TestRotateAtOffset(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	d.append(3, 1, "before")
	r, err := d.w.BeginRewrite(false)
	must(t, err)
	if _, err := d.w.BeginRewrite(false); err != ErrRewriteRunning {
		t.Errorf("a second rewrite: %v", err)
	}
	d.append(3, 2, "after")
	d.step()
	d.step()
	if old := d.incr(1); strings.Contains(old, "after") || !strings.Contains(old, "before") {
		t.Errorf("the old file is %q", old)
	}
	if fresh := d.incr(2); !strings.HasPrefix(fresh, string(command("SELECT", "3"))+string(command("MULTI"))) {
		t.Errorf("the new file is %q", fresh)
	}
	if got := d.after(); len(got) != 3 || got[2].db != 3 {
		t.Errorf("a power failure in the middle leaves %v", got)
	}
	if !d.w.Stats().Rewriting {
		t.Error("no rewrite is running")
	}
	must(t, d.writeBase(r, d.units[:1]))
	r.wish(true, nil)
	d.step()
	d.step()
	must(t, r.Err())
	want := "file appendonly.aof.2.base.aof seq 2 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n"
	if got := d.manifest(); got != want {
		t.Errorf("the manifest is\n%s", got)
	}
	if _, err := d.disk.Stat(d.place.path("appendonly.aof.1.incr.aof")); err == nil {
		t.Error("the history is still there")
	}
	if got := d.after(); !slices.Equal(ids(got), []int{0, 1, 2}) || d.w.Stats().Rewriting {
		t.Errorf("a power failure leaves %v", got)
	}
	base, err := d.disk.Stat(d.place.path("appendonly.aof.2.base.aof"))
	must(t, err)
	if s := d.w.Stats(); s.BaseSize != base.Size()+int64(len(d.incr(2))) || s.Size != s.BaseSize {
		t.Errorf("sizes %d %d", s.Size, s.BaseSize)
	}
}

// TestStarting: turning on is complete only with base and manifest, and until
// then a restart finds what was there before.
func TestStarting(t *testing.T) {
	d, _ := boot(t, newDisk(t), Settings{Policy: Always})
	if d.w.State() != Off || d.w.State().String() != "off" {
		t.Errorf("the state is %v", d.w.State())
	}
	d.append(0, 1, "early")
	r, err := d.w.BeginRewrite(true)
	must(t, err)
	d.append(0, 1, "during")
	d.step()
	if d.w.State() != Starting || d.gate.Passed() != 0 || len(d.after()) != 0 {
		t.Errorf("state %v, gate %d", d.w.State(), d.gate.Passed())
	}
	if !r.RDB() || r.At() != d.units[0].end {
		t.Errorf("a rewrite at %d", r.At())
	}
	must(t, d.writeBase(r, d.units[:1]))
	r.wish(true, nil)
	d.step()
	must(t, r.Err())
	if d.w.State() != On || d.gate.Passed() != d.log.Offset() || d.events.changes != 2 {
		t.Errorf("state %v, gate %d of %d, %d changes", d.w.State(), d.gate.Passed(), d.log.Offset(), d.events.changes)
	}
	if got := d.after(); len(got) != 2 || d.manifest() != "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n" {
		t.Errorf("a power failure leaves %v", got)
	}
}

func TestStartingFails(t *testing.T) {
	d, _ := boot(t, newDisk(t), Settings{Policy: Always})
	r, err := d.w.BeginRewrite(false)
	must(t, err)
	d.append(0, 1, "x")
	d.fs.Inject(faultfs.Fault{Op: faultfs.Write, Path: "temp-*.incr.aof", Err: syscall.ENOSPC})
	d.step()
	if err := r.Err(); !errors.Is(err, syscall.ENOSPC) || d.w.State() != Starting || d.w.Fault() != nil {
		t.Errorf("%v, state %v, fault %v", err, d.w.State(), d.w.Fault())
	}
	d.fs.Heal()
	must(t, d.rewrite())
	if d.w.State() != On || len(d.after()) != 1 {
		t.Errorf("state %v, after %v", d.w.State(), d.after())
	}
	if strings.Contains(d.disk.Tree(), "temp-") {
		t.Errorf("left behind:\n%s", d.disk.Tree())
	}
}

// TestDiskFull: what was written in part is taken back, the fault is known, and
// all goes on when there is room again.
func TestDiskFull(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	d.append(0, 1, "fits")
	d.step()
	passed, before := d.gate.Passed(), d.incr(1)
	d.disk.SetCapacity(d.disk.Used() + 60)
	d.append(0, 2, "does not fit")
	d.step()
	if err := d.w.Fault(); !errors.Is(err, syscall.ENOSPC) || d.gate.Passed() != passed {
		t.Errorf("fault %v, gate %d, was %d", err, d.gate.Passed(), passed)
	}
	if now := d.incr(1); now != before {
		t.Errorf("half of a unit was left: %q", now)
	}
	d.wantLog("no space left")
	for range 20 {
		d.pass(time.Second)
	}
	if n := strings.Count(d.lines.String(), "no space left"); n != 1 {
		t.Errorf("it is said %d times in 20 seconds", n)
	}
	d.disk.SetCapacity(1 << 30)
	d.pass(5 * time.Second)
	if d.w.Fault() != nil || d.gate.Passed() != d.log.Offset() {
		t.Errorf("fault %v, gate %d of %d", d.w.Fault(), d.gate.Passed(), d.log.Offset())
	}
	d.wantLog("AOF write error looks solved")
	if got := d.incr(1); len(d.after()) != 3 || strings.Count(got, "MULTI") != 1 {
		t.Errorf("the file is %q", got)
	}
}

// TestDiskFullEverySec: what was written before the disk got full is synced in
// time all the same.
func TestDiskFullEverySec(t *testing.T) {
	d := started(t, Settings{Policy: EverySec})
	d.append(0, 1, "a")
	d.step()
	d.disk.SetCapacity(d.disk.Used())
	end := d.log.Offset()
	d.append(0, 1, "b")
	d.pass(10 * time.Millisecond)
	d.pass(2 * time.Second)
	if d.w.Fault() == nil || d.w.Durable() != end {
		t.Errorf("durable %d, want %d, fault %v", d.w.Durable(), end, d.w.Fault())
	}
}

// TestFailedFsync: nothing of what a failed fsync should have covered counts
// before it stands in another file; a second fsync of the first is no proof.
func TestFailedFsync(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	d.append(2, 1, "good")
	d.step()
	good, size := d.gate.Passed(), len(d.incr(1))
	d.append(2, 1, "lost")
	d.fs.Inject(faultfs.Fault{Op: faultfs.Sync, Path: firstIncr, Times: 1, Err: syscall.EIO, Lose: true})
	stay := d.fs.Inject(faultfs.Fault{Op: faultfs.Create, Path: "*.incr.aof", Err: syscall.EMFILE})
	d.step()
	if d.gate.Passed() != good || !errors.Is(d.w.Fault(), syscall.EIO) {
		t.Errorf("gate %d, want %d, fault %v", d.gate.Passed(), good, d.w.Fault())
	}
	d.append(2, 1, "later")
	for range 5 {
		d.pass(2 * time.Second)
	}
	if d.gate.Passed() != good || !errors.Is(d.w.Fault(), syscall.EMFILE) {
		t.Errorf("gate %d, want %d, fault %v", d.gate.Passed(), good, d.w.Fault())
	}
	if got := d.after(); len(got) != 1 {
		t.Errorf("a power failure leaves %v", got)
	}
	stay()
	d.pass(5 * time.Second)
	if d.gate.Passed() != d.log.Offset() || d.w.Fault() != nil || len(d.incr(1)) != size {
		t.Errorf("gate %d of %d, fault %v, the old file %d bytes, want %d", d.gate.Passed(), d.log.Offset(), d.w.Fault(), len(d.incr(1)), size)
	}
	if got := d.after(); !slices.Equal(ids(got), []int{0, 1, 2}) || got[2].db != 2 {
		t.Errorf("a power failure leaves %v", got)
	}
	d.append(2, 1, "on")
	d.step()
	if s := d.w.Stats(); len(d.after()) != 4 || s.Size != int64(size+len(d.incr(2))) {
		t.Errorf("a power failure leaves %v; stats %+v", d.after(), s)
	}
}

// TestWriteError: a file that cannot be written any more is left for a new one.
func TestWriteError(t *testing.T) {
	d := started(t, Settings{Policy: EverySec})
	d.append(0, 1, "a")
	d.step()
	d.append(0, 1, "b")
	d.fs.Inject(faultfs.Fault{Op: faultfs.Write, Path: firstIncr, Err: syscall.EIO, Short: 5})
	d.step()
	if !errors.Is(d.w.Fault(), syscall.EIO) {
		t.Errorf("fault %v", d.w.Fault())
	}
	d.pass(time.Second)
	if d.w.Fault() != nil || d.w.Durable() != d.log.Offset() || len(d.after()) != 2 {
		t.Errorf("fault %v, durable %d of %d, after %v", d.w.Fault(), d.w.Durable(), d.log.Offset(), d.after())
	}
}

// TestRewriteHeals: where the log no longer has what a file lacks, and where the
// old file cannot be cut, a rewrite makes the set whole.
func TestRewriteHeals(t *testing.T) {
	for _, policy := range []Policy{No, Always} {
		d := started(t, Settings{Policy: policy})
		d.append(0, 1, "a")
		d.step()
		d.fs.Inject(faultfs.Fault{Op: faultfs.Sync, Path: firstIncr, Times: 1, Err: syscall.EIO, Lose: true})
		if policy == No {
			d.w.Configure(Settings{Policy: Always}) // the first fsync covers what the log has let go
		} else {
			d.fs.Inject(faultfs.Fault{Op: faultfs.Truncate, Path: "*.1.incr.aof", Err: syscall.EIO})
			d.append(0, 1, "b")
		}
		d.step()
		for range 3 {
			d.append(0, 1, "more")
			d.pass(5 * time.Second)
		}
		if d.w.Fault() == nil || d.w.Durable() == d.log.Offset() {
			t.Fatalf("policy %d: no fault", policy)
		}
		if policy == No {
			d.wantLog("Only a rewrite")
		}
		must(t, d.rewrite())
		d.append(0, 1, "on")
		d.step()
		if d.w.Fault() != nil || d.gate.Passed() != d.log.Offset() || len(d.after()) != len(d.units) {
			t.Errorf("policy %d: fault %v, gate %d of %d, after %v", policy, d.w.Fault(), d.gate.Passed(), d.log.Offset(), d.after())
		}
	}
}

// TestDoubtfulManifest: while it is not known which manifest is on the disk
// nothing is promised, and the next one settles it.
func TestDoubtfulManifest(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	r, err := d.w.BeginRewrite(false)
	must(t, err)
	d.fs.Inject(faultfs.Fault{Op: faultfs.SyncDir, Skip: 1, Err: syscall.EIO})
	d.step()
	if err := r.Err(); !errors.Is(err, errDoubtful) {
		t.Fatalf("the rewrite ended with %v", err)
	}
	passed := d.gate.Passed()
	d.append(0, 1, "x")
	d.pass(time.Second)
	if d.gate.Passed() != passed || d.w.Fault() == nil {
		t.Errorf("the gate is at %d, was %d; fault %v", d.gate.Passed(), passed, d.w.Fault())
	}
	d.fs.Heal()
	d.pass(time.Second)
	if d.gate.Passed() != d.log.Offset() || d.w.Fault() != nil || len(d.after()) != 1 {
		t.Errorf("the gate is at %d of %d; fault %v; after %v", d.gate.Passed(), d.log.Offset(), d.w.Fault(), d.after())
	}
	if strings.Contains(d.disk.Tree(), "2.incr") {
		t.Errorf("the doubtful file is still there:\n%s", d.disk.Tree())
	}
}

func TestLogReset(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	d.append(0, 1, "a")
	d.step()
	d.log.Activate(5)
	d.units = nil
	d.step()
	if !errors.Is(d.w.Fault(), oplog.ErrReset) {
		t.Errorf("fault %v", d.w.Fault())
	}
	must(t, d.rewrite())
	d.append(0, 1, "b")
	d.step()
	if d.w.Fault() != nil || d.gate.Passed() != d.log.Offset() || len(d.after()) != 1 {
		t.Errorf("fault %v, gate %d of %d, after %v", d.w.Fault(), d.gate.Passed(), d.log.Offset(), d.after())
	}
}

// TestTimestamps: annotations stand where their second begins, never within a
// unit, and survive that the file is written anew.
func TestTimestamps(t *testing.T) {
	d := started(t, Settings{Policy: Always, Timestamps: true})
	times := map[int]int64{}
	for i := range 20 {
		d.w.Tick()
		times[d.next] = int64(d.clock.Wall() / time.Second)
		d.append(0, 1+i%3, "v")
		if i == 10 {
			d.fs.Inject(faultfs.Fault{Op: faultfs.Sync, Times: 1, Err: syscall.EIO, Lose: true})
		}
		if i%4 == 0 {
			d.step()
		}
		d.clock.now += 400 * time.Millisecond
	}
	d.pass(time.Second)
	last := int64(0)
	for _, g := range d.after() {
		if want, begins := times[g.id]; begins && g.time != want {
			t.Errorf("command %d has time %d, want %d", g.id, g.time, want)
		}
		last = max(last, g.time)
	}
	if last == 0 || strings.Count(d.incr(1), "#TS:") < 3 {
		t.Errorf("the last time is %d in %q", last, d.incr(1))
	}
	d.dropAllMarks()
}

// TestTimestampsTurnedOn: the first command after they are wanted has its time, in
// whatever file it comes to stand, before the SELECT that is written for it.
func TestTimestampsTurnedOn(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	d.append(1, 1, "v")
	d.step()
	now := int64(d.clock.Wall() / time.Second)
	d.w.Configure(Settings{Policy: Always, Timestamps: true})
	d.append(1, 1, "v")
	d.step()
	stamp := func(second int64) string { return string(AppendAnnotation(nil, second)) }
	if got, want := d.incr(1), stamp(now)+string(command("SET", "1", "v")); !strings.HasSuffix(got, want) {
		t.Errorf("%q does not end with %q", got, want)
	}
	d.clock.now += time.Second
	must(t, d.rewrite())
	d.append(1, 1, "v")
	d.step()
	want := stamp(now+1) + string(command("SELECT", "1")) + string(command("SET", "2", "v"))
	if got := d.incr(2); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestKeptHistory: with aof-disable-auto-gc the old files stay, by the manifest too, over
// a restart; they go when that ends.
func TestKeptHistory(t *testing.T) {
	keep := Settings{Policy: Always, KeepHistory: true}
	d := started(t, keep)
	for range 2 {
		d.append(0, 1, "v")
		d.step()
		must(t, d.rewrite())
	}
	kept := func(want int) {
		t.Helper()
		if got := strings.Count(d.manifest(), "type h"); got != want {
			t.Errorf("%d history files, want %d, in\n%s", got, want, d.manifest())
		}
	}
	kept(4)
	d.store.Tidy(true)
	if d.incr(1); !strings.Contains(d.manifest(), "incr.aof seq 1 type h") {
		t.Error(d.manifest())
	}
	d.w.Configure(Settings{Policy: Always})
	d.step() // removes them, and the next notes that they are gone
	d.step()
	kept(0)
	if _, err := d.disk.ReadFile(d.place.path(IncrName("appendonly.aof", 1))); err == nil {
		t.Error("an old file is still there")
	}
}

// TestHistoryOfTheLast: a writer that ends right after a rewrite leaves no files in the
// manifest that are gone.
func TestHistoryOfTheLast(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	must(t, d.rewrite())
	d.w.Stop()
	d.w.Run()
	if strings.Contains(d.manifest(), "type h") {
		t.Errorf("the manifest is\n%s", d.manifest())
	}
}

func (d *world) dropAllMarks() {
	d.t.Helper()
	if n := len(d.w.marks.list); n > 2 {
		d.t.Errorf("%d marks are kept with nothing to write", n)
	}
}

func TestMarksAreBounded(t *testing.T) {
	var m marks
	for i := range uint64(3 * marksMax) {
		m.add(i, int64(i))
		m.add(i, int64(i))
	}
	if len(m.list) > marksMax {
		t.Errorf("%d marks", len(m.list))
	}
	last := m.list[len(m.list)-1]
	if last.offset != 3*marksMax-1 || !slices.IsSortedFunc(m.list, func(a, b mark) int { return int(a.offset) - int(b.offset) }) {
		t.Errorf("the last mark is %+v", last)
	}
	if second, next := m.at(last.offset); second != last.second || next != 1<<64-1 {
		t.Errorf("at the last: %d, %d", second, next)
	}
	m.drop(last.offset)
	if len(m.list) != 1 {
		t.Errorf("%d marks left", len(m.list))
	}
}

// TestHistoriesDoNotMeet: when the log begins anew, at lower offsets, what was
// remembered of the old ones is of no use.
func TestHistoriesDoNotMeet(t *testing.T) {
	var m marks
	m.add(100, 1)
	m.add(50, 2)
	if second, next := m.at(50); second != 2 || next != 1<<64-1 {
		t.Errorf("at 50: %d, %d", second, next)
	}
	var r risk
	for i := range 100 {
		if age, crossed := r.look(time.Duration(i)*time.Second, uint64(200-i), uint64(200-i)); age != 0 || crossed {
			t.Fatalf("look %d: age %v", i, age)
		}
	}
	for i := range 200 {
		age, crossed := r.look(100*time.Second+time.Duration(i)*100*time.Millisecond, 1000+uint64(i), 500)
		if crossed != (i == 11) {
			t.Fatalf("look %d: age %v, crossed %v", i, age, crossed)
		}
	}
}

// TestResumeNames: the writer goes on in the last file, in a new one behind an
// upgraded base, and never in one that somebody put there.
func TestResumeNames(t *testing.T) {
	disk := withFiles(t, map[string]string{testDir + "/appendonly.aof": set("0"), "appendonly.aof.1.incr.aof": "somebody's"})
	s := open(t, disk)
	must(t, s.Upgrade())
	must(t, s.Close())
	d, loaded := boot(t, disk, Settings{Policy: Always})
	must(t, d.w.Resume())
	d.next = 1
	d.append(4, 1, "x")
	d.step()
	if got := d.after(); len(loaded) != 1 || !slices.Equal(ids(got), []int{0, 1}) || got[1].db != 4 {
		t.Errorf("loaded %v, after %v", loaded, got)
	}
	if d.manifest() != "file appendonly.aof seq 1 type b\nfile appendonly.aof.2.incr.aof seq 2 type i\n" || d.incr(1) != "somebody's" {
		t.Errorf("the manifest is\n%s", d.manifest())
	}
	d.close()
	d, _ = boot(t, disk.KeepAll(), Settings{Policy: Always})
	must(t, d.w.Resume())
	d.next = 2
	d.append(0, 1, "y")
	d.step()
	if !strings.Contains(d.incr(2), "y") || len(d.after()) != 3 {
		t.Errorf("after a restart: %v", d.after())
	}
}

// TestFlushAcrossRotation: a flush that meets the beginning of a rewrite covers
// what came after it too.
func TestFlushAcrossRotation(t *testing.T) {
	d := started(t, Settings{Policy: EverySec})
	_, err := d.w.BeginRewrite(false)
	must(t, err)
	d.append(0, 1, "x")
	done := make(chan error, 1)
	d.w.ask(func(r *requests) { r.flush = append(r.flush, flush{d.log.Offset(), done}) })
	d.step()
	d.step()
	if err := <-done; err != nil || d.w.Durable() != d.log.Offset() {
		t.Errorf("%v, durable %d of %d", err, d.w.Durable(), d.log.Offset())
	}
	off := make(chan error, 1)
	d.append(0, 1, "y")
	d.w.ask(func(r *requests) { r.off = append(r.off, off) })
	d.step()
	if err := <-off; err != nil || len(d.after()) != 2 || d.w.Stats().Rewriting {
		t.Errorf("%v, after %v", err, d.after())
	}
}

// TestReadOnlyFolder: what there is goes on to be written; only a rewrite cannot
// be made.
func TestReadOnlyFolder(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	d.fs.Inject(faultfs.Fault{Op: faultfs.Changes, Err: syscall.EROFS})
	r, err := d.w.BeginRewrite(false)
	must(t, err)
	d.append(0, 1, "x")
	d.step()
	d.step()
	if err := r.Err(); !errors.Is(err, syscall.EROFS) || d.w.Fault() != nil || d.gate.Passed() != d.log.Offset() {
		t.Errorf("%v; fault %v, gate %d of %d", err, d.w.Fault(), d.gate.Passed(), d.log.Offset())
	}
	if len(d.after()) != 1 {
		t.Errorf("a power failure leaves %v", d.after())
	}
}

func TestRewriteAborted(t *testing.T) {
	d := started(t, Settings{Policy: Always})
	r, err := d.w.BeginRewrite(false)
	must(t, err)
	d.step()
	must(t, d.writeBase(r, nil))
	r.wish(false, errors.New("enough"))
	d.step()
	if err := r.Err(); err == nil || err.Error() != "enough" {
		t.Errorf("ended with %v", err)
	}
	d.append(0, 1, "x")
	d.step()
	if len(d.after()) != 1 || strings.Contains(d.disk.Tree(), "temp-") {
		t.Errorf("left:\n%s", d.disk.Tree())
	}
	must(t, d.rewrite())
	d.step()
	if n := strings.Count(d.manifest(), "incr"); n != 1 {
		t.Errorf("the manifest is\n%s", d.manifest())
	}
}

// realWorld is a writer on the real disk, running.
func realWorld(t testing.TB, dir string, s Settings) *world {
	t.Helper()
	d := started(t, s)
	real := env.Real()
	must(t, d.store.Close())
	var err error
	d.place = Place{FS: real.FS, Dir: dir, Folder: "appendonlydir", Name: "appendonly.aof"}
	d.store, err = Open(d.place)
	must(t, err)
	d.w = NewWriter(Options{Store: d.store, Log: d.log, Gate: d.gate, Clock: real.Clock, Logger: d.w.Logger}, s)
	done := make(chan struct{})
	go func() { d.w.Run(); close(done) }()
	r, err := d.w.BeginRewrite(false)
	must(t, err)
	must(t, os.WriteFile(r.Path(), command("SELECT", "0"), 0o644))
	must(t, r.Publish())
	t.Cleanup(func() {
		d.w.Stop()
		<-done
		if err := d.w.Flush(); err != errStopped {
			t.Errorf("Flush after Stop: %v", err)
		}
	})
	return d
}

// TestRunning is the loop of the package's documentation.
func TestRunning(t *testing.T) {
	d := realWorld(t, t.TempDir(), Settings{Policy: Always})
	for range 100 {
		d.append(0, 2, "v")
	}
	must(t, d.w.Flush())
	if d.gate.Passed() != d.log.Offset() {
		t.Errorf("gate %d of %d", d.gate.Passed(), d.log.Offset())
	}
	r, err := d.w.BeginRewrite(false)
	must(t, err)
	r.Abort(errors.New("enough"))
	if r.Err() == nil {
		t.Error("an aborted rewrite has no error")
	}
	must(t, d.w.TurnOff())
	if d.w.State() != Off {
		t.Errorf("state %v", d.w.State())
	}
	set, err := Inspect(d.place)
	must(t, err)
	if len(set.Parts) < 2 || set.Empty() {
		t.Errorf("%+v", set)
	}
}

// TestUnderLoad has writers, rewrites, ticks and faults at the same time, on a
// running writer; in the end everything is in the files, once and in order.
func TestUnderLoad(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	d := started(t, Settings{Policy: Always, Timestamps: true})
	d.w.Clock = env.Real().Clock
	done := make(chan struct{})
	go func() { d.w.Run(); close(done) }()
	var counts [4]atomic.Int64
	var load sync.WaitGroup
	stop := make(chan struct{})
	for db := range counts {
		load.Go(func() {
			for n := int64(0); ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				u := d.log.Begin()
				u.Write(oplog.NoDB, command("MULTI"))
				u.Write(db, command("SET", strconv.FormatInt(n, 10), "x"))
				u.Write(oplog.NoDB, command("EXEC"))
				u.End()
				counts[db].Add(1)
				time.Sleep(100 * time.Microsecond)
			}
		})
	}
	load.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
				d.w.Tick() // an end of the log is an end of a unit
			}
		}
	})
	breakAndRewrite(t, d, rand.New(rand.NewPCG(seed, 0)))
	close(stop)
	load.Wait()
	d.fs.Heal()
	time.Sleep(200 * time.Millisecond)
	must(t, d.w.Flush())
	next := map[int]int{}
	for _, g := range d.after() {
		if g.id != next[g.db] {
			t.Fatalf("in db %d %d follows %d", g.db, g.id, next[g.db]-1)
		}
		next[g.db]++
	}
	for db := range counts {
		if int64(next[db]) != counts[db].Load() {
			t.Errorf("db %d has %d commands of %d", db, next[db], counts[db].Load())
		}
	}
	d.w.Stop()
	<-done
}

// breakAndRewrite makes the disk fail, and begins rewrites which it gives up:
// there is no snapshot of what the others write.
func breakAndRewrite(t *testing.T, d *world, rnd *rand.Rand) {
	ops := []faultfs.Op{faultfs.Write, faultfs.Sync, faultfs.Create, faultfs.SyncDir, faultfs.Rename, faultfs.Truncate}
	for range 60 {
		time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
		d.fs.Inject(faultfs.Fault{Op: ops[rnd.IntN(len(ops))], Times: 1 + rnd.IntN(2), Err: syscall.EIO, Short: rnd.IntN(30), Lose: true})
		if rnd.IntN(3) > 0 {
			continue
		}
		r, err := d.w.BeginRewrite(false)
		must(t, err)
		time.Sleep(time.Duration(rnd.IntN(3)) * time.Millisecond)
		r.Abort(errors.New("given up"))
		_ = d.w.Stats()
		_ = d.w.Flush()
	}
}

// BenchmarkGroupCommit is 50 clients, each of which waits until its write is
// durable before it makes the next.
func BenchmarkGroupCommit(b *testing.B) {
	for _, clients := range []int{1, 8, 50} {
		b.Run(fmt.Sprint("clients=", clients), func(b *testing.B) { groupCommit(b, clients) })
	}
}

func groupCommit(b *testing.B, clients int) {
	d := realWorld(b, b.TempDir(), Settings{Policy: Always})
	before := d.w.Stats().Syncs
	b.ResetTimer()
	done := make(chan struct{})
	for c := range clients {
		go func() {
			wake := oplog.NewSignal()
			wait := d.gate.NewWaiter(func(uint64) { wake.Notify() })
			defer wait.Close()
			for range b.N / clients {
				end := d.log.Append(0, command("SET", strconv.Itoa(c), "0123456789"))
				for wait.Want(end) {
					<-wake
				}
			}
			done <- struct{}{}
		}()
	}
	for range clients {
		<-done
	}
	b.StopTimer()
	syncs := d.w.Stats().Syncs
	n := syncs.Count - before.Count
	b.ReportMetric(float64(b.N)/float64(max(1, n)), "writes/fsync")
	b.ReportMetric(float64(syncs.Total-before.Total)/float64(max(1, n))/1e3, "us/fsync")
}
