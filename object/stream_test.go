package object

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo/container/stream"
)

// streamText is everything that a stream and its groups say of themselves.
func streamText(s *stream.Stream) string {
	out := fmt.Sprint(s.State())
	for it := s.Range(stream.ID{}, stream.MaxID, false); it.Next(); {
		out += " " + it.ID.String()
		for it.Fields > 0 {
			f, v := it.Field()
			out += fmt.Sprintf(" %s=%s", f.Append(nil), v.Append(nil))
		}
	}
	for i := range s.Groups() {
		g := s.GroupAt(i)
		out += fmt.Sprint("\n", string(g.Name()), g.LastID(), g.EntriesRead())
		for it := g.PendingFrom(stream.ID{}); it.Next(); {
			who := it.Pending.Consumer()
			out += fmt.Sprint(" ", it.Pending.ID, string(who.Name()), it.Pending.DeliveredMs(), it.Pending.Deliveries())
		}
		for i := range g.Consumers() {
			who := g.ConsumerAt(i)
			out += fmt.Sprint(" ", string(who.Name()), who.SeenMs(), who.ActiveMs(), who.Pending())
		}
	}
	return out
}

// fill makes a stream with groups.
func fill(t *testing.T, s *stream.Stream, r *rand.Rand, n int) {
	l := StreamLimits{NodeEntries: int64(1 + r.IntN(20))}
	for i := range n {
		id := stream.ID{Ms: uint64(i / 2), Seq: uint64(i + 1)}
		if err := s.Append(id, l, [][]byte{[]byte("f"), strconv.AppendInt(nil, int64(i), 10)}); err != nil {
			t.Fatal(err)
		}
		g, _ := s.CreateGroup(fmt.Append(nil, "group", r.IntN(3)), stream.ID{}, 0)
		who, _ := g.CreateConsumer(fmt.Append(nil, "consumer", r.IntN(5)), int64(i))
		if r.IntN(3) > 0 {
			s.Advance(&g, id)
			g.Deliver(&who, id, int64(i))
		}
		if r.IntN(9) == 0 {
			s.Delete(id)
		}
	}
}

// TestStream: memory is counted right, copies are equal, moved streams are the same,
// and freeing goes in steps.
func TestStream(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for _, n := range []int{0, 5, 2000} {
			s := newShelf(t)
			s.d.Begin(s.place(), s.place().NewStream())
			at := StreamValue{&s.d.Cell}.Open()
			fill(t, &at, r, n)
			s.checkUse()
			want := streamText(&at)
			for range 200 {
				s.shake(r)
				StreamValue{&s.d.Cell}.Edit()
			}
			s.checkUse()
			p := s.place()
			at = StreamValue{&s.d.Cell}.Open()
			if got := streamText(&at); got != want || at.Check() != nil {
				t.Fatalf("after defragmentation %s\nwant %s", got, want)
			}

			var copied Draft
			copied.Begin(p, Copy(&s.d.Cell, s.heap, p.Key, 0))
			if also := (StreamValue{&copied.Cell}).Open(); streamText(&also) != want || also.Check() != nil {
				t.Fatalf("the copy is %s\nwant %s", streamText(&also), want)
			}
			if a, b := digestOf(&s.d.Cell), digestOf(&copied.Cell); a != b {
				t.Fatalf("digests %x, %x", a, b)
			}
			var moved Draft
			moved.Begin(p, Move(&copied.Cell, s.heap, p.Key, 0))
			copied.Discard()
			if also := (StreamValue{&moved.Cell}).Open(); streamText(&also) != want {
				t.Fatalf("what was moved is %s\nwant %s", streamText(&also), want)
			}
			for g := moved.Discard(); g.Len() > 0; {
				g.FreeSome(s.heap, 1+r.IntN(50))
			}
			s.checkUse()
			destroyGroups(s, r)
			s.checkUse()
		}
	})
}

// destroyGroups takes all groups out of the draft.
func destroyGroups(s *shelf, r *rand.Rand) {
	v := StreamValue{&s.d.Cell}
	at := v.Open()
	for at.Groups() > 0 {
		g := StreamGrave(at.DestroyGroup(at.GroupAt(r.IntN(at.Groups()))))
		for g.Settle(s.d.Entry); g.Len() > 0; {
			g.FreeSome(s.heap, 1+r.IntN(300))
		}
	}
}

func digestOf(c *Cell) (d Digest) {
	c.Digest(&d, 0)
	return d
}

// streamDigest is what DEBUG DIGEST-VALUE of redis-server 7.0 says.
const streamDigest = "15f907dd956eb014eae34152853a6fc6c6343901"

// TestStreamDigest compares with what redis-server 7.0 says of the same stream.
func TestStreamDigest(t *testing.T) {
	s := newShelf(t)
	s.d.Begin(s.place(), s.place().NewStream())
	at := StreamValue{&s.d.Cell}.Open()
	for i := range 3 {
		if err := at.Append(stream.ID{Ms: uint64(i), Seq: 7}, StreamLimits{}, [][]byte{[]byte("field"), []byte("12")}); err != nil {
			t.Fatal(err)
		}
	}
	d := digestOf(&s.d.Cell)
	if got := hex.EncodeToString(d[:]); got != streamDigest {
		t.Errorf("digest %s, want %s", got, streamDigest)
	}
}
