package server

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
	"dozo/keyspace"
	"dozo/replication"
)

// script runs lines and compares their replies: "line => reply".
func (p *puppet) script(lines ...string) {
	p.t.Helper()
	for _, l := range lines {
		line, want, ok := strings.Cut(l, " => ")
		if got := p.show(line); ok && got != want {
			p.t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// twoNodes is a primary and a follower, whose own clock is an hour ahead.
func twoNodes(t *testing.T) *pair { return newPair(t, 1, time.Hour) }

// passQuietly lets time pass without a round of expiry of the primary.
func (p *pair) passQuietly(d time.Duration) {
	p.primary.clock.pass(d)
	p.replica.clock.pass(d)
	p.replica.tick()
}

func TestFollowerRefusesWrites(t *testing.T) {
	p := newFollower(t, 0)
	const refused = "(error) READONLY You can't write against a read only replica."
	p.script("SET k v => "+refused, "GET k => (nil)", "DEL k => "+refused, "FLUSHALL => "+refused, "PING => +PONG", "PUBLISH c m => :0",
		"MULTI", "GET k => +QUEUED", "SET k v => "+refused, "EXEC => (error) EXECABORT Transaction discarded because of previous errors.",
		"MULTI", "GET k", "EXEC => *[(nil)]", "CONFIG SET replica-read-only no", "SET k v => +OK", "MULTI", "SET k w => +QUEUED",
		"DISCARD => +OK")
	p.script("MULTI", "SET k w => +QUEUED")
	p.live.Store(func() *liveSettings { l := *p.live.Load(); l.replicaReadOnly = true; return &l }())
	p.script("EXEC => (error) EXECABORT Transaction discarded because of: READONLY You can't write against a read only replica.", "GET k => \"v\"")
	p.alone(func() { p.Follow(false) })
	p.script("SET k x => +OK")
}

// TestFollowersWatch: to a client that watches a key its end is a change, and the removal
// of what it saw dead is none.
func TestFollowersWatch(t *testing.T) {
	p := twoNodes(t)
	p.primary.script("SET a 1 PX 1000", "SET b 1 PX 3000", "SET c 1 PX 1000", "HSETEX h PX 1000 FIELDS 1 f 1", "SET free 1")
	p.sync()
	p.replica.script("WATCH a", "MULTI", "GET free")
	p.passQuietly(1500 * time.Millisecond)
	p.replica.script("EXEC => (nil)")

	p.replica.script("WATCH a h c b", "MULTI", "GET free")
	p.primary.script("GET a => (nil)", "HGETALL h", "DEL c => :0")
	p.sync()
	p.replica.script("EXEC => *[\"1\"]", "DBSIZE => :3")

	p.primary.script("SET d 1 PX 100")
	p.sync()
	p.passQuietly(time.Second)
	p.replica.script("WATCH d", "MULTI", "GET free")
	p.primary.script("SET d 2")
	p.sync()
	p.replica.script("EXEC => (nil)")

	p.primary.script("SET e 1 PX 100")
	p.sync()
	p.passQuietly(time.Second)
	p.replica.script("WATCH e", "MULTI", "GET free")
	p.primary.script("SWAPDB 1 0")
	p.sync()
	p.replica.script("EXEC => *[(nil)]")
}

// TestFollowersCountSketches: what a replica finds out about a value it does not write
// down, which would make it another value than the primary's.
func TestFollowersCountSketches(t *testing.T) {
	p := twoNodes(t)
	p.primary.script("PFADD p a b c", "PFADD p d")
	p.sync()
	p.replica.script("PFCOUNT p => :4")
	p.settle()
	p.primary.script("PFCOUNT p => :4")
	p.settle()
	p.replica.script("PFCOUNT p => :4")
	p.settle()
}

// TestWritableFollower: what clients have written there with a deadline goes by itself;
// what is the primary's stays until it says so; nothing is recorded.
func TestWritableFollower(t *testing.T) {
	p := twoNodes(t)
	r := p.replica
	r.do("CONFIG SET replica-read-only no")
	p.primary.script("SET primarys 1 PX 500", "SET both 1 PX 500", "HSETEX hash PX 500 FIELDS 2 a 1 b 2")
	p.sync()
	r.script("SET own 1 PX 800", "EXPIRE both 2", "HSETEX ownhash PX 800 FIELDS 1 f 1", "HSET ownhash g 1", "SET moved 1 PX 800", "RENAME moved other")
	if got := r.w.view.OwnKeys(); got != 5 { // moved has gone, and is not noticed yet
		t.Errorf("%d keys are looked after", got)
	}
	p.passQuietly(600 * time.Millisecond)
	r.script("EXISTS primarys hash both own ownhash other => :4", "DBSIZE => :7")
	p.passQuietly(600 * time.Millisecond)
	r.script("EXISTS primarys hash both own ownhash other => :2", "HGETALL ownhash => %[\"g\" \"1\"]", "DBSIZE => :5")
	if s := r.w.view.Stats; s.Expired != 2 || s.ExpiredFields != 1 {
		t.Errorf("expired: %+v", s)
	}

	// Who writes to what is over removes it, as in Redis.
	r.script("INCR primarys => :1", "TTL primarys => :-1", "HSET hash c 3 => :1", "HLEN hash => :1", "DEL hash => :1")
	p.primary.script("GET primarys", "HGETALL hash")
	p.sync()
	r.script("GET primarys => (nil)")

	// The primary has given it another deadline.
	r.script("SET shared 1 PX 100")
	p.primary.script("SET shared 2 PX 200")
	p.sync()
	p.passQuietly(300 * time.Millisecond)
	r.script("GET shared => (nil)", "DBSIZE => :4")
	p.primary.script("GET shared")
	p.sync()
	r.script("DBSIZE => :3")
	if n := len(r.written()); n != 0 {
		t.Errorf("%d bytes are recorded", n)
	}
}

// TestManyOwnKeys: more than a look takes at once.
func TestManyOwnKeys(t *testing.T) {
	r := newFollower(t, 0)
	r.do("CONFIG SET replica-read-only no")
	for i := range 5000 {
		r.do(fmt.Sprintf("SET k%d v PX %d", i, 100+i%2))
	}
	r.clock.pass(time.Second)
	for range 100 {
		r.tick()
	}
	r.script("DBSIZE => :0")
	if n := r.w.view.OwnKeys(); n != 0 {
		t.Errorf("%d keys are still looked after", n)
	}
}

// TestPromotion: time goes on where it was, though the own clock is an hour ahead, what is
// over goes at once, and that is recorded.
func TestPromotion(t *testing.T) {
	p := twoNodes(t)
	p.primary.script("SET a 1 PX 1000", "SET b 1 PX 10000", "HSETEX h PX 1000 FIELDS 1 f 1", "HSET h g 2")
	p.sync()
	p.stamp()
	p.passQuietly(2 * time.Second)
	r := p.replica
	r.script("DBSIZE => :4")
	r.alone(func() { r.Follow(false) })
	r.tick()
	r.script("DBSIZE => :3", "GET b => \"1\"", "HGETALL h => %[\"g\" \"2\"]", "PTTL b => :8000")
	if s := r.w.view.Stats; s.Expired != 1 || s.ExpiredFields != 1 {
		t.Errorf("expired: %+v", s)
	}
	got := string(r.written())
	if !strings.Contains(got, "\r\na\r\n") || !strings.Contains(got, "HDEL") || strings.Contains(got, "\r\nb\r\n") {
		t.Errorf("recorded: %q", got)
	}
	for range 10 {
		r.clock.pass(100 * time.Millisecond)
		r.tick()
	}
	r.script("PTTL b => :6950") // 5 % faster, on the way to the own clock
	for range 10_000 {
		r.clock.pass(10 * time.Second)
		r.tick()
	}
	if behind := r.clock.wall.Milliseconds() - r.Time(); behind < 0 || behind > 1 {
		t.Errorf("a day later it is %d ms behind its own clock", behind)
	}
}

// TestPromotionExpiresAtOnce: before the next tick, which is a second away.
func TestPromotionExpiresAtOnce(t *testing.T) {
	l := startLogged(t, 2, func(*Server) {})
	c := l.dial()
	l.do(c, "CONFIG SET hz 1")
	l.do(c, "SET k v PX 100")
	l.do(c, "HSETEX h PX 100 FIELDS 1 f v")
	l.follow(true)
	time.Sleep(time.Second + 300*time.Millisecond)
	if got := l.do(c, "DBSIZE") + l.do(c, "EXISTS k h"); got != ":2\r\n:0\r\n" {
		t.Fatalf("keys and living keys: %q", got)
	}
	began := time.Now()
	l.follow(false)
	for l.do(c, "DBSIZE") != ":0\r\n" {
		if time.Since(began) > 10*time.Second {
			t.Fatal("what is over stays")
		}
	}
	if took := time.Since(began); took > 500*time.Millisecond {
		t.Logf("that took %v", took) // of a busy machine
	}
}

// TestNewClock: other data has another time.
func TestNewClock(t *testing.T) {
	r := newFollower(t, time.Hour)
	r.HearClock(puppetEpoch.Milliseconds() + 10_000)
	r.HearClock(puppetEpoch.Milliseconds())
	if got := r.Time() - puppetEpoch.Milliseconds(); got != 10_000 {
		t.Errorf("it went back to %d", got)
	}
	r.alone(func() { r.NewClock(puppetEpoch.Milliseconds() + 5000) })
	if got := r.Time() - puppetEpoch.Milliseconds(); got != 5000 || r.w.view.Now != r.Time() {
		t.Errorf("the new time is %d, the worker's %d", got, r.w.view.Now)
	}
	r.alone(func() { r.NewClock(0) })
	if r.Time() != r.clock.wall.Milliseconds() {
		t.Error("without a stamp it is not the own clock's")
	}
}

// TestFollowersMemory: the limit is the primary's to keep, unless the operator says
// otherwise; and what is over goes as evicted then.
func TestFollowersMemory(t *testing.T) {
	p := twoNodes(t)
	for i := range 2000 {
		p.primary.do(fmt.Sprintf("SET k%d %s PX 500", i, strings.Repeat("v", 500)))
	}
	p.sync()
	r := p.replica
	r.do("CONFIG SET maxmemory 100kb maxmemory-policy allkeys-lru replica-read-only no")
	r.script("DBSIZE => :2001", "SET own 1 => +OK", "GET k0", "DBSIZE => :2002")
	p.passQuietly(time.Second)
	r.do("CONFIG SET replica-ignore-maxmemory no")
	r.do("GET k0")
	if s := r.w.view.Stats; s.Evicted == 0 || s.Expired != 0 {
		t.Errorf("%+v", s)
	}
	if n := len(r.written()); n != 0 {
		t.Errorf("%d bytes are recorded", n)
	}
}

// TestFollowerIsNotSweptByItself: not by rounds of expiry either.
func TestFollowerIsNotSweptByItself(t *testing.T) {
	p := twoNodes(t)
	p.primary.script("SET a 1 PX 100", "HSETEX h PX 100 FIELDS 1 f 1")
	p.sync()
	p.passQuietly(time.Second)
	r := p.replica
	r.w.enter()
	r.w.view.Expire(0, 1, 1000)
	r.w.leave()
	r.script("DBSIZE => :3", "EXISTS a h => :0")
	p.settle()
}

// follow changes the role of a server that runs.
func (l *logged) follow(on bool) {
	done := make(chan struct{})
	l.Alone(func(*keyspace.View) {
		l.Follow(on)
		close(done)
	})
	<-done
}

// TestBlockedClientsAreDisowned when the node begins to follow, as in Redis: an error, and
// the connection ends. It runs with real loops.
func TestBlockedClientsAreDisowned(t *testing.T) {
	l := startLogged(t, 2, func(*Server) {})
	type answer struct {
		raw []byte
		err error
	}
	answers := make(chan answer, 2)
	for _, line := range []string{"BLPOP k 0", "WAIT 1 0"} {
		c := l.dial()
		go func() {
			raw, err := c.DoRaw(strings.Fields(line)...)
			if err == nil {
				_, err = c.ReadRaw()
			}
			answers <- answer{raw, err}
		}()
	}
	c := l.dial()
	for !strings.Contains(l.do(c, "INFO clients"), "blocked_clients:2") {
		time.Sleep(time.Millisecond)
	}
	l.follow(true)
	for range 2 {
		select {
		case a := <-answers:
			if !strings.HasPrefix(string(a.raw), "-UNBLOCKED force unblock from blocking operation, instance state changed") || a.err == nil {
				t.Errorf("%q, then %v", a.raw, a.err)
			}
		case <-time.After(10 * time.Second):
			t.Fatal("a client still waits")
		}
	}
	l.HearClock(time.Now().Add(-time.Hour).UnixMilli())
	if got := l.do(c, "SET k v"); !strings.HasPrefix(got, "-READONLY") {
		t.Errorf("a write: %q", got)
	}
	if got := testutil.InfoField(l.do(c, "INFO errorstats"), "errorstat_UNBLOCKED"); got != "count=2" {
		t.Errorf("errorstat_UNBLOCKED: %q", got)
	}
	l.follow(false)
	if got := l.do(c, "SET k v PX 1000"); got != "+OK\r\n" {
		t.Errorf("a write after the promotion: %q", got)
	}
	if got := l.do(c, "PEXPIRETIME k"); got >= fmt.Sprintf(":%d\r\n", time.Now().Add(-50*time.Minute).UnixMilli()) {
		t.Errorf("the time has not gone on from the group's: %q", got)
	}
}

// TestAdoptedDatabase: whoever goes on where a primary's snapshot ends knows the database.
func TestAdoptedDatabase(t *testing.T) {
	p := newFollower(t, 0)
	p.alone(func() {
		p.AdoptHistory(replication.Position{ID: strings.Repeat("a", replication.IDLength), Offset: 100}, 7, 0)
		if got := p.StreamDB(); got != 7 {
			t.Errorf("the database in force is %d", got)
		}
		if in, err := p.log.NewReader(100, nil); err != nil || in.DB() != 7 {
			t.Errorf("the database in force for a reader: %v", err)
		}
	})
}
