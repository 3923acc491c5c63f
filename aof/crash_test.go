package aof

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/faultfs"
)

// A history of all that a writer does, of which the disk is copied before each call
// that it gets: as a power failure leaves it, in several ways, and as kill -9 does.
// Each copy is started from, and must hold what was promised by then.

// everyOp is all calls of the disk that change something, and those that open files.
const everyOp = faultfs.Open | faultfs.Create | faultfs.Write | faultfs.Sync | faultfs.Truncate | faultfs.Rename |
	faultfs.Remove | faultfs.Mkdir | faultfs.SyncDir

// moment is the disk before one of its calls, and how many units were promised then.
type moment struct {
	call  int
	what  string
	disk  *faultfs.Mem
	units []unit
}

// crashes is a world whose disk is copied again and again.
type crashes struct {
	*world
	what    string // is being done
	calls   int
	from    int // the first call before which the disk is copied
	to      int
	ways    uint64
	moments []moment
}

// look copies the disk.
func (c *crashes) look() {
	c.calls++
	if c.calls < c.from || c.calls >= c.to {
		return
	}
	units := slices.Clone(c.world.units)
	for i := range units {
		u := &units[i]
		u.kept = u.kept || u.end <= c.gate.Passed() && c.w.State() == On
	}
	name := fmt.Sprintf("call %d, %s", c.calls, c.what)
	for way := range c.ways {
		c.moments = append(c.moments, moment{c.calls, fmt.Sprintf("%s, power failure %d", name, way), c.disk.CrashClone(uint64(c.calls)<<8 + way), units})
	}
	c.moments = append(c.moments, moment{c.calls, name + ", kill -9", c.disk.KeepAll(), units})
}

// do takes a step of the history.
func (c *crashes) do(what string, step func()) {
	c.what = what
	step()
}

// tryRewrite is rewrite on a disk that may fail: a base that cannot be written is
// what Abort is for.
func (c *crashes) tryRewrite() {
	if err := c.rewrite(); err != nil && !errors.Is(err, syscall.EIO) && !errors.Is(err, errDoubtful) {
		c.t.Errorf("%s: %v", c.what, err)
	}
}

// history is what is done. Faults of the disk may happen in it.
func (c *crashes) history() {
	write := func() {
		c.append(0, 1, "x")
		c.append(1, 3, strings.Repeat("y", 100))
		c.step()
	}
	c.do("the first base", c.tryRewrite)
	c.do("writes", write)
	c.do("a rewrite with writes meanwhile", func() {
		c.append(0, 2, "before")
		r, err := c.w.BeginRewrite(false)
		must(c.t, err)
		before := slices.Clone(c.world.units)
		write()
		err = c.writeBase(r, before)
		write()
		r.wish(err == nil, err)
		c.step()
		c.append(2, 1, "after")
		c.step()
		<-r.Done()
	})
	c.do("a rewrite that is given up", func() {
		r, err := c.w.BeginRewrite(false)
		must(c.t, err)
		write()
		r.wish(false, errors.New("given up"))
		c.step()
	})
	c.do("a second", func() { c.pass(time.Second); write() })
	c.do("turning off", func() {
		off := make(chan error, 1)
		c.w.ask(func(r *requests) { r.off = append(r.off, off) })
		c.step()
		<-off
	})
	c.do("turning on again", func() { c.tryRewrite(); write() })
	c.do("another second", func() { c.pass(time.Second); write() })
	c.do("the last rewrite", func() { c.tryRewrite(); write() })
}

// run plays the history on a new disk, with a fault or none.
func run(t *testing.T, p Policy, f *faultfs.Fault, from, to int, ways uint64) *crashes {
	t.Helper()
	c := &crashes{from: from, to: to, ways: ways}
	c.world, _ = boot(t, newDisk(t), Settings{Policy: p})
	if f != nil {
		c.fs.Inject(*f)
	}
	c.fs.Inject(faultfs.Fault{Op: everyOp, Wait: c.look})
	c.history()
	c.what = "the end"
	c.to = max(c.to, c.calls+2)
	c.look()
	c.close()
	return c
}

