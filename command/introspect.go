package command

import (
	"slices"
	"strings"

	"dozo/resp"
	"dozo/text"
)

// Introspection is the COMMAND family: what clients ask to learn commands. All
// replies are derived from the table.
var Introspection = []Spec{
	{
		Name: "COMMAND", Handler: commandAll, Group: Server, Since: "2.8.13", Complexity: "O(N) for N commands",
		Flags: Loading | Stale | SentinelToo, Categories: CatConnection, Arity: -1,
		Tips:    []string{"nondeterministic_output_order"},
		Summary: "Describes commands; without a subcommand, all of them.",
		Subs: []Spec{
			{
				Name: "COUNT", Handler: commandCount, Group: Server, Since: "2.8.13", Complexity: "O(1)",
				Flags: Loading | Stale | SentinelToo, Categories: CatConnection,
				Summary: "Counts the commands of this server.",
			},
			{
				Name: "DOCS", Handler: commandDocs, Group: Server, Since: "7.0.0", Complexity: "O(N) for N commands",
				Syntax: "[command-name [command-name ...]]",
				Flags:  Loading | Stale | SentinelToo, Categories: CatConnection,
				Tips:    []string{"nondeterministic_output_order"},
				Summary: "Documents commands: summary, arguments, history.",
			},
			{
				Name: "GETKEYS", Handler: commandGetKeys, Group: Server, Since: "2.8.13", Complexity: "O(N) for N arguments",
				Syntax: "command [arg [arg ...]]",
				Flags:  Loading | Stale | SentinelToo, Categories: CatConnection,
				Summary: "Picks the keys out of a full command.",
			},
			{
				Name: "GETKEYSANDFLAGS", Handler: commandGetKeysAndFlags, Group: Server, Since: "7.0.0", Complexity: "O(N) for N arguments",
				Syntax: "command [arg [arg ...]]",
				Flags:  Loading | Stale | SentinelToo, Categories: CatConnection,
				Summary: "Picks the keys out of a full command and tells what would be done to each.",
			},
			{
				Name: "HELP", Handler: Help, Group: Server, Since: "5.0.0", Complexity: "O(1)",
				Flags: Loading | Stale | SentinelToo, Categories: CatConnection,
				Summary: "Lists the subcommands.",
			},
			{
				Name: "INFO", Handler: commandInfo, Group: Server, Since: "2.8.13", Complexity: "O(N) for N commands",
				Syntax: "[command-name [command-name ...]]",
				Flags:  Loading | Stale | SentinelToo, Categories: CatConnection,
				Tips:    []string{"nondeterministic_output_order"},
				History: []Change{{"7.0.0", "Without names it describes all commands."}},
				Summary: "Describes commands: arity, flags, keys, categories.",
			},
			{
				Name: "LIST", Handler: commandList, Group: Server, Since: "7.0.0", Complexity: "O(N) for N commands",
				Syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
				Flags:  Loading | Stale | SentinelToo, Categories: CatConnection,
				Tips:    []string{"nondeterministic_output_order"},
				Summary: "Lists the names of commands.",
			},
		},
	},
}

var errInvalidCommand error = ReplyError("ERR Invalid command specified")

// commandAll is COMMAND without a subcommand, and COMMAND INFO without names.
func commandAll(c *Context) error {
	c.Out.Array(len(c.Table.all))
	for _, cmd := range c.Table.all {
		cmd.writeInfo(c.Out)
	}
	return nil
}

// commandCount is COMMAND COUNT.
func commandCount(c *Context) error {
	c.Out.Int(int64(len(c.Table.all)))
	return nil
}

// commandInfo is COMMAND INFO.
func commandInfo(c *Context) error {
	if len(c.Args) == 2 {
		return commandAll(c)
	}
	c.Out.Array(len(c.Args) - 2)
	for _, name := range c.Args[2:] {
		if cmd := c.Table.Resolve(name); cmd != nil {
			cmd.writeInfo(c.Out)
		} else {
			c.Out.Null()
		}
	}
	return nil
}

func (cmd *Command) writeInfo(out *resp.Writer) {
	out.Array(10)
	out.BulkString(cmd.FullName)
	out.Int(int64(cmd.Arity))
	writeStatusSet(out, "", cmd.FlagNames())
	out.Int(int64(cmd.First))
	out.Int(int64(cmd.Last))
	out.Int(int64(cmd.Step))
	writeStatusSet(out, "@", cmd.Categories.Names())
	out.Set(len(cmd.Tips))
	for _, t := range cmd.Tips {
		out.BulkString(t)
	}
	out.Set(len(cmd.Keys))
	for i := range cmd.Keys {
		cmd.Keys[i].write(out)
	}
	if !cmd.IsContainer() {
		out.Set(0)
		return
	}
	out.Array(len(cmd.inRow))
	for _, sub := range cmd.inRow {
		sub.writeInfo(out)
	}
}

