package server

import (
	"strings"
	"testing"
	"time"
)

// eachWriteGated is eachGated with a gate that only writes wait for.
func eachWriteGated(t *testing.T, test func(t *testing.T, g *gated)) {
	eachGated(t, func(t *testing.T, g *gated) {
		g.alone(func() { g.GateWrites(g.gate) })
		test(t, g)
	})
}

// TestWritesWait: a reply to a write waits, with what its client has sent behind it, and those
// do not who read what it has made.
func TestWritesWait(t *testing.T) {
	eachWriteGated(t, func(t *testing.T, g *gated) {
		writer, reader := g.dial(), g.dial()
		for _, write := range []string{"SET a 1", "MSET a 1 b 2", "FLUSHALL", "SADD s x", "RENAME s t"} {
			g.write(writer, write)
			if raw := g.do(reader, "EXISTS a"); raw == "" {
				t.Error("no reply")
			}
			g.do(reader, "DBSIZE")
			g.waits(writer, write)
			g.pass()
			if _, err := writer.ReadRaw(); err != nil {
				t.Errorf("%s: %v", write, err)
			}
		}
		before := g.log.Offset()
		g.send(writer, "PING", "MULTI", "SET a 2", "GET a", "EXEC", "GET a", "DEL missing")
		g.until("EXEC", func() bool { return g.log.Offset() > before })
		g.gets(writer, "+PONG", "+OK", "+QUEUED", "+QUEUED")
		g.waits(writer, "a pipeline with a write in it")
		g.send(writer, "PING")
		g.waits(writer, "what comes behind")
		g.pass()
		g.gets(writer, "*2 +OK $1 2", "$1 2", ":0", "+PONG")
		if got := g.do(writer, "GET a"); got != "$1\r\n2\r\n" { // what it wrote before is through
			t.Error(got)
		}
	})
}

// TestServedWait: a client that was served in a blocking command waits for what that wrote.
func TestServedWait(t *testing.T) {
	eachWriteGated(t, func(t *testing.T, g *gated) {
		writer, waiting, reader := g.dial(), g.dial(), g.dial()
		g.send(waiting, "BLPOP q 0")
		g.until("a blocked client", func() bool { return strings.Contains(g.do(reader, "INFO clients"), "blocked_clients:1") })
		g.write(writer, "RPUSH q v w")
		g.waits(waiting, "BLPOP")
		if got := g.do(reader, "LLEN q"); got != ":1\r\n" {
			t.Error(got)
		}
		g.waits(writer, "RPUSH")
		g.pass()
		g.gets(waiting, "*2 $1 q $1 v")
		g.gets(writer, ":2")
	})
}

// TestGatesInTurn: what waits for one gate waits for the one that takes its place.
func TestGatesInTurn(t *testing.T) {
	eachWriteGated(t, func(t *testing.T, g *gated) {
		writer, reader := g.dial(), g.dial()
		durable := g.log.Gate("durable")
		g.write(writer, "SET a 1")
		g.alone(func() { g.GateReplies(durable) })
		g.pass()
		g.waits(writer, "a write, for the other gate")
		g.send(reader, "GET a")
		g.waits(reader, "a read, now")
		g.alone(func() { g.GateWrites(g.gate) }) // which has passed it
		g.gets(writer, "+OK")
		g.gets(reader, "$1 1")
		g.write(writer, "SET a 2")
		g.alone(func() { g.GateReplies(nil) })
		g.waits(writer, "a write from before the gate went")
		g.pass()
		g.gets(writer, "+OK")
		g.alone(func() { g.GateWrites(g.gate) })
		g.write(writer, "SET a 3")
		g.alone(func() { g.BeginHistory(g.log.Offset() + 1000) })
		g.gets(writer, "+OK") // it counts as what the history begins with
		g.write(writer, "SET a 4")
		g.waits(writer, "a write of the new history")
		g.pass()
		g.gets(writer, "+OK")
	})
}

// TestExpiryWaitsForNobody: who reads a key whose time is over, and has it removed, does
// not wait for that.
func TestExpiryWaitsForNobody(t *testing.T) {
	eachWriteGated(t, func(t *testing.T, g *gated) {
		writer, reader := g.dial(), g.dial()
		g.do(reader, "DEBUG SET-ACTIVE-EXPIRE 0")
		g.prepare(writer, "SET e v PX 1", "SET f v PX 1")
		time.Sleep(5 * time.Millisecond)
		end := g.log.Offset()
		g.send(reader, "GET e", "MULTI", "GET f", "EXEC")
		g.gets(reader, "$-1", "+OK", "+QUEUED", "*1 $-1")
		if g.log.Offset() == end {
			t.Error("the removals are not in the log")
		}
	})
}
