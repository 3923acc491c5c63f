package listpack

import (
	"bytes"
	"slices"
	"testing"
)

// TestEnds pushes and drops at the front of a listpack that lies at the end of its
// memory, and copies a part of it, against the same done to a slice.
func TestEnds(t *testing.T) {
	r := random(t)
	for range 300 {
		buf := make([]byte, 4096)
		lead := len(buf) - EmptySize
		AppendEmpty(buf[lead:lead])
		var twin []string
		for range r.IntN(60) {
			if r.IntN(3) == 0 {
				n := r.IntN(len(twin) + 3)
				rest := DropFirst(buf[lead:], n)
				lead = len(buf) - len(rest)
				twin = twin[min(n, len(twin)):]
			}
			s := word(r)
			e := String([]byte(s))
			if e.Size() > lead {
				break
			}
			var b []byte
			if IsWord([]byte(s)) {
				b = PrependWord(buf, lead, []byte(s))
				if other := Append(AppendEmpty(nil), &e); !bytes.Equal(other, AppendWord(slices.Grow(AppendEmpty(nil), e.Size()), []byte(s))) {
					t.Fatalf("AppendWord(%q) is not %x", s, other)
				}
			} else {
				b = PrependInto(buf, lead, &e)
			}
			lead -= e.Size()
			twin = slices.Insert(slices.Clone(twin), 0, s)
			if len(b) != len(buf)-lead {
				t.Fatalf("PrependInto gives %d bytes, want %d", len(b), len(buf)-lead)
			}
			check(t, b, twin)
		}
		if len(twin) == 0 {
			continue
		}
		check(t, DropLast(slices.Clone(buf[lead:])), twin[:len(twin)-1])
		i := r.IntN(len(twin))
		part := AppendFrom([]byte("before"), buf[lead:], Seek(buf[lead:], i), len(twin)-i)
		check(t, bytes.TrimPrefix(part, []byte("before")), twin[i:])
		s := twin[r.IntN(len(twin))] + []string{"", "x"}[r.IntN(2)]
		at, passed := FindNext(buf[lead:], Seek(buf[lead:], i), []byte(s))
		if n := slices.Index(twin[i:], s); n >= 0 && (passed != n || at != Seek(buf[lead:], i+n)) || n < 0 && (at != 0 || passed != len(twin)-i) {
			t.Fatalf("FindNext(%q) passes %d and is at %d, want %d from %d on", s, passed, at, n, i)
		}
	}
}
