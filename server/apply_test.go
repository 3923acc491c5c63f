package server

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"dozo/internal/invariants"
	"dozo/logger"
	"dozo/object"
	"dozo/oplog"
)

// TestUnknownWithinATransaction: a command of the stream that this server does not know is
// counted, and keeps its place among the bytes, also within a transaction: else a replica
// of this server would get other bytes at the same offsets.
func TestUnknownWithinATransaction(t *testing.T) {
	in := string(stream("SELECT 0", "MULTI", "SET a 1", "NOSUCH x", "SET b 2", "EXEC"))
	applying(t, func(w *worker, cl *Client) {
		w.applies(t, cl, in)
		if n := w.srv.applyErrors.Load(); n != 1 {
			t.Errorf("%d errors were counted", n)
		}
	})
}

// applies has parts of a primary's stream applied, and demands that the log has them then.
func (w *worker) applies(t *testing.T, cl *Client, parts ...string) {
	t.Helper()
	log := w.srv.log
	from, in := log.Offset(), ""
	for _, part := range parts {
		in += part
		in = in[w.applyBatch(cl, []byte(in)):]
	}
	if in != "" {
		t.Errorf("%q was not dealt with", in)
	}
	reader, err := log.NewReader(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	got, want := make([]byte, log.Offset()-from), strings.Join(parts, "")
	if _, err := reader.Read(got); string(got) != want {
		t.Errorf("the log has %q, %v\nwant %q", got, err, want)
	}
}

// TestApplyingAhead: however a stream comes in parts, and though the keys of commands are
// looked for before their turn, all is executed once and in order, and the log has the bytes
// that came.
func TestApplyingAhead(t *testing.T) {
	long := strings.Repeat(" x", aheadArgsMax)
	in := string(stream("FLUSHALL", "SELECT 0", "SET a 1", "APPEND a 2")) + "\r\n" +
		string(stream("RPUSH list"+long, "MULTI", "SET b 2", "NOSUCH x", "APPEND b 3", "SELECT 1", "SET c 1", "EXEC",
			"SELECT 99", "SET z 1", "APPEND z 1", "SELECT 0", "SET d 1", "FLUSHDB", "APPEND e 3", "RPUSH list"+long, "APPEND e 4", "PING", "APPEND e 5"))
	digests := map[object.Digest]int{}
	applying(t, func(w *worker, cl *Client) {
		for cut := range len(in) {
			w.warming = cut > 0
			w.applies(t, cl, in[:cut], in[cut:])
			w.alone(func() { digests[w.view.Digest()] = cut })
		}
	})
	if len(digests) != 1 {
		t.Errorf("one stream ends in different ways: %v", digests)
	}
}

// TestComplaintsAreBounded: what a primary sends by the thousand that is not known here does
// not fill the log, and is counted.
func TestComplaintsAreBounded(t *testing.T) {
	in := strings.Repeat(string(stream("NOSUCH x")), 1000)
	var said strings.Builder
	applying(t, func(w *worker, cl *Client) {
		w.srv.logger = logger.New(&said, w.srv.clock, 1, logger.Notice)
		for second := 1; second <= 2; second++ {
			cl.upstream.complained = w.mono - time.Hour
			w.applies(t, cl, in)
			if got := strings.Count(said.String(), "CRITICAL"); got != second*complaintsMax {
				t.Errorf("%d lines are in the log after %d seconds", got, second)
			}
		}
		if n := w.srv.applyErrors.Load(); n != 2000 {
			t.Errorf("%d errors were counted", n)
		}
	})
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
		w.warming = true
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
