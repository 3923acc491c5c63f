package stream

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// player does the same to a stream and to its twin.
type player struct {
	t   *testing.T
	r   *rand.Rand
	s   Stream
	w   *twin
	now int64
	l   Limits
}

func newPlayer(t *testing.T, r *rand.Rand) *player {
	p := &player{t: t, r: r, now: 1000, s: New(newHeap(t)), w: &twin{groups: map[string]*twinGroup{}}}
	p.l.NodeEntries = []int64{0, 1, 2, 3, 5, 10, 100, 200}[r.IntN(8)]
	return p
}

// word makes an argument of one of the kinds that are stored differently.
func word(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0:
		return strconv.FormatInt(r.Int64()>>r.IntN(64), 10)
	case 1:
		return strconv.FormatInt(-r.Int64()>>r.IntN(64), 10)
	case 2:
		return strings.Repeat("ab", r.IntN(100))
	case 3:
		if r.IntN(30) == 0 {
			return strings.Repeat("long ", 800+r.IntN(5000))
		}
	}
	return "w" + strconv.Itoa(r.IntN(50))
}

// fields are the arguments of XADD; most have the same names.
func fields(r *rand.Rand) (out []string) {
	names := []string{"a", "b", "12", "field"}[:1+r.IntN(4)]
	if r.IntN(6) == 0 {
		names = []string{word(r), word(r)}
	}
	for _, name := range names {
		out = append(out, name, word(r))
	}
	return out
}

// id is one that is there, or one near the others.
func (p *player) id() ID {
	if all := p.w.all(); len(all) > 0 && p.r.IntN(3) > 0 {
		return all[p.r.IntN(len(all))].id
	}
	switch p.r.IntN(20) {
	case 0:
		return ID{}
	case 1:
		return MaxID
	}
	return ID{p.r.Uint64N(uint64(p.now) + 5), p.r.Uint64N(4)}
}

func (p *player) add() {
	id, ok := p.s.NextID(uint64(p.now))
	switch p.r.IntN(6) {
	case 0:
		id, ok = p.s.NextSeq(uint64(p.now) - p.r.Uint64N(3))
	case 1:
		id, ok = ID{uint64(p.now), p.r.Uint64N(5)}, true
	}
	a := fields(p.r)
	err := p.s.Append(id, p.l, bytesOf(a...))
	want := ok && p.w.state.Last.Less(id)
	if !ok && err == nil || ok && (err == nil) != want {
		p.t.Fatalf("Append %v behind %v: %v", id, p.w.state.Last, err)
	}
	if want {
		p.w.add(id, p.l.NodeEntries, a)
	}
}

func (p *player) look() {
	start, end, reverse := p.id(), p.id(), p.r.IntN(2) == 0
	want := p.w.between(start, end, reverse)
	stop := p.r.IntN(20)
	it := p.s.Range(start, end, reverse)
	for i, e := range want {
		if i == stop {
			return
		}
		if !it.Next() || it.ID != e.id || it.Fields != len(e.args)/2 {
			p.t.Fatalf("range %v %v %v: %v, want %v", start, end, reverse, it.ID, e.id)
		}
		if p.r.IntN(2) == 0 {
			if got := args(&it); !slices.Equal(got, e.args) {
				p.t.Fatalf("%v has %q, want %q", e.id, got, e.args)
			}
		} else if p.r.IntN(2) == 0 {
			it.Field()
		}
	}
	if it.Next() {
		p.t.Fatalf("range %v %v %v: one more, %v", start, end, reverse, it.ID)
	}
	if p.s.Exists(start) != (len(p.w.between(start, start, false)) > 0) {
		p.t.Fatalf("Exists %v", start)
	}
}

