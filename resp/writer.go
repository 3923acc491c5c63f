package resp

import (
	"strconv"
	"strings"

	"dozo/text"
)

// maxIntLen is the longest text of an int64.
const maxIntLen = 20

// Writer appends replies to Buf in the client's dialect. It may be a value on the
// stack around a connection's output slice.
//
// Aggregates are written as a header followed by the elements; the caller writes
// exactly as many as it announced. When the number is known only afterwards, use
// DeferLen and the matching End method.
type Writer struct {
	Buf   []byte
	Proto int // 2 or 3
}

// header appends a type byte, a number and the line's end.
func (w *Writer) header(kind byte, n int64) { w.Buf = appendHeader(w.Buf, kind, n) }

func appendHeader(b []byte, kind byte, n int64) []byte {
	switch {
	case uint64(n) < 10:
		return append(b, kind, byte('0'+n), '\r', '\n')
	case uint64(n) < 100:
		return append(b, kind, byte('0'+n/10), byte('0'+n%10), '\r', '\n')
	}
	b = strconv.AppendInt(append(b, kind), n, 10)
	return append(b, '\r', '\n')
}

// line appends a type byte, a text of one line and the line's end.
func (w *Writer) line(kind byte, s string) {
	w.Buf = append(append(append(w.Buf, kind), s...), '\r', '\n')
}

// OK is the usual answer of commands that have nothing to say.
func (w *Writer) OK() { w.Buf = append(w.Buf, "+OK\r\n"...) }

// SimpleString appends a status. It must not contain a line break.
func (w *Writer) SimpleString(s string) { w.line('+', s) }

// Error appends an error reply: code and text, without the leading '-'. Line
// breaks, which would end the reply early, become spaces, and those at the ends
// are dropped.
func (w *Writer) Error(s string) {
	s = strings.Trim(s, "\r\n")
	w.Buf = append(w.Buf, '-')
	from := len(w.Buf)
	w.Buf = append(w.Buf, s...)
	for i, c := range w.Buf[from:] {
		if isBreak(c) {
			w.Buf[from+i] = ' '
		}
	}
	w.Buf = append(w.Buf, '\r', '\n')
}

func isBreak(c byte) bool { return c == '\r' || c == '\n' }

// Int appends an integer.
func (w *Writer) Int(n int64) { w.header(':', n) }

// longBulk is the length from which on a string gets its room all at once.
const longBulk = 64 << 10

// reserve makes room for n more bytes and a header. Growing by append alone would
// copy a long reply again and again, and leave five times its size as garbage.
func (w *Writer) reserve(n int) {
	need := len(w.Buf) + n + maxIntLen + 2*len("$\r\n")
	if need > cap(w.Buf) {
		w.Buf = append(make([]byte, 0, max(need, 2*cap(w.Buf))), w.Buf...)
	}
}

// Bulk appends a string of any bytes.
func (w *Writer) Bulk(s []byte) {
	if len(s) >= longBulk {
		w.reserve(len(s))
	}
	b := appendHeader(w.Buf, '$', int64(len(s)))
	w.Buf = append(append(b, s...), '\r', '\n')
}

// BulkString is Bulk for a Go string.
func (w *Writer) BulkString(s string) {
	if len(s) >= longBulk {
		w.reserve(len(s))
	}
	b := appendHeader(w.Buf, '$', int64(len(s)))
	w.Buf = append(append(b, s...), '\r', '\n')
}

// BulkInt appends the decimal text of n as a bulk string.
func (w *Writer) BulkInt(n int64) {
	var space [maxIntLen]byte
	w.Bulk(strconv.AppendInt(space[:0], n, 10))
}

// Null appends the absence of a value.
func (w *Writer) Null() {
	if w.Proto == 3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "$-1\r\n"...)
}

// NullArray appends the absence of an aggregate; RESP3 has one null for both.
func (w *Writer) NullArray() {
	if w.Proto == 3 {
		w.Buf = append(w.Buf, "_\r\n"...)
		return
	}
	w.Buf = append(w.Buf, "*-1\r\n"...)
}

// Array begins an array of n elements.
func (w *Writer) Array(n int) { w.header('*', int64(n)) }

// Map begins a map of n pairs; in RESP2 an array of 2n elements.
func (w *Writer) Map(n int) { w.aggregate(len(w.Buf), '%', n) }

