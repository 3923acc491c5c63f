package btree

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"dozo/arena"
	"dozo/container/entry"
	"dozo/container/hashtable"
)

var sizesToBench = []int{1e3, 1e4, 1e5, 1e6, 5e6}

func eachSize(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range sizesToBench {
		b.Run(fmt.Sprintf("%.0e", float64(n)), func(b *testing.B) {
			if n > 1e6 && testing.Short() {
				b.Skip("long")
			}
			run(b, n)
		})
	}
}

// field is a tree with its items at hand.
type field struct {
	*box
	t      Tree
	scores []float64
	refs   []arena.Ref
}

// newField makes n items with members of 16 bytes and random scores, and puts
// them into a tree in random order.
func newField(b testing.TB, n int) *field {
	f := &field{box: newBox(b), scores: make([]float64, n), refs: make([]arena.Ref, n)}
	f.h.SetPublishStep(1 << 16)
	f.t = New(f.h)
	var m [16]byte
	copy(m[:], "member:.")
	s := entry.Shape{Payload: 8}
	for i := range n {
		binary.BigEndian.PutUint64(m[8:], mix(uint64(i)))
		f.scores[i] = float64(mix(uint64(i))>>20) / 1024
		f.refs[i] = f.h.Alloc(arena.PurposeEntry, entry.SizeFor(len(m), s))
		entry.Init(f.a, f.refs[i], m[:], s)
		f.t.Insert(f.scores[i], f.refs[i])
	}
	b.Cleanup(func() { f.freeAll(&f.t) })
	return f
}

func (f *field) key(i int) []byte { return entry.At(f.a, f.refs[i]).Key() }

// cpu reports the processor time of an operation, which other processes on the
// machine do not change much.
func cpu(b *testing.B, run func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var u, v syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	if err := syscall.Getrusage(thread, &u); err != nil {
		b.Fatal(err)
	}
	run()
	if err := syscall.Getrusage(thread, &v); err != nil {
		b.Fatal(err)
	}
	ns := v.Utime.Nano() + v.Stime.Nano() - u.Utime.Nano() - u.Stime.Nano()
	b.ReportMetric(float64(ns)/float64(b.N), "cpu-ns/op")
}

// pick is a number below n that the processor cannot foresee.
func pick(i, n int) int {
	hi, _ := bits.Mul64(mix(uint64(i)), uint64(n))
	return int(hi)
}

func mix(r uint64) uint64 {
	r += 0x9e3779b97f4a7c15
	r = (r ^ r>>30) * 0xbf58476d1ce4e5b9
	r = (r ^ r>>27) * 0x94d049bb133111eb
	return r ^ r>>31
}

// each benches an operation on random items of trees of all sizes.
func each(b *testing.B, op func(f *field, i int)) {
	eachSize(b, func(b *testing.B, n int) {
		f := newField(b, n)
		b.ReportAllocs()
		b.ResetTimer()
		cpu(b, func() {
			for i := range b.N {
				op(f, pick(i, n))
			}
		})
	})
}

// BenchmarkDeleteInsert takes an item out and puts it back.
func BenchmarkDeleteInsert(b *testing.B) {
	each(b, func(f *field, i int) {
		if _, ok := f.t.Delete(f.scores[i], f.key(i)); !ok {
			b.Fatal("lost")
		}
		f.t.Insert(f.scores[i], f.refs[i])
	})
}

// BenchmarkUpdate gives an item another random score.
func BenchmarkUpdate(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	each(b, func(f *field, i int) {
		to := float64(r.Uint64()>>20) / 1024
		f.t.Update(f.scores[i], f.key(i), to)
		f.scores[i] = to
	})
}

// BenchmarkNudge adds a little to a score, as a leaderboard does.
func BenchmarkNudge(b *testing.B) {
	each(b, func(f *field, i int) {
		to := f.scores[i] + 1
		f.t.Update(f.scores[i], f.key(i), to)
		f.scores[i] = to
	})
}

func BenchmarkRank(b *testing.B) {
	each(b, func(f *field, i int) {
		if _, ok := f.t.Rank(f.scores[i], f.key(i)); !ok {
			b.Fatal("lost")
		}
	})
}