// check starts from a moment, and from what comes of that.
func (m *moment) check(t *testing.T, note string) {
	t.Helper()
	d, loaded := boot(t, m.disk, Settings{Policy: Always})
	defer d.close()
	n, err := compare(m.units, loaded)
	if err != nil {
		t.Fatalf("%s%s: %v\n%s", note, m.what, err, describe(d.store))
	}
	if d.store.Set().Empty() {
		return // nothing is there, and nothing was promised
	}
	must(t, d.w.Resume())
	d.world2(m.units[:n])
	d.append(0, 1, "again")
	d.step()
	if d.gate.Passed() != d.log.Offset() {
		t.Fatalf("%s%s: a write on a good disk is not durable", note, m.what)
	}
	again, loaded := boot(t, d.disk.CrashClone(1), Settings{Policy: Always})
	defer again.close()
	if _, err := compare(d.units, loaded); err != nil {
		t.Fatalf("%s%s, after the start from it: %v\n%s", note, m.what, err, describe(again.store))
	}
}

// world2 is for a world that goes on after others: these units are of theirs.
func (d *world) world2(units []unit) {
	d.next = 1 << 20
	for _, u := range units {
		u.kept = true
		d.units = append(d.units, u)
	}
}

// TestCrashAtEveryCall crashes before each call of the disk.
func TestCrashAtEveryCall(t *testing.T) {
	for _, p := range []Policy{Always, EverySec} {
		c := run(t, p, nil, 0, 1<<30, 4)
		t.Logf("%d calls, %d crashes", c.calls, len(c.moments))
		for i := range c.moments {
			c.moments[i].check(t, "")
		}
	}
}

// TestCrashAfterEveryFault has each call of the disk fail in turn, and crashes before
// each of those that follow soon, and at the end.
func TestCrashAfterEveryFault(t *testing.T) {
	every, near := 1, 25
	if testing.Short() {
		every, near = 3, 12
	}
	for _, p := range []Policy{Always, EverySec} {
		calls := run(t, p, nil, 1<<30, 1<<30, 0).calls
		for n := 0; n < calls; n += every {
			for _, op := range []faultfs.Op{everyOp, faultfs.Sync | faultfs.SyncDir} {
				f := &faultfs.Fault{Op: op, Skip: n, Times: 1, Err: syscall.EIO, Short: 7, Lose: n%2 == 0}
				c := run(t, p, f, n, n+near, 2)
				for i := range c.moments {
					c.moments[i].check(t, fmt.Sprintf("policy %d, call %d failed, then ", p, n+1))
				}
			}
		}
	}
}

// TestCrashInUpgrade crashes before each call while an old single file is taken over and
// gone on with, and has each call fail: what it holds is there ever after.
func TestCrashInUpgrade(t *testing.T) {
	const old = 3
	var content string
	var units []unit
	for id := range old {
		content += set(fmt.Sprint(id))
		units = append(units, unit{ids: []int{id}, kept: true})
	}
	upgrade := func(fs *faultfs.FS) error {
		s, err := Open(placeOn(fs))
		if err != nil {
			return err
		}
		defer s.Close()
		s.Tidy(false)
		return s.Upgrade()
	}
	fresh := func() (*faultfs.Mem, *faultfs.FS) {
		disk := withFiles(t, map[string]string{"../appendonly.aof": content})
		return disk, faultfs.Wrap(disk)
	}
	var moments []moment
	for n := -1; n < 30; n++ { // -1: no call fails
		disk, fs := fresh()
		if n >= 0 {
			fs.Inject(faultfs.Fault{Op: everyOp, Skip: n, Times: 1, Err: syscall.EIO})
		}
		look := func() {
			for way := range uint64(3) {
				moments = append(moments, moment{what: fmt.Sprintf("call %d failed, power failure %d", n+1, way), disk: disk.CrashClone(uint64(len(moments))), units: units})
			}
		}
		fs.Inject(faultfs.Fault{Op: everyOp, Wait: look})
		if err := upgrade(fs); err != nil && n < 0 {
			t.Fatal(err)
		}
		look()
	}
	for i := range moments {
		m := &moments[i]
		if err := upgrade(faultfs.Wrap(m.disk)); err != nil {
			t.Fatalf("%s: %v", m.what, err)
		}
		m.check(t, "")
	}
}
