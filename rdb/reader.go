package rdb

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strconv"

	"dozo/object"
)

// The bytes that begin what is no value.
const (
	opSlotInfo     = 244
	opFunction     = 245
	opFunctionOld  = 246
	opModuleAux    = 247
	opIdle         = 248
	opFreq         = 249
	opAux          = 250
	opResize       = 251
	opExpireMillis = 252
	opExpire       = 253
	opSelect       = 254
	opEOF          = 255
)

const (
	magic       = "REDIS"
	headerBytes = len(magic) + 4
	// VersionChecksum is the first version whose files end with a checksum.
	VersionChecksum = 5
)

// Kind is what an Item is.
type Kind uint8

// The kinds.
const (
	// End is the end of the file: the checksum, if there is one, is right.
	End Kind = iota
	// Key is a key with its value.
	Key
	// Aux is a named fact of the file as a whole: Name, Value.
	Aux
	// Function is a library of functions: Value.
	Function
	// ModuleAux is what a module has written besides keys, which is left out: Name is the
	// module's type.
	ModuleAux
	// Database says that the keys from here on are in the database DB.
	Database
	// Sizes says how many keys this database has: Keys, Expires.
	Sizes
)

// Item is a part of a file. Name and Value are valid until the next item is read.
type Item struct {
	Kind   Kind
	Offset int64  // where it begins
	Name   []byte // also of a key
	Value  []byte
	DB     int

	Keys, Expires uint64

	// Of a key. Idle (seconds) and Freq are -1 if they are not there.
	Type     Type
	Dated    bool // Deadline is there
	Deadline int64
	Idle     int64
	Freq     int
	// Record is the name and the value as they are in the file; nil if that is longer than a
	// buffer. ReadRecord reads it.
	Record []byte
}

// ReaderOptions say how to read.
type ReaderOptions struct {
	// Size is how long the stream is, 0 = not known. With it, a length that promises
	// more than there is is found out at once, and without memory being taken for it.
	Size int64
	// SkipChecksum is rdbchecksum no.
	SkipChecksum bool
	// Buffer gives the buffer that is read into next, of BufferSize bytes. What Item.Record
	// aliases is never written to again but by way of Buffer giving it again. Nil: there is
	// one buffer.
	Buffer     func() []byte
	BufferSize int
}

const bufferSize = 256 << 10

// Reader reads a database file, or the part of an AOF that is one, from a stream.
// Its memory is bounded by a buffer and the longest element of a value.
//
// LIMITATIONS: an element, or a compressed string, that is longer than the buffer is in
// memory once more while it is read; any other long string is not.
type Reader struct {
	window
	// Version is that of the format; valid after the first item.
	Version int
	// Checked tells at the end whether there was a checksum.
	Checked bool

	db      int
	started bool
	doing   string
	item    Item // the one that is being read
	name    []byte
	skim    Skimmer
	body    int  // where in its record the value of the last key begins
	open    bool // the value of the last key, a long one, is still to be read
}

// NewReader reads from src.
func NewReader(src io.Reader, o ReaderOptions) *Reader {
	if o.Buffer == nil {
		o.BufferSize = max(o.BufferSize, bufferSize)
		own := make([]byte, o.BufferSize)
		o.Buffer = func() []byte { return own }
	}
	r := &Reader{window: window{src: src, size: o.Size, next: o.Buffer, room: o.BufferSize, keep: -1, noSum: o.SkipChecksum}}
	r.d.src = &r.window
	return r
}

// Offset is how far the stream was read. At the end it is where the file ends; what
// was taken from the stream beyond that is Rest.
func (r *Reader) Offset() int64 { return r.offset() }

// Rest is what was taken from the stream behind the end of the file.
func (r *Reader) Rest() []byte { return r.d.in }

// InValue tells whether it was a key's value that could not be read.
func (r *Reader) InValue() bool { return r.doing == doingValue }

// Next reads the next item. After an error, which is always a FileError, nothing more
// can be read.
func (r *Reader) Next(it *Item) error {
	err := r.read()
	r.keep = -1
	if err != nil {
		return r.fail(err)
	}
	*it = r.item
	return nil
}

// read reads the next item, whose bytes are kept meanwhile.
func (r *Reader) read() error {
	if err := r.skipOpen(); err != nil {
		return err
	}
	r.item = Item{DB: r.db, Idle: -1, Freq: -1}
	if !r.started {
		if err := r.header(); err != nil {
			return err
		}
		r.started = true
	}
	r.keep = r.at()
	r.item.Offset = r.offset()
	for {
		r.doing = doingType
		op, err := r.d.Byte()
		if err != nil {
			return err
		}
		if done, err := r.part(op); done || err != nil {
			return err
		}
	}
}

