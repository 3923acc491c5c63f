package server

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"dozo/command"
	"dozo/object"
	"dozo/rdb"
	"dozo/resp"
	"dozo/text"
)

// debugDigest is DEBUG DIGEST: keys and values of all databases, whatever their
// order.
func debugDigest(c *command.Context) error {
	d := c.View.Digest()
	c.Out.SimpleString(hex.EncodeToString(d[:]))
	return nil
}

// debugReload is DEBUG RELOAD: the whole server waits, as in Redis.
func debugReload(c *command.Context) error {
	var o ReloadOptions
	for _, a := range c.Args[2:] {
		switch lower(a) {
		case "merge":
			o.Merge = true
		case "noflush":
			o.NoFlush = true
		case "nosave":
			o.NoSave = true
		default:
			return command.ReplyError("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.")
		}
	}
	return reload(c, func(p Persistence) error { return p.Reload(c.View, o) }, "DB reloaded by DEBUG RELOAD")
}

// debugLoadAOF is DEBUG LOADAOF.
func debugLoadAOF(c *command.Context) error {
	return reload(c, func(p Persistence) error { return p.ReloadAOF(c.View) }, "Append Only File loaded by DEBUG LOADAOF")
}

func reload(c *command.Context, load func(Persistence) error, done string) error {
	s := serverOf(c)
	if s.opts.Persistence == nil {
		return command.ReplyError("ERR this server has no persistence")
	}
	if err := load(s.opts.Persistence); err != nil {
		s.logf(Warning, "Error trying to load the DB: %v", err)
		return command.ReplyError("ERR Error trying to load the DB, check server logs.")
	}
	s.logf(Warning, "%s", done)
	c.Out.OK()
	return nil
}

// debugSlowAOF is DEBUG AOF-FLUSH-SLEEP microseconds. Those who wait for the file feel
// it, not the loops.
func debugSlowAOF(c *command.Context) error {
	n, _ := text.ParseInt(c.Args[2])
	var pause func()
	if n > 0 {
		pause = func() { Sleep(time.Duration(n) * time.Microsecond) }
	}
	if p := serverOf(c).opts.Persistence; p != nil {
		p.SlowAOF(pause)
	}
	c.Out.OK()
	return nil
}

func debugDigestValue(c *command.Context) error {
	c.Out.Array(len(c.Args) - 2)
	for _, key := range c.Args[2:] {
		var d object.Digest
		if cell := c.Peek(key); cell.Ok() {
			cell.Digest(&d, c.Now)
		}
		c.Out.SimpleString(hex.EncodeToString(d[:]))
	}
	return nil
}

// sharedIntegers is how many small integers Redis has one object for each of.
const sharedIntegers = 10000

// debugObject is DEBUG OBJECT key [fast].
func debugObject(c *command.Context) error {
	fast := len(c.Args) == 4
	if fast && !text.EqualFold(c.Args[3], "fast") {
		return command.WrongArgs(c)
	}
	cell := c.Peek(c.Args[2])
	if !cell.Ok() {
		return command.ErrNoSuchKey
	}
	refs := 1
	if n, ok := cell.Int(); ok && c.Set.SharedIntegers && 0 <= n && n < sharedIntegers {
		refs = math.MaxInt32
	}
	line := fmt.Sprintf("Value at:%#x refcount:%d encoding:%s", uint64(cell.Slot.Ref()), refs, cell.Encoding())
	if !fast {
		line += fmt.Sprintf(" serializedlength:%d", serializedLength(c, &cell))
	}
	line += fmt.Sprintf(" lru:%d lru_seconds_idle:%d", cell.Entry.Age(), c.IdleSeconds(cell.Entry))
	if cell.Encoding() == object.EncQuicklist {
		line += quicklistFigures(object.ListValue{Cell: &cell})
	}
	c.Out.SimpleString(line)
	return nil
}