func writeStatusSet(out *resp.Writer, prefix string, names []string) {
	out.Set(len(names))
	for _, n := range names {
		out.SimpleString(prefix + n)
	}
}

// write describes how keys are found.
func (k *KeySpec) write(out *resp.Writer) {
	if k.Notes != "" {
		out.Map(4)
		out.BulkString("notes")
		out.BulkString(k.Notes)
	} else {
		out.Map(3)
	}
	out.BulkString("flags")
	writeStatusSet(out, "", k.Flags.Names())
	out.BulkString("begin_search")
	switch {
	case k.Unknown:
		writeStep(out, "unknown")
	case k.Keyword != "":
		writeStep(out, "keyword", "keyword", k.Keyword, "startfrom", k.From)
	default:
		writeStep(out, "index", "index", k.Index)
	}
	out.BulkString("find_keys")
	switch {
	case k.Unknown:
		writeStep(out, "unknown")
	case k.Counted:
		writeStep(out, "keynum", "keynumidx", k.KeyNum, "firstkey", k.FirstKey, "keystep", k.Step)
	default:
		writeStep(out, "range", "lastkey", k.Last, "keystep", k.Step, "limit", k.Limit)
	}
}

// writeStep writes one of the two steps: its type and its fields, which are
// names followed by strings or ints.
func writeStep(out *resp.Writer, kind string, fields ...any) {
	out.Map(2)
	out.BulkString("type")
	out.BulkString(kind)
	out.BulkString("spec")
	out.Map(len(fields) / 2)
	for _, f := range fields {
		switch f := f.(type) {
		case string:
			out.BulkString(f)
		case int:
			out.Int(int64(f))
		}
	}
}

// commandDocs is COMMAND DOCS.
func commandDocs(c *Context) error {
	if len(c.Args) == 2 {
		c.Out.Map(len(c.Table.all))
		for _, cmd := range c.Table.all {
			cmd.writeNamedDocs(c.Out)
		}
		return nil
	}
	mark, n := c.Out.DeferLen(), 0
	for _, name := range c.Args[2:] {
		if cmd := c.Table.Resolve(name); cmd != nil {
			cmd.writeNamedDocs(c.Out)
			n++
		}
	}
	c.Out.EndMap(mark, n)
	return nil
}

func (cmd *Command) writeNamedDocs(out *resp.Writer) {
	out.BulkString(cmd.FullName)
	mark, n := out.DeferLen(), 0
	field := func(name, value string) {
		if value != "" {
			out.BulkString(name)
			out.BulkString(value)
			n++
		}
	}
	field("summary", cmd.Summary)
	field("since", cmd.Since)
	field("group", cmd.Group.String())
	field("complexity", cmd.Complexity)
	if flags := cmd.docFlags(); len(flags) != 0 {
		out.BulkString("doc_flags")
		writeStatusSet(out, "", flags)
		n++
	}
	field("deprecated_since", cmd.Deprecated)
	field("replaced_by", cmd.Replaced)
	n += cmd.writeDocLists(out)
	out.EndMap(mark, n)
}

func (cmd *Command) docFlags() []string {
	var flags []string
	if cmd.Deprecated != "" {
		flags = append(flags, "deprecated")
	}
	if cmd.Flags&SysCmd != 0 {
		flags = append(flags, "syscmd")
	}
	return flags
}

// writeDocLists writes the parts of DOCS that are lists, and counts them.
func (cmd *Command) writeDocLists(out *resp.Writer) (n int) {
	if len(cmd.History) != 0 {
		out.BulkString("history")
		out.Set(len(cmd.History))
		for _, h := range cmd.History {
			out.Array(2)
			out.BulkString(h[0])
			out.BulkString(h[1])
		}
		n++
	}
	if len(cmd.Args) != 0 {
		out.BulkString("arguments")
		writeArgs(out, cmd.Args)
		n++
	}
	if cmd.IsContainer() {
		out.BulkString("subcommands")
		out.Map(len(cmd.inRow))
		for _, sub := range cmd.inRow {
			sub.writeNamedDocs(out)
		}
		n++
	}
	return n
}