func (r *Reader) header() error {
	r.doing = doingStart
	h, err := r.d.Take(uint64(headerBytes))
	if err != nil {
		return err
	}
	if string(h[:len(magic)]) != magic {
		return whatf("Wrong signature trying to load DB from file: it begins with %.*q, not with %q", headerBytes, h, magic)
	}
	r.Version, err = strconv.Atoi(string(h[len(magic):]))
	switch {
	case err != nil || r.Version < 1:
		return whatf("its version is %q, which is no number", h[len(magic):])
	case r.Version > VersionMax:
		return whatf("Can't handle RDB format version %d: the newest that is known here is %d, a newer server has written it", r.Version, VersionMax)
	}
	return nil
}

// part reads what follows an opcode. Those that say something of the next key are no
// item of their own.
func (r *Reader) part(op byte) (done bool, err error) {
	it := &r.item
	switch op {
	case opExpire, opExpireMillis:
		return false, r.expire(op)
	case opIdle:
		n, err := r.d.Len()
		it.Idle = int64(n & (1<<62 - 1))
		return false, err
	case opFreq:
		n, err := r.d.Byte()
		it.Freq = int(n)
		return false, err
	case opSlotInfo: // the slot, how many keys are in it, and how many expire
		return false, r.lens(3, nil)
	case opSelect, opResize:
		r.doing = doingLen
		return true, r.sizes(op)
	case opAux:
		r.doing = doingAux
		return true, r.aux()
	case opModuleAux:
		r.doing = doingModuleAux
		return true, r.moduleAux()
	case opFunction:
		r.doing = doingFunctions
		it.Kind = Function
		it.Value, err = r.d.String(nil)
		return true, err
	case opFunctionOld:
		return true, whatf("it has a library of functions as release candidates of Redis 7.0 wrote them, which no version reads")
	case opEOF:
		r.doing = doingChecksum
		return true, r.end()
	}
	return true, r.key(Type(op))
}

