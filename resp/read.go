package resp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// ErrMalformed is what ReadValue's errors wrap when the peer does not speak RESP;
// the connection is then out of step and must be closed.
var ErrMalformed = errors.New("malformed reply")

// ReadLimits bound what a reply may make the reader hold.
type ReadLimits struct {
	Depth int   // aggregates within aggregates
	Bulk  int64 // bytes of one string
	Elems int64 // elements of one aggregate
	Line  int   // bytes of a status, an error or a number
}

// DefaultReadLimits let through whatever a sane server sends.
func DefaultReadLimits() ReadLimits {
	return ReadLimits{Depth: 128, Bulk: 8 << 30, Elems: math.MaxInt32, Line: 1 << 20}
}

// First allocations for what a peer announces; more follows as bytes arrive.
const (
	firstElems = 64
	firstBytes = 1 << 20
)

// ReadValue reads one reply: any type of RESP2 or RESP3, pushes among them. The
// error is the stream's own (io.EOF only when no byte of a reply has come), or
// wraps ErrMalformed. An error reply is a Value, not an error.
func ReadValue(r *bufio.Reader) (Value, error) { return ReadValueLimits(r, DefaultReadLimits()) }

// ReadValueLimits is ReadValue with other limits.
func ReadValueLimits(r *bufio.Reader, limits ReadLimits) (Value, error) {
	if _, err := r.Peek(1); err != nil {
		return Value{}, err
	}
	v, err := (&reader{r, limits}).value(0)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return v, err
}

type reader struct {
	*bufio.Reader
	limits ReadLimits
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: "+format+"; the peer is not a Redis server, or the stream is out of step", append([]any{ErrMalformed}, args...)...)
}

// value reads a reply with the attribute ahead of it, if any.
func (r *reader) value(depth int) (Value, error) {
	var attrs *Value
	for {
		v, err := r.bare(depth)
		if err != nil {
			return Value{}, err
		}
		if v.Kind != KindAttribute {
			v.Attrs = attrs
			return v, nil
		}
		v.Kind = KindMap
		attrs = &v
	}
}

func (r *reader) bare(depth int) (Value, error) {
	if depth > r.limits.Depth {
		return Value{}, malformed("nested deeper than %d", r.limits.Depth)
	}
	line, err := r.line()
	if err != nil {
		return Value{}, err
	}
	if len(line) == 0 {
		return Value{}, malformed("empty line where a type was expected")
	}
	kind, text := Kind(line[0]), line[1:]
	switch kind {
	case KindStatus, KindError, KindBigNumber:
		return Value{Kind: kind, Str: string(text)}, nil
	case KindInt, KindDouble, KindBool, KindNull:
		return number(kind, text)
	case KindBulk, KindBulkError, KindVerbatim:
		return r.text(kind, text)
	case KindArray, KindSet, KindPush, KindMap, KindAttribute:
		return r.aggregate(kind, text, depth)
	}
	return Value{}, malformed("unknown type %q", line[0])
}

// line reads up to "\r\n", which it cuts off. The bytes are valid until the next
// read.
func (r *reader) line() ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if err == bufio.ErrBufferFull {
		line, err = r.longLine(append([]byte(nil), line...))
	}
	if err != nil {
		return nil, err
	}
	if len(line) < 2 || line[len(line)-2] != '\r' {
		return nil, malformed("line does not end in CR LF")
	}
	return line[:len(line)-2], nil
}

func (r *reader) longLine(line []byte) ([]byte, error) {
	for {
		more, err := r.ReadSlice('\n')
		line = append(line, more...)
		if len(line) > r.limits.Line {
			return nil, malformed("line longer than %d bytes", r.limits.Line)
		}
		if err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// number reads the types that are one short word.
func number(kind Kind, text []byte) (Value, error) {
	v := Value{Kind: kind, Str: string(text)}
	var err error
	switch kind {
	case KindInt:
		v.Int, err = strconv.ParseInt(v.Str, 10, 64)
	case KindDouble:
		v.Double, err = strconv.ParseFloat(v.Str, 64)
		if errors.Is(err, strconv.ErrRange) {
			err = nil // rounded to infinity or zero, which is as close as it gets
		}
	case KindBool:
		if v.Str == "t" {
			v.Int = 1
		} else if v.Str != "f" {
			err = ErrMalformed
		}
	case KindNull:
		if v.Str != "" {
			err = ErrMalformed
		}
	}
	if err != nil {
		return Value{}, malformed("%q is not a value of type %q", text, kind)
	}
	return v, nil
}

// text reads what follows a header with a length in bytes.
func (r *reader) text(kind Kind, header []byte) (Value, error) {
	n, err := length(header, r.limits.Bulk)
	if err != nil {
		return Value{}, err
	}
	if n < 0 {
		return Value{Kind: KindNull}, nil
	}
	s, err := r.bytes(n)
	if err != nil {
		return Value{}, err
	}
	v := Value{Kind: kind, Str: string(s)}
	if kind == KindVerbatim {
		if len(s) < 4 || s[3] != ':' {
			return Value{}, malformed("verbatim string without a format")
		}
		v.Format, v.Str = v.Str[:3], v.Str[4:]
	}
	return v, nil
}

// bytes reads n bytes and the line end behind them. Storage grows as they come.
func (r *reader) bytes(n int64) ([]byte, error) {
	b := make([]byte, 0, min(n, firstBytes))
	for int64(len(b)) < n {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		part := b[len(b):min(int64(cap(b)), n)]
		if _, err := io.ReadFull(r.Reader, part); err != nil {
			return nil, err
		}
		b = b[:len(b)+len(part)]
	}
	var end [2]byte
	if _, err := io.ReadFull(r.Reader, end[:]); err != nil {
		return nil, err
	}
	if end != [2]byte{'\r', '\n'} {
		return nil, malformed("string of %d bytes is not followed by CR LF", n)
	}
	return b, nil
}

// length reads a header's number: -1 for null, else within the limit.
func length(header []byte, limit int64) (int64, error) {
	n, err := strconv.ParseInt(string(header), 10, 64)
	if err != nil || n < -1 {
		return 0, malformed("%q is not a length", header)
	}
	if n > limit {
		return 0, malformed("length %d is beyond the limit of %d", n, limit)
	}
	return n, nil
}

func (r *reader) aggregate(kind Kind, header []byte, depth int) (Value, error) {
	n, err := length(header, r.limits.Elems)
	if err != nil {
		return Value{}, err
	}
	if n < 0 {
		return Value{Kind: KindNull}, nil
	}
	if kind == KindMap || kind == KindAttribute {
		n *= 2
	}
	v := Value{Kind: kind, Elems: make([]Value, 0, min(n, firstElems))}
	for ; n > 0; n-- {
		e, err := r.value(depth + 1)
		if err != nil {
			return Value{}, err
		}
		v.Elems = append(v.Elems, e)
	}
	return v, nil
}
