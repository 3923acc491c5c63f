package text

// nestingMax bounds the recursion of one match: one level a star.
const nestingMax = 1000

// Match reports whether s matches the glob pattern as KEYS, SCAN, PSUBSCRIBE,
// CONFIG GET and ACL patterns understand it.
//
//	?      one byte
//	*      any bytes, also none
//	[abc]  one of the bytes; [a-z] a range (in either order), [^a] any other
//	\x     the byte x itself, also inside brackets
//
// There is no error: an unclosed bracket ends with the pattern, a lone backslash
// at the end is itself.
//
// Cost. A star tries all suffixes of s, so n stars would take len(s)^n steps. But
// when what follows a star matches no suffix, an earlier star need not try again:
// it could only present a shorter suffix of the same s. Then the whole match
// fails at once, and the cost is at most len(pattern)*len(s).
//
// LIMITATIONS, kept because the genuine server has them: a pattern with over 1000
// stars matches nothing much; a pattern of stars only does not match the empty
// string when given to Match (callers treat the lone "*" before); ranges compare
// bytes as signed (so [a-\xff] is the range \xff..a) unless nocase is set.
func Match(pattern, s []byte, nocase bool) bool {
	m := matcher{nocase: nocase}
	return m.match(pattern, s, 0)
}

type matcher struct {
	nocase bool
	failed bool // the rest behind some star matches no suffix: give up
}

// at reads beyond the end as a zero byte.
func at(p []byte, i int) byte {
	if i < len(p) {
		return p[i]
	}
	return 0
}

func (m *matcher) match(p, s []byte, nesting int) bool {
	if nesting > nestingMax {
		return false
	}
	for len(p) > 0 && len(s) > 0 {
		ok := true
		switch p[0] {
		case '*':
			return m.star(p, s, nesting)
		case '?':
			p = p[1:]
		case '[':
			ok, p = m.class(p[1:], s[0])
		case '\\':
			if len(p) >= 2 {
				p = p[1:]
			}
			ok, p = m.same(p[0], s[0]), p[1:]
		default:
			ok, p = m.same(p[0], s[0]), p[1:]
		}
		if !ok {
			return false
		}
		s = s[1:]
		for len(s) == 0 && len(p) > 0 && p[0] == '*' {
			p = p[1:]
		}
	}
	return len(p) == 0 && len(s) == 0
}

// star matches a pattern that begins with one.
func (m *matcher) star(p, s []byte, nesting int) bool {
	for at(p, 1) == '*' {
		p = p[1:]
	}
	if len(p) == 1 {
		return true
	}
	for ; len(s) > 0; s = s[1:] {
		if m.match(p[1:], s, nesting+1) {
			return true
		}
		if m.failed {
			return false
		}
	}
	m.failed = true
	return false
}

func (m *matcher) same(a, b byte) bool {
	return a == b || m.nocase && Lower(a) == Lower(b)
}

// class matches c with the bracket whose inside begins at p, and returns the
// pattern behind it.
func (m *matcher) class(p []byte, c byte) (ok bool, rest []byte) {
	negate := at(p, 0) == '^'
	if negate {
		p = p[1:]
	}
	found := false
	for len(p) > 0 && p[0] != ']' {
		switch {
		case p[0] == '\\' && len(p) >= 2:
			found = found || p[1] == c
			p = p[2:]
		case len(p) >= 3 && p[1] == '-':
			found = found || m.between(p[0], p[2], c)
			p = p[3:]
		default:
			found = found || m.same(p[0], c)
			p = p[1:]
		}
	}
	if len(p) > 0 {
		p = p[1:] // the closing bracket
	}
	return found != negate, p
}

// between tests a range. C's char is signed where genuine servers mostly run;
// its tolower gives unsigned values but for 0xff, which stays -1 (EOF).
func (m *matcher) between(from, to, c byte) bool {
	lo, hi, v := int(int8(from)), int(int8(to)), int(int8(c))
	swap := lo > hi
	if m.nocase {
		lo, hi, v = lowerInt(lo), lowerInt(hi), lowerInt(v)
	}
	if swap {
		lo, hi = hi, lo
	}
	return lo <= v && v <= hi
}

func lowerInt(c int) int {
	if c == -1 {
		return c
	}
	return int(Lower(byte(c)))
}
