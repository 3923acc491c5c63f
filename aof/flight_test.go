package aof

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/faultfs"
)

// slow is a writer with appendfsync everysec whose fsync, of command 0, lasts until
// it is told to end.
type slow struct {
	*world
	begun chan struct{}
	end   chan struct{}
}

func slowFsync(t *testing.T, f faultfs.Fault) *slow {
	t.Helper()
	d := &slow{started(t, Settings{Policy: EverySec}), make(chan struct{}), make(chan struct{})}
	d.w.launch = d.w.fly
	f.Op, f.Path, f.Times = faultfs.Sync, firstIncr, 1
	f.Wait = func() { close(d.begun); <-d.end }
	d.fs.Inject(f)
	d.append(0, 1, "a")
	d.clock.now += 2 * time.Second
	d.w.step()
	<-d.begun
	return d
}

// land lets the fsync end, and the writer see it.
func (d *slow) land() {
	close(d.end)
	d.w.background.Wait()
	d.w.step()
}

// killed is what kill -9 now leaves to load.
func (d *world) killed() []int {
	d.t.Helper()
	s, err := Open(placeOn(d.disk.KeepAll()))
	must(d.t, err)
	defer s.Close()
	return ids(load(d.t, s))
}

// TestWritesDuringFsync: a disk that is slow to sync does not keep from the system
// what is written meanwhile; what it has made durable is only what was there when it
// began.
func TestWritesDuringFsync(t *testing.T) {
	d := slowFsync(t, faultfs.Fault{})
	first := d.log.Offset()
	for range 3 {
		d.append(0, 1, "b")
		d.w.step()
	}
	if got := d.killed(); !slices.Equal(got, []int{0, 1, 2, 3}) {
		t.Errorf("kill -9 during an fsync leaves %v", got)
	}
	if n := d.events.took["aof-write-pending-fsync"]; n != 3 {
		t.Errorf("%d writes during the fsync were told of", n)
	}
	if d.w.Durable() != 0 || d.gate.Passed() != 0 || d.w.Stats().Written != d.log.Offset() {
		t.Errorf("during the fsync durable is %d, the gate at %d", d.w.Durable(), d.gate.Passed())
	}
	d.land()
	if d.w.Durable() != first || d.gate.Passed() != first {
		t.Errorf("after it durable is %d, the gate at %d, want %d", d.w.Durable(), d.gate.Passed(), first)
	}
	d.clock.now += time.Second
	d.w.step()
	d.w.background.Wait()
	d.w.step()
	if d.w.Durable() != d.log.Offset() || d.w.Stats().Syncs.Count < 2 || d.events.took["aof-fsync-everysec"] < 2 {
		t.Errorf("after the next durable is %d of %d; %v", d.w.Durable(), d.log.Offset(), d.events.took)
	}
}

// TestOneFsyncAtATime: a failure is told once to each descriptor, so two at the same
// time could hide it.
func TestOneFsyncAtATime(t *testing.T) {
	d := slowFsync(t, faultfs.Fault{})
	syncs := d.fs.Calls(faultfs.Sync)
	for range 5 {
		d.append(0, 1, "b")
		d.clock.now += 2 * time.Second
		d.w.step()
	}
	if n := d.fs.Calls(faultfs.Sync); n != syncs {
		t.Errorf("%d fsyncs more during one", n-syncs)
	}
	d.land()
}

// TestFsyncFailsLate: all that was written since the last good fsync is written
// again, to a new file, also what came while the fsync that failed was under way.
func TestFsyncFailsLate(t *testing.T) {
	d := slowFsync(t, faultfs.Fault{Err: syscall.EIO, Lose: true})
	d.append(0, 1, "b")
	d.w.step()
	d.land()
	if !errors.Is(d.w.Fault(), syscall.EIO) || d.w.Durable() != 0 {
		t.Fatalf("fault %v, durable %d", d.w.Fault(), d.w.Durable())
	}
	d.append(0, 1, "c")
	d.pass(time.Second)
	if d.w.Fault() != nil || d.w.Durable() != d.log.Offset() || !slices.Equal(ids(d.after()), []int{0, 1, 2}) {
		t.Errorf("fault %v, durable %d of %d, after %v", d.w.Fault(), d.w.Durable(), d.log.Offset(), d.after())
	}
	if d.incr(1) != "" {
		t.Errorf("the file whose fsync failed keeps %q", d.incr(1))
	}
}

