package hll

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo/internal/testutil"
)

// oracle connects to a genuine server, or skips the test.
func oracle(t *testing.T, config ...string) *testutil.Peer {
	t.Helper()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	return testutil.StartRedis(t, config...).Conn(t, 2)
}

// pair is one key on both sides.
type pair struct {
	t    *testing.T
	c    *testutil.Peer
	name string
	b    []byte
	max  int
}

func (p *pair) same(what string) {
	p.t.Helper()
	if got := p.c.MustOK("GET", p.name).Str; got != string(p.b) {
		p.t.Fatalf("after %s the bytes differ\nredis %.300q\nhere  %.300q", what, got, p.b)
	}
}

// add does what PFADD does.
func (p *pair) add(elements ...string) {
	p.t.Helper()
	updated := p.b == nil
	if updated {
		p.b = AppendEmpty(nil)
	}
	for _, e := range elements {
		out, changed, err := Add(p.b, []byte(e), p.max)
		if err != nil {
			p.t.Fatal(err)
		}
		p.b, updated = out, updated || changed
	}
	if updated {
		Invalidate(p.b)
	}
	if got := p.c.MustOK(append([]string{"PFADD", p.name}, elements...)...).Int() == 1; got != updated {
		p.t.Fatalf("PFADD %q: %v, here %v", elements, got, updated)
	}
}

// count does what PFCOUNT of one key does.
func (p *pair) count() {
	p.t.Helper()
	n, ok := Cached(p.b)
	if !ok {
		var err error
		if n, err = Count(p.b); err != nil {
			p.t.Fatal(err)
		}
		SetCached(p.b, n)
	}
	if got := p.c.MustOK("PFCOUNT", p.name).Int(); got != int64(n) {
		p.t.Fatalf("PFCOUNT: %d, here %d", got, n)
	}
}

func elements(r *rand.Rand, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.FormatUint(r.Uint64()>>r.IntN(60), 36)
	}
	return out
}

// TestAgainstRedis grows values to several sizes and compares every byte on the
// way, the cached estimate included.
func TestAgainstRedis(t *testing.T) {
	r := random(t)
	for _, limit := range []int{sparseMax, 150, 0} {
		c := oracle(t, "--hll-sparse-max-bytes", strconv.Itoa(limit))
		for key := range 6 {
			p := &pair{t: t, c: c, name: "k" + strconv.Itoa(key), max: limit}
			p.add()
			p.same("PFADD without elements")
			for range []int{60, 60, 80, 100, 150, 400}[key] {
				p.add(elements(r, 1+r.IntN(20))...)
				p.same("PFADD")
				if r.IntN(4) == 0 {
					p.count()
					p.same("PFCOUNT")
				}
			}
			p.debug()
		}
	}
}

// debug compares what PFDEBUG says.
func (p *pair) debug() {
	p.t.Helper()
	if got := p.c.MustOK("PFDEBUG", "ENCODING", p.name).Str; got != EncodingOf(p.b).String() {
		p.t.Errorf("encoding %s, here %s", got, EncodingOf(p.b))
	}
	reply := p.c.Do("PFDEBUG", "DECODE", p.name)
	text, err := AppendDecode(nil, p.b)
	if err != nil {
		text = []byte(err.Error())
	}
	if reply.Str != string(text) {
		p.t.Errorf("DECODE: %s\nhere: %s", reply, text)
	}
	registers, err := AppendRegisters(nil, p.b)
	if err != nil {
		p.t.Fatal(err)
	}
	out, changed, err := ToDense(p.b)
	if got := p.c.MustOK("PFDEBUG", "TODENSE", p.name).Int() == 1; err != nil || got != changed {
		p.t.Errorf("TODENSE: %v, here %v %v", got, changed, err)
	}
	p.b = out
	p.same("TODENSE")
	for i, v := range p.c.MustOK("PFDEBUG", "GETREG", p.name).Elems {
		if v.Int() != int64(registers[i]) {
			p.t.Fatalf("register %d: %d, here %d", i, v.Int(), registers[i])
		}
	}
}

// TestMergeAgainstRedis merges values of both encodings, into new and old keys.
func TestMergeAgainstRedis(t *testing.T) {
	r, c := random(t), oracle(t)
	for range 80 {
		c.MustOK("FLUSHALL")
		var u Union
		var names []string
		dest := &pair{t: t, c: c, name: "dest", max: sparseMax}
		if r.IntN(2) == 0 {
			dest.add(elements(r, r.IntN(300))...)
		}
		for _, p := range []*pair{dest, {name: "a"}, {name: "b"}} {
			p.t, p.c, p.max = t, c, sparseMax
			if p != dest && r.IntN(5) > 0 {
				p.add(elements(r, r.IntN([]int{5, 600, 4000}[r.IntN(3)]))...)
			}
			if p.b != nil {
				if err := u.Merge(p.b); err != nil {
					t.Fatal(err)
				}
			}
			names = append(names, p.name)
		}
		if got := c.MustOK(append([]string{"PFCOUNT"}, names...)...).Int(); got != int64(u.Count()) {
			t.Fatalf("PFCOUNT of the union: %d, here %d", got, u.Count())
		}
		c.MustOK(append([]string{"PFMERGE"}, names...)...)
		if dest.b == nil {
			dest.b = AppendEmpty(nil)
		}
		var err error
		if dest.b, err = u.Store(dest.b, sparseMax); err != nil {
			t.Fatal(err)
		}
		dest.same("PFMERGE")
	}
}

func TestErrorsAgainstRedis(t *testing.T) {
	c := oracle(t)
	header := string(AppendEmpty(nil)[:HeaderSize])
	for _, v := range []string{"", "12", "some text that is long enough", header, header + "\x7f\xff", header + "\x7f\xfe", header + "\x80\x80", "HYLL\x00" + header[5:], "HYLL\x02" + header[5:]} {
		b := []byte(v)
		if len(b) >= HeaderSize {
			Invalidate(b)
		}
		c.MustOK("SET", "k", string(b))
		err := Check(b)
		if err == nil {
			_, err = Count(b)
		}
		got := c.Do("PFCOUNT", "k")
		if got.IsError() != (err != nil) || err != nil && got.Str != err.Error() {
			t.Errorf("%q: %s, here %v", v, got, err)
		}
	}
}
