package commands

import (
	"fmt"
	"strings"
	"testing"

	"dozo/arena"
	"dozo/command"
	"dozo/env"
	"dozo/internal/invariants"
	"dozo/internal/testutil"
	"dozo/keyspace"
	"dozo/object"
	"dozo/resp"
	"dozo/text"
)

// startMs is the time at which every harness begins.
const startMs = 1_700_000_000_000

// harness runs commands as an event loop of package server does, on a keyspace
// of its own, and remembers what they told others.
type harness struct {
	t      testing.TB
	arena  *arena.Arena
	ks     *keyspace.Keyspace
	table  *command.Table
	ctx    command.Context
	out    resp.Writer
	events []string
	logged []string
	used   map[string]bool // full names of commands that ran
	refs   []command.KeyRef
	guard  *guard // nil: nobody watches the barrier
}

func newTable(t testing.TB) *command.Table {
	table, err := command.NewTable(String, Generic, Bitmap, HyperLogLog, List, Set, Hash, ZSet, Geo, Stream, Server)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// partDivisor is that of the keyspace: the invariants build meets many values that have
// parts of a heap.
func partDivisor() int {
	if invariants.Enabled {
		return 128
	}
	return 0
}

func newHarness(t testing.TB) *harness {
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := &harness{t: t, arena: a, table: newTable(t), used: map[string]bool{}}
	h.ks = keyspace.New(keyspace.Options{
		Arena: a, Loops: 1, Databases: 16, Seed: 42, NewRand: func() env.Rand { return env.Seeded(1) }, NowMs: startMs,
		PartDivisor: partDivisor(),
	})
	h.ctx = command.Context{
		View: h.ks.NewView(h), Out: &h.out, Set: defaultSettings(), Notifier: h,
		NotifyMask: command.EventAll | command.EventNew | command.EventKeyMiss,
	}
	h.ctx.Now = startMs
	h.ctx.Effects.Enabled = true
	h.out.Proto = 2
	t.Cleanup(h.close)
	return h
}

func defaultSettings() *command.Settings {
	return &command.Settings{
		MaxBulk: 512 << 20, HLLSparseMax: 3000, RDBVersion: 11, RDBCompression: true, SharedIntegers: true,
		Limits: object.Limits{
			Hash: object.HashLimits{Listpack: 128, Value: 64}, List: object.ListLimits{Fill: -2}, ZSet: object.ZSetLimits{Listpack: 128, Value: 64}, Stream: object.StreamLimits{NodeBytes: 4096, NodeEntries: 100},
		},
	}
}

func (h *harness) close() {
	h.ks.Close()
	if err := h.arena.Close(); err != nil {
		h.t.Error(err)
	}
}

// Serve implements keyspace.Events: nobody waits here.
func (h *harness) Serve(*keyspace.Wait, []int) bool { return false }

// Removed implements keyspace.Events as the server does.
func (h *harness) Removed(db int, key []byte, why keyspace.Reason) {
	h.ctx.Effects.Add(db, []byte("DEL"), key)
	h.KeyEvent(command.EventExpired, "expired", db, key)
}

// FieldExpired implements keyspace.Events as the server does.
func (h *harness) FieldExpired(db int, key, field []byte) {
	h.ctx.Effects.Add(db, []byte("HDEL"), key, field)
}

// FieldsExpired implements keyspace.Events as the server does.
func (h *harness) FieldsExpired(db int, key []byte, emptied bool) {
	h.KeyEvent(command.EventHash, "hexpired", db, key)
	if emptied {
		h.KeyEvent(command.EventGeneric, "del", db, key)
	}
}

// KeyEvent implements command.Notifier.
func (h *harness) KeyEvent(_ command.Event, event string, db int, key []byte) {
	h.events = append(h.events, fmt.Sprintf("%d %s %s", db, event, quote(key)))
}

// resolve finds a command, or the error that the server answers.
func (h *harness) resolve(args [][]byte) (*command.Command, string) {
	cmd := h.table.Lookup(args[0])
	if cmd == nil {
		return nil, fmt.Sprintf("ERR unknown command '%s'", args[0])
	}
	if cmd.IsContainer() && len(args) > 1 {
		if cmd = cmd.Sub(args[1]); cmd == nil {
			return nil, fmt.Sprintf("ERR unknown subcommand '%s'. Try %s HELP.", args[1], args[0])
		}
	}
	if !cmd.Accepts(len(args)) || cmd.Handler == nil {
		return nil, "ERR wrong number of arguments for '" + cmd.FullName + "' command"
	}
	return cmd, ""
}

// do runs one command and returns the bytes of its reply.
func (h *harness) do(args [][]byte) []byte {
	h.out.Buf, h.events, h.logged = h.out.Buf[:0], h.events[:0], h.logged[:0]
	cmd, fault := h.resolve(args)
	if cmd == nil {
		h.out.Error(fault)
		return h.out.Buf
	}
	h.used[cmd.FullName] = true
	h.ctx.Args, h.ctx.Cmd, h.ctx.Doing = args, cmd, cmd.FullName
	h.ctx.Effects.Reset()
	h.guarded(cmd, args, func() {
		if err := cmd.Handler(&h.ctx); err != nil {
			if len(h.out.Buf) > 0 {
				h.t.Errorf("%q wrote %q before it failed", args, h.out.Buf)
			}
			h.out.Error(err.Error())
		}
	})
	h.collect(args)
	return h.out.Buf
}

// guarded is held, watched by the guard. To exchange databases is no change of
// any key.
func (h *harness) guarded(cmd *command.Command, args [][]byte, fn func()) {
	if h.guard == nil || cmd.FullName == "swapdb" {
		h.held(cmd, args, fn)
		return
	}
	h.guard.check(cmd, args, func() { h.held(cmd, args, fn) })
}

// held runs fn with what the command needs to hold.
func (h *harness) held(cmd *command.Command, args [][]byte, fn func()) {
	view := h.ctx.View
	switch {
	case cmd.RunsAlone(args):
		h.ks.BeginExclusive(view)
		fn()
		h.ks.EndExclusive(view)
	case cmd.OneKey != 0:
		shard := h.ks.LockKey(view, h.ks.Hash(args[cmd.OneKey]))
		fn()
		h.ks.UnlockShard(view, shard)
	default:
		var set keyspace.LockSet
		h.refs = cmd.LockSet(&set, h.ks, args, h.refs)
		h.ks.Lock(view, &set)
		fn()
		h.ks.Unlock(view, &set)
	}
}

// collect does with the effects what the server does.
func (h *harness) collect(args [][]byte) {
	e := &h.ctx.Effects
	if e.Dirty != 0 && !e.Explicit() {
		e.Add(h.ctx.DB, args...)
	}
	units, buf := e.Units()
	start := 0
	for _, u := range units {
		v, err := testutil.Parse(buf[start:u.End])
		if err != nil {
			h.t.Fatal(err)
		}
		words := v.Strings()
		for i, w := range words {
			words[i] = quote([]byte(w))
		}
		h.logged = append(h.logged, fmt.Sprintf("%d %s", u.DB, strings.Join(words, " ")))
		start = u.End
	}
}

// call is do for words in Go, with the reply parsed.
func (h *harness) call(words ...string) testutil.Value {
	args := make([][]byte, len(words))
	for i, w := range words {
		args[i] = []byte(w)
	}
	return parsed(h.t, h.do(args))
}

func parsed(t testing.TB, raw []byte) testutil.Value {
	v, err := testutil.Parse(raw)
	if err != nil {
		t.Fatalf("%q is no reply: %v", raw, err)
	}
	return v
}

// quote shows a word as a transcript has it: plain if it can be.
func quote(b []byte) string {
	if text.NeedsQuote(b) {
		return text.Quote(b)
	}
	return string(b)
}
