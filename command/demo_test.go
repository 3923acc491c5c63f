package command

import (
	"bytes"
	"testing"

	"dozo/resp"
	"dozo/text"
)

func nothing(*Context) error { return nil }

// demo are rows of every shape that declarations can have. They bear the names
// of real commands and declare what those do, so that a genuine redis-server can
// be asked about them.
var demo = []Spec{
	{
		Name: "GET", Handler: nothing, Group: String, Since: "1.0.0", Complexity: "O(1)",
		Syntax: "key", Flags: ReadOnly | Fast, Keys: []KeySpec{At(1, RO|Access)}, Summary: "Replies a string.",
	},
	{
		Name: "SET", Handler: nothing, Group: String, Since: "1.0.0", Complexity: "O(1)",
		Syntax: "key value condition=[NX | XX]@2.6.12 [GET]@6.2.0 expiration=[EX seconds@2.6.12 | PX milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0]",
		Flags:  Write | DenyOOM, VaryKeys: demoSetKeys,
		Keys:    []KeySpec{At(1, RW|Access|Update|VariableFlags).Note("reads the key with `GET` only")},
		History: []Change{{"2.6.12", "More options."}, {"7.0.0", "`NX` and `GET` together."}},
		Summary: "Sets a string.",
	},
	{
		Name: "MSET", Handler: nothing, Group: String, Since: "1.0.1", Complexity: "O(N)",
		Syntax: "data=<key value> [key value ...]", Flags: Write | DenyOOM, Keys: []KeySpec{Span(1, -1, 2, OW|Update)},
		Tips:    []string{"request_policy:multi_shard", "response_policy:all_succeeded"},
		Summary: "Sets strings.",
	},
	{
		Name: "LCS", Handler: nothing, Group: String, Since: "7.0.0", Complexity: "O(N*M)",
		Syntax: "key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]",
		Flags:  ReadOnly, Keys: []KeySpec{Span(1, 1, 1, RO|Access)}, Summary: "Compares strings.",
	},
	{
		Name: "GETSET", Handler: nothing, Group: String, Since: "1.0.0", Complexity: "O(1)",
		Syntax: "key value", Flags: Write | DenyOOM | Fast, Keys: []KeySpec{At(1, RW|Access|Update)},
		Deprecated: "6.2.0", Replaced: "`SET` with `GET`", Summary: "Replaces a string.",
	},
	{
		Name: "EVAL", Handler: nothing, Group: Scripting, Since: "2.6.0", Complexity: "Depends on the script.",
		Syntax:  "script numkeys [key [key ...]] [arg [arg ...]]",
		Flags:   NoScript | SkipMonitor | MayReplicate | NoMandatoryKeys | Stale,
		Keys:    []KeySpec{CountedAt(2, RW|Access|Update).Note("scripts may do anything")},
		Summary: "Runs a script.",
	},
	{
		Name: "ZUNIONSTORE", Handler: nothing, Group: SortedSet, Since: "2.0.0", Complexity: "O(N)+O(M*log(M))",
		Syntax: "destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE <SUM | MIN | MAX>]",
		Flags:  Write | DenyOOM, Keys: []KeySpec{At(1, OW|Update), CountedAt(2, RO|Access)}, Summary: "Unites.",
	},
	{
		Name: "XREAD", Handler: nothing, Group: Stream, Since: "5.0.0", Complexity: "O(N)",
		Syntax: "[COUNT count] [BLOCK milliseconds] STREAMS <key [key ...] id [id ...]>",
		Flags:  ReadOnly | Blocking, Keys: []KeySpec{After("STREAMS", 1, -1, 1, 2, RO|Access)}, Summary: "Reads streams.",
	},
	{
		Name: "BITOP", Handler: nothing, Group: Bitmap, Since: "2.6.0", Complexity: "O(N)",
		Syntax: "operation=<AND | OR | XOR | NOT> destkey key [key ...]", Flags: Write | DenyOOM,
		Keys: []KeySpec{At(2, OW|Update), Span(3, -1, 1, RO|Access)}, Summary: "Combines strings.",
	},
	{
		Name: "MIGRATE", Handler: nothing, Group: Generic, Since: "2.6.0", Complexity: "O(N)",
		Syntax: `host port key-selector=<key | empty-string=""> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 <username password>] [KEYS keys=key [key ...]]`,
		Flags:  Write, Categories: CatDangerous, Tips: []string{"nondeterministic_output"}, FindKeys: demoMigrateKeys,
		Keys: []KeySpec{
			At(3, RW|Access|Delete), After("KEYS", -2, -1, 1, 0, RW|Access|Delete|Incomplete),
		},
		Summary: "Moves keys.",
	},
	{
		Name: "SORT", Handler: nothing, Group: Generic, Since: "1.0.0", Complexity: "O(N+M*log(M))",
		Syntax:     "key [BY by-pattern=pattern] [LIMIT <offset count>] [GET get-pattern=pattern [...]] order=[ASC | DESC] [sorting=ALPHA] [STORE destination]",
		Flags:      Write | DenyOOM,
		Categories: CatSet | CatSortedSet | CatList | CatDangerous, NotCategories: CatKeyspace, FindKeys: demoSortKeys,
		Keys: []KeySpec{
			At(1, RO|Access),
			KeySpec{Flags: RO | Access, Unknown: true}.Note("the keys that BY and GET name depend on the value"),
			KeySpec{Flags: OW | Update, Unknown: true}.Note("STORE may stand anywhere"),
		},
		Summary: "Sorts.",
	},
	{
		Name: "SPUBLISH", Handler: nothing, Group: PubSub, Since: "7.0.0", Complexity: "O(N)",
		Syntax: "shardchannel message", Flags: PubSubFlag | Loading | Stale | Fast | MayReplicate,
		Keys: []KeySpec{At(1, NotKey)}, Summary: "Sends a message.",
	},
	{
		Name: "RESTORE-ASKING", Handler: nothing, Group: Server, Since: "3.0.0", Complexity: "O(1)",
		Syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
		Flags:  Write | DenyOOM | Asking | SysCmd, Categories: CatKeyspace | CatDangerous, Keys: []KeySpec{At(1, OW|Update)},
		Summary: "Restores.",
	},
	{
		Name: "OBJECT", Group: Generic, Since: "2.2.3", Summary: "Looks into values.",
		Subs: []Spec{
			{
				Name: "ENCODING", Handler: nothing, Group: Generic, Since: "2.2.3", Complexity: "O(1)",
				Syntax: "key", Flags: ReadOnly, Keys: []KeySpec{At(2, RO)}, Tips: []string{"nondeterministic_output"},
				Summary: "Names the encoding of a value.",
			},
			{
				Name: "HELP", Handler: Help, Group: Generic, Since: "6.2.0", Complexity: "O(1)",
				Flags: Loading | Stale, Summary: "Lists the subcommands.",
			},
		},
	},
}

