package text

// Bytes is what most functions here read: a byte slice or a string.
type Bytes interface{ ~[]byte | ~string }

// Lower is the lower-case form of c, ASCII letters only, whatever the locale.
func Lower(c byte) byte {
	if c-'A' < 26 {
		c |= 0x20
	}
	return c
}

// EqualFold reports whether a and b are equal but for the case of ASCII letters.
func EqualFold[A, B Bytes](a A, b B) bool {
	if len(a) != len(b) {
		return false
	}
	for i := 0; i < len(a); i++ {
		if x, y := a[i], b[i]; x != y && Lower(x) != Lower(y) {
			return false
		}
	}
	return true
}

// Fold makes the ASCII letters of b lower case, in place.
func Fold(b []byte) {
	for i, c := range b {
		b[i] = Lower(c)
	}
}

// AppendFold appends s with its ASCII letters in lower case.
func AppendFold[S Bytes](dst []byte, s S) []byte {
	for i := 0; i < len(s); i++ {
		dst = append(dst, Lower(s[i]))
	}
	return dst
}

// IsSpace is isspace of the C locale.
func IsSpace(c byte) bool { return c == ' ' || c-'\t' < 5 }

// isPrint is isprint of the C locale.
func isPrint(c byte) bool { return c-' ' < 95 }

func isDigit(c byte) bool { return c-'0' < 10 }

// hexDigit is the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case Lower(c)-'a' < 6:
		return int(Lower(c)-'a') + 10
	}
	return -1
}
