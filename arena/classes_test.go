package arena

import "testing"

func TestClasses(t *testing.T) {
	last := 0
	for n := 1; n <= smallMax; n++ {
		c := classOf(n)
		size := sizeOfClass(c)
		if c < last || c > last+1 || c >= numClasses || size < n || classOf(size) != c {
			t.Fatalf("class %d of %d bytes serves %d; the class before was %d", c, n, size, last)
		}
		if n > steppedMax && float64(size-n) >= float64(n)/8 {
			t.Fatalf("%d bytes waste %d", n, size-n)
		}
		if l := lender(c); l < c || sizeOfClass(l) < size || classes[l].offMask != classes[c].offMask {
			t.Fatalf("class %d cannot lend to class %d", l, c)
		}
		last = c
	}
	if last != numClasses-1 {
		t.Fatalf("the last class is %d", last)
	}
	for c := range numClasses {
		k := &classes[c]
		if slab := int(k.offMask) + 1; int(k.capacity)*int(k.size) > slab || k.capacity < 8 || int(k.end)*8 > slab {
			t.Errorf("class %d: %+v", c, *k)
		}
	}
}

func TestUsableSize(t *testing.T) {
	for _, n := range []int{1, 8, 9, 128, 129, 1000, 4096, 16384, 16385, 20480, 1 << 20, 1<<20 + 1} {
		u := UsableSize(n)
		if u < n || UsableSize(u) != u {
			t.Errorf("UsableSize(%d) = %d, of that %d", n, u, UsableSize(u))
		}
	}
}

func TestBins(t *testing.T) {
	last := 0
	for n := uint32(1); n < 1<<20; n++ {
		b := binOf(n)
		if b < last || b > last+1 {
			t.Fatalf("bin %d for %d granules follows bin %d", b, n, last)
		}
		last = b
	}
	if b := binOf(maxReserve >> granuleShift); b >= numBins {
		t.Fatalf("bin %d for the whole reserve", b)
	}
}

func TestPurposesHaveNames(t *testing.T) {
	seen := map[string]bool{}
	for p := range NumPurposes {
		if s := p.String(); s == "unknown" || seen[s] {
			t.Errorf("purpose %d is called %q", p, s)
		}
		seen[p.String()] = true
	}
	if NumPurposes > purposeSlots || NumPurposes.String() != "unknown" {
		t.Error("too many purposes")
	}
}
