package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"dozo/client"
	"dozo/resp"
)

// ErrStopped says that the import was told to stop. It has written down how far it came.
var ErrStopped = errors.New("stopped: run the import again, and it goes on from here")

// run is an import under way.
type run struct {
	Options
	Summary
	progress
	ctx  context.Context
	p    *pipeline
	conv *converter

	st    state
	next  position // behind what was read last
	saved time.Duration
	due   time.Duration // when what was sent may have been, by the rate limit
	later []func() error

	orders  orders
	base0   int64 // bytes of the files before
	margin  int64 // deadlines that are not later than so many ms from now are parked; -1: none is
	checked map[int]bool
	parts   []part

	oldTarget bool  // it has no PEXPIRETIME
	evicted   int64 // keys of the target, when this run was started
	restarted bool  // the target was, since the state was written
	level     bool  // with its source the target has been, since this run was started
}

// Run imports until all is done, an error ends it, or ctx does. The Summary is of this run
// and of those before that it goes on from.
func Run(ctx context.Context, o Options) (*Summary, error) {
	r := &run{Options: o, ctx: ctx, margin: -1, checked: map[int]bool{}}
	err := r.all()
	if r.p != nil {
		r.p.Close()
	}
	if r.conv != nil {
		r.conv.close()
	}
	r.say("%s", r.progressLine(r.Env.Clock.Monotonic()-r.begin))
	return &r.Summary, err
}

func (r *run) all() error {
	if err := r.start(); err != nil {
		return err
	}
	resumed, err := false, error(nil)
	if !r.Restart {
		if resumed, err = r.loadState(); err != nil {
			return err
		}
	}
	if resumed {
		r.say("going on from %s", r.State)
		r.startProgress(0) // what was done before is not of this run
	} else {
		r.st = state{Source: r.source(), ID: strconv.FormatUint(r.Env.NewRand().Uint64(), 36)}
	}
	r.meetTarget(resumed)
	if err := r.read(resumed); err != nil {
		return r.interrupted(err)
	}
	return r.finish()
}

// start connects to the target and makes what is needed.
func (r *run) start() (err error) {
	r.startProgress(0)
	conn, err := client.Dial(r.ctx, r.Target)
	if err != nil {
		return fmt.Errorf("cannot connect to the target %s: %w", r.Target.Address, err)
	}
	r.p = newPipeline(conn, r.Rate)
	r.conv, err = newConverter()
	return err
}

// read reads the source to its end.
func (r *run) read(resumed bool) error {
	switch {
	case r.Server == nil:
		return r.readFiles(resumed)
	case r.Scan:
		return r.scan()
	}
	return r.follow(resumed)
}

// interrupted sees to it that the import can go on later.
func (r *run) interrupted(err error) error {
	r.noteEvictions()
	if r.st.At != (position{}) || r.st.Whole {
		err = errors.Join(err, r.saveState())
	}
	return err
}

// finish does what is left when all was read.
func (r *run) finish() error {
	err := r.flush()
	if err == nil {
		err = r.unpark()
	}
	if err == nil {
		r.noteEvictions()
		r.p.use(r.dbOf(0))
		r.p.ask(nil, []byte("DEL"), []byte(r.ownName()))
		err = r.p.flush()
	}
	if err != nil {
		return r.interrupted(err)
	}
	for _, name := range []string{r.State, r.State + spoolSnapshot, r.State + spoolStream} {
		_ = r.Env.FS.Remove(name) // mostly it is not there
	}
	return nil
}

// source is the source's name, in the state file.
func (r *run) source() string {
	switch {
	case r.Server == nil:
		return r.Path
	case r.Scan:
		return "scan of " + r.Server.Address
	}
	return r.Server.Address
}

// ownName is the key of the target that the import needs for itself.
func (r *run) ownName() string { return "dozo-import:" + r.st.ID }

// flush has all that was sent answered, and notes how far the import came.
func (r *run) flush() error {
	err := r.p.flush()
	for err == nil && len(r.later) > 0 {
		next := r.later[0]
		r.later = r.later[1:]
		err = next()
	}
	if err != nil {
		return err
	}
	return r.reached()
}

// reached notes how far the import came.
func (r *run) reached() error {
	r.st.At = r.next
	r.show()
	if r.st.At != (position{}) && (r.saved == 0 || r.Env.Clock.Monotonic()-r.saved >= stateEvery) {
		if err := r.saveState(); err != nil {
			return err
		}
	}
	r.limit()
	return nil
}

// stopped tells whether the import was told to stop; what was sent is answered then.
func (r *run) stopped() error {
	if r.ctx.Err() == nil {
		return nil
	}
	if err := r.transact(); err != nil {
		return err
	}
	if err := r.flush(); err != nil {
		return err
	}
	return ErrStopped
}

// databases asks a server which databases have keys, and how many.
func databases(c *client.Conn) (map[int]int64, error) {
	v, err := c.Do("INFO", "keyspace")
	if err != nil {
		return nil, err
	}
	sizes := map[int]int64{}
	for line := range strings.Lines(v.Str) {
		name, facts, _ := strings.Cut(strings.TrimSpace(line), ":")
		digits, ok := strings.CutPrefix(name, "db")
		db, err := strconv.Atoi(digits)
		count, _, _ := strings.Cut(strings.TrimPrefix(facts, "keys="), ",")
		if n, bad := strconv.ParseInt(count, 10, 64); ok && err == nil && bad == nil {
			sizes[db] = n
		}
	}
	return sizes, nil
}

// demandEmpty refuses to run commands on data that is there already.
func (r *run) demandEmpty() error {
	if r.Replace {
		return nil
	}
	there, err := databases(r.p.Conn)
	if err == nil && len(there) > 0 {
		err = fmt.Errorf("the target has keys (in databases %v), and the source has commands, which would change them: empty it, or say --replace", slices.Sorted(maps.Keys(there)))
	}
	return err
}

// firstError is the text of a reply that is an error.
func firstError(v resp.Value) string {
	if v.IsError() {
		return v.Str
	}
	return ""
}