func (r *Reader) expire(op byte) error {
	const seconds = 4
	r.doing, r.item.Dated = doingExpire, true
	if op == opExpireMillis {
		b, err := r.d.Take(doubleBytes)
		if err == nil {
			r.item.Deadline = int64(binary.LittleEndian.Uint64(b))
		}
		return err
	}
	b, err := r.d.Take(seconds)
	if err == nil {
		r.item.Deadline = 1000 * int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return err
}

// lens reads n lengths to v, or to nowhere.
func (r *Reader) lens(n int, v []uint64) error {
	for i := range n {
		x, err := r.d.Len()
		if err != nil {
			return err
		}
		if v != nil {
			v[i] = x
		}
	}
	return nil
}

func (r *Reader) sizes(op byte) error {
	const databasesMax = 1 << 31
	var n [2]uint64
	if op == opSelect {
		err := r.lens(1, n[:])
		if err == nil && n[0] >= databasesMax {
			err = whatf("it has keys in database %d, which cannot be", n[0])
		}
		r.db = int(n[0])
		r.item.Kind, r.item.DB = Database, r.db
		return err
	}
	err := r.lens(2, n[:])
	r.item.Kind, r.item.Keys, r.item.Expires = Sizes, n[0], n[1]
	return err
}

func (r *Reader) aux() error {
	name, err := r.d.String(r.name[:0])
	if err != nil {
		return err
	}
	r.name = append(r.name[:0], name...)
	r.item.Kind, r.item.Name = Aux, r.name
	r.item.Value, err = r.d.String(nil)
	return err
}

// moduleAux passes over what a module has written for itself.
func (r *Reader) moduleAux() error {
	var head [3]uint64 // the module's ID, and when it was written behind a mark
	if err := r.lens(len(head), head[:]); err != nil {
		return err
	}
	if head[1] != markUnsigned {
		return errModuleMark
	}
	r.item.Kind, r.item.Name = ModuleAux, moduleName(head[0])
	// The parts can be skimmed as a value's are, behind an ID that is as good as any.
	r.skim.Begin(TypeModule)
	if _, _, err := r.skim.Skim([]byte{0}); err != nil {
		return err
	}
	r.keep = -1
	return r.skimRest()
}

// skimRest passes over the rest of what is being skimmed, of any length.
func (r *Reader) skimRest() error {
	for {
		n, done, err := r.skim.Skim(r.d.in)
		r.d.in = r.d.in[n:]
		switch {
		case done || err != nil:
			return err
		case !r.fill(uint64(len(r.d.in) + 1)):
			return errEnds
		}
	}
}

// key reads a key, and finds the end of its value if that is within a buffer.
func (r *Reader) key(t Type) error {
	it := &r.item
	it.Kind, it.Type = Key, t
	if !t.Known() {
		return whatf("there is neither a type nor a mark with the number %d", t)
	}
	r.doing = doingKey
	start := r.at() - r.keep // as win moves, from where the item begins
	name, err := r.d.String(r.name[:0])
	if err != nil {
		return err
	}
	end := r.at() - r.keep
	if r.d.inBuffer {
		r.name = name
	}
	it.Name = name
	r.doing = doingValue
	if !r.skim.Begin(t) {
		return errModule
	}
	whole, err := r.skimWhole()
	if !r.d.inBuffer {
		it.Name = r.win[r.keep+end-len(name) : r.keep+end]
	}
	switch {
	case err != nil:
		return err
	case whole:
		it.Record = slices.Clip(r.win[r.keep+start : r.at()])
		r.body = end - start
		return nil
	}
	r.name = append(r.name[:0], it.Name...)
	it.Name = r.name
	r.d.in, r.open = r.win[r.keep+end:], true
	return nil
}

// skimWhole finds the end of a value. It gives up when the buffer is full.
func (r *Reader) skimWhole() (whole bool, err error) {
	for {
		n, done, err := r.skim.Skim(r.d.in)
		r.d.in = r.d.in[n:]
		if done || err != nil {
			return done, err
		}
		more := len(r.d.in) + 1
		if r.at()-r.keep+more > r.room {
			return false, nil
		}
		if !r.fill(uint64(more)) {
			return false, errEnds
		}
	}
}

// skipOpen passes over a long value that nobody has read.
func (r *Reader) skipOpen() error {
	if !r.open {
		return nil
	}
	r.open = false
	r.doing = doingValue
	r.skim.Begin(r.item.Type)
	return r.skimRest()
}

// Item is the item that Next has given last.
func (r *Reader) Item() *Item { return &r.item }

// ReadRecord makes a draft of the value of the key that Next has given. It may be
// called once. After ErrEmpty it can go on with the next item.
func (r *Reader) ReadRecord(b *Builder, at object.Place, into *object.Draft) error {
	r.doing = doingValue
	d := &r.d
	if !r.open {
		whole := NewDecoder(r.item.Record[r.body:])
		d = &whole
	}
	r.open = false
	if err := b.Body(r.item.Type, d, at, into); err != nil {
		return r.fail(err)
	}
	return nil
}

// Body is Value for a body that ends where the decoder's bytes do, if they are in
// memory.
func (b *Builder) Body(t Type, d *Decoder, at object.Place, into *object.Draft) error {
	if err := b.Value(t, d, at, into); err != nil {
		return err
	}
	if d.src == nil && len(d.in) != 0 {
		return discard(into, errLonger)
	}
	return nil
}

// end verifies the checksum.
func (r *Reader) end() error {
	r.item.Kind = End
	if r.Version < VersionChecksum {
		return nil
	}
	r.keep = -1
	r.sumTo(r.at())
	want := r.sum
	b, err := r.d.Take(doubleBytes)
	if err != nil {
		return err
	}
	got := binary.LittleEndian.Uint64(b)
	if r.noSum || got == 0 {
		return nil
	}
	if r.Checked = true; got != want {
		return whatf("CRC error: its checksum is %016x and should be %016x: bytes of it were changed since it was written", want, got)
	}
	return nil
}

// moduleName is the name of a module's type, from its ID: nine letters of six bits, and
// ten bits for a version.
func moduleName(id uint64) []byte {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	name := make([]byte, 9)
	for i := range name {
		name[i] = letters[id>>(58-6*i)&63]
	}
	return name
}

func foreign(id uint64) error {
	return whatf("only the module that has the type %q can read it, and there are no modules here", moduleName(id))
}

// fail says where it is that something is wrong.
func (r *Reader) fail(err error) error {
	e := r.item.Fail(err)
	e.Offset, e.Doing, e.DB = r.offset(), r.doing, r.db
	if r.err != nil && r.err != io.EOF && !errors.Is(r.err, io.ErrUnexpectedEOF) {
		e.What, e.Err = "it cannot be read any further: "+r.err.Error(), r.err
	}
	return e
}

// Fail is an error of reading this item.
func (it *Item) Fail(err error) *FileError {
	e := &FileError{Offset: it.Offset, Doing: doingValue, DB: it.DB, What: err.Error()}
	if it.Kind == Key {
		e.HasKey, e.Name, e.Type = true, slices.Clone(it.Name), it.Type
	}
	var f *Fault
	switch {
	case err == errEnds:
		e.What = "the file ends in the middle, or a length in it is wrong"
	case errors.As(err, &f):
		e.What = f.What
	}
	if err == ErrEmpty {
		e.Err = err
	}
	return e
}
