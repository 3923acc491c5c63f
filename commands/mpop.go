package commands

import (
	"time"

	"dozo/command"
	"dozo/object"
)

// What commands have in common that pop from the first of several keys, of lists or of
// sorted sets, and wait for one if need be.

// mpopOpts are what LMPOP and BLMPOP, and ZMPOP and BZMPOP, are called with, from
// numkeys on; BLPOP, BZPOPMIN and the like have no count.
type mpopOpts struct {
	first, keys int // the first key's argument, and how many there are
	from        object.Side
	count       int64 // 0 = none is given
}

// parse reads them; side reads the word for the side.
func (o *mpopOpts) parse(args [][]byte, numKeys int, side func([]byte) (object.Side, error)) error {
	n, err := intArg(args[numKeys])
	if err != nil || n < 1 {
		return errNumKeys
	}
	if n >= int64(len(args)-numKeys-1) {
		return command.ErrSyntax
	}
	o.first, o.keys, o.count = numKeys+1, int(n), 1
	words := args[o.first+o.keys:]
	if o.from, err = side(words[0]); err != nil {
		return err
	}
	switch words = words[1:]; {
	case len(words) == 0:
		return nil
	case !is(words[0], "COUNT") || len(words) == 1:
		return command.ErrSyntax
	}
	if o.count, err = intArg(words[1]); err != nil || o.count < 1 {
		return errCountZero
	}
	if len(words) > 2 {
		return command.ErrSyntax
	}
	return nil
}

// parseWaiting is parse with a timeout in front.
func (o *mpopOpts) parseWaiting(args [][]byte, side func([]byte) (object.Side, error)) (time.Duration, error) {
	if err := o.parse(args, 2, side); err != nil {
		return 0, err
	}
	return command.SecondsTimeout(args[1])
}

// parseKeys reads keys with a timeout behind them.
func (o *mpopOpts) parseKeys(args [][]byte) (time.Duration, error) {
	last := len(args) - 1
	o.first, o.keys = 1, last-1
	return command.SecondsTimeout(args[last])
}

func (o mpopOpts) span() (first, keys int) { return o.first, o.keys }

// popper is a call that pops from one of its keys. It is passed by value and as a type
// parameter, so that only a call that waits takes memory.
type popper interface {
	span() (first, keys int)
	// popFrom serves the call from the key at argument i, if it is there, and logs
	// what does the same without waiting.
	popFrom(c *command.Context, i int) (done bool, err error)
}

// popFirst serves the call from the first of its keys that is there.
func popFirst[P popper](c *command.Context, p P) (done bool, err error) {
	first, keys := p.span()
	for i := first; i < first+keys; i++ {
		if done, err = p.popFrom(c, i); done || err != nil {
			break
		}
	}
	return done, err
}

// popNow serves the call, which does not wait.
func popNow[P popper](c *command.Context, p P) error {
	done, err := popFirst(c, p)
	if !done && err == nil {
		c.Out.NullArray()
	}
	return err
}

// popOrWait serves the call, now or when one of its keys comes to hold type t.
func popOrWait[P popper](c *command.Context, p P, t object.Type, timeout time.Duration) error {
	done, err := popFirst(c, p)
	switch {
	case done || err != nil:
		return err
	case !c.CanBlock():
		c.Out.NullArray()
		return nil
	}
	first, n := p.span()
	keys := make([]int, n)
	for i := range keys {
		keys[i] = first + i
	}
	c.Block(command.Wait{Keys: keys, Type: t, Timeout: timeout, Serve: func(c *command.Context, ready []int) (done bool, err error) {
		for _, i := range ready {
			if done, err = p.popFrom(c, i); done || err != nil {
				break
			}
		}
		return done, err
	}})
	return nil
}