func BenchmarkAt(b *testing.B) {
	each(b, func(f *field, i int) {
		if c := f.t.At(i); !c.Ok() {
			b.Fatal("lost")
		}
	})
}

func BenchmarkSeekScore(b *testing.B) {
	each(b, func(f *field, i int) {
		if c := f.t.Seek(FromScore(f.scores[i])); c.Ref() != f.refs[i] {
			b.Fatal("lost")
		}
	})
}

// BenchmarkRange100 reads 100 items from a random rank on, without their
// members.
func BenchmarkRange100(b *testing.B) {
	var sum float64
	each(b, func(f *field, i int) {
		c := f.t.At(i)
		for range 100 {
			if !c.Ok() {
				break
			}
			sum += c.Score() + float64(c.Ref())
			c.Next()
		}
	})
}

// BenchmarkInsert fills a tree from nothing in random order; the entries exist
// already.
func BenchmarkInsert(b *testing.B) {
	benchFill(b, func(f *field, i int) { f.t.Insert(f.scores[i], f.refs[i]) })
}

// BenchmarkAppend does the same in order.
func BenchmarkAppend(b *testing.B) {
	benchFill(b, func(f *field, i int) { f.t.Append(float64(i), f.refs[i]) })
}

func benchFill(b *testing.B, add func(f *field, i int)) {
	eachSize(b, func(b *testing.B, n int) {
		f := newField(b, n)
		f.t.Free()
		b.ReportAllocs()
		b.ResetTimer()
		cpu(b, func() {
			for i := range b.N {
				if i%n == 0 {
					f.t.Free()
				}
				add(f, i%n)
			}
		})
		b.StopTimer()
		f.t.Free()
		for i := range n {
			f.t.Append(float64(i), f.refs[i])
		}
	})
}

// BenchmarkMemory reports the bytes of tree for an item: filled in random order,
// in order, and after each score has changed five times.
func BenchmarkMemory(b *testing.B) {
	const n = 1_000_000
	for range b.N {
		f := newField(b, n)
		each := func() float64 { return float64(f.t.Bytes()) / n }
		b.ReportMetric(each(), "random-B/item")
		for i := range 5 * n {
			j := pick(i, n)
			to := float64(mix(uint64(i)+n)>>20) / 1024
			f.t.Update(f.scores[j], f.key(j), to)
			f.scores[j] = to
		}
		b.ReportMetric(each(), "changed-B/item")
		f.t.Free()
		for i := range n {
			f.t.Append(float64(i), f.refs[i])
		}
		b.ReportMetric(each(), "in-order-B/item")
	}
}

// BenchmarkMemoryOfSet reports what an element of a sorted set of 5M takes with
// all that belongs to it: a slot of a hash table, the entry with a member of 16
// bytes and its score, and the tree, filled in random order.
func BenchmarkMemoryOfSet(b *testing.B) {
	const n = 5_000_000
	for range b.N {
		f := newField(b, n)
		hash := func(key []byte) uint64 { return mix(binary.BigEndian.Uint64(key[8:])) }
		table := hashtable.New(f.h, hash)
		for i, r := range f.refs {
			table.Insert(hash(f.key(i)), r)
		}
		b.ReportMetric(float64(f.h.UsedBy(arena.PurposeEntry))/n, "entry-B/item")
		b.ReportMetric(float64(f.t.Bytes())/n, "tree-B/item")
		b.ReportMetric(float64(table.Bytes())/n, "table-B/item")
		b.ReportMetric(float64(f.h.Used())/n, "all-B/item")
		table.Free()
	}
}

// BenchmarkFreeSome frees a tree with its entries in steps of 1000, and reports
// the longest step.
func BenchmarkFreeSome(b *testing.B) {
	f := newField(b, 1_000_000)
	longest, steps := time.Duration(0), 0
	b.ResetTimer()
	for more := true; more; steps++ {
		start := time.Now()
		more = f.t.FreeSome(1000, f.dropItem)
		longest = max(longest, time.Since(start))
	}
	b.ReportMetric(float64(longest.Nanoseconds()), "longest-ns")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "mean-ns")
}
