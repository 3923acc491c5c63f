package server

import "dozo/command"

// transactionCommands are MULTI and what belongs to it.
var transactionCommands = []command.Spec{
	{
		Name: "DISCARD", Handler: discard, Group: command.Transactions, Since: "2.0.0", Complexity: "O(N) for N queued commands",
		Flags:   command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Summary: "Drops the queued commands and leaves the transaction.",
	},
	{
		Name: "EXEC", Handler: exec, Group: command.Transactions, Since: "1.2.0", Complexity: "That of the queued commands",
		Flags:   command.NoScript | command.Loading | command.Stale | command.SkipSlowlog,
		Summary: "Runs the queued commands with nothing in between, unless a watched key has changed.",
	},
	{
		Name: "MULTI", Handler: multi, Group: command.Transactions, Since: "1.2.0", Complexity: "O(1)",
		Flags:   command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Summary: "Begins a transaction: later commands are queued.",
	},
	{
		Name: "UNWATCH", Handler: unwatch, Group: command.Transactions, Since: "2.2.0", Complexity: "O(1)",
		Flags:   command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Summary: "Ends the watch on all keys.",
	},
	{
		Name: "WATCH", Handler: watch, Group: command.Transactions, Since: "2.2.0", Complexity: "O(1) for each key",
		Syntax:  "key [key ...]",
		Flags:   command.NoScript | command.Loading | command.Stale | command.Fast | command.AllowBusy,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.RO)},
		Summary: "Lets the next EXEC fail if one of the keys changes before it.",
	},
}
