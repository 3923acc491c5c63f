package node_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// What happens in a run of the randomised test of replication.

// play does what the seed says.
func (s *sim) play() {
	for _, n := range s.nodes[1:] {
		s.followAt(n, s.rnd.IntN(n.index))
	}
	if s.gentle {
		s.agree()
		s.fulls = s.sent()
	}
	for range 15 + s.rnd.IntN(25) {
		s.burst(s.writer())
		switch at := s.rnd.IntN(30); {
		case at < 7:
			s.weather()
		case at < 9:
			s.ask()
		case at < 11:
			s.kill()
		case at < 13:
			s.failover()
		case at < 14:
			s.blip()
		case at < 15:
			s.housekeep()
		case at < 16:
			s.jump()
		case s.gentle && at < 18:
			s.pauseFor(s.someNode())
		case s.gentle:
			time.Sleep(time.Duration(s.rnd.IntN(20)) * time.Millisecond)
		default:
			s.upheaval(at)
		}
		s.land()
	}
}

// upheaval is what histories may part by.
func (s *sim) upheaval(at int) {
	switch {
	case at < 19:
		s.followAt(s.someNode(), s.rnd.IntN(len(s.nodes)))
	case at < 21:
		s.lead(s.someNode())
	case at < 24:
		s.restart(s.someNode())
	case at < 25:
		s.remove(s.someNode())
	case at < 27:
		s.split()
	case at < 29:
		s.storm()
	default:
		s.scribble(s.someNode())
	}
}

// writer is who gets the next writes: mostly who leads.
func (s *sim) writer() *simNode {
	n := s.someNode()
	for tries := 0; n.of >= 0 && tries < len(s.nodes); tries++ {
		n = s.nodes[n.of]
	}
	return n
}

// followAt has a node follow another.
func (s *sim) followAt(n *simNode, of int) {
	if n.index == of {
		return
	}
	s.say("%s follows node-%d", n.name(), of)
	if v := n.do("REPLICAOF", "node-"+strconv.Itoa(of), "1"); v.IsError() {
		s.fail("REPLICAOF: %v", v)
	}
	n.of = of
}

// lead has a node be a primary.
func (s *sim) lead(n *simNode) {
	s.say("%s leads", n.name())
	n.do("REPLICAOF", "NO", "ONE")
	n.of = -1
}

// weather changes what a link does.
func (s *sim) weather() {
	n, to := s.someNode(), s.rnd.IntN(len(s.nodes))
	if n.of >= 0 && !s.chance(5) {
		to = n.of
	}
	p := n.link(to)
	if p == nil {
		return
	}
	d := testutil.Direction(s.rnd.IntN(2))
	kind := s.rnd.IntN(8)
	s.say("link of %s to node-%d: kind %d, direction %d", n.name(), to, kind, d)
	switch kind {
	case 0, 1, 2:
		p.Cut()
	case 3:
		p.Down()
	case 4:
		p.Still(d)
	case 5:
		p.Delay(d, time.Duration(s.rnd.IntN(50))*time.Millisecond)
	case 6:
		p.Throttle(d, 10_000+s.rnd.IntN(1_000_000))
	default:
		p.Restore()
	}
}

// kill ends connections from a node's side.
func (s *sim) kill() {
	kind := s.pick("master", "replica", "normal")
	n := s.someNode()
	s.say("%s: CLIENT KILL TYPE %s", n.name(), kind)
	n.do("CLIENT", "KILL", "TYPE", kind)
	if kind == "normal" {
		n.hangUp(1)
		for i := range n.conns[1:] {
			n.conns[i+1] = n.dial()
		}
	}
}

// remove removes all, or puts it elsewhere.
func (s *sim) remove(n *simNode) {
	s.promised, s.acked = map[string]string{}, map[string]int{}
	s.era++
	line := s.pick("FLUSHALL", "FLUSHALL ASYNC", "FLUSHDB", "FLUSHDB ASYNC", "SWAPDB 0 1", "SWAPDB 3 7")
	s.say("%s: %s", n.name(), line)
	n.do(strings.Fields(line)...)
}

