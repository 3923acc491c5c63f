package main

import (
	"fmt"
	"strconv"
	"time"

	"dozo/internal/testutil"
)

// removal is a way for a giant value to go.
type removal struct {
	name    string
	command []string
	answer  string
	stays   bool // the value goes from its key, not from memory
}

var removals = []removal{
	{name: "DEL", command: []string{"DEL", giant}, answer: "1"},
	{name: "UNLINK", command: []string{"UNLINK", giant}, answer: "1"},
	{name: "expiry", command: []string{"PEXPIRE", giant, "100"}, answer: "1"},
	{name: "RENAME", command: []string{"RENAME", giant, "a key of another shard"}, answer: "OK", stays: true},
}

// stallCase is a kind of value and how it goes.
type stallCase struct {
	kind kind
	how  removal
}

func (st stallCase) name() string { return st.how.name + " of a " + st.kind.name }

func stallCases() (list []stallCase) {
	for _, k := range largeKinds {
		for _, how := range removals {
			list = append(list, stallCase{k, how})
		}
	}
	return list
}

const (
	giant     = "giant"
	giantSize = 5_000_000
	// stallWindow is how long the prober looks before it asks for the memory.
	stallWindow = 250 * time.Millisecond
	// stallPatience bounds the wait for the memory to be given back.
	stallPatience = 60 * time.Second
	// givenBack is the share of a value's memory that may stay in use.
	givenBack = 0.1
)

// stallRun is what others notice of a removal. Times are milliseconds.
type stallRun struct {
	quiet  float64 // the longest delay before it: what the machine does by itself
	worst  float64 // the longest delay from the removal until the memory is free
	caller float64 // how long the removing command took
	freed  float64 // until nine tenths of the memory are free
}

type stallFigures struct{ quiet, worst, caller, freed paired }

func (f *stallFigures) add(c candidate, r stallRun) {
	f.quiet.add(c, r.quiet)
	f.worst.add(c, r.worst)
	f.caller.add(c, r.caller)
	f.freed.add(c, r.freed)
}

// stalls removes giant values and looks at the longest delay of another client.
func (b *bench) stalls() error {
	list := chosen(b, stallCases(), stallCase.name)
	all := make([]stallFigures, len(list))
	err := b.alone(func() error {
		for round := range b.rounds {
			for i, st := range list {
				for _, c := range order(round) {
					r, err := b.stallOf(c, st)
					if err != nil {
						return fmt.Errorf("%v, %s: %w", c, st.name(), err)
					}
					all[i].add(c, r)
				}
			}
		}
		return nil
	})
	b.print("\n## Giant values going\n\nOne value of %d elements; the longest delay that another client sees from its removal until the memory is free, ms, Redis / Dozo. "+
		"A stall of the server's own is in every round, so that of the best round counts.\n", b.scaled(giantSize))
	b.table("removal", "longest delay, best round", "median", "longest before it", "the command itself", "memory free after")
	for i := range all {
		f, name := &all[i], list[i].name()
		b.print("| %s | %.2f / **%.2f** | %.2f / %.2f | %.2f / %.2f | %.2f / %.2f | %.0f / %.0f |\n", name, f.worst.best(redis), f.worst.best(dozo), f.worst.of(redis), f.worst.of(dozo),
			f.quiet.of(redis), f.quiet.of(dozo), f.caller.of(redis), f.caller.of(dozo), f.freed.of(redis), f.freed.of(dozo))
		b.target("longest delay of others by "+name+", ms", f.worst.best(dozo), 2, true)
	}
	return err
}

func (b *bench) stallOf(c candidate, st stallCase) (r stallRun, err error) {
	s, err := b.start(c, b.serverCPU, nil)
	if err != nil {
		return r, err
	}
	defer s.Stop()
	p := &prober{}
	if p.conn, err = s.Dial(); err != nil {
		return r, err
	}
	defer p.conn.Close()
	if _, err := p.conn.DoErr("SET", "other", "value"); err != nil {
		return r, err
	}
	empty, err := p.used()
	if err != nil {
		return r, err
	}
	if err := st.kind.fill(s, giant, b.scaled(giantSize)); err != nil {
		return r, err
	}
	full, err := p.used()
	if err != nil {
		return r, err
	}
	for range 2 {
		if err := p.watch(stallWindow); err != nil {
			return r, err
		}
	}
	r.quiet, p.worst = p.worst, 0
	return r, p.removal(s, st.how, empty+givenBack*(full-empty), &r)
}

// prober is the other client: it asks for a small value all the time.
type prober struct {
	conn  *testutil.Conn
	worst float64
}

// watch probes for a while.
func (p *prober) watch(d time.Duration) error {
	for begin := time.Now(); time.Since(begin) < d; {
		sent := time.Now()
		if _, err := p.conn.DoRaw("GET", "other"); err != nil {
			return err
		}
		p.worst = max(p.worst, milliseconds(time.Since(sent)))
		time.Sleep(20 * time.Microsecond)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e6 }

func (p *prober) used() (float64, error) {
	v, err := p.conn.DoErr("INFO", "memory")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(testutil.InfoField(v.Str, "used_memory"), 64)
}

// removal lets another connection remove the value and probes until no more than
// this is used.
func (p *prober) removal(s *testutil.Server, how removal, used float64, r *stallRun) error {
	remover, err := s.Dial()
	if err != nil {
		return err
	}
	defer remover.Close()
	begin := time.Now()
	answered := make(chan error, 1)
	go func() {
		v, err := remover.DoErr(how.command...)
		r.caller = milliseconds(time.Since(begin))
		if err == nil && v.Str != how.answer {
			err = fmt.Errorf("%q: %v", how.command, v)
		}
		answered <- err
	}()
	for now := used + 1; now > used; {
		if err := p.watch(stallWindow); err != nil {
			return err
		}
		r.freed = milliseconds(time.Since(begin))
		if now, err = p.used(); err != nil {
			return err
		}
		if how.stays {
			now = min(now, used)
		}
		if time.Since(begin) > stallPatience {
			return fmt.Errorf("%.0f bytes are in use %v after the removal, not %.0f", now, stallPatience, used)
		}
	}
	r.worst = p.worst
	return <-answered
}
