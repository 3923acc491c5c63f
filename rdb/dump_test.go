package rdb

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo/internal/testutil"
)

// samples are strings of all kinds that the encodings tell apart.
func samples(r *rand.Rand, count int) [][]byte {
	all := [][]byte{{}, []byte("a"), []byte("0"), []byte("-0"), []byte("007"), []byte("+1"), []byte("99999999999")}
	for range count {
		all = append(all, randomString(r, 120), randomString(r, 3000),
			strconv.AppendInt(nil, r.Int64()>>r.IntN(64), 10),
			bytes.Repeat([]byte{'x'}, r.IntN(60)))
	}
	for range count / 50 {
		all = append(all, randomString(r, 100_000))
	}
	return all
}

// oracleVersion is the version that the oracle writes.
func oracleVersion(t *testing.T, c *testutil.Peer) int {
	t.Helper()
	c.MustOK("SET", "version", "x")
	_, version, err := CheckDump([]byte(c.MustOK("DUMP", "version").Str), false)
	if err != nil {
		t.Fatal(err)
	}
	return version
}

// TestDumpAgainstRedis compares payloads byte by byte. A genuine server's
// compression can see positions of an earlier call (lzf.go says how); it has not
// been seen to, but one sample in a thousand may differ so.
func TestDumpAgainstRedis(t *testing.T) {
	for _, compress := range []bool{true, false} {
		r, c := random(t), oracle(t, "--rdbcompression", map[bool]string{true: "yes", false: "no"}[compress])
		e := NewEncoder(oracleVersion(t, c), compress)
		all, different := samples(r, 1000), 0
		for i, s := range all {
			c.MustOK("SET", "k", string(s))
			want := []byte(c.MustOK("DUMP", "k").Str)
			got := e.AppendDump(nil, Value{Str: s})
			if !bytes.Equal(got, want) {
				different++
				t.Logf("sample %d of %d bytes\nredis %.200q\nhere  %.200q", i, len(s), want, got)
			}
			for _, payload := range [][]byte{got, want} {
				if v, err := ParseDump(payload, nil, false); err != nil || !bytes.Equal(v.Str, s) {
					t.Fatalf("sample %d does not read back: %v", i, err)
				}
			}
			if i%7 == 0 {
				c.MustOK("RESTORE", "k", "0", string(got), "REPLACE")
				if c.MustOK("GET", "k").Str != string(s) {
					t.Fatalf("sample %d: RESTORE gives another value", i)
				}
			}
		}
		if different*1000 > len(all) {
			t.Errorf("%d of %d payloads differ", different, len(all))
		}
	}
}

