package command

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Command is a Spec with what was derived from it. Commands are immutable and
// shared by all loops. What every call reads stands together at the beginning.
type Command struct {
	key nameKey
	// OneKey is the argument that holds the only key, or 0: the fast path of
	// locking. A call whose arity is right has that argument.
	OneKey  int
	Arity   int // in words, the name included; negative: at least so many
	Flags   Flags
	Handler Handler
	// ID numbers commands and subcommands without gaps, for per-command counters.
	ID int
	*Spec
	called string // the name that it is found by: the row's unless Rename gave another
	// FullName is the lower-case name, with the container's: "config|get".
	FullName   string
	Parent     *Command
	Args       []Arg
	Usage      string // how to call it, without its name
	Categories Category
	// First, Last and Step are the key positions as old clients read them.
	First, Last, Step int

	subs  nameIndex
	inRow []*Command // the subcommands in the order of their rows
}

// Table is all commands of a server, found by name.
type Table struct {
	index nameIndex
	all   []*Command // containers and plain commands, sorted by name
	byID  []*Command // subcommands too
}

// NewTable derives a table from declarations. It reports every fault in them at
// once; a fault is a programmer's error.
func NewTable(lists ...[]Spec) (*Table, error) {
	t := &Table{}
	var faults []error
	for _, specs := range lists {
		for i := range specs {
			t.all = append(t.all, t.derive(&specs[i], nil, &faults))
		}
	}
	slices.SortStableFunc(t.all, func(a, b *Command) int { return strings.Compare(a.FullName, b.FullName) })
	faults = append(faults, twice(t.all)...)
	if len(faults) != 0 {
		return nil, errors.Join(faults...)
	}
	t.index = newNameIndex(t.all)
	return t, nil
}

// twice finds names that occur more than once in a sorted list.
func twice(sorted []*Command) (faults []error) {
	for i, c := range sorted {
		if i > 0 && sorted[i-1].FullName == c.FullName {
			faults = append(faults, fmt.Errorf("command %s is declared twice", c.FullName))
		}
	}
	return faults
}

// derive makes the command of a row, and those of its subcommands.
func (t *Table) derive(s *Spec, parent *Command, faults *[]error) *Command {
	c := &Command{Spec: s, ID: len(t.byID), Parent: parent, FullName: strings.ToLower(s.Name), Handler: s.Handler, called: s.Name}
	t.byID = append(t.byID, c)
	names := 1
	if parent != nil {
		c.FullName, names = parent.FullName+"|"+c.FullName, 2
	}
	for _, fault := range s.faults(parent != nil) {
		*faults = append(*faults, fmt.Errorf("command %s: %w", c.FullName, fault))
	}
	args, err := ParseSyntax(s.Syntax)
	if err != nil {
		*faults = append(*faults, fmt.Errorf("command %s: %w", c.FullName, err))
	}
	bindKeys(args, s.Keys)
	c.Args, c.Usage = args, Usage(args)
	c.key = commandKey(s.Name)
	c.Arity, c.Flags = s.arity(names, args), s.Flags
	if len(s.Subs) != 0 {
		c.Flags |= container
	}
	c.deriveKeys()
	c.Categories = c.categories()
	for i := range s.Subs {
		c.inRow = append(c.inRow, t.derive(&s.Subs[i], c, faults))
	}
	if len(c.inRow) != 0 {
		c.subs = newNameIndex(c.inRow)
		sorted := slices.SortedStableFunc(slices.Values(c.inRow), func(a, b *Command) int { return strings.Compare(a.FullName, b.FullName) })
		*faults = append(*faults, twice(sorted)...)
	}
	return c
}

// arity is the arity of a row whose syntax is args; names counts the words of the
// command's name.
func (s *Spec) arity(names int, args []Arg) int {
	switch {
	case s.Arity != 0:
		return s.Arity
	case len(s.Subs) != 0:
		return -2
	}
	return arityOf(names, args)
}

