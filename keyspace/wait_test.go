package keyspace

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"dozo/env"
	"dozo/object"
)

// taker is an executor whose clients wait for strings: one takes the string away, or
// moves it to a key that is free.
type taker struct {
	t    *testing.T
	v    *View
	all  *market
	rand env.Rand
	mine []*takerWait
}

// market counts the strings of all executors.
type market struct {
	made, taken atomic.Int64
}

type takerWait struct {
	Wait
	id     int
	keys   [][]byte
	dest   []byte
	served string
}

func (*taker) FieldExpired(int, []byte, []byte) {}

func (*taker) FieldsExpired(int, []byte, bool) {}

func (x *taker) Removed(int, []byte, Reason) {}

func (x *taker) Serve(w *Wait, args []int) bool {
	tw := w.Owner.(*takerWait)
	if !slices.IsSorted(args) {
		x.t.Errorf("keys are offered in the order %v", args)
	}
	for _, i := range args {
		if x.take(tw, tw.keys[i]) {
			return true
		}
	}
	return false
}

// take consumes the string of a key; it and the destination are held.
func (x *taker) take(tw *takerWait, key []byte) bool {
	c := x.v.Peek(key)
	if !c.Ok() {
		return false
	}
	token := string(c.Bytes(nil))
	if tw.dest == nil {
		x.v.Delete(key)
		x.all.taken.Add(1)
	} else {
		if d := x.v.Peek(tw.dest); d.Ok() {
			return false // also when both are the same key
		}
		x.v.Delete(key)
		x.v.SetString(tw.dest, []byte(token), 0, true)
	}
	tw.served = token
	return true
}

func (x *taker) wait(tw *takerWait) {
	tw.Owner, tw.Type = tw, object.String
	args := make([]int, len(tw.keys))
	for i := range args {
		args[i] = i
	}
	x.v.Begin(&tw.Wait, tw.keys, args, tw.dest)
	x.mine = append(x.mine, tw)
}

// held runs fn with keys held as dispatch does it.
func (x *taker) held(fn func(), keys ...[]byte) {
	ks := x.v.ks
	if len(keys) == 1 {
		if i := ks.LockKey(x.v, ks.Hash(keys[0])); !ks.LeadsAway(i) {
			fn()
			x.v.ServeReady()
			ks.UnlockShard(x.v, i)
			return
		} else {
			ks.UnlockShard(x.v, i)
		}
	}
	var set LockSet
	for _, k := range keys {
		ks.Add(&set, ks.Hash(k))
	}
	ks.Lock(x.v, &set)
	fn()
	x.v.ServeReady()
	ks.Unlock(x.v, &set)
}

func (x *taker) push(key []byte, token string) {
	if c := x.v.Peek(key); !c.Ok() {
		x.v.SetString(key, []byte(token), 0, true)
		x.all.made.Add(1)
	}
}

func (x *taker) drop(key []byte) {
	if x.v.Delete(key) {
		x.all.taken.Add(1)
	}
}

// recheck does what owners do.
func (x *taker) recheck() {
	for x.v.HasRechecks() {
		for _, w := range x.v.Rechecks() {
			var set LockSet
			x.v.ks.AddWaited(&set, w)
			x.v.ks.Lock(x.v, &set)
			x.v.Recheck(w)
			x.v.ks.Unlock(x.v, &set)
		}
	}
}

// settle ends waits: those that were served, and one that was not if leave says so.
func (x *taker) settle(leave bool) {
	x.mine = slices.DeleteFunc(x.mine, func(tw *takerWait) bool {
		if tw.state.Load() != waitDone {
			if !leave || !tw.Abandon() {
				return false
			}
			leave = false
			if tw.served != "" {
				x.t.Error("a wait ended unserved although it was")
			}
		}
		x.v.End(&tw.Wait)
		return true
	})
}

func marketKey(i uint64) []byte { return fmt.Appendf(nil, "stall:%d", i%12) }

func (x *taker) step(i int) {
	key, other := marketKey(x.rand.Uint64()), marketKey(x.rand.Uint64())
	switch r := x.rand.Uint64() % 16; {
	case r < 6:
		x.held(func() { x.push(key, strconv.Itoa(i)) }, key)
	case r < 7:
		x.held(func() { x.push(key, "a"); x.push(other, "b"); x.drop(key) }, key, other)
	case r < 12:
		dest := marketKey(x.rand.Uint64())
		tw := &takerWait{id: i, keys: [][]byte{key, other, key}}
		if r < 9 {
			tw.dest = dest
		}
		x.held(func() {
			if !x.take(tw, key) && !x.take(tw, other) {
				x.wait(tw)
			}
		}, key, other, dest)
	case r < 13:
		x.held(func() { x.drop(key) }, key)
	default:
		x.settle(r == 13)
	}
	x.recheck()
}

