package quicklist_test

import (
	"bytes"
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"dozo/arena"
	"dozo/container/listpack"
	"dozo/container/quicklist"
	"dozo/internal/testutil"
	"dozo/rdb"
)

// What a DUMP of a list begins with, and says of each node.
const (
	typeQuicklist2 = 18
	plain          = 1
)

// history does the same to a list here and to one of a genuine server.
type history struct {
	t *testing.T
	r *rand.Rand
	c *testutil.Peer
	l quicklist.List
	// plainFrom is the size of large elements, 0 if there are none; wide the size of
	// any.
	plainFrom, wide int
}

func (h *history) word() []byte {
	switch h.r.IntN(8) {
	case 0:
		return strconv.AppendInt(nil, h.r.Int64()>>h.r.IntN(64), 10)
	case 1:
		return bytes.Repeat([]byte{'x'}, h.r.IntN(h.wide))
	case 2:
		return strconv.AppendInt(nil, int64(h.r.IntN(5)), 10)
	}
	return bytes.Repeat([]byte{'a' + byte(h.r.IntN(4))}, h.r.IntN(h.wide/8+1)+1)
}

func (h *history) do(want string, args ...string) {
	h.t.Helper()
	if v := h.c.MustOK(args...); want != "" && v.Str != want {
		h.t.Fatalf("%.200q: %.200q, here %.200q", args, v.Str, want)
	}
}

func (h *history) push() {
	tail := h.r.IntN(2) == 0
	args := []string{"LPUSH", "l"}
	if tail {
		args[0] = "RPUSH"
	}
	for n := h.r.IntN(30); n >= 0; n-- {
		s := h.word()
		args = append(args, string(s))
		if tail {
			h.l.PushTail(s)
		} else {
			h.l.PushHead(s)
		}
	}
	h.do("", args...)
}

func (h *history) pop() {
	var got string
	use := func(v listpack.Value) { got = string(v.Append(nil)) }
	switch h.r.IntN(5) {
	case 0:
		h.l.PopHead(use)
		h.do(got, "LPOP", "l")
	case 1:
		h.l.PopTail(use)
		h.do(got, "RPOP", "l")
	case 2:
		n := h.r.IntN(20) + 1
		h.l.DropHead(n)
		h.do("", "LPOP", "l", strconv.Itoa(n))
	case 3:
		n := h.r.IntN(20) + 1
		h.l.DropTail(n)
		h.do("", "RPOP", "l", strconv.Itoa(n))
	case 4:
		h.l.PopTail(use)
		h.l.PushHead([]byte(got))
		h.do(got, "LMOVE", "l", "l", "RIGHT", "LEFT")
	}
}

func (h *history) set() {
	i, s := h.r.IntN(h.l.Len()), h.word()
	if h.r.IntN(2) == 0 {
		i -= h.l.Len()
	}
	if h.plainFrom > 0 {
		// A genuine 7.0 splits a node for a large element in another way than 7.2.
		s = s[:min(len(s), h.plainFrom-1)]
	}
	c := h.l.Seek(i)
	c.Set(s)
	h.do("", "LSET", "l", strconv.Itoa(i), string(s))
}

func (h *history) insert() {
	v, _ := h.l.Get(h.r.IntN(h.l.Len()))
	pivot, s := v.Append(nil), h.word()
	c := h.l.Seek(0)
	c.Find(pivot)
	if h.r.IntN(2) == 0 {
		c.InsertBefore(s)
		h.do("", "LINSERT", "l", "BEFORE", string(pivot), string(s))
		return
	}
	c.InsertAfter(s)
	h.do("", "LINSERT", "l", "AFTER", string(pivot), string(s))
}

func (h *history) remove() {
	v, _ := h.l.Get(h.r.IntN(h.l.Len()))
	s, n := v.Append(nil), h.r.IntN(12)+1
	if h.r.IntN(2) == 0 {
		h.do("", "LREM", "l", strconv.Itoa(n), string(s))
		c := h.l.Seek(0)
		for c.Find(s); c.Ok() && n > 0; c.Find(s) {
			c.Delete()
			n--
		}
		return
	}
	h.do("", "LREM", "l", strconv.Itoa(-n), string(s))
	for c := h.l.Seek(-1); c.Ok() && n > 0; {
		if c.Value().Equal(s) {
			c.DeleteBack()
			n--
		} else {
			c.Prev()
		}
	}
}