// faults finds what is wrong with a declaration, its syntax aside.
func (s *Spec) faults(isSub bool) (faults []error) {
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	fault(s.Name == "" || s.Name != strings.ToUpper(s.Name) || len(s.Name) > nameMax,
		"the name %q must be 1 to %d upper-case letters", s.Name, nameMax)
	fault(s.Handler == nil && len(s.Subs) == 0, "neither a handler nor subcommands")
	fault(isSub && len(s.Subs) != 0, "a subcommand cannot have subcommands")
	fault(s.Summary == "" || s.Since == "" || len(s.Subs) == 0 && s.Complexity == "",
		"Summary, Since and Complexity are needed")
	fault(s.Flags&Write != 0 && s.Flags&ReadOnly != 0, "cannot be both Write and ReadOnly")
	fault(s.Flags&MovableKeys != 0, "MovableKeys is derived, not declared")
	fault((s.Deprecated == "") != (s.Replaced == ""), "Deprecated and Replaced belong together")
	var all KeyFlags
	unknown := false
	for i := range s.Keys {
		for _, err := range s.Keys[i].faults() {
			fault(true, "key spec %d: %w", i, err)
		}
		all |= s.Keys[i].Flags
		unknown = unknown || s.Keys[i].Unknown
	}
	fault((all&VariableFlags != 0) != (s.VaryKeys != nil), "VariableFlags and VaryKeys belong together")
	fault((unknown || all&Incomplete != 0) && s.FindKeys == nil, "Unknown and Incomplete keys need FindKeys")
	return faults
}

// faults finds what is wrong with a key spec.
func (k *KeySpec) faults() (faults []error) {
	fault := func(bad bool, text string) {
		if bad {
			faults = append(faults, errors.New(text))
		}
	}
	uses := 0
	for _, f := range []KeyFlags{RO, RW, OW, RM, NotKey} {
		if k.Flags&f != 0 {
			uses++
		}
	}
	fault(uses != 1, "needs one of RO, RW, OW, RM and NotKey")
	if k.Unknown {
		fault(k.Index != 0 || k.Keyword != "" || k.Counted || k.Step != 0, "is Unknown, so it has no positions")
		return faults
	}
	fault(k.Keyword == "" && k.Index < 1, "begins before the first argument")
	fault(k.Keyword != "" && (k.From == 0 || k.Index != 0), "searches a keyword: it needs From, and no Index")
	fault(k.Keyword != strings.ToUpper(k.Keyword), "has a keyword that is not upper case")
	fault(k.Step < 1, "has no step")
	fault(k.Limit != 0 && k.Last != -1, "has a limit, so its last key is -1")
	fault(k.Counted && (k.KeyNum < 0 || k.FirstKey < 1 || k.Last != 0 || k.Limit != 0), "counts keys, in a way that makes no sense")
	return faults
}

// deriveKeys fills in what old clients read, and the fast path.
func (c *Command) deriveKeys() {
	if len(c.Keys) == 0 {
		return
	}
	var movable bool
	if c.First, c.Last, c.Step, movable = legacyRange(c.Keys); movable {
		c.Flags |= MovableKeys
	}
	k := &c.Keys[0]
	plain := c.Flags&(MovableKeys|Exclusive|Roams) == 0 && k.Flags&NotKey == 0 && c.FindKeys == nil
	if plain && len(c.Keys) == 1 && k.Last == 0 && max(c.Arity, -c.Arity) > k.Index {
		c.OneKey = k.Index
	}
}

// legacyRange joins adjacent plain key specs into one range, which is what
// COMMAND has always given as first, last and step key. Movable tells that this
// is not all there is to know of the keys.
func legacyRange(keys []KeySpec) (first, last, step int, movable bool) {
	for i := range keys {
		k := &keys[i]
		movable = movable || k.Flags&Incomplete != 0
		apart := len(keys) > 1 && k.Step != 1 || i > 0 && last != 0 && last != k.Index-1
		if k.Counted || k.Keyword != "" || k.Unknown || apart {
			movable = true
			continue
		}
		if first == 0 {
			first, step = k.Index, k.Step
		}
		if last = k.Last; last >= 0 {
			last += k.Index
		}
	}
	return first, last, step, movable || first == 0
}

