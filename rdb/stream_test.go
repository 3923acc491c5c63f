package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"

	"dozo/container/stream"
	"dozo/object"
)

// stream is a stream of n entries, some of them deleted, with groups.
func (s *shelf) stream(n int) *object.Draft {
	d := new(object.Draft)
	d.Begin(s.place(), s.place().NewStream())
	at := object.StreamValue{Cell: &d.Cell}.Open()
	var ids []stream.ID
	for i := range n {
		id := stream.ID{Ms: uint64(1000 + i/3), Seq: uint64(i)}
		words := [][]byte{[]byte("field"), strconv.AppendInt(nil, int64(i), 10), []byte("other"), bytes.Repeat([]byte("x"), i%30)}
		if err := at.Append(id, s.Limits.Stream, words[:2+2*(i/5%2)]); err != nil {
			s.t.Fatal(err)
		}
		if i%7 == 3 {
			at.Delete(id)
		}
		ids = append(ids, id)
	}
	for i, name := range []string{"", "12", "workers-of-a-group-with-a-long-name"} {
		g, _ := at.CreateGroup([]byte(name), stream.ID{Ms: uint64(i)}, int64(i-1))
		for j := range i * 2 {
			who, _ := g.CreateConsumer(fmt.Append(nil, "consumer", j), int64(j))
			for k := j; k < len(ids); k += 3 {
				at.Advance(&g, ids[k])
				g.Deliver(&who, ids[k], int64(k))
			}
		}
	}
	return d
}

// streams are streams as all versions write them.
func (s *shelf) streams(n int) (bodies [][]byte) {
	d := s.stream(n)
	for v := stream2Version - 1; v <= stream3Version; v++ {
		bodies = append(bodies, NewEncoder(v, v == stream3Version).AppendObject(nil, &d.Cell))
	}
	g := d.Discard()
	g.FreeSome(s.heap, math.MaxInt)
	return bodies
}

// TestStreams: what is written reads back, and no shorter form of it is read.
func TestStreams(t *testing.T) {
	s := newShelf(t)
	s.Limits.Stream = object.StreamLimits{NodeEntries: 4}
	for _, n := range []int{0, 1, 3, 40} {
		bodies := s.streams(n)
		for i, want := range []Type{TypeStream, TypeStream2, TypeStream3} {
			if Type(bodies[i][0]) != want {
				t.Errorf("type %d, want %d", bodies[i][0], want)
			}
			now, old, err := s.read(bodies[i])
			if err != nil {
				t.Fatalf("%x: %v", bodies[i], err)
			}
			if i == 2 && !bytes.Equal(now, bodies[i]) || i == 1 && !bytes.Equal(old, bodies[i]) {
				t.Errorf("%x comes back as %x, %x", bodies[i], now, old)
			}
			for cut := range bodies[i] {
				if _, _, err := s.read(bodies[i][:cut]); err == nil {
					t.Errorf("%x is read although it ends after %d bytes", bodies[i], cut)
				}
			}
		}
	}
}

// withGroups is a stream of one node with one entry, 1-0 with a field f of value v, and
// what follows the state.
func withGroups(groups string) []byte {
	body := "\x13\x01\x10\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00" +
		"\x1d\x1d\x00\x00\x00\x0a\x00\x01\x01\x00\x01\x01\x01\x81f\x02\x00\x01\x02\x01\x00\x01\x00\x01\x81v\x02\x04\x01\xff" +
		"\x01\x01\x00\x01\x00\x00\x00\x01"
	return []byte(body + groups)
}

const (
	oneZero = "\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"
	time1   = "\x01\x00\x00\x00\x00\x00\x00\x00"
	pend1   = oneZero + time1 + "\x01"
)

