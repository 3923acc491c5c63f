package resp

import "strconv"

// Kind is the type of a reply: its first byte on the wire.
type Kind byte

// The types of RESP2 and RESP3.
const (
	KindStatus    Kind = '+'
	KindError     Kind = '-'
	KindInt       Kind = ':'
	KindBulk      Kind = '$'
	KindArray     Kind = '*'
	KindNull      Kind = '_' // also RESP2's "$-1" and "*-1"
	KindDouble    Kind = ','
	KindBool      Kind = '#'
	KindBulkError Kind = '!'
	KindVerbatim  Kind = '='
	KindMap       Kind = '%'
	KindSet       Kind = '~'
	KindPush      Kind = '>'
	KindBigNumber Kind = '('
	KindAttribute Kind = '|' // occurs in Value.Attrs only
)

// Value is one reply.
type Value struct {
	Kind   Kind
	Str    string  // text of everything but aggregates; of numbers as they came
	Format string  // of a verbatim string: "txt", "mkd"
	Int    int64   // integers; 1 for true
	Double float64 // doubles
	Elems  []Value // elements; of maps keys and values in turn
	Attrs  *Value  // annotation sent ahead of this reply: a map, or nil
}

// IsError reports an error reply.
func (v Value) IsError() bool { return v.Kind == KindError || v.Kind == KindBulkError }

// IsNull reports the absence of a value.
func (v Value) IsNull() bool { return v.Kind == KindNull }

// Err is the error reply as an error, a ReplyError, or nil if it is not one.
func (v Value) Err() error {
	if v.IsError() {
		return ReplyError(v.Str)
	}
	return nil
}

// Strings is the texts of an aggregate's elements.
func (v Value) Strings() []string {
	out := make([]string, len(v.Elems))
	for i, e := range v.Elems {
		out[i] = e.Str
	}
	return out
}

// Number is the integer that v is or, as a string, spells.
func (v Value) Number() (int64, bool) {
	switch v.Kind {
	case KindInt, KindBool:
		return v.Int, true
	case KindBulk, KindStatus, KindBigNumber, KindVerbatim:
		n, err := strconv.ParseInt(v.Str, 10, 64)
		return n, err == nil
	}
	return 0, false
}

// Lookup finds the value behind a key in a map, or in an array of keys and values
// as RESP2 sends them.
func (v Value) Lookup(key string) (Value, bool) {
	for i := 0; i+1 < len(v.Elems); i += 2 {
		if v.Elems[i].Str == key {
			return v.Elems[i+1], true
		}
	}
	return Value{}, false
}

// ReplyError is an error that the server answered with: code and text.
type ReplyError string

func (e ReplyError) Error() string { return string(e) }

// Code is the first word: ERR, WRONGTYPE, MOVED ...
func (e ReplyError) Code() string {
	for i := 0; i < len(e); i++ {
		if e[i] == ' ' {
			return string(e[:i])
		}
	}
	return string(e)
}
