package quicklist

import "dozo/container/listpack"

// MergeAsRedis70 merges nodes with its mistake in their size.
func (l *List) MergeAsRedis70() { l.mergeSaves = 11 }

// PopHead takes the first element out, after use, which may be nil, has seen it; false
// if there is none.
func (l *List) PopHead(use func(listpack.Value)) bool { return pop(l.Head, l.DropHead, use) }

// PopTail takes the last element out, after use, which may be nil, has seen it; false
// if there is none.
func (l *List) PopTail(use func(listpack.Value)) bool { return pop(l.Tail, l.DropTail, use) }

func pop(end func() (listpack.Value, bool), drop func(n int), use func(listpack.Value)) bool {
	v, ok := end()
	if ok && use != nil {
		use(v)
	}
	drop(1)
	return ok
}

// Trim keeps the elements from start to stop, both included.
func (l *List) Trim(start, stop int) {
	n := l.Len()
	if start > stop || start >= n {
		l.DropTail(n)
		return
	}
	l.DropHead(start)
	l.DropTail(n - 1 - stop)
}

// Get is the element with an index as for Seek; false if there is none.
func (l *List) Get(index int) (v listpack.Value, ok bool) {
	c := l.Seek(index)
	if !c.Ok() {
		return v, false
	}
	return c.Value(), true
}