// TestDamagedGroups: groups whose two accounts of what is pending do not agree.
func TestDamagedGroups(t *testing.T) {
	s := newShelf(t)
	for groups, good := range map[string]bool{
		"\x00":                          true,
		"\x01\x01g\x01\x00\x01\x00\x00": true,
		"\x01\x01g\x01\x00\x01\x01" + pend1 + "\x01\x01c" + time1 + "\x01" + oneZero:                                      true,
		"\x01\x01g\x01\x00\x01\x01" + pend1 + "\x00":                                                                      false, // nobody has it
		"\x01\x01g\x01\x00\x01\x00" + "\x01\x01c" + time1 + "\x01" + oneZero:                                              false, // the group does not know it
		"\x01\x01g\x01\x00\x01\x02" + pend1 + pend1 + "\x01\x01c" + time1 + "\x01" + oneZero:                              false,
		"\x01\x01g\x01\x00\x01\x01" + pend1 + "\x01\x01c" + time1 + "\x02" + oneZero + oneZero:                            false,
		"\x01\x01g\x01\x00\x01\x01" + pend1 + "\x02\x01c" + time1 + "\x01" + oneZero + "\x01d" + time1 + "\x01" + oneZero: false, // two have it
		"\x01\x01g\x01\x00\x01\x00\x02\x01c" + time1 + "\x00\x01c" + time1 + "\x00":                                       false,
		"\x02\x01g\x01\x00\x01\x00\x00\x01g\x01\x00\x01\x00\x00":                                                          false,
		"\x01\x01g\x01\x00\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff" + pend1 + "\x00":                                      false,
		"\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01g\x01\x00\x01\x00\x00":                                                   false,
	} {
		if _, _, err := s.read(withGroups(groups)); err == nil != good || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v", groups, err)
		}
	}
	for at, c := range map[int]byte{2: 15, 20: 0, 26: 2, 28: 1} {
		b := withGroups("\x00")
		if b[at] = c; b[at] == withGroups("\x00")[at] {
			t.Fatalf("nothing is damaged at %d", at)
		}
		if _, _, err := s.read(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%d at %d: %v", c, at, err)
		}
	}
}

// TestStreamsAgainstRedis exchanges payloads with a genuine server: both write the
// same bytes.
func TestStreamsAgainstRedis(t *testing.T) {
	r, c := random(t), oracle(t, "--rdbcompression", "no", "--stream-node-max-entries", "5")
	s := newShelf(t)
	for range 60 {
		c.MustOK("DEL", "s")
		for i := range 1 + r.IntN(40) {
			c.MustOK("XADD", "s", fmt.Sprintf("%d-%d", 1+i/3, i), "f", strconv.Itoa(i), "g"+strconv.Itoa(r.IntN(3)), "text")
			streamCall(r, func(words ...string) { c.Do(words...) })
		}
		payload := []byte(c.MustOK("DUMP", "s").Str)
		body, _, err := CheckDump(payload, false)
		if err != nil {
			t.Fatal(err)
		}
		now, old, err := s.read(body)
		if err != nil || !bytes.Equal(old, body) {
			t.Fatalf("redis %x\nhere  %x, %v", body, old, err)
		}
		if again, old, err := s.read(now); err != nil || !bytes.Equal(again, now) || len(old) != len(body) {
			t.Fatalf("%x comes back as %x, %v", now, again, err)
		}
		info := c.MustOK("XINFO", "STREAM", "s", "FULL").String()
		c.MustOK("RESTORE", "s", "0", string(NewEncoder(10, false).AppendFooter(old, 0)), "REPLACE")
		if back := c.MustOK("XINFO", "STREAM", "s", "FULL").String(); back != info {
			t.Fatalf("redis had %s\nand has  %s", info, back)
		}
	}
}

// streamCall does something with the groups and entries of s.
func streamCall(r *rand.Rand, do func(words ...string)) {
	group, id := "g"+strconv.Itoa(r.IntN(3)), fmt.Sprintf("%d-%d", 1+r.IntN(12), r.IntN(40))
	switch r.IntN(8) {
	case 0:
		do("XGROUP", "CREATE", "s", group, "0")
	case 1, 2, 3:
		do("XREADGROUP", "GROUP", group, "c"+strconv.Itoa(r.IntN(4)), "COUNT", "3", "STREAMS", "s", ">")
	case 4:
		do("XDEL", "s", id)
	case 5:
		do("XACK", "s", group, id)
	case 6:
		do("XTRIM", "s", "MAXLEN", strconv.Itoa(r.IntN(30)))
	default:
		do("XCLAIM", "s", group, "c0", "0", id, "FORCE")
	}
}