func (h *history) trim() {
	n := h.l.Len()
	start, stop := h.r.IntN(n/6+1), n-1-h.r.IntN(n/6+1)
	h.do("", "LTRIM", "l", strconv.Itoa(start), strconv.Itoa(stop))
	h.l.Trim(start, stop)
}

func (h *history) step() {
	if h.l.Len() == 0 || h.r.IntN(5) == 0 {
		h.push()
	}
	switch h.r.IntN(12) {
	case 0, 1:
		h.pop()
	case 2, 3:
		h.set()
	case 4, 5, 6, 7, 8:
		h.insert()
	case 9:
		h.remove()
	case 10:
		if h.r.IntN(4) == 0 {
			h.trim()
		}
	}
}

// compare wants the same bytes in the same nodes.
func (h *history) compare() {
	h.t.Helper()
	if err := h.l.Check(); err != nil {
		h.t.Fatal(err)
	}
	if h.l.Len() == 0 {
		if v := h.c.MustOK("EXISTS", "l"); v.Int() != 0 {
			h.t.Fatal("the list is empty here only")
		}
		return
	}
	body, _, err := rdb.CheckDump([]byte(h.c.MustOK("DUMP", "l").Str), false)
	if err != nil {
		h.t.Fatal(err)
	}
	d := rdb.NewDecoder(body)
	kind, _ := d.Byte()
	nodes, err := d.Len()
	if err != nil || kind != typeQuicklist2 {
		h.t.Fatalf("RDB type %d: %v", kind, err)
	}
	theirs := make([]string, nodes)
	for i := range theirs {
		kind, _ := d.Len()
		b, err := d.String(nil)
		if err != nil {
			h.t.Fatal(err)
		}
		theirs[i] = container(kind == plain, b)
	}
	var ours []string
	h.l.EachNode(func(n quicklist.Node) bool {
		ours = append(ours, container(n.Plain, n.Bytes))
		return true
	})
	if !slices.Equal(theirs, ours) {
		h.t.Fatalf("nodes of the genuine server, and here:\n%s\n%s", sizes(theirs, ours), sizes(ours, theirs))
	}
}

// container names a node with its bytes.
func container(isPlain bool, b []byte) string {
	if isPlain {
		return "plain " + string(b)
	}
	return "packed " + string(b)
}

// sizes says how many bytes each node has, from the first that differs on.
func sizes(nodes, others []string) string {
	i := 0
	for i < min(len(nodes), len(others)) && nodes[i] == others[i] {
		i++
	}
	b := []byte("node " + strconv.Itoa(i) + ":")
	for _, n := range nodes[i:min(len(nodes), i+8)] {
		b = append(strconv.AppendInt(append(append(b, ' '), n[:6]...), int64(len(n)-len("packed ")), 10), ',')
	}
	return string(b)
}

var historySeed = flag.Uint64("history-seed", 1, "seed of the histories that are compared with a genuine server")

func TestNodesAreThoseOfRedis(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	t.Logf("-history-seed=%d", *historySeed)
	c := testutil.StartRedis(t, "--rdbcompression", "no", "--enable-debug-command", "yes").Conn(t, 2)
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(*historySeed, 1))
	steps := 1000
	if testing.Short() {
		steps = 250
	}
	for _, fill := range []int{-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 7, 32, 128, 1000} {
		for _, plainFrom := range []int{0, 90} {
			wide := []int{30, 300, 3000}[r.IntN(3)]
			root := quicklist.New(fill)
			h := &history{t: t, r: r, c: c, l: quicklist.Attach(a.NewHeap(), &root), plainFrom: plainFrom, wide: wide}
			h.l.SetPlainFrom(plainFrom)
			h.l.MergeAsRedis70()
			c.MustOK("CONFIG", "SET", "list-max-listpack-size", strconv.Itoa(fill))
			c.MustOK("DEBUG", "QUICKLIST-PACKED-THRESHOLD", strconv.Itoa(plainFrom)+"B")
			for i := range steps {
				h.step()
				if i%10 == 0 {
					h.compare()
				}
			}
			h.compare()
			c.MustOK("DEL", "l")
			h.l.Free()
		}
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
