package rdb

import (
	"encoding/binary"
	"fmt"
	"io"
)

// Info is what a file says of itself.
type Info struct {
	ServerVersion string
	CreatedAt     int64 // seconds since the epoch
	UsedMemory    int64
	// AOFBase: the file is the base of an append only file.
	AOFBase bool
	// Replication is nil if nobody could go on from the file.
	Replication *ReplicationInfo
}

// ReplicationInfo says which moment of which history a file is.
type ReplicationInfo struct {
	DB     int // that the stream of commands has selected; -1 = the file does not say
	ID     string
	Offset int64 // -1 = the file does not say
	// Further fields, which other servers pass over. Lineage is the row of names of which ID
	// is the last. Primary is the address from which a replica has had the data. Time is what
	// time it was by the stamps of the stream, Unix milliseconds. Empty or 0 = not known.
	Lineage, Primary string
	Time             int64
}

// WriterOptions say how to write.
type WriterOptions struct {
	Version    int // 0 = the default
	Compress   bool
	NoChecksum bool
	// DatedHashes: there may be hashes whose fields have deadlines. They need a version that
	// has them, whatever is asked for.
	DatedHashes bool
}

// Writer writes a database file to a stream, in the order of its methods: Header,
// Function, and for each database Database and Records, in the end Close. The first
// error stays, and all further calls return it.
type Writer struct {
	// Encoder is how values are written here.
	Encoder *Encoder

	dst     io.Writer
	packer  *Packer
	buf     []byte // what is still to be written
	written int64
	db      int
	told    map[int]bool // databases whose sizes have been written
	sum     uint64
	noSum   bool
	err     error
}

// writeBytes is how much is written at a time, about.
const writeBytes = 128 << 10

// NewWriter writes to dst.
func NewWriter(dst io.Writer, o WriterOptions) *Writer {
	e := NewEncoder(o.Version, o.Compress)
	if o.DatedHashes {
		e.Version = max(e.Version, datedHashes)
	}
	return &Writer{Encoder: e, dst: dst, packer: NewPacker(e), told: map[int]bool{}, noSum: o.NoChecksum}
}

// Written is how many bytes the file has so far.
func (w *Writer) Written() int64 { return w.written + int64(len(w.buf)) }

// Header begins the file.
func (w *Writer) Header(i *Info) error {
	w.buf = fmt.Appendf(w.buf, "%s%04d", magic, w.Encoder.Version)
	w.aux("redis-ver", i.ServerVersion)
	w.auxInt("redis-bits", 64)
	w.auxInt("ctime", i.CreatedAt)
	w.auxInt("used-mem", i.UsedMemory)
	if r := i.Replication; r != nil {
		w.auxInt("repl-stream-db", int64(r.DB))
		w.aux("repl-id", r.ID)
		w.auxInt("repl-offset", r.Offset)
		w.further(r)
	}
	base := int64(0)
	if i.AOFBase {
		base = 1
	}
	w.auxInt("aof-base", base)
	return w.flush(writeBytes)
}

// further writes what only Dozo knows of a moment.
func (w *Writer) further(r *ReplicationInfo) {
	if r.Lineage != "" {
		w.aux("dozo-lineage", r.Lineage)
	}
	if r.Primary != "" {
		w.aux("dozo-primary", r.Primary)
	}
	if r.Time != 0 {
		w.auxInt("dozo-time", r.Time)
	}
}

func (w *Writer) aux(name, value string) {
	w.buf = w.Encoder.AppendString(append(w.buf, opAux), []byte(name))
	w.buf = w.Encoder.AppendString(w.buf, []byte(value))
}

func (w *Writer) auxInt(name string, v int64) {
	w.buf = w.Encoder.AppendString(append(w.buf, opAux), []byte(name))
	w.buf = AppendInt(w.buf, v)
}

// Function writes a library of functions.
func (w *Writer) Function(library []byte) error {
	w.buf = w.Encoder.AppendString(append(w.buf, opFunction), library)
	return w.flush(writeBytes)
}

// Database says that the records from here on are of a database, and how many it has:
// what is said first counts. The records of databases may alternate.
func (w *Writer) Database(db, keys, expires int) error {
	if w.told[db] && w.db == db {
		return w.err
	}
	w.db = db
	w.buf = AppendLen(append(w.buf, opSelect), uint64(db))
	if !w.told[db] {
		w.told[db] = true
		w.buf = AppendLen(append(w.buf, opResize), uint64(keys))
		w.buf = AppendLen(w.buf, uint64(expires))
	}
	return w.flush(writeBytes)
}

// Records packs plain records, in pieces that may end anywhere.
func (w *Writer) Records(plain []byte) error {
	for w.err == nil && len(plain) > 0 {
		n := min(len(plain), writeBytes)
		w.buf, w.err = w.packer.Pack(w.buf, plain[:n])
		plain = plain[n:]
		_ = w.flush(writeBytes) // stays in w.err
	}
	return w.err
}

// Close ends the file and writes what is left. It neither syncs nor closes the stream.
func (w *Writer) Close() error {
	if !w.packer.Between() && w.err == nil {
		w.err = fmt.Errorf("rdb: the file ends in the middle of a record: %w", io.ErrUnexpectedEOF)
	}
	w.buf = append(w.buf, opEOF)
	_ = w.flush(1) // stays in w.err
	if w.err == nil {
		w.buf = binary.LittleEndian.AppendUint64(w.buf, w.sum)
	}
	return w.flush(1)
}

// flush writes the buffer if it has least bytes.
func (w *Writer) flush(least int) error {
	if w.err != nil || len(w.buf) < least {
		return w.err
	}
	if !w.noSum {
		w.sum = CRC64(w.sum, w.buf)
	}
	n, err := w.dst.Write(w.buf)
	w.written += int64(n)
	w.err = err
	w.buf = w.buf[:0]
	return err
}
