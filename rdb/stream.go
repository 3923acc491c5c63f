package rdb

import (
	"encoding/binary"

	"dozo/container/stream"
	"dozo/object"
)

// The types of streams. Each says more than the one before it: what the stream and
// its groups know of the past (2), and when consumers were active (3).
const (
	TypeStream  Type = 15
	TypeStream2 Type = 19 // since version 10
	TypeStream3 Type = 21 // since version 11
)

// The versions that brought them.
const (
	stream2Version = 10
	stream3Version = 11
)

func (e *Encoder) streamType() Type {
	switch {
	case e.Version >= stream3Version:
		return TypeStream3
	case e.Version >= stream2Version:
		return TypeStream2
	}
	return TypeStream
}

// appendStream writes nodes as they are, the state, and the groups.
func (e *Encoder) appendStream(dst []byte, v object.StreamValue) []byte {
	t, s := e.streamType(), v.Open()
	dst = AppendLen(e.begin(dst, t), uint64(s.Nodes()))
	for from, more := (stream.ID{}), true; more; {
		master, b, ok := s.NodeFrom(from)
		if !ok {
			break
		}
		dst = e.AppendStreamNode(dst, master, b)
		from, more = master.Next()
	}
	return e.AppendStreamEnd(dst, &s)
}

func appendState(dst []byte, t Type, st stream.State) []byte {
	dst = appendID(AppendLen(dst, st.Length), st.Last)
	if t >= TypeStream2 {
		dst = appendID(appendID(dst, st.First), st.MaxDeletedID)
		dst = AppendLen(dst, st.Added)
	}
	return dst
}

// appendID writes an ID as two lengths.
func appendID(dst []byte, id stream.ID) []byte { return AppendLen(AppendLen(dst, id.Ms), id.Seq) }

// appendGroup writes what is pending twice: for the group with times and counts, for
// each consumer the IDs alone.
func (e *Encoder) appendGroup(dst []byte, t Type, g stream.Group) []byte {
	dst = appendID(e.AppendString(dst, g.Name()), g.LastID())
	if t >= TypeStream2 {
		dst = AppendLen(dst, uint64(g.EntriesRead()))
	}
	dst = AppendLen(dst, uint64(g.Pending()))
	for it := g.PendingFrom(stream.ID{}); it.Next(); {
		p := &it.Pending
		dst = appendMillis(p.ID.AppendKey(dst), p.DeliveredMs())
		dst = AppendLen(dst, p.Deliveries())
	}
	dst = AppendLen(dst, uint64(g.Consumers()))
	for i := range g.Consumers() {
		c := g.ConsumerAt(i)
		dst = appendMillis(e.AppendString(dst, c.Name()), c.SeenMs())
		if t >= TypeStream3 {
			dst = appendMillis(dst, c.ActiveMs())
		}
		dst = AppendLen(dst, uint64(c.Pending()))
		for it := g.PendingOf(&c, stream.ID{}); it.Next(); {
			dst = it.Pending.ID.AppendKey(dst)
		}
	}
	return dst
}

func appendMillis(dst []byte, ms int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(ms))
}

// stream reads a stream. Its nodes are looked at in full even if Deep is not set:
// those who read them later rely on it.
func (b *Builder) stream(d *Decoder, t Type, at object.Place, into *object.Draft) error {
	into.Begin(at, at.NewStream())
	r := streamReader{b: b, d: d, t: t}
	nodes := r.len()
	v := object.StreamValue{Cell: &into.Cell}
	v.Expect(int(min(nodes, nodesMax)))
	s := v.Open()
	r.s = &s
	r.nodes(nodes)
	r.state()
	for n := r.len(); n > 0 && r.err == nil; n-- {
		r.group()
	}
	if r.err != nil {
		return discard(into, r.err)
	}
	return nil
}

// streamReader reads the parts of a stream. Once something is wrong, err is set, and
// what it gives means nothing.
type streamReader struct {
	b   *Builder
	d   *Decoder
	t   Type
	s   *stream.Stream
	err error
}

// check notes whether the parts agree.
func (r *streamReader) check(ok bool) {
	if r.err == nil && !ok {
		r.err = errStream
	}
}

// read notes an error of the decoder.
func (r *streamReader) read(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *streamReader) len() uint64 {
	n, err := r.d.Len()
	r.read(err)
	return n
}

func (r *streamReader) take(n uint64) []byte {
	b, err := r.d.Take(n)
	if r.read(err); r.err != nil {
		return make([]byte, n)
	}
	return b
}

func (r *streamReader) string() []byte {
	s, err := r.b.string(r.d)
	r.read(err)
	return s
}

// name is a string that is kept while more is read.
func (r *streamReader) name() []byte { return r.b.hold(r.d, r.string()) }

func (r *streamReader) id() stream.ID {
	ms := r.len()
	return stream.ID{Ms: ms, Seq: r.len()}
}

// key is an ID as streams are sorted by it.
func (r *streamReader) key() stream.ID { return stream.KeyID(r.take(stream.IDSize)) }

func (r *streamReader) millis() int64 {
	const size = 8
	return int64(binary.LittleEndian.Uint64(r.take(size)))
}

// nodesMax is how many nodes are believed to come, and more than the most that matter.
const nodesMax = 1 << 20

func (r *streamReader) nodes(n uint64) {
	for ; n > 0 && r.err == nil; n-- {
		key := r.string()
		if r.check(len(key) == stream.IDSize); r.err != nil {
			return
		}
		id := stream.KeyID(key)
		r.check(r.s.AddNode(id, r.string()) == nil)
	}
}

func (r *streamReader) state() {
	st := stream.State{Length: r.len(), Last: r.id()}
	if r.t >= TypeStream2 {
		st.First, st.MaxDeletedID, st.Added = r.id(), r.id(), r.len()
	} else {
		st.First, _ = r.s.FirstEntry()
		st.Added = st.Length
	}
	r.check(r.s.Load(st) == nil)
}

func (r *streamReader) group() {
	name := r.name()
	last := r.id()
	read := int64(stream.NoEntriesRead)
	if r.t >= TypeStream2 {
		read = int64(r.len())
	} else if r.err == nil {
		read = r.s.EntriesReadAt(last)
	}
	if r.err != nil {
		return
	}
	g, created := r.s.CreateGroup(name, last, read)
	r.check(created)
	for n := r.len(); n > 0 && r.err == nil; n-- {
		id, at := r.key(), r.millis()
		count := r.len()
		r.check(r.err == nil && g.LoadPending(id, at, count))
	}
	for n := r.len(); n > 0 && r.err == nil; n-- {
		r.consumer(&g)
	}
	r.check(r.err == nil && g.Loaded())
}

func (r *streamReader) consumer(g *stream.Group) {
	name := r.name()
	if r.err != nil {
		return
	}
	c, created := g.CreateConsumer(name, r.millis())
	if r.err == nil && !created {
		r.err = errConsumer
	}
	active := c.SeenMs()
	if r.t >= TypeStream3 {
		active = r.millis()
	}
	c.SetActiveMs(active)
	for n := r.len(); n > 0 && r.err == nil; n-- {
		id := r.key()
		r.check(r.err == nil && g.LoadOwner(&c, id))
	}
}
