package rdb

// Value is a value as it is written, apart from its key.
type Value struct {
	Type Type
	Str  []byte // of TypeString
}

// AppendValue appends the type of a value and its body.
func (e *Encoder) AppendValue(dst []byte, v Value) []byte {
	return e.AppendString(append(dst, byte(v.Type)), v.Str)
}

// AppendDump appends the payload that DUMP gives for v.
func (e *Encoder) AppendDump(dst []byte, v Value) []byte {
	start := len(dst)
	return e.AppendFooter(e.AppendValue(dst, v), start)
}

// ParseDump reads a DUMP payload. The parts of the value alias payload or buf, as
// those of Decoder.String do. Bytes behind the value are allowed, as in Redis.
func ParseDump(payload, buf []byte, skipChecksum bool) (Value, error) {
	body, _, err := CheckDump(payload, skipChecksum)
	if err != nil {
		return Value{}, err
	}
	d := NewDecoder(body)
	return d.Value(buf)
}

// Value reads a type and its body.
func (d *Decoder) Value(buf []byte) (Value, error) {
	t, err := d.Byte()
	if err != nil || Type(t) != TypeString {
		return Value{}, ErrFormat
	}
	s, err := d.String(buf)
	return Value{Type: TypeString, Str: s}, err
}