// ask writes something and waits until all have it.
func (s *sim) ask() {
	n := s.writer()
	s.sequence++
	key, value := fmt.Sprint("promised:", s.sequence), fmt.Sprint(s.sequence)
	all := len(s.nodes) - 1
	c := n.conns[connForWaits]
	c.Queue("SELECT", "0")
	c.Queue("SET", key, value)
	c.Queue("WAIT", strconv.Itoa(all), "300")
	if c.Flush() != nil {
		n.conns[connForWaits] = n.dial()
		return
	}
	var last testutil.Value
	set := false
	for i := range 3 {
		raw, err := c.ReadRaw()
		if err != nil {
			s.hung(fmt.Sprintf("%s, WAIT: %v", n.name(), err))
		}
		last, _ = testutil.Parse(raw)
		set = set || i == 1 && !last.IsError()
	}
	s.say("%s: SET %s, %v; WAIT %d: %v", n.name(), key, set, all, last)
	if set && !last.IsError() && last.Int() >= int64(all) {
		s.promised[key] = value
	}
}

// flight are writes of some clients of a node whose replies were not read yet.
type flight struct {
	n     *simNode
	conns []*testutil.Conn
	asked []int
	acks  []string // keys that the last of them sets, behind a SELECT
	era   int
}

// burst has some clients write to a node at once.
func (s *sim) burst(n *simNode) {
	f := &flight{n: n, conns: slices.Clone(n.conns[1 : connForAcks+1]), era: s.era}
	f.asked = make([]int, len(f.conns))
	count := 5 + s.rnd.IntN(60)
	if s.chance(6) {
		count *= 10
	}
	s.say("%s: %d commands", n.name(), 2*count)
	for i, c := range f.conns[:connForAcks-1] {
		for range count {
			f.asked[i] += s.queue(c)
		}
	}
	c := f.conns[connForAcks-1]
	c.Queue("SELECT", "0")
	for range 1 + s.rnd.IntN(20) {
		s.sequence++
		key := fmt.Sprintf("ack:%06d", s.sequence)
		c.Queue("SET", key, key)
		f.acks = append(f.acks, key)
	}
	f.asked[connForAcks-1] = 1 + len(f.acks)
	for _, c := range f.conns {
		_ = c.Flush() // reading finds it
	}
	s.flight = f
}

// land reads the replies.
func (s *sim) land() {
	f := s.flight
	if f == nil {
		return
	}
	for i, c := range f.conns {
		for j := range f.asked[i] {
			raw, err := c.ReadRaw()
			if err != nil {
				s.lost(f.n, i+1, c, err)
				break
			}
			if i == connForAcks-1 && j > 0 && f.era == s.era && string(raw) == "+OK\r\n" {
				s.acked[f.acks[j-1]] = f.n.index
			}
		}
	}
	s.flight = nil
}

// lost has another connection take the place of one that was disconnected: its node has
// ended, or has become a replica while it waited.
func (s *sim) lost(n *simNode, at int, c *testutil.Conn, err error) {
	if ne, ok := err.(interface{ Timeout() bool }); ok && ne.Timeout() {
		s.hung(fmt.Sprintf("a reply of %s: %v", n.name(), err))
	}
	c.Close()
	if at < len(n.conns) && n.conns[at] == c { // else the node has ended since
		n.conns[at] = n.dial()
	}
}

// queue adds a command, or a transaction, and says how many replies there will be.
func (s *sim) queue(c *testutil.Conn) int {
	if !s.chance(8) {
		c.Queue(s.command()...)
		return 1
	}
	n := 1 + s.rnd.IntN(6)
	c.Queue("MULTI")
	for range n {
		c.Queue(s.command()...)
	}
	c.Queue(s.pick("EXEC", "EXEC", "EXEC", "DISCARD"))
	return n + 2
}

// command is any that changes something.
func (s *sim) command() []string {
	line := simCommands[s.rnd.IntN(len(simCommands))]
	args := strings.Fields(line)
	for i, a := range args {
		args[i] = s.word(a)
	}
	return args
}

// word is an argument: %s is the name of a string, and so on; %n a number, %v a value, %f a
// field, %p a time in milliseconds.
func (s *sim) word(a string) string {
	if len(a) != 2 || a[0] != '%' {
		return a
	}
	switch a[1] {
	case 'n':
		return s.number(100)
	case 'f':
		return "f" + s.number(20)
	case 'p':
		return s.pick("1", "5", "30", "200", "100000", "1000000")
	case 'd':
		return s.number(simDBs)
	case 'v':
		if s.chance(60) {
			return strings.Repeat(s.number(1000), 10_000+s.rnd.IntN(60_000))
		}
		return strings.Repeat(s.number(100000), 1+s.rnd.IntN(20))
	}
	return a[1:] + s.number(12)
}

