package snapshot

import (
	"slices"

	"dozo/object"
	"dozo/rdb"
)

// stringPieces is a string: the walk goes from chunk to chunk. A chunk of which something
// is about to change before that is kept.
type stringPieces struct {
	noKeeper
	enc   *rdb.Encoder
	head  *rdb.RecordHead
	len   int // at the epoch
	chunk int // bytes of all but the last
	pos   int // where the walk is
	out   int // bytes written
	kept  map[int][]byte
}

func newStringPieces(enc *rdb.Encoder, head *rdb.RecordHead, n, chunk int) *stringPieces {
	return &stringPieces{enc: enc, head: head, len: n, chunk: chunk, kept: map[int][]byte{}}
}

func (p *stringPieces) begin(dst []byte) []byte { return p.enc.BeginString(dst, p.head, p.len) }

func (p *stringPieces) counts() (told, wrote int) { return p.len, p.out }

func (p *stringPieces) free() { p.kept = nil }

// Bytes keeps the chunks that are about to change or to go, those of the epoch.
func (p *stringPieces) Bytes(c object.Cell, from, to int) {
	for at := max(from/p.chunk*p.chunk, p.pos); at < min(to, p.len); at += p.chunk {
		if p.kept[at] == nil {
			p.kept[at] = slices.Clone(p.of(&c, at))
		}
	}
}

// of is the chunk that begins at an index, in place.
func (p *stringPieces) of(c *object.Cell, at int) []byte {
	return c.Bytes(nil)[at:min(at+p.chunk, p.len)]
}

func (p *stringPieces) next(dst []byte, c *object.Cell) ([]byte, bool) {
	before := len(dst)
	if b := p.kept[p.pos]; b != nil {
		dst = append(dst, b...)
		delete(p.kept, p.pos)
	} else {
		dst = append(dst, p.of(c, p.pos)...)
	}
	p.out += len(dst) - before
	p.pos += p.chunk
	return dst, p.pos >= p.len
}
