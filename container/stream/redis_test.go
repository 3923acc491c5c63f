package stream

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc64"
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo/internal/testutil"
)

// typeStream2 is how Redis 7.0 writes a stream; 7.2 adds the consumers' active time.
const (
	typeStream2 = 19
	typeStream3 = 21
)

func oracle(t *testing.T, config ...string) *testutil.Peer {
	t.Helper()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	return testutil.StartRedis(t, append(config, "--rdbcompression", "no")...).Conn(t, 2)
}

// body is what a snapshot has of the stream, with its groups if times agree.
func body(s *Stream, kind byte) []byte {
	out := appendLen([]byte{kind}, uint64(s.Nodes()))
	for id, b, ok := s.NodeFrom(ID{}); ok; id, b, ok = s.NodeFrom(id) {
		out = appendText(appendText(out, id.AppendKey(nil)), b)
		if id, ok = id.Next(); !ok {
			break
		}
	}
	st := s.State()
	for _, n := range []uint64{st.Length, st.Last.Ms, st.Last.Seq, st.First.Ms, st.First.Seq, st.MaxDeletedID.Ms, st.MaxDeletedID.Seq, st.Added, uint64(s.Groups())} {
		out = appendLen(out, n)
	}
	for i := range s.Groups() {
		g := s.GroupAt(i)
		out = appendText(out, g.Name())
		for _, n := range []uint64{g.LastID().Ms, g.LastID().Seq, uint64(g.EntriesRead()), uint64(g.Pending())} {
			out = appendLen(out, n)
		}
		for it := g.PendingFrom(ID{}); it.Next(); {
			out = appendMs(it.Pending.ID.AppendKey(out), it.Pending.DeliveredMs())
			out = appendLen(out, it.Pending.Deliveries())
		}
		out = appendLen(out, uint64(g.Consumers()))
		for i := range g.Consumers() {
			c := g.ConsumerAt(i)
			out = appendMs(appendText(out, c.Name()), c.SeenMs())
			if kind == typeStream3 {
				out = appendMs(out, c.ActiveMs())
			}
			out = appendLen(out, uint64(c.Pending()))
			for it := g.PendingOf(&c, ID{}); it.Next(); {
				out = it.Pending.ID.AppendKey(out)
			}
		}
	}
	return out
}

func appendMs(dst []byte, ms int64) []byte {
	for range 8 {
		dst = append(dst, byte(ms))
		ms >>= 8
	}
	return dst
}

func dump(t *testing.T, c *testutil.Peer) []byte {
	t.Helper()
	b := []byte(c.MustOK("DUMP", "s").Str)
	if len(b) < footerSize {
		t.Fatalf("%x is no payload", b)
	}
	return b[:len(b)-footerSize]
}

// The frame of payloads, as package rdb has it, which stands above this one.

const footerSize = 2 + 8

// payload puts the footer of version 10 behind a body.
func payload(body []byte) string {
	const polynomial = 0x95AC9329AC4BC9B5
	b := append(bytes.Clone(body), 10, 0)
	sum := ^crc64.Update(^uint64(0), crc64.MakeTable(polynomial), b)
	return string(binary.LittleEndian.AppendUint64(b, sum))
}

func appendLen(dst []byte, n uint64) []byte {
	switch {
	case n < 1<<6:
		return append(dst, byte(n))
	case n < 1<<14:
		return append(dst, 0x40|byte(n>>8), byte(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, 0x80), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0x81), n)
}

func appendText(dst, s []byte) []byte { return append(appendLen(dst, uint64(len(s))), s...) }

// TestDumpAgainstRedis lets a genuine server do the same and compares DUMP, byte for
// byte, with limits that make many nodes.
func TestDumpAgainstRedis(t *testing.T) {
	c := oracle(t)
	seeds(t, func(t *testing.T, r *rand.Rand) {
		for range 5 {
			c.MustOK("DEL", "s")
			w := wire{t: t, c: c, r: r, s: New(newHeap(t)), ms: 1 << 40}
			w.l.NodeBytes = []int64{0, 4096, 100, 300, 1000}[r.IntN(5)]
			w.l.NodeEntries = []int64{0, 100, 3, 10, 200}[r.IntN(5)]
			c.MustOK("CONFIG", "SET", "stream-node-max-bytes", fmt.Sprint(w.l.NodeBytes), "stream-node-max-entries", fmt.Sprint(w.l.NodeEntries))
			for i := range 400 {
				w.play()
				if i%40 == 0 {
					w.same()
				}
			}
			w.same()
			w.s.Free()
		}
	})
}