func TestCheckDump(t *testing.T) {
	e := NewEncoder(0, true)
	good := e.AppendDump([]byte("before"), Value{Str: []byte("value")})[6:]
	if v, err := ParseDump(good, nil, false); err != nil || string(v.Str) != "value" {
		t.Fatalf("%q %v", v.Str, err)
	}
	if _, version, _ := CheckDump(good, false); version != VersionDefault {
		t.Errorf("version %d", version)
	}
	flipped := bytes.Clone(good)
	flipped[2] ^= 1
	if _, err := ParseDump(flipped, nil, false); err != ErrPayload {
		t.Errorf("a flipped bit: %v", err)
	}
	if v, err := ParseDump(flipped, nil, true); err != nil || string(v.Str) != "walue" {
		t.Errorf("a flipped bit without checksum: %q %v", v.Str, err)
	}
	newer := NewEncoder(VersionMax+1, true).AppendDump(nil, Value{Str: []byte("value")})
	if _, err := ParseDump(newer, nil, false); err != ErrPayload {
		t.Errorf("a newer version: %v", err)
	}
	for n := range good {
		if _, err := ParseDump(good[:n], nil, false); err != ErrPayload {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, body := range []string{"", "\x63\x00", "\x00", "\x00\xc4", "\x00\x05abc"} {
		if _, err := ParseDump(e.AppendFooter([]byte(body), 0), nil, false); !errors.Is(err, ErrFormat) {
			t.Errorf("body %q: %v", body, err)
		}
	}
	if v, err := ParseDump(e.AppendFooter([]byte("\x00\x01a and more"), 0), nil, false); err != nil || string(v.Str) != "a" {
		t.Errorf("bytes behind the value: %q %v", v.Str, err)
	}
}

// TestDumpErrorsAgainstRedis leaves out a value that is cut short: a genuine server
// reads on into the footer, here that is refused.
func TestDumpErrorsAgainstRedis(t *testing.T) {
	c := oracle(t)
	e := NewEncoder(oracleVersion(t, c), true)
	for _, body := range []string{"\x63\x00", "\x00\xc4", "\x00\x7fabc", "\x00\x01a and more", "\x00\xc3\x02\x0a\x00a"} {
		payload := e.AppendFooter([]byte(body), 0)
		for cut := range 2 {
			raw := c.Do("RESTORE", "k", "0", string(payload[cut:]), "REPLACE")
			_, err := ParseDump(payload[cut:], nil, false)
			if err == nil != !raw.IsError() || err != nil && err.Error() != raw.Str {
				t.Errorf("body %q from %d: %s, here %v", body, cut, raw, err)
			}
		}
	}
}

// lzfExpansion is the most that LZF expands: lzfMatchMax bytes from 3.
const lzfExpansion = 88

// FuzzParseDump feeds anything behind a good footer and without one.
func FuzzParseDump(f *testing.F) {
	e := NewEncoder(0, true)
	for _, s := range []string{"", "12", "abc", string(bytes.Repeat([]byte("ab"), 50))} {
		f.Add(e.AppendDump(nil, Value{Str: []byte(s)}))
		f.Add(e.AppendValue(nil, Value{Str: []byte(s)}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e := NewEncoder(0, true)
		for _, payload := range [][]byte{b, e.AppendFooter(bytes.Clone(b), 0)} {
			v, err := ParseDump(payload, nil, false)
			if err != nil {
				continue
			}
			if len(v.Str) > lzfExpansion*len(b) {
				t.Fatalf("%d bytes give %d", len(b), len(v.Str))
			}
			again, err := ParseDump(e.AppendDump(nil, v), nil, false)
			if err != nil || !bytes.Equal(again.Str, v.Str) {
				t.Fatalf("%q comes back as %q, %v", v.Str, again.Str, err)
			}
		}
	})
}

// FuzzCompress: whatever is compressed comes back, and the encoder agrees with
// one that starts from an empty table.
func FuzzCompress(f *testing.F) {
	f.Add([]byte("abcabcabcabcabcabcabcabc"), uint16(20))
	f.Add(bytes.Repeat([]byte{0}, 700), uint16(300))
	var used compressor
	f.Fuzz(func(t *testing.T, src []byte, limit uint16) {
		out, fresh := make([]byte, limit), make([]byte, limit)
		n := used.compress(out, src)
		if m := new(compressor).compress(fresh, src); m != n || !bytes.Equal(out[:n], fresh[:m]) {
			t.Fatalf("an old table changes the result: %x, %x", out[:n], fresh[:m])
		}
		back := make([]byte, len(src))
		if n > 0 && (!decompress(back, out[:n]) || !bytes.Equal(back, src)) {
			t.Fatalf("%x does not come back: %x", src, back)
		}
	})
}

// FuzzDecompress: any bytes into any length.
func FuzzDecompress(f *testing.F) {
	f.Add([]byte("\x01aa\xe0\x0a\x00"), uint16(30))
	f.Fuzz(func(t *testing.T, src []byte, length uint16) {
		if decompress(make([]byte, length), src) && !unpacksTo(src, uint64(length)) {
			t.Fatalf("%x gives %d bytes, unpacksTo does not know", src, length)
		}
	})
}

// TestCompressorWraps: the base of positions starts again before it overflows.
func TestCompressorWraps(t *testing.T) {
	src := bytes.Repeat([]byte("abcdef"), 100)
	want, got := make([]byte, 500), make([]byte, 500)
	n := new(compressor).compress(want, src)
	var c compressor
	c.compress(got, src)
	for c.base = 1<<32 - 1500; c.base > 1500; {
		if m := c.compress(got, src); m != n || !bytes.Equal(got[:m], want[:n]) {
			t.Fatalf("base %d: %x, want %x", c.base, got[:m], want[:n])
		}
	}
}

func TestDumpAllocatesNothing(t *testing.T) {
	e, s := NewEncoder(0, true), bytes.Repeat([]byte("ab"), 500)
	dst, buf := make([]byte, 0, 4096), make([]byte, 0, 4096)
	e.AppendDump(dst, Value{Str: s})
	if n := testing.AllocsPerRun(100, func() {
		if _, err := ParseDump(e.AppendDump(dst, Value{Str: s}), buf, false); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
