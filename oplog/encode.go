package oplog

import "strconv"

// AppendCommand appends one command to dst as RESP: an array of bulk strings.
// It allocates only when dst must grow.
func AppendCommand(dst []byte, args ...[]byte) []byte {
	dst = AppendHeader(dst, len(args))
	for _, a := range args {
		dst = AppendArg(dst, a)
	}
	return dst
}

// AppendHeader begins a command of n words, its name among them; the caller
// appends exactly n arguments after it.
func AppendHeader(dst []byte, n int) []byte { return appendLength(dst, '*', n) }

// AppendArg appends one argument.
func AppendArg(dst, arg []byte) []byte {
	dst = appendLength(dst, '$', len(arg))
	dst = append(dst, arg...)
	return append(dst, '\r', '\n')
}

// AppendArgString appends one argument that is at hand as a string.
func AppendArgString(dst []byte, arg string) []byte {
	dst = appendLength(dst, '$', len(arg))
	dst = append(dst, arg...)
	return append(dst, '\r', '\n')
}

// AppendArgInt appends one argument that is a number, in decimal.
func AppendArgInt(dst []byte, n int64) []byte {
	var digits [20]byte
	return AppendArg(dst, strconv.AppendInt(digits[:0], n, 10))
}

func appendLength(dst []byte, kind byte, n int) []byte {
	switch { // nearly all lengths are short
	case n >= 0 && n < 10:
		return append(dst, kind, byte('0'+n), '\r', '\n')
	case n >= 10 && n < 100:
		return append(dst, kind, byte('0'+n/10), byte('0'+n%10), '\r', '\n')
	}
	dst = strconv.AppendInt(append(dst, kind), int64(n), 10)
	return append(dst, '\r', '\n')
}
