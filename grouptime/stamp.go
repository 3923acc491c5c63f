package grouptime

import (
	"bytes"
	"strconv"
)

// A stamp in a stream is a PING with a word, which Redis takes for a PING: the two words
// are what a replica parses.

// stampWord begins the word of a stamp; Unix milliseconds follow.
const stampWord = "dozo:clock:"

// AppendStamp appends the command that tells the time to a stream, in RESP.
func AppendStamp(dst []byte, ms int64) []byte {
	var digits [20]byte
	n := strconv.AppendInt(digits[:0], ms, 10)
	dst = append(dst, "*2\r\n$4\r\nPING\r\n$"...)
	dst = strconv.AppendInt(dst, int64(len(stampWord)+len(n)), 10)
	dst = append(dst, "\r\n"+stampWord...)
	return append(append(dst, n...), "\r\n"...)
}

// ParseStamp is the time that a command of a stream tells, if it is a stamp.
func ParseStamp(args [][]byte) (ms int64, ok bool) {
	if len(args) != 2 || !bytes.EqualFold(args[0], []byte("PING")) {
		return 0, false
	}
	digits, ok := bytes.CutPrefix(args[1], []byte(stampWord))
	if !ok || len(digits) == 0 || len(digits) > 16 {
		return 0, false
	}
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		ms = ms*10 + int64(d-'0')
	}
	return ms, true
}