func writeArgs(out *resp.Writer, args []Arg) {
	out.Array(len(args))
	for i := range args {
		args[i].write(out)
	}
}

// write describes an argument.
func (a *Arg) write(out *resp.Writer) {
	mark, n := out.DeferLen(), 0
	field := func(name, value string) {
		if value != "" {
			out.BulkString(name)
			out.BulkString(value)
			n++
		}
	}
	field("name", a.Name)
	field("type", a.Type.String())
	if !a.nested() {
		field("display_text", a.Shown)
	}
	if a.KeySpec != 0 {
		out.BulkString("key_spec_index")
		out.Int(int64(a.KeySpec - 1))
		n++
	}
	field("token", strings.ToUpper(a.Token)) // as 7.2, whatever case is usual
	field("since", a.Since)
	field("deprecated_since", a.Until)
	if flags := a.flags(); len(flags) != 0 {
		out.BulkString("flags")
		writeStatusSet(out, "", flags)
		n++
	}
	if a.nested() {
		out.BulkString("arguments")
		writeArgs(out, a.Args)
		n++
	}
	out.EndMap(mark, n)
}

func (a *Arg) flags() []string {
	var flags []string
	if a.Optional {
		flags = append(flags, "optional")
	}
	if a.Multiple {
		flags = append(flags, "multiple")
	}
	if a.MultipleToken {
		flags = append(flags, "multiple_token")
	}
	return flags
}

// commandList is COMMAND LIST.
func commandList(c *Context) error {
	keep := func(*Command) bool { return true }
	if len(c.Args) > 2 {
		if len(c.Args) != 5 || !text.EqualFold(c.Args[2], "FILTERBY") {
			return ErrSyntax
		}
		if keep = listFilter(c.Args[3], c.Args[4]); keep == nil {
			return ErrSyntax
		}
	}
	mark, n := c.Out.DeferLen(), 0
	for _, cmd := range c.Table.all {
		for _, one := range append([]*Command{cmd}, cmd.inRow...) {
			if keep(one) {
				c.Out.BulkString(one.FullName)
				n++
			}
		}
	}
	c.Out.EndArray(mark, n)
	return nil
}

// listFilter is the condition of FILTERBY; nil when there is no such filter.
// There are no modules, so none of their commands.
func listFilter(kind, arg []byte) func(*Command) bool {
	switch {
	case text.EqualFold(kind, "MODULE"):
		return func(*Command) bool { return false }
	case text.EqualFold(kind, "ACLCAT"):
		cat, _ := ParseCategory(string(arg)) // an unknown one has no commands
		return func(c *Command) bool { return c.Categories&cat != 0 }
	case text.EqualFold(kind, "PATTERN"):
		return func(c *Command) bool { return text.Match(arg, []byte(c.FullName), true) }
	}
	return nil
}

// commandGetKeys is COMMAND GETKEYS.
func commandGetKeys(c *Context) error { return getKeys(c, false) }

// commandGetKeysAndFlags is COMMAND GETKEYSANDFLAGS.
func commandGetKeysAndFlags(c *Context) error { return getKeys(c, true) }

func getKeys(c *Context, withFlags bool) error {
	args := c.Args[2:]
	cmd := c.Table.Lookup(args[0])
	if cmd != nil && cmd.IsContainer() && len(args) > 1 {
		cmd = cmd.Sub(args[1])
	}
	switch {
	case cmd == nil:
		return errInvalidCommand
	case !cmd.hasKeys():
		return ErrNoKeyArgs
	case !cmd.Accepts(len(args)):
		return errCallArity
	}
	refs, ok := cmd.ShownKeys(args)
	refs = slices.DeleteFunc(refs, func(r KeyRef) bool { return r.Flags&NotKey != 0 })
	if !ok || len(refs) == 0 {
		if cmd.Flags&NoMandatoryKeys == 0 {
			return ErrInvalidKeys
		}
		refs = nil
	}
	c.Out.Array(len(refs))
	for _, r := range refs {
		if withFlags {
			c.Out.Array(2)
		}
		c.Out.Bulk(args[r.Index])
		if withFlags {
			writeStatusSet(c.Out, "", r.Flags.Names())
		}
	}
	return nil
}

// hasKeys tells whether some argument can be a key.
func (cmd *Command) hasKeys() bool {
	return slices.ContainsFunc(cmd.Keys, func(k KeySpec) bool { return k.Flags&NotKey == 0 })
}
