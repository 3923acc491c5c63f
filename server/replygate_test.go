package server

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"dozo/command"
	"dozo/commands"
	"dozo/config"
	"dozo/internal/testutil"
	"dozo/oplog"
)

// gated is a server whose replies wait for a gate that the test moves.
type gated struct {
	*logged
	gate *oplog.Gate
}

func startGated(t testing.TB, loops int) *gated {
	t.Helper()
	g := &gated{}
	g.logged = startLogged(t, loops, func(s *Server) {
		g.gate = s.log.Gate("test")
		s.GateReplies(g.gate)
		s.SetLocalGate(g.gate, true)
	})
	return g
}

// eachGated runs a test with one loop and with two.
func eachGated(t *testing.T, test func(t *testing.T, g *gated)) {
	for loops := 1; loops <= 2; loops++ {
		t.Run(fmt.Sprintf("%d loops", loops), func(t *testing.T) {
			t.Parallel()
			test(t, startGated(t, loops))
		})
	}
}

// pass lets everything leave that was written so far.
func (g *gated) pass() { g.gate.Advance(g.log.Era(), g.log.Offset()) }

// send sends lines without waiting for anything.
func (g *gated) send(c *testutil.Conn, lines ...string) {
	g.t.Helper()
	for _, line := range lines {
		c.Queue(strings.Fields(line)...)
	}
	if err := c.Flush(); err != nil {
		g.t.Fatal(err)
	}
}

// write sends a line that writes, and waits until it was executed.
func (g *gated) write(c *testutil.Conn, line string) {
	g.t.Helper()
	before := g.log.Offset()
	g.send(c, line)
	g.until("a write of "+line, func() bool { return g.log.Offset() > before })
}

func (g *gated) until(what string, cond func() bool) {
	g.t.Helper()
	for end := time.Now().Add(20 * time.Second); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("never: %s", what)
		}
	}
}

// alone runs fn while nothing is executed.
func (g *gated) alone(fn func()) {
	done := make(chan struct{})
	g.workers[0].call(func(w *worker) { w.alone(fn); close(done) })
	<-done
}

// waits fails unless nothing comes.
func (g *gated) waits(c *testutil.Conn, what string) {
	g.t.Helper()
	c.SetTimeout(30 * time.Millisecond)
	if raw, err := c.ReadRaw(); err == nil {
		g.t.Errorf("%s: %q left too early", what, raw)
	}
	c.SetTimeout(20 * time.Second)
}

// gets fails unless these replies come.
func (g *gated) gets(c *testutil.Conn, replies ...string) {
	g.t.Helper()
	for _, want := range replies {
		raw, err := c.ReadRaw()
		if err != nil {
			g.t.Fatalf("instead of %q: %v", want, err)
		}
		if got := strings.ReplaceAll(strings.TrimSpace(string(raw)), "\r\n", " "); got != want {
			g.t.Errorf("reply %q, want %q", got, want)
		}
	}
}

// prepare executes lines whose writes then have been passed.
func (g *gated) prepare(c *testutil.Conn, lines ...string) {
	g.t.Helper()
	for _, line := range lines {
		g.write(c, line)
		g.pass()
		if _, err := c.ReadRaw(); err != nil {
			g.t.Fatal(err)
		}
	}
}

