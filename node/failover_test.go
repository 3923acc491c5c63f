package node_test

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// port is where a machine listens.
func (m *machine) port() int { return m.node.Addrs()[0].(*net.TCPAddr).Port }

// announced is a pair whose members tell at which port they are to be found: by option they
// have none.
func announced(t *testing.T, directives ...string) (primary, replica *machine) {
	t.Helper()
	primary, replica = pairOf(t, directives...)
	for _, m := range []*machine{primary, replica} {
		m.do(fmt.Sprintf("CONFIG SET replica-announce-port %d", m.port()))
	}
	replica.do("CLIENT KILL TYPE master")
	primary.awaits(replica.port())
	replica.catchesUp(primary)
	return primary, replica
}

// awaits waits for a replica that has announced a port.
func (m *machine) awaits(port int) {
	m.t.Helper()
	m.until(fmt.Sprintf("a replica at port %d", port), func() bool {
		return strings.Contains(m.replication("slave0"), fmt.Sprintf("port=%d,state=online", port))
	})
}

// waiting waits until so many clients are in blocking commands.
func (m *machine) waiting(n int) {
	m.t.Helper()
	m.until("clients that wait", func() bool {
		return testutil.InfoField(m.do("INFO clients"), "blocked_clients") == strconv.Itoa(n)
	})
}

// failsOver has a primary hand over to a replica, and waits until that is over.
func (m *machine) failsOver(to *machine) {
	m.t.Helper()
	m.do(fmt.Sprintf("FAILOVER TO 127.0.0.1 %d", to.port()))
	m.until("the failover is over", func() bool { return m.replication("master_failover_state") == "no-failover" })
	if role := m.replication("role") + " " + to.replication("role"); role != "slave master" {
		m.t.Fatalf("after a failover the roles are %s\n%s\n%s", role, m.log, to.log)
	}
}

// sends has a client send a command whose reply does not come yet.
func (m *machine) sends(words ...string) (reply func() string) {
	m.t.Helper()
	return m.sendsOn(m.dial(), words...)
}

func (m *machine) sendsOn(c *testutil.Conn, words ...string) (reply func() string) {
	m.t.Helper()
	c.Queue(words...)
	noError(m.t, c.Flush())
	return func() string {
		m.t.Helper()
		raw, err := c.ReadRaw()
		noError(m.t, err)
		return strings.TrimSpace(string(raw))
	}
}

// TestFailover: under load nothing that was acknowledged is lost, there and back; clients
// that wait are told.
func TestFailover(t *testing.T) {
	const clients = 24
	primary, replica := announced(t)
	ledger := testutil.NewLedger(clients)
	for range 2 {
		primary.awaits(replica.port())
		pops := primary.sends("BLPOP", "nothing", "0")
		primary.waiting(1)
		end, err := ledger.Begin(primary.node.Addrs()[0].String())
		noError(t, err)
		time.Sleep(100 * time.Millisecond)
		full := replica.stat("sync_full")
		primary.failsOver(replica)
		time.Sleep(50 * time.Millisecond) // so that each has met it
		if err := end(); err == nil || !strings.Contains(err.Error(), "READONLY") {
			t.Errorf("writers were told %v", err)
		}
		if got := pops(); !strings.HasPrefix(got, "-UNBLOCKED") {
			t.Errorf("BLPOP was answered %q", got)
		}
		primary.catchesUp(replica)
		if got := replica.stat("sync_full"); got != full {
			t.Errorf("a snapshot was needed")
		}
		found, err := ledger.Check(replica.node.Addrs()[0].String(), ledger.Acked(), ledger.Sent())
		if err != nil {
			t.Errorf("what the new primary has: %v", err)
		}
		ledger = testutil.NewLedger(clients)
		ledger.Continue(found)
		primary, replica = replica, primary
	}
}

