package object

import (
	"encoding/binary"
	"math"
	"unsafe"

	"dozo/arena"
	"dozo/container/btree"
	"dozo/container/entry"
	"dozo/container/hashtable"
	"dozo/container/listpack"
	"dozo/text"
)

// A small sorted set is a listpack of members, each followed by its score, in
// order (zsetsmall.go). A large one is a table of its members, whose entries have
// the score as their payload, and a tree of the same entries in the order of their
// scores; both roots are the payload of the key's entry. Scores are never NaN.
// Ranks count from 0.

// ZSetLimits are where a sorted set changes its encoding.
type ZSetLimits struct {
	Listpack int // zset-max-listpack-entries
	Value    int // zset-max-listpack-value
}

// ZSetValue is the value of a key that holds a sorted set.
type ZSetValue struct{ *Cell }

// Scored is a member with its score.
type Scored struct {
	Member listpack.Value
	score  float64
	text   []byte // of a score in a listpack that is no integer, else nil
	small  bool   // from a listpack
}

// NewScored is a member with a score.
func NewScored(member listpack.Value, score float64) Scored {
	return Scored{Member: member, score: score}
}

// Score is the member's score.
func (s *Scored) Score() float64 {
	if s.text != nil {
		return parseScore(s.text)
	}
	return s.score
}

// AppendScanned appends the score as ZSCAN shows it: as it is stored in a listpack,
// and otherwise with up to seventeen digits.
func (s *Scored) AppendScanned(dst []byte) []byte {
	switch {
	case s.text != nil:
		return append(dst, s.text...)
	case s.small:
		return text.AppendInt(dst, int64(s.score))
	}
	return text.AppendDouble17(dst, s.score)
}

const (
	treeRootSize  = int(unsafe.Sizeof(btree.Root{}))
	zsetRootsSize = rootSize + treeRootSize
	scoreSize     = 8
	// ScoreTextMax is the longest text of a score that is stored here.
	ScoreTextMax = 32
)

// treeRootOf reads the root of the tree from the entry of a large sorted set.
func treeRootOf(e entry.Entry) (r btree.Root) {
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&r)), treeRootSize), rootsOf(e)[rootSize:])
	return r
}

func putTreeRoot(e entry.Entry, r btree.Root) {
	copy(rootsOf(e)[rootSize:], unsafe.Slice((*byte)(unsafe.Pointer(&r)), treeRootSize))
}

// tree is the tree of a large sorted set. After changes it goes back by storeTree.
func (z ZSetValue) tree() btree.Tree {
	h, roots := z.open()
	return btree.Attach(h, *(*btree.Root)(unsafe.Add(roots, rootSize)))
}

func (z ZSetValue) storeTree(t *btree.Tree) { putTreeRoot(z.Entry, t.Root()) }

// entryScore is the score in a member's entry.
func entryScore(e entry.Entry) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(e.Payload()))
}

func setEntryScore(e entry.Entry, score float64) {
	binary.LittleEndian.PutUint64(e.Payload(), math.Float64bits(score))
}

// newMember makes the entry of a member.
func newMember(h *arena.Heap, member []byte, score float64) arena.Ref {
	var b [scoreSize]byte
	binary.LittleEndian.PutUint64(b[:], math.Float64bits(score))
	return newElement(h, member, b[:])
}

// scored is the member of an entry.
func (z ZSetValue) scored(ref arena.Ref) Scored {
	e := entry.At(z.Heap.Arena(), ref)
	return Scored{Member: listpack.Value{Str: e.Key()}, score: entryScore(e)}
}

// NewZSet makes an entry for an empty sorted set that is to get hint members, the
// first of them with so many bytes.
func (p Place) NewZSet(hint, bytes int, l *ZSetLimits) arena.Ref {
	if hint <= l.Listpack && bytes <= l.Value {
		var room [listpack.EmptySize]byte
		return p.NewCompact(ZSet, EncListpack, listpack.AppendEmpty(room[:0]))
	}
	return p.NewLargeZSet()
}