func (p *player) trim() {
	t := Trim{Approx: p.r.IntN(2) == 0, ByID: p.r.IntN(2) == 0, MinID: p.id()}
	t.MaxLen = p.r.Uint64N(p.w.state.Length + 10)
	if p.r.IntN(4) > 0 {
		t.MaxLen, t.MinID = p.w.state.Length-min(p.w.state.Length, p.r.Uint64N(12)), p.w.first()
		t.MinID.Ms += p.r.Uint64N(9)
	}
	if t.Approx && p.r.IntN(2) == 0 {
		t.Limit = p.r.Int64N(30)
	}
	n, rest := p.s.Trim(t)
	if got, want := freed(p.t, n, rest), p.w.trim(t); got != want {
		p.t.Fatalf("%+v took %d, want %d", t, got, want)
	}
}

func (p *player) setID() {
	last, _ := p.s.LastEntry()
	if want := p.w.between(ID{}, MaxID, true); len(want) > 0 && want[0].id != last {
		p.t.Fatalf("LastEntry %v", last)
	}
	id := ID{uint64(p.now), p.r.Uint64N(3)}
	if id.Less(last) || id.Less(p.w.state.Last) {
		return
	}
	p.s.SetLastID(id)
	p.w.state.Last = id
	if p.r.IntN(2) == 0 {
		n := p.w.state.Length + p.r.Uint64N(4)
		p.s.SetAdded(n)
		p.w.state.Added = n
	}
	if p.r.IntN(4) == 0 {
		p.s.SetMaxDeletedID(id)
		p.w.state.MaxDeletedID = id
	}
}

// play does one thing.
func (p *player) play() {
	p.now += p.r.Int64N(3)
	switch n := p.r.IntN(100); {
	case n < 40:
		p.add()
	case n < 50:
		p.look()
	case n < 58:
		id := p.id()
		if p.s.Delete(id) != p.w.delete(id) {
			p.t.Fatalf("Delete %v", id)
		}
	case n < 60:
		p.trim()
	case n < 61 && p.r.IntN(4) == 0:
		p.setID()
	default:
		p.playGroup()
	}
}

func TestTwin(t *testing.T) {
	seeds(t, func(t *testing.T, r *rand.Rand) {
		for range 6 {
			p := newPlayer(t, r)
			for i := range 1500 {
				p.play()
				if i%50 == 0 {
					same(t, &p.s, p.w)
				}
			}
			p.copies()
			p.s.Free()
		}
	})
}

// copies compares a copy, what was saved and loaded, and what was moved.
func (p *player) copies() {
	p.t.Helper()
	same(p.t, &p.s, p.w)
	h := p.s.Root()
	before := p.s.Bytes()
	p.s.heap.MarkSparse()
	for at, done := (Position{}), false; !done; {
		at, _, done = p.s.Defrag(at, 1+p.r.IntN(10))
	}
	p.s = Attach(p.s.heap, RootOf(h.Word()))
	same(p.t, &p.s, p.w)
	if n := p.s.Bytes(); n != before {
		p.t.Fatalf("%d bytes after moving, %d before", n, before)
	}
	want := p.w.text()
	for name, c := range map[string]Stream{"copy": p.s.Copy(p.s.heap, false), "reload": reload(p.t, &p.s)} {
		if err := c.Check(); err != nil {
			p.t.Fatal(name, err)
		}
		if got := textOf(&c); got != want {
			p.t.Fatalf("the %s holds\n%s\nwant\n%s", name, clip(got, want), clip(want, got))
		}
		for c.FreeSome(1 + p.r.IntN(50)) {
		}
	}
	same(p.t, &p.s, p.w)
}

