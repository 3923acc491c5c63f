package hll

import "encoding/binary"

// Union is the registers of any number of values merged, one byte each: what
// PFCOUNT of several keys and PFMERGE compute. The zero Union has no elements.
type Union struct {
	max   [Registers]uint8
	dense bool
}

// Reset empties u.
func (u *Union) Reset() { *u = Union{} }

// Merge adds the elements of a checked value. After ErrCorrupt the union is not
// to be used.
func (u *Union) Merge(b []byte) error {
	if EncodingOf(b) == Dense {
		u.dense = true
		u.mergeDense(b)
		return nil
	}
	index := 0
	for p := b[HeaderSize:]; len(p) > 0; {
		op := readOpcode(p)
		if op.size == 0 || op.run > Registers-index {
			return ErrCorrupt
		}
		if op.value > 0 {
			for i := index; i < index+op.run; i++ {
				u.max[i] = max(u.max[i], op.value)
			}
		}
		index += op.run
		p = p[op.size:]
	}
	if index != Registers {
		return ErrCorrupt
	}
	return nil
}

// mergeDense takes four registers from three bytes at a time.
func (u *Union) mergeDense(b []byte) {
	p, m := b[HeaderSize:DenseSize], u.max[:]
	for len(p) >= 3 && len(m) >= 4 {
		v := uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
		m[0] = max(m[0], uint8(v)&registerMax)
		m[1] = max(m[1], uint8(v>>6)&registerMax)
		m[2] = max(m[2], uint8(v>>12)&registerMax)
		m[3] = max(m[3], uint8(v>>18)&registerMax)
		p, m = p[3:], m[4:]
	}
}

// pack writes the registers to a dense value.
func (u *Union) pack(b []byte) {
	p, m := b[HeaderSize:DenseSize], u.max[:]
	for len(p) >= 3 && len(m) >= 4 {
		v := uint32(m[0]) | uint32(m[1])<<6 | uint32(m[2])<<12 | uint32(m[3])<<18
		p[0], p[1], p[2] = byte(v), byte(v>>8), byte(v>>16)
		p, m = p[3:], m[4:]
	}
}

// Dense tells that a merged value was dense.
func (u *Union) Dense() bool { return u.dense }

// Count is the estimate of the union.
func (u *Union) Count() uint64 {
	var h histogram
	for i := 0; i < Registers; i += 8 {
		if binary.LittleEndian.Uint64(u.max[i:]) == 0 {
			h[0] += 8
			continue
		}
		for _, v := range u.max[i : i+8] {
			h[v&registerMax]++
		}
	}
	return h.estimate()
}

// Store makes b, a checked value whose elements are in the union, hold the whole
// union: what PFMERGE does to its destination. It is made dense if any of the
// values was, or if it has to be.
func (u *Union) Store(b []byte, sparseMax int) (out []byte, err error) {
	if u.dense {
		if b, _, err = ToDense(b); err != nil {
			return b, err
		}
		u.pack(b)
	} else {
		for i, v := range &u.max {
			if v == 0 {
				continue
			}
			if b, _, err = set(b, i, v, sparseMax); err != nil {
				return b, err
			}
		}
	}
	Invalidate(b)
	return b, nil
}

// AppendRegisters appends the value of each register in a byte, for PFDEBUG GETREG.
func AppendRegisters(dst, b []byte) ([]byte, error) {
	var u Union
	if err := u.Merge(b); err != nil {
		return dst, err
	}
	return append(dst, u.max[:]...), nil
}
