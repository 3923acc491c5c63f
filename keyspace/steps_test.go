package keyspace

import (
	"flag"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"dozo/arena"
	"dozo/container/stream"
	"dozo/object"
)

// Between commands executors free and move what would take too long at once, a step
// at a time, and a step holds one shard. How long a client may have to wait for that is
// measured here in processor time of the thread: clocks on the wall show what else
// the machine does, too, up to 30 ms at a time. Time is only reported; what fails a
// test is a step that handles more than its bound, which is a count.

var giantFlag = flag.Int("giant", 20_000, "elements of the values whose freeing and moving is measured in steps")

// tableSegment is more than the entries of a segment of a table, which is freed as a
// whole.
const tableSegment = 448

// giant is a kind of value with many elements.
type giant struct {
	name string
	make func(p object.Place) arena.Ref
	// add puts in element i, which is called word.
	add func(v *View, c *object.Cell, i int, word []byte)
	// thin takes away an element that add has put in.
	thin func(c *object.Cell, i int, word []byte)
}

var giants = []giant{
	{"list", func(p object.Place) arena.Ref { return p.NewQuicklist(&object.ListLimits{Fill: 32}) },
		func(_ *View, c *object.Cell, _ int, word []byte) {
			object.ListValue{Cell: c}.Push(word, object.Tail, &object.ListLimits{Fill: 32})
		}, nil},
	{"list of long elements", func(p object.Place) arena.Ref { return p.NewQuicklist(&object.ListLimits{Fill: 1}) },
		func(_ *View, c *object.Cell, i int, word []byte) {
			if i%4 != 0 {
				word = word[:len("element")]
			}
			object.ListValue{Cell: c}.Push(word, object.Tail, &object.ListLimits{Fill: 1})
		}, func(c *object.Cell, i int, word []byte) {
			if i == 1 {
				object.ListValue{Cell: c}.Remove(word[:len("element")], *giantFlag, object.Head)
			}
		}},
	{"set", func(p object.Place) arena.Ref { return p.NewSet(nil, 1, &object.SetLimits{}) },
		func(_ *View, c *object.Cell, i int, word []byte) {
			object.SetValue{Cell: c}.Add(word, &object.SetLimits{})
		}, func(c *object.Cell, i int, word []byte) { object.SetValue{Cell: c}.Remove(word) }},
	{"hash", object.Place.NewHash, addField,
		func(c *object.Cell, i int, word []byte) { object.HashValue{Cell: c}.Delete(word) }},
	{"hash with deadlines", object.Place.NewHash,
		func(v *View, c *object.Cell, i int, word []byte) {
			addField(v, c, i, word)
			object.HashValue{Cell: c}.SetFieldDeadline(word, v.Now+1_000_000+int64(i))
		}, func(c *object.Cell, i int, word []byte) { object.HashValue{Cell: c}.Delete(word) }},
	{"sorted set", object.Place.NewLargeZSet,
		func(_ *View, c *object.Cell, i int, word []byte) {
			object.ZSetValue{Cell: c}.Add(word, float64(i%1000), 0, &object.ZSetLimits{})
		}, func(c *object.Cell, i int, word []byte) { object.ZSetValue{Cell: c}.Remove(word) }},
	{"stream", object.Place.NewStream,
		func(_ *View, c *object.Cell, i int, word []byte) {
			s := object.StreamValue{Cell: c}.Open()
			_ = s.Append(stream.ID{Ms: uint64(i + 1)}, object.StreamLimits{NodeEntries: 1}, [][]byte{word, word}) // IDs rise
		}, func(c *object.Cell, i int, _ []byte) {
			s := object.StreamValue{Cell: c}.Open()
			s.Delete(stream.ID{Ms: uint64(i + 1)})
		}},
}

func addField(_ *View, c *object.Cell, _ int, word []byte) {
	object.HashValue{Cell: c}.Set(word, word, &object.HashLimits{})
}

func giantWord(room []byte, i int) []byte {
	return strconv.AppendInt(append(room[:0], "element:"...), int64(i), 10)
}