// reload makes the stream anew of what a snapshot holds, nodes in any order.
func reload(t *testing.T, s *Stream) Stream {
	c := New(s.heap)
	for id, b, ok := s.NodeFrom(ID{}); ok; id, b, ok = s.NodeFrom(id) {
		if err := c.AddNode(id, b); err != nil {
			t.Fatal(err)
		}
		if id, ok = id.Next(); !ok {
			break
		}
	}
	if err := c.Load(s.State()); err != nil {
		t.Fatal(err)
	}
	for i := range s.Groups() {
		g := s.GroupAt(i)
		n, _ := c.CreateGroup(g.Name(), g.LastID(), g.EntriesRead())
		for it := g.PendingFrom(ID{}); it.Next(); {
			if !n.LoadPending(it.Pending.ID, it.Pending.DeliveredMs(), it.Pending.Deliveries()) {
				t.Fatal("twice")
			}
		}
		for i := range g.Consumers() {
			was := g.ConsumerAt(i)
			is, _ := n.CreateConsumer(was.Name(), was.SeenMs())
			is.SetActiveMs(was.ActiveMs())
			for it := g.PendingOf(&was, ID{}); it.Next(); {
				if n.Loaded() || !n.LoadOwner(&is, it.Pending.ID) || n.LoadOwner(&is, it.Pending.ID) {
					t.Fatal("an owner too many")
				}
			}
		}
		if !n.Loaded() {
			t.Fatal("not loaded")
		}
	}
	return c
}

var groupNames = []string{"", "g", "group", "group1", "group10", "h\x00", "\xff"}

// group is one that both have, made if there is none.
func (p *player) group() (Group, *twinGroup) {
	name := groupNames[p.r.IntN(len(groupNames))]
	g, created := p.s.CreateGroup([]byte(name), ID{}, 0)
	if created != (p.w.groups[name] == nil) {
		p.t.Fatalf("group %q created: %v", name, created)
	}
	if created {
		p.w.groups[name] = &twinGroup{pending: map[ID]*twinPending{}, consumers: map[string]*twinConsumer{}}
	}
	if g, ok := p.s.Group([]byte(name)); !ok || string(g.Name()) != name {
		p.t.Fatalf("group %q not found", name)
	}
	return g, p.w.groups[name]
}

func (p *player) consumer(g *Group, w *twinGroup) (Consumer, string) {
	name := "c" + strconv.Itoa(p.r.IntN(1+p.r.IntN(40)))
	if p.r.IntN(300) == 0 {
		name = "c" + strconv.Itoa(p.r.IntN(1e6))
	}
	c, created := g.CreateConsumer([]byte(name), p.now)
	if created != (w.consumers[name] == nil) {
		p.t.Fatalf("consumer %q created: %v", name, created)
	}
	if created {
		w.consumers[name] = &twinConsumer{p.now, NoActivity}
	}
	if again, ok := g.Consumer([]byte(name)); !ok || !again.Is(c) {
		p.t.Fatalf("consumer %q not found", name)
	}
	return c, name
}

func (p *player) playGroup() {
	g, w := p.group()
	c, name := p.consumer(&g, w)
	switch n := p.r.IntN(100); {
	case n < 40:
		p.read(&g, w, &c, name)
	case n < 60:
		p.ack(&g, w)
	case n < 70:
		p.claim(&g, w, &c, name)
	case n < 80:
		p.autoClaim(&g, w, &c, name)
	case n < 85:
		id, read := p.id(), p.r.Int64N(5)-1
		g.SetID(id, read)
		w.last, w.read = id, read
	case n < 90:
		p.walkPending(&g, w, &c, name)
	case n < 92:
		want := len(w.ids(name))
		got, rest := g.DeleteConsumer(c)
		if freed(p.t, 0, rest); got != want {
			p.t.Fatalf("%q had %d pending, want %d", name, got, want)
		}
		maps.DeleteFunc(w.pending, func(_ ID, n *twinPending) bool { return n.owner == name })
		delete(w.consumers, name)
	case n < 93:
		delete(p.w.groups, string(g.Name()))
		freed(p.t, 0, p.s.DestroyGroup(g))
	}
}

