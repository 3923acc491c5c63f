package commands

import (
	"dozo/command"
	"dozo/object"
	"dozo/rdb"
	"dozo/text"
)

var (
	errIdleTime error = command.ReplyError("ERR Invalid IDLETIME value, must be >= 0")
	errFreq     error = command.ReplyError("ERR Invalid FREQ value, must be >= 0 and <= 255")
	errTTL      error = command.ReplyError("ERR Invalid TTL value, must be >= 0")
)

// codecKept is the largest scratch buffer that is kept between calls of RESTORE.
const codecKept = 64 << 10

// freqMax is the largest LFU counter.
const freqMax = 255

// dumpCommands take values out of the server and bring them in.
var dumpCommands = []command.Spec{
	{
		Name: "DUMP", Handler: dump, Group: command.Generic, Since: "2.6.0", Complexity: "O(N) in the size of the value",
		Syntax:  "key",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Tips:    []string{"nondeterministic_output"},
		Summary: "Gives the value of a key in the form that RESTORE takes.",
	},
	{
		Name: "RESTORE", Handler: restore, Group: command.Generic, Since: "2.6.0", Complexity: "O(N) in the size of the value, O(N*log(N)) for a sorted set",
		Syntax: "key ttl serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 [IDLETIME seconds]@5.0.0 [FREQ frequency]@5.0.0",
		Flags:  command.Write | command.DenyOOM, Categories: command.CatDangerous,
		Keys: []command.KeySpec{command.At(1, command.OW|command.Update)},
		History: []command.Change{
			{"3.0.0", "The option `REPLACE`."},
			{"5.0.0", "The option `ABSTTL`."},
			{"5.0.0", "The options `IDLETIME` and `FREQ`."},
		},
		Summary: "Makes a key from what DUMP gave.",
	},
}

// codec is what DUMP and RESTORE keep from one call to the next.
type codec struct {
	encoder *rdb.Encoder
	builder rdb.Builder
}

// codecOf is the codec that this executor keeps, for the settings of now.
func codecOf(c *command.Context) *codec {
	k, ok := c.Kept.(*codec)
	if !ok {
		k = &codec{encoder: rdb.NewEncoder(c.Set.RDBVersion, c.Set.RDBCompression)}
		c.Kept = k
	}
	k.encoder.Version, k.encoder.Compress, k.encoder.Now = c.Set.RDBVersion, c.Set.RDBCompression, c.Now
	// Whatever sanitize-dump-payload says: what is there twice shows when the value
	// becomes a table, and then no start could load it.
	k.builder.Limits, k.builder.Deep = &c.Set.Limits, true
	return k
}

func dump(c *command.Context) error {
	cell := peek(c, c.Args[1])
	if !cell.Ok() {
		c.Out.Null()
		return nil
	}
	c.Touch(&cell)
	e := codecOf(c).encoder
	c.Scratch = e.AppendFooter(e.AppendObject(c.Scratch[:0], &cell), 0)
	c.Out.Bulk(c.Scratch)
	return nil
}

// restoreOpts are the options of RESTORE; idle and freq are -1 if not given.
type restoreOpts struct {
	replace, absTTL bool
	idle, freq      int64
}

func (o *restoreOpts) parse(words [][]byte) error {
	o.idle, o.freq = -1, -1
	for ; len(words) > 0; words = words[1:] {
		var err error
		switch w := words[0]; {
		case is(w, "REPLACE"):
			o.replace = true
		case is(w, "ABSTTL"):
			o.absTTL = true
		case is(w, "IDLETIME") && len(words) > 1 && o.freq < 0:
			words = words[1:]
			o.idle, err = intArg(words[0])
			if err == nil && o.idle < 0 {
				err = errIdleTime
			}
		case is(w, "FREQ") && len(words) > 1 && o.idle < 0:
			words = words[1:]
			o.freq, err = intArg(words[0])
			if err == nil && (o.freq < 0 || o.freq > freqMax) {
				err = errFreq
			}
		default:
			err = command.ErrSyntax
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func restoreAsking(c *command.Context) error { return restore(c) }

func restore(c *command.Context) error {
	var o restoreOpts
	if err := o.parse(c.Args[4:]); err != nil {
		return err
	}
	key := c.Args[1]
	if !o.replace {
		if old := present(c, key); old.Ok() {
			return command.ErrBusyKey
		}
	}
	ttl, err := intArg(c.Args[2])
	switch {
	case err != nil:
		return err
	case ttl < 0:
		return errTTL
	}
	var d object.Draft
	version, err := decodeDump(c, &d)
	if err != nil {
		return err
	}
	if ttl != 0 && !o.absTTL {
		ttl += c.Now
	}
	o.put(c, key, &d, ttl, version)
	c.Out.OK()
	return nil
}

// decodeDump makes a draft of RESTORE's payload, and tells its version.
func decodeDump(c *command.Context, d *object.Draft) (version int, err error) {
	body, version, err := rdb.CheckDump(c.Args[3], c.Set.SkipChecksum)
	if err != nil {
		return 0, err
	}
	in, b := rdb.NewDecoder(body), &codecOf(c).builder
	defer b.Trim(codecKept)
	return version, b.Object(&in, c.Place(c.Args[1]), d)
}

// put stores what RESTORE has decoded. A value whose time is over already only
// takes away what it was to replace.
func (o *restoreOpts) put(c *command.Context, key []byte, d *object.Draft, deadline int64, version int) {
	replaced := o.replace && c.Delete(key)
	if deadline != 0 && deadline <= c.Horizon() {
		c.Discard(key, d)
		if replaced {
			c.Modified(key, command.EventGeneric, "del")
			c.Propagate(delWord(c), key)
		}
		return
	}
	o.setAge(c, &d.Cell)
	c.Store(key, d, deadline)
	notifyNew(c, c.DB, key)
	c.Modified(key, command.EventGeneric, "restore")
	o.propagate(c, key, deadline, version)
}

// setAge carries over how the key was used where it came from, as far as the
// eviction policy in force can tell.
func (o *restoreOpts) setAge(c *command.Context, cell *object.Cell) {
	switch {
	case c.Set.LFUPolicy && o.freq >= 0:
		c.SetFrequency(cell.Entry, uint8(o.freq))
	case !c.Set.LFUPolicy && o.idle >= 0:
		c.SetIdle(cell.Entry, o.idle)
	}
}

// propagate logs a call that would not mean the same anywhere and at any time: with the
// deadline in place of the time to live, and a payload that a replica which gets snapshots
// from us could refuse as one of their version.
func (o *restoreOpts) propagate(c *command.Context, key []byte, deadline int64, version int) {
	relative, newer := deadline != 0 && !o.absTTL, version > rdb.VersionShared
	if !c.Effects.Enabled || !relative && !newer {
		return
	}
	var d digits
	words := append(make([][]byte, 0, len(c.Args)+1), c.Args...)
	if relative {
		words[2] = text.AppendInt(d[:0], deadline)
		words = append(words, wordAbsTTL)
	}
	if cell := peek(c, key); newer && cell.Ok() {
		e := codecOf(c).encoder
		e.Version = rdb.VersionShared
		c.Scratch = e.AppendFooter(e.AppendObject(c.Scratch[:0], &cell), 0)
		words[3] = c.Scratch
	}
	c.Propagate(words...)
}
