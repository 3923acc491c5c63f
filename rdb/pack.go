package rdb

// Packer makes of plain records, which have their strings as they are, what files have:
// integers in a few bytes, and long strings compressed, if that is wanted. It is what
// the thread does that writes the file, not those that hold the data.
//
// Records come in pieces that may end anywhere. A string that is in several pieces is
// kept until it is whole, if it is no longer than packMax; a longer one stays as it is.
type Packer struct {
	cursor
	enc  *Encoder
	next packStage
	t    Type
	over uint64 // bytes that follow and stay as they are
	held []byte // a part that is not whole
}

// packStage is what follows when the shape ends.
type packStage uint8

const (
	packMark packStage = iota // a mark of a record or its type
	packBody                  // the body, behind the name
)

// packMax is the longest string that is kept to be compressed if it comes in pieces.
const packMax = 16 << 20

// The shapes of a record's other parts. They are constant.
var (
	nameShape  = compileShape("s")
	idleShape  = compileShape("l")
	freqShape  = []op{{opFixed, 1}, {kind: opEnd}}
	dateShape  = []op{{opFixed, doubleBytes}, {kind: opEnd}}
	emptyShape = []op{{kind: opEnd}}
)

// NewPacker packs as the encoder writes strings.
func NewPacker(e *Encoder) *Packer { return &Packer{enc: e, cursor: cursor{shape: emptyShape}} }

// Between tells whether what was packed ended with a whole record.
func (p *Packer) Between() bool {
	return p.kind() == opEnd && p.next == packMark && p.over == 0 && len(p.held) == 0
}

// Pack appends what the next piece gives to dst. An error means that the piece has
// no record: a broken invariant of who made it.
func (p *Packer) Pack(dst, src []byte) ([]byte, error) {
	for len(src) > 0 {
		var n int
		var err error
		switch {
		case len(p.held) > 0:
			dst, n, err = p.goOn(dst, src)
		case p.over > 0:
			n = int(min(p.over, uint64(len(src))))
			p.over -= uint64(n)
			dst = append(dst, src[:n]...)
		case p.kind() == opEnd:
			dst, n, err = p.turn(dst, src[0])
		default:
			dst, n, err = p.part(dst, src)
			if n == 0 && err == nil {
				p.held = append(p.held, src...)
				return dst, nil
			}
		}
		if err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

// turn is the end of a shape: what comes next follows from the byte c.
func (p *Packer) turn(dst []byte, c byte) (out []byte, n int, err error) {
	if p.next == packBody {
		p.begin(p.t)
		p.next = packMark
		return dst, 0, nil
	}
	shape := nameShape
	switch c {
	case opExpireMillis:
		shape = dateShape
	case opIdle:
		shape = idleShape
	case opFreq:
		shape = freqShape
	default:
		p.t, p.next = Type(c), packBody
		if !p.begin(p.t) {
			return dst, 0, errType
		}
	}
	p.cursor = cursor{shape: shape}
	return append(dst, c), 1, nil
}

// part packs the part that src begins with. With n = 0 it is not whole.
func (p *Packer) part(dst, src []byte) (out []byte, n int, err error) {
	if p.kind() != opString {
		head, body, err := p.pass(src)
		p.over = body
		return append(dst, src[:head]...), head, err
	}
	head, body, err := stringHead(src)
	switch {
	case head == 0 || err != nil:
		return dst, 0, err
	case src[0]&kindMask == kindEnc || body > packMax && uint64(len(src)-head) < body:
		p.over = body
		p.settle(p.at + 1)
		return append(dst, src[:head]...), head, nil
	case uint64(len(src)-head) < body:
		return dst, 0, nil
	}
	n = head + int(body)
	p.settle(p.at + 1)
	return p.enc.AppendString(dst, src[head:n]), n, nil
}

// goOn adds to the part that is held what it lacks, as far as src has it.
func (p *Packer) goOn(dst, src []byte) (out []byte, n int, err error) {
	n = 1 // the head is not whole: byte by byte
	if p.kind() == opString {
		if head, body, _ := stringHead(p.held); head > 0 {
			n = min(head+int(body)-len(p.held), len(src))
		}
	}
	p.held = append(p.held, src[:n]...)
	dst, used, err := p.part(dst, p.held)
	if used > 0 {
		if cap(p.held) > packKept {
			p.held = nil
		}
		p.held = p.held[:0]
	}
	return dst, n, err
}

// packKept is how much memory is kept for strings that come in pieces.
const packKept = 1 << 20
