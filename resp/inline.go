package resp

import "dozo/text"

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
	args, ok := p.words(line)
	if !ok {
		return nil, 0, errQuotes
	}
	return args, end + 1, nil
}

// words splits a line. Without quotes in it nothing is copied; a line with quotes
// is left to text.SplitArgs, which has storage of its own.
func (p *Parser) words(line []byte) ([][]byte, bool) {
	args := p.room(0)
	for i := 0; ; {
		for i < len(line) && isSpace(line[i]) {
			i++
		}
		if i == len(line) {
			break
		}
		from := i
		for i < len(line) && !endsWord(line[i]) {
			if line[i] == '"' || line[i] == '\'' {
				return text.SplitArgs(line)
			}
			i++
		}
		args = append(args, line[from:i:i])
	}
	p.args = args
	return args, true
}

// isSpace is C's isspace: what may stand between words.
func isSpace(c byte) bool { return c == ' ' || c-'\t' <= '\r'-'\t' }

// endsWord tells what ends a word outside quotes: less than isSpace, as in Redis.
func endsWord(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
