package quicklist

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dozo/arena"
	"dozo/container/listpack"
	"dozo/internal/invariants"
)

func TestNodeLimit(t *testing.T) {
	for _, c := range []struct{ fill, size, count int }{
		{-1, 4096, math.MaxInt}, {-2, 8192, math.MaxInt}, {-5, 65536, math.MaxInt}, {-9, 65536, math.MaxInt},
		{0, math.MaxInt, 1}, {1, math.MaxInt, 1}, {128, math.MaxInt, 128}, {1 << 20, math.MaxInt, FillMax},
	} {
		if size, count := NodeLimit(c.fill); size != c.size || count != c.count {
			t.Errorf("NodeLimit(%d) is %d, %d", c.fill, size, count)
		}
	}
	for _, c := range []struct {
		fill, size, count int
		exceeds           bool
	}{
		{-2, 8192, 5000, false}, {-2, 8193, 1, true}, {128, 8192, 128, false}, {128, 8193, 1, true}, {128, 10, 129, true}, {0, 10, 1, false}, {0, 10, 2, true},
	} {
		if Exceeds(c.fill, c.size, c.count) != c.exceeds {
			t.Errorf("Exceeds(%d, %d, %d) is %v", c.fill, c.size, c.count, !c.exceeds)
		}
	}
}

func TestItem(t *testing.T) {
	for _, n := range []int{1, 8, 128, 8192, 16 << 10, 16<<10 + 1, 1 << 20, 1<<30 + 5, 1<<32 - 1} {
		room := arena.UsableSize(n)
		it := item{a: plainBit, b: 7<<32 | uint64(n)}
		it.setBlock(1<<43-8, room)
		if it.ref() != 1<<43-8 || it.room() != room || !it.plain() || it.count() != 7 || it.size() != n {
			t.Errorf("%d bytes: ref %x, room %d, plain %v, count %d, size %d", n, it.ref(), it.room(), it.plain(), it.count(), it.size())
		}
	}
	w := topWord(0).withFill(-5).withTop(1<<43-8, 11)
	if w.ref() != 1<<43-8 || w.height() != 11 || w.fill() != -5 || w.withFill(FillMax).fill() != FillMax {
		t.Errorf("top %x, height %d, fill %d", w.ref(), w.height(), w.fill())
	}
}

func TestEmpty(t *testing.T) {
	l := newList(newHeap(t), FillDefault)
	same(t, &l, nil)
	l.Trim(0, 5)
	l.DropHead(1)
	l.DropTail(1)
	if _, ok := l.Head(); ok {
		t.Error("a head")
	}
	if _, ok := l.Tail(); ok {
		t.Error("a tail")
	}
	if _, ok := l.Get(0); ok {
		t.Error("an element")
	}
	if _, ok := l.NodeAt(0); ok {
		t.Error("a node")
	}
	if l.PopHead(nil) || l.PopTail(nil) || l.FreeSome(1) {
		t.Error("something to take out")
	}
	if next, moved := l.MoveSparse(0, 10); next != 0 || moved != 0 {
		t.Error("something to move")
	}
	l.EachNode(func(Node) bool { t.Error("a node"); return true })
	l.AppendListpack(listpack.AppendEmpty(nil))
	if l.Nodes() != 0 || l.Bytes() != 0 {
		t.Error("an empty listpack makes a node")
	}
	if l.root.Len() != 0 || l.root.Bytes() != 0 {
		t.Error("the Root is not empty")
	}
}

// numbers is a list of 0 .. n-1.
func numbers(h *arena.Heap, fill, n int) List {
	l := newList(h, fill)
	for i := range n {
		l.PushTail(strconv.AppendInt(nil, int64(i), 10))
	}
	return l
}

func TestGetAndNodeAt(t *testing.T) {
	for _, n := range []int{1, 3, 5, 100, 5000} {
		l := numbers(newHeap(t), 3, n)
		for i := range n {
			for _, at := range [2]int{i, i - n} {
				if v, ok := l.Get(at); !ok || v.Int != int64(i) {
					t.Fatalf("Get(%d) of %d is %v, %v", at, n, v, ok)
				}
			}
			node, ok := l.NodeAt(i)
			if !ok || node.First != i/3*3 || node.Count != min(3, n-node.First) || listpack.Get(node.Bytes, listpack.HeaderSize).Int != int64(node.First) {
				t.Fatalf("NodeAt(%d) of %d is %+v, %v", i, n, node, ok)
			}
		}
		for _, at := range []int{n, -n - 1, math.MaxInt, math.MinInt} {
			if _, ok := l.Get(at); ok {
				t.Fatalf("Get(%d) of %d", at, n)
			}
		}
		l.Free()
	}
}