// fill makes the key hold n elements.
func (g *giant) fill(v *View, key []byte, n int) {
	v.holding(key, func() {
		c := v.Add(key, g.make(v.Place(key)))
		word := make([]byte, 0, 32)
		for i := range n {
			word = giantWord(word, i)
			g.add(v, &c, i, word)
		}
	})
}

// stepTimes are the processor times of steps in nanoseconds.
type stepTimes []int64

// take runs a step and notes its time.
func (s *stepTimes) take(step func()) {
	from := threadClock()
	step()
	*s = append(*s, threadClock()-from)
}

func (s stepTimes) String() string {
	slices.Sort(s)
	us := func(n int) float64 { return float64(s[n]) / 1e3 }
	n := len(s)
	return fmt.Sprintf("%d steps of %.1f us in the median, %.1f at p99, %.1f at p99.9, %.1f at most", n, us(n/2), us(n*99/100), us(n*999/1000), us(n-1))
}

// unfreed is what is left of the values in the graveyards, counted as steps count it.
func unfreed(ks *Keyspace) (n int) {
	for i := range ks.shards {
		if left := ks.shards[i].left; left != nil {
			for k := range left.values {
				n += left.values[k].Len()
			}
		}
	}
	return n
}

// TestFreeingSteps: whatever a value was, each step frees a share of it and no more,
// and the removal itself nothing to speak of.
func TestFreeingSteps(t *testing.T) {
	for _, g := range giants {
		t.Run(g.name, g.free)
	}
}

func (g *giant) free(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ks, v := giantKeyspace(t)
	g.fill(v, giantKey, *giantFlag)
	var removal, steps stepTimes
	v.holding(giantKey, func() { removal.take(func() { v.Delete(giantKey) }) })
	most := 0
	for left := unfreed(ks); left > 0; {
		steps.take(func() { v.FreeGraves(0, 1, graveShare) })
		now := unfreed(ks)
		left, most = now, max(most, left-now)
	}
	if len(steps) == 0 {
		t.Fatal("nothing was left to be freed in steps")
	}
	t.Logf("%d elements removed in %.1f us; freed by %v, which freed up to %d", *giantFlag, float64(removal[0])/1e3, steps, most)
	if most > graveShare+tableSegment {
		t.Errorf("a step has freed %d, its bound is %d", most, graveShare+tableSegment)
	}
}

// TestDefragSteps: each step of a pass looks at a share of a value's blocks and no more.
func TestDefragSteps(t *testing.T) {
	for _, g := range giants {
		if g.thin != nil {
			t.Run(g.name, g.defrag)
		}
	}
}

func (g *giant) defrag(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_, v := giantKeyspace(t)
	g.thinOut(v, *giantFlag)
	var steps stepTimes
	looked := func() int64 { return v.Stats.DefragHits + v.Stats.DefragMisses }
	most := int64(0)
	v.BeginDefrag()
	for more := true; more; {
		before := looked()
		steps.take(func() { more, _ = v.Defrag(0, 1, 1000) })
		most = max(most, looked()-before)
	}
	t.Logf("%d elements of %d left: %d blocks moved and %d not by %v, which looked at up to %d", *giantFlag/4, *giantFlag, v.Stats.DefragHits, v.Stats.DefragMisses, steps, most)
	if v.Stats.DefragHits == 0 {
		t.Error("three of four elements have gone, and nothing was moved")
	}
	if most > 4*defragShare { // an element may be several blocks
		t.Errorf("a step has looked at %d blocks, for %d elements", most, defragShare)
	}
}

var giantKey = []byte("giant")

func giantKeyspace(t *testing.T) (*Keyspace, *View) {
	ks := newTestKeyspace(t, 1, 1, 1)
	v := ks.NewView(nil)
	v.Now = 1000
	return ks, v
}

// thinOut makes a value and takes three of four elements away.
func (g *giant) thinOut(v *View, n int) {
	g.fill(v, giantKey, n)
	v.holding(giantKey, func() {
		c := v.Edit(giantKey)
		word := make([]byte, 0, 32)
		for i := range n {
			if i%4 != 0 {
				word = giantWord(word, i)
				g.thin(&c, i, word)
			}
		}
	})
	for v.FreeGraves(0, 1, 1000) {
	}
}
