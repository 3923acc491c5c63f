package server

// What connections cost in memory, and the eviction of the most expensive ones
// when all together pass maxmemory-clients.
//
// A connection's buffers belong to its loop, which changes them outside the
// gate too. So each loop notes the sizes where it passes anyway (at each tick,
// and at the end of a round for the clients that were served in it while a
// limit is set), and others read the notes.
//
// Who must know better (CLIENT LIST, and the search for the client to evict) has
// all loops stand still first.
//
// LIMITATIONS: the sums in INFO are up to a tick old, and while no limit is set so
// is the one that counts against maxmemory.

import (
	"slices"
	"strings"
	"time"

	"dozo/config"
)

const (
	// clientBaseBytes is what a connection costs beside its buffers: the
	// structures of this package and of the loop.
	clientBaseBytes = 1200
	// subscriptionBytes is what a subscription costs beside its name, on both
	// sides: the client's list and the loop's table.
	subscriptionBytes = 96
	// watchBytes is what a watched key costs, with a key of usual length.
	watchBytes = 160
	// clientLimitMin is the least limit on all clients that is honoured, so that
	// a mistaken setting does not lock everybody out.
	clientLimitMin = 128 << 10
	// replyShort is how much pending output CLIENT LIST shows as obl, the static
	// buffer of Redis; what is longer is shown as omem.
	replyShort = 16 << 10
)

// bufferSizes are the sizes of a connection's buffers at one moment.
type bufferSizes struct {
	query, queryMem int // received and not executed
	argv            int // of it, in words that are whole
	out, outMem     int // not sent yet
}

// bigWord is the length from which on Redis keeps a word apart from the query
// buffer; CLIENT LIST shows it so.
const bigWord = 32 << 10

// look notes the sizes. On the client's own loop, or while that stands still.
func (c *Client) look() {
	conn, w := c.conn, c.worker
	c.seen = bufferSizes{query: conn.QueryBuffered(), out: conn.PendingOut(), outMem: conn.PendingMemory()}
	// Of a buffer that is made for what is to come, the part beyond that (it is a
	// power of two) has not been written to and takes no memory yet.
	c.seen.queryMem = min(conn.QueryMemory(), max(c.seen.query, c.expects))
	if w.current != c {
		if words, at := c.parser.Unfinished(); c.seen.query-at >= bigWord {
			c.seen.query, c.seen.argv = c.seen.query-at, words
		}
		return
	}
	c.seen.query = w.batchLen // in the buffer that the loop's clients share, if it is short
	for _, a := range w.ctx.Args {
		c.seen.argv += len(a)
	}
}

// output is how CLIENT LIST shows what is not sent yet.
func (b bufferSizes) output() (events string, obl, oll, omem int) {
	switch {
	case b.out == 0:
		return "r", 0, 0, 0
	case b.out <= replyShort:
		return "rw", b.out, 0, 0
	}
	return "rw", 0, 1, b.outMem
}

// memory is the number of bytes that a client with these buffers takes.
func (c *Client) memory(b bufferSizes) int64 {
	return clientBaseBytes + int64(b.queryMem) + int64(b.outMem) + c.tx.bytes + c.subs.bytes + c.block.bytes() +
		int64(c.watch.Count())*watchBytes
}

// recount brings the worker's sum of memory up to date with one of its clients. What
// a connection holds that is cut, for its output limit perhaps, counts no more:
// nobody has to be evicted for it.
func (w *worker) recount(cl *Client) {
	cl.look()
	now := cl.memory(cl.seen)
	if cl.conn.IsClosed() {
		now = 0
	}
	if now != cl.counted {
		w.beside.Add(now - cl.counted)
		cl.counted = now
	}
	w.recent.note(w.mono, cl.seen)
}

// uncount takes a client out of the sum.
func (w *worker) uncount(cl *Client) {
	w.beside.Add(-cl.counted)
	cl.counted = 0
}

// recountAll brings the sums up to date with clients of all workers. Only in
// exclusive mode.
func (w *worker) recountAll(list []*Client) {
	if !w.standStill() {
		return // the server ends: old figures will do
	}
	for _, cl := range list {
		cl.worker.recount(cl)
	}
}

// clientLimit is the number of bytes that all clients may take together; 0 = no
// limit.
func clientLimit(v *config.Values) int64 {
	n := v.Int(config.MaxMemoryClients)
	if n == 0 {
		return 0
	}
	if n < 0 { // percent of maxmemory
		limit := v.Int(config.MaxMemory)
		if limit == 0 {
			return 0
		}
		n = int64(float64(limit) * float64(-n) / 100)
	}
	return max(n, clientLimitMin)
}

// checkClients recounts the clients that were served in this round, if a limit
// is set, and makes room when it is passed. The caller is inside the gate.
func (w *worker) checkClients() {
	limit := w.srv.live.Load().clientLimit
	for i, cl := range w.served {
		w.served[i] = nil
		if limit != 0 && !cl.freed {
			w.recount(cl)
		}
	}
	w.served = w.served[:0]
	if limit != 0 && w.srv.countedBeside() >= limit {
		w.alone(func() { w.srv.evictClients(w) })
	}
}

// evictBefore makes room before a command of a client is executed: what it has
// sent counts, too. False means that the client itself had to go.
func (w *worker) evictBefore(cl *Client) bool {
	w.recount(cl)
	if w.srv.countedBeside() >= w.srv.live.Load().clientLimit {
		w.alone(func() { w.srv.evictClients(w) })
	}
	return !cl.freed
}

// evictClients ends the clients that take most, until the rest is below the
// limit. Only in exclusive mode.
func (s *Server) evictClients(w *worker) {
	limit, all := s.live.Load().clientLimit, s.everyone()
	if limit == 0 {
		return
	}
	w.recountAll(all)
	all = slices.DeleteFunc(all, func(cl *Client) bool { return cl.flags&(noEvict|closing|fromPrimary|isReplica) != 0 })
	slices.SortStableFunc(all, func(a, b *Client) int { return int(b.counted - a.counted) })
	for _, cl := range all {
		if s.countedBeside() < limit {
			break
		}
		s.logf(Notice, "Evicting client: %s", strings.TrimSpace(w.describe(cl)))
		w.stats.evictedConns++
		cl.kill(nil)
	}
	over := s.countedBeside() >= limit
	if over && !s.overClients {
		s.logf(Warning, "Over client maxmemory after evicting all evictable clients")
	}
	s.overClients = over
}

// peakSeconds is how many seconds the largest buffers are remembered, which
// INFO shows.
const peakSeconds = 8

// recentPeaks are the largest buffers seen lately, by second.
type recentPeaks struct {
	second  [peakSeconds]int64
	in, out [peakSeconds]int
}

func (r *recentPeaks) note(now time.Duration, b bufferSizes) {
	second := int64(now / time.Second)
	i := second % peakSeconds
	if r.second[i] != second {
		r.second[i], r.in[i], r.out[i] = second, 0, 0
	}
	r.in[i], r.out[i] = max(r.in[i], b.queryMem), max(r.out[i], b.outMem)
}

// largest are the largest buffers of the last seconds.
func (r *recentPeaks) largest(now time.Duration) (in, out int) {
	for i, s := range r.second {
		if int64(now/time.Second)-s < peakSeconds {
			in, out = max(in, r.in[i]), max(out, r.out[i])
		}
	}
	return in, out
}