// quicklistFigures are what DEBUG OBJECT says of a large list.
func quicklistFigures(v object.ListValue) string {
	size := 0
	eachRun(v, func(r object.Run) { size += len(r.Bytes) })
	return fmt.Sprintf(" ql_nodes:%d ql_avg_node:%.2f ql_listpack_max:%d ql_compressed:0 ql_uncompressed_size:%d",
		v.Nodes(), ratio(int64(v.Len()), int64(v.Nodes())), v.Fill(), size)
}

// eachRun visits the nodes of a list.
func eachRun(v object.ListValue, visit func(r object.Run)) {
	for i, n := 0, v.Len(); i < n; {
		r := v.Run(i)
		visit(r)
		i = r.First + r.Count
	}
}

// serializedLength is the length of a value in an RDB file, its type apart.
func serializedLength(c *command.Context, cell *object.Cell) int {
	e := rdb.NewEncoder(c.Set.RDBVersion, c.Set.RDBCompression)
	return len(e.AppendObject(nil, cell)) - 1
}

// populateDefault is the prefix of the keys that DEBUG POPULATE makes.
const populateDefault = "key"

// debugPopulate is DEBUG POPULATE count [prefix] [size]. Keys that are there stay.
func debugPopulate(c *command.Context) error {
	count, err := argPositive(c.Args[2])
	if err != nil {
		return err
	}
	prefix, size := populateDefault, int64(0)
	if len(c.Args) > 3 {
		prefix = string(c.Args[3])
	}
	if len(c.Args) == 5 {
		if size, err = argPositive(c.Args[4]); err != nil {
			return err
		}
	}
	serverOf(c).unlogged = true
	var key, val []byte
	for i := range count {
		key = strconv.AppendInt(append(append(key[:0], prefix...), ':'), i, 10)
		if cell := c.Peek(key); cell.Ok() {
			continue
		}
		val = strconv.AppendInt(append(val[:0], "value:"...), i, 10)
		if size > 0 {
			val = append(val, make([]byte, max(0, size-int64(len(val))))...)[:size]
		}
		c.SetString(key, val, 0, true)
		c.Changed(c.DB, key)
	}
	c.Out.OK()
	return nil
}

// argPositive reads a number that is not negative.
func argPositive(arg []byte) (int64, error) {
	n, ok := text.ParseInt(arg)
	if !ok || n < 0 {
		return 0, command.ErrMustBePositive
	}
	return n, nil
}

// protocolSamples write the replies of DEBUG PROTOCOL.
var protocolSamples = map[string]func(*resp.Writer) error{
	"string":  func(out *resp.Writer) error { out.BulkString("Hello World"); return nil },
	"integer": func(out *resp.Writer) error { out.Int(12345); return nil },
	"double":  func(out *resp.Writer) error { out.Double(3.141); return nil },
	"bignum":  func(out *resp.Writer) error { out.BigNumber("1234567999999999999999999999999999999"); return nil },
	"null":    func(out *resp.Writer) error { out.Null(); return nil },
	"array":   func(out *resp.Writer) error { out.Array(3); return countToThree(out) },
	"set":     func(out *resp.Writer) error { out.Set(3); return countToThree(out) },
	"map":     protocolMap,
	"attrib":  protocolAttribute,
	"push":    protocolPush,
	"verbatim": func(out *resp.Writer) error {
		out.Verbatim("txt", "This is a verbatim\nstring")
		return nil
	},
	"true":  func(out *resp.Writer) error { out.Bool(true); return nil },
	"false": func(out *resp.Writer) error { out.Bool(false); return nil },
}

func countToThree(out *resp.Writer) error {
	for i := range int64(3) {
		out.Int(i)
	}
	return nil
}

func protocolMap(out *resp.Writer) error {
	out.Map(3)
	for i := range int64(3) {
		out.Int(i)
		out.Bool(i == 1)
	}
	return nil
}

