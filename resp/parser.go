package resp

import (
	"bytes"
	"encoding/binary"
	"math"

	"dozo/text"
)

// Defaults of Limits, in effect where a field is zero.
const (
	DefaultMaxBulk   = 512 << 20
	DefaultMaxArgs   = math.MaxInt32
	DefaultMaxInline = 64 << 10
)

// Bounds for clients that have yet to authenticate: enough for AUTH and HELLO,
// too little to make the server hoard memory for strangers.
const (
	unauthMaxArgs = 10
	unauthMaxBulk = 16384
)

// Limits bound what a client may announce. They may be changed between two
// calls of Next.
type Limits struct {
	MaxBulk   int64 // longest argument (proto-max-bulk-len)
	MaxArgs   int   // most arguments of a command
	MaxInline int   // longest line: inline commands and count strings
	// Unauthenticated adds the tighter bounds for clients that have not said
	// who they are: 10 arguments of 16 KiB.
	Unauthenticated bool
}

// bounds are the limits of one kind of number, and the errors for going beyond.
type bounds struct {
	most, unauthMost int64
	bad, unauth      *ProtocolError
}

var (
	countBounds = bounds{DefaultMaxArgs, unauthMaxArgs, errBadCount, errUnauthCount}
	bulkBounds  = bounds{DefaultMaxBulk, unauthMaxBulk, errBadBulk, errUnauthBulk}
)

// check holds a number that a client announced against the limit given for it. A
// limit as tight as a stranger's is not what tells wrong from unauthenticated.
func (l *Limits) check(n, given int64, b *bounds) error {
	most := orDefault(given, b.most)
	if l.Unauthenticated && most <= b.unauthMost {
		most = b.most
	}
	if n > most {
		return b.bad
	}
	if l.Unauthenticated && n > b.unauthMost {
		return b.unauth
	}
	return nil
}

// Parser takes commands out of one connection's input. The zero value is ready.
//
// Between calls it remembers offsets from the start of the unfinished command,
// never slices, so the caller may move the bytes; it must pass them again from
// the same first byte, with more behind.
type Parser struct {
	Limits Limits

	args  [][]byte // what Next returned last; its storage is reused
	spans []span   // arguments so far of the command under way
	whole int      // bytes in spans
	left  int      // arguments to come of the command under way; 0: none is
	pos   int      // where parsing goes on
	scan  int      // the search for a line end goes on here, if beyond pos
	bulk  int      // length of the argument at pos; -1: its header is not read yet
	need  int      // what Missing answers
}

// span is an argument's place, counted from the command's first byte.
type span struct{ from, to int }

// Storage for arguments is kept between these capacities.
const (
	fewArgs  = 9    // the fast path's most
	manyArgs = 1024 // more is given back to the collector after use
)

// fastBulkMax is the first length that the fast path leaves to the general one,
// so that it need not know the bounds for unauthenticated clients.
const fastBulkMax = 10000

// Unfinished tells of a command that has come in part: how many bytes its whole
// arguments have, and where the one begins that is still to come to its end.
func (p *Parser) Unfinished() (whole, at int) {
	if p.left == 0 {
		return 0, 0
	}
	return p.whole, p.pos
}

// Next takes the command that buf starts with. A whole command gives its
// arguments and its length n; args alias buf and are valid until the next call.
// An empty command (an empty line, "*0", "*-1") gives empty args that are not
// nil. When more bytes are needed it gives (nil, 0, nil), and Missing tells how
// many at least. After an error, always a *ProtocolError, the connection is of no
// further use.
//
// The body is the fast path: up to nine arguments from the first byte on, with
// headers as every client library writes them. Whatever else it meets it hands to
// general, together with what it has parsed.
func (p *Parser) Next(buf []byte) (args [][]byte, n int, err error) {
	if len(buf) < 8 || p.left|p.scan != 0 || p.tight() {
		return p.general(buf)
	}
	h := binary.LittleEndian.Uint32(buf)
	count := int(h>>8&0xff) - '0'
	if h&headerMask1 != headerCount || uint(count-1) >= fewArgs {
		return p.general(buf)
	}
	if uint(cap(p.args)-fewArgs) > manyArgs-fewArgs {
		p.args = make([][]byte, fewArgs)
	}
	args = p.args[:count]
	at := 4
	for k := range args {
		if at+5 > len(buf) {
			return p.handOver(buf, args, k)
		}
		var length uint32
		h = binary.LittleEndian.Uint32(buf[at:])
		units, tens := h>>16&0xff-'0', h>>8&0xff-'0'
		switch {
		case h&headerMask1 == header1 && tens <= 9:
			length = tens
			at += 4
		case h&headerMask2 == header2 && buf[at+4] == '\n' && units <= 9 && tens-1 <= 8:
			length = tens*10 + units
			at += 5
		default:
			var next int
			if length, next = plainHeader(buf, at); next == 0 {
				return p.handOver(buf, args, k)
			}
			at = next
		}
		to := at + int(length)
		if to+2 > len(buf) {
			return p.handOver(buf, args, k)
		}
		args[k] = buf[at:to:to]
		at = to + 2
	}
	return args, at, nil
}

