// Package command is what a command is: its declaration (Spec), the table that
// is derived from declarations (Table), and the surroundings its handler runs
// in (Context).
//
// A command is declared once, beside its handler, in a family file. Arity, key
// positions, lock set, ACL categories, refusals (read-only replica, out of
// memory, loading), COMMAND and its subcommands, HELP, the hints of the command
// line and the random commands of the differential test are all derived from
// that row, and are never written a second time.
package command

// Handler does the work of one command. It parses its arguments, looks its keys
// up, operates, and writes exactly one reply to c.Out, or returns a reply error
// having written nothing. It runs with the shards of its declared keys held and
// may touch no others.
type Handler func(c *Context) error

// Spec is one command or one subcommand.
type Spec struct {
	Name       string // upper case, one word
	Handler    Handler
	Group      Group
	Since      string // the version of Redis that brought it
	Complexity string
	Summary    string
	// Syntax says how the command is called, in the notation of the Redis
	// documentation without the command's name: `key value [NX | XX] [EX seconds |
	// KEEPTTL]`. Arity, usage and COMMAND DOCS come from it; see ParseSyntax for the
	// notation, which can also say the names and types that only DOCS shows.
	Syntax string
	Flags  Flags
	// Categories are ACL categories beyond those that follow from Flags and
	// Group (see Table).
	Categories Category
	// NotCategories are categories that Flags and Group would give but Redis
	// does not.
	NotCategories Category
	Keys          []KeySpec
	// VaryKeys gives the true key flags of a call whose key spec has
	// VariableFlags: SET reads its key only with GET.
	VaryKeys func(args [][]byte) KeyFlags
	// FindKeys finds the keys of a call instead of Keys, which then only describe
	// them for clients. It is needed where some of Keys are Unknown or Incomplete:
	// SORT's STORE may stand anywhere. It works as KeysOf does.
	FindKeys func(dst []KeyRef, args [][]byte) (refs []KeyRef, ok bool)
	// Alone tells of a call whether it runs as if its command were Exclusive, since
	// it may touch keys that are not among its arguments.
	Alone   func(args [][]byte) bool
	Tips    []string
	History []Change
	// Replaced is the text of DOCS' replaced_by, Deprecated the version; both
	// empty for commands that are not deprecated.
	Deprecated, Replaced string
	// Subs are the subcommands of a container such as CONFIG. A container has
	// no Handler of its own, unless it can be called bare (COMMAND).
	Subs []Spec
	// Arity overrides what Syntax gives; 0 = derive. It is for commands whose
	// Redis arity is looser than their syntax.
	Arity int
}

// Change is a line of a command's history: a version and what it changed.
type Change [2]string

// Group is the family of a command, as COMMAND DOCS and ACL categories name it.
type Group uint8

// The families.
const (
	Generic Group = iota
	String
	List
	Set
	SortedSet
	Hash
	PubSub
	Transactions
	Connection
	Server
	Scripting
	HyperLogLog
	Cluster
	Sentinel
	Geo
	Stream
	Bitmap
	numGroups
)

var groupNames = [numGroups]string{
	"generic", "string", "list", "set", "sorted-set", "hash", "pubsub", "transactions", "connection", "server",
	"scripting", "hyperloglog", "cluster", "sentinel", "geo", "stream", "bitmap",
}

func (g Group) String() string { return groupNames[g] }

// Flags say how a command behaves; dispatch reads them and nothing else.
type Flags uint64

// Flags with the names that COMMAND INFO gives them, then Dozo's own.
const (
	Write Flags = 1 << iota
	ReadOnly
	DenyOOM
	Admin
	PubSubFlag // "pubsub"
	NoScript
	Blocking
	Loading // may run while the data set is loading
	Stale   // may run on a replica with stale data
	SkipMonitor
	SkipSlowlog
	Asking
	Fast
	NoAuth
	MayReplicate
	NoMandatoryKeys
	Protected
	NoAsyncLoading
	NoMulti
	AllowBusy
	MovableKeys // derived: some key spec is not a plain range
	TouchesArbitraryKeys
	OnlySentinel
	SentinelToo

	// Exclusive commands run while no other loop executes anything: they may
	// touch every key of every database.
	Exclusive
	// Roams commands visit shards one after another by the keyspace's own
	// functions, which lock as they go. In EXEC they make it exclusive.
	Roams
	// SysCmd marks commands that are not meant for users; DOCS says so.
	SysCmd

	container // derived: has subcommands
)

