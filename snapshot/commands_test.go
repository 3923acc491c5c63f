package snapshot

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dozo/command"
	"dozo/commands"
	"dozo/internal/invariants"
	"dozo/object"
	"dozo/resp"
	"dozo/text"
)

// caller runs the calls of commands' transcripts, in any order and on values that are
// large, as the loops of package server do.
type caller struct {
	*history
	random *rand.Rand
	table  *command.Table
	ctx    command.Context
	out    resp.Writer
	refs   []command.KeyRef
	lines  []call
	ran    map[string]int // calls that were not refused
}

// call is a line of a transcript, and the name of the file, which is that of its
// family.
type call struct {
	family string
	words  [][]byte
}

func newCaller(t *testing.T, seed uint64) *caller {
	t.Helper()
	table, err := command.NewTable(commands.String, commands.Generic, commands.Bitmap, commands.HyperLogLog, commands.List, commands.Set,
		commands.Hash, commands.ZSet, commands.Geo, commands.Stream, commands.Server)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{
		history: newHistory(t, seed), random: rand.New(rand.NewPCG(seed, 0)), table: table, lines: transcripts(t), ran: map[string]int{},
	}
	c.ctx = command.Context{View: c.v, Out: &c.out, Set: &command.Settings{
		MaxBulk: 512 << 20, HLLSparseMax: 100, RDBVersion: 11, SharedIntegers: true,
		Limits: object.Limits{List: object.ListLimits{Fill: 4}, Stream: streamLimits},
	}}
	return c
}

// transcripts are all calls of the transcripts.
func transcripts(t *testing.T) (lines []call) {
	t.Helper()
	files, err := filepath.Glob("../commands/testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		family, _, _ := strings.Cut(strings.TrimSuffix(filepath.Base(file), ".txt"), "_")
		b, err := os.ReadFile(file)
		if err != nil || family == "slow" {
			continue
		}
		within := false
		for line := range strings.Lines(string(b)) {
			line = strings.TrimSuffix(line, "\n")
			if strings.HasPrefix(line, "run") || line == "----" {
				within = line != "----"
				continue
			}
			words, ok := text.SplitArgs([]byte(strings.TrimPrefix(line, "!")))
			if within && ok && len(words) > 0 && !slices.ContainsFunc(words, huge) {
				lines = append(lines, call{family, words})
			}
		}
	}
	return lines
}

// huge tells words that make strings of many megabytes, which take long and show nothing
// more.
func huge(word []byte) bool {
	n, ok := text.ParseInt(word)
	return ok && n > 1_000_000
}

func (c *caller) pick(n int) int { return c.random.IntN(n) }

// key is one of the family's few, or any.
func (c *caller) key(family string) []byte {
	if c.pick(12) == 0 {
		family = fillers[c.pick(len(fillers))].family
	}
	return fmt.Appendf(nil, "%s:%d", family, c.pick(5))
}

// fillers make a value of each family large.
var fillers = []struct{ family, call string }{
	{"list", "RPUSH KEY A A A A A A A A A A A A"},
	{"set", "SADD KEY A A A A A A A A A A A A"},
	{"hashexpire", "HSET KEY A A A A A A A A A A A A"},
	{"zset", "ZADD KEY N A N A N A N A N A N A N A"},
	{"geo", "GEOADD KEY N N A N N A N N A"},
	{"stream", "XADD KEY * A A A A"},
	{"string", "SETRANGE KEY N A"},
	{"bitmap", "SETBIT KEY N 1"},
	{"bitfield", "SETRANGE KEY 9000 A"},
	{"hyperloglog", "PFADD KEY A A A A A"},
	{"expire", "PEXPIRE KEY N"},
	{"hashexpire", "HPEXPIRE KEY N FIELDS 3 A A A"},
	{"stream", "XGROUP CREATE KEY g 0"},
	{"stream", "XREADGROUP GROUP g A COUNT 20 STREAMS KEY >"},
	{"stream", "XTRIM KEY MAXLEN 0"},
	{"stream", "XTRIM KEY MINID N"},
	{"stream", "XSETID KEY N-0"},
	{"stream", "XADD KEY N-1 A A"},
	{"generic", "RENAME KEY KEY"},
	{"generic", "COPY KEY KEY REPLACE"},
	{"generic", "MOVE KEY 1"},
	{"generic", "SWAPDB 0 2"},
	{"list", "LMPOP 2 KEY KEY LEFT COUNT 20"},
	{"list", "LTRIM KEY 3 -4"},
	{"zset", "ZREMRANGEBYRANK KEY 5 90"},
	{"zset", "ZMPOP 1 KEY MAX COUNT 30"},
	{"set", "SPOP KEY 20"},
	{"list", "RPOPLPUSH KEY KEY"},
	{"set", "SMOVE KEY KEY A"},
}

// element is what calls get for an element: some of many, long enough for a value to be
// written in pieces.
func (c *caller) element() []byte {
	switch c.pick(8) {
	case 0:
		return fmt.Append(nil, c.pick(300))
	case 1:
		return []byte{"abcmxy"[c.pick(6)]}
	}
	return fmt.Appendf(nil, "element:%d:%s", c.pick(400), strings.Repeat("x", c.pick(60)))
}