// TestWaiting has clients of several executors wait for strings that the others
// make. Each string is taken once, and nobody waits for what is there.
func TestWaiting(t *testing.T) {
	for _, seed := range seeds() {
		t.Logf("-seed %d", seed)
		ks := newTestKeyspace(t, 2, 1, seed)
		market := &market{}
		var all []*taker
		var wg sync.WaitGroup
		for id := range 3 {
			x := &taker{t: t, all: market, rand: env.Seeded(seed + uint64(id))}
			x.v = ks.NewView(x)
			all = append(all, x)
			wg.Go(func() {
				for i := range steps(t, 20_000) {
					x.step(i)
				}
			})
		}
		wg.Wait()
		for _, x := range all {
			x.settle(false)
			checkWaits(x)
		}
		left := 0
		for i := range uint64(12) {
			all[0].held(func() {
				if c := all[0].v.Peek(marketKey(i)); c.Ok() {
					left++
				}
			}, marketKey(i))
		}
		if made := int(market.made.Load()); made != int(market.taken.Load())+left {
			t.Errorf("%d strings were made, %d taken, %d are left", made, market.taken.Load(), left)
		}
		for _, x := range all {
			for len(x.mine) > 0 {
				x.settle(true)
			}
		}
		for i := range ks.shards {
			if sh := &ks.shards[i]; len(sh.waiting) != 0 || sh.leads != nil {
				t.Errorf("shard %d: %d queues are left after the last client", i, len(sh.waiting))
			}
		}
	}
}

// checkWaits looks for clients that wait although they could be served. Whose
// destination was taken is not told that it is free.
func checkWaits(x *taker) {
	for _, tw := range x.mine {
		for _, key := range tw.keys {
			x.held(func() {
				if c := x.v.Peek(key); c.Ok() && tw.dest == nil {
					x.t.Errorf("wait %d: %q is there", tw.id, key)
				}
			}, key)
		}
	}
}

// TestWaitOrder: who waits for longest is served first, whichever of its keys
// comes, and a chain of moves runs to its end within the step.
func TestWaitOrder(t *testing.T) {
	ks := newTestKeyspace(t, 2, 1, 1)
	x := &taker{t: t, all: &market{}, rand: env.Seeded(1)}
	x.v = ks.NewView(x)
	begin := func(dest string, keys ...string) *takerWait {
		tw := &takerWait{id: len(x.mine)}
		for _, k := range keys {
			tw.keys = append(tw.keys, []byte(k))
		}
		hold := tw.keys
		if dest != "" {
			tw.dest = []byte(dest)
			hold = append(slices.Clone(hold), tw.dest)
		}
		x.held(func() { x.wait(tw) }, hold...)
		return tw
	}
	push := func(key, token string) { x.held(func() { x.push([]byte(key), token) }, []byte(key)) }
	first, second, third := begin("", "a", "b"), begin("", "b"), begin("", "a")
	push("b", "1")
	push("b", "2")
	push("a", "3")
	if first.served != "1" || second.served != "2" || third.served != "3" {
		t.Errorf("served %q, %q, %q", first.served, second.served, third.served)
	}
	last, middle, begins := begin("", "y"), begin("y", "x"), begin("x", "w")
	push("w", "4")
	if begins.served != "4" || middle.served != "4" || last.served != "4" {
		t.Errorf("the chain: %q, %q, %q", begins.served, middle.served, last.served)
	}
	gone := begin("", "z")
	if !gone.Abandon() {
		t.Error("a wait that nobody served cannot be ended")
	}
	push("z", "5") // before its links are taken out
	if next := begin("", "q"); gone.served != "" || next.served != "" {
		t.Error("a client that had left was served")
	}
	x.settle(true)
	if last.Abandon() {
		t.Error("a wait that was served can be ended as if it were not")
	}
}