// Set begins a set of n members; in RESP2 an array.
func (w *Writer) Set(n int) { w.aggregate(len(w.Buf), '~', n) }

// Push begins an out-of-band message of n elements; in RESP2 an array, which is
// what pub/sub messages are there.
func (w *Writer) Push(n int) { w.aggregate(len(w.Buf), '>', n) }

// Attribute begins n pairs that annotate the reply after them and reports whether
// the client can take them. In RESP2 it writes nothing, and nor must the caller.
func (w *Writer) Attribute(n int) bool {
	if w.Proto != 3 {
		return false
	}
	w.header('|', int64(n))
	return true
}

// aggregate puts a header of RESP3's kind at the offset mark, as an array header
// in RESP2, in front of what has been written since.
func (w *Writer) aggregate(mark int, kind byte, n int) {
	if w.Proto != 3 {
		if kind == '%' {
			n *= 2
		}
		kind = '*'
	}
	if mark == len(w.Buf) {
		w.header(kind, int64(n))
		return
	}
	var space [maxIntLen + 3]byte
	head := appendHeader(space[:0], kind, int64(n))
	end := len(w.Buf)
	w.Buf = append(w.Buf, head...)
	copy(w.Buf[mark+len(head):], w.Buf[mark:end])
	copy(w.Buf[mark:], head)
}

// DeferLen marks the place of an aggregate whose length is not known yet. Marks
// may nest: the inner one is ended first.
func (w *Writer) DeferLen() (mark int) { return len(w.Buf) }

// EndArray puts the header of an array of n elements at the mark. It moves what
// was written since, so it costs a copy of it.
func (w *Writer) EndArray(mark, n int) { w.aggregate(mark, '*', n) }

// EndMap is EndArray for a map of n pairs.
func (w *Writer) EndMap(mark, n int) { w.aggregate(mark, '%', n) }

// EndSet is EndArray for a set.
func (w *Writer) EndSet(mark, n int) { w.aggregate(mark, '~', n) }

// Double appends a floating point number as Redis 7.2 prints it, with the fewest
// digits that read back as the same (7.0 printed seventeen); in RESP2 a bulk
// string.
func (w *Writer) Double(d float64) {
	var space [32]byte
	w.number(',', text.AppendDouble(space[:0], d))
}

// HumanDouble appends a double without exponent, as GEOPOS does; in RESP2 a bulk
// string.
func (w *Writer) HumanDouble(d float64) {
	var space [352]byte // 309 digits, point, 17 places
	w.number(',', text.LongDoubleFromFloat(d).AppendHuman(space[:0]))
}

// BigNumber appends an integer of any size given as its decimal text; in RESP2 a
// bulk string.
func (w *Writer) BigNumber(s string) {
	if w.Proto == 3 {
		w.line('(', s)
		return
	}
	w.BulkString(s)
}

func (w *Writer) number(kind byte, s []byte) {
	if w.Proto == 3 {
		w.Buf = append(append(append(w.Buf, kind), s...), '\r', '\n')
		return
	}
	w.Bulk(s)
}

// Bool appends a truth value; in RESP2 the integer 1 or 0.
func (w *Writer) Bool(v bool) {
	s := ":0\r\n"
	switch {
	case w.Proto == 3 && v:
		s = "#t\r\n"
	case w.Proto == 3:
		s = "#f\r\n"
	case v:
		s = ":1\r\n"
	}
	w.Buf = append(w.Buf, s...)
}

// Verbatim appends a text for human eyes; ext names its format in three letters
// ("txt", "mkd"), padded or cut. In RESP2 it is a bulk string.
func (w *Writer) Verbatim(ext, s string) {
	if w.Proto != 3 {
		w.BulkString(s)
		return
	}
	format := [4]byte{' ', ' ', ' ', ':'}
	copy(format[:3], ext)
	w.header('=', int64(len(s)+len(format)))
	w.Buf = append(append(w.Buf, format[:]...), s...)
	w.Buf = append(w.Buf, '\r', '\n')
}

// Raw appends bytes that are a reply already.
func (w *Writer) Raw(b []byte) { w.Buf = append(w.Buf, b...) }

// Command appends a command as clients send it: an array of bulk strings in
// either dialect. The log of writes and the replication stream consist of these.
func (w *Writer) Command(args ...[]byte) {
	w.Array(len(args))
	for _, a := range args {
		w.Bulk(a)
	}
}
