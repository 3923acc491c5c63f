package command

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Command is a Spec with what was derived from it. Commands are immutable and
// shared by all loops.
type Command struct {
	*Spec
	// ID numbers commands and subcommands without gaps, for per-command counters.
	ID int
	// FullName is the lower-case name, with the container's: "config|get".
	FullName   string
	Parent     *Command
	Args       []Arg
	Arity      int // in words, the name included; negative: at least so many
	Flags      Flags
	Categories Category
	// First, Last and Step are the key positions as old clients read them.
	First, Last, Step int
	// OneKey is the argument that holds the only key, or 0: the fast path of
	// locking.
	OneKey int

	subs map[string]*Command
}

// Table is all commands of a server, found by name.
type Table struct {
	slots []*Command // open addressing by nameHash, a power of two
	all   []*Command // containers and plain commands, sorted by name
	byID  []*Command // subcommands too
}

// nameMax bounds the names that are looked up; longer ones are unknown.
const nameMax = 32

// NewTable derives a table from declarations. It reports every fault in them at
// once; a fault is a programmer's error.
func NewTable(lists ...[]Spec) (*Table, error) {
	t := &Table{}
	var faults []error
	for _, specs := range lists {
		for i := range specs {
			c, err := t.derive(&specs[i], nil)
			if err != nil {
				faults = append(faults, err)
				continue
			}
			t.all = append(t.all, c)
		}
	}
	slices.SortFunc(t.all, func(a, b *Command) int { return strings.Compare(a.FullName, b.FullName) })
	for i, c := range t.all {
		if i > 0 && t.all[i-1].FullName == c.FullName {
			faults = append(faults, fmt.Errorf("command %s is declared twice", c.FullName))
		}
	}
	t.index()
	return t, errors.Join(faults...)
}

func (t *Table) derive(s *Spec, parent *Command) (*Command, error) {
	c := &Command{Spec: s, ID: len(t.byID), Parent: parent, FullName: strings.ToLower(s.Name)}
	t.byID = append(t.byID, c)
	names := 1
	if parent != nil {
		c.FullName, names = parent.FullName+"|"+c.FullName, 2
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	args, err := ParseSyntax(s.Syntax)
	if err != nil {
		return nil, fmt.Errorf("command %s: %w", c.FullName, err)
	}
	c.Args, c.Arity = args, s.Arity
	if len(s.Subs) != 0 && c.Arity == 0 {
		c.Arity = -2
	}
	if c.Arity == 0 {
		c.Arity = arityOf(names, args)
	}
	c.deriveKeys()
	c.Categories = c.categories()
	if len(s.Subs) != 0 {
		c.subs = make(map[string]*Command, len(s.Subs))
	}
	for i := range s.Subs {
		sub, err := t.derive(&s.Subs[i], c)
		if err != nil {
			return nil, err
		}
		c.subs[s.Subs[i].Name] = sub
	}
	return c, nil
}

// check finds faults of a declaration.
func (c *Command) check() error {
	s := c.Spec
	switch {
	case s.Name == "" || s.Name != strings.ToUpper(s.Name) || len(s.Name) > nameMax:
		return fmt.Errorf("command %q: the name must be 1 to %d upper-case letters", s.Name, nameMax)
	case s.Handler == nil && len(s.Subs) == 0:
		return fmt.Errorf("command %s: neither a handler nor subcommands", c.FullName)
	case s.Summary == "" || s.Since == "" || len(s.Subs) == 0 && s.Complexity == "":
		return fmt.Errorf("command %s: Summary, Since and Complexity are needed", c.FullName)
	case s.Flags&Write != 0 && s.Flags&ReadOnly != 0:
		return fmt.Errorf("command %s: cannot be both Write and ReadOnly", c.FullName)
	}
	return nil
}

// deriveKeys fills in what old clients read, and the fast path.
func (c *Command) deriveKeys() {
	c.Flags = c.Spec.Flags
	for i := range c.Keys {
		k := &c.Keys[i]
		if k.Counted || k.Keyword != "" || k.Unknown || k.Flags&Incomplete != 0 {
			c.Flags |= MovableKeys
		}
	}
	if len(c.Keys) == 0 {
		return
	}
	c.First, c.Last, c.Step = legacyRange(c.Keys)
	k := &c.Keys[0]
	if len(c.Keys) == 1 && c.Flags&(MovableKeys|Exclusive|Roams) == 0 && k.Last == 0 && k.Flags&NotKey == 0 {
		c.OneKey = k.Index
	}
}

// legacyRange joins adjacent plain key specs into one range, as COMMAND's
// first, last and step key have always been given.
func legacyRange(keys []KeySpec) (first, last, step int) {
	prevStep := 0
	for i := range keys {
		k := &keys[i]
		if k.Counted || k.Keyword != "" || k.Unknown {
			continue
		}
		if first != 0 && (last != k.Index-1 || k.Step != prevStep) {
			continue
		}
		if first == 0 {
			first, step = k.Index, k.Step
		}
		prevStep = k.Step
		last = k.Last
		if k.Last >= 0 {
			last += k.Index
		}
	}
	return first, last, step
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
	if c.Group == Scripting {
		cat &^= CatRead | CatWrite
	}
	cat &^= c.NotCategories
	if cat&CatFast == 0 {
		cat |= CatSlow
	}
	return cat
}

// index builds the hash table of names.
func (t *Table) index() {
	n := 1
	for n < 4*len(t.all) {
		n *= 2
	}
	t.slots = make([]*Command, max(n, 2))
	for _, c := range t.all {
		i := nameHash([]byte(c.FullName)) & uint64(len(t.slots)-1)
		for t.slots[i] != nil {
			i = (i + 1) & uint64(len(t.slots)-1)
		}
		t.slots[i] = c
	}
}

// nameHash hashes a name without regard to case.
func nameHash(name []byte) uint64 {
	h := uint64(len(name))
	for _, b := range name {
		h = h*31 + uint64(b|0x20)
	}
	return h ^ h>>15
}

// Lookup finds a command by its name, in any case; nil when there is none.
func (t *Table) Lookup(name []byte) *Command {
	if len(name) > nameMax {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := nameHash(name) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		if equalFold(t.slots[i].FullName, name) {
			return t.slots[i]
		}
	}
	return nil
}

// equalFold compares a lower-case name with one in any case.
func equalFold(lower string, name []byte) bool {
	if len(lower) != len(name) {
		return false
	}
	for i, b := range name {
		if 'A' <= b && b <= 'Z' {
			b |= 0x20
		}
		if lower[i] != b {
			return false
		}
	}
	return true
}

// Sub finds a subcommand of a container.
func (c *Command) Sub(name []byte) *Command {
	if len(name) > nameMax {
		return nil
	}
	return c.subs[strings.ToUpper(string(name))]
}

// IsContainer tells whether the command has subcommands.
func (c *Command) IsContainer() bool { return c.subs != nil }

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
	head, tail, isSub := strings.Cut(string(name), "|")
	c := t.Lookup([]byte(head))
	if c == nil || !isSub {
		return c
	}
	return c.Sub([]byte(tail))
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
