package hll

import (
	"bytes"
	"encoding/binary"
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
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

const sparseMax = 3000

// twin is the registers in the plainest form.
type twin [Registers]uint8

func (w *twin) add(element []byte) bool {
	index, rank := place(element)
	if rank <= w[index] {
		return false
	}
	w[index] = rank
	return true
}

func checkTwin(t *testing.T, b []byte, w *twin) {
	t.Helper()
	got, err := AppendRegisters(nil, b)
	if err != nil || !bytes.Equal(got, w[:]) {
		t.Fatalf("registers differ (%v)", err)
	}
	var u Union
	if err := u.Merge(b); err != nil {
		t.Fatal(err)
	}
	n, err := Count(b)
	if err != nil || n != u.Count() {
		t.Fatalf("Count is %d, of the union %d (%v)", n, u.Count(), err)
	}
}

// TestTwin adds elements with thresholds at which the encoding changes early,
// late and never.
func TestTwin(t *testing.T) {
	r, count := random(t), 8000
	if testing.Short() {
		count = 2000
	}
	for _, limit := range []int{0, 19, 100, sparseMax, 16000} {
		b, w := AppendEmpty(nil), &twin{}
		for i := range count {
			element := strconv.AppendUint(nil, r.Uint64N(6000), 10)
			want := w.add(element)
			out, changed, err := Add(b, element, limit)
			if err != nil || changed != want {
				t.Fatalf("limit %d, element %s: %v, %v", limit, element, changed, err)
			}
			b = out
			if EncodingOf(b) == Sparse && len(b) > max(limit, 18) {
				t.Fatalf("sparse with %d bytes, limit %d", len(b), limit)
			}
			if i%500 == 0 {
				checkTwin(t, b, w)
			}
		}
		checkTwin(t, b, w)
		if _, ok := Cached(b); ok {
			t.Error("the cached estimate is still valid")
		}
	}
}

// TestRandomRegisters sets registers themselves, so that high ranks and
// neighbouring registers come up, which hashing rarely gives.
func TestRandomRegisters(t *testing.T) {
	r := random(t)
	for range 60 {
		b, w := AppendEmpty(nil), &twin{}
		window := 1 + r.IntN(300)
		from := r.IntN(Registers - window + 1)
		most := 1 + r.IntN(4)
		for range 600 {
			index, rank := from+r.IntN(window), uint8(1+r.IntN(most))
			if r.IntN(3000) == 0 {
				rank = 40
			}
			out, changed, err := set(b, index, rank, sparseMax)
			if err != nil || changed != (rank > w[index]) {
				t.Fatalf("register %d to %d: %v %v", index, rank, changed, err)
			}
			b, w[index] = out, max(w[index], rank)
		}
		checkTwin(t, b, w)
	}
}

func TestAccuracy(t *testing.T) {
	b := AppendEmpty(nil)
	for i := range uint64(200_000) {
		var element [8]byte
		binary.BigEndian.PutUint64(element[:], i)
		b, _, _ = Add(b, element[:], sparseMax)
	}
	n, err := Count(b)
	if err != nil || n < 196_000 || n > 204_000 {
		t.Errorf("estimate of 200000: %d, %v", n, err)
	}
}

func TestEmpty(t *testing.T) {
	b := AppendEmpty(nil)
	n, err := Count(b)
	cached, ok := Cached(b)
	if Check(b) != nil || len(b) != 18 || n != 0 || err != nil || cached != 0 || !ok {
		t.Errorf("%x: %d %v, cached %d %v", b, n, err, cached, ok)
	}
	var u Union
	if u.Count() != 0 {
		t.Errorf("the empty union has %d", u.Count())
	}
	SetCached(b, 77)
	if n, ok := Cached(b); n != 77 || !ok {
		t.Error("SetCached")
	}
	Invalidate(b)
	if _, ok := Cached(b); ok {
		t.Error("Invalidate")
	}
}

func TestCheck(t *testing.T) {
	dense, _, _ := ToDense(AppendEmpty(nil))
	if Check(dense) != nil || EncodingOf(dense).String() != "dense" || len(dense) != DenseSize {
		t.Error("dense")
	}
	for _, b := range [][]byte{nil, []byte("HYLL"), []byte("HYLL\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), []byte("hYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
		dense[:DenseSize-1], append(slices.Clone(dense), 0), dense[:HeaderSize]} {
		if Check(b) != ErrNotHLL {
			t.Errorf("%.20q accepted", b)
		}
	}
}

func TestCorrupt(t *testing.T) {
	header := string(AppendEmpty(nil)[:HeaderSize])
	for _, code := range []string{"", "\x7f", "\x7f\xfe", "\x7f\xff\x00", "\x7f\xff\x80", "\x80", "\x7f\xfe\x81"} {
		b := []byte(header + code)
		if Check(b) != nil {
			t.Fatal("not even a header")
		}
		if _, err := Count(b); err != ErrCorrupt {
			t.Errorf("Count of %x: %v", code, err)
		}
		if _, _, err := ToDense(b); err != ErrCorrupt {
			t.Errorf("ToDense of %x: %v", code, err)
		}
		if _, _, err := set(b, Registers-1, 50, sparseMax); err != ErrCorrupt {
			t.Errorf("set in %x: %v", code, err)
		}
	}
	if _, _, err := set([]byte(header+"\x00\x7f"), 5, 1, sparseMax); err != ErrCorrupt {
		t.Errorf("set behind the end: %v", err)
	}
	if _, err := AppendDecode(nil, []byte(header+"\x80\x7f")); err != ErrCorrupt {
		t.Errorf("AppendDecode: %v", err)
	}
	full := bytes.Repeat([]byte{0xff}, DenseSize)
	copy(full, header)
	full[encodingAt] = byte(Dense)
	if n, err := Count(full); err != nil || n != 1<<63 {
		t.Errorf("all registers 63: %d, %v", n, err)
	}
}

func TestUnionStore(t *testing.T) {
	r := random(t)
	for _, counts := range [][2]int{{10, 20}, {500, 700}, {50, 6000}, {3000, 3000}} {
		var u Union
		w, dest := &twin{}, []byte(nil)
		for _, n := range counts {
			b := AppendEmpty(nil)
			for range n {
				element := strconv.AppendUint(nil, r.Uint64(), 10)
				w.add(element)
				b, _, _ = Add(b, element, sparseMax)
			}
			if err := u.Merge(b); err != nil {
				t.Fatal(err)
			}
			dest = b
		}
		if _, err := u.Store(AppendEmpty(nil), sparseMax); err != nil {
			t.Fatal(err)
		}
		out, err := u.Store(dest, sparseMax)
		if err != nil || u.Dense() && EncodingOf(out) != Dense {
			t.Fatal(err, u.Dense())
		}
		checkTwin(t, out, w)
	}
	var u Union
	u.max[3] = 5
	u.Reset()
	if u != (Union{}) {
		t.Error("Reset")
	}
}

func TestAddAllocatesNothing(t *testing.T) {
	dense, _, _ := ToDense(AppendEmpty(nil))
	sparse := append(make([]byte, 0, DenseSize), AppendEmpty(nil)...)
	var element [8]byte
	i := uint64(0)
	for _, b := range [][]byte{dense, sparse} {
		if n := testing.AllocsPerRun(5000, func() {
			i++
			binary.LittleEndian.PutUint64(element[:], i)
			b, _, _ = Add(b, element[:], sparseMax)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
		if EncodingOf(b) != Dense {
			t.Error("the sparse value must have grown dense in its room")
		}
		if n := testing.AllocsPerRun(10, func() { _, _ = Count(b) }); n != 0 {
			t.Errorf("Count: %v allocations", n)
		}
	}
}

func TestSelfTest(t *testing.T) {
	r := random(t)
	if err := SelfTest(r.Uint64, 100_000, sparseMax); err != nil {
		t.Error(err)
	}
	if err := SelfTest(r.Uint64, 10, 4); err == nil {
		t.Error("a value of 1 element cannot be sparse in 4 bytes")
	}
}

// FuzzHLL: any bytes with a good header, then every operation.
func FuzzHLL(f *testing.F) {
	b := AppendEmpty(nil)
	for i := range 40 {
		b, _, _ = set(b, i*i, uint8(i%3+1), sparseMax)
	}
	f.Add(b[HeaderSize:], []byte("element"), uint16(7))
	f.Add([]byte("\x7f\xff"), []byte(""), uint16(0))
	f.Fuzz(func(t *testing.T, code, element []byte, index uint16) {
		b := append(AppendEmpty(nil)[:HeaderSize], code...)
		if Check(b) != nil {
			t.Fatal("the header is good")
		}
		before, errBefore := AppendRegisters(nil, b)
		_, errCount := Count(b)
		if (errBefore == nil) != (errCount == nil) {
			t.Fatalf("%x: registers %v, count %v", code, errBefore, errCount)
		}
		_, _ = AppendDecode(nil, b)
		at := int(index) % Registers
		out, changed, err := set(slices.Clone(b), at, 7, sparseMax)
		if errBefore == nil {
			before[at] = max(before[at], 7)
			after, errAfter := AppendRegisters(nil, out)
			if err != nil || errAfter != nil || !bytes.Equal(before, after) || !changed && !bytes.Equal(out, b) {
				t.Fatalf("%x, register %d: %v %v", code, at, err, errAfter)
			}
		}
		_, _, _ = Add(out, element, sparseMax)
		_, _, _ = ToDense(slices.Clone(b))
	})
}

func BenchmarkAdd(b *testing.B) {
	dense, _, _ := ToDense(AppendEmpty(nil))
	sparse := AppendEmpty(nil)
	var elements [512][]byte
	for i := range elements {
		elements[i] = strconv.AppendInt([]byte("element:"), int64(i), 10)
		dense, _, _ = Add(dense, elements[i], sparseMax)
		sparse, _, _ = Add(sparse, elements[i], sparseMax)
	}
	for _, v := range [][]byte{dense, sparse} {
		b.Run(EncodingOf(v).String(), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, changed, err := Add(v, elements[i%len(elements)], sparseMax); err != nil || changed {
					b.Fatal(changed, err)
				}
			}
		})
	}
}

func BenchmarkCount(b *testing.B) {
	v, _, _ := ToDense(AppendEmpty(nil))
	for i := range 100_000 {
		v, _, _ = Add(v, strconv.AppendInt(nil, int64(i), 10), sparseMax)
	}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = Count(v)
	}
}
