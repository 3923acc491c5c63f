package rdb

import (
	"hash/maphash"
	"math/bits"

	"dozo/container/listpack"
)

// seen finds elements that are there twice. Its table has where the elements are, plus
// one, by their hashes; it is kept from one value to the next.
type seen struct {
	seed  maphash.Seed
	table []uint32
}

// seenKept is the largest table that is kept.
const seenKept = 1 << 14

// twice tells whether an element of a listpack, or the first of each group of step,
// is there more than once.
func (s *seen) twice(pack []byte, step int) bool {
	if s.table == nil {
		s.seed = maphash.MakeSeed()
	}
	size := 1 << bits.Len(uint(2*listpack.Len(pack)/step))
	if size > len(s.table) {
		s.table = make([]uint32, size)
	}
	table := s.table[:size]
	clear(table)
	if size > seenKept {
		s.table = s.table[:0:0]
	}
	i := 0
	for p := listpack.First(pack); p != 0; i++ {
		v, next := listpack.Read(pack, p)
		if i%step == 0 && s.again(table, pack, p, v) {
			return true
		}
		p = next
	}
	return false
}

// again notes the element v, which is at p, or tells that it was there.
func (s *seen) again(table []uint32, pack []byte, p int, v listpack.Value) bool {
	var digits [20]byte
	text := v.Text(digits[:0])
	mask := uint64(len(table) - 1)
	for h := maphash.Bytes(s.seed, text); ; h++ {
		switch at := table[h&mask]; {
		case at == 0:
			table[h&mask] = uint32(p)
			return false
		case listpack.Get(pack, int(at)).Equal(text):
			return true
		}
	}
}
