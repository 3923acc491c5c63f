package check

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"dozo/rdb"
)

// rdbStats counts what a file has.
type rdbStats struct {
	keys, expires, expired, empty, functions int64

	databases map[int]*keyStats
	types     map[rdb.Type]*keyStats
}

// keyStats is of the keys of one database, or of one type.
type keyStats struct {
	keys, expires, bytes int64
	largest              int64
	largestName          []byte
}

func newRDBStats() *rdbStats {
	return &rdbStats{databases: map[int]*keyStats{}, types: map[rdb.Type]*keyStats{}}
}

// add counts a key that takes size bytes of the file.
func (s *rdbStats) add(it *rdb.Item, size int64) {
	of(s.databases, it.DB).add(it, size)
	of(s.types, it.Type).add(it, size)
}

func of[K comparable](m map[K]*keyStats, k K) *keyStats {
	if m[k] == nil {
		m[k] = &keyStats{}
	}
	return m[k]
}

func (k *keyStats) add(it *rdb.Item, size int64) {
	k.keys++
	k.bytes += size
	if it.Dated {
		k.expires++
	}
	if size > k.largest {
		k.largest, k.largestName = size, bytes.Clone(it.Name)
	}
}

// print tells it database by database, and type by type, the largest first.
func (s *rdbStats) print(w io.Writer) {
	for _, db := range slices.Sorted(maps.Keys(s.databases)) {
		fmt.Fprintf(w, "[info] database %-3d %s\n", db, s.databases[db])
	}
	bySize := func(a, b rdb.Type) int {
		return cmp.Or(cmp.Compare(s.types[b].bytes, s.types[a].bytes), cmp.Compare(a, b))
	}
	for _, t := range slices.SortedFunc(maps.Keys(s.types), bySize) {
		fmt.Fprintf(w, "[info] %-7s as %-15s %s\n", t.Object(), t, s.types[t])
	}
}

func (k *keyStats) String() string {
	return fmt.Sprintf("%d keys, %d with expire, %s, the largest %.60q with %s",
		k.keys, k.expires, bytesText(k.bytes), k.largestName, bytesText(k.largest))
}

// bytesText is a size for people to read, exact up to a megabyte.
func bytesText(n int64) string {
	const mega = 1 << 20
	if n < mega {
		return strconv.FormatInt(n, 10) + " bytes"
	}
	return fmt.Sprintf("%.1f MB", float64(n)/mega)
}