func demoSetKeys(args [][]byte) KeyFlags {
	for _, a := range args[3:] {
		if text.EqualFold(a, "GET") {
			return RW | Access | Update
		}
	}
	return OW | Update
}

func demoMigrateKeys(dst []KeyRef, args [][]byte) ([]KeyRef, bool) {
	for i := 6; i < len(args)-1; i++ {
		if text.EqualFold(args[i], "KEYS") && len(args[3]) == 0 {
			for k := i + 1; k < len(args); k++ {
				dst = append(dst, KeyRef{k, RW | Access | Delete})
			}
			return dst, true
		}
	}
	return append(dst, KeyRef{3, RW | Access | Delete}), true
}

func demoSortKeys(dst []KeyRef, args [][]byte) ([]KeyRef, bool) {
	dst = append(dst, KeyRef{1, RO | Access})
	store := 0
	for i := 2; i < len(args)-1; i++ {
		switch {
		case text.EqualFold(args[i], "LIMIT"):
			i += 2
		case text.EqualFold(args[i], "GET"), text.EqualFold(args[i], "BY"):
			i++
		case text.EqualFold(args[i], "STORE"):
			i++
			store = i
		}
	}
	if store != 0 {
		dst = append(dst, KeyRef{store, OW | Update})
	}
	return dst, true
}

func demoTable(tb testing.TB) *Table {
	tb.Helper()
	t, err := NewTable(Introspection, demo)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// call runs a command of the table as a server would and returns its reply.
func call(t *Table, proto int, args ...string) []byte {
	words := toWords(args)
	out := resp.Writer{Proto: proto}
	cmd := t.Lookup(words[0])
	if cmd != nil && cmd.IsContainer() && len(words) > 1 {
		cmd = cmd.Sub(words[1])
	}
	switch {
	case cmd == nil:
		out.Error("ERR unknown command or subcommand")
	case !cmd.Accepts(len(words)) || cmd.Handler == nil:
		out.Error("ERR wrong number of arguments for '" + cmd.FullName + "' command")
	default:
		c := Context{Args: words, Cmd: cmd, Out: &out, Table: t}
		if err := cmd.Handler(&c); err != nil {
			out.Error(err.Error())
		}
	}
	return bytes.Clone(out.Buf)
}

func toWords(args []string) [][]byte {
	words := make([][]byte, len(args))
	for i, a := range args {
		words[i] = []byte(a)
	}
	return words
}