// NewLargeZSet makes an entry for an empty sorted set that is large whatever it
// gets.
func (p Place) NewLargeZSet() arena.Ref { return p.newLarge(ZSet, EncSkiplist, zsetRootsSize) }

// Len is the number of members.
func (z ZSetValue) Len() int {
	if z.Encoding() == EncListpack {
		return listpack.Len(z.room()) / 2
	}
	root := rootOf(z.Entry)
	return root.Len()
}

// Score is the score of a member.
func (z ZSetValue) Score(member []byte) (score float64, ok bool) {
	if z.Encoding() == EncListpack {
		b := z.room()
		p := listpack.Find(b, listpack.First(b), member, 1)
		if p == 0 {
			return 0, false
		}
		return scoreAt(b, listpack.Next(b, p)), true
	}
	t := z.table()
	slot := t.Find(z.Kit.Hash(member), member)
	if !slot.Ok() {
		return 0, false
	}
	return entryScore(entry.At(z.Heap.Arena(), slot.Ref())), true
}

// ZAddFlags are the conditions of an Add, as ZADD has them.
type ZAddFlags uint8

// The conditions.
const (
	ZAddNX   ZAddFlags = 1 << iota // only if there is no such member
	ZAddXX                         // only if there is
	ZAddGT                         // only if the score becomes greater
	ZAddLT                         // only if it becomes less
	ZAddIncr                       // add to the score
)

// ZAddResult is what an Add has done.
type ZAddResult uint8

// The results.
const (
	ZAddNothing ZAddResult = iota // a condition was not met
	ZAddSame                      // the member has that score already
	ZAddUpdated
	ZAddAdded
	ZAddNaN // the score would not be a number; nothing was done
)

// settle is what becomes of a member's score.
func (f ZAddFlags) settle(old, score float64) (float64, ZAddResult) {
	if f&ZAddNX != 0 {
		return old, ZAddNothing
	}
	if f&ZAddIncr != 0 {
		score += old
	}
	switch {
	case score != score:
		return old, ZAddNaN
	case f&ZAddLT != 0 && score >= old, f&ZAddGT != 0 && score <= old:
		return old, ZAddNothing
	case score == old:
		return score, ZAddSame
	}
	return score, ZAddUpdated
}

// Add gives a member a score, if the conditions allow it, and tells the score that
// it has now.
func (z ZSetValue) Add(member []byte, score float64, f ZAddFlags, l *ZSetLimits) (float64, ZAddResult) {
	if score != score {
		return score, ZAddNaN
	}
	if z.Encoding() == EncListpack {
		return z.addSmall(member, score, f, l)
	}
	return z.addLarge(member, score, f)
}

func (z ZSetValue) addLarge(member []byte, score float64, f ZAddFlags) (float64, ZAddResult) {
	t := z.table()
	sum := z.Kit.Hash(member)
	if slot := t.Find(sum, member); slot.Ok() {
		e := entry.At(z.Heap.Arena(), slot.Ref())
		old := entryScore(e)
		score, done := f.settle(old, score)
		if done == ZAddUpdated {
			z.element(member)
			tree := z.tree()
			tree.Update(old, member, score)
			setEntryScore(e, score)
			z.storeTree(&tree)
		}
		return score, done
	}
	if f&ZAddXX != 0 {
		return 0, ZAddNothing
	}
	z.element(member)
	ref := newMember(t.Heap(), member, score)
	t.Insert(sum, ref)
	z.storeTable(&t)
	tree := z.tree()
	tree.Insert(score, ref)
	z.storeTree(&tree)
	z.grown(t.Len())
	return score, ZAddAdded
}

// Expect prepares for n members to be added at once.
func (z ZSetValue) Expect(n int, l *ZSetLimits) {
	if z.Encoding() == EncListpack && n > l.Listpack {
		z.toLarge()
	}
}

