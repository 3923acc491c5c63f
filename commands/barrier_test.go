package commands

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"dozo/arena"
	"dozo/command"
	"dozo/container/entry"
	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// place names a key of any database.
type place struct {
	db  int
	key string
}

// guard stands where a snapshot would: it is told of changes before they
// happen, and checks afterwards that it was told of all, in time. It also
// watches all keys, as clients do with WATCH.
type guard struct {
	h       *harness
	told    map[place]string // the pre-image that the first telling showed
	flushed map[int]bool
}

// image is all of a value that a snapshot would keep.
func image(c *object.Cell) string {
	if !c.Ok() {
		return "nothing"
	}
	if c.Type() == object.Stream {
		return streamImage(c)
	}
	var d digits
	b := c.Bytes(d[:])
	return fmt.Sprintf("%v until %d of %d bytes, sum %x as %v", c.Type(), c.Entry.Deadline(), len(b), crc32.ChecksumIEEE(b), c.Encoding())
}

// streamImage shows the entries, which those who watch a stream are told of, and a sum
// of all there is, with the groups.
func streamImage(c *object.Cell) string {
	var d object.Digest
	c.Digest(&d, 0)
	all := rdb.NewEncoder(rdb.VersionDefault, false).AppendObject(nil, c)
	return fmt.Sprintf("%x until %d as %x", d, c.Entry.Deadline(), crc32.ChecksumIEEE(all))
}

// content is what clients see of an image: not the encoding.
func content(image string) string {
	head, _, _ := strings.Cut(image, " as ")
	return head
}

// BeforeChange implements keyspace.Barrier.
func (g *guard) BeforeChange(_ *keyspace.View, _, db int, _ uint64, key []byte, old *object.Cell) *object.Kit {
	p := place{db, string(key)}
	if _, ok := g.told[p]; !ok {
		g.told[p] = image(old)
	}
	return nil
}

// Take implements keyspace.Barrier.
func (g *guard) Take(*keyspace.View, int, int, []byte, arena.Ref) bool { return false }

// Moved implements keyspace.Barrier.
func (g *guard) Moved(int, int, []byte, int, int, []byte) {}

// TakeBase implements keyspace.Barrier.
func (g *guard) TakeBase(_, db int, _ *keyspace.Base) bool {
	g.flushed[db] = true
	return false
}

// TakeAll implements keyspace.Barrier.
func (g *guard) TakeAll(*keyspace.Keyspace) bool { return false }

// BeforeSwap implements keyspace.Barrier.
func (g *guard) BeforeSwap(a, b int) { g.flushed[a], g.flushed[b] = true, true }

// images are all keys with their values, dead ones included.
func (g *guard) images() map[place]string {
	all := map[place]string{}
	view := g.h.ks.NewView(nil)
	view.Now = 0
	g.h.ks.BeginExclusive(view)
	defer g.h.ks.EndExclusive(view)
	for db := range g.h.ks.Databases() {
		view.DB = db
		view.Each(db, func(e entry.Entry, _ arena.Ref) bool {
			cell := view.Peek(bytes.Clone(e.Key()))
			all[place{db, string(e.Key())}] = image(&cell)
			return true
		})
	}
	return all
}

// watch watches each key that is there, and each word of the call in case it
// becomes one.
func (g *guard) watch(before map[place]string, args [][]byte) map[place]*keyspace.Watch {
	watches := map[place]*keyspace.Watch{}
	view := g.h.ks.NewView(nil)
	view.Now = 0 // as if they had begun when all were alive
	g.h.ks.BeginExclusive(view)
	defer g.h.ks.EndExclusive(view)
	add := func(p place) {
		view.DB = p.db
		watches[p] = new(keyspace.Watch)
		view.Watch(watches[p], []byte(p.key))
	}
	for p := range before {
		add(p)
	}
	for _, a := range args {
		for db := range g.h.ks.Databases() {
			if p := (place{db, string(a)}); watches[p] == nil {
				add(p)
			}
		}
	}
	return watches
}

func (g *guard) unwatch(watches map[place]*keyspace.Watch) {
	view := g.h.ks.NewView(nil)
	for _, w := range watches {
		view.Unwatch(w)
	}
}