// read is XREADGROUP with the ID >.
func (p *player) read(g *Group, w *twinGroup, c *Consumer, name string) {
	from, ok := g.LastID().Next()
	if !ok {
		return
	}
	noAck := p.r.IntN(5) == 0
	n := p.r.IntN(10)
	c.SetSeenMs(p.now)
	w.consumers[name].seen = p.now
	for it := p.s.Range(from, MaxID, false); n > 0 && it.Next(); n-- {
		p.s.Advance(g, it.ID)
		p.w.advance(w, it.ID)
		if noAck {
			continue
		}
		g.Deliver(c, it.ID, p.now)
		w.pending[it.ID] = &twinPending{p.now, 1, name}
		w.consumers[name].active = p.now
	}
}

func (p *player) ack(g *Group, w *twinGroup) {
	ids := append(w.ids(""), p.id())
	for range 4 {
		id := ids[p.r.IntN(len(ids))]
		if p.r.IntN(2) == 0 {
			id = ids[0]
		}
		_, want := w.pending[id]
		if got := g.Ack(id); got != want {
			p.t.Fatalf("Ack %v: %v", id, got)
		}
		delete(w.pending, id)
	}
}

func (p *player) claim(g *Group, w *twinGroup, c *Consumer, name string) {
	id := p.id()
	n, created := g.Claim(c, id)
	was := w.pending[id]
	if created != (was == nil) || created && n.Deliveries() != 1 {
		p.t.Fatalf("Claim %v: created is %v", id, created)
	}
	n.SetDeliveredMs(p.now)
	n.SetDeliveries(n.Deliveries() + 1)
	if was == nil {
		was = &twinPending{count: 1}
	}
	w.pending[id] = &twinPending{p.now, was.count + 1, name}
	if g.SetLastID(id) {
		w.last = id
	}
}

func (p *player) autoClaim(g *Group, w *twinGroup, c *Consumer, name string) {
	o := AutoClaim{From: p.id(), MinIdleMs: p.r.Int64N(20), Count: 1 + p.r.IntN(5), JustID: p.r.IntN(2) == 0}
	var got, want []string
	next := p.s.AutoClaim(g, c, o, p.now, func(n *Pending, deleted bool) {
		got = append(got, fmt.Sprint(n.ID, deleted, n.Deliveries()))
	})
	ids := w.ids("")
	i, _ := slices.BinarySearchFunc(ids, o.From, ID.Compare)
	ids = ids[i:]
	attempts, count := o.Count*10, o.Count
	for ; attempts > 0 && count > 0 && len(ids) > 0; attempts-- {
		id, n := ids[0], w.pending[ids[0]]
		ids = ids[1:]
		if len(p.w.between(id, id, false)) == 0 {
			want = append(want, fmt.Sprint(id, true, n.count))
			delete(w.pending, id)
			count--
		} else if p.now-n.delivered >= o.MinIdleMs {
			if !o.JustID {
				n.count++
			}
			n.owner, n.delivered, w.consumers[name].active = name, p.now, p.now
			want = append(want, fmt.Sprint(id, false, n.count))
			count--
		}
	}
	if ids = append(ids, ID{}); next != ids[0] || !slices.Equal(got, want) {
		p.t.Fatalf("%+v: %v next %v, want %v next %v", o, got, next, want, ids[0])
	}
}

func (p *player) walkPending(g *Group, w *twinGroup, c *Consumer, name string) {
	start := p.id()
	for _, owner := range []string{"", name} {
		it := g.PendingFrom(start)
		if owner != "" {
			it = g.PendingOf(c, start)
		}
		ids := w.ids(owner)
		i, _ := slices.BinarySearchFunc(ids, start, ID.Compare)
		for _, id := range ids[i:] {
			if !it.Next() || it.Pending.ID != id || it.Pending.Deliveries() != w.pending[id].count {
				p.t.Fatalf("pending from %v: %v, want %v", start, it.Pending.ID, id)
			}
		}
		if it.Next() {
			p.t.Fatalf("pending from %v: one more", start)
		}
	}
	if ids := w.ids(""); len(ids) > 0 {
		if first, last := g.PendingRange(); first != ids[0] || last != ids[len(ids)-1] {
			p.t.Fatalf("pending from %v to %v", first, last)
		}
	}
}
