package commands

import (
	"math"

	"dozo/command"
)

var (
	errFirstDB  error = command.ReplyError("ERR invalid first DB index")
	errSecondDB error = command.ReplyError("ERR invalid second DB index")
)

// Server is the part of the server family that works on whole databases, and
// RESTORE's twin for slots that are being moved.
var Server = []command.Spec{
	{
		Name: "DBSIZE", Handler: dbsize, Group: command.Server, Since: "1.0.0", Complexity: "O(1)",
		Flags: command.ReadOnly | command.Fast | command.Roams, Categories: command.CatKeyspace,
		Tips:    []string{"request_policy:all_shards", "response_policy:agg_sum"},
		Summary: "Counts the keys of the database.",
	},
	{
		Name: "FLUSHALL", Handler: flushall, Group: command.Server, Since: "1.0.0", Complexity: "O(N) for N keys",
		Syntax: "flush-type=[ASYNC@4.0.0 | SYNC@6.2.0]",
		Flags:  command.Write | command.Exclusive, Categories: command.CatDangerous | command.CatKeyspace,
		Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		History: []command.Change{
			{"4.0.0", "The option `ASYNC`."},
			{"6.2.0", "The option `SYNC`."},
		},
		Summary: "Removes all keys of all databases.",
	},
	{
		Name: "FLUSHDB", Handler: flushdb, Group: command.Server, Since: "1.0.0", Complexity: "O(N) for N keys",
		Syntax: "flush-type=[ASYNC@4.0.0 | SYNC@6.2.0]",
		Flags:  command.Write | command.Exclusive, Categories: command.CatDangerous | command.CatKeyspace,
		Tips: []string{"request_policy:all_shards", "response_policy:all_succeeded"},
		History: []command.Change{
			{"4.0.0", "The option `ASYNC`."},
			{"6.2.0", "The option `SYNC`."},
		},
		Summary: "Removes all keys of the database.",
	},
	{
		Name: "RESTORE-ASKING", Handler: restoreAsking, Group: command.Server, Since: "3.0.0", Complexity: "O(N) in the size of the value, O(N*log(N)) for a sorted set",
		Syntax: "key ttl serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 [IDLETIME seconds]@5.0.0 [FREQ frequency]@5.0.0",
		Flags:  command.SysCmd | command.Write | command.DenyOOM | command.Asking, Categories: command.CatDangerous | command.CatKeyspace,
		Keys: []command.KeySpec{command.At(1, command.OW|command.Update)},
		History: []command.Change{
			{"3.0.0", "The option `REPLACE`."},
			{"5.0.0", "The option `ABSTTL`."},
			{"5.0.0", "The options `IDLETIME` and `FREQ`."},
		},
		Summary: "RESTORE for a key whose slot is being moved here: MIGRATE uses it.",
	},
	{
		Name: "SWAPDB", Handler: swapdb, Group: command.Server, Since: "4.0.0", Complexity: "O(N) for N clients that watch or wait for their keys",
		Syntax: "index1 index2",
		Flags:  command.Write | command.Fast | command.Exclusive, Categories: command.CatDangerous | command.CatKeyspace,
		Summary: "Exchanges two databases.",
	},
}

func dbsize(c *command.Context) error {
	c.Out.Int(int64(c.Len(c.DB)))
	return nil
}

func flushall(c *command.Context) error { return flush(c, -1) }

func flushdb(c *command.Context) error { return flush(c, c.DB) }

// flush empties a database, or all. It is logged even if nothing was there, since
// a replica may have something.
func flush(c *command.Context, db int) error {
	if len(c.Args) > 2 || len(c.Args) == 2 && !is(c.Args[1], "SYNC") && !is(c.Args[1], "ASYNC") {
		return command.ErrSyntax
	}
	c.Effects.Dirty += int64(c.Flush(db))
	c.Propagate(c.Args...)
	c.Out.OK()
	return nil
}

func swapdb(c *command.Context) error {
	a, err := swapArg(c.Args[1], errFirstDB)
	if err != nil {
		return err
	}
	b, err := swapArg(c.Args[2], errSecondDB)
	if err != nil {
		return err
	}
	n := int64(c.Keyspace().Databases())
	if a < 0 || a >= n || b < 0 || b >= n {
		return command.ErrDBRange
	}
	c.Swap(int(a), int(b))
	c.Effects.Dirty++
	c.Out.OK()
	return nil
}

func swapArg(arg []byte, fault error) (int64, error) {
	n, err := intArg(arg)
	if err != nil || n < math.MinInt32 || n > math.MaxInt32 {
		return 0, fault
	}
	return n, nil
}
