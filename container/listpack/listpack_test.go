package listpack

import (
	"bytes"
	"encoding/hex"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
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

// build is the listpack of these elements.
func build(elements ...string) []byte {
	b := AppendEmpty(nil)
	for _, s := range elements {
		e := String([]byte(s))
		b = Append(b, &e)
	}
	return b
}

// check compares everything that can be read from b with what it should hold.
func check(t *testing.T, b []byte, want []string) {
	t.Helper()
	if !Validate(b) {
		t.Fatalf("not valid: %x", b)
	}
	var forward, backward []string
	for p := First(b); p != 0; {
		v, next := Read(b, p)
		if n := Next(b, p); n != next || v.Len() != len(v.Append(nil)) {
			t.Fatalf("Read finds %d behind %d, Next %d", next, p, n)
		}
		forward = append(forward, string(v.Append(nil)))
		p = next
	}
	for p := Last(b); p != 0; p = Prev(b, p) {
		var buf [intDigits]byte
		backward = append(backward, string(Get(b, p).Text(buf[:])))
	}
	slices.Reverse(backward)
	if !slices.Equal(forward, want) || !slices.Equal(backward, want) || Len(b) != len(want) {
		t.Fatalf("holds %.300q, backwards %.300q, Len %d; want %.300q", forward, backward, Len(b), want)
	}
}

func TestBytes(t *testing.T) {
	for _, c := range []struct{ s, want string }{
		{"0", "0001"}, {"127", "7f01"}, {"128", "c08002"}, {"-1", "dfff02"}, {"4095", "cfff02"}, {"-4096", "d00002"}, {"4096", "f1001003"}, {"-4097", "f1ffef03"},
		{"32767", "f1ff7f03"}, {"32768", "f200800004"}, {"-32769", "f2ff7fff04"}, {"-8388608", "f200008004"}, {"8388608", "f30000800005"}, {"2147483647", "f3ffffff7f05"},
		{"2147483648", "f4000000800000000009"}, {"-9223372036854775808", "f4000000000000008009"}, {"", "8001"}, {"a", "816102"}, {"01", "82303103"}, {"-0", "822d3003"},
		{"9223372036854775808", "93" + hex.EncodeToString([]byte("9223372036854775808")) + "14"},
		{strings.Repeat("a", 64), "e040" + strings.Repeat("61", 64) + "42"}, {strings.Repeat("a", 126), "e07e" + strings.Repeat("61", 126) + "0180"},
		{strings.Repeat("a", 4096), "f000100000" + strings.Repeat("61", 4096) + "2085"},
	} {
		b := build(c.s)
		if got := hex.EncodeToString(b[HeaderSize : len(b)-1]); got != c.want {
			t.Errorf("%.30q: %.60s, want %.60s", c.s, got, c.want)
		}
		check(t, b, []string{c.s})
	}
	if got := hex.EncodeToString(build("a", "1")); got != "0c0000000200"+"816102"+"0101"+"ff" {
		t.Error(got)
	}
}

// TestBackSizes: the size behind an element at the limits of its length.
func TestBackSizes(t *testing.T) {
	for _, n := range []int{0, 127, 128, 1<<14 - 2, 1<<14 - 1, 1 << 14, 1<<21 - 2, 1<<21 - 1, 1<<28 - 2, 1<<28 - 1, 1<<32 - 1} {
		b := make([]byte, HeaderSize+backSize(n))
		putBack(b[HeaderSize:], n)
		if got := readBack(b, len(b)); got != n {
			t.Errorf("%d reads %d from %x", n, got, b)
		}
	}
	for _, n := range []int{1<<14 - 5, 1<<14 - 4, 1 << 14, 1<<21 - 7, 1<<21 - 6, 1 << 21} {
		check(t, build("x", strings.Repeat("a", n), "y"), []string{"x", strings.Repeat("a", n), "y"})
	}
}

func TestSeek(t *testing.T) {
	var want []string
	for i := range 20 {
		want = append(want, "element"+strconv.Itoa(i))
	}
	for n := range want {
		b := build(want[:n]...)
		for i := -25; i < 25; i++ {
			at := i
			if i < 0 {
				at += n
			}
			p := Seek(b, i)
			if at < 0 || at >= n {
				if p != 0 {
					t.Errorf("%d elements: Seek(%d) = %d", n, i, p)
				}
			} else if p == 0 || !Get(b, p).Equal([]byte(want[at])) {
				t.Errorf("%d elements: Seek(%d) = %d", n, i, p)
			}
		}
	}
}

// word makes an element of one of the kinds that are stored differently.
func word(r *rand.Rand) string {
	switch r.IntN(8) {
	case 0:
		return strconv.FormatInt(r.Int64()>>r.IntN(64), 10)
	case 1:
		return strconv.FormatInt(-r.Int64()>>r.IntN(64), 10)
	case 2:
		return strings.Repeat("ab", 20+r.IntN(60))
	case 3:
		if r.IntN(20) == 0 {
			return strings.Repeat("long ", 800+r.IntN(5000))
		}
	}
	return "w" + strconv.Itoa(r.IntN(50))
}

// TestTwin runs random edits on a listpack and on a slice of strings.
func TestTwin(t *testing.T) {
	r := random(t)
	steps := 20_000
	if testing.Short() {
		steps = 4_000
	}
	b, twin := AppendEmpty(nil), []string{}
	for step := range steps {
		s := word(r)
		e := String([]byte(s))
		i := r.IntN(len(twin) + 1)
		old := len(b)
		switch op := r.IntN(9); {
		case op == 0:
			b, twin = Append(b, &e), append(twin, s)
		case op == 1:
			b, twin = Prepend(b, &e), slices.Insert(twin, 0, s)
		case op == 2 && i < len(twin):
			b, twin = Insert(b, Seek(b, i), &e), slices.Insert(twin, i, s)
		case op == 3 && i < len(twin):
			b, twin = InsertAfter(b, Seek(b, i), &e), slices.Insert(twin, i+1, s)
		case op == 4 && i < len(twin):
			b = Replace(b, Seek(b, i), &e)
			twin[i] = s
		case op == 5 && i < len(twin):
			b, twin = Delete(b, Seek(b, i)), slices.Delete(twin, i, i+1)
		case op == 6 && len(twin) > 60 && i < len(twin):
			n := r.IntN(len(twin))
			b = DeleteRange(b, i-len(twin)*r.IntN(2), n)
			twin = slices.Delete(twin, i, min(i+n, len(twin)))
		case op == 7 && r.IntN(20) == 0:
			other := []string{s, "7", word(r)}
			b, twin = Concat(b, build(other...)), append(twin, other...)
		default:
			checkFind(t, r, b, twin, s)
		}
		if len(b) != TotalSize(b) || len(b)-old > e.Size() && len(b)-old > 1<<16 {
			t.Fatalf("step %d: %d bytes, header says %d", step, len(b), TotalSize(b))
		}
		if step%50 == 0 {
			check(t, b, twin)
			if !bytes.Equal(b, build(twin...)) {
				t.Fatalf("step %d: other bytes than those of a fresh listpack", step)
			}
		}
	}
}

func checkFind(t *testing.T, r *rand.Rand, b []byte, twin []string, s string) {
	t.Helper()
	from, skip := r.IntN(len(twin)+1), r.IntN(3)
	got := Find(b, Seek(b, from), []byte(s), skip)
	for i := from; i < len(twin); i += skip + 1 {
		if twin[i] == s {
			if got != Seek(b, i) {
				t.Fatalf("Find(%d, %q, %d) = %d, want %d", from, s, skip, got, Seek(b, i))
			}
			return
		}
	}
	if got != 0 {
		t.Fatalf("Find(%d, %q, %d) = %d, want nothing", from, s, skip, got)
	}
}

func TestElementSize(t *testing.T) {
	r := random(t)
	for range 2000 {
		s := word(r)
		e := String([]byte(s))
		b := Append(AppendEmpty(nil), &e)
		if len(b)-EmptySize != e.Size() {
			t.Fatalf("%q takes %d bytes, Size says %d", s, len(b)-EmptySize, e.Size())
		}
		again := Prepare(Get(b, First(b)))
		if !bytes.Equal(Append(AppendEmpty(nil), &again), b) {
			t.Fatalf("%q prepared from its Value is something else", s)
		}
	}
}

func TestValueEqual(t *testing.T) {
	for _, v := range []int64{0, 5, -5, math.MinInt64} {
		for _, s := range []string{"0", "5", "-5", "05", "", "-9223372036854775808", "5a"} {
			if (Value{Int: v}).Equal([]byte(s)) != (strconv.FormatInt(v, 10) == s) {
				t.Errorf("%d and %q", v, s)
			}
		}
	}
	if v := Get(build(""), HeaderSize); v.IsInt() || !v.Equal(nil) || v.Equal([]byte("a")) {
		t.Error("the empty string")
	}
}

// TestManyElements: beyond 65534 the header does not know the number.
func TestManyElements(t *testing.T) {
	b := AppendEmpty(nil)
	e := Int(7)
	for range 70_000 {
		b = Append(b, &e)
	}
	if Len(b) != 70_000 || count(b) != countUnknown || !Validate(b) {
		t.Fatalf("%d elements, header %d", Len(b), count(b))
	}
	last := String([]byte("last"))
	b = Replace(b, Seek(b, 69_999), &last)
	if p := Seek(b, -1); !Get(b, p).Equal([]byte("last")) || Seek(b, 70_000) != 0 || Seek(b, -70_001) != 0 || Seek(b, -70_000) != HeaderSize {
		t.Error("Seek without a number in the header")
	}
	b = DeleteRange(b, 0, 69_990)
	if Len(b) != 10 || count(b) != countUnknown || !Validate(b) {
		t.Fatalf("%d elements, header %d", Len(b), count(b))
	}
	if b = Concat(b, build("a", "b")); Len(b) != 12 || count(b) != 12 {
		t.Errorf("joined: %d, header %d", Len(b), count(b))
	}
}

func TestEditsInPlaceAllocateNothing(t *testing.T) {
	b := append(make([]byte, 0, 1024), build("field", "value", "12", "another")...)
	key, val := []byte("some field"), []byte("123456")
	if n := testing.AllocsPerRun(100, func() {
		k, v := String(key), String(val)
		b = Append(b, &k)
		b = Append(b, &v)
		p := Find(b, First(b), key, 1)
		b = Replace(b, Next(b, p), &k)
		b = DeleteFrom(b, p, 2)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	check(t, b, []string{"field", "value", "12", "another"})
}

func TestFits(t *testing.T) {
	if !Fits(build("a"), 100) || Fits(build("a"), SizeMax) {
		t.Error("Fits")
	}
}

func TestValidateRefuses(t *testing.T) {
	good := build("abc", "1000", strings.Repeat("x", 200), "5")
	for i := range good {
		b := slices.Clone(good)
		b[i] ^= 0x80
		// A changed byte of data (0xe8 is the low byte of 1000) is another value, which
		// nobody can know; anything else must be seen.
		if Validate(b) && !bytes.Contains([]byte("abcx\xe8"), []byte{good[i]}) {
			t.Errorf("byte %d (%#x) changed and still valid", i, good[i])
		}
	}
	for n := range good {
		if Validate(good[:n]) {
			t.Errorf("valid with %d of %d bytes", n, len(good))
		}
	}
	for _, s := range []string{"07000000000000", "08000000010000ff", "070000000100ff", "0900000001000001ffff", "09000000010081ff01ff"[:18], "090000000100f5ff"} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		if Validate(b) {
			t.Errorf("%s is valid", s)
		}
	}
}

// FuzzListpack: what Validate accepts, everything else can work with.
func FuzzListpack(f *testing.F) {
	for _, elements := range [][]string{nil, {"a"}, {"1", "-5000", "99999999", "123456789012345"}, {strings.Repeat("x", 70), "", "y"}} {
		b := build(elements...)
		f.Add(b[HeaderSize:len(b)-1], uint16(len(elements)), []byte("a"), uint8(1))
	}
	f.Add([]byte{0x82, '1', '2', 3, 0xf1, 5, 0, 3}, uint16(2), []byte("12"), uint8(0))
	f.Fuzz(func(t *testing.T, body []byte, n uint16, s []byte, at uint8) {
		b := append(append(AppendEmpty(nil)[:HeaderSize], body...), end)
		setHeader(b, int(n))
		if !Validate(b) {
			return
		}
		var all []string
		for p := First(b); p != 0; p = Next(b, p) {
			all = append(all, string(Get(b, p).Append(nil)))
		}
		check(t, b, all)
		i := slices.Index(all, string(s))
		if p := Find(b, First(b), s, 0); (p != 0) != (i >= 0) || p != 0 && p != Seek(b, i) {
			t.Fatalf("Find(%q) = %d, it is at %d", s, p, i)
		}
		e := String(s)
		if i := int(at); i < len(all) {
			check(t, Replace(slices.Clone(b), Seek(b, i), &e), slices.Concat(all[:i], []string{string(s)}, all[i+1:]))
			check(t, Insert(slices.Clone(b), Seek(b, i), &e), slices.Concat(all[:i], []string{string(s)}, all[i:]))
			check(t, Delete(slices.Clone(b), Seek(b, i)), slices.Concat(all[:i], all[i+1:]))
			check(t, DeleteRange(slices.Clone(b), i-len(all), 2), slices.Concat(all[:i], all[min(i+2, len(all)):]))
		}
		check(t, Append(slices.Clone(b), &e), append(slices.Clone(all), string(s)))
		check(t, Concat(slices.Clone(b), b), slices.Concat(all, all))
	})
}

// FuzzValidate takes the header from outside as well.
func FuzzValidate(f *testing.F) {
	f.Add(build("a", "1000"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Validate(b) && (TotalSize(b) != len(b) || Len(b) < 0) {
			t.Error("valid?")
		}
	})
}

func benchmarkHash(fields int) []byte {
	var all []string
	for i := range fields {
		all = append(all, "field:"+strconv.Itoa(i), "value:"+strconv.Itoa(i))
	}
	return build(all...)
}

func BenchmarkFind(b *testing.B) {
	hash := benchmarkHash(64)
	key := []byte("field:63")
	b.ReportAllocs()
	for b.Loop() {
		if Find(hash, First(hash), key, 1) == 0 {
			b.Fatal("not found")
		}
	}
}

func BenchmarkRead(b *testing.B) {
	hash := benchmarkHash(64)
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for p := First(hash); p != 0; {
			var v Value
			v, p = Read(hash, p)
			n += len(v.Str)
		}
	}
}

func BenchmarkAppendDelete(b *testing.B) {
	list := append(make([]byte, 0, 4096), benchmarkHash(20)...)
	s := []byte("another value")
	b.ReportAllocs()
	for b.Loop() {
		e := String(s)
		list = Append(list, &e)
		list = Delete(list, First(list))
	}
}

func BenchmarkValidate(b *testing.B) {
	hash := benchmarkHash(64)
	b.SetBytes(int64(len(hash)))
	for b.Loop() {
		if !Validate(hash) {
			b.Fatal("not valid")
		}
	}
}
