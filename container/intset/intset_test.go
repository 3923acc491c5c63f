package intset

import (
	"encoding/hex"
	"flag"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the random tests")

func random(t testing.TB) *rand.Rand {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run again with -seed %d", *seedFlag)
		}
	})
	return rand.New(rand.NewPCG(*seedFlag, 0))
}

func build(members ...int64) []byte {
	b := AppendEmpty(nil)
	for _, v := range members {
		b, _ = Add(b, v)
	}
	return b
}

func members(b []byte) []int64 {
	var all []int64
	for i := range Len(b) {
		all = append(all, At(b, i))
	}
	return all
}

func TestBytes(t *testing.T) {
	for _, c := range []struct {
		members []int64
		want    string
	}{
		{nil, "0200000000000000"},
		{[]int64{5, -1, 5}, "0200000002000000" + "ffff" + "0500"},
		{[]int64{1, 32768}, "0400000002000000" + "01000000" + "00800000"},
		{[]int64{1, -32769}, "0400000002000000" + "ff7fffff" + "01000000"},
		{[]int64{70000, 1, math.MaxInt64}, "0800000003000000" + "0100000000000000" + "7011010000000000" + "ffffffffffffff7f"},
		{[]int64{3, math.MinInt64}, "0800000002000000" + "0000000000000080" + "0300000000000000"},
	} {
		if got := hex.EncodeToString(build(c.members...)); got != c.want {
			t.Errorf("%v: %s, want %s", c.members, got, c.want)
		}
	}
}

// TestTwin runs random edits on an intset and a map. Values come in a wider range
// now and then, so that every width is reached with members there.
func TestTwin(t *testing.T) {
	r := random(t)
	for range 50 {
		b, twin := AppendEmpty(nil), map[int64]bool{}
		for step := range 600 {
			v := int64(r.IntN(300) - 150)
			if r.IntN(200) == 0 {
				v = int64(r.Uint64()) >> r.IntN(60)
			}
			checkSearch(t, b, twin, v)
			size := SizeWith(b, v)
			if r.IntN(3) > 0 {
				out, added := Add(b, v)
				if added == twin[v] || added && len(out) != size {
					t.Fatalf("Add(%d): %v, %d bytes, SizeWith %d", v, added, len(out), size)
				}
				b, twin[v] = out, true
			} else {
				out, removed := Remove(b, v)
				if removed != twin[v] {
					t.Fatalf("Remove(%d): %v", v, removed)
				}
				b = out
				delete(twin, v)
			}
			if step%20 == 0 {
				check(t, b, twin)
			}
		}
		check(t, b, twin)
	}
}

func checkSearch(t *testing.T, b []byte, twin map[int64]bool, v int64) {
	t.Helper()
	want, found := slices.BinarySearch(slices.Sorted(maps.Keys(twin)), v)
	if i, ok := Search(b, v); i != want || ok != found || Contains(b, v) != found {
		t.Fatalf("Search(%d) = %d, %v; want %d, %v", v, i, ok, want, found)
	}
}

func check(t *testing.T, b []byte, twin map[int64]bool) {
	t.Helper()
	want := slices.Sorted(maps.Keys(twin))
	if !slices.Equal(members(b), want) || Validate(b) != (len(want) > 0) {
		t.Fatalf("%v, want %v; valid: %v", members(b), want, Validate(b))
	}
	if len(want) > 0 && (Min(b) != want[0] || Max(b) != want[len(want)-1]) {
		t.Fatalf("from %d to %d, want %v", Min(b), Max(b), want)
	}
}

func TestEditsInPlaceAllocateNothing(t *testing.T) {
	b := append(make([]byte, 0, 256), build(1, 2, 3, 100000)...)
	if n := testing.AllocsPerRun(100, func() {
		b, _ = Add(b, 50)
		b, _ = Remove(b, 50)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestValidateRefuses(t *testing.T) {
	for _, s := range []string{"", "02000000000000", "0200000000000000", "03000000010000000000", "0200000001000000", "020000000100000001", "02000000010000000100ff", "02010000010000000100",
		"020000000200000001000100", "020000000200000002000100", "02000000ffffffff0100", "08000000000000800000", "0400000002000000ffffffff00000080"} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if Validate(b) {
			t.Errorf("%s is valid", s)
		}
	}
}

// FuzzIntset: what Validate accepts, everything else can work with.
func FuzzIntset(f *testing.F) {
	f.Add(build(1, -5, 70000), int64(3))
	f.Add(build(1, 2, 3), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, b []byte, v int64) {
		if !Validate(b) {
			return
		}
		twin := map[int64]bool{}
		for _, m := range members(b) {
			twin[m] = true
		}
		check(t, b, twin)
		checkSearch(t, b, twin, v)
		out, _ := Add(slices.Clone(b), v)
		if was := twin[v]; !was {
			twin[v] = true
			check(t, out, twin)
			delete(twin, v)
		}
		out, removed := Remove(out, v)
		delete(twin, v)
		if check(t, out, twin); !removed {
			t.Fatalf("%d was added and could not be removed", v)
		}
	})
}

func BenchmarkContains(b *testing.B) {
	set := AppendEmpty(nil)
	for i := range int64(512) {
		set, _ = Add(set, i*3)
	}
	b.ReportAllocs()
	for v := int64(0); b.Loop(); v = (v + 7) % 1536 {
		Contains(set, v)
	}
}

func BenchmarkAddRemove(b *testing.B) {
	set := AppendEmpty(nil)
	for i := range int64(512) {
		set, _ = Add(set, i*3)
	}
	b.ReportAllocs()
	for v := int64(1); b.Loop(); v = (v + 9) % 1536 {
		set, _ = Add(set, v)
		set, _ = Remove(set, v)
	}
}