// wire does the same to a genuine server and to a stream.
type wire struct {
	t  *testing.T
	c  *testutil.Peer
	r  *rand.Rand
	s  Stream
	l  Limits
	ms uint64
}

func (w *wire) id() ID {
	return ID{w.ms - w.r.Uint64N(60), w.r.Uint64N(3)}
}

func (w *wire) add() {
	w.ms += w.r.Uint64N(4) * w.r.Uint64N(3)
	id, _ := w.s.NextID(w.ms)
	a := fields(w.r)
	for range w.r.IntN(2) * w.r.IntN(60) {
		a = append(a, "more", word(w.r))
	}
	if err := w.s.Append(id, w.l, bytesOf(a...)); err != nil {
		w.t.Fatal(err)
	}
	w.c.MustOK(append([]string{"XADD", "s", id.String()}, a...)...)
}

func (w *wire) number(want int64, args ...string) {
	w.t.Helper()
	if got := w.c.MustOK(args...).Int(); got != want {
		w.t.Fatalf("%q: redis %d, here %d", args, got, want)
	}
}

func (w *wire) trim() {
	t := Trim{ByID: w.r.IntN(2) == 0, Approx: w.r.IntN(2) == 0, MinID: w.id(), MaxLen: w.r.Uint64N(w.s.Len() + 3)}
	args := []string{"XTRIM", "s"}
	if t.ByID {
		args = append(args, "MINID")
	} else {
		args = append(args, "MAXLEN")
	}
	if t.Approx {
		args = append(args, "~")
	}
	if t.ByID {
		args = append(args, t.MinID.String())
	} else {
		args = append(args, fmt.Sprint(t.MaxLen))
	}
	if t.Approx {
		t.Limit = w.r.Int64N(50)
		args = append(args, "LIMIT", fmt.Sprint(t.Limit))
	}
	n, rest := w.s.Trim(t)
	w.number(freed(w.t, n, rest), args...)
}

func (w *wire) play() {
	switch n := w.r.IntN(40); {
	case n < 25 || w.s.Len() == 0:
		w.add()
	case n < 38:
		id := w.id()
		if first, ok := w.s.FirstEntry(); ok && w.r.IntN(3) == 0 {
			id = first
		}
		deleted := int64(0)
		if w.s.Delete(id) {
			deleted = 1
		}
		w.number(deleted, "XDEL", "s", id.String())
	case n < 39 && w.r.IntN(3) == 0:
		w.trim()
	case w.r.IntN(4) == 0:
		w.ms += 5
		id := ID{w.ms, w.r.Uint64N(3)}
		w.c.MustOK("XSETID", "s", id.String())
		w.s.SetLastID(id)
	}
}

func (w *wire) same() {
	w.t.Helper()
	check(w.t, &w.s)
	if w.c.MustOK("EXISTS", "s").Int() == 0 {
		return
	}
	if got, want := body(&w.s, typeStream2), dump(w.t, w.c); !bytes.Equal(got, want) && want[0] == typeStream2 {
		w.t.Fatalf("DUMP here\n%.2000x\nredis\n%.2000x", got, want)
	}
	info := w.c.MustOK("XINFO", "STREAM", "s").Elems
	for i := 0; i < len(info); i += 2 {
		switch info[i].Str {
		case "radix-tree-nodes":
			if got := w.s.RadixNodes(); int64(got) != info[i+1].Int() {
				w.t.Fatalf("%d radix nodes, redis has %d", got, info[i+1].Int())
			}
		}
	}
	back := w.c.MustOK("XREVRANGE", "s", "+", "-", "COUNT", "10").Elems
	it := w.s.Range(ID{}, MaxID, true)
	for i := range back {
		if !it.Next() || it.ID.String() != back[i].Elems[0].Str {
			w.t.Fatalf("backwards: %v, redis has %v", it.ID, back[i])
		}
	}
}

