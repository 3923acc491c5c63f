package quicklist

import (
	"unsafe"

	"dozo/arena"
	"dozo/internal/invariants"
)

// The index of the inner nodes: a B+tree without keys, whose items say how many
// elements are below them.

const (
	blockMax = 63 // items in a block, which makes 1016 bytes
	blockMin = 3  // of the top block, which begins small
	// A block that comes down to mergeBelow items is merged with a neighbour of the same
	// parent if they are mergedMax then at the most. So of two such neighbours one has
	// more than mergeBelow, a block has eight on average, and the index of all the nodes
	// that an arena can hold is not higher than heightMax.
	mergeBelow = 15
	mergedMax  = 47
	heightMax  = 12

	blockHeader = 8
	itemSize    = int(unsafe.Sizeof(item{}))
)

// topWord is the top block's address, as in item.a, with the height of the tree (8
// bits) and the fill of the list (16 bits).
type topWord uint64

func (w topWord) ref() arena.Ref { return arena.Ref(w >> addrShift << refShift) }
func (w topWord) height() int    { return int(w >> 16 & 0xff) }
func (w topWord) fill() int      { return int(int16(w)) }

func (w topWord) withFill(fill int) topWord { return w&^0xffff | topWord(uint16(fill)) }

func (w topWord) withTop(r arena.Ref, height int) topWord {
	return topWord(r)>>refShift<<addrShift | topWord(height)<<16 | w&0xffff
}

// block is the start of one; its items follow.
type block struct {
	n, room uint16
	_       uint32
}

func blockSize(room int) int { return blockHeader + room*itemSize }

// all is the block's items and the room for more.
func (b *block) all() []item {
	return unsafe.Slice((*item)(unsafe.Add(unsafe.Pointer(b), blockHeader)), int(b.room))
}

func (b *block) items() []item { return b.all()[:b.n] }

func (b *block) insert(i int, it item) {
	b.n++
	s := b.items()
	copy(s[i+1:], s[i:])
	s[i] = it
}

func (b *block) remove(i int) {
	s := b.items()
	copy(s[i:], s[i+1:])
	b.n--
}

// below is how many elements an item of a level stands for; leaves are level 0.
func (it item) below(level int) uint64 {
	if level == 0 {
		return it.b >> 32
	}
	return it.b
}

func (b *block) below(level int) (n uint64) {
	for _, it := range b.items() {
		n += it.below(level)
	}
	return n
}

// path leads to an item of a leaf. step[0] is in the leaf, the last in the top block.
// A path is good until an item comes or goes.
type path struct {
	height int
	step   [heightMax]step
}

type step struct {
	b *block
	i int
}

func (s step) item() *item { return &s.b.items()[s.i] }

// item is where the path leads.
func (p *path) item() *item { return p.step[0].item() }

func (l *List) block(r arena.Ref) *block { return (*block)(l.heap.Arena().Ptr(r)) }

func (l *List) newBlock(room int) (arena.Ref, *block) {
	r := l.alloc(blockSize(room))
	b := l.block(r)
	*b = block{room: uint16(room)}
	return r, b
}

// upper makes an item for a block.
func upper(r arena.Ref, elements uint64) item {
	return item{uint64(r) >> refShift << addrShift, elements}
}

// seek finds the inner node with an element, and how many of the node's elements are
// before that one. For an index behind the last it leads behind the last item.
func (l *List) seek(index uint64) (p path, off int) {
	top := l.root.top
	p.height = top.height()
	if p.height == 0 {
		return p, 0
	}
	b := l.block(top.ref())
	for level := p.height - 1; ; level-- {
		s := b.items()
		i := 0
		if level == 0 {
			for i < len(s) && index >= s[i].b>>32 {
				index -= s[i].b >> 32
				i++
			}
			p.step[0] = step{b, i}
			return p, int(index)
		}
		for i < len(s)-1 && index >= s[i].b {
			index -= s[i].b
			i++
		}
		p.step[level] = step{b, i}
		b = l.block(s[i].ref())
	}
}

// lastPath leads to the last item.
func (l *List) lastPath() (p path) {
	p.height = l.root.top.height()
	b := l.block(l.root.top.ref())
	for level := p.height - 1; level >= 0; level-- {
		p.step[level] = step{b, int(b.n) - 1}
		if level > 0 {
			b = l.block(p.step[level].item().ref())
		}
	}
	return p
}

// next moves to the next item; false if there is none, and the path is as before.
func (l *List) next(p *path) bool {
	level := 0
	for level < p.height && p.step[level].i == int(p.step[level].b.n)-1 {
		level++
	}
	if level == p.height {
		return false
	}
	p.step[level].i++
	for ; level > 0; level-- {
		p.step[level-1] = step{l.block(p.step[level].item().ref()), 0}
	}
	return true
}

// prev moves to the item before; false if there is none, and the path is as before.
func (l *List) prev(p *path) bool {
	level := 0
	for level < p.height && p.step[level].i == 0 {
		level++
	}
	if level == p.height {
		return false
	}
	p.step[level].i--
	for ; level > 0; level-- {
		b := l.block(p.step[level].item().ref())
		p.step[level-1] = step{b, int(b.n) - 1}
	}
	return true
}

