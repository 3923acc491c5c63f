package node_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// What befalls nodes in a run of the randomised test of replication, besides bad links.

// restart ends a node and starts it anew: as a primary, or following whom it followed, by its
// configuration or by an operator's word.
func (s *sim) restart(n *simNode) {
	orderly, lost, again, seed := s.chance(2), s.chance(2), s.rnd.IntN(4), s.rnd.Uint64()
	s.say("%s starts anew, orderly %v, power lost %v, way %d", n.name(), orderly, lost, again)
	if !n.keeps(orderly) || !orderly {
		s.promised = map[string]string{} // it may come back without, and lead
	}
	disk := n.disk
	if lost && !orderly {
		disk = n.disk.CrashClone(seed)
	}
	n.halt(orderly)
	if s.flight != nil && s.flight.n == n {
		s.land()
	}
	for key, at := range s.acked {
		if at == n.index && !n.keeps(orderly) {
			delete(s.acked, key)
		}
	}
	n.disk = disk
	of := n.of
	n.of = -1
	switch {
	case of >= 0 && again < 2:
		n.of = of
		n.boot(n.follows())
	case of >= 0 && again == 2:
		n.boot()
		s.followAt(n, of)
	default:
		n.boot()
	}
}

// follows is the directive for whom a node follows.
func (n *simNode) follows() string { return fmt.Sprintf("replicaof node-%d 1", n.of) }

// pauseFor ends a node in good order, when all have the same, and starts it anew: its history
// goes on.
func (s *sim) pauseFor(n *simNode) {
	s.land()
	if n.kind == keepsNothing {
		return
	}
	s.say("%s is away for a moment", n.name())
	s.mend()
	s.agree()
	n.again()
}

// again ends a node in good order and starts it anew.
func (n *simNode) again() {
	n.until("the append only file is complete", func() bool {
		return n.info("persistence", "aof_starting") != "1"
	})
	n.halt(true)
	if n.of < 0 {
		n.boot()
	} else {
		n.boot(n.follows())
	}
}

// until waits for something that comes by itself.
func (n *simNode) until(what string, is func() bool) {
	for end := time.Now().Add(simPatience); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			n.sim.hung(n.name() + ": " + what)
		}
	}
}

// mend has all links be good.
func (s *sim) mend() {
	for _, p := range s.links {
		p.Restore()
	}
}

// failover has a primary hand over, mostly under bad luck.
func (s *sim) failover() {
	p, to := s.writer(), s.someNode()
	timeout := 50 + s.rnd.IntN(1000)
	words := []string{"FAILOVER", "TIMEOUT", strconv.Itoa(timeout)}
	if s.chance(2) {
		words = append(words, "TO", to.name(), "1")
		if !s.gentle && s.chance(3) {
			words = append(words, "FORCE")
		}
	}
	luck, wait, d := s.rnd.IntN(8), time.Duration(s.rnd.IntN(5))*time.Millisecond, testutil.Direction(s.rnd.IntN(2))
	v := p.do(words...)
	s.say("%s: %v, luck %d: %v", p.name(), words, luck, v)
	if v.IsError() {
		return
	}
	time.Sleep(wait)
	if p != to {
		s.mishap(luck, p, to, d)
	}
	mend := time.Now().Add(time.Duration(timeout)*time.Millisecond + 300*time.Millisecond)
	p.until("the failover is over", func() bool {
		if time.Now().After(mend) { // the replica may have been asked: only an answer ends that
			s.mend()
		}
		return p.info("replication", "master_failover_state") == "no-failover"
	})
	s.look()
	s.say("%s: the failover is over; it follows %d", p.name(), p.of)
}

// mishap is what happens while a node hands over to another one.
func (s *sim) mishap(luck int, p, to *simNode, d testutil.Direction) {
	switch luck {
	case 0:
		p.link(to.index).Cut()
	case 1:
		to.link(p.index).Cut()
	case 2:
		p.link(to.index).Down()
	case 3:
		p.link(to.index).Still(d)
	case 4:
		to.link(p.index).Still(d)
	case 5:
		p.do("FAILOVER", "ABORT")
	}
}

// look finds out who follows whom.
func (s *sim) look() {
	for _, n := range s.nodes {
		n.of = -1
		if n.info("replication", "role") == "slave" {
			at, err := strconv.Atoi(strings.TrimPrefix(n.info("replication", "master_host"), "node-"))
			noError(s.t, err)
			n.of = at
		}
	}
}

