package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestTableIsSorted(t *testing.T) {
	table := demoTable(t)
	names := func(list []*Command) (out []string) {
		for _, c := range list {
			out = append(out, c.FullName)
		}
		return out
	}
	if got := names(table.Commands()); !slices.IsSorted(got) || len(got) != len(demo)+len(Introspection) {
		t.Errorf("commands are %q", got)
	}
	for i, c := range table.ByID() {
		if c.ID != i {
			t.Errorf("%s has ID %d at place %d", c.FullName, c.ID, i)
		}
		if c.Parent != nil && !slices.Contains(c.Parent.Subcommands(), c) {
			t.Errorf("%s is not among the subcommands of %s", c.FullName, c.Parent.FullName)
		}
	}
	if got := names(table.Lookup([]byte("object")).Subcommands()); !slices.Equal(got, []string{"object|encoding", "object|help"}) {
		t.Errorf("OBJECT has %q", got)
	}
}

// row is a declaration without faults, changed by change.
func row(change func(s *Spec)) Spec {
	s := Spec{
		Name: "ROW", Handler: nothing, Since: "1.0.0", Complexity: "O(1)", Summary: "Is a row.",
		Syntax: "key", Keys: []KeySpec{At(1, RO)},
	}
	change(&s)
	return s
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		change func(s *Spec)
		want   string // "" = none
	}{
		{func(*Spec) {}, ""},
		{func(s *Spec) { s.Name = "" }, `the name "" must`},
		{func(s *Spec) { s.Name = "Row" }, `the name "Row" must`},
		{func(s *Spec) { s.Name = strings.Repeat("A", 33) }, "must be 1 to 32"},
		{func(s *Spec) { s.Name = strings.Repeat("A", 32) }, ""},
		{func(s *Spec) { s.Handler = nil }, "neither a handler nor subcommands"},
		{func(s *Spec) { s.Summary = "" }, "Summary, Since and Complexity"},
		{func(s *Spec) { s.Since = "" }, "Summary, Since and Complexity"},
		{func(s *Spec) { s.Complexity = "" }, "Summary, Since and Complexity"},
		{func(s *Spec) { s.Flags = Write | ReadOnly }, "both Write and ReadOnly"},
		{func(s *Spec) { s.Flags = MovableKeys }, "MovableKeys is derived"},
		{func(s *Spec) { s.Deprecated = "7.0.0" }, "belong together"},
		{func(s *Spec) { s.Syntax = "key [value" }, "] is missing"},
		{func(s *Spec) { s.Keys[0].Flags = Access }, "key spec 0: needs one of"},
		{func(s *Spec) { s.Keys[0].Flags = RO | RW }, "needs one of"},
		{func(s *Spec) { s.Keys[0].Index = 0 }, "before the first argument"},
		{func(s *Spec) { s.Keys[0].Step = 0 }, "no step"},
		{func(s *Spec) { s.Keys[0] = After("KEYS", 0, -1, 1, 0, RO) }, "needs From"},
		{func(s *Spec) { s.Keys[0] = After("keys", 1, -1, 1, 0, RO) }, "not upper case"},
		{func(s *Spec) { s.Keys[0] = After("KEYS", 1, 0, 1, 2, RO) }, "has a limit"},
		{func(s *Spec) { s.Keys[0] = KeySpec{Flags: RO, Index: 1, Step: 1, Counted: true} }, "makes no sense"},
		{func(s *Spec) { s.Keys[0].Flags = RO | VariableFlags }, "VaryKeys belong together"},
		{func(s *Spec) { s.VaryKeys = demoSetKeys }, "VaryKeys belong together"},
		{func(s *Spec) { s.Keys[0] = KeySpec{Flags: RO, Unknown: true} }, "need FindKeys"},
		{func(s *Spec) { s.Keys[0] = KeySpec{Flags: RO, Unknown: true, Index: 1}; s.FindKeys = demoSortKeys }, "has no positions"},
		{func(s *Spec) { s.Keys[0].Flags |= Incomplete }, "need FindKeys"},
		{func(s *Spec) { s.Keys[0].Flags |= Incomplete; s.FindKeys = demoSortKeys }, ""},
		{func(s *Spec) { s.Subs = []Spec{row(func(*Spec) {}), row(func(*Spec) {})} }, "row|row is declared twice"},
		{func(s *Spec) { s.Subs = []Spec{row(func(s *Spec) { s.Summary = "" })} }, "command row|row: Summary"},
		{func(s *Spec) { s.Subs = []Spec{row(func(s *Spec) { s.Subs = demo[:1] })} }, "cannot have subcommands"},
	} {
		_, err := NewTable([]Spec{row(c.change)})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("fault is %v, want %q", err, c.want)
		}
	}
}

