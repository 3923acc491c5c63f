package resp

// inline takes a command that is a line of words, as typed by hand.
func (p *Parser) inline(buf []byte) ([][]byte, int, error) {
	end := p.lineEnd(buf, '\n')
	if end == lineTooLong {
		return nil, 0, errBigInline
	}
	if end < 0 {
		return p.wait(1)
	}
	line := buf[:end]
	if end > 0 && line[end-1] == '\r' {
		line = line[:end-1]
	}
	p.scan = 0
	args, ok := p.splitLine(line)
	if !ok {
		return nil, 0, errQuotes
	}
	return args, end + 1, nil
}

// splitLine is SplitArgs on the parser's own storage.
func (p *Parser) splitLine(line []byte) ([][]byte, bool) {
	if cap(p.args) > manyArgs {
		p.args = nil
	}
	if cap(p.scratch) < len(line) {
		p.scratch = make([]byte, 0, len(line))
	}
	args, ok := splitWords(p.args[:0], p.scratch[:0], line)
	if args == nil {
		return [][]byte{}, ok
	}
	p.args = args
	return args, ok
}

// SplitArgs splits a line into words with the quoting of Redis' inline commands,
// configuration files and redis-cli: "..." with the escapes \n \r \t \b \a \" \\
// and \xHH, '...' with \' only. A closing quote must end the word. ok is false
// for unbalanced quotes. Words may alias the line.
func SplitArgs(line []byte) (words [][]byte, ok bool) {
	return splitWords(nil, make([]byte, 0, len(line)), line)
}

// splitWords appends the words of line to words. Quoted ones are unquoted into
// scratch, whose capacity must not be less than the line's length (what is
// unquoted never grows), so that it does not move under words taken before.
func splitWords(words [][]byte, scratch, line []byte) ([][]byte, bool) {
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) || line[i] == 0 {
			return words, true
		}
		end := i
		for end < len(line) && !endsWord(line[end]) && line[end] != '"' && line[end] != '\'' {
			end++
		}
		if end == len(line) || endsWord(line[end]) {
			words = append(words, line[i:end:end])
			i = end
			continue
		}
		from := len(scratch)
		var n int
		if scratch, n = unquoteWord(scratch, line[i:]); n < 0 {
			return words, false
		}
		words = append(words, scratch[from:len(scratch):len(scratch)])
		i += n
	}
}

// isSpace is C's isspace: what may stand between words.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

// endsWord tells what ends a word outside quotes: less than isSpace, as in Redis.
func endsWord(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == 0 }

// unquoteWord appends the word that s begins with to dst. n is the number of
// bytes it took, or -1 if its quotes do not balance.
func unquoteWord(dst, s []byte) (out []byte, n int) {
	for n = 0; n < len(s) && !endsWord(s[n]); {
		var used int
		switch s[n] {
		case '"':
			dst, used = doubleQuoted(dst, s[n+1:])
		case '\'':
			dst, used = singleQuoted(dst, s[n+1:])
		default:
			dst = append(dst, s[n])
			n++
			continue
		}
		n += 1 + used
		if used < 0 || n < len(s) && s[n] != 0 && !isSpace(s[n]) {
			return dst, -1
		}
		return dst, n
	}
	return dst, n
}

// doubleQuoted takes what follows a double quote, up to and with the closing one.
func doubleQuoted(dst, s []byte) ([]byte, int) {
	for i := 0; i < len(s) && s[i] != 0; i++ {
		switch {
		case s[i] == '"':
			return dst, i + 1
		case s[i] != '\\' || i+1 == len(s) || s[i+1] == 0:
			dst = append(dst, s[i])
		case s[i+1] == 'x' && i+3 < len(s) && isHex(s[i+2]) && isHex(s[i+3]):
			dst = append(dst, unhex(s[i+2])<<4|unhex(s[i+3]))
			i += 3
		default:
			dst = append(dst, unescape(s[i+1]))
			i++
		}
	}
	return dst, -1
}

// singleQuoted is doubleQuoted for single quotes.
func singleQuoted(dst, s []byte) ([]byte, int) {
	for i := 0; i < len(s) && s[i] != 0; i++ {
		switch {
		case s[i] == '\'':
			return dst, i + 1
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '\'':
			i++
		}
		dst = append(dst, s[i])
	}
	return dst, -1
}

func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'b':
		return '\b'
	case 'a':
		return '\a'
	}
	return c
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