// Headers of one and of two digits, as their first four bytes look when loaded as
// a little-endian word, with the digits masked out.
const (
	headerCount = '*' | '\r'<<16 | '\n'<<24
	header1     = '$' | '\r'<<16 | '\n'<<24
	headerMask1 = 0xffff00ff
	header2     = '$' | '\r'<<24
	headerMask2 = 0xff0000ff
)

// tight reports limits so low that the fast path would have to look at them.
func (p *Parser) tight() bool {
	return uint64(p.Limits.MaxBulk-1) < fastBulkMax-1 || uint(p.Limits.MaxArgs-1) < fewArgs-1
}

// plainHeader reads a "$<length>\r\n" of one to four digits at buf[at]. next is
// where the argument begins; 0 means that it is something else, or not there yet.
func plainHeader(buf []byte, at int) (length uint32, next int) {
	if at+4 > len(buf) || buf[at] != '$' || buf[at+1] == '0' && buf[at+2] != '\r' {
		return 0, 0
	}
	for i := at + 1; i < len(buf)-1 && i <= at+5; i++ {
		d := uint32(buf[i]) - '0'
		if d > 9 {
			if buf[i] == '\r' && buf[i+1] == '\n' && i > at+1 {
				return length, i + 2
			}
			break
		}
		length = length*10 + d
	}
	return 0, 0
}

// handOver continues on the general path behind the first k arguments. Their
// places follow from their lengths, since the fast path takes canonical headers
// only.
func (p *Parser) handOver(buf []byte, args [][]byte, k int) ([][]byte, int, error) {
	p.begin(len(args), 4)
	for _, arg := range args[:k] {
		from := p.pos + 1 + digits(len(arg)) + 2
		p.spans = append(p.spans, span{from, from + len(arg)})
		p.whole += len(arg)
		p.pos = from + len(arg) + 2
	}
	p.left -= k
	return p.general(buf)
}

func digits(n int) int {
	d := 1
	for ; n >= 10; n /= 10 {
		d++
	}
	return d
}

// begin starts a command of count arguments whose first header is at pos.
func (p *Parser) begin(count, pos int) {
	if cap(p.spans) > manyArgs {
		p.spans = nil
	}
	p.spans = p.spans[:0]
	p.left, p.pos, p.scan, p.bulk, p.whole = count, pos, 0, -1, 0
}

// general parses any command, in as many calls as it takes.
func (p *Parser) general(buf []byte) ([][]byte, int, error) {
	if p.left == 0 {
		if len(buf) == 0 {
			return p.wait(1)
		}
		if buf[0] != '*' {
			return p.inline(buf)
		}
		if n, err := p.countHeader(buf); n != 0 || err != nil || p.left == 0 {
			return p.emptyOrNothing(n, err)
		}
	}
	tight := p.tight()
	for p.left > 0 {
		if p.bulk < 0 {
			if length, next := plainHeader(buf, p.pos); next != 0 && !tight {
				p.bulk, p.pos, p.scan = int(length), next, 0
			} else if ok, err := p.bulkHeader(buf); !ok {
				return nil, 0, err
			}
		}
		if have := len(buf) - p.pos; have-2 < p.bulk {
			return p.wait(p.bulk + 2 - have)
		}
		p.spans = append(p.spans, span{p.pos, p.pos + p.bulk})
		p.whole += p.bulk
		p.pos += p.bulk + 2
		p.bulk = -1
		p.left--
	}
	return p.finish(buf)
}

// wait says that n more bytes are needed at least.
func (p *Parser) wait(n int) ([][]byte, int, error) {
	p.need = max(n, 1)
	return nil, 0, nil
}