func TestListpack(t *testing.T) {
	h := newHeap(t)
	build := func(n int) []byte {
		b := listpack.AppendEmpty(nil)
		for range n {
			e := listpack.String([]byte("0123456789"))
			b = listpack.Append(b, &e)
		}
		return b
	}
	for _, c := range []struct {
		n, fill   int
		shrinking bool
		ok        bool
	}{
		{10, -2, false, true}, {10, -2, true, true}, {500, -2, false, true}, {500, -2, true, false}, {700, -2, false, false},
		{128, 128, false, true}, {129, 128, false, false}, {64, 128, true, true}, {65, 128, true, false}, {1, 1, true, false}, {1, 1, false, true},
	} {
		l := newList(h, -2)
		want := build(c.n)
		l.AppendListpack(want)
		b, ok := l.Listpack(c.fill, c.shrinking)
		if ok != c.ok || ok && !bytes.Equal(b, want) {
			t.Errorf("%+v: %v", c, ok)
		}
		l.AppendPlain([]byte("large"))
		if _, ok := l.Listpack(-5, false); ok {
			t.Error("two nodes are a listpack")
		}
		l.DropHead(c.n)
		if _, ok := l.Listpack(-5, false); ok {
			t.Error("a plain node is a listpack")
		}
		l.Free()
	}
}

func TestRootKeepsFill(t *testing.T) {
	h := newHeap(t)
	l := numbers(h, 5, 12)
	root := *l.root
	other := Attach(h, &root)
	other.PushTail([]byte("x"))
	if other.Fill() != 5 || other.Nodes() != 3 || other.Len() != 13 {
		t.Errorf("fill %d, %d nodes", other.Fill(), other.Nodes())
	}
	other.Free()
}

// nodeSizes is how many elements each node has, negative for a plain one.
func nodeSizes(l *List) (n []int) {
	l.EachNode(func(node Node) bool {
		if node.Plain {
			node.Count = -node.Count
		}
		n = append(n, node.Count)
		return true
	})
	return n
}

func TestPushAtTheLimit(t *testing.T) {
	h := newHeap(t)
	for _, push := range []func(*List, []byte){(*List).PushHead, (*List).PushTail} {
		for _, c := range []struct{ n, nodes int }{{1077, 1}, {1078, 2}} {
			l := newList(h, -1)
			push(&l, make([]byte, 3000)) // takes 3011 bytes; the next is taken to need 8 more than its text
			push(&l, make([]byte, c.n))
			if l.Nodes() != c.nodes {
				t.Errorf("%d bytes more: %d nodes, want %d", c.n, l.Nodes(), c.nodes)
			}
			l.Free()
		}
	}
}

// TestSetLarge has what Redis 7.2 does and 7.0 does not: it merges around the node of
// a large element that takes the place of a small one.
func TestSetLarge(t *testing.T) {
	l := numbers(newHeap(t), 4, 12)
	l.SetPlainFrom(100)
	large := bytes.Repeat([]byte("L"), 100)
	for range 2 {
		c := l.Seek(2)
		c.Delete()
	}
	c := l.Seek(3)
	c.Set(large) // 0 1 | 4 L 6 7 | 8 9 10 11
	check(t, &l)
	if n := nodeSizes(&l); !slices.Equal(n, []int{3, -1, 2, 4}) {
		t.Errorf("nodes %v", n)
	}
	c = l.Seek(3)
	c.Set(large[1:])
	if n := nodeSizes(&l); !slices.Equal(n, []int{3, 3, 4}) {
		t.Errorf("nodes %v after a small one took its place", n)
	}
	l.Free()
}

// TestManyNodes has an index of several levels, which is edited in the middle and
// taken apart from both ends.
func TestManyNodes(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		n := 300_000
		if testing.Short() {
			n = 20_000
		}
		h := newHeap(t)
		l := numbers(h, 1, n)
		for range n {
			i := r.IntN(l.Len())
			c := l.Seek(i)
			c.InsertAfter([]byte("x"))
			if r.IntN(3) > 0 {
				c = l.Seek(r.IntN(l.Len()))
				for range 1 + r.IntN(3) {
					if c.Ok() {
						c.Delete()
					}
				}
			}
		}
		check(t, &l)
		at := l.Len() / 2
		for range n { // always at one place
			c := l.Seek(at)
			c.InsertBefore([]byte("y"))
		}
		check(t, &l)
		if b := l.Bytes() / int64(l.Nodes()); b > 70 {
			t.Errorf("%d bytes a node of 10", b)
		}
		for l.Len() > 10 {
			l.DropHead(1 + r.IntN(200))
			l.DropTail(1 + r.IntN(200))
			if r.IntN(100) == 0 {
				check(t, &l)
			}
		}
		check(t, &l)
		l.Free()
	})
}

