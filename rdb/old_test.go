package rdb

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dozo/container/listpack"
	"dozo/internal/testutil"
	"dozo/object"
)

// oddFiles are files as current servers do not write them.
var oddFiles = []struct{ about, bytes, story string }{
	{"version 1: no checksum, seconds, all plain", "REDIS0001\xfe\x00\xfd\x00\x00\x00\x01\x00\x01k\x01v\x00\x01n\xc0\x05\xff", "select 0, k=v due 16777216000, n=5, end"},
	{"a time before 1970", "REDIS0002\xfe\x02\xfd\xff\xff\xff\xff\x00\x01k\x01v\xff", "select 2, k=v due -1000, end"},
	{"a list, a set, a sorted set with text scores, a hash", "REDIS0003\xfe\x00\x01\x01l\x02\x01a\x01b\x02\x01s\x01\x01m\x03\x01z\x03\x01a\x031.5\x01b\xfe\x01c\xff\x04\x01h\x01\x01f\x01v\xff",
		"select 0, l=[a b], s=[m], z=[c -Inf a 1.5 b +Inf], h=[f v], end"},
	{"a hash as a zipmap", "REDIS0004\xfe\x00\x09\x01h\x0d\x02\x01f\x02\x01v1x\x01g\x00\x00\xff\xff", "select 0, h=[f v1 g ], end"},
	{"a checksum that was turned off", "REDIS0005\xfe\x00\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00", "select 0, k=v, end"},
	{"what modules wrote is passed over", "REDIS0009\xf7\x81\x0c\x30\x82\x0c\x30\x82\x0c\x01\x02\x02\x05\x03abc\x02\x07\x04ABCDEFGH\x00\xfe\x00\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00",
		`aux of a module, select 0, k=v, end`},
	{"slots of a cluster", "REDIS0012\xfe\x00\xf4\x01\x02\x03\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00", "select 0, k=v, end"},
	{"an idle time and a frequency", "REDIS0009\xfe\x00\xf8\x40\xff\xf9\x07\x00\x01k\x01v\xff\x00\x00\x00\x00\x00\x00\x00\x00", "select 0, k=v idle 255 freq 7, end"},
	{"no checksum where there must be one", "REDIS0005\xfe\x00\x00\x01k\x01v\xff", "select 0, k=v, offset 17: the file ends in the middle, or a length in it is wrong"},
	{"a module's value", "REDIS0009\xfe\x00\x07\x01k\x81\x0c\x30\x82\x0c\x30\x82\x0c\x01\x02\x02\x00\xff\x00\x00\x00\x00\x00\x00\x00\x00",
		`select 0, offset 26, key "k" of type module-value in database 0: only the module that has the type "DDCCDDCCD" can read it, and there are no modules here`},
	{"an early module's value", "REDIS0009\xfe\x00\x06\x01k\x00\xff", `select 0, offset 14, key "k" of type module-pre-release in database 0: a release candidate of Redis 4.0 wrote it for a module, and only that can read it`},
	{"early functions", "REDIS0010\xf6\x00", `offset 10: it has a library of functions as release candidates of Redis 7.0 wrote them, which no version reads`},
	{"no type at all", "REDIS0011\xfe\x00\x08\x01k\x01v", `select 0, offset 12, key "" of type unknown in database 0: there is neither a type nor a mark with the number 8`},
	{"a later mark", "REDIS0011\xf0\x00", `offset 10, key "" of type unknown in database 0: there is neither a type nor a mark with the number 240`},
	{"a later version", "REDIS0013\xff", `offset 9: Can't handle RDB format version 13: the newest that is known here is 12, a newer server has written it`},
	{"no version", "REDISxxxx\xff", `offset 9: its version is "xxxx", which is no number`},
	{"another kind of file", "*1\r\n$4\r\nPING\r\n", `offset 9: Wrong signature trying to load DB from file: it begins with "*1\r\n$4\r\nP", not with "REDIS"`},
	{"nothing", "", `offset 0: the file ends in the middle, or a length in it is wrong`},
	{"a key of a petabyte", "REDIS0011\xfe\x00\x00\x81\x00\x04\x00\x00\x00\x00\x00\x00k", `select 0, offset 21, key "" of type string in database 0: the file ends in the middle, or a length in it is wrong`},
	{"a list without elements", "REDIS0009\xfe\x00\x01\x01l\x00\xff", `select 0, offset 15, key "l" of type list-linked in database 0: it has no elements, offset 16: the file ends in the middle, or a length in it is wrong`},
	{"a member twice", "REDIS0009\xfe\x00\x02\x01s\x02\x01a\x01a\xff", `select 0, offset 19, key "s" of type set-hashtable in database 0: integrity check failed: an element is there twice`},
}

func TestOddFiles(t *testing.T) {
	s := newShelf(t)
	for _, f := range oddFiles {
		got := s.story(strings.NewReader(f.bytes), int64(len(f.bytes)))
		if got != f.story {
			t.Errorf("%s:\n%s\nand not\n%s", f.about, got, f.story)
		}
	}
}