// check runs a command and compares what it changed with what it told.
func (g *guard) check(cmd *command.Command, args [][]byte, run func()) {
	before := g.images()
	watches := g.watch(before, args)
	g.told, g.flushed = map[place]string{}, map[int]bool{}
	g.h.ks.SetBarrier(g)
	run()
	g.h.ks.SetBarrier(nil)
	after := g.images()
	both := maps.Clone(after)
	maps.Copy(both, before)
	for p := range both {
		if before[p] == after[p] {
			continue
		}
		g.checkTold(args, p, before)
		if cmd.FullName == "pfdebug" { // changes the form of a value, as Redis does in silence
			continue
		}
		if content(before[p]) != content(after[p]) && !watches[p].Dirty.Load() {
			g.h.t.Errorf("%s changed %q of database %d, but who watched it was not told", showCall(args), p.key, p.db)
		}
	}
	g.unwatch(watches)
}

// checkTold checks what the barrier heard of one changed key.
func (g *guard) checkTold(args [][]byte, p place, before map[place]string) {
	if g.flushed[p.db] {
		return
	}
	was := "nothing"
	if v, ok := before[p]; ok {
		was = v
	}
	if told, ok := g.told[p]; !ok {
		g.h.t.Errorf("%s changed %q of database %d, but the barrier was not told", showCall(args), p.key, p.db)
	} else if told != was {
		g.h.t.Errorf("%s told the barrier of %q too late: it was %s, the barrier saw %s", showCall(args), p.key, was, told)
	}
}

// TestBarrier runs all transcripts once more and checks each command.
func TestBarrier(t *testing.T) {
	for _, file := range transcripts(t, false) {
		h := newHarness(t)
		h.guard = &guard{h: h}
		p := &player{h: h, all: map[string]bool{}}
		t.Run(filepath.Base(file), func(t *testing.T) { datadriven.RunTest(t, file, p.play) })
	}
}

// asList makes a key hold something that is no string, as far as anyone can
// tell.
func (h *harness) asList(key string) {
	h.call("SET", key, "x")
	view := h.ctx.View
	shard := h.ks.LockKey(view, h.ks.Hash([]byte(key)))
	defer h.ks.UnlockShard(view, shard)
	cell := view.Peek([]byte(key))
	s := cell.Entry.Shape()
	s.Type, s.Encoding = uint8(object.List), uint8(object.EncListpack)
	cell.Reshape(s)
}

func TestWrongType(t *testing.T) {
	h := newHarness(t)
	h.asList("l")
	for _, call := range []string{
		"GET l", "GETDEL l", "GETEX l", "GETEX l EX 10", "GETSET l v", "SET l v GET", "SET l v NX GET",
		"INCR l", "DECR l", "INCRBY l 1", "DECRBY l 1", "INCRBYFLOAT l 1", "INCRBYFLOAT l abc",
		"APPEND l x", "STRLEN l", "SETRANGE l 0 x", `SETRANGE l 0 ""`, "GETRANGE l 0 1", "SUBSTR l 0 1",
		"SETBIT l 0 1", "GETBIT l 0", "BITCOUNT l", "BITCOUNT l a b", "BITPOS l 1", "BITOP NOT d l", "BITOP AND d x l",
		"BITFIELD l GET u8 0", "BITFIELD l SET u8 0 1", "BITFIELD_RO l GET u8 0",
		"PFADD l a", "PFCOUNT l", "PFCOUNT x l", "PFMERGE l", "PFMERGE d l", "PFDEBUG ENCODING l",
	} {
		if got := parsed(t, h.do(words(t, call))); got.Str != command.ErrWrongType.Error() {
			t.Errorf("%s: %v", call, got)
		}
		if len(h.logged) != 0 {
			t.Errorf("%s was logged: %q", call, h.logged)
		}
	}
	for call, want := range map[string]string{
		"LCS l x": "(error) " + errLCSTypes.Error(), "LCS x l NOSUCH": "(error) " + errLCSTypes.Error(),
		"TYPE l": "+list", "EXISTS l": ":1", "MGET l": "*[(nil)]", "SETNX l x": ":0", "SET l v NX": "(nil)",
		"OBJECT ENCODING l": `"listpack"`, "SCAN 0 TYPE list": `*["0" *["l"]]`, "SCAN 0 TYPE string": `*["0" *[]]`,
	} {
		if got := parsed(t, h.do(words(t, call))).String(); got != want {
			t.Errorf("%s: %s, want %s", call, got, want)
		}
	}
	if got := h.call("SET", "l", "v").String(); got != "+OK" {
		t.Errorf("SET over another type: %s", got)
	}
	if got := h.call("TYPE", "l").String(); got != "+string" {
		t.Errorf("TYPE after SET: %s", got)
	}
}
