package server

import (
	"strings"
	"testing"

	"dozo/internal/testutil"
	"dozo/logger"
	"dozo/resp"
)

// TestWhenAReplicaEnds: a replica whose disk does not keep what it obeys ends, unless it is to
// go on; so does one that cannot do what its primary has done, if that is wanted.
func TestWhenAReplicaEnds(t *testing.T) {
	const reads, fails, writes = "GET key", "INCR word", "SET key value"
	for _, c := range []struct {
		config string
		broken bool // the disk
		line   string
		ends   bool
		says   string
	}{
		{"", false, writes, false, ""},
		{"", true, reads, false, ""},
		{"", true, "PING", false, ""},
		{"", true, writes, true, "Replica was unable to write command to disk"},
		{"replica-ignore-disk-write-errors yes", true, writes, false, "Replica is applying a command even though it is unable to write to disk: MISCONF no room"},
		{"", false, fails, false, "== CRITICAL == This replica is sending an error to its master: 'ERR value is not an integer"},
		{"propagation-error-behavior panic", false, fails, true, "This replica panicked sending an error to its master after processing the command 'INCR'"},
		{"propagation-error-behavior panic-on-replicas", false, fails, true, "This replica panicked"},
		{"propagation-error-behavior panic replica-read-only no", false, fails, false, "== CRITICAL =="},
	} {
		p, log, ended := newFollower(t, 0), &testutil.Journal{}, false
		p.logger = logger.New(log, p.clock, 1, logger.Notice)
		p.opts.Exit = func(int) { ended = true }
		if c.config != "" {
			p.do("CONFIG SET " + c.config)
		}
		if c.broken {
			p.alone(func() { p.RefuseWrites("MISCONF no room") })
		}
		cl := newReplayer(p.w)
		cl.flags, cl.upstream = fromPrimary, &Upstream{client: cl}
		cl.parser.Limits = resp.Limits{MaxArgs: argsMax, MaxBulk: bulkMax}
		before := p.log.Offset()
		p.w.enter()
		p.w.applyBatch(cl, stream("SELECT 0"))
		if c.line == fails {
			p.w.applyBatch(cl, stream("SET word x"))
		}
		p.w.applyBatch(cl, stream(c.line))
		p.w.leave()
		if ended != c.ends || !strings.Contains(log.String(), c.says) {
			t.Errorf("%s, with a disk that is broken: %v, config %q: ended: %v\n%s", c.line, c.broken, c.config, ended, log)
		}
		if c.ends && c.broken && p.log.Offset() != before+uint64(len(stream("SELECT 0"))) {
			t.Errorf("%s was executed before the end", c.line)
		}
	}
}
