package testutil

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The limits of what a test accepts as a reply: beyond them a server is broken,
// or the test is.
const (
	replyBytesMax = 1 << 30
	replyDepthMax = 64
)

// Value is a parsed reply. Kind is the RESP type byte; '$' and '*' with Null set
// are RESP2's nulls. Str holds strings, errors, numbers and verbatim text as
// they came; Elems holds the elements of aggregates, keys and values in turn for
// maps.
type Value struct {
	Kind  byte
	Str   string
	Null  bool
	Elems []Value
}

// IsError says whether the reply is an error.
func (v Value) IsError() bool { return v.Kind == '-' || v.Kind == '!' }

// Int is the value as an integer, 0 when it is not one.
func (v Value) Int() int64 {
	n, _ := strconv.ParseInt(v.Str, 10, 64)
	return n
}

// Strings are the elements as strings.
func (v Value) Strings() []string {
	out := make([]string, len(v.Elems))
	for i, e := range v.Elems {
		out[i] = e.Str
	}
	return out
}

// String shows the value as redis-cli would, on one line.
func (v Value) String() string {
	switch {
	case v.Null || v.Kind == '_':
		return "(nil)"
	case v.IsError():
		return "(error) " + v.Str
	case v.Kind == '$':
		return strconv.Quote(v.Str)
	case v.isAggregate():
		parts := make([]string, len(v.Elems))
		for i, e := range v.Elems {
			parts[i] = e.String()
		}
		return string(v.Kind) + "[" + strings.Join(parts, " ") + "]"
	}
	return string(v.Kind) + v.Str
}

func (v Value) isAggregate() bool { return strings.IndexByte("*%~>|", v.Kind) >= 0 }

var errTrailing = errors.New("bytes after the end of the reply")

// Parse parses the bytes of one reply.
func Parse(raw []byte) (Value, error) {
	v, rest, err := parseValue(raw)
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return v, err
}

func parseValue(raw []byte) (Value, []byte, error) {
	line, rest, ok := bytes.Cut(raw, []byte("\r\n"))
	if !ok || len(line) == 0 {
		return Value{}, nil, fmt.Errorf("reply cut short: %q", raw)
	}
	v := Value{Kind: line[0]}
	body, count, err := payload(line)
	switch {
	case err != nil:
		return v, nil, err
	case body == 0 && count == 0:
		v.Str = string(line[1:])
	case body < 0 || count < 0:
		v.Null = true
	case body > 0:
		n := body - len("\r\n")
		v.Str, rest = string(rest[:n]), rest[body:]
	}
	if v.isAggregate() && count > 0 {
		v.Elems = make([]Value, 0, count)
		for range count {
			var e Value
			if e, rest, err = parseValue(rest); err != nil {
				return v, nil, err
			}
			v.Elems = append(v.Elems, e)
		}
	} else if v.isAggregate() {
		v.Str = ""
	}
	if v.Kind == '|' { // an attribute says something about the reply behind it: drop it
		return parseValue(rest)
	}
	return v, rest, nil
}

// payload tells from a header line what follows it: body bytes (with the final
// CRLF; -1 for a null) or count elements (-1 for a null).
func payload(line []byte) (body, count int, err error) {
	switch line[0] {
	case '+', '-', ':', '_', ',', '#', '(':
		return 0, 0, nil
	case '$', '!', '=', '*', '~', '>', '%', '|':
	default:
		return 0, 0, fmt.Errorf("%q is no RESP type", line[0])
	}
	n, err := strconv.Atoi(string(line[1:]))
	if err != nil || n < -1 || n > replyBytesMax {
		return 0, 0, fmt.Errorf("bad length in reply header %q", line)
	}
	switch line[0] {
	case '$', '!', '=':
		if n < 0 {
			return -1, 0, nil
		}
		return n + len("\r\n"), 0, nil
	case '%', '|':
		return 0, 2 * n, nil
	}
	return 0, n, nil
}

// AppendReply reads one whole reply and appends its bytes. An attribute counts
// as part of the reply that it precedes.
func AppendReply(dst []byte, in *bufio.Reader) ([]byte, error) {
	return appendReply(dst, in, 0)
}

func appendReply(dst []byte, in *bufio.Reader, depth int) ([]byte, error) {
	if depth > replyDepthMax {
		return dst, errors.New("reply nested too deep")
	}
	line, err := in.ReadSlice('\n')
	if err != nil {
		return append(dst, line...), err
	}
	dst = append(dst, line...)
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return dst, fmt.Errorf("bad reply line %q", line)
	}
	kind := line[0]
	body, count, err := payload(line[:len(line)-2])
	if err != nil {
		return dst, err
	}
	if body > 0 {
		if dst, err = appendBody(dst, in, body); err != nil {
			return dst, err
		}
	}
	for range count {
		if dst, err = appendReply(dst, in, depth+1); err != nil {
			return dst, err
		}
	}
	if kind == '|' {
		return appendReply(dst, in, depth)
	}
	return dst, nil
}

// appendBody appends n bytes that end in CRLF.
func appendBody(dst []byte, in *bufio.Reader, n int) ([]byte, error) {
	start := len(dst)
	dst = append(dst, make([]byte, n)...)
	for got := 0; got < n; {
		k, err := in.Read(dst[start+got:])
		got += k
		if err != nil {
			return dst[:start+got], err
		}
	}
	if !bytes.HasSuffix(dst, []byte("\r\n")) {
		return dst, errors.New("bulk reply does not end in CRLF")
	}
	return dst, nil
}
