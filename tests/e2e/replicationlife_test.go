package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// again starts a server on the folder of one that has ended.
func again(t *testing.T, redis bool, dir string, config ...string) *testutil.Server {
	t.Helper()
	return started(t, redis, dir, append([]string{"--repl-diskless-sync-delay", "0"}, config...)...)
}

// TestReplicationKilledInTransfer: either end is killed in the middle of a transfer. The
// replica has what it had before, or what the primary has, and nothing between.
func TestReplicationKilledInTransfer(t *testing.T) {
	for _, redis := range [][2]bool{{false, false}, {true, false}, {false, true}} {
		for _, end := range []string{"primary", "replica"} {
			if testing.Short() && redis[0] != redis[1] {
				continue
			}
			t.Run(fmt.Sprintf("%v,%s", redis, end), func(t *testing.T) {
				t.Parallel()
				killedInTransfer(t, redis, end == "primary")
			})
		}
	}
}

func killedInTransfer(t *testing.T, redis [2]bool, killPrimary bool) {
	dirs := []string{t.TempDir(), t.TempDir()}
	primary := again(t, redis[0], dirs[0], "--save", "")
	replica := again(t, redis[1], dirs[1], "--save", "")
	everyType(t, primary)
	ask(t, primary, "SAVE")
	ask(t, replica, "SET", "former", "data")
	ask(t, replica, "SAVE")
	way := testutil.StartProxy(t, primary.Addr())
	way.Throttle(testutil.Down, 100_000)
	follow(t, replica, way.Addr())
	until(t, "the transfer", func() bool {
		return info(t, replica, "master_sync_in_progress") == "1" && way.Passed(testutil.Down) > 30_000
	}, replica)
	if killPrimary {
		kill(t, primary)
		until(t, "its end to be noticed", func() bool { return info(t, replica, "master_sync_in_progress") == "0" }, replica)
		if got := ask(t, replica, "GET", "former"); got != "data" && !redis[1] {
			t.Errorf("the replica has lost its data to a transfer that failed: %q", got)
		}
		primary = again(t, redis[0], dirs[0], "--save", "")
		way.Retarget(primary.Addr())
	} else {
		kill(t, replica)
		replica = again(t, redis[1], dirs[1], "--save", "")
		if got := ask(t, replica, "GET", "former"); got != "data" || ask(t, replica, "DBSIZE") != "1" {
			t.Errorf("after the restart the replica has %q, of %s keys", got, ask(t, replica, "DBSIZE"))
		}
		follow(t, replica, way.Addr())
	}
	way.Restore()
	vary(t, primary)
	inStep(t, primary, replica)
	sameDigest(t, "in the end", primary, replica)
}

// TestReplicationRestarts: each server is ended under load, in order and by a kill, and
// comes back; the other goes on as it should, and the data is the same.
func TestReplicationRestarts(t *testing.T) {
	for _, how := range []string{"in order", "killed"} {
		if testing.Short() && how != "killed" {
			continue
		}
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			restarts(t, how == "killed")
		})
	}
}

func restarts(t *testing.T, killed bool) {
	config := []string{"--appendonly", "yes", "--appendfsync", "always", "--save", ""}
	dirs := []string{t.TempDir(), t.TempDir()}
	primary, replica := again(t, false, dirs[0], config...), again(t, false, dirs[1], config...)
	everyType(t, primary)
	l := linkUp(t, primary, replica)
	stop := func(s *testutil.Server) {
		if killed {
			kill(t, s)
		} else {
			must(t, s.Terminate())
		}
	}
	l.load()
	time.Sleep(500 * time.Millisecond)
	until(t, "the file of the replica", func() bool { return info(t, replica, "aof_starting") == "0" }, replica)
	stop(replica)
	l.replica = again(t, false, dirs[1], append(config, "--replicaof", strings.Replace(l.way.Addr(), ":", " ", 1))...)
	l.settle()
	l.load()
	time.Sleep(500 * time.Millisecond)
	least := l.ledger.Promised(0)
	stop(primary)
	_ = l.end() // its connections have ended
	most := l.ledger.Sent()
	l.primary = again(t, false, dirs[0], config...)
	l.way.Retarget(l.primary.Addr())
	found, err := l.ledger.Check(l.primary.Addr(), least, most)
	must(t, err)
	l.ledger.Continue(found)
	l.load()
	time.Sleep(200 * time.Millisecond)
	l.settle()
}

// TestReplicationUpgrade: a genuine server's data goes over to a Dozo that was its replica,
// back again, and nothing that was acknowledged is lost, nor sent as a snapshot twice.
func TestReplicationUpgrade(t *testing.T) {
	t.Parallel()
	old, dozo := peer(t, true, "--repl-backlog-size", "64mb"), peer(t, false)
	everyType(t, old)
	follow(t, dozo, old.Addr())
	inStep(t, old, dozo)
	ledger := testutil.NewLedger(8)
	primary, replica, turns := old, dozo, 4
	if testing.Short() {
		turns = 2
	}
	for turn := range turns {
		end, err := ledger.Begin(primary.Addr())
		must(t, err)
		time.Sleep(400 * time.Millisecond)
		must(t, end())
		vary(t, primary)
		inStep(t, primary, replica)
		promote(t, replica)
		found, err := ledger.Check(replica.Addr(), ledger.Acked(), ledger.Sent())
		if err != nil {
			t.Errorf("turn %d: %v", turn, err)
		}
		ledger.Continue(found)
		follow(t, primary, replica.Addr())
		primary, replica = replica, primary
		inStep(t, primary, replica)
	}
	if a, b := fulls(t, old), fulls(t, dozo); a != 1 || b != 0 {
		t.Errorf("%d full resyncs by the genuine server and %d by Dozo, want 1 and 0\n%s\n%s", a, b, old.Log(), dozo.Log())
	}
}
