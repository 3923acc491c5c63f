package snapshot

import (
	"slices"

	"dozo/container/listpack"
	"dozo/object"
	"dozo/rdb"
)

// listPieces is a list. What is still to be written is a sequence of spans: of elements
// that lie in the list, by their indexes, and of nodes that were kept because something
// in them was about to change. See package quicklist, "Walking while the list changes".
//
// How many nodes the record has is said at its beginning; so the nodes that are written
// are not the list's own, which come and go, but have the same number of elements each.
type listPieces struct {
	noKeeper
	enc   *rdb.Encoder
	head  *rdb.RecordHead
	each  int // elements of a node
	nodes int
	out   int // nodes written
	spans []span
	node  []byte // the one that is being made
	fill  int    // its elements
}

// span is a part of the list: the elements from one index up to another, or those of a
// kept node.
type span struct {
	from, to int
	kept     [][]byte // nil: they are in the list
}

func newListPieces(enc *rdb.Encoder, head *rdb.RecordHead, v object.ListValue) *listPieces {
	n := v.Len()
	each := (n + v.Nodes() - 1) / v.Nodes()
	return &listPieces{
		enc: enc, head: head, each: each, nodes: (n + each - 1) / each,
		spans: []span{{from: 0, to: n}},
	}
}

func (p *listPieces) begin(dst []byte) []byte { return p.enc.BeginList(dst, p.head, p.nodes) }

func (p *listPieces) counts() (told, wrote int) { return p.nodes, p.out }

func (p *listPieces) free() { p.spans, p.node = nil, nil }

// Splice keeps elements that are about to change or to go, and follows the others to
// their new indexes.
func (p *listPieces) Splice(c object.Cell, index, del, ins int) {
	for i := index; i < index+del; {
		i = p.keep(object.ListValue{Cell: &c}, i, index+del)
	}
	shift := ins - del
	if shift == 0 {
		return
	}
	for i := 0; i < len(p.spans); i++ {
		s := &p.spans[i]
		switch {
		case s.kept != nil || s.to <= index:
		case s.from >= index+del:
			s.from, s.to = s.from+shift, s.to+shift
		default: // something comes in the middle
			rest := span{from: index + shift, to: s.to + shift}
			s.to = index
			p.spans = slices.Insert(p.spans, i+1, rest)
			i++
		}
	}
}

// keep copies the node that an element lies in, as far as it is still to be written, and
// says which element to look at next.
func (p *listPieces) keep(v object.ListValue, index, end int) (next int) {
	i := slices.IndexFunc(p.spans, func(s span) bool { return s.kept == nil && s.from <= index && index < s.to })
	if i < 0 {
		return p.nextSpan(index, end)
	}
	s, r := p.spans[i], v.Run(index)
	from, to := max(s.from, r.First), min(s.to, r.First+r.Count)
	parts := make([]span, 0, 3)
	if s.from < from {
		parts = append(parts, span{from: s.from, to: from})
	}
	parts = append(parts, span{kept: elements(r, from, to)})
	if to < s.to {
		parts = append(parts, span{from: to, to: s.to})
	}
	p.spans = slices.Replace(p.spans, i, i+1, parts...)
	return to
}

// nextSpan is where the next span begins in the list, or the end.
func (p *listPieces) nextSpan(index, end int) int {
	next := end
	for _, s := range p.spans {
		if s.kept == nil && s.from > index {
			next = min(next, s.from)
		}
	}
	return next
}

// elements copies the elements of a run from one index up to another.
func elements(r object.Run, from, to int) [][]byte {
	if r.Plain {
		return [][]byte{slices.Clone(r.Bytes)}
	}
	list := make([][]byte, 0, to-from)
	for p := listpack.Seek(r.Bytes, from-r.First); len(list) < to-from; {
		var x listpack.Value
		x, p = listpack.Read(r.Bytes, p)
		list = append(list, x.Append(nil))
	}
	return list
}

func (p *listPieces) next(dst []byte, c *object.Cell) ([]byte, bool) {
	if len(p.spans) > 0 {
		s := &p.spans[0]
		if s.kept != nil {
			for _, e := range s.kept {
				dst = p.element(dst, listpack.String(e))
			}
			s.from, s.to = 0, 0
		} else {
			dst = p.run(dst, object.ListValue{Cell: c}, s)
		}
		if s.from >= s.to {
			p.spans = slices.Delete(p.spans, 0, 1)
		}
	}
	if len(p.spans) > 0 {
		return dst, false
	}
	if p.fill > 0 {
		dst = p.flush(dst)
	}
	return dst, true
}

// run writes what lies together at the beginning of a span.
func (p *listPieces) run(dst []byte, v object.ListValue, s *span) []byte {
	r := v.Run(s.from)
	end := min(s.to, r.First+r.Count)
	if r.Plain {
		s.from = end
		return p.element(dst, listpack.String(r.Bytes))
	}
	for at := listpack.Seek(r.Bytes, s.from-r.First); s.from < end; s.from++ {
		var x listpack.Value
		var digits [20]byte
		x, at = listpack.Read(r.Bytes, at)
		dst = p.element(dst, listpack.String(x.Text(digits[:0])))
	}
	return dst
}

// element adds an element to the node that is being made.
func (p *listPieces) element(dst []byte, e listpack.Element) []byte {
	if p.node == nil {
		p.node = listpack.AppendEmpty(nil)
	}
	p.node = listpack.Append(p.node, &e)
	if p.fill++; p.fill == p.each {
		dst = p.flush(dst)
	}
	return dst
}

func (p *listPieces) flush(dst []byte) []byte {
	p.out++
	dst = p.enc.AppendNode(dst, p.node)
	p.node, p.fill = listpack.AppendEmpty(p.node[:0]), 0
	return dst
}