// story tells in words what a file has.
func (s *shelf) story(in io.Reader, size int64) string {
	r := NewReader(in, ReaderOptions{Size: size})
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	var it Item
	for it.Kind = Key; it.Kind != End; {
		if err := r.Next(&it); err != nil {
			add("%v", err)
			break
		}
		switch it.Kind {
		case End:
			add("end")
		case Database:
			add("select %d", it.DB)
		case ModuleAux:
			add("aux of a module")
		case Key:
			var d object.Draft
			err := r.ReadRecord(&s.Builder, s.place(), &d)
			if errors.Is(err, ErrEmpty) {
				add("%v", err)
				continue
			}
			if err != nil {
				add("%v", err)
				return strings.Join(parts, ", ")
			}
			text := fmt.Sprintf("%s=%s", it.Name, contents(&d.Cell))
			if it.Dated {
				text += fmt.Sprintf(" due %d", it.Deadline)
			}
			if it.Idle >= 0 {
				text += fmt.Sprintf(" idle %d", it.Idle)
			}
			if it.Freq >= 0 {
				text += fmt.Sprintf(" freq %d", it.Freq)
			}
			add("%s", text)
			g := d.Discard()
			g.FreeSome(s.heap, math.MaxInt)
		}
	}
	return strings.Join(parts, ", ")
}

// contents is a value in words.
func contents(c *object.Cell) string {
	var words []string
	add := func(v listpack.Value) bool {
		words = append(words, string(v.Append(nil)))
		return true
	}
	switch c.Type() {
	case object.String:
		return string(c.Bytes(make([]byte, 20)))
	case object.List:
		object.ListValue{Cell: c}.Each(add)
	case object.Set:
		object.SetValue{Cell: c}.Each(add)
	case object.Hash:
		object.HashValue{Cell: c}.Each(func(f, v listpack.Value) bool { return add(f) && add(v) })
	case object.ZSet:
		object.ZSetValue{Cell: c}.Each(func(s object.Scored) bool {
			add(s.Member)
			words = append(words, fmt.Sprint(s.Score()))
			return true
		})
	}
	return fmt.Sprint(words)
}

// TestFilesOfOldVersions reads the files that old servers wrote, which lie beside the
// checkout.
func TestFilesOfOldVersions(t *testing.T) {
	folder := filepath.Join(testutil.Root(), "..", "shared", "testdata", "rdb")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the files of old versions are not there: %v", err)
	}
	s := newShelf(t)
	for name, want := range oldFiles {
		file, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Error(err)
			continue
		}
		got := s.story(bytes.NewReader(file), int64(len(file)))
		for _, part := range append(want, "select 0, ") {
			if !strings.Contains(got, part) && name != "scriptbackup.rdb" {
				t.Errorf("%s:\n%q\nhas no %q", name, got, part)
			}
		}
	}
}

// oldFiles are what the files of old versions must give, in parts, since members of
// sets and the like have no order.
var oldFiles = map[string][]string{
	"hash-zipmap.rdb":    {"hash=[f1 v1 f2 v2], end"},
	"hash-ziplist.rdb":   {"hash=[f1 v1 f2 v2], end"},
	"list-quicklist.rdb": {"list=[7], x=7, end"},
	"zset-ziplist.rdb":   {"zset=[one 1 two 2], end"},
	"rdb-preamble.aof":   {"k2=v2, k1=v1, end"},
	"scriptbackup.rdb":   {},
	"encodings.rdb": {
		"zset=[a 1 b 2 c 3 aa 10 bb 20 cc 30 aaa 100 bbb 200 ccc 300 aaaa 1000 cccc 1.23456789e+08 bbbb 5e+09], ",
		"set_zipped_1=[1 2 3 4], ", "list_zipped=[1 2 3 a b c 100000 6000000000], ", "string=Hello World, ", "compressible=" + strings.Repeat("a", 100),
		"set_zipped_2=[100000 200000 300000 400000], ", "number=10, ", "set_zipped_3=[1000000000 2000000000 3000000000 4000000000 5000000000 6000000000], ",
		"list=[1 2 3 a b c 100000 6000000000 1 2 3 a b c 100000 6000000000 1 2 3 a b c 100000 6000000000], ",
		"hash_zipped=[a 1 b 2 c 3], ", "zset_zipped=[a 1 b 2 c 3], ", "ddd 400", "eee 5000000000", "aa 10", "6000000000", ", end",
	},
	"corrupt_empty_keys.rdb": {
		`"set" of type set-hashtable in database 0: it has no elements, `, `"hash" of type hash-hashtable in database 0: it has no elements, `,
		`"list_ziplist" of type list-ziplist in database 0: it has no elements, `, `"zset" of type zset-v2 in database 0: it has no elements, `,
		`"zset_listpack" of type zset-listpack in database 0: it has no elements, `, `"hash_ziplist" of type hash-listpack in database 0: it has no elements, `,
		`"list_quicklist" of type quicklist in database 0: it has no elements, `, `"zset_ziplist" of type zset-ziplist in database 0: it has no elements, `,
		`"list_quicklist_empty_ziplist" of type quicklist in database 0: it has no elements, end`,
	},
	"corrupt_ziplist.rdb": {
		"counter:000000000026=1, ", `offset 494, key "key:000000000091" of type hash-ziplist in database 0: ziplist integrity check failed`,
	},
}