func TestAllFaultsAreReported(t *testing.T) {
	bad := row(func(s *Spec) { s.Summary, s.Syntax, s.Flags = "", "<", Write|ReadOnly })
	good := row(func(s *Spec) { s.Name = "GOOD" })
	_, err := NewTable([]Spec{bad, good}, []Spec{good})
	if err == nil {
		t.Fatal("no fault")
	}
	want := []string{
		"command row: Summary, Since and Complexity are needed",
		"command row: cannot be both Write and ReadOnly",
		`command row: syntax "<": > is missing before the end`,
		"command good is declared twice",
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("faults are\n%s", err)
	}
}

func TestArity(t *testing.T) {
	sub := []Spec{row(func(*Spec) {})}
	for _, c := range []struct {
		change func(s *Spec)
		arity  int
		yes    []int
		no     []int
	}{
		{func(s *Spec) { s.Syntax = "" }, 1, []int{1}, []int{0, 2}},
		{func(s *Spec) { s.Syntax = "key" }, 2, []int{2}, []int{1, 3}},
		{func(s *Spec) { s.Syntax = "key [NX]" }, -2, []int{2, 3, 9}, []int{1}},
		{func(s *Spec) { s.Syntax = "key value [key value ...]" }, -3, []int{3, 4}, []int{2}},
		{func(s *Spec) { s.Syntax = "<A | B c>" }, -2, []int{2, 3}, []int{1}},
		{func(s *Spec) { s.Syntax = "<A a | B b>" }, 3, []int{3}, []int{2, 4}},
		{func(s *Spec) { s.Syntax = "key"; s.Arity = -1 }, -1, []int{1, 2, 3}, []int{0}},
		{func(s *Spec) { s.Subs, s.Handler, s.Syntax = sub, nil, "" }, -2, []int{2, 3}, []int{1}},
	} {
		table, err := NewTable([]Spec{row(c.change)})
		if err != nil {
			t.Fatal(err)
		}
		cmd := table.Lookup([]byte("row"))
		if cmd.Arity != c.arity {
			t.Errorf("arity of %q is %d, want %d", cmd.Syntax, cmd.Arity, c.arity)
		}
		for i, n := range append(slices.Clone(c.yes), c.no...) {
			if cmd.Accepts(n) != (i < len(c.yes)) {
				t.Errorf("arity %d and %d words: %v", cmd.Arity, n, cmd.Accepts(n))
			}
		}
		if sub := cmd.Sub([]byte("row")); sub != nil && sub.Arity != 3 {
			t.Errorf("the subcommand has arity %d, want 3", sub.Arity)
		}
	}
}

