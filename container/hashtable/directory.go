package hashtable

import (
	"unsafe"

	"dozo/arena"
)

// directory is the start of the directory's block; the words follow.
type directory struct {
	// segments of each depth: tells when the last bits of the index have
	// become useless.
	segments [depthMax + 1]uint32
	_        [7]uint32
}

const (
	directorySize = int(unsafe.Sizeof(directory{}))

	// directoryMin is how many words the directory may always have.
	directoryMin = 1 << 10
	// directoryShare: otherwise it has at most one word for so many entries.
	directoryShare = 8
)

func (t *Table) directory() *directory { return (*directory)(t.arena.Ptr(arena.Ref(t.root.top))) }

// dirWord is the directory's word i. There must be a directory.
func (t *Table) dirWord(i uint64) *seg {
	return (*seg)(unsafe.Add(t.arena.Ptr(arena.Ref(t.root.top)), uint64(directorySize)+i*8))
}

func directoryBytes(depth uint32) int { return directorySize + 8<<depth }

func (t *Table) dirWords() []seg {
	return unsafe.Slice(t.dirWord(0), 1<<t.root.depth)
}

// mayDouble tells whether the directory may get one bit longer. The bound keeps
// a hash that does not spread from taking memory without end; a good one needs
// about a sixth of it.
func (t *Table) mayDouble() bool {
	n := uint64(2) << t.root.depth
	return n <= max(directoryMin, t.root.count/directoryShare)
}

// doubleDirectory makes the index one bit longer.
func (t *Table) doubleDirectory() {
	depth := t.root.depth
	r := t.alloc(directoryBytes(depth + 1))
	d := (*directory)(t.arena.Ptr(r))
	words := unsafe.Slice((*seg)(unsafe.Add(unsafe.Pointer(d), directorySize)), 2<<depth)
	if depth == 0 {
		*d = directory{}
		d.segments[0] = 1
		words[0], words[1] = seg(t.root.top), seg(t.root.top)
	} else {
		*d = *t.directory()
		for i, w := range t.dirWords() {
			words[2*i], words[2*i+1] = w, w
		}
		t.freeDirectory()
	}
	t.root.top, t.root.depth = uint64(r), depth+1
}

// trimDirectory makes the index shorter by one bit as long as its last two tell
// no segments apart: one bit is left, so that a table that shrinks and grows a
// little does not rebuild its directory each time.
func (t *Table) trimDirectory() {
	for t.root.depth > 1 {
		d := t.directory()
		if d.segments[t.root.depth] != 0 || d.segments[t.root.depth-1] != 0 {
			return
		}
		t.halveDirectory()
	}
	if t.root.depth == 1 && t.root.segments == 1 {
		only := *t.dirWord(0)
		t.freeDirectory()
		t.root.top, t.root.depth = uint64(only), 0
	}
}

func (t *Table) halveDirectory() {
	old := t.dirWords()
	r := t.alloc(directoryBytes(t.root.depth - 1))
	d := (*directory)(t.arena.Ptr(r))
	*d = *t.directory()
	words := unsafe.Slice((*seg)(unsafe.Add(unsafe.Pointer(d), directorySize)), len(old)/2)
	for i := range words {
		words[i] = old[2*i]
	}
	t.freeDirectory()
	t.root.top = uint64(r)
	t.root.depth--
}

func (t *Table) freeDirectory() {
	t.free(arena.Ref(t.root.top), directoryBytes(t.root.depth))
}

// setRange makes s the segment of all hashes that share the first s.depth()
// bits of hash.
func (t *Table) setRange(hash uint64, s seg) {
	if t.root.depth == 0 {
		t.root.top = uint64(s)
		return
	}
	n := uint64(1) << (uint(t.root.depth) - s.depth())
	first := s.start(hash) >> (64 - t.root.depth)
	words := unsafe.Slice(t.dirWord(first), n)
	for i := range words {
		words[i] = s
	}
}

// tally counts n segments more of the given depth.
func (t *Table) tally(depth uint, n int) {
	t.root.segments += uint32(n)
	if t.root.depth > 0 {
		t.directory().segments[depth] += uint32(n)
	}
}
