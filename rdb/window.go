package rdb

import "io"

// window is the part of a stream that is in memory. The bytes that are still to be
// read are the decoder's, at its end:
//
//	|  kept, or read  |   d.in   |   room   |
//	0                at()     len(win)  cap(win)
//
// When more is needed than there is room for, what is kept moves to the start of
// another buffer, or of the same one, and the rest of that is filled. What does not fit
// a buffer, such as one very long string, has one of its own, which grows as its bytes
// arrive.
type window struct {
	d      Decoder
	src    io.Reader
	size   int64         // of the stream, 0 = not known
	next   func() []byte // gives the buffers
	room   int           // of a buffer
	win    []byte
	base   int64 // the place of win[0] in the stream
	keep   int   // from where on win is kept; nothing is if < 0
	summed int   // up to where in win sum goes
	sum    uint64
	noSum  bool
	err    error // what the stream said last
}

// trustMax is how much memory is taken for bytes that have not arrived, if the stream
// does not say how many there are.
const trustMax = 1 << 20

// leftUnknown is more than any stream has.
const leftUnknown = 1 << 48

// at is how far win was read.
func (w *window) at() int { return len(w.win) - len(w.d.in) }

// offset is how far the stream was read.
func (w *window) offset() int64 { return w.base + int64(w.at()) }

// left is the number of bytes that are not read yet, or more than there can be.
func (w *window) left() int {
	if w.size == 0 {
		return leftUnknown
	}
	return int(max(w.size-w.offset(), int64(len(w.d.in))))
}

// trusted is how much memory may be taken for n bytes that are to come.
func (w *window) trusted(n uint64) uint64 {
	if w.size == 0 {
		return min(n, trustMax)
	}
	return n
}

// fill sees to it that the next n bytes are at hand, if there are so many.
func (w *window) fill(n uint64) bool {
	if n <= uint64(len(w.d.in)) {
		return true
	}
	if n > uint64(w.left()) {
		return false
	}
	at := w.at()
	if uint64(at)+n > uint64(cap(w.win)) {
		at = w.slide(n)
	}
	need := at + int(n)
	for len(w.win) < need && w.err == nil {
		if len(w.win) == cap(w.win) {
			w.win = append(make([]byte, 0, min(need, 2*cap(w.win))), w.win...)
		}
		var k int
		k, w.err = io.ReadAtLeast(w.src, w.win[len(w.win):cap(w.win)], min(need, cap(w.win))-len(w.win))
		w.win = w.win[:len(w.win)+k]
	}
	w.d.in = w.win[at:]
	return len(w.win) >= need
}

// slide moves what is kept to the start of a buffer, with room for the next n bytes
// as far as they are trusted, and returns where they begin.
func (w *window) slide(n uint64) (at int) {
	at = w.at()
	from := at
	if w.keep >= 0 {
		from, w.keep = w.keep, 0
	}
	w.sumTo(from)
	at -= from
	var buf []byte
	if uint64(at)+n <= uint64(w.room) {
		buf = w.next()
	} else {
		buf = make([]byte, max(len(w.win)-from+w.room, at+int(w.trusted(n))))
	}
	w.base += int64(from)
	w.summed -= from
	w.win = append(buf[:0], w.win[from:]...)
	return at
}

// sumTo carries the checksum on.
func (w *window) sumTo(at int) {
	if !w.noSum {
		w.sum = CRC64(w.sum, w.win[w.summed:at])
	}
	w.summed = at
}

// readTo reads the next bytes to dst, past the window.
func (w *window) readTo(dst []byte) error {
	n := copy(dst, w.d.in)
	w.d.in = w.d.in[n:]
	if n == len(dst) {
		return nil
	}
	w.sumTo(len(w.win))
	k, err := io.ReadFull(w.src, dst[n:])
	if !w.noSum {
		w.sum = CRC64(w.sum, dst[n:n+k])
	}
	w.base += int64(len(w.win) + k)
	w.win, w.d.in, w.keep, w.summed = nil, nil, -1, 0
	if err != nil {
		w.err = err
		return errEnds
	}
	return nil
}
