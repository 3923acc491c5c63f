package hll

import "dozo/text"

// The sparse code is a sequence of opcodes that together cover all registers:
//
//	00nnnnnn           n+1 registers that are 0         (ZERO, 1..64)
//	01nnnnnn nnnnnnnn  n+1 registers that are 0         (XZERO, 1..16384)
//	1vvvvvnn           n+1 registers that are v+1       (VAL, values 1..32)
//
// To set a register, the opcode that covers it is split into up to three, then
// equal neighbours are merged again. The merge looks at five opcodes from the one
// before the split on, and joins two VALs only if the sum fits one. So the bytes
// depend on the history and not on the registers alone, and this code makes the
// same splits and merges as Redis does, no better ones.
const (
	xzeroMark    = 0x40
	valMark      = 0x80
	zeroRunMax   = 64
	valRunMax    = 4
	sparseMost   = 32 // largest register value
	mergeOpcodes = 5
	splitMax     = 5 // bytes: XZERO VAL XZERO
)

// opcode is one opcode, read.
type opcode struct {
	value uint8 // 0 for ZERO and XZERO
	run   int   // registers
	size  int   // bytes; 0 when cut off
}

func readOpcode(p []byte) opcode {
	switch c := p[0]; {
	case c >= valMark:
		return opcode{value: c>>2&0x1f + 1, run: int(c&3) + 1, size: 1}
	case c < xzeroMark:
		return opcode{run: int(c) + 1, size: 1}
	case len(p) >= 2:
		return opcode{run: (int(c&0x3f)<<8 | int(p[1])) + 1, size: 2}
	}
	return opcode{}
}

// appendZeros appends n registers that are 0, n > 0.
func appendZeros(dst []byte, n int) []byte {
	if n <= zeroRunMax {
		return append(dst, byte(n-1))
	}
	return append(dst, xzeroMark|byte((n-1)>>8), byte(n-1))
}

func valOpcode(value uint8, run int) byte {
	return valMark | (value-1)<<2 | byte(run-1)
}

// spot is where a register is in the code.
type spot struct {
	at    int // offset of the opcode that covers it
	prev  int // offset of the opcode before, or of this one if it is the first
	first int // the first register that it covers
	op    opcode
}

// spans is the run of each one-byte opcode, and 0 for XZERO: a load in place of a
// branch that cannot be predicted.
var spans = makeSpans()

func makeSpans() (t [256]uint8) {
	for c := range t {
		if c < xzeroMark || c >= valMark {
			t[c] = uint8(readOpcode([]byte{byte(c)}).run)
		}
	}
	return t
}

// findSpot walks to a register. This is where the time goes in large sparse values.
func findSpot(b []byte, index int) (s spot, ok bool) {
	at, prev, first := HeaderSize, HeaderSize, 0
	for at < len(b) {
		run, size := int(spans[b[at]]), 1
		if run == 0 {
			op := readOpcode(b[at:])
			if op.size == 0 {
				break
			}
			run, size = op.run, op.size
		}
		if index < first+run {
			return spot{at: at, prev: prev, first: first, op: readOpcode(b[at:])}, true
		}
		prev = at
		at += size
		first += run
	}
	return spot{}, false
}

// sparseSet raises a register to rank if it is lower.
func sparseSet(b []byte, index int, rank uint8, sparseMax int) (out []byte, changed bool, err error) {
	if rank > sparseMost {
		return promote(b, index, rank)
	}
	s, ok := findSpot(b, index)
	if !ok {
		return b, false, ErrCorrupt
	}
	if s.op.value >= rank {
		return b, false, nil
	}
	var split [splitMax]byte
	code := appendSplit(split[:0], s, index, rank)
	more := len(code) - s.op.size
	if more > 0 && len(b)+more > sparseMax {
		return promote(b, index, rank)
	}
	b = splice(b, s.at, s.op.size, code)
	b = mergeFrom(b, s.prev)
	Invalidate(b)
	return b, true, nil
}

// promote makes b dense and then raises the register.
func promote(b []byte, index int, rank uint8) (out []byte, changed bool, err error) {
	if b, _, err = ToDense(b); err != nil {
		return b, false, err
	}
	return set(b, index, rank, 0)
}

// appendSplit appends the code that takes the place of the opcode at s once the
// register has its new value.
func appendSplit(dst []byte, s spot, index int, rank uint8) []byte {
	before, after := index-s.first, s.first+s.op.run-1-index
	if before > 0 {
		dst = appendRun(dst, s.op.value, before)
	}
	dst = append(dst, valOpcode(rank, 1))
	if after > 0 {
		dst = appendRun(dst, s.op.value, after)
	}
	return dst
}

func appendRun(dst []byte, value uint8, run int) []byte {
	if value == 0 {
		return appendZeros(dst, run)
	}
	return append(dst, valOpcode(value, run))
}

// splice replaces size bytes at offset at with code.
func splice(b []byte, at, size int, code []byte) []byte {
	old := len(b)
	if more := len(code) - size; more > 0 {
		var room [splitMax]byte
		b = append(b, room[:more]...)
	}
	copy(b[at+len(code):], b[at+size:old])
	copy(b[at:], code)
	return b[:old+len(code)-size]
}

// mergeFrom joins neighbouring VALs among a few opcodes from offset at on.
func mergeFrom(b []byte, at int) []byte {
	for range mergeOpcodes {
		if at >= len(b) {
			break
		}
		op := readOpcode(b[at:])
		if op.value == 0 {
			at += max(op.size, 1)
			continue
		}
		if at+1 < len(b) {
			next := readOpcode(b[at+1:])
			if sum := op.run + next.run; next.value == op.value && sum <= valRunMax {
				b[at+1] = valOpcode(op.value, sum)
				b = b[:at+copy(b[at:], b[at+1:])]
				continue // the joined one may be joined again
			}
		}
		at++
	}
	return b
}

// AppendDecode appends the opcodes of a sparse value as PFDEBUG DECODE shows them:
// z:run, Z:run for the long form, v:value,run.
func AppendDecode(dst, b []byte) ([]byte, error) {
	if EncodingOf(b) != Sparse {
		return dst, ErrNotSparse
	}
	for p, start := b[HeaderSize:], len(dst); len(p) > 0; {
		op := readOpcode(p)
		if op.size == 0 {
			return dst, ErrCorrupt
		}
		if len(dst) > start {
			dst = append(dst, ' ')
		}
		switch {
		case op.value > 0:
			dst = text.AppendInt(append(dst, "v:"...), int64(op.value))
			dst = text.AppendInt(append(dst, ','), int64(op.run))
		case op.size == 2:
			dst = text.AppendInt(append(dst, "Z:"...), int64(op.run))
		default:
			dst = text.AppendInt(append(dst, "z:"...), int64(op.run))
		}
		p = p[op.size:]
	}
	return dst, nil
}