// TestGatedReads: who reads what a write has made that is not durable waits for it,
// and nobody else does.
func TestGatedReads(t *testing.T) {
	cases := []struct {
		write  string
		wait   []string
		others []string
	}{
		{"SET a 1", []string{
			"GET a", "EXISTS clean a", "MGET clean a", "STRLEN a", "SETNX a 2", "TYPE a", "TTL a", "LPUSH a x", "OBJECT ENCODING a",
			"KEYS *", "SCAN 0", "DBSIZE", "RANDOMKEY", "SORT clean BY w* GET a",
		}, []string{
			"GET clean", "MGET clean clean2", "EXISTS missing", "PING", "ECHO a", "INFO keyspace", "CONFIG GET maxmemory", "CLIENT LIST",
			"OBJECT HELP", "COMMAND COUNT", "SELECT 0", "WATCH a", "UNWATCH", "WAIT 0 0", "SUBSCRIBE a", "MEMORY STATS", "GET", "NONSENSE a",
			"COMMAND GETKEYS GET a", "LOLWUT", "TIME", "LASTSAVE", "DEL missing", "PUBLISH a x", "CLIENT SETNAME a",
		}},
		{"DEL clean", []string{"GET clean", "EXISTS clean", "DEL clean", "DBSIZE"}, []string{"GET clean2"}},
		{"RENAME clean a", []string{"GET clean", "GET a"}, []string{"GET clean2"}},
		{"SINTERSTORE a s1 s2", []string{"SCARD a", "SINTER s1 a"}, []string{"SCARD s1", "SINTER s1 s2", "SMEMBERS s2"}},
		{"MSET a 1 b 2", []string{"GET a", "GET b"}, []string{"GET clean"}},
		{"COPY clean b", []string{"GET b"}, []string{"GET clean"}},
		{"FLUSHALL", []string{"GET clean", "MGET clean missing", "DBSIZE", "EXISTS never"}, []string{"PING"}},
	}
	eachGated(t, func(t *testing.T, g *gated) {
		for _, c := range cases {
			writer, reader := g.dial(), g.dial()
			g.prepare(writer, "FLUSHALL", "SET clean 1", "SET clean2 1", "SADD s1 x", "SADD s2 x")
			for _, line := range c.wait {
				g.write(writer, c.write)
				g.send(reader, line)
				g.waits(reader, c.write+" and "+line)
				g.pass()
				if _, err := reader.ReadRaw(); err != nil {
					t.Errorf("%s after %s: %v", line, c.write, err)
				}
				if _, err := writer.ReadRaw(); err != nil {
					t.Error(err)
				}
				g.restore(writer)
			}
			g.write(writer, c.write)
			for _, line := range c.others {
				own := g.dial()
				if raw := g.do(own, line); raw == "" {
					t.Error(line)
				}
				own.Close()
			}
			g.waits(writer, c.write)
			g.pass()
			writer.Close()
			reader.Close()
		}
	})
}

// restore brings the data back to how TestGatedReads begins each case.
func (g *gated) restore(c *testutil.Conn) {
	g.t.Helper()
	g.prepare(c, "FLUSHALL", "SET clean 1", "SET clean2 1", "SADD s1 x", "SADD s2 x")
}

// TestGatedTransactions: EXEC waits for what any of its calls shows.
func TestGatedTransactions(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		writer, reader := g.dial(), g.dial()
		g.prepare(writer, "SET clean 1", "SET w 1")
		g.send(reader, "WATCH w")
		g.gets(reader, "+OK")
		g.write(writer, "SET a 1")
		g.send(reader, "MULTI", "GET clean", "PING", "EXEC")
		g.gets(reader, "+OK", "+QUEUED", "+QUEUED", "*2 $1 1 +PONG")
		for _, line := range []string{"GET a", "DBSIZE", "MGET clean a"} {
			g.write(writer, "SET a 1")
			g.send(reader, "MULTI", "PING", line, "EXEC")
			g.gets(reader, "+OK", "+QUEUED", "+QUEUED")
			g.waits(reader, "EXEC with "+line)
			g.pass()
			if _, err := reader.ReadRaw(); err != nil {
				t.Error(err)
			}
		}
		g.send(reader, "WATCH w", "MULTI", "PING")
		g.gets(reader, "+OK", "+OK", "+QUEUED")
		g.write(writer, "SET w 2")
		g.send(reader, "EXEC")
		g.waits(reader, "EXEC that shows a change")
		g.pass()
		g.gets(reader, "*-1")
		// What EXEC writes is noted for its own keys only.
		g.send(reader, "MULTI", "SET b 1", "GET clean", "EXEC")
		g.gets(reader, "+OK", "+QUEUED", "+QUEUED")
		g.waits(reader, "EXEC that writes")
		other := g.dial()
		g.send(other, "GET clean", "GET b")
		g.gets(other, "$1 1")
		g.waits(other, "a read of what EXEC wrote")
		g.pass()
		g.gets(other, "$1 1")
		g.gets(reader, "*2 +OK $1 1")
	})
}