// snapshots is how often a node has begun anew with a primary's data, and partials how often
// it has gone on.
func (n *simNode) snapshots() int { return strings.Count(n.log.String(), "Full resync from master") }
func (n *simNode) partials() int {
	return strings.Count(n.log.String(), "Successful partial resynchronization")
}

// blip cuts a good link of a primary's replica: it goes on where it was.
func (s *sim) blip() {
	n := s.someNode()
	if n.of < 0 || s.narrow {
		return
	}
	of := s.nodes[n.of]
	p := n.link(of.index)
	p.Restore()
	isUp := func() bool { return n.info("replication", "master_link_status") == "up" }
	for end := time.Now().Add(time.Second); !isUp(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return
		}
	}
	if of.info("replication", "role") != "master" {
		return
	}
	snapshots, partials := n.snapshots(), n.partials()
	s.say("%s: a blip", n.name())
	p.Cut()
	n.until("the link is up after a blip", func() bool { return n.snapshots()+n.partials() > snapshots+partials })
	if n.snapshots() != snapshots {
		s.fail("%s got a snapshot after a blip", n.name())
	}
}

// housekeep has a node write its files.
func (s *sim) housekeep() {
	n, what := s.someNode(), s.rnd.IntN(3)
	s.say("%s: files, %d", n.name(), what)
	switch {
	case what == 0 || n.kind == keepsNothing || n.kind == keepsEnd:
		n.do("BGSAVE")
	case what == 1 && n.kind == keepsSeconds:
		n.do("CONFIG", "SET", "appendonly", "no")
		n.do("CONFIG", "SET", "appendonly", "yes")
	default:
		n.do("BGREWRITEAOF")
	}
}

// jump changes a clock.
func (s *sim) jump() {
	n, by := s.someNode(), time.Duration(s.rnd.IntN(7200)-3600)*time.Second
	s.say("%s: the clock is wrong by %v", n.name(), by)
	n.clock.by.Store(int64(by))
}

// split has a replica lead behind its primary's back, and both take writes; then one of them
// has to give up.
func (s *sim) split() {
	n, dropped := s.someNode(), s.chance(2)
	if n.of < 0 || s.nodes[n.of].of >= 0 {
		return
	}
	s.land()
	p := s.nodes[n.of]
	s.lead(n)
	for _, side := range []*simNode{n, p} {
		s.burst(side)
		s.land()
	}
	s.burst(p)
	if dropped {
		s.followAt(p, n.index)
	} else {
		s.followAt(n, p.index)
	}
}

// storm has all follow one at once, over bad links, and something happens to the snapshots
// that are on their way.
func (s *sim) storm() {
	to, other := s.someNode(), s.someNode()
	s.say("all come to %s", to.name())
	for _, n := range s.nodes {
		if n != to {
			n.link(to.index).Throttle(testutil.Down, 20_000+s.rnd.IntN(1_000_000))
			s.followAt(n, to.index)
		}
	}
	time.Sleep(time.Duration(s.rnd.IntN(150)) * time.Millisecond)
	luck := s.rnd.IntN(6)
	s.say("luck %d, %s", luck, other.name())
	switch luck {
	case 0:
		for _, n := range s.nodes {
			if n != to {
				n.link(to.index).Cut()
			}
		}
	case 1:
		s.restart(to)
	case 2:
		s.restart(other)
	case 3:
		to.do("CLIENT", "KILL", "TYPE", "replica")
	case 4:
		s.lead(other)
	}
	if s.chance(2) {
		s.mend()
	}
}

// scribble has clients write to a replica, what is over soon.
func (s *sim) scribble(n *simNode) {
	if n.of < 0 || s.flight != nil && s.flight.n == n {
		return
	}
	s.strays = true
	s.say("clients write to %s", n.name())
	n.do("SELECT", "0")
	n.do("CONFIG", "SET", "replica-read-only", "no")
	for i := range 5 {
		key := fmt.Sprintf("own:%d:%d", n.index, i)
		n.do("SET", key, "v", "PX", strconv.Itoa(1+s.rnd.IntN(200)))
		n.do("MULTI")
		n.do("RPUSH", key+":list", "a", "b")
		n.do("PEXPIRE", key+":list", strconv.Itoa(1+s.rnd.IntN(200)))
		n.do("EXEC")
	}
	n.do("CONFIG", "SET", "replica-read-only", "yes")
}