func TestDerivedKeys(t *testing.T) {
	counted := CountedAt(1, RO)
	find := func(s *Spec) { s.FindKeys = demoSortKeys }
	none := func(*Spec) {}
	for i, c := range []struct {
		keys              []KeySpec
		change            func(s *Spec)
		first, last, step int
		movable           bool
		oneKey            int
	}{
		{nil, none, 0, 0, 0, false, 0},
		{[]KeySpec{At(1, RO)}, none, 1, 1, 1, false, 1},
		{[]KeySpec{At(1, RO)}, func(s *Spec) { s.Flags = Exclusive }, 1, 1, 1, false, 0},
		{[]KeySpec{At(1, RO)}, func(s *Spec) { s.Arity = -1 }, 1, 1, 1, false, 0},
		{[]KeySpec{At(1, RO)}, find, 1, 1, 1, false, 0},
		{[]KeySpec{At(2, RO)}, none, 2, 2, 1, false, 2},
		{[]KeySpec{At(1, NotKey)}, none, 1, 1, 1, false, 0},
		{[]KeySpec{Span(1, 1, 1, RO)}, none, 1, 2, 1, false, 0},
		{[]KeySpec{Span(1, -1, 2, RO)}, none, 1, -1, 2, false, 0},
		{[]KeySpec{At(1, RO), At(2, RO)}, none, 1, 2, 1, false, 0},
		{[]KeySpec{At(1, RO), Span(2, -1, 1, RO)}, none, 1, -1, 1, false, 0},
		{[]KeySpec{Span(1, -1, 1, RO), At(3, RO)}, none, 1, -1, 1, true, 0},
		{[]KeySpec{At(1, RO), At(3, RO)}, none, 1, 1, 1, true, 0},
		{[]KeySpec{At(1, RO), Span(2, -1, 2, RO)}, none, 1, 1, 1, true, 0},
		{[]KeySpec{At(1, OW), counted}, none, 1, 1, 1, true, 0},
		{[]KeySpec{counted}, none, 0, 0, 0, true, 0},
		{[]KeySpec{After("STREAMS", 1, -1, 1, 2, RO)}, none, 0, 0, 0, true, 0},
		{[]KeySpec{At(1, RO|Incomplete)}, find, 1, 1, 1, true, 0},
		{[]KeySpec{At(1, RO), {Flags: RO, Unknown: true}}, find, 1, 1, 1, true, 0},
	} {
		table, err := NewTable([]Spec{row(func(s *Spec) { s.Syntax, s.Keys = "a b [c ...]", c.keys; s.Syntax = "a b c"; c.change(s) })})
		if err != nil {
			t.Fatal(err)
		}
		cmd := table.Lookup([]byte("row"))
		got := fmt.Sprint(cmd.First, cmd.Last, cmd.Step, cmd.Flags&MovableKeys != 0, cmd.OneKey)
		if want := fmt.Sprint(c.first, c.last, c.step, c.movable, c.oneKey); got != want {
			t.Errorf("case %d: first, last, step, movable, one key: %s, want %s", i, got, want)
		}
	}
}

func TestCategories(t *testing.T) {
	for _, c := range []struct {
		change func(s *Spec)
		want   string
	}{
		{func(s *Spec) { s.Group, s.Flags = String, ReadOnly|Fast }, "read string fast"},
		{func(s *Spec) { s.Group, s.Flags = List, Write|Blocking }, "write list slow blocking"},
		{func(s *Spec) { s.Group, s.Flags = Server, Admin }, "admin slow dangerous"},
		{func(s *Spec) { s.Group, s.Flags = Scripting, ReadOnly }, "slow scripting"},
		{func(s *Spec) { s.Group, s.Flags = Scripting, Write }, "write slow scripting"},
		{func(s *Spec) { s.Group, s.Categories = Generic, CatDangerous }, "keyspace slow dangerous"},
		{func(s *Spec) { s.Group, s.NotCategories = Generic, CatKeyspace }, "slow"},
		{func(s *Spec) { s.Group, s.Flags = Connection, PubSubFlag }, "pubsub slow connection"},
		{func(s *Spec) { s.Group, s.Handler, s.Subs, s.Keys, s.Syntax = Stream, nil, demo[:1], nil, "" }, "slow"},
	} {
		table, err := NewTable([]Spec{row(c.change)})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(table.Lookup([]byte("row")).Categories.Names(), " "); got != c.want {
			t.Errorf("categories %q, want %q", got, c.want)
		}
	}
}

func TestParseCategory(t *testing.T) {
	for i, name := range categoryNames {
		if cat, ok := ParseCategory(strings.ToUpper(name)); !ok || cat != 1<<i {
			t.Errorf("%s is %v, %v", name, cat, ok)
		}
	}
	if _, ok := ParseCategory("all"); ok {
		t.Error("all is no category of commands")
	}
}

func TestLookup(t *testing.T) {
	odd := []string{
		"A", "AB", "ABC", "ABCD", "ABCDEFGH", "ABCDEFGHI", "AAAA", "AAAAA", "AAAAAAAA", "AAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAA", "AAAAAAAABAAAAAAAA", "GEORADIUSBYMEMBER_RO", "EVAL_RO", "EVALSHA_RO", "RO-", "RO_", "A1",
		strings.Repeat("Z", nameMax),
	}
	var specs []Spec
	for _, name := range odd {
		specs = append(specs, row(func(s *Spec) { s.Name = name }))
	}
	table, err := NewTable(specs, demo)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range table.Commands() {
		for _, name := range []string{c.Name, c.FullName, c.Name[:1] + c.FullName[1:]} {
			if got := table.Lookup([]byte(name)); got != c {
				t.Errorf("lookup of %q finds %v", name, got)
			}
		}
		for i := range len(c.Name) {
			checkNear(t, table, c, i)
		}
	}
	for _, name := range []string{"", "B", "GETT", "GE", strings.Repeat("Z", nameMax+1), strings.Repeat("Z", 1000), "\x00", "get\x00"} {
		if c := table.Lookup([]byte(name)); c != nil {
			t.Errorf("%q finds %s", name, c.FullName)
		}
	}
}

