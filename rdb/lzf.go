package rdb

import "math"

// LZF, Marc Lehmann's small and fast compression: literal runs and references
// back into the last 8 KiB, found by a hash of three bytes.
//
//	000LLLLL                      L+1 literal bytes follow (1..32)
//	LLLooooo oooooooo             L+2 bytes (3..8) from o+1 back, 1 <= L <= 6
//	111ooooo LLLLLLLL oooooooo    L+9 bytes (9..264) from o+1 back
//
// Any decoder reads what any encoder writes. But DUMP payloads and files are
// compared byte by byte, so this encoder takes the very decisions of the one in
// Redis (65536 slots, its "very fast" mode):
//
//   - slots hold one position and are overwritten, never chained;
//   - a match may not begin at position 0, must agree in three bytes, and ends
//     two bytes before the end of the input (except that 3 bytes, or 19 when more
//     than 18 are left, are compared before that limit is looked at);
//   - inside a match only its last two positions enter the table;
//   - the output limit is checked where the original checks it, including the
//     reserved control byte of the run that is open, so that the two agree on
//     what is "not compressible".
//
// LIMITATIONS: the original does not clear its table between calls, so that left
// over positions of an earlier input at the same address can yield a match that
// a cleared table does not; here each call begins with an empty table, and the
// result depends on the input alone. Strings of 4 GiB and more are not compressed.

const (
	lzfSlots     = 1 << 16
	lzfRunMax    = 32
	lzfOffsetMax = 1 << 13
	lzfMatchMax  = 264
	lzfLongMark  = 7
)

// compressor holds the table of positions. To clear it costs more than to
// compress a short string, so each call counts its positions from a new base,
// and everything below the base is from an earlier call.
type compressor struct {
	slots *[lzfSlots]uint32
	base  uint32
}

func (c *compressor) prepare(n int) {
	if c.slots == nil {
		c.slots, c.base = new([lzfSlots]uint32), 1
	}
	if uint64(c.base)+uint64(n) > math.MaxUint32 {
		clear(c.slots[:])
		c.base = 1
	}
}

// slot finds the slot for the three bytes at p[i].
func slot(p []byte, i int) uint32 {
	h := uint32(p[i])<<16 | uint32(p[i+1])<<8 | uint32(p[i+2])
	return (h>>8 - h*5) & (lzfSlots - 1)
}

// lzfRun is the output: out[:op] is written, of which the last lit bytes are
// literals behind a control byte that is set when the run ends.
type lzfRun struct {
	out     []byte // len(out) is the limit
	op, lit int
}

// literal adds one byte; there must be room.
func (r *lzfRun) literal(b byte) {
	r.out[r.op] = b
	r.op++
	r.lit++
	if r.lit == lzfRunMax {
		r.end()
		r.op++
	}
}

// end closes the open run and takes its control byte back if it is empty.
func (r *lzfRun) end() {
	if r.lit == 0 {
		r.op--
		return
	}
	r.out[r.op-r.lit-1] = byte(r.lit - 1)
	r.lit = 0
}

// reference adds a reference of n bytes that begin back+1 bytes before, and opens
// a new run. It fails when there is no room.
func (r *lzfRun) reference(back, n int) bool {
	if op := r.op; r.lit == 0 && op+3 >= len(r.out) || r.lit != 0 && op+4 >= len(r.out) {
		return false
	}
	r.end()
	high, n := byte(back>>8), n-2
	if n < lzfLongMark {
		r.put(high | byte(n)<<5)
	} else {
		r.put(high | lzfLongMark<<5)
		r.put(byte(n - lzfLongMark))
	}
	r.put(byte(back))
	r.op++
	return true
}

func (r *lzfRun) put(b byte) {
	r.out[r.op] = b
	r.op++
}

// compress writes src to out and returns the length, or 0 when it does not fit.
func (c *compressor) compress(out, src []byte) int {
	if len(src) == 0 || len(out) == 0 || uint64(len(src)) >= math.MaxUint32-1 {
		return 0
	}
	c.prepare(len(src))
	r := lzfRun{out: out, op: 1}
	slots, base, end := c.slots, c.base, len(src)-2
	c.base += uint32(len(src))
	i := 0
	for i < end {
		s := slot(src, i)
		found := slots[s]
		slots[s] = base + uint32(i)
		if at := int(found - base); found > base && i-at <= lzfOffsetMax && same3(src, at, i) {
			n := matchLen(src, at, i)
			if !r.reference(i-at-1, n) {
				return 0
			}
			if i += n; i < end {
				slots[slot(src, i-2)] = base + uint32(i-2)
				slots[slot(src, i-1)] = base + uint32(i-1)
			}
			continue
		}
		if r.op >= len(out) {
			return 0
		}
		r.literal(src[i])
		i++
	}
	if r.op+3 > len(out) {
		return 0
	}
	for ; i < len(src); i++ {
		r.literal(src[i])
	}
	r.end()
	return r.op
}

func same3(p []byte, a, b int) bool {
	return p[a] == p[b] && p[a+1] == p[b+1] && p[a+2] == p[b+2]
}

// matchLen is the length of the match between a and b, of which three bytes are
// known to agree.
func matchLen(p []byte, a, b int) int {
	const known, ahead = 3, 16
	limit := min(len(p)-b-2, lzfMatchMax)
	if limit > ahead {
		limit = max(limit, known+ahead)
	}
	n := known
	for n < limit && p[a+n] == p[b+n] {
		n++
	}
	return n
}

// unpacksTo tells whether src gives just length bytes, if its references are sound:
// to be asked before memory is taken for them.
func unpacksTo(src []byte, length uint64) bool {
	for len(src) > 0 {
		n, head := int(src[0])+1, int(src[0])+2
		if src[0] >= lzfRunMax {
			_, n, head = backReference(src)
		}
		if head == 0 || head > len(src) || uint64(n) > length {
			return false
		}
		src, length = src[head:], length-uint64(n)
	}
	return length == 0
}

// decompress fills out from src and reports whether src is sound and gives just
// len(out) bytes.
func decompress(out, src []byte) bool {
	n := 0
	for len(src) > 0 {
		ctrl := int(src[0])
		if ctrl < lzfRunMax {
			run := ctrl + 1
			if len(src) <= run || len(out)-n < run {
				return false
			}
			n += copy(out[n:], src[1:run+1])
			src = src[run+1:]
			continue
		}
		back, length, head := backReference(src)
		if head == 0 || back > n || len(out)-n < length {
			return false
		}
		copyBack(out, n, back, length)
		n += length
		src = src[head:]
	}
	return n == len(out)
}

// backReference reads the reference at the start of src; head is the number of its
// bytes, 0 when src is too short.
func backReference(src []byte) (back, length, head int) {
	length, head = int(src[0]>>5)+2, 2
	if length == lzfLongMark+2 {
		if len(src) < 3 {
			return 0, 0, 0
		}
		length, head = length+int(src[1]), 3
	}
	if len(src) < head {
		return 0, 0, 0
	}
	return (int(src[0]&0x1f)<<8 | int(src[head-1])) + 1, length, head
}

// copyBack copies length bytes that begin back bytes before out[n] to out[n]. Where
// the two overlap the bytes just written are read again; as they repeat with the
// period back, twice as many can be copied each time.
func copyBack(out []byte, n, back, length int) {
	for length > 0 {
		done := copy(out[n:n+length], out[n-back:n])
		n, back, length = n+done, back+done, length-done
	}
}
