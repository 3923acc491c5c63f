package server

import (
	"bytes"
	"testing"
	"time"

	"dozo/internal/invariants"
	"dozo/oplog"
	"dozo/resp"
)

// TestUnknownWithinATransaction: a command of the stream that this server does not know is
// counted, and keeps its place among the bytes, also within a transaction: else a replica
// of this server would get other bytes at the same offsets.
func TestUnknownWithinATransaction(t *testing.T) {
	in := string(stream("SELECT 0", "MULTI", "SET a 1", "NOSUCH x", "SET b 2", "EXEC"))
	p := newFollower(t, 0)
	cl := newReplayer(p.w)
	cl.flags, cl.upstream = fromPrimary, &Upstream{client: cl}
	cl.parser.Limits = resp.Limits{MaxArgs: argsMax, MaxBulk: bulkMax}
	from := p.log.Offset()
	p.w.enter()
	if n := p.w.applyBatch(cl, []byte(in)); n != len(in) {
		t.Errorf("%d bytes of %d were dealt with", n, len(in))
	}
	p.w.leave()
	reader, err := p.log.NewReader(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	got, err := reader.Peek()
	if string(got) != in {
		t.Errorf("the log has %q, %v\nwant %q", got, err, in)
	}
	reader.Advance(len(got))
	if n := p.applyErrors.Load(); n != 1 {
		t.Errorf("%d errors were counted", n)
	}
}

// stream is what a primary sends: each line a command.
func stream(lines ...string) (b []byte) {
	for _, line := range lines {
		b = oplog.AppendCommand(b, bytes.Fields([]byte(line))...)
	}
	return b
}

// applying has fn apply a primary's stream on a loop of a server that follows, over a
// connection to nothing.
func applying(t testing.TB, fn func(w *worker, cl *Client)) {
	t.Helper()
	g := startGated(t, 1)
	g.do(g.dial(), "PING")
	g.alone(func() {
		g.UseLog(LogReplicas, true)
		g.Follow(true)
	})
	done := make(chan struct{})
	g.workers[0].call(func(w *worker) {
		defer close(done)
		cl := w.clientOfNobody()
		cl.flags, cl.upstream = fromPrimary, &Upstream{}
		cl.parser.Limits.MaxArgs, cl.parser.Limits.MaxBulk = argsMax, bulkMax
		fn(w, cl)
		w.owed, cl.conn.Out = nil, cl.conn.Out[:0]
	})
	<-done
}

// TestApplyingAllocatesNothing: what a primary sends all day is executed, logged and
// acknowledged without garbage.
func TestApplyingAllocatesNothing(t *testing.T) {
	if invariants.Enabled {
		t.Skip("the checks of this build take memory")
	}
	applying(t, func(w *worker, cl *Client) {
		for _, in := range [][]byte{
			stream("SET key value", "INCR number", "SET key value PXAT 99999999999999"),
			stream("REPLCONF GETACK *"),
		} {
			cl.upstream.bursts = true
			n := testing.AllocsPerRun(200, func() {
				cl.upstream.told = 0 // and tell it each time
				if got := w.applyBatch(cl, in); got != len(in) {
					t.Errorf("%d of %d bytes were applied", got, len(in))
				}
				cl.conn.Out = cl.conn.Out[:0]
			})
			if n != 0 {
				t.Errorf("%.30q...: %v allocations", in, n)
			}
		}
	})
}

// TestAcknowledgements: a primary that stamps its stream hears of bursts, but not of each one
// in a row, and of the last one in the end; another only when it asks.
func TestAcknowledgements(t *testing.T) {
	applying(t, func(w *worker, cl *Client) {
		told := func(line string) bool {
			cl.conn.Out = cl.conn.Out[:0]
			w.applyBatch(cl, stream(line))
			return len(cl.conn.Out) != 0
		}
		if told("SET a b") {
			t.Error("a primary that is a Redis was told of a burst")
		}
		if !told("REPLCONF GETACK *") {
			t.Error("a primary that asks was not told")
		}
		cl.upstream.told = w.mono - time.Second
		if !told("PING dozo:clock:1800000000000") {
			t.Error("a primary that stamps its stream was not told of a burst")
		}
		cl.upstream.told = w.mono + time.Hour // as if within the gap, however slow this machine is
		if told("SET a c") || w.owed != cl {
			t.Error("a primary was told of each burst, or will not be of the last one")
		}
		if !told("SET a " + string(bytes.Repeat([]byte("x"), ackBytes))) {
			t.Error("a primary was not told of much that came")
		}
		cl.upstream.told = w.mono + time.Hour
		told("SET a d")
		cl.upstream.told = 0
		if w.answerOwed(); w.owed != nil || len(cl.conn.Out) == 0 {
			t.Error("a primary was not told of the last burst")
		}
	})
}
