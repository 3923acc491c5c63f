package commands

import (
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

func blpop(c *command.Context) error { return popElementOrWait(c, object.Head) }
func brpop(c *command.Context) error { return popElementOrWait(c, object.Tail) }

// popElementOrWait is BLPOP and BRPOP.
func popElementOrWait(c *command.Context, from object.Side) error {
	o := listPop{mpopOpts{from: from}}
	timeout, err := o.parseKeys(c.Args)
	if err != nil {
		return err
	}
	return popOrWait(c, o, object.List, timeout)
}

func blmpop(c *command.Context) error {
	var o listPop
	timeout, err := o.parseWaiting(c.Args, sideArg)
	if err != nil {
		return err
	}
	return popOrWait(c, o, object.List, timeout)
}

func blmove(c *command.Context) error {
	from, to, err := sideArgs(c)
	if err != nil {
		return err
	}
	return moveOrWait(c, from, to, wordLmove)
}

func brpoplpush(c *command.Context) error {
	return moveOrWait(c, object.Tail, object.Head, wordRpoplpush)
}

// moveOrWait moves an element, now or when the source comes to be. (If that is not
// there its destination is not looked at before.)
func moveOrWait(c *command.Context, from, to object.Side, name []byte) error {
	timeout, err := command.SecondsTimeout(c.Args[len(c.Args)-1])
	if err != nil {
		return err
	}
	done, err := moveLogged(c, from, to, name)
	switch {
	case done || err != nil:
		return err
	case !c.CanBlock():
		c.Out.Null()
		return nil
	}
	c.Block(command.Wait{Keys: []int{1}, Dest: 2, Type: object.List, Timeout: timeout, Serve: func(c *command.Context, _ []int) (bool, error) {
		return moveLogged(c, from, to, name)
	}})
	return nil
}

// moveLogged is moveElement for a call with a timeout behind it: it is logged without
// that, by the name of the command that does not wait.
func moveLogged(c *command.Context, from, to object.Side, name []byte) (moved bool, err error) {
	if moved, err = moveElement(c, from, to); moved {
		var room [5][]byte
		c.Propagate(append(append(room[:0], name), c.Args[1:len(c.Args)-1]...)...)
	}
	return moved, err
}
