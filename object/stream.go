package object

import (
	"bytes"
	"encoding/binary"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/stream"
	"dozo/internal/invariants"
)

// StreamLimits are when a node of a stream is full.
type StreamLimits = stream.Limits

// StreamValue is the value of a key that holds a stream: there is one encoding, and
// the payload of the key's entry is the stream's root. A stream that has lost its
// last entry stays.
type StreamValue struct{ *Cell }

// NewStream makes an entry for an empty stream.
func (p Place) NewStream() arena.Ref {
	ref := p.newLarge(Stream, EncStream, stream.RootSize)
	made := stream.New(p.Heap)
	putStream(entry.At(p.Heap.Arena(), ref), &made)
	return ref
}

func putStream(e entry.Entry, s *stream.Stream) {
	binary.LittleEndian.PutUint64(rootsOf(e), s.Root().Word())
}

// streamRoot reads the root from the entry of a stream; the zero Root if the stream
// was taken out.
func streamRoot(e entry.Entry) stream.Root {
	return stream.RootOf(binary.LittleEndian.Uint64(rootsOf(e)))
}

// Len is the number of entries.
func (v StreamValue) Len() uint64 {
	s := v.Open()
	return s.Len()
}

// Open is the stream, to be read and changed where it is: the cell need not be told.
func (v StreamValue) Open() stream.Stream {
	s := stream.Attach(v.inside(), streamRoot(v.Entry))
	if v.Kit != nil && v.Kit.Keeper != nil {
		c := *v.Cell // a copy, so that ordinary ones stay off Go's heap
		s.Before = func(node stream.ID) { c.Kit.Keeper.Node(c, node) }
	}
	return s
}

// streamWork is about how many steps it takes to free a stream.
func streamWork(s *stream.Stream) int {
	n := 1 + s.Nodes()
	for i := range s.Groups() {
		g := s.GroupAt(i)
		n += 1 + 2*g.Pending() + g.Consumers() // pending entries are in two indexes
	}
	return n
}

// streamRemains is a stream that is being freed. The zero streamRemains is empty.
type streamRemains struct {
	root stream.Root
	left int // steps, at the most; 0 = all is freed
}

// streamRemainsOf is what is to be freed of a stream.
func streamRemainsOf(s *stream.Stream) streamRemains { return streamRemains{s.Root(), streamWork(s)} }

// streamRemainsAt is that of the stream at a root, if there is one.
func streamRemainsAt(h *arena.Heap, r stream.Root) (left streamRemains) {
	if r != (stream.Root{}) {
		s := stream.Attach(h, r)
		left = streamRemainsOf(&s)
	}
	return left
}

// freeSome takes about n steps and says how many it were.
func (r *streamRemains) freeSome(h *arena.Heap, n int) int {
	if r.left == 0 {
		return 0
	}
	s := stream.Attach(h, r.root)
	if !s.FreeSome(n) {
		n = min(n, r.left)
		*r = streamRemains{}
		return n
	}
	r.left -= n
	if invariants.Enabled {
		invariants.Check(r.left > 0, "object: a stream has more to free than was counted")
	}
	return n
}

// StreamGrave is the grave of what was taken out of a stream, if there is anything; a
// little is freed at once.
func StreamGrave(rest stream.Stream) (left Grave) {
	if rest.IsNone() {
		return left
	}
	if left.stream = streamRemainsOf(&rest); left.Len() <= freeAtOnce {
		rest.Free()
		return Grave{}
	}
	return left
}

// Edit is Open for whoever changes the stream. It gives it a part of the heap first, or
// takes it away, as its size demands: nobody else may have it open.
func (v StreamValue) Edit() stream.Stream {
	s := v.Open()
	if v.fit(s.Bytes(), ownStream) {
		return v.Open()
	}
	return s
}

// Expect prepares an empty stream for so many nodes to be added at once.
func (v StreamValue) Expect(nodes int) { v.fit(int64(nodes)*nodeWeight, ownStream) }

// nodeWeight is about what a node takes.
const nodeWeight = 4 << 10

// digest adds the entries, which is all that Redis looks at: not the groups.
func (v StreamValue) digest(d *Digest) {
	var scratch [2*intDigitsMax + 1]byte
	s := v.Open()
	for it := s.Range(stream.ID{}, stream.MaxID, false); it.Next(); {
		id := it.ID.Append(scratch[:0])
		id[bytes.IndexByte(id, '-')] = '.' // as Redis has it here alone
		d.Mix(id)
		for it.Fields > 0 {
			field, value := it.Field()
			d.Mix(field.Text(scratch[:0]))
			d.Mix(value.Text(scratch[:0]))
		}
	}
}