// TestGatedWaiters: a client that is served waits for what served it, and one whose
// time is over for what it had seen.
func TestGatedWaiters(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		writer, waiting, late, reader := g.dial(), g.dial(), g.dial(), g.dial()
		g.prepare(writer, "RPUSH gone x")
		g.send(waiting, "BLPOP q1 q2 0")
		g.until("a blocked client", func() bool { return strings.Contains(g.do(reader, "INFO clients"), "blocked_clients:1") })
		g.write(writer, "RPUSH q2 v")
		g.waits(waiting, "BLPOP")
		g.send(reader, "LLEN q1", "LLEN q2")
		g.gets(reader, ":0")
		g.waits(reader, "a read of what was popped")
		g.pass()
		g.gets(waiting, "*2 $2 q2 $1 v")
		g.gets(reader, ":0")
		g.gets(writer, ":1")
		g.write(writer, "DEL gone")
		g.send(late, "BLPOP gone 0.01")
		g.waits(late, "BLPOP of a key that was deleted")
		g.pass()
		g.gets(late, "*-1")
	})
}

// TestGatedRemovals: keys that were evicted are missing for who reads them only when that
// is in the log for good. Who reads a key whose time is over, and has it removed, waits
// for nothing.
func TestGatedRemovals(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		writer, reader := g.dial(), g.dial()
		g.prepare(writer, "SET e v PX 20", "SET k v")
		end := g.log.Offset()
		g.until("an expiry", func() bool { return g.log.Offset() > end })
		g.send(reader, "GET k", "GET e")
		g.gets(reader, "$1 v", "$-1")
		g.do(writer, "DEBUG SET-ACTIVE-EXPIRE 0")
		g.prepare(writer, "SET e v PX 20")
		time.Sleep(30 * time.Millisecond)
		end = g.log.Offset()
		g.send(reader, "MULTI", "GET e", "EXEC")
		g.gets(reader, "+OK", "+QUEUED", "*1 $-1")
		if g.log.Offset() == end {
			t.Error("the removal is not in the log")
		}
		g.do(reader, "CONFIG SET maxmemory-policy allkeys-random")
		end = g.log.Offset()
		g.do(reader, "CONFIG SET maxmemory 1")
		g.until("an eviction", func() bool { return g.log.Offset() > end })
		g.send(reader, "GET other", "GET k")
		g.gets(reader, "$-1")
		g.waits(reader, "a read of what was evicted")
		g.pass()
		g.gets(reader, "$-1")
	})
}

// TestGateComesAndGoes: what waits when the gate goes was to be durable, and goes on
// waiting, unless that is in vain; a new one holds what it has not passed, though it was
// free before.
func TestGateComesAndGoes(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		writer, reader := g.dial(), g.dial()
		g.write(writer, "SET a 1")
		g.send(reader, "GET a")
		g.waits(reader, "GET")
		g.alone(func() { g.GateReplies(g.gate) }) // the same: nothing changes
		g.waits(writer, "SET")
		g.alone(func() { g.GateReplies(nil) })
		g.waits(writer, "SET")
		g.waits(reader, "GET")
		g.pass()
		g.gets(writer, "+OK")
		g.gets(reader, "$1 1")
		g.alone(func() { g.GateReplies(g.gate) })
		g.write(writer, "SET a 2")
		g.alone(func() { g.GateReplies(nil); g.ReleaseReplies() })
		g.gets(writer, "+OK")
		if got := g.do(writer, "SET b 1"); got != "+OK\r\n" {
			t.Fatal(got)
		}
		g.alone(func() { g.GateReplies(g.gate) }) // which has passed nothing yet
		g.send(reader, "GET b")
		g.waits(reader, "a read of what was written without a gate")
		g.pass()
		g.gets(reader, "$1 1")
		g.write(writer, "SET b 2")
		second := g.log.Gate("second")
		second.Advance(g.log.Era(), g.log.Offset())
		g.alone(func() { g.GateReplies(second) }) // which has passed it
		g.gets(writer, "+OK")
		g.write(writer, "SET b 3")
		g.pass() // of the first gate, which is nobody's now
		g.waits(writer, "a reply for the second gate")
		second.Advance(g.log.Era(), g.log.Offset())
		g.gets(writer, "+OK")
	})
}

// TestGatedConnections: what else happens to a connection while its replies wait.
func TestGatedConnections(t *testing.T) {
	eachGated(t, gatedConnections)
	t.Run("writes", func(t *testing.T) { eachWriteGated(t, gatedConnections) })
}