// flagNames has the texts of COMMAND INFO, in the order in which Redis 7.2
// replies them. Flags that are not here are not shown.
var flagNames = []struct {
	flag Flags
	name string
}{
	{Write, "write"}, {ReadOnly, "readonly"}, {DenyOOM, "denyoom"}, {Admin, "admin"}, {PubSubFlag, "pubsub"},
	{NoScript, "noscript"}, {Blocking, "blocking"}, {Loading, "loading"}, {Stale, "stale"},
	{SkipMonitor, "skip_monitor"}, {SkipSlowlog, "skip_slowlog"}, {Asking, "asking"}, {Fast, "fast"},
	{NoAuth, "no_auth"}, {NoMandatoryKeys, "no_mandatory_keys"}, {NoAsyncLoading, "no_async_loading"},
	{NoMulti, "no_multi"}, {MovableKeys, "movablekeys"}, {AllowBusy, "allow_busy"},
}

// Category is a set of ACL categories.
type Category uint64

// The ACL categories, in the order in which ACL CAT lists them.
const (
	CatKeyspace Category = 1 << iota
	CatRead
	CatWrite
	CatSet
	CatSortedSet
	CatList
	CatHash
	CatString
	CatBitmap
	CatHyperLogLog
	CatGeo
	CatStream
	CatPubSub
	CatAdmin
	CatFast
	CatSlow
	CatBlocking
	CatDangerous
	CatConnection
	CatTransaction
	CatScripting
)

var categoryNames = []string{
	"keyspace", "read", "write", "set", "sortedset", "list", "hash", "string", "bitmap", "hyperloglog", "geo",
	"stream", "pubsub", "admin", "fast", "slow", "blocking", "dangerous", "connection", "transaction", "scripting",
}

// KeyFlags say what a command does with the keys of one KeySpec.
type KeyFlags uint16

// Key flags, as COMMAND GETKEYSANDFLAGS names them.
const (
	RO KeyFlags = 1 << iota // reads the value
	RW                      // reads and writes it
	OW                      // overwrites it
	RM                      // removes the key
	Access
	Update
	Insert
	Delete
	NotKey
	Incomplete
	VariableFlags
)

var keyFlagNames = []string{
	"RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete", "variable_flags",
}

// KeySpec finds keys among the arguments in Redis' two steps: where to begin,
// and which arguments from there on are keys.
type KeySpec struct {
	Flags KeyFlags
	Notes string

	// Begin: at argument Index (the command's name is 0), or after Keyword,
	// searched from argument From (negative: backwards from the end).
	Index   int
	Keyword string
	From    int

	// Find, plain: from the beginning to Last (relative to the beginning;
	// negative: counted from the end of the arguments), each Step-th. Limit > 1
	// divides: only the first 1/Limit of the remaining arguments (XREAD).
	Last, Step, Limit int

	// Find, counted: the number of keys stands at KeyNum (relative to the
	// beginning), the first key at FirstKey. Counted tells which find it is.
	Counted          bool
	KeyNum, FirstKey int
	// Unknown: the keys cannot be found by position (SORT's BY and GET).
	Unknown bool
}

// At declares one key at argument i.
func At(i int, f KeyFlags) KeySpec { return KeySpec{Flags: f, Index: i, Step: 1} }

// Span declares keys from argument first to last (relative to first, or
// negative from the end), each step-th.
func Span(first, last, step int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Index: first, Last: last, Step: step}
}

// CountedAt declares `numkeys key [key ...]` with numkeys at argument i.
func CountedAt(i int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Index: i, Counted: true, KeyNum: 0, FirstKey: 1, Step: 1}
}

// After declares keys that follow a keyword, found from argument from on.
func After(keyword string, from, last, step, limit int, f KeyFlags) KeySpec {
	return KeySpec{Flags: f, Keyword: keyword, From: from, Last: last, Step: step, Limit: limit}
}

// Note adds a remark for COMMAND INFO.
func (k KeySpec) Note(text string) KeySpec { k.Notes = text; return k }
