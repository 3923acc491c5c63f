package rdb

import (
	"encoding/binary"
	"math"
	"math/bits"
)

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
	lzfNear      = 16 // references this short are copied in one step
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

// slot finds the slot for three bytes, which are the low ones of v.
func slot(v uint32) uint32 { return (v>>8 - v*5) & (lzfSlots - 1) }

// compress writes src to out and returns the length, or 0 when it does not fit.
//
// Literals are written when it is known how many there are. op is then where they begin,
// behind the control byte of their first run, which is reserved.
func (c *compressor) compress(out, src []byte) int {
	if len(src) == 0 || len(out) == 0 || uint64(len(src)) >= math.MaxUint32-1 {
		return 0
	}
	c.prepare(len(src))
	slots, base := c.slots, c.base
	c.base += uint32(len(src))
	op, from, end := 1, 0, len(src)-2
	for from < end {
		stop := end
		if afterLiterals(op, end-from) >= len(out) { // or all of them have room
			stop = min(end, from+literalsMax(len(out)-op))
		}
		at, back := find(slots, base, src, from, stop)
		if at == end {
			break
		}
		tail := (at - from) & (lzfRunMax - 1)
		if back == 0 || afterLiterals(op, at-from)+3+min(tail, 1) >= len(out) {
			return 0
		}
		n := matchLen(src, at-back, at)
		op = putReference(out, putLiterals(out, op, src, from, at), back-1, n) + 1
		if from = at + n; from < end {
			v := binary.BigEndian.Uint32(src[from-2:])
			slots[slot(v>>8)] = base + uint32(from-2)
			slots[slot(v)] = base + uint32(from-1)
		}
	}
	if afterLiterals(op, max(0, end-from))+3 > len(out) {
		return 0
	}
	return putLiterals(out, op, src, from, len(src))
}

// find looks from src[i] on for a place where three bytes repeat, which it returns with
// how far back they are. None before stop gives stop and 0.
func find(slots *[lzfSlots]uint32, base uint32, src []byte, i, stop int) (at, back int) {
	if i >= stop {
		return stop, 0
	}
	v := uint32(src[i])<<8 | uint32(src[i+1])
	here := base + uint32(i)
	for _, last := range src[i+2 : stop+2] {
		v = v<<8 | uint32(last)
		s := slot(v)
		found := slots[s]
		slots[s] = here
		if far := here - found; far <= lzfOffsetMax && found > base {
			if at := here - base; binary.BigEndian.Uint32(src[at-far:])>>8 == v&0xffffff {
				return int(at), int(far)
			}
		}
		here++
	}
	return stop, 0
}

// afterLiterals is where the output is after n literals that begin at op: each full run
// reserves the control byte of the next.
func afterLiterals(op, n int) int { return op + n + int(uint(n)/lzfRunMax) }

// literalsMax is how many literals are begun before they are found not to fit in room.
func literalsMax(room int) (n int) {
	n = max(0, room-room/(lzfRunMax+1)-1)
	for afterLiterals(0, n) < room {
		n++
	}
	return n
}

// putLiterals writes src[from:to] in runs and returns where the last one ends.
func putLiterals(out []byte, op int, src []byte, from, to int) int {
	for from < to {
		n := min(to-from, lzfRunMax)
		out[op-1] = byte(n - 1)
		if op+lzfRunMax <= len(out) && from+lzfRunMax <= len(src) {
			*(*[lzfRunMax]byte)(out[op:]) = *(*[lzfRunMax]byte)(src[from:]) // faster than fewer bytes
		} else {
			copy(out[op:op+n], src[from:to])
		}
		op, from = op+n+1, from+n
	}
	return op - 1
}

// putReference writes a reference of n bytes that begin back+1 bytes before.
func putReference(out []byte, op, back, n int) int {
	high, n := byte(back>>8), n-2
	if n < lzfLongMark {
		out[op] = high | byte(n)<<5
	} else {
		out[op] = high | lzfLongMark<<5
		op++
		out[op] = byte(n - lzfLongMark)
	}
	out[op+1] = byte(back)
	return op + 2
}

// matchLen is the length of the match between a and b, of which three bytes are
// known to agree.
func matchLen(p []byte, a, b int) int {
	const known, ahead, word = 3, 16, 8
	limit := min(len(p)-b-2, lzfMatchMax)
	if limit > ahead {
		limit = max(limit, known+ahead)
	}
	x, y := p[a:a+limit], p[b:b+limit]
	n := known
	for ; n+word <= limit; n += word {
		if diff := binary.LittleEndian.Uint64(x[n:]) ^ binary.LittleEndian.Uint64(y[n:]); diff != 0 {
			return n + bits.TrailingZeros64(diff)/8
		}
	}
	for n < limit && x[n] == y[n] {
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
// len(out) bytes. Where there is room, more is copied than is needed, since that is
// faster; what follows is written over it.
func decompress(out, src []byte) bool {
	n, i := 0, 0
	for i < len(src) {
		if ctrl := int(src[i]); ctrl < lzfRunMax {
			run := ctrl + 1
			i++
			if len(src)-i < run || len(out)-n < run {
				return false
			}
			if len(src)-i >= lzfRunMax && len(out)-n >= lzfRunMax {
				*(*[lzfRunMax]byte)(out[n:]) = *(*[lzfRunMax]byte)(src[i:])
			} else {
				copy(out[n:n+run], src[i:])
			}
			n, i = n+run, i+run
			continue
		}
		back, length, head := backReference(src[i:])
		if head == 0 || back > n || len(out)-n < length {
			return false
		}
		if back >= lzfNear && length <= lzfNear && len(out)-n >= lzfNear {
			*(*[lzfNear]byte)(out[n:]) = *(*[lzfNear]byte)(out[n-back:])
		} else {
			copyBack(out, n, back, length)
		}
		n, i = n+length, i+head
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
