package text

import "strings"

// SplitArgs splits a line into arguments as redis-cli, inline commands and the
// config file do. Arguments are separated by white space; an argument may hold
// "double quoted" parts, in which \n \r \t \a \b \xHH and a backslash before any
// other byte are escapes, and 'single quoted' parts, in which only \' is. A
// closing quote must end the argument. The line ends at a zero byte.
//
// ok is false for unbalanced quotes and for a closing quote that does not end
// the argument. An empty line gives an empty list.
func SplitArgs(line []byte) (args [][]byte, ok bool) {
	for i := 0; i < len(line); i++ {
		if line[i] == 0 {
			line = line[:i]
		}
	}
	for {
		for len(line) > 0 && IsSpace(line[0]) {
			line = line[1:]
		}
		if len(line) == 0 {
			return args, true
		}
		arg := []byte{}
		if arg, line, ok = takeArg(arg, line); !ok {
			return nil, false
		}
		args = append(args, arg)
	}
}

// takeArg appends one argument to arg and returns what follows it.
func takeArg(arg, line []byte) (_, rest []byte, ok bool) {
	for len(line) > 0 {
		switch c := line[0]; c {
		case ' ', '\n', '\r', '\t':
			return arg, line[1:], true
		case '"', '\'':
			return takeQuoted(arg, line[1:], c)
		default:
			arg, line = append(arg, c), line[1:]
		}
	}
	return arg, nil, true
}

// takeQuoted reads up to the closing quote, which ends the argument.
func takeQuoted(arg, line []byte, quote byte) (_, rest []byte, ok bool) {
	for len(line) > 0 {
		n := 1
		switch c := line[0]; {
		case c == quote:
			return arg, line[1:], len(line) == 1 || IsSpace(line[1])
		case c != '\\':
			arg = append(arg, c)
		case quote == '"':
			c, n = unescape(line)
			arg = append(arg, c)
		case at(line, 1) == '\'':
			arg, n = append(arg, '\''), 2
		default:
			arg = append(arg, c)
		}
		line = line[n:]
	}
	return nil, nil, false
}

// unescape reads an escape of n bytes; line begins with the backslash. At the end
// of the line the backslash stands for itself.
func unescape(line []byte) (c byte, n int) {
	if len(line) >= 4 && line[1] == 'x' {
		if hi, lo := hexDigit(line[2]), hexDigit(line[3]); hi >= 0 && lo >= 0 {
			return byte(hi<<4 | lo), 4
		}
	}
	if len(line) < 2 {
		return line[0], 1
	}
	switch line[1] {
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'b':
		return '\b', 2
	case 'a':
		return '\a', 2
	}
	return line[1], 2
}

// AppendQuote appends s in double quotes with everything escaped that is not
// printable ASCII, so that SplitArgs gives s back.
func AppendQuote[S Bytes](dst []byte, s S) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' || c == '"':
			dst = append(dst, '\\', c)
		case isPrint(c):
			dst = append(dst, c)
		case escapeLetter(c) != 0:
			dst = append(dst, '\\', escapeLetter(c))
		default:
			dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
		}
	}
	return append(dst, '"')
}

func escapeLetter(c byte) byte {
	switch c {
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	case '\a':
		return 'a'
	case '\b':
		return 'b'
	}
	return 0
}

// Quote is AppendQuote as a string.
func Quote[S Bytes](s S) string { return string(AppendQuote(nil, s)) }

// Shorten keeps a text from filling a line of the log.
func Shorten(s string) string {
	const shown = 128
	if len(s) <= shown {
		return s
	}
	return strings.ToValidUTF8(s[:shown], "") + "..."
}

// NeedsQuote reports that s cannot stand as an argument without quotes: it has
// white space, a quote, a backslash or a byte that does not print.
func NeedsQuote[S Bytes](s S) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '\\' || c == '"' || c == ' ' || !isPrint(c) {
			return true
		}
	}
	return false
}
