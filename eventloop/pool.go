package eventloop

import "math/bits"

// Buffers come in powers of two. A loop keeps a few of each size that were given
// back, so that partial commands, slow readers and big values do not feed the
// garbage collector; what is larger than the largest size is left to it.
const (
	poolMinShift = 10 // 1 KiB
	poolMaxShift = 20 // 1 MiB
	poolClasses  = poolMaxShift - poolMinShift + 1
	poolMaxBytes = 16 << 20 // what one loop keeps in all
)

// pool is the store of spare buffers of one loop.
type pool struct {
	free  [poolClasses][][]byte
	bytes int // in free
	idle  int // the least that bytes was since the last trim
}

// get returns an empty buffer of capacity n or more: the next power of two, or n
// exactly when it is beyond the largest size.
func (p *pool) get(n int) []byte {
	class := poolClass(n)
	if class >= poolClasses {
		return make([]byte, 0, n)
	}
	list := p.free[class]
	if len(list) == 0 {
		return make([]byte, 0, 1<<(poolMinShift+class))
	}
	last := len(list) - 1
	b := list[last]
	list[last] = nil
	p.free[class] = list[:last]
	p.bytes -= cap(b)
	p.idle = min(p.idle, p.bytes)
	return b
}

// put takes a buffer back, whatever its origin; the caller must not use it again.
func (p *pool) put(b []byte) {
	size := cap(b)
	if size < 1<<poolMinShift || size > 1<<poolMaxShift || p.bytes+size > poolMaxBytes {
		return
	}
	// The class whose promise the capacity keeps: rounded down, not up.
	class := bits.Len(uint(size)) - 1 - poolMinShift
	p.free[class] = append(p.free[class], b[:0])
	p.bytes += size
}

// trim lets half of the buffers go that nobody needed since the last trim, so that
// an idle loop ends with none.
func (p *pool) trim() {
	surplus := (p.idle + 1) / 2
	for class := poolClasses - 1; class >= 0 && surplus > 0; class-- {
		list := p.free[class]
		for len(list) > 0 && surplus > 0 {
			last := len(list) - 1
			surplus -= cap(list[last])
			p.bytes -= cap(list[last])
			list[last] = nil
			list = list[:last]
		}
		p.free[class] = list
	}
	p.idle = p.bytes
}

// poolClass is the smallest class that holds n bytes.
func poolClass(n int) int {
	if n <= 1<<poolMinShift {
		return 0
	}
	return bits.Len(uint(n-1)) - poolMinShift
}
