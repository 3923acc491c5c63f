package hashtable

import "dozo/arena"

// Remains is what is left of a table that nobody looks anything up in any more,
// to be freed a part at a time: a table of millions of entries takes longer than
// anybody should have to wait. Plain words, as Root is.
type Remains struct {
	root Root
	next uint64 // hashes below are gone
	left bool
}

// Remains is the table for freeing; the table itself is empty then.
func (t *Table) Remains() Remains {
	r := Remains{root: t.root, left: t.root.top != 0}
	t.root = Root{}
	return r
}

// Len is the number of entries that are left.
func (r *Remains) Len() int { return int(r.root.count) }

// FreeSome gives memory back, segment by segment, until at least n entries are
// gone or nothing is left; more tells which. With the last entry all memory goes. free is called for each entry. h is
// the table's heap.
func (r *Remains) FreeSome(h *arena.Heap, n int, free func(arena.Ref)) (done int, more bool) {
	t := Attach(h, nil, r.root)
	for r.left && (done < n || uint64(done) == r.root.count) {
		s := t.open(t.at(r.next))
		t.eachOf(s, func(ref arena.Ref) bool {
			free(ref)
			done++
			return true
		})
		r.next = s.startOf(r.next, s.buckets())
		r.left = r.next != 0
		t.freeSegment(s)
	}
	if !r.left && t.root.depth > 0 {
		t.freeDirectory()
		t.root.depth = 0
	}
	r.root = t.root
	r.root.count -= min(uint64(done), r.root.count)
	return done, r.left
}
