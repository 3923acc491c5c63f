package snapshot

import (
	"dozo/container/listpack"
	"dozo/keyspace"
	"dozo/object"
	"dozo/rdb"
)

// kept is what was written to the side of a value whose elements have names.
type kept struct {
	ks    *keyspace.Keyspace
	names keyspace.Names
	side  []byte // elements as they were
}

// has tells whether an element is passed over.
func (k *kept) has(name []byte) bool { return k.names.Has(k.ks.NameHash(name), name) }

// note has an element passed over.
func (k *kept) note(name []byte) { k.ks.AddName(&k.names, k.ks.NameHash(name), name) }

// tail appends what lies at the side.
func (k *kept) tail(dst []byte) []byte {
	dst = append(dst, k.side...)
	k.side = nil
	return dst
}

func (k *kept) free() {
	k.names.Free()
	k.side = nil
}

// tablePieces is the part that sets and hashes have in common: the walk goes through
// their tables in the order of the hashes.
type tablePieces struct {
	noKeeper
	kept
	enc  *rdb.Encoder
	head *rdb.RecordHead
	len  int // elements at the epoch
	out  int // written, or at the side
	pos  uint64
	end  bool
}

func (t *tablePieces) counts() (told, wrote int) { return t.len, t.out }

// passes tells whether an element needs nothing more, because it has been written or is
// noted.
func (t *tablePieces) passes(sum uint64, name []byte) bool {
	return t.end || sum < t.pos || t.has(name)
}

// advance is the end of a step of the walk.
func (t *tablePieces) advance(dst []byte, next uint64) (_ []byte, done bool) {
	if t.pos, t.end = next, next == 0; t.end {
		return t.tail(dst), true
	}
	return dst, false
}

// setPieces is a set.
type setPieces struct{ tablePieces }

func newSetPieces(s *Snapshot, enc *rdb.Encoder, head *rdb.RecordHead, v object.SetValue) *setPieces {
	return &setPieces{tablePieces{kept: kept{ks: s.ks}, enc: enc, head: head, len: v.Len()}}
}

func (p *setPieces) begin(dst []byte) []byte { return p.enc.BeginSet(dst, p.head, p.len) }

// Element keeps a member that is about to come or to go.
func (p *setPieces) Element(c object.Cell, name []byte) {
	if p.passes(c.Kit.Hash(name), name) {
		return
	}
	p.note(name)
	if (object.SetValue{Cell: &c}).Has(name) {
		p.out++
		p.side = p.enc.AppendString(p.side, name)
	}
}

func (p *setPieces) next(dst []byte, c *object.Cell) ([]byte, bool) {
	if !c.Large() { // what was left of it is kept
		return p.advance(dst, 0)
	}
	next := object.SetValue{Cell: c}.MembersFrom(p.pos, func(_ uint64, m listpack.Value) {
		if !p.has(m.Str) {
			p.out++
			dst = p.enc.AppendString(dst, m.Str)
		}
	})
	return p.advance(dst, next)
}

// hashPieces is a hash.
type hashPieces struct {
	tablePieces
	now, first int64
}

func newHashPieces(s *Snapshot, enc *rdb.Encoder, head *rdb.RecordHead, v object.HashValue) *hashPieces {
	return &hashPieces{tablePieces{kept: kept{ks: s.ks}, enc: enc, head: head, len: v.Len()}, s.epoch, v.Upcoming()}
}

func (p *hashPieces) begin(dst []byte) []byte {
	return p.enc.BeginHash(dst, p.head, p.len, p.first)
}

// Element keeps a field that is about to come, to change or to go.
func (p *hashPieces) Element(c object.Cell, name []byte) {
	if p.passes(c.Kit.Hash(name), name) {
		return
	}
	p.note(name)
	if v, deadline, ok := (object.HashValue{Cell: &c}).Field(name); ok {
		p.side = p.field(p.side, name, v, deadline)
	}
}

// field appends a field, unless it was due by the epoch.
func (p *hashPieces) field(dst, name []byte, v listpack.Value, deadline int64) []byte {
	if deadline != 0 && deadline <= p.now {
		return dst
	}
	p.out++
	return p.enc.AppendField(dst, name, v.Str, deadline, p.first)
}

func (p *hashPieces) next(dst []byte, c *object.Cell) ([]byte, bool) {
	if !c.Large() {
		return p.advance(dst, 0)
	}
	next := object.HashValue{Cell: c}.FieldsFrom(p.pos, func(_ uint64, f, v listpack.Value, deadline int64) {
		if !p.has(f.Str) {
			dst = p.field(dst, f.Str, v, deadline)
		}
	})
	return p.advance(dst, next)
}

// zsetPieces is a sorted set: the walk goes from the highest member down, as those who
// load it like it best. A member may get before the walk that has been written, so all
// that change are noted.
type zsetPieces struct {
	noKeeper
	kept
	enc  *rdb.Encoder
	head *rdb.RecordHead
	len  int // members at the epoch
	out  int // written, or at the side
	// The walk has written what lies at or above this member; not begun: nothing.
	walking bool
	score   float64
	member  []byte
}

func newZSetPieces(s *Snapshot, enc *rdb.Encoder, head *rdb.RecordHead, v object.ZSetValue) *zsetPieces {
	return &zsetPieces{kept: kept{ks: s.ks}, enc: enc, head: head, len: v.Len()}
}

func (p *zsetPieces) counts() (told, wrote int) { return p.len, p.out }

func (p *zsetPieces) begin(dst []byte) []byte { return p.enc.BeginZSet(dst, p.head, p.len) }

// Element keeps a member that is about to come, to get another score or to go.
func (p *zsetPieces) Element(c object.Cell, name []byte) {
	if p.has(name) {
		return
	}
	p.note(name)
	score, ok := object.ZSetValue{Cell: &c}.Score(name)
	if ok && !p.written(score, name) {
		p.out++
		p.side = p.enc.AppendScored(p.side, name, score)
	}
}

// written tells whether a member lies behind the walk.
func (p *zsetPieces) written(score float64, member []byte) bool {
	if !p.walking || score != p.score {
		return p.walking && score > p.score
	}
	return string(member) >= string(p.member)
}

// zsetStep is how many members are looked at in one step.
const zsetStep = 64

func (p *zsetPieces) next(dst []byte, c *object.Cell) ([]byte, bool) {
	if !c.Large() {
		return p.tail(dst), true
	}
	z := object.ZSetValue{Cell: c}
	rank := z.Len()
	if p.walking {
		rank = z.Below(p.score, p.member)
	}
	n := min(rank, zsetStep)
	z.Walk(rank-1, n, true, func(s object.Scored) bool {
		p.score = s.Score()
		p.member = append(p.member[:0], s.Member.Str...)
		if !p.has(s.Member.Str) {
			p.out++
			dst = p.enc.AppendScored(dst, s.Member.Str, p.score)
		}
		return true
	})
	p.walking = true
	if n < zsetStep {
		return p.tail(dst), true
	}
	return dst, false
}
