package server

import (
	"strings"
	"testing"
)

// blocked waits until so many clients are blocked.
func (g *gated) blocked(n string) {
	g.t.Helper()
	c := g.dial()
	g.until(n+" blocked clients", func() bool { return strings.Contains(g.do(c, "INFO clients"), "blocked_clients:"+n+"\r\n") })
	c.Close()
}

// everysec has replies leave at once, so that WAITAOF is what waits.
func (g *gated) everysec() { g.alone(func() { g.GateReplies(nil) }) }

func TestWaitAOF(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		g.everysec()
		a, b, idle := g.dial(), g.dial(), g.dial()
		g.send(idle, "GET k", "WAITAOF 1 0 0") // it has written nothing
		g.gets(idle, "$-1", "*2 :1 :0")
		g.do(a, "SET k 1")
		first := g.log.Offset()
		g.do(b, "SET k 2")
		g.send(a, "WAITAOF 0 0 0", "WAITAOF 1 0 20", "MULTI", "WAITAOF 1 0 0", "EXEC")
		g.gets(a, "*2 :0 :0", "*2 :0 :0", "+OK", "+QUEUED", "*1 *2 :0 :0")
		g.send(idle, "WAITAOF 1 0 0")
		g.gets(idle, "*2 :1 :0")
		g.send(a, "WAITAOF 1 0 0", "PING")
		g.send(b, "WAITAOF 1 0 0")
		g.blocked("2")
		g.gate.Advance(g.log.Era(), first-1)
		g.waits(a, "WAITAOF")
		g.gate.Advance(g.log.Era(), first)
		g.gets(a, "*2 :1 :0", "+PONG")
		g.waits(b, "WAITAOF of a later write")
		g.pass()
		g.gets(b, "*2 :1 :0")
		g.send(b, "WAITAOF 1 0 0", "WAITAOF 1 1 20", "GET k")
		g.gets(b, "*2 :1 :0", "*2 :1 :0", "$1 2")
		// Again, behind waits that were over: nothing of them is left.
		g.do(a, "SET k 3")
		g.send(a, "WAITAOF 1 0 0")
		g.blocked("1")
		g.pass()
		g.gets(a, "*2 :1 :0")
	})
}

// TestWaitAOFEnds: whatever ends the wait, the others go on waiting.
func TestWaitAOFEnds(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		g.everysec()
		admin, stays, killed, unblocked, leaves, replicas := g.dial(), g.dial(), g.dial(), g.dial(), g.dial(), g.dial()
		id := strings.Trim(g.do(killed, "CLIENT ID"), ":\r\n")
		other := strings.Trim(g.do(unblocked, "CLIENT ID"), ":\r\n")
		g.do(killed, "SET k 0")
		g.send(killed, "WAITAOF 1 0 0")
		g.do(stays, "SET k 1")
		g.send(stays, "WAITAOF 1 0 0")
		g.do(unblocked, "SET k 2")
		g.send(unblocked, "WAITAOF 1 0 0")
		g.do(leaves, "SET k 3")
		g.send(leaves, "WAITAOF 1 0 0")
		g.send(replicas, "WAITAOF 1 2 0")
		g.blocked("5")
		g.do(admin, "CLIENT UNBLOCK "+other+" ERROR")
		g.gets(unblocked, "-UNBLOCKED client unblocked via CLIENT UNBLOCK")
		g.do(admin, "CLIENT KILL ID "+id)
		leaves.Close()
		g.blocked("2")
		g.waits(stays, "WAITAOF")
		g.pass()
		g.gets(stays, "*2 :1 :0")
		g.waits(replicas, "WAITAOF for replicas")
		g.do(stays, "SET k 4")
		g.send(stays, "WAITAOF 1 0 0")
		g.blocked("2")
		g.alone(func() { g.SetLocalGate(nil, false) })
		const gone = "-ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
		g.gets(stays, gone)
		g.gets(replicas, gone)
		g.send(stays, "WAITAOF 1 0 0", "WAITAOF 0 0 0")
		g.gets(stays, gone, "*2 :0 :0")
		second := g.log.Gate("second")
		g.alone(func() { g.SetLocalGate(second, false) })
		g.send(stays, "WAITAOF 1 0 50")
		g.gets(stays, "*2 :0 :0") // what was there before is not in the file yet
		g.send(stays, "WAITAOF 1 0 0")
		g.blocked("1")
		g.alone(func() { g.SetLocalGate(second, true) })
		g.gets(stays, "*2 :1 :0")
		g.do(stays, "SET k 5")
		g.send(stays, "WAITAOF 1 0 0")
		g.blocked("1")
		second.Advance(g.log.Era(), g.log.Offset())
		g.gets(stays, "*2 :1 :0")
	})
}

// TestReplicasAreAskedAtOnce: the question to replicas, which is written at the end of a
// round, leaves with that round, and not when something else wakes those who send it.
func TestReplicasAreAskedAtOnce(t *testing.T) {
	g := startGated(t, 1)
	woken := make(chan bool)
	g.workers[0].call(func(w *worker) {
		told := false
		r, err := g.log.NewTailReader(func() { told = true })
		if err != nil || !r.Arm() {
			t.Errorf("a reader of the log: %v", err)
		}
		defer r.Close()
		w.acks.asks = true
		w.BeforeSleep(w.loop)
		woken <- told
	})
	if !<-woken {
		t.Error("who sends the log to replicas was not woken for the question")
	}
}

// TestWaitAOFServed: what a client that was served has popped is its write.
func TestWaitAOFServed(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		g.everysec()
		pops, pushes := g.dial(), g.dial()
		g.send(pops, "BLPOP q 0", "WAITAOF 1 0 0")
		g.blocked("1")
		g.do(pushes, "RPUSH q v")
		g.gets(pops, "*2 $1 q $1 v")
		g.waits(pops, "WAITAOF after BLPOP")
		g.pass()
		g.gets(pops, "*2 :1 :0")
	})
}

// TestNewHistory: offsets of a history of the log that is over hold nobody up in the
// next, which begins before them.
func TestNewHistory(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		writer, reader := g.dial(), g.dial()
		g.write(writer, "SET key value")
		g.pass()
		g.gets(writer, "+OK")
		g.alone(func() { g.BeginHistory(1) })
		g.send(writer, "WAITAOF 1 0 0")
		g.gets(writer, "*2 :1 :0")
		g.send(reader, "GET key", "DBSIZE")
		g.gets(reader, "$5 value", ":1")
		g.write(writer, "SET key 2")
		g.send(reader, "GET key")
		g.waits(writer, "a write of the new history")
		g.waits(reader, "a read of it")
		g.pass()
		g.gets(writer, "+OK")
		g.gets(reader, "$1 2")
	})
}