// TestFailoverWaits: while a replica is waited for, nothing but the question how far it is is appended to the log, and
// nothing else may change who is the primary; what waits goes on when it is given up.
func TestFailoverWaits(t *testing.T) {
	primary, replica := announced(t, "repl-ping-replica-period 1")
	proxy := testutil.StartProxy(t, primary.node.Addrs()[0].String())
	host, port, _ := net.SplitHostPort(proxy.Addr())
	replica.do("REPLICAOF " + host + " " + port)
	replica.catchesUp(primary)
	proxy.Still(testutil.Down)
	primary.do("SET going gone PX 300")
	writer := primary.dial()
	_, err := writer.DoErr("SET", "behind", "1")
	noError(t, err)
	waits := primary.sendsOn(writer, "WAIT", "1", "0")
	primary.waiting(1)
	target := fmt.Sprintf("FAILOVER TO 127.0.0.1 %d", replica.port())
	offset := primary.replication("master_repl_offset")
	primary.do(target)
	primary.until("replicas are asked", func() bool { return primary.replication("master_repl_offset") != offset })
	if got := primary.replication("master_failover_state"); got != "waiting-for-sync" {
		t.Errorf("the state is %s", got)
	}
	held := primary.sends("SET", "held", "1")
	offset = primary.replication("master_repl_offset")
	for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		primary.do("CLIENT UNPAUSE")
		_, _ = primary.DoErr("GET", "going")
	}
	if got := primary.do("EXISTS going"); got != "0" {
		t.Errorf("a key whose time is over is shown")
	}
	if got := primary.replication("master_repl_offset"); got != offset {
		t.Errorf("the log went on from %s to %s", offset, got)
	}
	primary.refuses("REPLICAOF NO ONE", "not allowed while failing over")
	primary.refuses("REPLICAOF 127.0.0.1 1", "not allowed while failing over")
	primary.refuses(target, "already in progress")
	if v, err := primary.dial().DoErr("PSYNC", "?", "-1"); err != nil || !strings.HasPrefix(v.Str, "NOMASTERLINK") {
		t.Errorf("PSYNC meanwhile: %v, %v", v, err)
	}
	primary.do("FAILOVER ABORT")
	if got := held(); got != "+OK" {
		t.Errorf("who waited was answered %q", got)
	}
	proxy.Restore()
	if got := waits(); got != ":1" {
		t.Errorf("WAIT was answered %q", got)
	}
	replica.catchesUp(primary)
}

// TestFailoverInVain: what cannot succeed is given up, and writers go on.
func TestFailoverInVain(t *testing.T) {
	primary, replica := announced(t)
	proxy := testutil.StartProxy(t, primary.node.Addrs()[0].String())
	host, port, _ := net.SplitHostPort(proxy.Addr())
	replica.do("REPLICAOF " + host + " " + port)
	for _, c := range []struct{ how, options, why string }{
		{"never catches up", "TIMEOUT 200", "Replica never caught up before timeout"},
		{"goes", "", "The replica is not connected any more"},
		{"goes", "FORCE TIMEOUT 300", "Failover target cannot be reached"},
	} {
		t.Run(c.how+" "+c.options, func(t *testing.T) {
			proxy.Restore()
			target := replica.port()
			if strings.Contains(c.options, "FORCE") { // nobody is there who could be forced
				target = 1
				replica.do("CONFIG SET replica-announce-port 1")
				proxy.Cut()
			}
			primary.awaits(target)
			replica.catchesUp(primary)
			proxy.Still(testutil.Down)
			primary.do("INCR behind")
			primary.do(strings.TrimSpace(fmt.Sprintf("FAILOVER TO 127.0.0.1 %d %s", target, c.options)))
			held := primary.sends("INCR", "held")
			if c.how == "goes" {
				proxy.Down()
			}
			if got := held(); !strings.HasPrefix(got, ":") {
				t.Errorf("who waited was answered %q", got)
			}
			if !strings.Contains(primary.log.String(), c.why) || primary.replication("role") != "master" {
				t.Errorf("want a primary that says %q:\n%s", c.why, primary.log)
			}
		})
	}
	proxy.Restore()
	replica.catchesUp(primary)
}

// meddling is what is done with the request to take over. It tells whether the target can
// be reached no more then.
type meddling func(client, server net.Conn, request []byte) (away bool)

// meddler stands between a primary that hands over and its target: it sees the request to
// take over before the target does.
type meddler struct {
	net.Listener
	away   atomic.Bool // it lets nobody pass
	once   sync.Once
	meddle meddling
	mute   atomic.Bool // the target is not heard
}

func startMeddler(t *testing.T, to *machine, meddle meddling) *meddler {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	m := &meddler{Listener: l, meddle: meddle}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", to.node.Addrs()[0].String())
			if err != nil || m.away.Load() {
				_ = client.Close()
				continue
			}
			go m.pass(client, server)
		}
	}()
	to.do(fmt.Sprintf("CONFIG SET replica-announce-port %d", m.port()))
	to.do("CLIENT KILL TYPE master")
	return m
}

func (m *meddler) port() int { return m.Addr().(*net.TCPAddr).Port }

func (m *meddler) pass(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	go func() {
		defer client.Close()
		b := make([]byte, 1<<16)
		for n, err := server.Read(b); err == nil; n, err = server.Read(b) {
			if m.mute.Load() {
				continue
			}
			if _, err := client.Write(b[:n]); err != nil {
				return
			}
		}
	}()
	b := make([]byte, 1<<16)
	for n, err := client.Read(b); err == nil; n, err = client.Read(b) {
		meddled := false
		if bytes.Contains(b[:n], []byte("FAILOVER")) {
			m.once.Do(func() {
				meddled = true
				m.mute.Store(true)
				m.away.Store(m.meddle(client, server, b[:n]))
				m.mute.Store(false)
				_ = client.Close()
			})
		}
		if !meddled {
			_, _ = server.Write(b[:n])
		}
	}
}

