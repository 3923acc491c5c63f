package snapshot

import (
	"dozo/container/listpack"
	"dozo/container/stream"
	"dozo/object"
	"dozo/oplog"
	"dozo/rdb"
	"dozo/text"
)

// Image writes values as the commands that make them: what the base of an append only
// file consists of with aof-use-rdb-preamble no. It is for one goroutine at a time.
type Image struct {
	// Now is when fields of hashes are left out that are due, 0 = never.
	Now int64
	// Emit, if not nil, takes what has been written whenever that is much, so that the
	// commands of a large value are never in memory together. It must not keep it.
	Emit func(commands []byte)

	dst     []byte
	key     []byte
	verb    string
	words   []byte // of the command that is gathered, as RESP
	count   int
	scratch [32]byte
	name    []byte
}

// itemsMax is how many elements one command gets, so that no client's buffer and no
// executor is held up by it when it is replayed.
const itemsMax = 64

// AppendRecord appends the commands for a key. (Appender)
func (m *Image) AppendRecord(dst []byte, h *rdb.RecordHead, c *object.Cell) []byte {
	m.dst, m.key = dst, h.Key
	switch c.Type() {
	case object.String:
		m.command("SET", c.Bytes(m.scratch[:]))
	case object.List:
		m.begin("RPUSH")
		object.ListValue{Cell: c}.Each(func(v listpack.Value) bool { m.item(v.Text(m.scratch[:0])); return true })
	case object.Set:
		m.begin("SADD")
		object.SetValue{Cell: c}.Each(func(v listpack.Value) bool { m.item(v.Text(m.scratch[:0])); return true })
	case object.ZSet:
		m.begin("ZADD")
		object.ZSetValue{Cell: c}.Each(func(s object.Scored) bool {
			m.name = text.AppendDouble(m.name[:0], s.Score())
			m.item(m.name, s.Member.Text(m.scratch[:0]))
			return true
		})
	case object.Hash:
		m.hash(object.HashValue{Cell: c, Now: m.Now})
	case object.Stream:
		m.stream(object.StreamValue{Cell: c}.Open())
	}
	m.end()
	if h.Deadline != 0 {
		m.command("PEXPIREAT", text.AppendInt(m.scratch[:0], h.Deadline))
	}
	dst, m.dst = m.dst, nil
	return dst
}

// emitMin is how much is worth taking.
const emitMin = 256 << 10

// pass gives what has been written to who takes it.
func (m *Image) pass() {
	if m.Emit != nil && len(m.dst) >= emitMin {
		m.Emit(m.dst)
		m.dst = m.dst[:0]
	}
}

// command writes one command with the key as its first argument.
func (m *Image) command(verb string, args ...[]byte) {
	m.pass()
	m.dst = oplog.AppendHeader(m.dst, 2+len(args))
	m.dst = oplog.AppendArg(oplog.AppendArgString(m.dst, verb), m.key)
	for _, a := range args {
		m.dst = oplog.AppendArg(m.dst, a)
	}
}

// begin begins to gather items for commands.
func (m *Image) begin(verb string) { m.verb, m.words, m.count = verb, m.words[:0], 0 }

// item adds an item of one or more words.
func (m *Image) item(words ...[]byte) {
	if m.count >= itemsMax {
		m.end()
	}
	for _, w := range words {
		m.words = oplog.AppendArg(m.words, w)
	}
	m.count += len(words)
}

// end writes what was gathered.
func (m *Image) end() {
	if m.count == 0 {
		return
	}
	m.pass()
	m.dst = oplog.AppendHeader(m.dst, 2+m.count)
	m.dst = oplog.AppendArg(oplog.AppendArgString(m.dst, m.verb), m.key)
	m.dst = append(m.dst, m.words...)
	m.words, m.count = m.words[:0], 0
}

// hash writes the fields, and then their deadlines.
func (m *Image) hash(h object.HashValue) {
	m.begin("HSET")
	h.Each(func(f, v listpack.Value) bool {
		m.name = f.Append(m.name[:0])
		m.item(m.name, v.Text(m.scratch[:0]))
		return true
	})
	m.end()
	if h.Earliest() == 0 {
		return
	}
	h.EachDated(func(f, _ listpack.Value, deadline int64) bool {
		if deadline != 0 {
			m.name = f.Append(m.name[:0])
			m.command("HPEXPIREAT", text.AppendInt(m.scratch[:0], deadline), []byte("FIELDS"), []byte("1"), m.name)
		}
		return true
	})
}

// stream writes the entries, then the state, then the groups.
func (m *Image) stream(s stream.Stream) {
	st := s.State()
	for it := s.Range(stream.ID{}, stream.MaxID, false); it.Next(); {
		m.entry(&it)
	}
	if st.Length == 0 { // the command needs an entry, which is gone at once
		id := st.Last
		if id.IsZero() {
			id.Seq = 1 // no entry has the zero ID
		}
		m.command("XADD", []byte("MAXLEN"), []byte("0"), id.Append(nil), []byte("x"), []byte("y"))
	}
	m.command("XSETID", st.Last.Append(nil), []byte("ENTRIESADDED"), text.AppendInt(nil, int64(st.Added)),
		[]byte("MAXDELETEDID"), st.MaxDeletedID.Append(nil))
	for i := range s.Groups() {
		m.group(s.GroupAt(i))
	}
}

func (m *Image) entry(it *stream.Iterator) {
	m.pass()
	m.dst = oplog.AppendHeader(m.dst, 3+2*it.Fields)
	m.dst = oplog.AppendArg(oplog.AppendArgString(m.dst, "XADD"), m.key)
	m.dst = oplog.AppendArg(m.dst, it.ID.Append(m.name[:0]))
	for it.Fields > 0 {
		f, v := it.Field()
		m.dst = oplog.AppendArg(m.dst, f.Text(m.scratch[:0]))
		m.dst = oplog.AppendArg(m.dst, v.Text(m.scratch[:0]))
	}
}

// group writes a group with its consumers and what they have not acknowledged.
func (m *Image) group(g stream.Group) {
	m.xgroup("CREATE", g.Name(), g.LastID().Append(nil), []byte("ENTRIESREAD"), text.AppendInt(nil, g.EntriesRead()))
	for i := range g.Consumers() {
		c := g.ConsumerAt(i)
		m.xgroup("CREATECONSUMER", g.Name(), c.Name())
		for it := g.PendingOf(&c, stream.ID{}); it.Next(); {
			p := &it.Pending
			m.command("XCLAIM", g.Name(), c.Name(), []byte("0"), p.ID.Append(nil), []byte("TIME"), text.AppendInt(nil, p.DeliveredMs()),
				[]byte("RETRYCOUNT"), text.AppendInt(nil, int64(p.Deliveries())), []byte("JUSTID"), []byte("FORCE"))
		}
	}
}

func (m *Image) xgroup(sub string, args ...[]byte) {
	m.dst = oplog.AppendHeader(m.dst, 3+len(args))
	m.dst = oplog.AppendArgString(oplog.AppendArgString(m.dst, "XGROUP"), sub)
	m.dst = oplog.AppendArg(m.dst, m.key)
	for _, a := range args {
		m.dst = oplog.AppendArg(m.dst, a)
	}
}
