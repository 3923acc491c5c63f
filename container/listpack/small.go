package listpack

import "slices"

// SmallMax is the largest integer that AppendSmall takes.
const SmallMax = int7Max

// AppendSmall puts integers of 0 to SmallMax behind all, which take two bytes each:
// what the entries of streams are held together by.
func AppendSmall(b []byte, v ...byte) []byte {
	old := len(b)
	n := 2 * len(v)
	b = slices.Grow(b, n)[:old+n]
	p := End(b[:old])
	for _, c := range v {
		b[p], b[p+1] = c, 1
		p += 2
	}
	b[p] = end
	setHeader(b, len(v))
	return b
}
