package server

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"dozo/arena"
	"dozo/command"
	"dozo/commands"
	"dozo/config"
	"dozo/env"
	"dozo/grouptime"
	"dozo/internal/testutil"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/object"
	"dozo/oplog"
	"dozo/resp"
)

// setClock is a clock that a test sets.
type setClock struct{ wall, mono time.Duration }

func (c *setClock) Wall() time.Duration      { return c.wall }
func (c *setClock) Monotonic() time.Duration { return c.mono }

func (c *setClock) pass(d time.Duration) {
	c.wall += d
	c.mono += d
}

// puppet is a server whose loop does not run: the test executes commands in its place,
// at times that it sets.
type puppet struct {
	*Server
	t      testing.TB
	w      *worker
	cl     *Client
	clock  *setClock
	reader *oplog.Reader // of its log
	// Of the stream that it obeys.
	parser resp.Parser
	db     int
}

// puppetEpoch is what the clocks of puppets show at first, but for a shift.
const puppetEpoch = 1_700_000_000 * time.Second

func newPuppet(t testing.TB, shift time.Duration) *puppet {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	world := *env.Real()
	clock := &setClock{wall: puppetEpoch + shift, mono: time.Hour + shift/2}
	world.Clock, world.NewRand = clock, func() env.Rand { return env.Seeded(1) }
	ks := keyspace.New(keyspace.Options{Arena: a, Loops: 1, Databases: 16, Seed: 1, NewRand: world.NewRand})
	log := oplog.New(a, oplog.Options{})
	log.SetRetain(1 << 20)
	log.Activate(0)
	s, err := New(Options{
		Env: &world, Config: config.New(config.Options{FS: world.FS, WorkDir: t.TempDir(), Cores: 1}),
		Keyspace: ks, Log: log, Logger: logger.New(io.Discard, clock, 1, logger.Nothing), Loops: 1,
		Commands: [][]command.Spec{
			commands.String, commands.Generic, commands.Bitmap, commands.HyperLogLog, commands.List, commands.Set,
			commands.Hash, commands.ZSet, commands.Geo, commands.Stream, commands.Server,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := &puppet{Server: s, t: t, w: s.workers[0], clock: clock}
	p.cl = newReplayer(p.w)
	if p.reader, err = log.NewReader(0, nil); err != nil {
		t.Fatal(err)
	}
	p.do("CONFIG SET slowlog-log-slower-than -1 latency-tracking no")
	t.Cleanup(func() {
		_ = s.Close()
		p.reader.Close()
		log.Close()
		ks.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// newFollower is a puppet that follows.
func newFollower(t testing.TB, shift time.Duration) *puppet {
	p := newPuppet(t, shift)
	p.alone(func() { p.Follow(true) })
	return p
}

// alone is what runs with all loops stopped.
func (p *puppet) alone(fn func()) {
	p.w.enter()
	p.w.alone(fn)
	p.w.leave()
}

// call executes one command of a client, and gives the bytes of the reply.
func (p *puppet) call(args [][]byte) []byte {
	w := p.w
	w.enter()
	w.current = p.cl
	w.mono = w.watch.Read()
	w.tellTime()
	w.out = resp.Writer{Buf: w.out.Buf[:0], Proto: 3}
	w.ctx.Session, w.ctx.Set, w.ctx.Effects.Enabled = p.cl, w.srv.settings.Load(), w.srv.records()
	if !w.execute(p.cl, args) {
		p.t.Fatalf("%q is held", args)
	}
	w.current = nil
	w.leave()
	return w.out.Buf
}

// do is call for words in one line. Those in quotes of Go may have any bytes.
func (p *puppet) do(line string) string { return string(p.call(wordsOf(line))) }

func wordsOf(line string) (args [][]byte) {
	for _, f := range strings.Fields(line) {
		args = append(args, []byte(f))
	}
	return args
}

// show is the reply to a line as a test shows it.
func (p *puppet) show(line string) string {
	v, err := testutil.Parse([]byte(p.do(line)))
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	return v.String()
}

// tick does a tick's worth of expiry.
func (p *puppet) tick() {
	p.w.mono = p.w.watch.Read()
	p.time.adjust(p.clock)
	p.w.tellTime()
	p.w.expire(time.Hour)
}

// written is what the log has got since the last call.
func (p *puppet) written() []byte {
	p.t.Helper()
	var all []byte
	buf := make([]byte, 64<<10)
	for {
		n, err := p.reader.Read(buf)
		if err != nil {
			p.t.Fatal(err)
		}
		if n == 0 {
			return all
		}
		all = append(all, buf[:n]...)
	}
}

// obey executes a stream as it comes from a primary.
func (p *puppet) obey(stream []byte) {
	p.t.Helper()
	p.alone(func() {
		p.ReplayHere(p.w.view, func(_ *keyspace.View, exec func(db int, args [][]byte) error) {
			for at := 0; at < len(stream); {
				args, n, err := p.parser.Next(stream[at:])
				if err != nil || n == 0 {
					p.t.Fatalf("the stream: %v at %q", err, stream[at:min(len(stream), at+40)])
				}
				at += n
				p.obeyOne(args, exec)
			}
		})
	})
}

func (p *puppet) obeyOne(args [][]byte, exec func(db int, args [][]byte) error) {
	if fault := relative(args); fault != "" {
		p.t.Fatalf("a relative time is in the log: %q", args)
	}
	switch name := strings.ToUpper(string(args[0])); name {
	case "SELECT":
		if _, err := fmt.Sscan(string(args[1]), &p.db); err != nil {
			p.t.Fatal(err)
		}
	case "MULTI", "EXEC": // what is between is one step, since nobody else executes
	case "PING":
		if ms, ok := grouptime.ParseStamp(args); ok {
			p.HearClock(ms)
		}
	default:
		if err := exec(p.db, args); err != nil {
			p.t.Fatalf("the replica answers %v to %q", err, args)
		}
	}
}

// relative says what is wrong with a command of the log: it says when something ends by a
// time from now on.
func relative(args [][]byte) string {
	word := func(i int) string { return strings.ToUpper(string(args[i])) }
	switch word(0) {
	case "EXPIRE", "PEXPIRE", "SETEX", "PSETEX", "HEXPIRE", "HPEXPIRE", "GETEX", "HGETEX":
		return "the command"
	case "RESTORE", "RESTORE-ASKING":
		for i := 4; i < len(args); i++ {
			if word(i) == "ABSTTL" {
				return ""
			}
		}
		if word(2) != "0" {
			return "the time to live"
		}
	case "SET":
		return option(args[3:], "EX", "PX")
	case "HSETEX":
		return option(args[2:], "EX", "PX")
	case "XCLAIM":
		return option(args[5:], "IDLE")
	case "XAUTOCLAIM", "XREADGROUP", "SPOP":
		return "the command"
	case "XADD":
		if word(2) == "*" {
			return "the ID"
		}
	}
	return ""
}

func option(args [][]byte, names ...string) string {
	for _, a := range args {
		for _, name := range names {
			if strings.EqualFold(string(a), name) {
				return name
			}
		}
	}
	return ""
}

// digest is that of all data, as clients see it.
func (p *puppet) digest() (d object.Digest) {
	p.w.view.Now = p.Time()
	p.alone(func() { d = p.w.view.Digest() })
	return d
}