// TestGroupsAgainstRedis compares what groups have read and what is pending, after
// the same reads, claims and acknowledgements. (Not the consumers that were given
// nothing: Redis 7.0 has them later than 7.2.)
func TestGroupsAgainstRedis(t *testing.T) {
	c := oracle(t)
	seeds(t, func(t *testing.T, r *rand.Rand) {
		for range 3 {
			c.MustOK("DEL", "s")
			w := wire{t: t, c: c, r: r, s: New(newHeap(t)), ms: 1 << 40, l: Limits{4096, 100}}
			w.add()
			for i := range 300 {
				if w.r.IntN(3) > 0 {
					w.playGroup()
				} else {
					w.play()
				}
				if i%20 == 0 {
					w.sameGroups()
				}
			}
			w.sameGroups()
			w.s.Free()
		}
	})
}

func (w *wire) playGroup() {
	name := groupNames[w.r.IntN(len(groupNames))]
	g, ok := w.s.Group([]byte(name))
	if !ok {
		id := []ID{{}, w.s.LastID(), w.id()}[w.r.IntN(3)]
		w.c.MustOK("XGROUP", "CREATE", "s", name, id.String())
		w.s.CreateGroup([]byte(name), id, NoEntriesRead)
		return
	}
	who := "c" + strconv.Itoa(w.r.IntN(4))
	switch n := w.r.IntN(20); {
	case n < 8:
		w.read(&g, who)
	case n < 12 && g.Pending() > 0:
		id, _ := g.PendingRange()
		w.number(1, "XACK", "s", name, id.String())
		g.Ack(id)
	case n < 14:
		w.claim(&g, who)
	case n < 16:
		w.autoClaim(&g, who)
	case n < 17:
		id := w.id()
		w.c.MustOK("XGROUP", "SETID", "s", name, id.String())
		g.SetID(id, NoEntriesRead)
	case n < 18:
		c, _ := g.CreateConsumer([]byte(who), 0)
		w.c.MustOK("XGROUP", "CREATECONSUMER", "s", name, who)
		n, _ := g.DeleteConsumer(c) // they have too little for a rest
		w.number(int64(n), "XGROUP", "DELCONSUMER", "s", name, who)
	}
}

func (w *wire) read(g *Group, who string) {
	c, _ := g.CreateConsumer([]byte(who), 0)
	n := 1 + w.r.IntN(20)
	want := w.c.MustOK("XREADGROUP", "GROUP", string(g.Name()), who, "COUNT", fmt.Sprint(n), "STREAMS", "s", ">")
	from, _ := g.LastID().Next()
	it := w.s.Range(from, MaxID, false)
	got := 0
	for ; got < n && it.Next(); got++ {
		w.s.Advance(g, it.ID)
		g.Deliver(&c, it.ID, 0)
	}
	if !want.Null && len(want.Elems[0].Elems[1].Elems) != got || want.Null && got != 0 {
		w.t.Fatalf("%d entries read, redis: %v", got, want)
	}
}

func (w *wire) claim(g *Group, who string) {
	c, _ := g.CreateConsumer([]byte(who), 0)
	id := w.id()
	if it := g.PendingFrom(id); it.Next() {
		id = it.Pending.ID
	}
	w.c.MustOK("XCLAIM", "s", string(g.Name()), who, "0", id.String(), "FORCE")
	if !w.s.Exists(id) {
		g.Ack(id)
		return
	}
	n, _ := g.Claim(&c, id)
	n.SetDeliveries(n.Deliveries() + 1)
}

func (w *wire) autoClaim(g *Group, who string) {
	c, _ := g.CreateConsumer([]byte(who), 0)
	o := AutoClaim{From: w.id(), Count: 1 + w.r.IntN(10), JustID: w.r.IntN(2) == 0}
	args := []string{"XAUTOCLAIM", "s", string(g.Name()), who, "0", o.From.String(), "COUNT", fmt.Sprint(o.Count)}
	if o.JustID {
		args = append(args, "JUSTID")
	}
	want := w.c.MustOK(args...)
	claimed, deleted := 0, 0
	next := w.s.AutoClaim(g, &c, o, 0, func(_ *Pending, gone bool) {
		if gone {
			deleted++
		} else {
			claimed++
		}
	})
	if want.Elems[0].Str != next.String() || len(want.Elems[1].Elems) != claimed || len(want.Elems[2].Elems) != deleted {
		w.t.Fatalf("%+v: next %v, %d claimed, %d deleted; redis: %v", o, next, claimed, deleted, want)
	}
}