// next is the next call: one of the fillers, with key and elements for KEY, A and N, or of
// the transcripts with others in their place.
func (c *caller) next() [][]byte {
	if c.pick(3) != 0 {
		f := &fillers[c.pick(len(fillers))]
		if c.pick(3) != 0 {
			f = &fillers[c.pick(10)] // those that make values larger
		}
		return c.filled(f.family, f.call)
	}
	line := c.lines[c.pick(len(c.lines))]
	words := slices.Clone(line.words)
	if cmd := c.lookup(words); cmd != nil {
		c.refs, _ = cmd.KeysOf(c.refs[:0], words)
		for _, r := range c.refs {
			words[r.Index] = c.key(line.family)
		}
		for i := 2; i < len(words); i++ {
			if !slices.ContainsFunc(c.refs, func(r command.KeyRef) bool { return r.Index == i }) && c.pick(8) == 0 {
				words[i] = c.element()
			}
		}
	}
	return words
}

func (c *caller) filled(family, line string) [][]byte {
	words := bytes.Fields([]byte(line))
	for i, w := range words {
		switch string(w) {
		case "KEY":
			words[i] = c.key(family)
		case "A":
			words[i] = c.element()
		case "N":
			words[i] = fmt.Append(nil, c.pick([]int{50, 3000}[c.pick(2)]))
		case "N-0", "N-1":
			words[i] = fmt.Appendf(nil, "%d%s", c.v.Now-int64(c.pick(600)), w[1:])
		}
	}
	return words
}

func (c *caller) lookup(words [][]byte) *command.Command {
	cmd := c.table.Lookup(words[0])
	if cmd != nil && cmd.IsContainer() && len(words) > 1 {
		cmd = cmd.Sub(words[1])
	}
	if cmd == nil || !cmd.Accepts(len(words)) || cmd.Handler == nil {
		return nil
	}
	return cmd
}

// step is one thing that happens.
func (c *caller) step() {
	c.v.Now += int64(c.pick(8))
	if c.v.DB = 0; c.pick(6) == 0 {
		c.v.DB = c.pick(databases)
	}
	if c.pick(40) == 0 {
		c.v.Expire(0, 1, 20)
		for c.v.FreeGraves(0, 1, 100) {
		}
	}
	words := c.next()
	cmd := c.lookup(words)
	if cmd == nil || strings.HasPrefix(cmd.FullName, "flush") && c.pick(20) != 0 {
		return
	}
	c.ctx.Args, c.ctx.Cmd, c.ctx.Doing = words, cmd, cmd.FullName
	c.ctx.Effects.Reset()
	c.out.Buf = c.out.Buf[:0]
	c.locked(cmd, words, func() {
		if err := cmd.Handler(&c.ctx); err == nil {
			c.ran[cmd.FullName]++
		}
	})
}

func (c *caller) locked(cmd *command.Command, words [][]byte, fn func()) {
	switch {
	case cmd.RunsAlone(words):
		c.exclusively(fn)
	case cmd.OneKey != 0:
		c.held(fn, words[cmd.OneKey])
	default:
		var keys [][]byte
		c.refs, _ = cmd.KeysOf(c.refs[:0], words)
		for _, r := range c.refs {
			if r.Flags&command.NotKey == 0 {
				keys = append(keys, words[r.Index])
			}
		}
		c.held(fn, keys...)
	}
}

// during takes a snapshot while things happen, unless idle, and compares it.
func (c *caller) during(round int, idle bool) {
	pace, steps := 1+c.pick(12), c.pick(60)
	if idle {
		for range steps {
			c.step()
		}
		return
	}
	want, now := c.picture(c.v.Now), c.v.Now
	s := Begin(c.v, Options{GiantFrom: 1})
	f := newFile(c.history, s)
	defer s.End(c.v)
	for i := range steps {
		if i%pace == 0 {
			s.Step(c.v, 0, 1, 1+i%3*600)
		}
		c.step()
	}
	for !s.Walked() {
		s.Step(c.v, 0, 1, 1000)
		if err := f.take(false); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := f.take(true); err != nil {
		c.t.Fatal(err)
	}
	c.t.Run(fmt.Sprint(round), func(t *testing.T) { c.compare(t, f, want, now) })
}

// compare compares a file with what there was. What is loaded goes with the subtest.
func (c *caller) compare(t *testing.T, f *file, want map[spot]string, now int64) {
	w := *c.history
	w.t, f.w = t, &w
	got := f.load(1).picture(now)
	for k, image := range want {
		if got[k] != image {
			t.Fatalf("%q of database %d was\n%.300q\nand is written down as\n%.300q", k.key, k.db, image, got[k])
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%d keys were there, and %d are written down", len(want), len(got))
	}
}

// TestCommands: whatever commands do while snapshots are taken, the snapshots are the
// data of their epochs, and the data becomes what it becomes without them.
func TestCommands(t *testing.T) {
	for _, seed := range seeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Logf("-seed=%d", seed)
			with, without := newCaller(t, seed), newCaller(t, seed)
			rounds := 200
			if testing.Short() || invariants.Enabled {
				rounds = 50
			}
			for round := 0; round < rounds && !t.Failed(); round++ {
				with.during(round, false)
				without.during(round, true)
			}
			if a, b := with.picture(with.v.Now), without.picture(without.v.Now); !maps.Equal(a, b) {
				t.Error("the data became another because of snapshots")
			}
			t.Logf("%d commands", len(with.ran))
		})
	}
}
