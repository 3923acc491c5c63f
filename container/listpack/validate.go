package listpack

// Validate reports that b is a listpack in all its bytes: the size in the header and
// the end mark are right, every element lies inside and has its size behind it, and
// the number in the header is the number of elements. Only then may it be given to
// any other function.
//
// It is linear and touches the heads alone, so it is cheap enough for every value
// that is loaded.
func Validate(b []byte) bool {
	if len(b) < EmptySize || TotalSize(b) != len(b) || b[len(b)-1] != end {
		return false
	}
	n, p := 0, HeaderSize
	for ; p < len(b)-1; n++ {
		size := safeSize(b, p)
		if size == 0 {
			return false
		}
		back := backSize(size)
		if p += size + back; p > len(b)-1 || readBack(b, p) != size {
			return false
		}
	}
	return p == len(b)-1 && (count(b) == countUnknown || count(b) == n)
}

// safeSize is encodedSize for an element whose head may be cut off.
func safeSize(b []byte, p int) int {
	head := 1
	switch c := b[p]; {
	case c == headStr32:
		head = 5
	case c >= headStr12 && c < headStr32:
		head = 2
	}
	if p+head > len(b)-1 {
		return 0
	}
	return encodedSize(b, p)
}