// groupCategories are the categories that follow from a group.
var groupCategories = map[Group]Category{
	Generic: CatKeyspace, String: CatString, List: CatList, Set: CatSet, SortedSet: CatSortedSet, Hash: CatHash,
	PubSub: CatPubSub, Transactions: CatTransaction, Connection: CatConnection, Scripting: CatScripting,
	HyperLogLog: CatHyperLogLog, Geo: CatGeo, Stream: CatStream, Bitmap: CatBitmap,
}

// categories derives the ACL categories from flags and group.
func (c *Command) categories() Category {
	cat := c.Spec.Categories
	if c.Handler != nil {
		cat |= groupCategories[c.Group]
	}
	for _, rule := range []struct {
		flag Flags
		cat  Category
	}{{Write, CatWrite}, {ReadOnly, CatRead}, {Admin, CatAdmin | CatDangerous}, {PubSubFlag, CatPubSub}, {Blocking, CatBlocking}, {Fast, CatFast}} {
		if c.Flags&rule.flag != 0 {
			cat |= rule.cat
		}
	}
	if cat&CatScripting != 0 {
		cat &^= CatRead // that a script reads only does not make it a read
	}
	cat &^= c.NotCategories
	if cat&CatFast == 0 {
		cat |= CatSlow
	}
	return cat
}

// Lookup finds a command by its name, in any case; nil when there is none.
func (t *Table) Lookup(name []byte) *Command { return t.index.find(name) }

// Called is the command that a call names, nil if there is none such that can be executed
// with so many arguments.
func (t *Table) Called(args [][]byte) *Command {
	cmd := t.Lookup(args[0])
	if cmd != nil && cmd.IsContainer() && len(args) > 1 {
		cmd = cmd.Sub(args[1])
	}
	if cmd == nil || cmd.Handler == nil || !cmd.Accepts(len(args)) {
		return nil
	}
	return cmd
}

// Sub finds a subcommand of a container; nil when there is none.
func (c *Command) Sub(name []byte) *Command {
	if c.subs.slots == nil {
		return nil
	}
	return c.subs.find(name)
}

// Subcommands are the subcommands of a container, in the order of their rows.
func (c *Command) Subcommands() []*Command { return c.inRow }

// IsContainer tells whether the command has subcommands.
func (c *Command) IsContainer() bool { return c.Flags&container != 0 }

// Accepts tells whether a call with n words has the right number of them.
func (c *Command) Accepts(n int) bool {
	if c.Arity >= 0 {
		return n == c.Arity
	}
	return n >= -c.Arity
}

// Commands are all commands and containers, sorted by name.
func (t *Table) Commands() []*Command { return t.all }

// ByID are all commands and subcommands, at the place of their ID.
func (t *Table) ByID() []*Command { return t.byID }

// Resolve finds a command by its full name in any case, "config|get" included.
func (t *Table) Resolve(name []byte) *Command {
	head, tail, isSub := bytes.Cut(name, []byte("|"))
	c := t.Lookup(head)
	if c == nil || !isSub {
		return c
	}
	return c.Sub(tail)
}

// FlagNames are the flags as COMMAND INFO lists them.
func (c *Command) FlagNames() []string {
	var names []string
	for _, f := range flagNames {
		if c.Flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return names
}

// Names are the categories without their @.
func (cat Category) Names() []string {
	var names []string
	for i, n := range categoryNames {
		if cat&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}

// ParseCategory finds a category by its name without @.
func ParseCategory(name string) (Category, bool) {
	for i, n := range categoryNames {
		if n == strings.ToLower(name) {
			return 1 << i, true
		}
	}
	return 0, false
}

// Names are the key flags as COMMAND GETKEYSANDFLAGS lists them.
func (f KeyFlags) Names() []string {
	var names []string
	for i, n := range keyFlagNames {
		if f&(1<<i) != 0 {
			names = append(names, n)
		}
	}
	return names
}