// simCommands are what clients send.
var simCommands = strings.Split(strings.TrimSpace(`
SET %s %v
SET %s %v PX %p
SET %s %v NX GET
SETEX %s 100 %v
PSETEX %s %p %v
GETEX %s PX %p
GETEX %s PERSIST
GETDEL %s
GETSET %s %v
APPEND %s %v
SETRANGE %s %n %v
SETRANGE %b 1500000 %v
INCR %c
INCRBY %c %n
INCRBYFLOAT %c 0.1
DECR %c
MSET %s %v %s %v %h %v
MSETNX %s %v %s %v
SETBIT %b %n 1
BITFIELD %b SET u8 %n %n INCRBY i16 100 %n
BITOP XOR %b %b %s
PFADD %p1 %n %n %n
PFMERGE hll hll hll2
PFADD hll %n %n %n
PFADD hll2 %n %n
LPUSH %l %v %n %n
RPUSH %l %n %v
RPUSHX %l %n
LPOP %l 2
RPOP %l
LMOVE %l %l LEFT RIGHT
RPOPLPUSH %l %l
LINSERT %l BEFORE %n %v
LSET %l 0 %n
LREM %l 1 %n
LTRIM %l 0 20
LMPOP 2 %l %l LEFT COUNT 3
BLPOP %l %l 0.01
BRPOP %l 0.01
BLMOVE %l %l LEFT LEFT 0.01
BLMPOP 0.01 2 %l %l RIGHT COUNT 2
BZPOPMIN %z 0.01
BZMPOP 0.01 1 %z MAX
SADD %e %n %n %v
SREM %e %n
SPOP %e
SPOP %e 3
SMOVE %e %e %n
SUNIONSTORE %e %e %e
SDIFFSTORE %e %e %e
SINTERSTORE %e %e %e
HSET %h %f %v %f %n
HDEL %h %f
HINCRBY %h %f %n
HINCRBYFLOAT %h %f 1.5
HSETNX %h %f %v
HPEXPIRE %h %p FIELDS 2 %f %f
HEXPIRE %h 100 FIELDS 1 %f
HPERSIST %h FIELDS 1 %f
ZADD %z %n %f %n %f
ZADD %z INCR %n %f
ZINCRBY %z 0.5 %f
ZREM %z %f
ZPOPMIN %z
ZPOPMAX %z 2
ZREMRANGEBYSCORE %z 10 20
ZUNIONSTORE %z 2 %z %z WEIGHTS 1 2
ZINTERSTORE %z 2 %z %z
ZRANGESTORE %z %z 0 5
GEOADD %z 13.36 38.11 %f
GEOSEARCHSTORE %z %z FROMLONLAT 13 38 BYRADIUS 500 km
XADD %x * f %v
XADD %x MAXLEN ~ 50 * f %n
XADD %x NOMKSTREAM * f %n
XTRIM %x MAXLEN 20
XGROUP CREATE %x g 0 MKSTREAM
XGROUP CREATECONSUMER %x g %f
XGROUP DELCONSUMER %x g %f
XGROUP DESTROY %x g
XREADGROUP GROUP g %f COUNT 3 STREAMS %x >
XREADGROUP GROUP g %f BLOCK 10 STREAMS %x >
XAUTOCLAIM %x g %f 0 0 COUNT 5
XSETID %x 9999999999999-0
XDEL %x 1-1
SORT %l BY nosort STORE %l
SORT %e ALPHA STORE %l
RENAME %s %s
RENAMENX %s %s
RENAME %h %h
COPY %l %l REPLACE
COPY %z %z DB %d REPLACE
MOVE %h %d
DEL %s %l
UNLINK %h %e
DEL %x
PEXPIRE %s %p
PEXPIRE %l %p
PEXPIRE %h %p NX
PEXPIREAT %z 1
EXPIRE %x 100 GT
PERSIST %s
GET %s
TTL %s
HGETALL %h
LRANGE %l 0 -1
EXISTS %s %l
SELECT %d
SELECT 0
PUBLISH channel %v
SPUBLISH channel %n
CLIENT PAUSE 20 WRITE
CLIENT PAUSE 10 ALL
CLIENT UNPAUSE
TOUCH %s
OBJECT ENCODING %l
SWAPDB 4 5
`), "\n")
