package aof

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/faultfs"
)

var (
	modelSeed   = flag.Uint64("seed", 0, "of the model test; 0 takes the fixed ones")
	modelRounds = flag.Int("rounds", 150, "how many histories the model test runs")
)

// TestModel runs random histories of appends, rewrites, faults of the disk and
// power failures, and looks after each failure that everything the gate has
// passed is there, and that what is there is a beginning of the history which
// ends between two units.
func TestModel(t *testing.T) {
	rounds := uint64(*modelRounds)
	if testing.Short() {
		rounds = min(rounds, 40)
	}
	first := uint64(1)
	if *modelSeed != 0 {
		first, rounds = *modelSeed, 1
	}
	for seed := first; seed < first+rounds; seed++ {
		if !t.Run(fmt.Sprint("seed=", seed), func(t *testing.T) { newModel(t, seed).run() }) {
			return
		}
	}
}

type model struct {
	*world
	t     *testing.T
	seed  uint64
	rnd   *rand.Rand
	rw    *Rewrite
	units int // units before rw's offset
	air   []*flight
	trace []string
}

func newModel(t *testing.T, seed uint64) *model {
	m := &model{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1))}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("-seed=%d, the history:\n%s", seed, strings.Join(m.trace, "\n"))
		}
	})
	m.world, _ = boot(t, newDisk(t), m.settings())
	m.w.launch = m.launch
	must(t, m.world.rewrite())
	return m
}

func (m *model) settings() Settings {
	return Settings{Policy: [...]Policy{Always, Always, EverySec, No}[m.rnd.IntN(4)], Timestamps: m.rnd.IntN(2) == 0}
}

// launch has an fsync made and noticed at once, made at once and noticed later, or
// both later. One that fails is noticed at once: what is written to a file behind
// what the system has dropped makes a hole, which a start refuses.
func (m *model) launch(f *flight) {
	how := m.rnd.IntN(3)
	if how == 0 || how == 1 && f.sync() != nil {
		m.w.arrive(f)
		return
	}
	m.air = append(m.air, f)
	m.note("an fsync up to %d begins", f.upto.pos)
}

// arrive ends the fsyncs that were put off.
func (m *model) arrive() {
	for _, f := range m.air {
		m.w.arrive(f)
		m.note("the fsync up to %d is over", f.upto.pos)
	}
	m.air = nil
}

func (m *model) note(format string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(format, args...))
}

func (m *model) run() {
	for range 400 {
		m.act()
		if m.t.Failed() {
			return
		}
	}
	m.fs.Heal()
	m.disk.SetCapacity(1 << 40)
	m.recovers()
	m.crash(false)
}

func (m *model) act() {
	switch p := m.rnd.IntN(100); {
	case p < 40:
		n := max(1, m.rnd.IntN(8)-4)
		db, pad := m.rnd.IntN(3), strings.Repeat("x", m.rnd.IntN(1<<m.rnd.IntN(12)))
		m.append(db, n, pad)
		m.note("append %d commands of %d to db %d, end %d", n, len(pad), db, m.log.Offset())
	case p < 65:
		m.step()
		m.note("step: durable %d of %d, gate %d, fault %v", m.w.Durable(), m.log.Offset(), m.gate.Passed(), m.w.Fault())
	case p < 68:
		m.arrive()
	case p < 78:
		by := time.Duration(m.rnd.IntN(900)) * time.Millisecond
		m.pass(by)
		m.note("%v passed: durable %d of %d, gate %d, fault %v", by, m.w.Durable(), m.log.Offset(), m.gate.Passed(), m.w.Fault())
	case p < 86:
		m.rewriting()
	case p < 91:
		m.break_()
	case p < 95:
		m.fs.Heal()
		m.disk.SetCapacity(1 << 40)
		m.note("heal")
	case p < 96:
		m.turnOff()
	default:
		m.crash(m.rnd.IntN(4) == 0)
	}
}

// rewriting begins a rewrite or takes the next step of it.
func (m *model) rewriting() {
	if m.rw == nil {
		rw, err := m.w.BeginRewrite(false)
		must(m.t, err)
		m.rw, m.units = rw, len(m.world.units)
		m.note("rewrite from %d", rw.At())
		return
	}
	select {
	case <-m.rw.Done():
		m.note("rewrite ended: %v", m.rw.Err())
		m.rw = nil
		return
	default:
	}
	if m.rnd.IntN(5) == 0 {
		m.note("rewrite aborted")
		m.rw.wish(false, errors.New("aborted"))
		return
	}
	if publish, _ := m.rw.wishes(); publish {
		return
	}
	if err := m.writeBase(m.rw, m.world.units[:m.units]); err != nil {
		m.note("base: %v", err)
		m.rw.wish(false, err)
		return
	}
	m.note("publish")
	m.rw.wish(true, nil)
}

