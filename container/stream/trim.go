package stream

import "dozo/arena"

// Delete takes an entry away: it is marked, and its node goes with its last entry.
// False if there is none with the ID.
func (s *Stream) Delete(id ID) bool {
	it := s.Range(id, id, false)
	if !it.Next() {
		return false
	}
	v := it.node.pair()
	if it.master.live == 1 {
		s.removeNode(v.key)
	} else {
		s.tell(v.key)
		w := s.edit(v)
		w.setInt(it.e.flagAt, it.e.flags|flagDeleted)
		w.count(it.master.live-1, it.master.deleted+1)
		w.done()
	}
	st := &s.h.state
	st.Length--
	if st.MaxDeletedID.Less(id) {
		st.MaxDeletedID = id
	}
	if st.Length == 0 || id == st.First {
		st.First, _ = s.FirstEntry()
	}
	return true
}

func (s *Stream) removeNode(id ID) {
	s.tell(id)
	x := s.index()
	if r, ok := x.remove(id); ok {
		s.freeNode(arena.Ref(r))
	}
}

// Trim says what to take away from the beginning of a stream.
type Trim struct {
	ByID    bool   // MINID: entries before MinID; otherwise MAXLEN: all but MaxLen
	MinID   ID     //
	MaxLen  uint64 //
	Approx  bool   // ~: whole nodes only
	Limit   int64  // LIMIT: no more entries than that; 0 = as many as there are
	deleted int64
}

// Trim takes entries away and tells how many. It stops where Redis does, so that
// the log of commands means the same there. When nothing stays of many nodes there is a
// rest, unless each of them is to be told of.
func (s *Stream) Trim(t Trim) (deleted int64, rest Stream) {
	if n := int64(s.Len()); s.Nodes() > restMin && s.Before == nil && t.wholeStream(&s.h.state) {
		return n, s.takeNodes()
	}
	return s.trim(t), rest
}

// wholeStream tells whether all entries go. (An ID above the last one is not enough:
// where XSETID has lowered that, there may be a deleted one behind.)
func (t *Trim) wholeStream(st *State) bool {
	if t.Limit != 0 && st.Length > uint64(t.Limit) {
		return false
	}
	if t.ByID {
		return st.Last.Less(t.MinID) && st.MaxDeletedID.Less(t.MinID)
	}
	return t.MaxLen == 0
}

// trim is Trim node by node.
func (s *Stream) trim(t Trim) int64 {
	for {
		x := s.index()
		head := x.ceil(ID{})
		if !head.ok() || !t.ByID && s.h.state.Length <= t.MaxLen {
			break
		}
		v := head.pair()
		b := s.node(arena.Ref(v.value))
		m := readMaster(b)
		if t.Limit != 0 && t.deleted+m.live > t.Limit {
			break
		}
		if !t.wholeNode(s.h.state.Length, v.key, b, &m) {
			if !t.Approx {
				s.trimNode(&t, v, &m)
			}
			break
		}
		s.removeNode(v.key)
		s.h.state.Length -= uint64(m.live)
		t.deleted += m.live
	}
	if st := &s.h.state; st.Length == 0 || t.deleted > 0 {
		st.First, _ = s.FirstEntry()
	}
	return t.deleted
}

// wholeNode tells whether all entries of the first node go.
func (t *Trim) wholeNode(length uint64, id ID, b []byte, m *master) bool {
	if !t.ByID {
		return length-uint64(m.live) >= t.MaxLen
	}
	last := lastInNode(b, id, m)
	return last.Less(t.MinID)
}

// trimNode marks entries of the first node.
func (s *Stream) trimNode(t *Trim, v *pair, m *master) {
	s.tell(v.key)
	w := s.edit(v)
	marked := int64(0)
	for p := m.first(w.b); p != 0; {
		e := readRecord(w.b, p, v.key, m)
		if t.ByID && !e.id.Less(t.MinID) || !t.ByID && s.h.state.Length <= t.MaxLen {
			break
		}
		p = behind(w.b, e.data, e.elements())
		if e.deleted() {
			continue
		}
		n := len(w.b)
		w.setInt(e.flagAt, e.flags|flagDeleted)
		if p != 0 {
			p += len(w.b) - n // foreign flags may be wider than needed
		}
		s.h.state.Length--
		marked++
	}
	w.count(m.live-marked, m.deleted+marked)
	w.done()
	t.deleted += marked
}
