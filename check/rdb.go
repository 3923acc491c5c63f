package check

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"

	"dozo/arena"
	"dozo/env"
	"dozo/object"
	"dozo/rdb"
)

// RDB checks a database file: that it is whole, that its checksum is right, and that
// every value can be read. It prints what redis-check-rdb prints, and then what is in
// the file; the result is the exit status. args are those behind the program's name.
//
// LIMITATIONS: a key that is in the file twice is not noticed, which a server would
// refuse to load.
func RDB(args []string, e *env.Env, out, errout io.Writer) (status int) {
	if len(args) != 1 {
		fmt.Fprintln(errout, "Usage: redis-check-rdb <rdb-file-name>")
		return 1
	}
	if args[0] == "-v" || args[0] == "--version" {
		fmt.Fprintln(out, "redis-check-rdb 7.2.6 (dozo)")
		return 0
	}
	w := bufio.NewWriterSize(out, 1<<16)
	defer w.Flush()
	c := &rdbCheck{out: w, nowMs: e.Clock.Wall().Milliseconds(), stats: newRDBStats()}
	if err := c.run(args[0], e.FS); err != nil {
		_ = w.Flush() // what was seen before
		fmt.Fprintf(errout, "redis-check-rdb: %v\n", err)
		return 1
	}
	if !c.sound {
		return 1
	}
	return 0
}

// rdbCheck is one run.
type rdbCheck struct {
	out   *bufio.Writer
	r     *rdb.Reader
	nowMs int64
	stats *rdbStats
	sound bool

	heap    *arena.Heap
	kit     object.Kit
	builder rdb.Builder
}

// run checks a file. Its error is of the file as a file.
func (c *rdbCheck) run(path string, fs env.FS) error {
	f, err := fs.OpenFile(path, env.ReadOnly, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("%s cannot be read from the start: %w", path, err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	a, err := arena.New(arena.Options{})
	if err != nil {
		return err
	}
	defer a.Close()
	if err := c.read(f, path, size, a.NewHeap()); err != nil {
		c.bad(err)
		return nil
	}
	c.good(size)
	return nil
}

// read reads what file has at its start.
func (c *rdbCheck) read(file io.Reader, name string, size int64, heap *arena.Heap) error {
	c.heap = heap
	defer c.heap.Close()
	seed := maphash.MakeSeed()
	c.kit.Hash = func(b []byte) uint64 { return maphash.Bytes(seed, b) }
	c.builder = rdb.Builder{Limits: defaultLimits(), Deep: true}
	c.r = rdb.NewReader(file, rdb.ReaderOptions{Size: size})
	c.say("Checking RDB file %s", name)
	return c.items()
}

// defaultLimits are where encodings change if nothing else is configured; what is
// checked does not depend on them.
func defaultLimits() *object.Limits {
	return &object.Limits{
		Set: object.SetLimits{Intset: 512, Listpack: 128, Value: 64}, Hash: object.HashLimits{Listpack: 128, Value: 64},
		ZSet: object.ZSetLimits{Listpack: 128, Value: 64}, List: object.ListLimits{Fill: -2},
	}
}

// say prints a line of what was come across.
func (c *rdbCheck) say(format string, args ...any) {
	at := int64(0)
	if c.r != nil {
		at = c.r.Offset()
	}
	fmt.Fprintf(c.out, "[offset %d] %s\n", at, fmt.Sprintf(format, args...))
}

func (c *rdbCheck) info(format string, args ...any) {
	fmt.Fprintf(c.out, "[info] %s\n", fmt.Sprintf(format, args...))
}

// items goes through the file.
func (c *rdbCheck) items() error {
	var it rdb.Item
	for {
		if err := c.r.Next(&it); err != nil {
			if c.r.InValue() {
				c.stats.keys++ // as the original counts
			}
			return err
		}
		switch it.Kind {
		case rdb.End:
			c.checksum()
			return nil
		case rdb.Aux:
			c.say("AUX FIELD %s = '%s'", it.Name, it.Value)
		case rdb.ModuleAux:
			c.say("MODULE AUX for: %s", it.Name)
		case rdb.Database:
			c.say("Selecting DB ID %d", it.DB)
		case rdb.Function:
			c.stats.functions++
		case rdb.Key:
			if err := c.key(&it); err != nil {
				return err
			}
		}
	}
}

func (c *rdbCheck) checksum() {
	switch {
	case c.r.Checked:
		c.say("Checksum OK")
	case c.r.Version >= rdb.VersionChecksum:
		c.say("RDB file was saved with checksum disabled: no check performed.")
	}
}

// key makes the value of a key and throws it away.
func (c *rdbCheck) key(it *rdb.Item) error {
	c.stats.keys++
	if it.Dated {
		c.stats.expires++
		if it.Deadline < c.nowMs {
			c.stats.expired++
		}
	}
	var d object.Draft
	err := c.r.ReadRecord(&c.builder, object.Place{Heap: c.heap, Kit: &c.kit, Key: it.Name}, &d)
	switch {
	case errors.Is(err, rdb.ErrEmpty):
		c.stats.empty++
		return nil
	case err != nil:
		return err
	}
	c.stats.add(it, c.r.Offset()-it.Offset)
	left := d.Discard()
	left.FreeSome(c.heap, math.MaxInt)
	return nil
}

// bad says what is wrong.
func (c *rdbCheck) bad(err error) {
	var f *rdb.FileError
	if !errors.As(err, &f) {
		f = &rdb.FileError{What: err.Error()}
	}
	fmt.Fprintf(c.out, "--- RDB ERROR DETECTED ---\n[offset %d] %s\n", f.Offset, f.What)
	fmt.Fprintf(c.out, "[additional info] While doing: %s\n", f.Doing)
	if f.HasKey {
		if len(f.Name) > 0 {
			fmt.Fprintf(c.out, "[additional info] Reading key '%s'\n", f.Name)
		}
		fmt.Fprintf(c.out, "[additional info] Reading type %d (%s)\n", f.Type, f.Type)
	}
	c.generic()
}

func (c *rdbCheck) generic() {
	c.info("%d keys read", c.stats.keys)
	c.info("%d expires", c.stats.expires)
	c.info("%d already expired", c.stats.expired)
}

// good says what there is.
func (c *rdbCheck) good(size int64) {
	c.sound = true
	c.say("\\o/ RDB looks OK! \\o/")
	c.generic()
	c.info("version %d of the format, %s", c.r.Version, bytesText(c.r.Offset()))
	if n := c.stats.functions; n > 0 {
		c.info("%d libraries of functions", n)
	}
	if n := c.stats.empty; n > 0 {
		c.info("%d keys without elements, which a server leaves out", n)
	}
	if behind := size - c.r.Offset(); behind > 0 {
		c.info("%s follow that are no part of it: commands, if this is an append only file with an RDB preamble", bytesText(behind))
	}
	c.stats.print(c.out)
}
