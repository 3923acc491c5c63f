package stream

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"dozo/arena"
	"dozo/container/listpack"
	"dozo/internal/invariants"
)

var redisLimits = Limits{NodeBytes: 4096, NodeEntries: 100}

func TestID(t *testing.T) {
	top := uint64(math.MaxUint64)
	for _, c := range []struct {
		id, next ID
		ok       bool
	}{
		{ID{}, ID{0, 1}, true}, {ID{5, top}, ID{6, 0}, true}, {ID{top, top - 1}, MaxID, true}, {MaxID, ID{}, false},
	} {
		if next, ok := c.id.Next(); next != c.next || ok != c.ok {
			t.Errorf("behind %v: %v %v", c.id, next, ok)
		}
		if prev, ok := c.next.Prev(); prev != c.id || ok != c.ok {
			t.Errorf("before %v: %v %v", c.next, prev, ok)
		}
	}
	id := ID{1526919030474, 55}
	if id.String() != "1526919030474-55" || KeyID(id.AppendKey(nil)) != id || len(id.AppendKey(nil)) != IDSize {
		t.Error(id)
	}
	if id.Compare(id) != 0 || id.Compare(MaxID) != -1 || MaxID.Compare(id) != 1 || !(ID{2, 1}).Less(ID{2, 2}) {
		t.Error("order")
	}
}

func TestNewIDs(t *testing.T) {
	s := New(newHeap(t))
	defer s.Free()
	top := uint64(math.MaxUint64)
	for _, c := range []struct {
		last ID
		now  uint64
		auto ID
		seq  ID
		ok   [2]bool
	}{
		{ID{}, 0, ID{0, 1}, ID{0, 1}, [2]bool{true, true}},
		{ID{5, 3}, 9, ID{9, 0}, ID{9, 0}, [2]bool{true, true}},
		{ID{5, 3}, 5, ID{5, 4}, ID{5, 4}, [2]bool{true, true}},
		{ID{5, 3}, 4, ID{5, 4}, ID{4, 0}, [2]bool{true, false}},
		{ID{5, top}, 5, ID{6, 0}, ID{6, 0}, [2]bool{true, false}},
		{MaxID, 5, ID{}, ID{5, 0}, [2]bool{false, false}},
		{MaxID, top, ID{}, ID{}, [2]bool{false, false}},
	} {
		s.SetLastID(c.last)
		if id, ok := s.NextID(c.now); id != c.auto || ok != c.ok[0] {
			t.Errorf("* at %d behind %v: %v %v", c.now, c.last, id, ok)
		}
		if id, ok := s.NextSeq(c.now); id != c.seq || ok != c.ok[1] {
			t.Errorf("%d-* behind %v: %v %v", c.now, c.last, id, ok)
		}
	}
}

func TestAppendErrors(t *testing.T) {
	s := New(newHeap(t))
	defer s.Free()
	if err := s.Append(ID{}, redisLimits, bytesOf("a", "b")); err != ErrID {
		t.Error(err)
	}
	big := make([]byte, 64<<20)
	args := bytesOf("f")
	for range 17 {
		args = append(args, big)
	}
	if err := s.Append(ID{1, 1}, Limits{}, args); err != ErrLarge {
		t.Error(err)
	}
	if err := s.Append(ID{1, 1}, redisLimits, bytesOf("a", "b")); err != nil {
		t.Error(err)
	}
	if err := s.Append(ID{1, 1}, redisLimits, bytesOf("a", "b")); err != ErrID {
		t.Error(err)
	}
	check(t, &s)
	if s.Len() != 1 || s.LastID() != (ID{1, 1}) {
		t.Error(s.State())
	}
}

