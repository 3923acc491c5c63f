package stream

import (
	"errors"
	"unsafe"

	"dozo/arena"
	"dozo/container/listpack"
)

// Errors of Append and AddNode.
var (
	// ErrID: the ID is not above the last one. Nothing was added.
	ErrID = errors.New("the ID is equal to or smaller than the last one of the stream")
	// ErrLarge: fields and values together are over 1 GiB. Nothing was added.
	ErrLarge = errors.New("the entry is too large for a stream: 1 GiB is the most")
	// ErrNode: the bytes are no node, or there is one with this ID already.
	ErrNode = errors.New("not a valid stream node: the payload is damaged")
	// ErrState: the numbers of the stream do not fit its nodes.
	ErrState = errors.New("the length of the stream differs from its nodes': the payload is damaged")
)

// Root is a stream at rest: one word, which stays the same as long as the stream
// lives. The zero Root is no stream.
type Root struct{ ref uint64 }

// RootSize is the length of a Root in bytes.
const RootSize = int(unsafe.Sizeof(Root{}))

// RootOf makes a Root of the word that Word gave.
func RootOf(word uint64) Root { return Root{word} }

// Word is the Root as a number, for an owner that stores bytes.
func (r Root) Word() uint64 { return r.ref }

// header is the block that a Root names.
type header struct {
	state  State
	nodes  indexRoot
	groups directory
	used   int64 // bytes, the groups' apart
}

const headerBytes = int(unsafe.Sizeof(header{}))

// State is what a stream knows of itself besides its entries.
type State struct {
	Length       uint64
	Added        uint64 // entries ever added
	First        ID     // of the first entry; 0-0 if there is none
	Last         ID     // the last one given out, whether or not the entry is there
	MaxDeletedID ID     // the last one that Delete took; 0-0: none
}

// Stream is a Root with what is needed to work on it. All Streams of one Root
// are the same stream.
type Stream struct {
	space
	h *header
	r arena.Ref
	// Before, if not nil, is told of a node, by the ID that it begins with, before it
	// comes, changes or goes. (Where XSETID has lowered the last ID, new nodes may have
	// lower IDs than others had.)
	Before func(node ID)
}

// New makes an empty stream.
func New(h *arena.Heap) Stream {
	r := h.AllocZero(purpose, headerBytes)
	s := Attach(h, Root{uint64(r)})
	s.h.used = int64(arena.UsableSize(headerBytes))
	return s
}

// Attach makes a stream of a Root that one with the same heap gave.
func Attach(h *arena.Heap, root Root) Stream {
	a := h.Arena()
	r := arena.Ref(root.ref)
	p := (*header)(a.Ptr(r))
	return Stream{space: space{h, a, &p.used}, h: p, r: r}
}

// Root is the stream at rest.
func (s *Stream) Root() Root { return Root{uint64(s.r)} }

// State tells what the stream knows of itself.
func (s *Stream) State() State { return s.h.state }

// Len is the number of entries.
func (s *Stream) Len() uint64 { return s.h.state.Length }

// LastID is the last ID given out.
func (s *Stream) LastID() ID { return s.h.state.Last }

// Bytes is the memory that the stream takes. It costs a step a group.
func (s *Stream) Bytes() int64 {
	n := s.h.used
	for i := range s.Groups() {
		g := s.GroupAt(i)
		n += *g.used
	}
	return n
}

func (s *Stream) index() index { return index{s.space, &s.h.nodes} }

// SetLastID, SetAdded and SetMaxDeletedID are XSETID, whose conditions the caller
// has looked at (see LastEntry).
func (s *Stream) SetLastID(id ID) { s.h.state.Last = id }

// SetAdded says how many entries were ever added.
func (s *Stream) SetAdded(n uint64) { s.h.state.Added = n }

// SetMaxDeletedID says what the last deleted entry is.
func (s *Stream) SetMaxDeletedID(id ID) { s.h.state.MaxDeletedID = id }

// NextID is the ID that XADD * gives at a time; false if IDs have run out.
func (s *Stream) NextID(nowMs uint64) (ID, bool) {
	if nowMs > s.h.state.Last.Ms {
		return ID{Ms: nowMs}, true
	}
	return s.h.state.Last.Next()
}

