package rdb

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"

	"dozo/object"
)

// ziplistOf makes a ziplist of heads with their data.
func ziplistOf(entries ...string) string {
	body, before, last := "", 0, ziplistHeader
	for _, e := range entries {
		last = ziplistHeader + len(body)
		head := []byte{byte(before)}
		if before >= ziplistFar {
			head = binary.LittleEndian.AppendUint32([]byte{ziplistFar}, uint32(before))
		}
		body += string(head) + e
		before = len(head) + len(e)
	}
	out := binary.LittleEndian.AppendUint32(nil, uint32(ziplistHeader+len(body)+1))
	out = binary.LittleEndian.AppendUint32(out, uint32(last))
	out = binary.LittleEndian.AppendUint16(out, uint16(len(entries)))
	return string(out) + body + "\xff"
}

// oldEntries are ziplist entries of every form, and what they mean.
var (
	oldEntries = []string{
		"\x01a", "\xf1", "\xfd", "\xfe\x80", "\xc0\x00\x80", "\xf0\xff\xff\x7f", "\xd0\x00\x00\x00\x80", "\xe0\xff\xff\xff\xff\xff\xff\xff\x7f",
		"\x00", "\x41\x00" + strings.Repeat("m", 256), "\x80\x00\x00\x40\x00" + strings.Repeat("l", 1<<14), "\x0212",
	}
	oldMeaning = []string{
		"a", "0", "12", "-128", "-32768", "8388607", "-2147483648", "9223372036854775807",
		"", strings.Repeat("m", 256), strings.Repeat("l", 1<<14), "12",
	}
)

// TestOldLists: lists as they were written before Redis 7.0.
func TestOldLists(t *testing.T) {
	s := newShelf(t)
	plain := string(AppendLen([]byte{byte(TypeList)}, uint64(len(oldMeaning))))
	for _, e := range oldMeaning {
		plain += string(AppendLen(nil, uint64(len(e)))) + e
	}
	zip := ziplistOf(oldEntries...)
	zip = string(AppendLen(nil, uint64(len(zip)))) + zip
	for name, body := range map[string]string{
		"one by one": plain, "ziplist": string(rune(TypeListZiplist)) + zip, "ziplists": string(rune(TypeListQuicklist)) + "\x02" + zip + zip,
	} {
		var d object.Draft
		in := NewDecoder([]byte(body))
		if err := s.Object(&in, s.place(), &d); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		v := object.ListValue{Cell: &d.Cell}
		for i := range v.Len() {
			x, _ := v.At(i)
			if want := oldMeaning[i%len(oldMeaning)]; string(x.Append(nil)) != want {
				t.Errorf("%s: element %d is %.40q, want %.40q", name, i, x.Append(nil), want)
			}
		}
		if n := v.Len(); n != len(oldMeaning) && n != 2*len(oldMeaning) {
			t.Errorf("%s: %d elements", name, n)
		}
		g := d.Discard()
		g.FreeSome(s.heap, math.MaxInt)
	}
}

// TestDamagedZiplists: no changed byte makes a ziplist read beyond its end, and what
// is not one is refused.
func TestDamagedZiplists(t *testing.T) {
	good := ziplistOf(oldEntries[:9]...)
	if _, ok := listpackOf([]byte(good)); !ok {
		t.Fatal("a good ziplist is refused")
	}
	for _, kind := range []Type{TypeListZiplist, TypeListQuicklist} {
		if _, _, err := newShelf(t).read([]byte{byte(kind), 1, 0}); !errors.Is(err, ErrFormat) {
			t.Errorf("type %d with an empty text: %v", kind, err)
		}
	}
	for i := range good {
		if _, ok := listpackOf([]byte(good[:i])); ok {
			t.Errorf("a ziplist cut after %d bytes is taken", i)
		}
		for _, b := range []byte{0, 1, 0x3f, 0x7f, 0x80, 0xbf, 0xc0, 0xff} {
			bad := []byte(good)
			bad[i] = b
			listpackOf(bad)
		}
	}
	for _, bad := range []string{ziplistOf("\xff"), ziplistOf("\xf0"), ziplistOf("\x05a"), ziplistOf("\xf0ab"), "\x0b\x00\x00\x00\x0a\x00\x00\x00\x01\x00\xff"} {
		if _, ok := listpackOf([]byte(bad)); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestOldHashes: hashes as they were written before Redis 7.0.
func TestOldHashes(t *testing.T) {
	s := newShelf(t)
	body := func(entries ...string) []byte {
		return NewEncoder(0, true).AppendString([]byte{byte(TypeHashZiplist)}, []byte(ziplistOf(entries...)))
	}
	now, _, err := s.read(body("\x01a", "\x01b", "\xf1", "\x0212"))
	want := "\x10\x11\x11\x00\x00\x00\x04\x00\x81a\x02\x81b\x02\x00\x01\x0c\x01\xff"
	if err != nil || string(now) != want {
		t.Errorf("%x, %v; want %x", now, err, want)
	}
	many := make([]string, 0, 20)
	for i := range 10 {
		many = append(many, string([]byte{1, byte('a' + i)}), "\xf1")
	}
	if now, _, err = s.read(body(many...)); err != nil || Type(now[0]) != TypeHash {
		t.Errorf("many fields: %x, %v", now, err)
	}
	for name, entries := range map[string][]string{"odd": {"\x01a"}, "none": {}, "twice": {"\x01a", "\x01b", "\x01a", "\x01b"}} {
		s.Deep = name == "odd"
		if _, _, err := s.read(body(entries...)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
