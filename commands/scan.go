package commands

import (
	"dozo/command"
	"dozo/container/listpack"
	"dozo/resp"
)

// foundElements is what one step of SSCAN, HSCAN or ZSCAN replies: collected in
// the scratch buffer, since the cursor, which is known only afterwards, stands
// before it.
type foundElements struct {
	out resp.Writer
	n   int
	buf digits
}

func (f *foundElements) add(v listpack.Value) {
	if v.Str == nil {
		f.out.BulkInt(v.Int)
	} else {
		f.out.Bulk(v.Str)
	}
	f.n++
}

// scanElements is one step through a collection: walk visits it, collects what it
// finds, and returns the next cursor. A key that is not there is looked at before
// the options are.
func scanElements(c *command.Context, there bool, walk func(o *scanOpts, found *foundElements) uint64) error {
	found, next := foundElements{out: resp.Writer{Buf: c.Scratch[:0]}}, uint64(0)
	if there {
		o := scanOpts{elements: true}
		if err := o.parse(c.Args[3:]); err != nil {
			return err
		}
		next = walk(&o, &found)
	}
	c.Out.Array(2)
	c.Out.BulkInt(int64(next))
	c.Out.Array(found.n)
	c.Out.Raw(found.out.Buf)
	c.Scratch = found.out.Buf
	return nil
}