// meddledPair is a primary and a replica that is announced at a meddler's address.
func meddledPair(t *testing.T, meddle func(replica *machine, client, server net.Conn, request []byte) bool) (primary, replica *machine, m *meddler) {
	primary, replica = announced(t)
	m = startMeddler(t, replica, func(client, server net.Conn, request []byte) bool { return meddle(replica, client, server, request) })
	primary.awaits(m.port())
	replica.catchesUp(primary)
	return primary, replica, m
}

// takesOverUnheard has the target take over; the connection ends before its answer gets through.
func takesOverUnheard(replica *machine, _, server net.Conn, request []byte) (away bool) {
	_, _ = server.Write(request)
	c := replica.dial()
	defer c.Close()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if v, err := c.DoErr("INFO", "replication"); err == nil && testutil.InfoField(v.Str, "role") == "master" {
			break
		}
	}
	return false
}

// TestFailoverUnheard: the answer of a target that has taken over is lost. The old primary
// does not take its duty back, but asks again, and follows.
func TestFailoverUnheard(t *testing.T) {
	primary, replica, m := meddledPair(t, takesOverUnheard)
	primary.do(fmt.Sprintf("FAILOVER TO 127.0.0.1 %d", m.port()))
	primary.until("the failover is over", func() bool { return primary.replication("master_failover_state") == "no-failover" })
	replica.do("SET new primary")
	primary.catchesUp(replica)
	if full := replica.stat("sync_full"); full != "0" {
		t.Errorf("a snapshot was needed")
	}
	if log := primary.log.String(); !strings.Contains(log, "has taken over before, and its answer was lost") {
		t.Errorf("the log says\n%s", log)
	}
}

// TestFailoverInDoubt: the target has taken over and cannot be reached any more. Whatever
// is asked of the old primary, it takes no write, until a person says that it is to.
func TestFailoverInDoubt(t *testing.T) {
	primary, replica, m := meddledPair(t, func(replica *machine, client, server net.Conn, request []byte) bool {
		takesOverUnheard(replica, client, server, request)
		return true
	})
	primary.do(fmt.Sprintf("FAILOVER TO 127.0.0.1 %d", m.port()))
	replica.until("it has taken over", func() bool { return replica.replication("role") == "master" })
	replica.do("SET written there")
	primary.until("it has asked again", func() bool { return strings.Contains(primary.log.String(), "may have taken over") })
	primary.refuses("FAILOVER ABORT", "may be a primary")
	primary.refuses("REPLICAOF 127.0.0.1 1", "not allowed while failing over")
	primary.refuses("SET a b", "READONLY")
	if got := primary.replication("master_failover_state") + primary.replication("role"); got != "failover-in-progressslave" {
		t.Errorf("the state is %s", got)
	}
	primary.do("REPLICAOF NO ONE")
	primary.do("SET a b")
	if got := primary.replication("master_failover_state") + primary.replication("role"); got != "no-failovermaster" {
		t.Errorf("after REPLICAOF NO ONE the state is %s", got)
	}
	if theirs, ours := replica.replication("master_replid"), primary.replication("master_replid"); theirs == ours {
		t.Errorf("two primaries write the history %s", ours)
	}
}

// TestFailoverRefused: a target that does not want to is no primary for certain.
func TestFailoverRefused(t *testing.T) {
	primary, replica, m := meddledPair(t, func(_ *machine, client, _ net.Conn, _ []byte) bool {
		_, _ = client.Write([]byte("-NOPERM User default has no permissions to run the 'psync' command\r\n"))
		return false
	})
	full := primary.stat("sync_full")
	primary.do(fmt.Sprintf("FAILOVER TO 127.0.0.1 %d", m.port()))
	held := primary.sends("SET", "a", "b")
	primary.until("the failover is over", func() bool { return primary.replication("master_failover_state") == "no-failover" })
	if got := held(); got != "+OK" && !strings.HasPrefix(got, "-READONLY") {
		t.Errorf("a writer was answered %q", got)
	}
	if !strings.Contains(primary.log.String(), "Failover target rejected psync request: -NOPERM") {
		t.Errorf("the log says\n%s", primary.log)
	}
	primary.do("SET c d")
	replica.catchesUp(primary)
	if got := primary.stat("sync_full"); got != full {
		t.Errorf("a snapshot was needed to go on")
	}
}
