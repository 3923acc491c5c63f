package replication

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	simSeed  = flag.Uint64("simseed", 0, "plays one seed of the simulation, and tells it")
	simCount = flag.Int("simcount", 60, "how many seeds of the simulation to play")
)

// The simulation plays servers that follow each other, in chains and circles, on a network
// that delays, cuts and swallows, with restarts (with all, older or no data), promotions
// and handings over. A byte of the log is a number that is written once in the whole world,
// and the data is all bytes that were applied. So these can be seen at every moment:
//
//   - who goes on without a snapshot has a prefix of what it follows;
//   - what a replica applies is what its primary has at the same offset;
//   - nobody is attached to a snapshot that was released, or to a log that is not kept;
//   - who was asked to take over had everything that was written before.
//
// In the end all is well with the network, an operator tells all to follow the first, and
// all must have the same data soon.
type sim struct {
	t     *testing.T
	seed  uint64
	r     *rand.Rand
	now   time.Duration
	nodes []*simNode
	queue []simEvent
	next  int // the byte to be written next
	calm  bool
	seen  map[string]int
}

type simEvent struct {
	at time.Duration
	do func()
}

// simPort is the port of the first.
const simPort = 100

// simNode is one server.
type simNode struct {
	*sim
	id       int
	life     int
	data     []int
	saved    []int
	savedLin Lineage
	lineage  Lineage
	logging  bool
	first    int
	link     *Link
	primary  *Primary
	failover Failover
	paused   bool
	follows  int // -1 = nobody
	started  time.Duration
	up       *simConn // to the primary
	conns    []*simConn
	shots    map[uint64]*simShot
	handing  int
}

type simShot struct {
	data     []int
	whole    bool
	released bool
}

// simConn is a connection from a replica to its primary.
type simConn struct {
	from, to   *simNode
	try        uint64
	open       bool
	black      bool // all is swallowed
	toP, toR   time.Duration
	rep        *Replica
	pos, held  int // -1 = none
	shot       *simShot
	trailer    bool
	early      []func() // what came while a snapshot was loaded
	position   Position // that PSYNC asked for
	snapshotAt Position // what the replica is about to load
	reads      bool     // what comes, and does not wait for an answer on another connection
}

func (s *sim) fatalf(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d at %s: %s", s.seed, s.now, fmt.Sprintf(format, args...))
}

func (s *sim) tell(format string, args ...any) {
	if *simSeed != 0 {
		s.t.Logf("%8s %s", s.now, brief(fmt.Sprintf(format, args...)))
	}
}

func (s *sim) chance(percent float64) bool { return !s.calm && s.r.Float64()*100 < percent }

func (s *sim) ms(most int) time.Duration { return time.Duration(1+s.r.IntN(most)) * time.Millisecond }

func (s *sim) after(d time.Duration, do func()) { s.at(s.now+d, do) }

func (s *sim) at(t time.Duration, do func()) {
	i, _ := slices.BinarySearchFunc(s.queue, t, func(e simEvent, t time.Duration) int {
		if e.at <= t {
			return -1
		}
		return 1
	})
	s.queue = slices.Insert(s.queue, i, simEvent{t, do})
}

