package node_test

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/env"
	"dozo/internal/faultfs"
	"dozo/persist"
)

var crashWays = flag.Uint64("crash-ways", 1, "power failures before each call of the disk")

// shifted is a clock that a test moves.
type shifted struct {
	env.Clock
	by *atomic.Int64
}

func (c shifted) Wall() time.Duration { return c.Clock.Wall() + time.Duration(c.by.Load()) }

// doomed is a server whose disk is copied before each call that it gets, with what was
// promised by then: a count that the data must have reached.
type doomed struct {
	*machine
	clock    shifted
	promised atomic.Int64
	settled  atomic.Bool // no CONFIG SET is under way
	aof      atomic.Bool // what the configuration says

	mu      sync.Mutex
	calls   int
	moments []doom
}

type doom struct {
	call         int
	what         string
	disk         *faultfs.Mem
	promised     int64
	settled, aof bool
}

func (d *doomed) look() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls++
	m := doom{call: d.calls, promised: d.promised.Load(), settled: d.settled.Load(), aof: d.aof.Load()}
	for way := range *crashWays {
		m.what, m.disk = fmt.Sprintf("power failure %d", way), d.disk.CrashClone(uint64(d.calls)<<8+way)
		d.moments = append(d.moments, m)
	}
	m.what, m.disk = "kill -9", d.disk.KeepAll()
	d.moments = append(d.moments, m)
}

// count counts up, and has it promised by a command.
func (d *doomed) count(promise string) {
	d.do("INCR count")
	d.do(promise)
	d.promised.Add(1)
}

// turn turns the append only file on or off, and waits until that is so. When it is off
// it has more than the snapshot until the next save.
func (d *doomed) turn(on bool) {
	word := map[bool]string{true: "yes", false: "no"}[on]
	d.settled.Store(false)
	d.do("CONFIG SET appendonly " + word)
	d.aof.Store(on)
	if on {
		d.untilInfo("aof_starting", "0")
		d.untilWord(runFile, isOn)
	} else {
		d.untilWord(runFile, isOff)
		d.count("SAVE")
	}
	d.settled.Store(true)
}

// live is what happens before the crashes. Time passes between the steps, or all of it is
// in a second or two.
func (d *doomed) live(pass time.Duration) {
	const synced = "WAITAOF 1 0 0"
	for _, step := range []func(){
		func() { d.count("SAVE") },
		func() { d.turn(true) },
		func() { d.count(synced) },
		func() {
			d.do("BGREWRITEAOF")
			d.count(synced)
			d.untilInfo("aof_rewrite_in_progress", "0")
			d.count(synced)
		},
		func() { d.do("BGSAVE"); d.count(synced); d.untilInfo("rdb_bgsave_in_progress", "0"); d.count(synced) },
		func() { d.turn(false) },
		func() { d.count("SAVE") },
		func() { d.turn(true); d.count(synced) },
		func() {
			d.promised.Store(0)
			d.do("FLUSHALL")
			d.do("SET count 100")
			d.do(synced)
			d.promised.Store(100)
		},
		func() { d.count(synced); d.stop("SHUTDOWN SAVE") },
	} {
		step()
		d.clock.by.Add(int64(pass))
	}
}

// markerPause is what each call for a marker takes.
const markerPause = 3 * time.Millisecond

// TestCrashAtEveryCall crashes before each call of the disk of a server that does all
// that it does to its files, and starts from what is left, with appendonly as it was,
// and with the other: the data is there, or the start is refused in words, and that
// only if something was being changed.
func TestCrashAtEveryCall(t *testing.T) {
	for pass, policy := range map[time.Duration]string{0: always, 5 * time.Second: "appendfsync everysec"} {
		disk := newDisk(t)
		clock := shifted{env.Real().Clock, &atomic.Int64{}}
		disk.SetClock(func() time.Time { return time.Unix(0, int64(clock.Wall())) })
		d := &doomed{clock: clock}
		d.settled.Store(true)
		var err error
		world := *env.Real()
		world.Clock = clock
		d.machine, err = bootIn(t, world, disk, policy)
		noError(t, err)
		const changes = faultfs.Changes | faultfs.Write | faultfs.Sync | faultfs.Truncate | faultfs.SyncDir
		d.fs.Inject(faultfs.Fault{Op: changes, Path: "*.run", Wait: func() {
			d.look()
			time.Sleep(markerPause) // so that who does not wait for a marker is ahead of it
		}})
		d.fs.Inject(faultfs.Fault{Op: changes, Wait: d.look})
		d.live(pass)
		d.fs.Heal()
		d.look()
		refusals := 0
		every := 1
		if testing.Short() {
			every = 10
		}
		for i := 0; i < len(d.moments); i += every {
			for _, appendOnly := range []bool{true, false} {
				if d.moments[i].check(t, world, appendOnly) {
					refusals++
				}
			}
		}
		t.Logf("%d calls, %d crashes, %d refusals", d.calls, len(d.moments), refusals)
	}
}

// check starts from a disk, and tells whether that is refused.
func (c *doom) check(t *testing.T, world env.Env, appendOnly bool) (refused bool) {
	t.Helper()
	word := map[bool]string{true: "yes", false: "no"}[appendOnly]
	note := fmt.Sprintf("call %d, %s, appendonly %s", c.call, c.what, word)
	m, err := bootIn(t, world, c.disk.KeepAll(), "appendonly "+word)
	if err != nil {
		if reason := (*persist.RefusedError)(nil); !errors.As(err, &reason) {
			t.Errorf("%s: %v", note, err)
		} else if c.settled && appendOnly == c.aof {
			t.Errorf("%s: %v", note, err)
		}
		return true
	}
	got, _ := strconv.ParseInt(m.do("GET count"), 10, 64)
	if got < c.promised {
		t.Errorf("%s: the count is %d, and %d was promised\n%s", note, got, c.promised, c.disk.Tree())
	}
	noError(t, m.node.Close())
	return false
}
