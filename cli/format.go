package cli

import (
	"bytes"
	"strconv"
	"strings"

	"dozo/resp"
	"dozo/text"
)

// outputMode is how replies are shown.
type outputMode int

const (
	outputStandard outputMode = iota // for people
	outputRaw                        // for programs
	outputCSV
	outputJSON
	outputQuotedJSON
)

// format shows one reply, with the line end that its mode puts behind it.
// Verbatim replies (INFO and the like) are texts already and stay as they are.
func (o *options) format(b []byte, v resp.Value, verbatim bool) []byte {
	switch {
	case verbatim:
		return o.appendRaw(b, v)
	case o.output == outputStandard:
		return appendStandard(b, v, "")
	case o.output == outputRaw:
		return append(o.appendRaw(b, v), o.commandDelim...)
	case o.output == outputCSV:
		return append(appendCSV(b, v), '\n')
	}
	return append(appendJSON(b, v, o.output == outputQuotedJSON), '\n')
}

// appendStandard shows a reply to a person. Every line but the first begins with
// prefix, which is as wide as the indexes of the aggregates around it.
func appendStandard(b []byte, v resp.Value, prefix string) []byte {
	switch v.Kind {
	case resp.KindError, resp.KindBulkError:
		b = append(append(b, "(error) "...), v.Str...)
	case resp.KindInt:
		b = append(append(b, "(integer) "...), v.Str...)
	case resp.KindDouble:
		b = append(append(b, "(double) "...), v.Str...)
	case resp.KindBool:
		b = append(b, boolText(v)...)
	case resp.KindNull:
		b = append(b, "(nil)"...)
	case resp.KindBulk:
		b = text.AppendQuote(b, v.Str)
	case resp.KindArray, resp.KindMap, resp.KindSet, resp.KindPush:
		return appendAggregate(b, v, prefix)
	default:
		b = append(b, v.Str...)
	}
	return append(b, '\n')
}

func boolText(v resp.Value) string {
	if v.Int != 0 {
		return "(true)"
	}
	return "(false)"
}

// appendAggregate numbers the elements; a map's pairs share a number.
func appendAggregate(b []byte, v resp.Value, prefix string) []byte {
	if len(v.Elems) == 0 {
		return append(b, emptyText(v.Kind)...)
	}
	step, mark := 1, byte(')')
	switch v.Kind {
	case resp.KindMap:
		step, mark = 2, '#'
	case resp.KindSet:
		mark = '~'
	}
	width := text.IntLen(int64(len(v.Elems) / step))
	inner := prefix + strings.Repeat(" ", width+2)
	for i := 0; i+step <= len(v.Elems); i += step {
		if i > 0 {
			b = append(b, prefix...)
		}
		index := strconv.Itoa(i/step + 1)
		b = append(append(b, strings.Repeat(" ", width-len(index))...), index...)
		b = appendStandard(append(b, mark, ' '), v.Elems[i], inner)
		if step == 2 {
			b = append(b[:len(b)-1], " => "...) // instead of the line end
			if severalLines(v.Elems[i+1]) {
				b = append(append(b, '\n'), inner...)
			}
			b = appendStandard(b, v.Elems[i+1], inner)
		}
	}
	return b
}

func emptyText(k resp.Kind) string {
	switch k {
	case resp.KindMap:
		return "(empty hash)\n"
	case resp.KindSet:
		return "(empty set)\n"
	case resp.KindPush:
		return "(empty push)\n"
	}
	return "(empty array)\n"
}

// severalLines reports a value that appendStandard spreads over more than a line.
func severalLines(v resp.Value) bool {
	switch v.Kind {
	case resp.KindArray, resp.KindSet, resp.KindPush:
		return len(v.Elems) > 1 || len(v.Elems) == 1 && severalLines(v.Elems[0])
	case resp.KindMap:
		return len(v.Elems) > 2 || len(v.Elems) == 2 && severalLines(v.Elems[1])
	}
	return false
}

// appendRaw shows a reply's bytes and nothing else, elements apart by a delimiter.
func (o *options) appendRaw(b []byte, v resp.Value) []byte {
	switch v.Kind {
	case resp.KindNull:
		return b
	case resp.KindError, resp.KindBulkError:
		return append(append(b, v.Str...), '\n')
	case resp.KindBool:
		return append(b, boolText(v)...)
	case resp.KindArray, resp.KindSet, resp.KindPush, resp.KindMap:
		for i, e := range v.Elems {
			switch {
			case i > 0 && v.Kind == resp.KindMap && i%2 == 1:
				b = append(b, ' ')
			case i > 0:
				b = append(b, o.elementDelim...)
			}
			b = o.appendRaw(b, e)
		}
		return b
	}
	return append(b, v.Str...)
}

// appendCSV shows a reply as comma-separated values; there are no rows, nested
// elements are flattened.
func appendCSV(b []byte, v resp.Value) []byte {
	switch v.Kind {
	case resp.KindError, resp.KindBulkError:
		return text.AppendQuote(append(b, "ERROR,"...), v.Str)
	case resp.KindInt, resp.KindDouble, resp.KindBigNumber:
		return append(b, v.Str...)
	case resp.KindNull:
		return append(b, "NULL"...)
	case resp.KindBool:
		return strconv.AppendBool(b, v.Int != 0)
	case resp.KindArray, resp.KindSet, resp.KindPush, resp.KindMap:
		for i, e := range v.Elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCSV(b, e)
		}
		return b
	}
	return text.AppendQuote(b, v.Str)
}

// appendJSON shows a reply as JSON. Strings keep their bytes, or, when quoted is
// set, are written in redis-cli's ASCII notation with its backslashes doubled.
func appendJSON(b []byte, v resp.Value, quoted bool) []byte {
	switch v.Kind {
	case resp.KindError, resp.KindBulkError:
		return appendJSONString(append(b, "error:"...), v.Str, quoted)
	case resp.KindInt, resp.KindDouble, resp.KindBigNumber:
		return append(b, v.Str...)
	case resp.KindNull:
		return append(b, "null"...)
	case resp.KindBool:
		return strconv.AppendBool(b, v.Int != 0)
	case resp.KindArray, resp.KindSet, resp.KindPush:
		b = append(b, '[')
		for i, e := range v.Elems {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e, quoted)
		}
		return append(b, ']')
	case resp.KindMap:
		return appendJSONMap(b, v, quoted)
	}
	return appendJSONString(b, v.Str, quoted)
}

// appendJSONMap makes strings of the keys that are not, since JSON wants them.
func appendJSONMap(b []byte, v resp.Value, quoted bool) []byte {
	b = append(b, '{')
	for i := 0; i+1 < len(v.Elems); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		key := appendJSON(nil, v.Elems[i], quoted)
		if v.Elems[i].IsError() || bytes.HasPrefix(key, []byte{'"'}) {
			b = append(b, key...)
		} else {
			b = append(append(append(b, '"'), key...), '"')
		}
		b = appendJSON(append(b, ':'), v.Elems[i+1], quoted)
	}
	return append(b, '}')
}

func appendJSONString(b []byte, s string, quoted bool) []byte {
	if quoted {
		return append(b, strings.ReplaceAll(text.Quote(s), `\`, `\\`)...)
	}
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := 0; i < len(s); i++ {
		c := s[i]
		if at := strings.IndexByte("\\\"\n\f\r\t\b", c); at >= 0 {
			b = append(b, '\\', "\\\"nfrtb"[at])
		} else if c < ' ' {
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return append(b, '"')
}