func (p *Parser) emptyOrNothing(n int, err error) ([][]byte, int, error) {
	if n == 0 {
		return nil, 0, err
	}
	return [][]byte{}, n, nil
}

// finish turns the places of a whole command into arguments.
func (p *Parser) finish(buf []byte) ([][]byte, int, error) {
	args := p.room(len(p.spans))
	for i, s := range p.spans {
		args[i] = buf[s.from:s.to:s.to]
	}
	n := p.pos
	p.pos, p.scan = 0, 0
	return args, n, nil
}

// room gives storage for n arguments.
func (p *Parser) room(n int) [][]byte {
	if cap(p.args) < max(n, 1) || cap(p.args) > manyArgs && n <= manyArgs {
		p.args = make([][]byte, max(n, fewArgs))
	}
	return p.args[:n]
}

// countHeader reads "*<count>". A command without arguments is over with it: n is
// then its length. Otherwise p.left says whether the header was there.
func (p *Parser) countHeader(buf []byte) (n int, err error) {
	end := p.lineEnd(buf, '\r')
	if end == lineTooLong {
		return 0, errBigCount
	}
	if end < 0 || end+1 >= len(buf) {
		p.need = 1
		return 0, nil
	}
	count, ok := text.ParseInt(buf[1:end])
	if !ok {
		return 0, errBadCount
	}
	if err := p.Limits.check(count, int64(p.Limits.MaxArgs), &countBounds); err != nil {
		return 0, err
	}
	p.scan = 0
	if count <= 0 {
		return end + 2, nil
	}
	p.begin(int(count), end+2)
	return 0, nil
}

// bulkHeader reads "$<length>" at pos; ok is false while it is not all there.
func (p *Parser) bulkHeader(buf []byte) (ok bool, err error) {
	end := p.lineEnd(buf, '\r')
	if end == lineTooLong {
		return false, errBigBulk
	}
	if end < 0 || end+1 >= len(buf) {
		p.need = 1
		return false, nil
	}
	if buf[p.pos] != '$' {
		return false, expectedDollar(buf[p.pos])
	}
	length, ok := text.ParseInt(buf[p.pos+1 : end])
	if !ok || length < 0 || length > math.MaxInt-2 {
		return false, errBadBulk
	}
	if err := p.Limits.check(length, p.Limits.MaxBulk, &bulkBounds); err != nil {
		return false, err
	}
	p.pos, p.scan, p.bulk = end+2, 0, int(length)
	return true, nil
}

func orDefault[T int | int64](v, def T) T {
	if v == 0 {
		return def
	}
	return v
}

// Answers of lineEnd that are not a place.
const (
	lineOpen    = -1
	lineTooLong = -2
)

// lineEnd finds the first mark ('\r' or '\n') of the line at pos. A search that
// came to nothing goes on where it stopped, so bytes that trickle in are looked
// at once.
//
// A NUL hides all that follows it, as it does in Redis, where the search is C's:
// such a line never ends and is refused when it has grown too long. A line whose
// end is further off than the limit is refused even if the end has arrived
// already; Redis lets it pass when one read brought it, so that what is accepted
// depends on how the network cut the stream.
func (p *Parser) lineEnd(buf []byte, mark byte) int {
	longest := orDefault(p.Limits.MaxInline, DefaultMaxInline)
	window := buf[:min(len(buf), p.pos+longest+1)]
	from := max(p.scan, p.pos)
	at := bytes.IndexByte(window[from:], mark)
	seen := window[from:]
	if at >= 0 {
		seen = seen[:at]
	}
	if nul := bytes.IndexByte(seen, 0); nul >= 0 {
		at = -1
		p.scan = from + nul
	} else {
		p.scan = from + len(seen)
	}
	switch {
	case at >= 0:
		return from + at
	case len(buf)-p.pos > longest:
		return lineTooLong
	}
	return lineOpen
}

// Missing is the number of bytes, at least one, without which the next call of
// Next cannot give a command; it is exact to the end of a long argument that has
// begun. It has meaning after Next has given (nil, 0, nil).
func (p *Parser) Missing() int { return p.need }

// Pending reports whether part of a command has been parsed already.
func (p *Parser) Pending() bool { return p.left != 0 || p.scan != 0 }

// Reset forgets a command under way and lets go of all storage, for a connection
// that has been idle.
func (p *Parser) Reset() { *p = Parser{Limits: p.Limits} }
