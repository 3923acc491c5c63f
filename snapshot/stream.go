package snapshot

import (
	"slices"

	"dozo/container/stream"
	"dozo/object"
	"dozo/rdb"
)

// streamPieces is a stream: the walk goes from node to node. A node that is about to
// change before that is kept. What the stream has besides nodes, its groups above all, is
// written to the side at once.
//
// LIMITATIONS: that takes some 50 ns for each entry that is pending, with the shard
// held.
type streamPieces struct {
	noKeeper
	enc   *rdb.Encoder
	head  *rdb.RecordHead
	nodes int
	out   int       // nodes written
	from  stream.ID // nodes that begin before are written
	last  stream.ID // those that begin behind are new
	kept  map[stream.ID][]byte
	order []stream.ID        // of kept, by ID
	fresh map[stream.ID]bool // nodes not of the epoch that begin before last all the same
	end   []byte
	done  bool
}

func newStreamPieces(enc *rdb.Encoder, head *rdb.RecordHead, v object.StreamValue) *streamPieces {
	s := v.Open()
	return &streamPieces{
		enc: enc, head: head, nodes: s.Nodes(), last: s.LastID(), kept: map[stream.ID][]byte{}, fresh: map[stream.ID]bool{},
		end: enc.AppendStreamEnd(nil, &s),
	}
}

func (p *streamPieces) begin(dst []byte) []byte { return p.enc.BeginStream(dst, p.head, p.nodes) }

func (p *streamPieces) counts() (told, wrote int) { return p.nodes, p.out }

func (p *streamPieces) free() { p.kept, p.order, p.fresh, p.end = nil, nil, nil, nil }

// Node keeps a node that is about to change or to go, and notes one that is about to come.
func (p *streamPieces) Node(c object.Cell, id stream.ID) {
	if p.done || id.Less(p.from) || p.last.Less(id) || p.kept[id] != nil || p.fresh[id] {
		return
	}
	s := object.StreamValue{Cell: &c}.Open()
	at, b, ok := s.NodeFrom(id)
	if !ok || at != id {
		p.fresh[id] = true
		return
	}
	p.kept[id] = slices.Clone(b)
	i, _ := slices.BinarySearchFunc(p.order, id, stream.ID.Compare)
	p.order = slices.Insert(p.order, i, id)
}

func (p *streamPieces) next(dst []byte, c *object.Cell) ([]byte, bool) {
	id, b, ok := p.node(c)
	if !ok {
		p.done = true
		return append(dst, p.end...), true
	}
	p.out++
	dst = p.enc.AppendStreamNode(dst, id, b)
	if p.from, ok = id.Next(); !ok {
		p.done = true
		return append(dst, p.end...), true
	}
	return dst, false
}

// node is the next node as it was at the epoch.
func (p *streamPieces) node(c *object.Cell) (id stream.ID, b []byte, ok bool) {
	s := object.StreamValue{Cell: c}.Open()
	for from, more := p.from, true; more; from, more = id.Next() {
		if id, b, ok = s.NodeFrom(from); !ok || !p.fresh[id] {
			break
		}
		ok = false
	}
	ok = ok && !p.last.Less(id)
	if len(p.order) > 0 && (!ok || !id.Less(p.order[0])) {
		id = p.order[0]
		b, ok = p.kept[id], true
		delete(p.kept, id)
		p.order = p.order[1:]
	}
	return id, b, ok
}