func gatedConnections(t *testing.T, g *gated) {
	muted, quits, resets, leaves, subs := g.dial(), g.dial(), g.dial(), g.dial(), g.dial()
	g.send(muted, "CLIENT REPLY SKIP", "SET m 1", "ECHO after")
	g.send(quits, "SET q 1", "QUIT")
	g.send(resets, "MULTI", "SET r 1", "EXEC", "RESET", "PING")
	g.gets(resets, "+OK", "+QUEUED")
	g.send(leaves, "SET l 1", "PING")
	g.send(subs, "SET s 1", "SUBSCRIBE c")
	g.until("all of them", func() bool { return g.done("SET m", "SET q", "SET r", "SET l", "SET s") })
	_ = leaves.Net().(*net.TCPConn).CloseWrite()
	publisher := g.dial()
	g.until("a subscriber", func() bool { return g.do(publisher, "PUBLISH c x") == ":1\r\n" })
	for _, c := range []*testutil.Conn{muted, quits, resets, leaves, subs} {
		g.waits(c, "a connection")
	}
	g.pass()
	g.gets(muted, "$5 after")
	g.gets(quits, "+OK", "+OK")
	g.gets(resets, "*1 +OK", "+RESET", "+PONG")
	g.gets(leaves, "+OK", "+PONG")
	g.gets(subs, "+OK", "*3 $9 subscribe $1 c :1", "*3 $7 message $1 c $1 x")
	for _, c := range []*testutil.Conn{quits, leaves} {
		if raw, err := c.ReadRaw(); err == nil {
			t.Errorf("%q instead of the end", raw)
		}
	}
}

// done tells whether the log has all these beginnings of lines.
func (g *gated) done(begins ...string) bool {
	log := "\n" + g.text()
	return !slices.ContainsFunc(begins, func(b string) bool { return !strings.Contains(log, "\n"+b) })
}

// TestGatedOutput: replies that wait count for output limits, a client that leaves
// takes its own along, and writes of both stay.
func TestGatedOutput(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		admin, full, gone, next := g.dial(), g.dial(), g.dial(), g.dial()
		if _, err := admin.DoRaw("CONFIG", "SET", "client-output-buffer-limit", "normal 200000 0 0"); err != nil {
			t.Fatal(err)
		}
		g.write(gone, "SET gone 1")
		gone.Close()
		g.write(full, "SET full 1")
		for range 3 {
			full.Queue("ECHO", strings.Repeat("x", 100_000))
		}
		if err := full.Flush(); err != nil {
			t.Fatal(err)
		}
		if raw, err := full.ReadRaw(); err == nil {
			t.Errorf("%.20q instead of the end", raw)
		}
		g.send(next, "GET gone", "GET full")
		g.waits(next, "what clients wrote that are gone")
		g.pass()
		g.gets(next, "$1 1", "$1 1")
	})
}

// TestBrowses: the commands that wait for the end of the log, and those whose writes
// everybody waits for, as they are. A new one belongs here if it works on keys that
// its calls do not name.
func TestBrowses(t *testing.T) {
	cfg := config.New(config.Options{WorkDir: t.TempDir(), Cores: 1})
	families := [][]command.Spec{
		commands.String, commands.Generic, commands.List, commands.Set, commands.Hash, commands.ZSet, commands.Stream, commands.Server,
	}
	table, wrong := makeTable(families, cfg)
	if len(wrong) != 0 {
		t.Fatal(wrong)
	}
	var reading, writing []string
	for _, cmd := range table.ByID() {
		switch {
		case len(cmd.Keys) != 0 || !browses(cmd):
		case cmd.Flags&command.Write != 0:
			writing = append(writing, cmd.FullName)
		default:
			reading = append(reading, cmd.FullName)
		}
	}
	slices.Sort(reading)
	slices.Sort(writing)
	if got := strings.Join(writing, " "); got != "flushall flushdb swapdb" {
		t.Errorf("writes to any key: %s", got)
	}
	if got := strings.Join(reading, " "); got != "dbsize debug keys module|load module|loadex module|unload randomkey scan" {
		t.Errorf("reads of any key: %s", got)
	}
}
