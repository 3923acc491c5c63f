package e2e

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

var replKills = flag.Int("repl-kills", 3, "TestReplicationKilled: how many kills there are for each fsync policy")

// pairKilled are a primary and its replica, each with an append only file, one of which is
// killed again and again.
type pairKilled struct {
	*linked
	r      *rand.Rand
	config []string
	dirs   [2]string // of the primary, and of the replica
}

// TestReplicationKilled: primary and replica are killed under load, in turn by chance, and come
// back from their append only files: in their roles, or the old primary as the replica of the
// one that was promoted meanwhile. Nothing is lost that was acknowledged, the data is the same
// in the end, and a replica that was killed never gets a snapshot.
func TestReplicationKilled(t *testing.T) {
	for _, sync := range []string{"always", "everysec"} {
		t.Run(sync, func(t *testing.T) {
			t.Parallel()
			seed := uint64(time.Now().UnixNano())
			t.Logf("seed %d", seed)
			p := newPairKilled(t, seed, sync)
			for n := range *replKills {
				switch what := (int(seed%3) + n) % 3; {
				case what == 0:
					p.killReplica()
				case what == 1:
					p.killPrimary()
				default:
					p.replacePrimary()
				}
			}
		})
	}
}

func newPairKilled(t *testing.T, seed uint64, sync string) *pairKilled {
	p := &pairKilled{
		r: rand.New(rand.NewPCG(seed, 1)), dirs: [2]string{t.TempDir(), t.TempDir()},
		config: []string{"--appendonly", "yes", "--appendfsync", sync, "--save", "", "--repl-backlog-size", "16mb"},
	}
	primary, replica := again(t, false, p.dirs[0], p.config...), again(t, false, p.dirs[1], p.config...)
	everyType(t, primary)
	p.linked = linkUp(t, primary, replica)
	p.whole(replica)
	return p
}

// whole waits until a restart would find the data.
func (p *pairKilled) whole(s *testutil.Server) {
	p.t.Helper()
	until(p.t, "the append only file", func() bool { return info(p.t, s, "aof_starting") == "0" }, s)
}

// work writes for a while, and rewrites a file now and then.
func (p *pairKilled) work() {
	p.load()
	for _, s := range []*testutil.Server{p.primary, p.replica} {
		if p.r.IntN(3) == 0 {
			ask(p.t, s, "BGREWRITEAOF")
		}
	}
	time.Sleep(100*time.Millisecond + time.Duration(p.r.IntN(300))*time.Millisecond)
}

// killReplica: it goes on from where its file ends.
func (p *pairKilled) killReplica() {
	p.t.Helper()
	p.work()
	before := fulls(p.t, p.primary)
	kill(p.t, p.replica)
	p.replica = again(p.t, false, p.dirs[1], append(p.config, "--replicaof", strings.Replace(p.way.Addr(), ":", " ", 1))...)
	p.settle()
	if n := fulls(p.t, p.primary) - before; n != 0 {
		p.t.Errorf("the replica that was killed got %d snapshots\n%s\n%s", n, p.replica.Log(), p.primary.Log())
	}
}

// killPrimary: all that it has acknowledged is in its file. What it has sent its replica besides
// costs a snapshot.
func (p *pairKilled) killPrimary() {
	p.t.Helper()
	p.work()
	least := p.ledger.Acked()
	kill(p.t, p.primary)
	_ = p.end() // its connections have ended
	p.restartPrimary(least)
	p.load()
	time.Sleep(100 * time.Millisecond)
	p.settle()
	p.lacking(p.primary, p.replica)
}

func (p *pairKilled) restartPrimary(least []int) {
	p.t.Helper()
	most := p.ledger.Sent()
	former := info(p.t, p.replica, "master_replid")
	p.primary = again(p.t, false, p.dirs[0], p.config...)
	p.way.Retarget(p.primary.Addr())
	if got := info(p.t, p.primary, "master_replid"); got == former {
		p.t.Fatalf("the primary goes on under the name of the history that it may have lost a part of")
	}
	found, err := p.ledger.Check(p.primary.Addr(), least, most)
	must(p.t, err)
	p.ledger.Continue(found)
}

// lacking checks that a snapshot was needed, if there was one: the one who got it had writes
// that the other one had not, and has kept them.
func (p *pairKilled) lacking(primary, other *testutil.Server) {
	p.t.Helper()
	n, log := fulls(p.t, primary), other.Log() // the first one may be asked for only to look twice
	if n > 2 || n > 0 && !strings.Contains(log, "were kept in rescue-") {
		p.t.Errorf("%d snapshots were sent for nothing\n%s\n%s", n, log, primary.Log())
	}

}

// replacePrimary: the replica is promoted, and the old primary comes back as a replica of it.
func (p *pairKilled) replacePrimary() {
	p.t.Helper()
	p.work()
	kill(p.t, p.primary)
	_ = p.end()
	before := fulls(p.t, p.replica)
	promote(p.t, p.replica)
	found, err := p.ledger.Check(p.replica.Addr(), make([]int, len(p.ledger.Acked())), p.ledger.Sent()) // it may have been behind
	must(p.t, err)
	p.ledger.Continue(found)
	p.primary, p.replica = p.replica, again(p.t, false, p.dirs[0], p.config...)
	p.dirs[0], p.dirs[1] = p.dirs[1], p.dirs[0]
	p.load()
	p.way.Retarget(p.primary.Addr())
	follow(p.t, p.replica, p.way.Addr())
	p.settle()
	if n := fulls(p.t, p.primary) - before; n > 1 || n == 1 && !strings.Contains(p.replica.Log(), "were kept in rescue-") {
		p.t.Errorf("%d snapshots were sent for nothing\n%s\n%s", n, p.replica.Log(), p.primary.Log())
	}
}