// TestTrimLeavesNode: as in Redis, a node stays though all its entries are deleted,
// if the last one was deleted before and its ID is not below the limit.
func TestTrimLeavesNode(t *testing.T) {
	s := New(newHeap(t))
	defer s.Free()
	for i := range uint64(3) {
		if err := s.Append(ID{i + 1, 0}, redisLimits, bytesOf("a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	s.Delete(ID{3, 0})
	if n, _ := s.Trim(Trim{ByID: true, MinID: ID{3, 0}}); n != 2 || s.Nodes() != 1 || s.Len() != 0 || !s.State().First.IsZero() {
		t.Errorf("%d trimmed, %d nodes, %+v", n, s.Nodes(), s.State())
	}
	check(t, &s)
	if err := s.Append(ID{4, 0}, redisLimits, bytesOf("a", "b")); err != nil || s.Nodes() != 1 || s.State().First != (ID{4, 0}) {
		t.Errorf("%v, %d nodes, %+v", err, s.Nodes(), s.State())
	}
	check(t, &s)
}

// TestLoadRefuses: what does not fit together is refused.
func TestLoadRefuses(t *testing.T) {
	s := New(newHeap(t))
	defer s.Free()
	if err := s.Append(ID{1, 1}, redisLimits, bytesOf("a", "b")); err != nil {
		t.Fatal(err)
	}
	_, b, _ := s.NodeFrom(ID{})
	b = bytes.Clone(b)
	if err := s.AddNode(ID{1, 1}, b); err != ErrNode {
		t.Error("a key twice:", err)
	}
	if err := s.AddNode(ID{2, 1}, b[:len(b)-1]); err != ErrNode {
		t.Error("cut off:", err)
	}
	if err := s.AddNode(ID{2, 1}, b); err != nil {
		t.Error(err)
	}
	if err := s.Load(State{Length: 3}); err != ErrState {
		t.Error(err)
	}
	if err := s.Load(State{Length: 2, Added: 2, First: ID{1, 1}, Last: ID{2, 1}}); err != nil {
		t.Error(err)
	}
	check(t, &s)
}

func TestValidNode(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want bool
	}{
		{pack(1, 0, 1, "f", 0, 2, 0, 0, "v", 4), true},
		{pack(1, 0, 0, 0, 2, 0, 0, 3), true},
		{pack(1, 1, 1, "f", 0, 3, 0, 0, "v", 4, 0, 5, 5, 2, "a", "1", "b", "2", 8), true},
		{pack(0, 0, 1, "f", 0), true},
		{pack(2, 0, 1, "f", 0, 2, 0, 0, "v", 4), false},             // an entry too few
		{pack(0, 1, 1, "f", 0, 2, 0, 0, "v", 4), false},             // not marked
		{pack(1, 0, 1, "f", 0, 2, 0, 0, "v", 5), false},             // wrong number of elements
		{pack(1, 0, 1, "f", 1, 2, 0, 0, "v", 4), false},             // no zero
		{pack(1, 0, 2, "f", 0, 2, 0, 0, "v", 4), false},             // a field too few
		{pack(1, 0, 1, "f", 0, 0, 0, 0, -1, 2), false},              // fields below zero
		{pack(1, 0, 1, "f", 0, 0, 0, 0, math.MaxInt64, "v"), false}, // endless fields
		{pack(1, 0, math.MaxInt64, "f", 0), false},
		{pack(-1, 1, 1, "f", 0), false},
		{pack(1, 0, 1, "f", 0, "x", 0, 0, "v", 4), false}, // flags are no number
		{pack(1, 0, 1, "f", 0, 2, 0, 0), false},
		{pack(1), false},
		{pack(), false},
		{nil, false},
	} {
		if got := ValidNode(c.b); got != c.want {
			t.Errorf("%x: %v", c.b, got)
		}
	}
}

func pack(elements ...any) []byte {
	b := listpack.AppendEmpty(nil)
	for _, v := range elements {
		var e listpack.Element
		switch v := v.(type) {
		case int:
			e = listpack.Int(int64(v))
		case string:
			e = listpack.String([]byte(v))
		}
		b = listpack.Append(b, &e)
	}
	return b
}

// elements makes a listpack of bytes that need not be one, so that fuzzing gets past
// its frame.
func elements(in []byte) []byte {
	var out []any
	for _, c := range in {
		if c < 200 {
			out = append(out, int(int8(c)))
		} else {
			out = append(out, strconv.Itoa(int(c))+"x"[:c&1])
		}
	}
	return pack(out...)
}

// FuzzNode: whatever ValidNode accepts can be read, changed and freed.
func FuzzNode(f *testing.F) {
	f.Add([]byte{1, 0, 1, 201, 0, 2, 0, 0, 203, 4}, uint64(1))
	f.Add([]byte{2, 1, 1, 201, 0, 3, 0, 0, 203, 4, 0, 5, 5, 2, 205, 1, 204, 2, 8, 2, 1, 255, 7, 4}, uint64(2))
	f.Add(pack(1, 0, 1, "f", 0, 2, 0, 0, "v", 4), uint64(1))
	f.Add(pack(2, 1, 1, "f", 0, 3, 0, 0, "v", 4, 0, 5, 5, 2, "a", "1", "b", "2", 8, 2, 1, -1, 7, 4), uint64(7))
	f.Add(pack(1, 1, 0, 0, 2, -3, 0, 3, 3, 0, 0, 3), uint64(0))
	a, err := arena.New(arena.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte, n uint64) {
		h := a.NewHeap()
		s := New(h)
		live := uint64(0)
		for i, b := range [][]byte{b, elements(b)} {
			if s.AddNode(ID{n, n + uint64(i)}, b) == nil {
				m := readMaster(b)
				live += uint64(m.live)
			}
		}
		if err := s.Load(State{Length: live}); err != nil {
			t.Fatal(err)
		}
		tamper(t, &s, n)
		s.Free()
		if h.Used() != 0 {
			t.Fatalf("%d bytes left", h.Used())
		}
		h.Close()
	})
}

func tamper(t *testing.T, s *Stream, n uint64) {
	var ids []ID
	for _, reverse := range []bool{false, true} {
		for it := s.Range(ID{}, MaxID, reverse); it.Next(); {
			ids = append(ids, it.ID)
			args(&it)
		}
	}
	if n%2 == 0 {
		_, rest := s.Trim(Trim{MaxLen: s.Len() / 2})
		freed(t, 0, rest)
	} else {
		_, rest := s.Trim(Trim{ByID: true, MinID: ID{n, n}})
		freed(t, 0, rest)
	}
	for i, id := range ids {
		if i%3 == 0 {
			s.Delete(id)
		}
	}
	c := s.Copy(s.heap, false)
	_ = c.Append(MaxID, redisLimits, bytesOf("f", "v"))
	for id, b, ok := c.NodeFrom(ID{}); ok; id, b, ok = c.NodeFrom(id) {
		if !ValidNode(b) {
			t.Fatalf("node %v is no longer valid: %x", id, b)
		}
		if id, ok = id.Next(); !ok {
			break
		}
	}
	c.Free()
}

// TestNoGoMemory: adding, reading and delivering take no Go memory.
func TestNoGoMemory(t *testing.T) {
	if invariants.Enabled {
		t.Skip("checks take memory")
	}
	s := New(newHeap(t))
	defer s.Free()
	g, _ := s.CreateGroup([]byte("g"), ID{}, 0)
	c, _ := g.CreateConsumer([]byte("c"), 0)
	a := bytesOf("field", strings.Repeat("v", 30), "n", "12345")
	sum := 0
	if n := testing.AllocsPerRun(5000, func() {
		id, _ := s.NextID(5)
		if err := s.Append(id, redisLimits, a); err != nil {
			t.Fatal(err)
		}
		from, _ := g.LastID().Next()
		for it := s.Range(from, MaxID, false); it.Next(); {
			for it.Fields > 0 {
				f, v := it.Field()
				sum += f.Len() + v.Len()
			}
			s.Advance(&g, it.ID)
			g.Deliver(&c, it.ID, 7)
		}
		for it := g.PendingFrom(id); it.Next(); {
			sum += int(it.Pending.Deliveries())
		}
		if first, _ := g.PendingRange(); g.Pending() > 1000 && !g.Ack(first) {
			t.Fatal("not acknowledged")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	check(t, &s)
}
