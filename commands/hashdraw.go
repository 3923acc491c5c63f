package commands

import (
	"math"

	"dozo/command"
	"dozo/container/listpack"
	"dozo/object"
)

// hrandfield is HRANDFIELD in its three forms: one field, several, several with their
// values. A negative count allows the same field several times.
func hrandfield(c *command.Context) error {
	n, values := int64(1), false
	if len(c.Args) > 2 {
		var err error
		if n, values, err = drawOpts(c.Args[2:], "WITHVALUES"); err != nil {
			return err
		}
	}
	cell, err := c.Lookup(c.Args[1], object.Hash)
	if err != nil {
		return err
	}
	h := hashOf(c, &cell)
	switch {
	case len(c.Args) == 2 && !cell.Ok():
		c.Out.Null()
	case len(c.Args) == 2:
		f, _ := h.Random(c.Rand.Uint64())
		replyValue(c, f)
	case !cell.Ok() || n == 0:
		c.Out.Array(0)
	case n < 0:
		mark := len(c.Out.Buf)
		drawnHeader(c, int(-n), values)
		return drawAgain(c, mark, -n, func() {
			f, v := h.Random(c.Rand.Uint64())
			replyDrawn(c, f, v, values)
		})
	default:
		some := int(min(n, int64(h.Len())))
		drawnHeader(c, some, values)
		draw(c, h, some, func(f, v listpack.Value) { replyDrawn(c, f, v, values) })
	}
	return nil
}

// drawOpts reads the count, and the word that asks for values, too.
func drawOpts(words [][]byte, word string) (n int64, values bool, err error) {
	n, err = intArg(words[0])
	switch {
	case err != nil:
		return 0, false, err
	case n == math.MinInt64:
		return 0, false, errLongRange
	case len(words) > 2 || len(words) == 2 && !is(words[1], word):
		return 0, false, command.ErrSyntax
	case len(words) == 2 && (n < -math.MaxInt64/2 || n > math.MaxInt64/2):
		return 0, false, errCountRange
	}
	return n, len(words) == 2, nil
}

// drawnHeader begins the reply of n elements: with their values they are pairs in
// RESP3, and one flat array in RESP2.
func drawnHeader(c *command.Context, n int, values bool) {
	if values && c.Out.Proto < 3 {
		n *= 2
	}
	c.Out.Array(n)
}

func replyDrawn(c *command.Context, f, v listpack.Value, values bool) {
	if values && c.Out.Proto >= 3 {
		c.Out.Array(2)
	}
	replyValue(c, f)
	if values {
		replyValue(c, v)
	}
}