// TestWaitForTheEnd: clients that want to hear of keys that go do, whatever takes
// them away.
func TestWaitForTheEnd(t *testing.T) {
	for name, end := range map[string]func(x *taker, key []byte){
		"deleted":     func(x *taker, key []byte) { x.held(func() { x.v.Delete(key) }, key) },
		"overwritten": func(x *taker, key []byte) { x.held(func() { x.v.SetString(key, nil, 0, true) }, key) },
		"expired":     func(x *taker, _ []byte) { x.v.Now = 5000; x.v.Expire(0, 1, 1000) },
		"found expired": func(x *taker, key []byte) {
			x.v.Now = 5000
			x.held(func() { x.v.Find(key) }, key)
		},
		"moved": func(x *taker, key []byte) {
			to := []byte("elsewhere")
			x.held(func() { x.v.Move(key, 0, to) }, key, to)
		},
		"flushed": func(x *taker, _ []byte) { alone(x.v, func() { x.v.Flush(0); x.v.ServeReady() }) },
		"swapped": func(x *taker, _ []byte) { alone(x.v, func() { x.v.Swap(0, 1); x.v.ServeReady() }) },
	} {
		ks := newTestKeyspace(t, 2, 2, 1)
		x := &endTaker{}
		x.t, x.all, x.rand = t, &market{}, env.Seeded(1)
		x.v = ks.NewView(x)
		x.v.Now = 1000
		key := []byte("key")
		tw := &takerWait{keys: [][]byte{key}}
		tw.Gone = true
		x.held(func() {
			x.v.SetString(key, []byte("v"), 4000, true)
			tw.Owner, tw.Type = tw, object.Stream
			x.v.Begin(&tw.Wait, tw.keys, []int{0}, nil)
		}, key)
		end(&x.taker, key)
		if x.recheck(); x.told != 1 {
			t.Errorf("%s: told %d times", name, x.told)
		}
		x.v.End(&tw.Wait)
	}
}

// endTaker counts what it is told.
type endTaker struct {
	taker
	told int
}

func (x *endTaker) Serve(*Wait, []int) bool { x.told++; return true }

func alone(v *View, fn func()) {
	v.ks.BeginExclusive(v)
	fn()
	v.ks.EndExclusive(v)
}

// TestPoked: who finds a wait claimed leaves word, and the claimer who has nothing
// for it has it looked at again.
func TestPoked(t *testing.T) {
	ks := newTestKeyspace(t, 2, 1, 1)
	x := &taker{t: t, all: &market{}, rand: env.Seeded(1)}
	x.v = ks.NewView(x)
	key := []byte("key")
	tw := &takerWait{keys: [][]byte{key}}
	x.held(func() { x.wait(tw) }, key)
	if !tw.claim() {
		t.Fatal("nobody has it, and it cannot be claimed")
	}
	x.held(func() { x.push(key, "1") }, key)
	if tw.served != "" || x.v.HasRechecks() {
		t.Error("a claimed wait was served")
	}
	x.v.unclaim(&tw.Wait)
	if x.recheck(); tw.served != "1" {
		t.Error("a string came while the wait was claimed, and was missed")
	}
	x.settle(false)
}

// TestSignal: a key that was there before is offered when it is signalled.
func TestSignal(t *testing.T) {
	ks := newTestKeyspace(t, 1, 1, 1)
	x := &taker{t: t, all: &market{}, rand: env.Seeded(1)}
	x.v = ks.NewView(x)
	key := []byte("key")
	tw := &takerWait{keys: [][]byte{key}}
	x.held(func() { x.push(key, "1") }, key)
	x.held(func() { x.wait(tw) }, key)
	if alone(x.v, func() { // as INFO does
		if keys, gone := x.v.WaitedKeys(); keys != 1 || gone != 0 {
			t.Errorf("%d keys are waited for, the end of %d", keys, gone)
		}
	}); tw.served != "" {
		t.Error("served by nothing")
	}
	x.held(func() { x.v.Signal(key) }, key)
	if x.settle(false); tw.served != "1" {
		t.Error("a signalled key was not offered")
	}
}

// TestRivals: when there is nothing for one, those who want the same are not asked,
// and others are.
func TestRivals(t *testing.T) {
	ks := newTestKeyspace(t, 1, 1, 1)
	x := &refuser{}
	x.t, x.all = t, &market{}
	x.v = ks.NewView(x)
	key := []byte("key")
	x.held(func() {
		for _, rivals := range []string{"a", "a", "b", "a", "b", "", ""} {
			tw := &takerWait{keys: [][]byte{key}}
			tw.Rivals = rivals
			x.wait(tw)
		}
		x.push(key, "1")
	}, key)
	if x.asked != "ab" {
		t.Errorf("asked in vain: %q", x.asked)
	}
	x.settle(false)
}

// refuser has nothing for those with rivals.
type refuser struct {
	taker
	asked string
}

func (x *refuser) Serve(w *Wait, _ []int) bool { x.asked += w.Rivals; return w.Rivals == "" }