// checkNear changes one byte of a command's name in every way: what is found
// must be what a comparison of all names finds.
func checkNear(t *testing.T, table *Table, c *Command, at int) {
	name := []byte(c.Name)
	for b := range 256 {
		name[at] = byte(b)
		var want *Command
		for _, other := range table.Commands() {
			if strings.EqualFold(other.Name, string(name)) && b < 0x80 {
				want = other
			}
		}
		if got := table.Lookup(name); got != want {
			t.Errorf("%q finds %v, want %v", name, got, want)
		}
	}
}

func TestResolveAndSub(t *testing.T) {
	table := demoTable(t)
	for name, want := range map[string]string{
		"get": "get", "GET": "get", "Object|Encoding": "object|encoding", "object": "object", "command|getkeysandflags": "command|getkeysandflags",
		"get|x": "", "object|": "", "|": "", "object|encoding|x": "", "object|nosuch": "", "": "",
		"object|" + strings.Repeat("x", 100): "",
	} {
		got := ""
		if c := table.Resolve([]byte(name)); c != nil {
			got = c.FullName
		}
		if got != want {
			t.Errorf("%q resolves to %q, want %q", name, got, want)
		}
	}
	if table.Lookup([]byte("get")).IsContainer() || !table.Lookup([]byte("command")).IsContainer() {
		t.Error("GET has no subcommands, COMMAND has")
	}
}

func TestRename(t *testing.T) {
	table := demoTable(t)
	get, object := table.Lookup([]byte("get")), table.Lookup([]byte("object"))
	long := strings.Repeat("Long", 2*nameMax/4)
	for _, r := range [][2]string{{"GET", "fetch"}, {"object", long}, {"xread", ""}} {
		if err := table.Rename(r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]*Command{
		"get": nil, "fetch": get, "FETCH": get, "object": nil, "xread": nil, long: object, strings.ToUpper(long): object, long[1:]: nil,
	} {
		if got := table.Lookup([]byte(name)); got != want {
			t.Errorf("%q finds %v", name, got)
		}
	}
	if get.FullName != "get" || object.Sub([]byte("encoding")) == nil {
		t.Error("a command of another name is not what it was")
	}
	for r, want := range map[[2]string]error{
		{"get", "x"}: errRenameUnknown, {"fetch", "Command"}: errRenameTaken, {"fetch", strings.Repeat("x", lookupMax+1)}: errRenameLong,
	} {
		if err := table.Rename(r[0], r[1]); err != want {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestEmptyTable(t *testing.T) {
	table, err := NewTable()
	if err != nil || table.Lookup([]byte("get")) != nil || len(table.Commands()) != 0 {
		t.Errorf("an empty table: %v", err)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	table := demoTable(t)
	names := toWords([]string{"get", "XREAD", "RESTORE-ASKING", "nosuch"})
	object, sub := table.Lookup([]byte("object")), []byte("EnCoding")
	if n := testing.AllocsPerRun(100, func() {
		for _, name := range names {
			table.Lookup(name)
		}
		object.Sub(sub)
		table.Resolve(names[0])
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkLookup runs on a table as large as the full one.
func BenchmarkLookup(b *testing.B) {
	specs := slices.Clone(demo)
	for i := range 220 {
		specs = append(specs, row(func(s *Spec) { s.Name = fmt.Sprintf("X%c%cCOMMAND", 'A'+i/26, 'A'+i%26) }))
	}
	table, err := NewTable(specs)
	if err != nil {
		b.Fatal(err)
	}
	for _, s := range []string{"GET", "mset", "ZUNIONSTORE", "RESTORE-ASKING", "NOSUCH"} {
		name := []byte(s)
		b.Run(s, func(b *testing.B) {
			for b.Loop() {
				table.Lookup(name)
			}
		})
	}
}
