package listpack

// Words are short strings that begin with a letter, so cannot be integers: what most
// elements are. They are stored without an Element, which takes half the time.

// IsWord tells whether s is a word. It takes WordSize bytes in a listpack.
func IsWord(s []byte) bool { return uint(len(s)-1) < str6Max && s[0] > '9' }

// WordSize is the number of bytes that a word of n bytes adds to a listpack.
func WordSize(n int) int { return n + 2 }

func putWord(b, s []byte) {
	b[0] = headStr6 | byte(len(s))
	copy(b[1:], s)
	b[len(s)+1] = byte(len(s) + 1)
}

// AppendWord puts the word s behind all of b, which has the capacity for it.
func AppendWord(b, s []byte) []byte {
	p := End(b)
	b = b[:len(b)+WordSize(len(s))]
	putWord(b[p:], s)
	b[len(b)-1] = end
	setHeader(b, 1)
	return b
}

// PrependWord is PrependInto for the word s.
func PrependWord(buf []byte, lead int, s []byte) []byte {
	b := buf[lead-WordSize(len(s)):]
	copy(b[:HeaderSize], buf[lead:])
	putWord(b[HeaderSize:], s)
	setHeader(b, 1)
	return b
}

// PrependInto puts e before all of a listpack that begins at buf[lead] and ends
// with buf. Only the header moves, down into the free bytes in front, of which
// there must be e.Size at least: for an owner who keeps room there. It returns the
// listpack, which begins lead - e.Size behind the start of buf.
func PrependInto(buf []byte, lead int, e *Element) []byte {
	b := buf[lead-e.Size():]
	copy(b[:HeaderSize], buf[lead:])
	e.put(b[HeaderSize:])
	setHeader(b, 1)
	return b
}

// DropFirst takes the first n elements out, or as many as there are. Only the
// header moves, up to what is left: so the listpack that it returns begins further
// on in b.
func DropFirst(b []byte, n int) []byte {
	p, dropped := HeaderSize, 0
	for ; dropped < n && b[p] != end; dropped++ {
		p = after(b, p)
	}
	rest := b[p-HeaderSize:]
	copy(rest[:HeaderSize], b)
	setHeader(rest, -dropped)
	return rest
}

// DropLast takes the last element out; there must be one.
func DropLast(b []byte) []byte {
	p := Last(b)
	b[p] = end
	setHeader(b[:p+1], -1)
	return b[:p+1]
}

// AppendFrom appends to dst a listpack of the elements of b from the one at p on,
// of which there are n.
func AppendFrom(dst, b []byte, p, n int) []byte {
	start := len(dst)
	dst = append(AppendEmpty(dst)[:start+HeaderSize], b[p:]...)
	setHeader(dst[start:], n)
	return dst
}

// FindNext finds the first element that is s, from the one at p on, and how many it
// passed over; if there is none it gives 0, and how many there are.
func FindNext(b []byte, p int, s []byte) (at, passed int) {
	f := needle{s: s}
	for ; b[p] != end; passed++ {
		if c := b[p]; c&headMask6 == headStr6 {
			n := int(c & str6Max)
			if n == len(s) && string(b[p+1:p+1+n]) == string(s) {
				return p, passed
			}
			p += n + 2
			continue
		}
		v, n := read(b, p)
		if f.equal(v) {
			return p, passed
		}
		p += n + backSize(n)
	}
	return 0, passed
}