// protocolAttribute writes an attribute and the reply that it is about.
func protocolAttribute(out *resp.Writer) error {
	if out.Attribute(1) {
		out.BulkString("key-popularity")
		out.Array(2)
		out.BulkString("key:123")
		out.Int(90)
	}
	out.BulkString("Some real reply following the attribute")
	return nil
}

// protocolPush writes a push and a reply, for which the client waits.
func protocolPush(out *resp.Writer) error {
	if out.Proto < 3 {
		return command.ReplyError("ERR RESP2 is not supported by this command")
	}
	out.Push(2)
	out.BulkString("server-cpu-usage")
	out.Int(42)
	out.BulkString("Some real reply following the push reply")
	return nil
}

func debugProtocol(c *command.Context) error {
	sample := protocolSamples[lower(c.Args[2])]
	if sample == nil {
		return command.ReplyError("ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false")
	}
	return sample(c.Out)
}

// debugTableStats is DEBUG HTSTATS db [full].
func debugTableStats(c *command.Context) error {
	n, err := argInt(c.Args[2])
	if err != nil {
		return err
	}
	if n < 0 || n >= int64(c.Keyspace().Databases()) {
		return command.ReplyError("ERR Out of range database")
	}
	d := c.DatabaseStats(int(n))
	c.Out.Verbatim("txt", "[Dictionary HT]\n"+tableFigures(d.Keys, d.TableBytes)+"[Expires HT]\n"+tableFigures(d.Volatile, d.WheelBytes))
	return nil
}

// tableFigures describe a table by its entries and its memory, of which each
// place for an entry takes one word.
func tableFigures(entries int, bytes int64) string {
	if entries == 0 {
		return "No stats available for empty dictionaries\n"
	}
	return fmt.Sprintf(" table size: %d\n number of elements: %d\n bytes: %d\n load: %.2f\n",
		bytes/8, entries, bytes, ratio(int64(entries), bytes/8))
}

// debugCell finds the value that a subcommand is about.
func debugCell(c *command.Context) (object.Cell, error) {
	cell := c.Peek(c.Args[2])
	if !cell.Ok() {
		return cell, command.ErrNoSuchKey
	}
	return cell, nil
}

func debugTableStatsKey(c *command.Context) error {
	if _, err := debugCell(c); err != nil {
		return err
	}
	return command.ReplyError("ERR The value stored at the specified key is not represented using an hash table")
}

func debugListpack(c *command.Context) error {
	return debugEncoded(c, "Listpack", "listpack", func(cell *object.Cell) string {
		return text.Quote(cell.Bare()) + "\n"
	}, object.EncListpack, object.EncListpackEx)
}

func debugQuicklist(c *command.Context) error {
	return debugEncoded(c, "Quicklist", "quicklist", func(cell *object.Cell) string {
		v := object.ListValue{Cell: cell}
		var out strings.Builder
		fmt.Fprintf(&out, "%d elements in %d nodes\n", v.Len(), v.Nodes())
		eachRun(v, func(r object.Run) {
			fmt.Fprintf(&out, "from %d: %d elements in %d bytes, plain: %t\n", r.First, r.Count, len(r.Bytes), r.Plain)
		})
		return out.String()
	}, object.EncQuicklist)
}

// debugEncoded writes what is in a value to the log, if its encoding is one of those
// asked for.
func debugEncoded(c *command.Context, title, name string, describe func(*object.Cell) string, want ...object.Encoding) error {
	cell, err := debugCell(c)
	switch {
	case err != nil:
		return err
	case !slices.Contains(want, cell.Encoding()):
		return command.ReplyError("ERR Not a " + name + " encoded object.")
	}
	serverOf(c).logger.Raw(fmt.Sprintf("%s %s: %s", title, text.Quote(c.Args[2]), describe(&cell)))
	c.Out.SimpleString(title + " structure printed on stdout")
	return nil
}
