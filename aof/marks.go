package aof

import (
	"math"
	"slices"
	"strconv"
	"sync"
)

// marks remembers which second began at which offset of the log, for the
// annotations of aof-timestamp-enabled. They are taken when a second begins, not
// when the bytes are written, so a slow disk does not shift them. Offsets that
// are marked are ends of units, so an annotation never falls into one.
type marks struct {
	mu   sync.Mutex
	list []mark
}

type mark struct {
	offset uint64
	second int64
}

// marksMax bounds the list while nothing can be written; beyond it the older
// half is thinned out.
const marksMax = 4096

// add notes that what follows offset happens at second or later.
func (m *marks) add(offset uint64, second int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.list)
	if n > 0 && m.list[n-1].offset > offset { // of another history
		m.list, n = m.list[:0], 0
	}
	switch {
	case n > 0 && m.list[n-1].second >= second:
		return
	case n > 0 && m.list[n-1].offset == offset:
		m.list[n-1].second = second
		return
	case n == marksMax:
		m.thin()
	}
	m.list = append(m.list, mark{offset, second})
}

// thin drops every second mark of the older half.
func (m *marks) thin() {
	kept := m.list[:0]
	for i, k := range m.list {
		if i >= marksMax/2 || i%2 == 1 {
			kept = append(kept, k)
		}
	}
	m.list = kept
}

// at is the second to write at an offset, 0 if none begins there, and the offset
// of the mark that follows.
func (m *marks) at(offset uint64) (second int64, next uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := slices.BinarySearchFunc(m.list, offset, func(k mark, o uint64) int {
		switch {
		case k.offset < o:
			return -1
		case k.offset > o:
			return 1
		}
		return 0
	})
	if found {
		second = m.list[i].second
		i++
	}
	if i == len(m.list) {
		return second, math.MaxUint64
	}
	return second, m.list[i].offset
}

// drop forgets the marks before an offset.
func (m *marks) drop(offset uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := 0
	for i < len(m.list) && m.list[i].offset < offset {
		i++
	}
	m.list = slices.Delete(m.list, 0, i)
}

// AppendAnnotation appends the line that says that what follows it happened in a second
// since the epoch, or later.
func AppendAnnotation(dst []byte, second int64) []byte {
	dst = append(dst, "#TS:"...)
	return append(strconv.AppendInt(dst, second, 10), '\r', '\n')
}
