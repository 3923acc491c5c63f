package importer

import (
	"encoding/binary"
	"hash/maphash"
	"math"

	"dozo/arena"
	"dozo/object"
	"dozo/rdb"
	"dozo/snapshot"
)

// converter makes values of what files and payloads have, to see what is in them.
type converter struct {
	arena   *arena.Arena
	heap    *arena.Heap
	kit     object.Kit
	builder rdb.Builder
}

func newConverter() (*converter, error) {
	a, err := arena.New(arena.Options{})
	if err != nil {
		return nil, err
	}
	seed := maphash.MakeSeed()
	c := &converter{arena: a, heap: a.NewHeap()}
	c.kit.Hash = func(b []byte) uint64 { return maphash.Bytes(seed, b) }
	c.builder = rdb.Builder{Deep: true, Limits: &object.Limits{
		Set: object.SetLimits{Intset: 512, Listpack: 128, Value: 64}, Hash: object.HashLimits{Listpack: 128, Value: 64},
		ZSet: object.ZSetLimits{Listpack: 128, Value: 64}, List: object.ListLimits{Fill: -2},
	}}
	return c, nil
}

func (c *converter) close() {
	c.heap.Close()
	c.arena.Close()
}

// open makes a value of a type and a body, for as long as see looks at it.
func (c *converter) open(key, body []byte, see func(*object.Cell) error) error {
	return c.value(key, func(at object.Place, d *object.Draft) error {
		in := rdb.NewDecoder(body)
		return c.builder.Object(&in, at, d)
	}, see)
}

// value has read make a value, and see look at it.
func (c *converter) value(key []byte, read func(object.Place, *object.Draft) error, see func(*object.Cell) error) error {
	var d object.Draft
	if err := read(object.Place{Heap: c.heap, Kit: &c.kit, Key: key}, &d); err != nil {
		return err
	}
	err := see(&d.Cell)
	left := d.Discard()
	left.FreeSome(c.heap, math.MaxInt)
	c.builder.Trim(recordMax)
	return err
}

// same tells whether two bodies are of the same value, however it is encoded.
func (c *converter) same(key, a, b []byte) bool {
	var sums [2]object.Digest
	for i, body := range [][]byte{a, b} {
		err := c.open(key, body, func(cell *object.Cell) error { cell.Digest(&sums[i], 0); return nil })
		if err != nil {
			return false
		}
	}
	return sums[0] == sums[1]
}

// commands gives the commands that make the value under a name, a piece at a time.
func commands(name []byte, deadline int64, cell *object.Cell, emit func([]byte)) {
	image := snapshot.Image{Emit: emit}
	emit(image.AppendRecord(nil, &rdb.RecordHead{Key: name, Deadline: deadline}, cell))
}

// The versions of payloads that have the types.
const (
	oldest      = 6
	streams     = 9 // and quicklists a little earlier
	listpacks   = 10
	setListpack = 11
	datedHashes = 12
)

// payload makes of a type and a body what RESTORE takes. Its version is the oldest that
// has the type, so that as many servers as possible know it.
func payload(body []byte) []byte {
	version := oldest
	switch t := rdb.Type(body[0]); {
	case t > rdb.TypeStream3:
		version = datedHashes
	case t > rdb.TypeStream2:
		version = setListpack
	case t > rdb.TypeStream:
		version = listpacks
	case t >= rdb.TypeListQuicklist:
		version = streams
	}
	body = binary.LittleEndian.AppendUint16(body, uint16(version))
	return binary.LittleEndian.AppendUint64(body, rdb.CRC64(0, body))
}