// Remove takes a member out and tells whether it was there. A sorted set without
// members must be deleted by the caller.
func (z ZSetValue) Remove(member []byte) bool {
	if z.Encoding() == EncListpack {
		b := z.room()
		p := listpack.Find(b, listpack.First(b), member, 1)
		if p != 0 {
			z.storeCompact(listpack.DeleteFrom(z.compactRoom(0), p, 2))
		}
		return p != 0
	}
	t, tree := z.table(), z.tree()
	sum := z.Kit.Hash(member)
	slot := t.Find(sum, member)
	if !slot.Ok() {
		return false
	}
	z.element(member)
	ref := slot.Ref()
	tree.Delete(entryScore(entry.At(z.Heap.Arena(), ref)), member)
	z.storeTree(&tree)
	t.Delete(sum, slot)
	z.storeTable(&t)
	freeElement(t.Heap(), ref)
	z.shrunk(t.Len())
	return true
}

// Gather gives a member of a large sorted set a score, or joins it with the one
// that it has. The order is not kept meanwhile: Arrange must follow before anything
// but Gather and Len is called.
func (z ZSetValue) Gather(member []byte, score float64, join func(old, score float64) float64) {
	t := z.table()
	sum := z.Kit.Hash(member)
	if slot := t.Find(sum, member); slot.Ok() {
		e := entry.At(z.Heap.Arena(), slot.Ref())
		setEntryScore(e, join(entryScore(e), score))
		return
	}
	t.Insert(sum, newMember(t.Heap(), member, score))
	z.storeTable(&t)
	z.grown(t.Len())
}

// Arrange puts what was gathered in order.
func (z ZSetValue) Arrange() {
	t, tree := z.table(), z.tree()
	t.Each(func(ref arena.Ref) bool {
		tree.Insert(entryScore(entry.At(z.Heap.Arena(), ref)), ref)
		return true
	})
	z.storeTree(&tree)
}

// toLarge gives a small sorted set a table and a tree.
func (z ZSetValue) toLarge() {
	t, tree := hashtable.New(z.Heap, z.Kit.Hash), btree.New(z.Heap)
	var buf [intDigitsMax]byte
	z.Each(func(s Scored) bool {
		m, score := s.Member.Text(buf[:0]), s.Score()
		if sum := z.Kit.Hash(m); !t.Find(sum, m).Ok() { // see SetValue.toTable
			ref := newMember(z.Heap, m, score)
			t.Insert(sum, ref)
			tree.Append(score, ref)
		}
		return true
	})
	freeValue(z.Heap, z.Entry)
	z.becomeLarge(EncSkiplist, zsetRootsSize)
	z.storeTable(&t)
	z.storeTree(&tree)
}

// Compact makes a large sorted set small if its members allow it.
func (z ZSetValue) Compact(l *ZSetLimits) {
	if z.Encoding() != EncSkiplist || z.Len() > l.Listpack {
		return
	}
	fits, out := true, listpack.AppendEmpty(nil)
	z.Each(func(s Scored) bool {
		fits = len(s.Member.Str) <= l.Value
		out = appendScored(out, s.Member.Str, s.score)
		return fits
	})
	if !fits {
		return
	}
	if g := z.Empty(); g.Len() > 0 {
		g.FreeSome(z.Heap, g.Len())
	}
	z.recompact(EncListpack, out)
}

// copyTo copies the members of a large sorted set to an empty one. One that is not
// arranged yet has no tree.
func (z ZSetValue) copyTo(to *Cell) {
	h := to.inside()
	if old := treeRootOf(z.Entry); old.Len() == 0 {
		putRoot(to.Entry, copyTable(z.Cell, h, true))
		return
	}
	t, tree := hashtable.New(h, z.Kit.Hash), btree.New(h)
	z.Each(func(s Scored) bool {
		ref := newMember(h, s.Member.Str, s.score)
		t.Insert(z.Kit.Hash(s.Member.Str), ref)
		tree.Append(s.score, ref)
		return true
	})
	putRoot(to.Entry, t.Root())
	putTreeRoot(to.Entry, tree.Root())
}

// usage is what a large sorted set takes outside its key's entry; see MemoryUsage.
func (z ZSetValue) usage(samples int) int {
	root := treeRootOf(z.Entry)
	return z.tableUsage(samples) + int(root.Bytes())
}