func (w *wire) sameGroups() {
	w.t.Helper()
	check(w.t, &w.s)
	for i := range w.s.Groups() {
		g := w.s.GroupAt(i)
		f := w.c.MustOK("XINFO", "GROUPS", "s").Elems[i].Elems
		lag, known := w.s.Lag(&g)
		if f[1].Str != string(g.Name()) || f[5].Int() != int64(g.Pending()) || f[7].Str != g.LastID().String() ||
			f[9].Null != (g.EntriesRead() == NoEntriesRead) || !f[9].Null && f[9].Int() != g.EntriesRead() ||
			f[11].Null == known || known && f[11].Int() != lag {
			w.t.Fatalf("group %q: last %v, read %d, lag %d %v of %+v; redis: %v", g.Name(), g.LastID(), g.EntriesRead(), lag, known, w.s.State(), f)
		}
		it := g.PendingFrom(ID{})
		for _, e := range w.c.MustOK("XPENDING", "s", string(g.Name()), "-", "+", "1000").Elems {
			if !it.Next() || it.Pending.ID.String() != e.Elems[0].Str || int64(it.Pending.Deliveries()) != e.Elems[3].Int() {
				w.t.Fatalf("pending %+v, redis: %v", it.Pending, e)
			}
			if c := it.Pending.Consumer(); string(c.Name()) != e.Elems[1].Str {
				w.t.Fatalf("%v is pending for %q, redis: %v", it.Pending.ID, c.Name(), e)
			}
		}
		if it.Next() {
			w.t.Fatalf("%v is pending, not in redis", it.Pending.ID)
		}
	}
}

// TestRestoreIntoRedis: a genuine server takes, after its deep check, a stream with
// groups that was made here, shows the same, and gives it back unchanged.
func TestRestoreIntoRedis(t *testing.T) {
	c := oracle(t, "--sanitize-dump-payload", "yes")
	c.MustOK("RESTORE", "s", "0", payload(body(emptyStream(t), typeStream2)), "REPLACE")
	seeds(t, func(t *testing.T, r *rand.Rand) {
		p := newPlayer(t, r)
		for range 600 {
			p.play()
		}
		for i := range p.s.Groups() { // the times of the oracle's clock are its own
			g := p.s.GroupAt(i)
			for i := range g.Consumers() {
				who := g.ConsumerAt(i)
				who.SetActiveMs(who.SeenMs())
			}
		}
		want := body(&p.s, typeStream2)
		c.MustOK("RESTORE", "s", "0", payload(want), "REPLACE")
		if got := dump(t, c); got[0] == typeStream2 && !bytes.Equal(got, want) {
			t.Fatalf("DUMP %.2000x\nwant %.2000x", got, want)
		}
		for i := range p.s.Groups() {
			p.groupAsRedis(c, p.s.GroupAt(i))
		}
		p.s.Free()
	})
}

func emptyStream(t *testing.T) *Stream {
	s := New(newHeap(t))
	t.Cleanup(s.Free)
	return &s
}

func (p *player) groupAsRedis(c *testutil.Peer, g Group) {
	groups := c.MustOK("XINFO", "GROUPS", "s").Elems
	for _, e := range groups {
		f := e.Elems
		if f[1].Str != string(g.Name()) {
			continue
		}
		lag, known := p.s.Lag(&g)
		if got := f[11]; known && got.Int() != lag || !known && !got.Null {
			p.t.Errorf("lag of %q: redis %v, here %d %v", g.Name(), got, lag, known)
		}
	}
	id, err := strconv.ParseUint(c.MustOK("XPENDING", "s", string(g.Name())).Elems[0].String(), 10, 64)
	if err == nil && id != uint64(g.Pending()) {
		p.t.Errorf("%d pending in %q, redis has %d", g.Pending(), g.Name(), id)
	}
}