// NextSeq is the ID that XADD ms-* gives; false if there is none above the last.
func (s *Stream) NextSeq(ms uint64) (ID, bool) {
	last := s.h.state.Last
	if ms == last.Ms {
		id, _ := last.Next()
		return id, id.Ms == ms && id.Seq != 0
	}
	return ID{Ms: ms}, ms > last.Ms
}

// Limits say when a node is full. 0 is no limit.
type Limits struct {
	NodeBytes   int64 // stream-node-max-bytes
	NodeEntries int64 // stream-node-max-entries
}

// Append adds an entry of fields and values, which alternate. The ID must be above
// the last one: ErrID. ErrLarge is the other error.
func (s *Stream) Append(id ID, l Limits, args [][]byte) error {
	st := &s.h.state
	if !st.Last.Less(id) {
		return ErrID
	}
	sum := 0
	for _, a := range args {
		sum += len(a)
	}
	if err := s.place(id, l, args, sum); err != nil {
		return err
	}
	st.Length++
	st.Added++
	st.Last = id
	if st.Length == 1 {
		st.First = id
	}
	return nil
}

// place adds the entry to the last node or to a new one.
func (s *Stream) place(id ID, l Limits, args [][]byte, sum int) error {
	x := s.index()
	most := sum + elementMax*(len(args)+fixedElements)
	if tail := x.last(); tail.ok() {
		v := tail.pair()
		b := s.node(arena.Ref(v.value))
		if m := readMaster(b); !full(b, &m, l, sum) && listpack.Fits(b, most) {
			s.tell(v.key)
			w := s.edit(v)
			w.join(&m, id, args)
			return nil
		}
	}
	if most > listpack.SizeMax {
		return ErrLarge
	}
	s.tell(id)
	if !x.insert(id, 0) {
		return ErrID
	}
	s.begin(x.find(id).pair(), id, args, sum+2*(len(args)+fixedElements))
	return nil
}

// tell tells whoever wants to know that a node changes.
func (s *Stream) tell(node ID) {
	if s.Before != nil {
		s.Before(node)
	}
}

// full tells whether a node takes no more, at the very places where Redis begins
// another.
func full(b []byte, m *master, l Limits, sum int) bool {
	most := l.NodeBytes
	if most <= 0 || most > listpack.SizeMax {
		most = listpack.SizeMax
	}
	if int64(len(b)+sum) >= most {
		return true
	}
	return l.NodeEntries > 0 && m.live+m.deleted >= l.NodeEntries
}

// begin writes a new node with one entry.
func (s *Stream) begin(at *pair, id ID, args [][]byte, guess int) {
	w := s.newNode(at, guess)
	w.addInts(1, 0, int64(len(args)/2))
	for i := 0; i < len(args); i += 2 {
		w.addString(args[i])
	}
	w.addInt(0)
	w.entry(id, args, true)
}

// join writes an entry behind the others of a node.
func (w *writer) join(m *master, id ID, args [][]byte) {
	same := int64(len(args)) == m.fields*2
	p := m.names
	for i := 0; same && i < len(args); i += 2 {
		var v listpack.Value
		v, p = listpack.Read(w.b, p)
		same = v.Equal(args[i])
	}
	w.setInt(listpack.First(w.b), m.live+1)
	w.entry(id, args, same)
}

// entry writes flags, the difference of the IDs, fields, values and the number of
// elements that this takes.
func (w *writer) entry(id ID, args [][]byte, same bool) {
	const fixed = 3 // flags and two differences
	n := fixed + len(args)/2
	flags := int64(flagSameFields)
	if !same {
		flags, n = 0, fixed+1+len(args)
	}
	w.addInts(flags, int64(id.Ms-w.at.key.Ms), int64(id.Seq-w.at.key.Seq))
	if !same {
		w.addInt(int64(len(args) / 2))
	}
	for i, a := range args {
		if !same || i&1 == 1 {
			w.addString(a)
		}
	}
	w.addInt(int64(n))
	w.done()
}