// TestFsyncFailsUnderAFault: a file that cannot be written, and whose fsync then
// turns out to have failed, is not trusted up to where it was written.
func TestFsyncFailsUnderAFault(t *testing.T) {
	d := slowFsync(t, faultfs.Fault{Err: syscall.EIO, Lose: true})
	remove := d.fs.Inject(faultfs.Fault{Op: faultfs.Write, Path: firstIncr, Err: syscall.EIO})
	d.append(0, 1, "b")
	d.w.step()
	remove()
	d.land()
	d.pass(time.Second)
	d.pass(time.Second)
	if d.w.Fault() != nil || d.w.Durable() != d.log.Offset() || !slices.Equal(ids(d.after()), []int{0, 1}) {
		t.Errorf("fault %v, durable %d of %d, after %v", d.w.Fault(), d.w.Durable(), d.log.Offset(), d.after())
	}
}

// TestWaitsForFsync: whoever needs to know what is durable waits for the fsync under
// way, and hears of its failure.
func TestWaitsForFsync(t *testing.T) {
	for _, test := range []struct {
		name string
		do   func(d *slow) error
	}{
		{"flush", func(d *slow) error { return d.w.Flush() }},
		{"turned off", func(d *slow) error { return d.w.TurnOff() }},
		{"rewrite", func(d *slow) error {
			r, err := d.w.BeginRewrite(false)
			must(t, err)
			must(t, d.writeBase(r, d.units))
			return r.Publish()
		}},
	} {
		for _, fails := range []error{nil, syscall.EIO} {
			d := slowFsync(t, faultfs.Fault{Err: fails, Lose: true})
			d.append(0, 1, "b")
			result := make(chan error, 1)
			ran := make(chan struct{})
			go func() { d.w.Run(); close(ran) }()
			go func() { result <- test.do(d) }()
			select {
			case err := <-result:
				t.Errorf("%s: over before the fsync: %v", test.name, err)
			case <-time.After(20 * time.Millisecond):
			}
			close(d.end)
			err := <-result
			if got := ids(d.after()); err == nil && !slices.Equal(got, []int{0, 1}) {
				t.Errorf("%s, fsync %v: a power failure leaves %v", test.name, fails, got)
			}
			if fails == nil && err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			d.w.Stop()
			<-ran
		}
	}
}

// TestAlwaysDuringFsync: a change to always is true of the first reply after it.
func TestAlwaysDuringFsync(t *testing.T) {
	d := slowFsync(t, faultfs.Fault{})
	d.append(0, 1, "b")
	d.w.Configure(Settings{Policy: Always})
	stepped := make(chan struct{})
	go func() { d.w.step(); close(stepped) }()
	time.Sleep(5 * time.Millisecond)
	if d.gate.Passed() != 0 {
		t.Errorf("the gate is at %d during the fsync", d.gate.Passed())
	}
	close(d.end)
	<-stepped
	if d.gate.Passed() != d.log.Offset() || len(d.after()) != 2 {
		t.Errorf("the gate is at %d of %d, after %v", d.gate.Passed(), d.log.Offset(), d.after())
	}
}

// TestMuchIsSyncedSooner: with everysec the log does not grow by all that is written in
// a second.
func TestMuchIsSyncedSooner(t *testing.T) {
	d := started(t, Settings{Policy: EverySec})
	most := uint64(0)
	for range 40 {
		d.append(0, 1, strings.Repeat("x", 1<<20))
		d.step()
		most = max(most, d.log.Offset()-d.log.First())
	}
	if most > 2*syncBytes {
		t.Errorf("the log had %d bytes", most)
	}
}
