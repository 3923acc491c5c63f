package importer

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"dozo/client"
	"dozo/resp"
)

// pipeline sends commands to the target together and hears the replies in order.
type pipeline struct {
	*client.Conn
	asks     []func(resp.Value) error
	selected int
	max      int   // bytes after which it is sent
	bytes    int64 // sent and not reckoned with yet by the rate limit
}

// When a pipeline is sent.
const (
	pipelineBytes = 1 << 20
	pipelineAsks  = 512
)

// ask sends a command with the next flush; hear, if not nil, gets the reply. Its error ends
// the import.
func (p *pipeline) ask(hear func(resp.Value) error, args ...[]byte) {
	before := p.Queued()
	p.SendBytes(args...)
	p.bytes += int64(p.Queued() - before)
	p.asks = append(p.asks, hear)
}

// raw is ask for commands that are encoded already.
func (p *pipeline) raw(hear []func(resp.Value) error, b []byte) {
	p.SendRaw(b)
	p.bytes += int64(len(b))
	p.asks = append(p.asks, hear...)
}

// use has what follows go to a database.
func (p *pipeline) use(db int) {
	if p.selected != db {
		p.selected = db
		p.ask(mustBeOK("SELECT"), []byte("SELECT"), number(int64(db)))
	}
}

// full tells whether it is time to flush.
func (p *pipeline) full() bool { return p.Queued() >= p.max || len(p.asks) >= pipelineAsks }

// flush sends what was asked and hears all replies. It waits for all of them even if one
// ends the import, so that what was done is known.
func (p *pipeline) flush() error {
	asks := p.asks
	p.asks = nil
	if err := p.Flush(); err != nil {
		if v, reading := p.ReceiveReply(); reading == nil && v.IsError() { // its last words
			return targetError(v, "")
		}
		return lostTarget(err)
	}
	var first error
	for _, hear := range asks {
		v, err := p.ReceiveReply()
		if err != nil {
			return errors.Join(first, lostTarget(err))
		}
		if err := refusal(v); err != nil && first == nil {
			first = err
		}
		if hear != nil && first == nil {
			first = hear(v)
		}
	}
	return first
}

func lostTarget(err error) error {
	return fmt.Errorf("the connection to the target was lost (%w): when it is back, run the import again, and it goes on from here", err)
}

// refusals are the beginnings of replies that say nothing of the key at hand: any other
// would be refused as well.
var refusals = []struct{ begins, advice string }{
	{"OOM", "give it more memory (maxmemory)"},
	{"MISCONF", "its disk or its last save has failed, see its log"},
	{"READONLY", "it is a replica: give the address of its primary"},
	{"NOAUTH", "it wants a password: --pass, --askpass or REDISCLI_AUTH"},
	{"NOPERM", "its user may not do that: give another with --user"},
	{"LOADING", "wait until it has loaded its data"},
	{"BUSY ", "a script keeps it busy"},
	{"MASTERDOWN", "it is a replica without its primary"},
	{"NOREPLICAS", "it has fewer replicas than min-replicas-to-write"},
	{"CLUSTERDOWN", "its cluster is down"},
	{"MOVED", "it is a part of a cluster, which the import does not know"},
	{"ERR DB index is out of range", "it has fewer databases: map them with --db-map, or raise databases"},
	{"ERR max number of clients", "raise maxclients"},
}

// refusal is the error that a reply is, if it is one of the target as a whole.
func refusal(v resp.Value) error {
	if !v.IsError() {
		return nil
	}
	for _, f := range refusals {
		if strings.HasPrefix(v.Str, f.begins) {
			return targetError(v, f.advice)
		}
	}
	return nil
}

func targetError(v resp.Value, advice string) error {
	if advice != "" {
		advice = ": " + advice
	}
	return fmt.Errorf("the target refuses: %w%s. Run the import again, and it goes on from here", resp.ReplyError(v.Str), advice)
}

// mustBeOK hears replies that have to be good for the import to go on.
func mustBeOK(what string) func(resp.Value) error {
	return func(v resp.Value) error {
		if v.IsError() {
			return targetError(v, "the import needs "+what)
		}
		return nil
	}
}

// newPipeline makes one that is sent some times a second even with a rate limit.
func newPipeline(c *client.Conn, rate int64) *pipeline {
	const timesASecond = 10
	p := &pipeline{Conn: c, max: pipelineBytes}
	if rate > 0 {
		p.max = int(min(pipelineBytes, rate/timesASecond))
	}
	return p
}

// limit waits as long as what was sent should have taken.
func (r *run) limit() {
	sent := r.p.bytes
	r.p.bytes = 0
	if r.Rate <= 0 || sent == 0 {
		return
	}
	now := r.Env.Clock.Monotonic()
	r.due = max(r.due, now-time.Second/10) + time.Duration(float64(sent)/float64(r.Rate)*float64(time.Second))
	r.pause(r.due - now)
}

// pause waits, or until the import is told to stop.
func (r *run) pause(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.ctx.Done():
	}
}
