package commands

import (
	"time"

	"dozo/command"
	"dozo/object"
)

// waitCommands take elements like those of popCommands, but wait for them if there
// are none. They are logged as the commands that do not wait.
var waitCommands = []command.Spec{
	{
		Name: "BLPOP", Handler: blpop, Group: command.List, Since: "2.0.0", Complexity: "O(N) for N keys",
		Syntax:  "key [key ...] timeout:double",
		Flags:   command.Write | command.Blocking,
		Keys:    []command.KeySpec{command.Span(1, -2, 1, command.RW|command.Access|command.Delete)},
		History: []command.Change{{"6.0.0", "`timeout` may have a fraction."}},
		Summary: "Takes the first element out of the first of several lists that is there, and waits for one if need be.",
	},
	{
		Name: "BRPOP", Handler: brpop, Group: command.List, Since: "2.0.0", Complexity: "O(N) for N keys",
		Syntax:  "key [key ...] timeout:double",
		Flags:   command.Write | command.Blocking,
		Keys:    []command.KeySpec{command.Span(1, -2, 1, command.RW|command.Access|command.Delete)},
		History: []command.Change{{"6.0.0", "`timeout` may have a fraction."}},
		Summary: "Takes the last element out of the first of several lists that is there, and waits for one if need be.",
	},
	{
		Name: "BLMPOP", Handler: blmpop, Group: command.List, Since: "7.0.0", Complexity: "O(N+M) for N keys and M elements",
		Syntax:  "timeout:double numkeys key [key ...] where=<LEFT | RIGHT> [COUNT count]",
		Flags:   command.Write | command.Blocking,
		Keys:    []command.KeySpec{command.CountedAt(2, command.RW|command.Access|command.Delete)},
		Summary: "Takes elements out of the first of several lists that is there, and waits for one if need be.",
	},
	{
		Name: "BLMOVE", Handler: blmove, Group: command.List, Since: "6.2.0", Complexity: "O(1)",
		Syntax: "source destination wherefrom=<LEFT | RIGHT> whereto=<LEFT | RIGHT> timeout:double",
		Flags:  command.Write | command.DenyOOM | command.Blocking,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Delete),
			command.At(2, command.RW|command.Insert),
		},
		Summary: "Takes an element from an end of a list and adds it at an end of another, and waits for one if need be.",
	},
	{
		Name: "BRPOPLPUSH", Handler: brpoplpush, Group: command.List, Since: "2.2.0", Complexity: "O(1)",
		Syntax: "source destination timeout:double",
		Flags:  command.Write | command.DenyOOM | command.Blocking,
		Keys: []command.KeySpec{
			command.At(1, command.RW|command.Access|command.Delete),
			command.At(2, command.RW|command.Insert),
		},
		Deprecated: "6.2.0", Replaced: "`BLMOVE` with the `RIGHT` and `LEFT` arguments",
		History: []command.Change{{"6.0.0", "`timeout` may have a fraction."}},
		Summary: "Takes the last element of a list and puts it before all of another, and waits for one if need be.",
	},
}

var (
	wordLmove     = []byte("LMOVE")
	wordRpoplpush = []byte("RPOPLPUSH")
)

func blpop(c *command.Context) error { return popOneOrWait(c, object.Head) }
func brpop(c *command.Context) error { return popOneOrWait(c, object.Tail) }

// popOneOrWait is BLPOP and BRPOP.
func popOneOrWait(c *command.Context, from object.Side) error {
	last := len(c.Args) - 1
	timeout, err := command.SecondsTimeout(c.Args[last])
	if err != nil {
		return err
	}
	o := mpopOpts{first: 1, keys: last - 1, from: from}
	return o.popOrWait(c, timeout)
}

func blmpop(c *command.Context) error {
	var o mpopOpts
	if err := o.parse(c.Args, 2, sideArg); err != nil {
		return err
	}
	timeout, err := command.SecondsTimeout(c.Args[1])
	if err != nil {
		return err
	}
	return o.popOrWait(c, timeout)
}

// popOrWait serves the call, now or when one of its lists comes to be.
func (o mpopOpts) popOrWait(c *command.Context, timeout time.Duration) error {
	for i := o.first; i < o.first+o.keys; i++ {
		if done, err := o.popFrom(c, i); done || err != nil {
			return err
		}
	}
	if !c.CanBlock() {
		c.Out.NullArray()
		return nil
	}
	keys := make([]int, o.keys)
	for i := range keys {
		keys[i] = o.first + i
	}
	c.Block(command.Wait{Keys: keys, Type: object.List, Timeout: timeout, Serve: o.serve})
	return nil
}

// serve is for a call that has waited.
func (o mpopOpts) serve(c *command.Context, ready []int) (bool, error) {
	for _, i := range ready {
		if done, err := o.popFrom(c, i); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

func blmove(c *command.Context) error {
	from, to, err := sideArgs(c)
	if err != nil {
		return err
	}
	timeout, err := command.SecondsTimeout(c.Args[5])
	if err != nil {
		return err
	}
	return moveOrWait(c, timeout, func(c *command.Context, _ []int) (bool, error) {
		moved, err := moveElement(c, from, to)
		if moved {
			c.Propagate(wordLmove, c.Args[1], c.Args[2], c.Args[3], c.Args[4])
		}
		return moved, err
	})
}

func brpoplpush(c *command.Context) error {
	timeout, err := command.SecondsTimeout(c.Args[3])
	if err != nil {
		return err
	}
	return moveOrWait(c, timeout, func(c *command.Context, _ []int) (bool, error) {
		moved, err := moveElement(c, object.Tail, object.Head)
		if moved {
			c.Propagate(wordRpoplpush, c.Args[1], c.Args[2])
		}
		return moved, err
	})
}

// moveOrWait moves an element, now or when the source comes to be. (If that is not
// there its destination is not looked at before.)
func moveOrWait(c *command.Context, timeout time.Duration, move func(c *command.Context, ready []int) (bool, error)) error {
	done, err := move(c, nil)
	switch {
	case done || err != nil:
		return err
	case !c.CanBlock():
		c.Out.Null()
		return nil
	}
	c.Block(command.Wait{Keys: []int{1}, Dest: 2, Type: object.List, Timeout: timeout, Serve: move})
	return nil
}
