package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// broken is a handing over under load, half way through which something ends.
type broken struct {
	*handover
	dirs   [2]string // of who was the primary at first, and who the replica
	ledger *testutil.Ledger
	end    func() error
}

func breakable(t *testing.T) *broken {
	b := &broken{dirs: [2]string{t.TempDir(), t.TempDir()}, ledger: testutil.NewLedger(50)}
	b.handover = handoverOf(t, again(t, false, b.dirs[0], "--appendonly", "yes"), again(t, false, b.dirs[1], "--appendonly", "yes"))
	end, err := b.ledger.Begin(b.old.Addr(), b.new.Addr())
	must(t, err)
	b.end = end
	time.Sleep(150 * time.Millisecond)
	return b
}

// restarted starts a killed server again, which is reached as before.
func (b *broken) restarted(who *seat, dir string) {
	b.t.Helper()
	if who.Alive() {
		kill(b.t, who.Server)
	}
	who.Server = again(b.t, false, dir, "--appendonly", "yes", "--replica-announce-ip", "127.0.0.1", "--replica-announce-port", who.port())
	who.way.Retarget(who.Addr())
}

// all checks that a server has everything that was acknowledged.
func (b *broken) all(s *seat) {
	b.t.Helper()
	if slices.Max(b.ledger.Acked()) == 0 {
		b.t.Error("nothing was written")
	}
	if _, err := b.ledger.Check(s.Addr(), b.ledger.Acked(), b.ledger.Sent()); err != nil {
		b.t.Errorf("%v\n%s\n%s", err, b.old.Log(), b.new.Log())
	}
}

// asked hands over up to where the request to take over is on its way, or its answer.
func (b *broken) asked(d testutil.Direction, mark string) {
	b.t.Helper()
	b.new.way.StillAt(d, mark)
	b.to()
	until(b.t, mark, func() bool { return b.new.way.Trapped(d) }, b.old.Server, b.new.Server)
}

// TestFailoverBroken: processes are killed, and the new primary is cut away, at each step of a
// handing over. What was acknowledged is there, and where two take writes they know that
// these are of different histories.
func TestFailoverBroken(t *testing.T) {
	for _, c := range []struct {
		name string
		run  func(b *broken)
		long bool
	}{
		{"old killed when it waits", (*broken).killedWaiting, true},
		{"old killed when it has asked", (*broken).killedAsking, false},
		{"old ended when it has asked", (*broken).endedAsking, true},
		{"old killed when it has handed over", (*broken).killedAfter, true},
		{"old killed when it has handed over, and written to", (*broken).writtenAfter, false},
		{"new killed when it was asked", (*broken).targetKilled, true},
		{"new cut away when it has taken over", (*broken).targetCut, false},
	} {
		if c.long && testing.Short() {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(breakable(t))
		})
	}
}

// killedWaiting: there was no handing over.
func (b *broken) killedWaiting() {
	b.old.way.Still(testutil.Down)
	time.Sleep(50 * time.Millisecond)
	b.to()
	b.restarted(b.old, b.dirs[0])
	must(b.t, b.end())
	b.old.way.Restore()
	b.roles("master", "slave")
	b.all(b.old)
	inStep(b.t, b.old.Server, b.new.Server)
}

// killedAsking: the request arrives when the old primary is there again, as one.
func (b *broken) killedAsking() { b.late(func() {}) }

// endedAsking: the same, and the old primary goes on in the same history.
func (b *broken) endedAsking() {
	b.late(func() { must(b.t, b.old.Terminate()) })
	if n := fulls(b.t, b.old.Server); n != 0 {
		b.t.Errorf("a full resync was needed")
	}
}

func (b *broken) late(end func()) {
	t := b.t
	b.asked(testutil.Up, "FAILOVER")
	end()
	b.restarted(b.old, b.dirs[0])
	must(t, b.end())
	inStep(t, b.old.Server, b.new.Server)
	b.new.way.Restore()
	until(t, "the late request", func() bool { return strings.Contains(b.new.Log(), "Failover request received") }, b.new.Server)
	b.roles("master", "slave")
	ask(t, b.old.Server, "SET", "written", "after")
	inStep(t, b.old.Server, b.new.Server)
	b.all(b.old)
}

// killedAfter: the new primary goes on, and the old one, started again, can follow.
func (b *broken) killedAfter() {
	t := b.t
	b.handsOverUnheard()
	b.all(b.new)
	follow(t, b.old.Server, b.new.way.Addr())
	inStep(t, b.new.Server, b.old.Server)
	b.all(b.old)
}

// handsOverUnheard has the old primary die before it hears that the new one has taken over.
func (b *broken) handsOverUnheard() {
	t := b.t
	b.asked(testutil.Down, "+CONTINUE")
	b.restarted(b.old, b.dirs[0])
	time.Sleep(100 * time.Millisecond)
	must(t, b.end())
	b.new.way.Restore()
	b.roles("master", "master")
	if theirs, ours := info(t, b.new.Server, "master_replid"), info(t, b.old.Server, "master_replid"); theirs == ours {
		t.Errorf("two primaries write the history %s", ours)
	}
}

// writtenAfter: what the old primary, started again, is given to write is kept when it follows.
func (b *broken) writtenAfter() {
	t := b.t
	b.handsOverUnheard()
	b.all(b.new)
	ask(t, b.old.Server, "SET", "written", "after")
	follow(t, b.old.Server, b.new.way.Addr())
	inStep(t, b.new.Server, b.old.Server)
	b.all(b.old)
	if n := info(t, b.old.Server, "dozo_rescue_files"); n != "1" {
		t.Errorf("%s rescue files\n%s", n, b.old.Log())
	}
}

// targetKilled: it is a primary when it is started again, as its configuration says.
func (b *broken) targetKilled() {
	t := b.t
	b.asked(testutil.Up, "FAILOVER")
	b.restarted(b.new, b.dirs[1])
	b.new.way.Restore()
	b.awaitState("no-failover")
	time.Sleep(100 * time.Millisecond)
	must(t, b.end())
	b.roles("slave", "master")
	inStep(t, b.new.Server, b.old.Server)
	b.all(b.new)
}

// targetCut: it takes writes; the old primary does not, whatever it is asked for, and follows when it can.
func (b *broken) targetCut() {
	t := b.t
	b.asked(testutil.Down, "+CONTINUE")
	before := b.ledger.Acked()
	b.new.way.Down()
	until(t, "writes of all", func() bool {
		for i, n := range b.ledger.Acked() {
			if n <= before[i] {
				return false
			}
		}
		return true
	}, b.old.Server, b.new.Server)
	for _, words := range [][]string{{"FAILOVER", "ABORT"}, {"SET", "a", "b"}} {
		if v := b.old.Conn(t, 2).Do(words...); !v.IsError() {
			t.Errorf("%q of the old primary: %v", words, v)
		}
	}
	b.roles("slave", "master")
	b.new.way.Restore()
	b.awaitState("no-failover")
	must(t, b.end())
	inStep(t, b.new.Server, b.old.Server)
	for _, s := range []*seat{b.old, b.new} {
		b.all(s)
	}
	if n := fulls(t, b.new.Server); n != 0 {
		t.Errorf("a full resync was needed")
	}
}