func TestSimulation(t *testing.T) {
	if *simSeed != 0 {
		playSim(t, *simSeed)
		return
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seeds %d to %d (-simseed repeats one)", seed, seed+uint64(*simCount)-1)
	seen := map[string]int{}
	for i := range uint64(*simCount) {
		for what, n := range playSim(t, seed+i) {
			seen[what] += n
		}
	}
	t.Log(seen)
	for _, what := range []string{"partial", "full", "joined", "promoted", "handed over", "refused", "crash", "wiped"} {
		if seen[what] == 0 {
			t.Errorf("nothing was ever %s", what)
		}
	}
}

func playSim(t *testing.T, seed uint64) map[string]int {
	s := &sim{t: t, seed: seed, r: rand.New(rand.NewPCG(seed, 9)), seen: map[string]int{}}
	for i := range 4 {
		n := &simNode{sim: s, id: i, follows: -1}
		s.nodes = append(s.nodes, n)
		n.savedLin = NewLineage(NewID(s.r))
		n.start(false)
	}
	for range 60 * 100 {
		s.step()
		s.trouble()
	}
	s.heal()
	for range 100 * 100 {
		s.step()
	}
	s.check()
	return s.seen
}

// step is ten milliseconds.
func (s *sim) step() {
	s.now += 10 * time.Millisecond
	for len(s.queue) != 0 && s.queue[0].at <= s.now {
		e := s.queue[0]
		s.queue = s.queue[1:]
		e.do()
	}
	for _, n := range s.nodes {
		if n.link.Due() <= s.now {
			n.event(Tick{})
		}
		n.tick()
	}
}

// trouble happens.
func (s *sim) trouble() {
	n := s.nodes[s.r.IntN(len(s.nodes))]
	switch {
	case s.chance(0.3):
		n.restart()
	case s.chance(0.3):
		n.follow(s.r.IntN(len(s.nodes)), false)
	case s.chance(0.2):
		n.promote()
	case s.chance(0.2):
		n.orders(n.failover.Command(0, []string{"timeout", "3000"}, n.primary, n.view(), s.now))
	case s.chance(0.4) && n.up != nil:
		n.up.cut()
	case s.chance(0.2) && n.up != nil:
		n.up.black = true
	case s.chance(0.5):
		n.saved, n.savedLin = slices.Clone(n.data), n.lineage
	}
}

func (s *sim) heal() {
	s.calm = true
	s.tell("calm")
	for _, n := range s.nodes {
		if n.failover.State() != FailoverNone {
			n.orders(n.failover.Command(0, []string{"abort"}, n.primary, n.view(), s.now))
		}
		if n.id == 0 {
			n.promote()
		} else {
			n.follow(0, true)
		}
	}
}

func (s *sim) check() {
	want := s.nodes[0]
	for _, n := range s.nodes[1:] {
		if st := n.link.Status(s.now); st.State != LinkConnected {
			s.fatalf("node %d is %s: %s %s", n.id, st.State, st.Trouble, st.KeepsData)
		}
		if min(len(n.data), len(want.data))+50 < len(want.data) || !slices.Equal(n.data, want.data[:len(n.data)]) {
			s.fatalf("node %d has %d bytes, which are not the %d of the primary", n.id, len(n.data), len(want.data))
		}
		if n.lineage.ID() != want.lineage.ID() {
			s.fatalf("node %d is of %s, not of %s", n.id, n.lineage, want.lineage)
		}
	}
}

// start begins a life with the saved data.
func (n *simNode) start(known bool) {
	n.life++
	n.started = n.now
	n.data, n.lineage = slices.Clone(n.saved), n.savedLin
	n.logging, n.first, n.paused = true, len(n.data), false
	n.up, n.conns, n.shots = nil, nil, map[uint64]*simShot{}
	n.failover = Failover{}
	n.link = NewLink(LinkSettings{Port: simPort + n.id, Timeout: 5 * time.Second, KeepData: true}, n.r)
	n.primary = NewPrimary(PrimarySettings{
		Diskless: n.r.IntN(2) == 0, DisklessDelay: time.Second, MaxFullSyncs: 2, JoinWindow: 2 * time.Second, Timeout: 5 * time.Second, PingPeriod: 2 * time.Second,
		LogTTL: 10 * time.Second, Backlog: 200, LagHard: 300, LagSync: 2000,
	}, n.r, n.now)
	if n.follows >= 0 {
		n.event(Follow{Host: "n", Port: simPort + n.follows, Known: known})
	} else {
		n.lineage = n.lineage.Shift(NewID(n.r), uint64(len(n.data)))
	}
}

// restart ends the process and begins another.
func (n *simNode) restart() {
	for _, c := range slices.Clone(n.conns) {
		c.cut()
	}
	if n.up != nil {
		n.up.cut()
	}
	switch n.r.IntN(4) {
	case 0:
		n.seen["wiped"]++
		n.saved, n.savedLin = nil, NewLineage(NewID(n.r))
	case 1:
		n.seen["crash"]++
	default:
		n.saved, n.savedLin = slices.Clone(n.data), n.lineage
		if !n.logging { // what was written is of no history
			n.savedLin = NewLineage(NewID(n.r))
		}
	}
	n.tell("%d restarts with %d bytes, following %d", n.id, len(n.saved), n.follows)
	n.start(len(n.saved) > 0)
}

func (n *simNode) follow(target int, operator bool) {
	if target == n.id || n.failover.State() != FailoverNone || (n.follows == target && !operator) {
		return
	}
	n.tell("%d follows %d", n.id, target)
	n.follows = target
	n.event(Follow{Host: "n", Port: simPort + target})
}

func (n *simNode) promote() {
	if n.follows < 0 || n.failover.State() != FailoverNone {
		return
	}
	n.seen["promoted"]++
	n.becomePrimary()
}

func (n *simNode) becomePrimary() {
	n.tell("%d is promoted at %d", n.id, len(n.data))
	n.follows = -1
	n.event(Unfollow{})
	n.rename(n.lineage.Shift(NewID(n.r), uint64(len(n.data))))
}

func (n *simNode) rename(l Lineage) {
	n.lineage = l
	n.orders(n.primary.Renamed("another history", n.now))
}

func (n *simNode) view() View {
	return View{Lineage: n.lineage, Logging: n.logging, First: uint64(n.first), End: uint64(len(n.data)), Follows: n.follows >= 0,
		LinkUp: n.link.Status(n.now).State == LinkConnected, FailingOver: n.failover.State() != FailoverNone, Paused: n.paused}
}

// standing is where the data stands.
func (n *simNode) standing() Position {
	if !n.logging {
		return Position{}
	}
	return Position{n.lineage.ID(), uint64(len(n.data))}
}

func (n *simNode) write() {
	n.next++
	n.data = append(n.data, n.next)
}

// tick writes, sends and trims.
func (n *simNode) tick() {
	if n.follows < 0 && !n.paused && n.r.IntN(4) == 0 {
		n.write()
	}
	n.orders(n.primary.Tick(n.view(), n.now))
	n.orders(n.failover.Tick(n.primary, n.view(), n.now))
	keep := len(n.data) - 200
	for _, c := range slices.Clone(n.conns) {
		if c.pos >= 0 && c.pos < len(n.data) && !n.chance(30) {
			c.stream()
		}
		if c.pos >= 0 && c.open {
			n.orders(n.primary.Lagging(c.rep, uint64(len(n.data)-c.pos), false, n.now))
			keep = min(keep, c.pos)
		} else if c.held >= 0 {
			keep = min(keep, c.held)
		}
	}
	n.first = max(n.first, keep)
}

// stream sends what there is of the log.
func (c *simConn) stream() {
	n, from, piece := c.to, c.pos, slices.Clone(c.to.data[c.pos:])
	c.pos = len(n.data)
	c.toReplica(func() { c.apply(from, piece) })
}

// apply takes bytes of the stream; what comes while a snapshot is loaded has to wait.
func (c *simConn) apply(from int, piece []int) {
	r := c.from
	if r.link.Status(r.now).State == LinkSync && !c.trailer {
		c.early = append(c.early, func() { c.apply(from, piece) })
		return
	}
	if st := r.link.Status(r.now).State; st != LinkConnected || from != len(r.data) {
		r.fatalf("node %d (%s) gets bytes from %d, and has %d", r.id, st, from, len(r.data))
	}
	r.data = append(r.data, piece...)
	r.event(Heard{c.try})
	r.ack(c)
}

func (n *simNode) ack(c *simConn) {
	at := fmt.Sprint(len(n.data))
	c.toPrimary(func() { c.to.orders(c.to.primary.Replconf(c.rep, []string{"ack", at}, c.to.now)) })
}

// toReplica and toPrimary pass something on, in order.
func (c *simConn) toReplica(do func()) { c.pass(&c.toR, c.from, do) }
func (c *simConn) toPrimary(do func()) { c.pass(&c.toP, c.to, do) }

func (c *simConn) pass(last *time.Duration, to *simNode, do func()) {
	*last = max(*last, to.now+to.ms(20))
	to.at(*last, func() {
		if c.open && !c.black {
			do()
		}
	})
}

// cut ends a connection for both sides.
func (c *simConn) cut() {
	if !c.open {
		return
	}
	c.close()
	c.from.event(Lost{c.try, errors.New("cut")})
}

// close ends it from the replica's side.
func (c *simConn) close() {
	if !c.open {
		return
	}
	c.open = false
	if c.from.up == c {
		c.from.up = nil
	}
	c.to.conns = slices.DeleteFunc(c.to.conns, func(o *simConn) bool { return o == c })
	c.to.orders(c.to.primary.Gone(c.rep, nil, c.to.now))
}

// event steps the link.
func (n *simNode) event(e Event) {
	for _, f := range slices.Clone(n.link.Step(e, n.now)) {
		n.effect(f)
	}
}

func (n *simNode) effect(f Effect) {
	c := n.up
	switch f := f.(type) {
	case Log:
		n.tell("%d %s", n.id, showEffect(f))
		if strings.Contains(f.Text, "is not taken") {
			n.seen["refused"]++
		}
	case Dial:
		n.dial(f, n.life)
	case Close:
		if c != nil && c.try == f.Try {
			c.close()
		}
	case Send:
		c.toPrimary(func() { c.to.command(c, f.Args) })
	case Newline:
		c.toPrimary(func() { c.to.primary.Alive(c.rep, c.to.now) })
	case Ack:
		n.ack(c)
	case Hold:
		c.reads = false
	case Receive:
		c.snapshotAt, c.reads = f.At, true
	case Stream:
		if !f.Full && f.At.ID != n.lineage.ID() {
			n.rename(n.lineage.Shift(f.At.ID, f.At.Offset))
		}
		n.logging = true
	case Ask:
		n.ask(f, n.life)
	case HandedOver:
		if f.Doubt {
			n.orders(n.failover.InDoubt())
		} else {
			n.handedOver(f.Why)
		}
	}
}

func (n *simNode) dial(f Dial, life int) {
	to := n.nodes[f.Port-simPort]
	c := &simConn{from: n, to: to, try: f.Try, open: true, reads: true, pos: -1, held: -1}
	n.after(n.ms(50), func() {
		switch {
		case n.life != life || n.link.Try() != f.Try:
		case n.chance(20):
			n.event(Lost{f.Try, errors.New("refused")})
		default:
			c.rep = NewReplica(n.r.Uint64(), "n")
			n.up, to.conns = c, append(to.conns, c)
			n.event(Connected{Try: f.Try, Have: n.standing(), Keys: len(n.data)})
		}
	})
}

func (n *simNode) ask(f Ask, life int) {
	to := n.nodes[f.Port-simPort]
	n.after(n.ms(50), func() {
		if n.life != life {
			return
		}
		role := map[bool]string{true: "slave", false: "master"}[to.follows >= 0]
		info := fmt.Sprintf("role:%s\r\nuptime_in_seconds:%d\r\nmaster_replid2:%s\r\nsecond_repl_offset:%d\r\ndb0:keys=%d,expires=0\r\n",
			role, int((n.now-to.started)/time.Second), to.lineage.ID2(), to.lineage.SecondOffset(), len(to.data))
		if n.chance(10) {
			n.event(Told{f.Try, "", errors.New("NOPERM")})
			return
		}
		n.event(Told{f.Try, info, nil})
	})
}

func (n *simNode) handedOver(why string) {
	n.orders(n.failover.Ended(why))
	if why == "" {
		n.seen["handed over"]++
	}
}

// command is what a replica sent.
func (n *simNode) command(c *simConn, args []string) {
	switch strings.ToUpper(args[0]) {
	case "PING":
		c.toReplica(func() { c.from.event(Line{c.try, "+PONG"}) })
	case "REPLCONF":
		n.orders(n.primary.Replconf(c.rep, args[1:], n.now))
	default:
		c.position = Position{}
		if len(args) > 1 && args[1] != "?" {
			at := uint64(0)
			fmt.Sscan(args[2], &at)
			c.position = Position{args[1], at - 1}
		}
		n.orders(n.primary.Sync(c.rep, args, false, n.view(), n.now))
	}
}

func (n *simNode) conn(id uint64) *simConn {
	for _, c := range n.conns {
		if c.rep.ID() == id {
			return c
		}
	}
	return nil
}

// orders does what a primary or a failover wants.
func (n *simNode) orders(list []Order) {
	for _, o := range slices.Clone(list) {
		n.order(o)
	}
}

func (n *simNode) order(o Order) {
	switch o := o.(type) {
	case Log:
		n.tell("%d (primary) %s", n.id, showEffect(o))
		if strings.Contains(o.Text, "joins the snapshot") {
			n.seen["joined"]++
		}
	case KeepLog:
		n.logging, n.first = true, len(n.data)
		n.lineage = NewLineage(NewID(n.r))
	case DropLog:
		n.logging = false
	case Snapshot:
		n.snapshot(o.Number, n.life)
	case CancelSnapshot:
		if s := n.shots[o.Number]; s != nil {
			s.released = true
		}
	case Release:
		n.shots[o.Number].released = true
	case Ping:
		if n.paused || n.follows >= 0 {
			n.fatalf("a PING is appended where nothing may be")
		}
		n.write()
	case PauseWrites:
		n.paused, n.handing = true, len(n.data)
	case AskReplicas:
		for range 2 * len(GetAck) {
			n.write()
		}
		n.handing = len(n.data)
	case ResumeWrites:
		n.paused = false
	case HandOver:
		n.handOver(o)
	case TakeBack:
		n.becomePrimary()
	default:
		n.orderFor(o)
	}
}

func (n *simNode) handOver(o HandOver) {
	if len(n.data) != n.handing {
		n.fatalf("%d bytes were written during the pause", len(n.data)-n.handing)
	}
	n.tell("%d hands over to %d", n.id, o.Port)
	n.follows = o.Port - simPort
	target := n.nodes[o.Port-simPort]
	if len(target.data) < len(n.data) || !slices.Equal(target.data[:len(n.data)], n.data) {
		n.fatalf("node %d hands over to %d, which has not everything", n.id, o.Port)
	}
	n.event(Follow{Host: "n", Port: o.Port, Failover: true})
}

// orderFor is those for one replica.
func (n *simNode) orderFor(o Order) {
	switch o := o.(type) {
	case Reply:
		n.say(o.Replica, o.Line)
	case Refuse:
		n.say(o.Replica, "-"+o.Text)
		if c := n.conn(o.Replica); c != nil && o.Close {
			c.toReplica(c.cut)
		}
	case Keepalive:
		n.say(o.Replica, "")
	case Promote:
		c := n.conn(o.Replica)
		n.becomePrimary()
		n.orders(n.primary.Sync(c.rep, o.Again, false, n.view(), n.now))
	case Attach:
		n.attach(o)
	case Transfer:
		n.transfer(n.conn(o.Replica), o)
	case Start:
		c := n.conn(o.Replica)
		c.pos = c.held
	case Continue:
		n.goOn(n.conn(o.Replica), int(o.From))
	case Disconnect:
		if c := n.conn(o.Replica); c != nil {
			c.cut()
		}
	}
}

func (n *simNode) say(id uint64, line string) {
	c := n.conn(id)
	if c == nil {
		return // a FAILOVER's client
	}
	c.toReplica(func() { c.from.event(Line{c.try, line}) })
}

func (n *simNode) goOn(c *simConn, from int) {
	n.seen["partial"]++
	if c.position.Offset != uint64(from) || from < n.first || from > len(n.data) {
		n.fatalf("%s goes on at %d, of %d to %d", c.position, from, n.first, len(n.data))
	}
	if r := c.from; len(r.data) != from || !slices.Equal(r.data, n.data[:from]) {
		n.fatalf("node %d goes on at %d in node %d, with other data", r.id, from, n.id)
	}
	c.pos = from
}

// snapshot is made over some time, or not.
func (n *simNode) snapshot(number uint64, life int) {
	n.after(n.ms(30), func() {
		if n.life != life {
			return
		}
		if n.chance(5) {
			n.orders(n.primary.SnapshotBegan(number, Position{}, errors.New("no"), n.now))
			return
		}
		n.shots[number] = &simShot{data: slices.Clone(n.data)}
		n.orders(n.primary.SnapshotBegan(number, n.standing(), nil, n.now))
		n.after(n.ms(2000), func() { n.snapshotEnds(number, life) })
	})
}

func (n *simNode) snapshotEnds(number uint64, life int) {
	if n.life != life {
		return
	}
	if n.chance(5) {
		n.orders(n.primary.SnapshotEnded(number, 0, errors.New("disk full"), n.now))
		return
	}
	s := n.shots[number]
	s.whole = true
	n.orders(n.primary.SnapshotEnded(number, int64(len(s.data)+1), nil, n.now))
}

func (n *simNode) attach(o Attach) {
	c, s := n.conn(o.Replica), n.shots[o.Number]
	if s == nil || s.released || int(o.From) != len(s.data) || int(o.From) < n.first {
		n.fatalf("attached to snapshot %d at %d, with the log from %d", o.Number, o.From, n.first)
	}
	n.seen["full"]++
	c.shot, c.held = s, int(o.From)
}

// transfer sends the snapshot when it is there.
func (n *simNode) transfer(c *simConn, o Transfer) {
	n.say(o.Replica, strings.TrimRight(o.Preamble, "\r\n"))
	c.trailer = o.Trailer != ""
	n.sendBody(c)
}

func (n *simNode) sendBody(c *simConn) {
	if !c.open {
		return
	}
	if !c.shot.whole {
		n.after(10*time.Millisecond, func() { n.sendBody(c) })
		return
	}
	c.toReplica(func() { c.from.receive(c) })
	n.after(n.ms(30), func() {
		if c.open {
			n.orders(n.primary.Sent(c.rep, n.now))
		}
	})
}

// receive is the replica's end of it.
func (n *simNode) receive(c *simConn) {
	life := n.life
	if !c.reads {
		n.after(10*time.Millisecond, func() {
			if n.life == life && n.up == c {
				n.receive(c)
			}
		})
		return
	}
	n.event(Received{c.try, 1, true})
	n.after(n.ms(500), func() {
		if n.life != life || n.up != c {
			return
		}
		n.data = slices.Clone(c.shot.data)
		n.first = len(n.data)
		if !c.snapshotAt.Known() { // it came by SYNC
			c.snapshotAt.ID = NewID(n.r)
		}
		n.rename(NewLineage(c.snapshotAt.ID))
		n.event(Loaded{c.try})
		for _, f := range c.early {
			if n.up == c {
				f()
			}
		}
		c.early = nil
	})
}
