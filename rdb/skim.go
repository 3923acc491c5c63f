package rdb

import "encoding/binary"

// cursor is a place in the shape of a value that is gone through part by part.
type cursor struct {
	shape []op
	at    int
	depth int
	left  [loopsMax]uint64 // rounds of the loops under way
}

// begin sets the cursor on the body of a value. It fails for types that are not known
// or have no shape.
func (c *cursor) begin(t Type) bool {
	if int(t) >= len(shapes) || shapes[t] == nil {
		return false
	}
	*c = cursor{shape: shapes[t]}
	return true
}

// kind is what comes next: a string, something else, or the end.
func (c *cursor) kind() opKind { return c.shape[c.at].kind }

// pass passes the next part, which begins at p: head bytes of it say what it is, and
// body bytes follow. When p is too short to tell, head is 0 and the cursor stays.
func (c *cursor) pass(p []byte) (head int, body uint64, err error) {
	if len(p) == 0 {
		return 0, 0, nil
	}
	next := c.at + 1
	switch part := c.shape[c.at]; part.kind {
	case opString:
		head, body, err = stringHead(p)
	case opLen:
		head, _, err = plainLen(p)
	case opFixed:
		head, body = 1, uint64(part.n)-1
	case opScore:
		if head = 1; p[0] < textNaN {
			body = uint64(p[0])
		}
	case opCount:
		var n uint64
		if head, n, err = plainLen(p); n == 0 { // or nothing was read
			next = int(part.n)
		} else {
			c.left[c.depth] = n
			c.depth++
		}
	case opModule:
		var mark uint64
		if head, mark, err = plainLen(p); mark >= uint64(len(moduleJumps)) {
			err = errModuleMark
		} else {
			next = int(moduleJumps[mark])
		}
	}
	if head != 0 && err == nil {
		c.settle(next)
	}
	return head, body, err
}

// settle puts the cursor on the part at next, or where loops and jumps lead from
// there.
func (c *cursor) settle(next int) {
	for {
		switch part := c.shape[next]; part.kind {
		case opJump:
			next = int(part.n)
		case opRound:
			if c.left[c.depth-1]--; c.left[c.depth-1] > 0 {
				next = int(part.n)
			} else {
				c.depth--
				next++
			}
		default:
			c.at = next
			return
		}
	}
}

// lenAt reads the length, or the number of a special encoding, at the start of p. A
// size of 0 means that p is too short.
func lenAt(p []byte) (n uint64, size int, special bool, err error) {
	if len(p) == 0 {
		return 0, 0, false, nil
	}
	first := p[0]
	switch low := uint64(first &^ kindMask); first & kindMask {
	case kind6:
		return low, 1, false, nil
	case kindEnc:
		return low, 1, true, nil
	case kind14:
		if len(p) < 2 {
			return 0, 0, false, nil
		}
		return low<<8 | uint64(p[1]), 2, false, nil
	}
	switch {
	case first != mark32 && first != mark64:
		return 0, 0, false, errLength
	case first == mark32 && len(p) >= 5:
		return uint64(binary.BigEndian.Uint32(p[1:])), 5, false, nil
	case first == mark64 && len(p) >= 9:
		return binary.BigEndian.Uint64(p[1:]), 9, false, nil
	}
	return 0, 0, false, nil
}

// plainLen reads a length that is no special encoding.
func plainLen(p []byte) (size int, n uint64, err error) {
	n, size, special, err := lenAt(p)
	if special {
		return 0, 0, errLength
	}
	return size, n, err
}

// stringHead reads what is before the bytes of a string, and how many those are. A
// head of 0 means that p is too short.
func stringHead(p []byte) (head int, body uint64, err error) {
	n, size, special, err := lenAt(p)
	switch {
	case !special:
		return size, n, err
	case n <= encInt32:
		return size, 1 << n, nil
	case n != encLZF:
		return 0, 0, errStringKind
	}
	packed, err := uint64(0), error(nil)
	head = size
	for i := range 2 {
		if size, n, err = plainLen(p[head:]); size == 0 || err != nil {
			return 0, 0, err
		}
		if head += size; i == 0 {
			packed = n
		}
	}
	return head, packed, nil
}

// Skimmer finds where the body of a value ends without making anything of it. It takes
// the bytes in pieces, as they come. Its memory is constant, and its time is linear in
// the bytes, whatever they are.
type Skimmer struct {
	cursor
	over uint64 // bytes of the last part that were not there yet
}

// Begin says that the body of a value of the type comes next. It fails for types
// that are not known or cannot be skimmed.
func (s *Skimmer) Begin(t Type) bool {
	s.over = 0
	return s.begin(t)
}

// Skim goes through the next bytes. It tells how many of them belong to the body
// and whether it is complete. If it is not, Skim is to be called again with the rest
// of p, which may be the first bytes of a length, and more behind it.
func (s *Skimmer) Skim(p []byte) (n int, done bool, err error) {
	for {
		if left := uint64(len(p) - n); s.over > left {
			s.over -= left
			return len(p), false, nil
		}
		n += int(s.over)
		s.over = 0
		if s.kind() == opEnd {
			return n, true, nil
		}
		head, body, err := s.pass(p[n:])
		if head == 0 || err != nil {
			return n, false, err
		}
		n += head
		s.over = body
	}
}

// Skim is the length of the body of a value of the type, at the start of p.
func Skim(t Type, p []byte) (n int, err error) {
	var s Skimmer
	if !s.Begin(t) {
		return 0, errType
	}
	n, done, err := s.Skim(p)
	if !done && err == nil {
		err = errEnds
	}
	return n, err
}