// break_ makes the disk fail in some way.
func (m *model) break_() {
	if m.rnd.IntN(4) == 0 {
		room := int64(m.rnd.IntN(3000))
		m.disk.SetCapacity(m.disk.Used() + room)
		m.note("only %d bytes left", room)
		return
	}
	ops := []faultfs.Op{faultfs.Write, faultfs.Sync, faultfs.Sync, faultfs.Rename, faultfs.Create, faultfs.SyncDir, faultfs.Truncate, faultfs.Remove, faultfs.Changes, faultfs.Open}
	errs := []error{syscall.EIO, syscall.ENOSPC, syscall.EROFS}
	f := faultfs.Fault{
		Op: ops[m.rnd.IntN(len(ops))], Skip: m.rnd.IntN(3), Times: m.rnd.IntN(4), Err: errs[m.rnd.IntN(3)],
		Short: m.rnd.IntN(50), Lose: m.rnd.IntN(2) == 0,
	}
	m.fs.Inject(f)
	m.note("fault %+v", f)
}

func (m *model) turnOff() {
	off := make(chan error, 1)
	m.w.ask(func(r *requests) { r.off = append(r.off, off) })
	m.step()
	m.note("off: %v", <-off)
	m.rw = nil
}

// recovers looks that the writer is well again soon after the disk is.
func (m *model) recovers() {
	for range 30 {
		m.arrive()
		m.pass(time.Second)
	}
	if m.w.cur == nil || m.w.cur.cure == cureRewrite {
		m.rw = nil
		if err := m.world.rewrite(); err != nil && !errors.Is(err, ErrRewriteRunning) {
			m.t.Errorf("rewrite on a good disk: %v", err)
		}
		m.pass(2 * time.Second)
		m.arrive()
		m.step()
	}
	if m.w.State() == On && m.strict() && (m.w.Fault() != nil || m.gate.Passed() != m.log.Offset()) {
		m.t.Errorf("the disk is good, but the gate is at %d of %d, fault %v", m.gate.Passed(), m.log.Offset(), m.w.Fault())
	}
}

// crash ends the world and begins the next with what is left: of the machine, or
// with gentle of the process only.
func (m *model) crash(gentle bool) {
	old := m.world
	after := old.disk.CrashClone(m.rnd.Uint64())
	if gentle {
		after = old.disk.KeepAll()
	}
	after.SetCapacity(1 << 40)
	m.note("crash, gentle=%v", gentle)
	fresh, loaded := boot(m.t, after, m.settings())
	old.close()
	m.world, m.rw, m.air = fresh, nil, nil
	m.w.launch = m.launch
	n := m.compare(old.units, loaded)
	for _, u := range old.units[:n] {
		u.end, u.kept = 0, true
		fresh.units = append(fresh.units, u)
	}
	fresh.next = old.next
	if n == 0 && fresh.store.Set().Manifest.Base == nil {
		must(m.t, fresh.rewrite())
		return
	}
	if err := fresh.w.Resume(); err != nil {
		m.t.Fatalf("resume: %v", err)
	}
}

// compare tells how many units were loaded.
func (m *model) compare(units []unit, loaded []got) int {
	m.t.Helper()
	n, err := compare(units, loaded)
	if err != nil {
		m.t.Fatal(err)
	}
	m.note("loaded %d of %d units", n, len(units))
	return n
}

// compare tells how many units were loaded; the error is that it was no beginning of
// them, or that some were promised which are not there.
func compare(units []unit, loaded []got) (n int, err error) {
	at := 0
	for _, u := range units {
		if at == len(loaded) {
			break
		}
		for i, id := range u.ids {
			if at == len(loaded) {
				return n, fmt.Errorf("unit %v was loaded in part, up to %d", u.ids, i)
			}
			if g := loaded[at]; g.id != id || g.db != u.db {
				return n, fmt.Errorf("loaded %d in db %d where %d in db %d was expected", g.id, g.db, id, u.db)
			}
			at++
		}
		n++
	}
	if at < len(loaded) {
		return n, fmt.Errorf("%d commands more than there were", len(loaded)-at)
	}
	for i, u := range units[n:] {
		if u.kept {
			return n, fmt.Errorf("unit %d (%v, end %d) was promised and is lost: only %d of %d are there", n+i, u.ids, u.end, n, len(units))
		}
	}
	return n, nil
}