// count adds to the number of elements in all blocks above the leaf.
func (p *path) count(n uint64) {
	for level := 1; level < p.height; level++ {
		p.step[level].item().b += n
	}
}

// setItem replaces the item at the path.
func (l *List) setItem(p *path, it item) {
	p.count(it.below(0) - p.item().below(0))
	*p.item() = it
}

// insertItem puts an item before the place that the path leads to.
func (l *List) insertItem(p *path, it item) {
	if p.height == 0 {
		r, b := l.newBlock(blockMin)
		b.insert(0, it)
		l.root.top = l.root.top.withTop(r, 1)
		return
	}
	p.count(it.below(0))
	l.insertAt(p, 0, it)
}

// insertAt puts an item into a block of the path. The blocks above count its
// elements already.
func (l *List) insertAt(p *path, level int, it item) {
	s := &p.step[level]
	if s.b.n == s.b.room {
		if s.b.room == blockMax {
			l.splitBlock(p, level, it)
			return
		}
		l.enlarge(p)
	}
	s.b.insert(s.i, it)
}

// enlarge doubles the room of the top block: no other has less than all.
func (l *List) enlarge(p *path) {
	s := &p.step[p.height-1]
	room := int(s.b.room)*2 + 1
	r, b := l.newBlock(room)
	b.n = s.b.n
	copy(b.items(), s.b.items())
	l.free(l.root.top.ref(), blockSize(int(s.b.room)))
	l.root.top = l.root.top.withTop(r, p.height)
	s.b = b
}

// splitBlock inserts an item into a full block, half of which moves to a new one. An item
// at either end of the list gets the new block for itself, so that a list that grows
// there has full blocks.
func (l *List) splitBlock(p *path, level int, it item) {
	s := &p.step[level]
	left, half := s.b, blockMax/2
	if s.i == 0 && p.isFirst(level+1) || s.i == blockMax && p.isLast(level+1) {
		half = s.i
	}
	r, right := l.newBlock(blockMax)
	right.n = uint16(blockMax - half)
	copy(right.items(), left.items()[half:])
	left.n = uint16(half)
	if s.i > half || half == blockMax {
		right.insert(s.i-half, it)
	} else {
		left.insert(s.i, it)
	}
	l.raise(p, level+1, upper(r, right.below(level)), left.below(level))
}

// isFirst tells whether no item of a level or of those above is before the path.
func (p *path) isFirst(level int) bool {
	for ; level < p.height; level++ {
		if p.step[level].i > 0 {
			return false
		}
	}
	return true
}

// isLast tells whether no item of a level or of those above is behind the path.
func (p *path) isLast(level int) bool {
	for ; level < p.height; level++ {
		if p.step[level].i < int(p.step[level].b.n)-1 {
			return false
		}
	}
	return true
}

// raise puts the new right half of a block into the level above; left is what the
// left half has now.
func (l *List) raise(p *path, level int, right item, left uint64) {
	if level < p.height {
		p.step[level].item().b = left
		p.step[level].i++
		l.insertAt(p, level, right)
		return
	}
	if invariants.Enabled {
		invariants.Check(level < heightMax, "quicklist: an index of %d levels", level+1)
	}
	r, b := l.newBlock(blockMin)
	b.insert(0, upper(l.root.top.ref(), left))
	b.insert(1, right)
	l.root.top = l.root.top.withTop(r, level+1)
}

// removeItem takes out the item that the path leads to.
func (l *List) removeItem(p *path) {
	p.count(-p.item().below(0))
	l.removeAt(p, 0)
}

// removeAt takes an item out of a block of the path. The blocks above do not count
// its elements any more.
func (l *List) removeAt(p *path, level int) {
	s := p.step[level]
	s.b.remove(s.i)
	switch {
	case level == p.height-1:
		l.lower()
	case s.b.n == 0:
		l.freeBlock(p.step[level+1].item().ref())
		l.removeAt(p, level+1)
	case s.b.n <= mergeBelow:
		l.mergeBlock(p, level)
	}
}

// lower makes the tree as low as it can be after the top block has lost an item.
func (l *List) lower() {
	for {
		top, height := l.root.top.ref(), l.root.top.height()
		switch b := l.block(top); {
		case b.n == 0:
			l.root.top = l.root.top.withTop(0, 0)
			l.freeBlock(top)
			return
		case b.n == 1 && height > 1:
			l.root.top = l.root.top.withTop(b.items()[0].ref(), height-1)
			l.freeBlock(top)
		default:
			return
		}
	}
}

// mergeBlock joins a block with a neighbour below the same parent, if they fit.
func (l *List) mergeBlock(p *path, level int) {
	up := &p.step[level+1]
	s := up.b.items()
	for _, i := range [2]int{up.i, up.i - 1} { // left and right are i and i+1
		if i < 0 || i+1 >= len(s) {
			continue
		}
		left, right := l.block(s[i].ref()), l.block(s[i+1].ref())
		both := int(left.n) + int(right.n)
		if both > mergedMax {
			continue
		}
		copy(left.all()[left.n:], right.items())
		left.n = uint16(both)
		s[i].b += s[i+1].b
		l.freeBlock(s[i+1].ref())
		up.i = i + 1
		l.removeAt(p, level+1)
		return
	}
}

func (l *List) freeBlock(r arena.Ref) { l.free(r, blockSize(int(l.block(r).room))) }