// TestDrain wants end nodes to give back room as they empty.
func TestDrain(t *testing.T) {
	h := newHeap(t)
	for _, drop := range []func(*List){func(l *List) { l.DropHead(1) }, func(l *List) { l.DropTail(1) }} {
		l := numbers(h, -2, 3000)
		for l.Len() > 0 {
			node, _ := l.NodeAt(0)
			if l.Nodes() == 1 && l.Bytes() > max(int64(2*len(node.Bytes)), slimMin+8) {
				t.Fatalf("%d bytes for a listpack of %d", l.Bytes(), len(node.Bytes))
			}
			check(t, &l)
			drop(&l)
		}
	}
}

// TestMoveSparse moves what is left of a list among blocks that are gone.
func TestMoveSparse(t *testing.T) {
	h := newHeap(t)
	l, other := newList(h, 1), newList(h, 1)
	var want []string
	for i := range 20_000 {
		s := strings.Repeat("m", 100) + strconv.Itoa(i)
		if i%8 == 0 {
			l.PushTail([]byte(s))
			want = append(want, s)
		} else {
			other.PushTail([]byte(s))
		}
	}
	other.Free()
	before, moved, next := h.Arena().Stats().Mapped, 0, 0
	h.MarkSparse()
	for more := true; more; more = next > 0 {
		n := 0
		next, n = l.MoveSparse(next, 100)
		moved += n
	}
	h.Trim()
	if after := h.Arena().Stats().Mapped; after > before/2 {
		t.Errorf("%d blocks were moved, and the heap has %d bytes of %d", moved, after, before)
	}
	same(t, &l, want)
	l.Free()
}

func TestNoGarbage(t *testing.T) {
	if invariants.Enabled {
		t.Skip("the checks allocate")
	}
	l := numbers(newHeap(t), -2, 20_000)
	s, number := []byte("a word"), []byte("1234")
	n := testing.AllocsPerRun(2000, func() {
		l.PushHead(s)
		l.PushTail(number)
		c := l.Seek(l.Len() / 2)
		c.InsertBefore(s)
		c = l.Seek(l.Len() / 3)
		c.Set(number)
		c = l.Seek(l.Len() / 4)
		c.Delete()
		for c, n := l.Seek(5000), 0; n < 1000; n++ {
			c.Read()
		}
		l.PopHead(func(listpack.Value) {})
		l.PopTail(func(listpack.Value) {})
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	l.Free()
}

// FuzzList runs operations that are read from the input against a slice.
func FuzzList(f *testing.F) {
	f.Add([]byte("\x02\x00abcdefghijklmnopqrstuvwxyz"))
	f.Add([]byte("\x85\x10\x00\x10\x21\x32\x43\x54\x65\x76\x87\x98\xa9\xba"))
	f.Add(bytes.Repeat([]byte{0, 3, 200, 5, 77, 8, 90, 250}, 40))
	a, err := arena.New(arena.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if len(in) < 2 {
			return
		}
		h := a.NewHeap()
		defer h.Close()
		l := newList(h, int(int8(in[0])))
		l.SetPlainFrom(int(in[1]))
		var want []string
		for in = in[2:]; len(in) >= 2; in = in[2:] {
			want = fuzzStep(&l, want, in[0], int(in[1]))
		}
		same(t, &l, want)
		l.Free()
		if l.Bytes() != 0 {
			t.Fatalf("%d bytes after Free", l.Bytes())
		}
	})
}

func fuzzStep(l *List, want []string, op byte, arg int) []string {
	s := strings.Repeat(string(rune('0'+op>>4)), arg*8)
	i := 0
	if len(want) > 0 {
		i = arg * len(want) / 256
	} else {
		op %= 2
	}
	c := l.Seek(i)
	switch op % 8 {
	case 0:
		l.PushTail([]byte(s))
		return append(want, s)
	case 1:
		l.PushHead([]byte(s))
		return slices.Insert(want, 0, s)
	case 2:
		c.Set([]byte(s))
		want[i] = s
	case 3:
		c.InsertBefore([]byte(s))
		return slices.Insert(want, i, s)
	case 4:
		c.InsertAfter([]byte(s))
		return slices.Insert(want, i+1, s)
	case 5:
		c.Delete()
		return slices.Delete(want, i, i+1)
	case 6:
		c.DeleteBack()
		return slices.Delete(want, i, i+1)
	case 7:
		l.Trim(i/8, len(want)-1-i/8)
		return want[i/8 : max(len(want)-i/8, i/8)]
	}
	return want
}
