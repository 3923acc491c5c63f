package command

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dozo/arena"
	"dozo/env"
	"dozo/internal/invariants"
	"dozo/keyspace"
)

// keysOf renders the keys of a call, with a mark if the arguments make no sense.
func keysOf(cmd *Command, line string) string {
	refs, ok := cmd.KeysOf(nil, toWords(strings.Fields(line)))
	var parts []string
	for _, r := range refs {
		parts = append(parts, fmt.Sprintf("%d:%s", r.Index, strings.Join(r.Flags.Names(), "+")))
	}
	if !ok {
		parts = append(parts, "!")
	}
	return strings.Join(parts, " ")
}

// TestKeysOf has what COMMAND GETKEYSANDFLAGS cannot show (see
// testdata/introspection.txt for the rest): what is found in calls that make no
// sense, and keys that are none.
func TestKeysOf(t *testing.T) {
	table := demoTable(t)
	for _, c := range []struct{ line, want string }{
		{"GET a", "1:RO+access"},
		{"SET a b", "1:OW+update"},
		{"SET a b EX 1 get", "1:RW+access+update"},
		{"MSET a 1 b 2", "1:OW+update 3:OW+update"},
		{"MSET a 1 b", "1:OW+update 3:OW+update"},
		{"LCS a b LEN", "1:RO+access 2:RO+access"},
		{"EVAL s 1 a", "3:RW+access+update"},
		{"EVAL s 2 a b c", "3:RW+access+update 4:RW+access+update"},
		{"EVAL s 0", "!"},
		{"EVAL s 0 a", "!"},
		{"EVAL s -1 a", "!"},
		{"EVAL s 2 a", "!"},
		{"EVAL s x a", "!"},
		{"EVAL s 1.0 a", "!"},
		{"EVAL s 9223372036854775807 a", "!"},
		{"EVAL s 9223372036854775808 a", "!"},
		{"EVAL s -9223372036854775808 a", "!"},
		{"EVAL s 4294967297 a", "!"},
		{"ZUNIONSTORE d 1 a", "1:OW+update 3:RO+access"},
		{"ZUNIONSTORE d 2 a b WEIGHTS 1 2", "1:OW+update 3:RO+access 4:RO+access"},
		{"ZUNIONSTORE d 2 a", "1:OW+update !"},
		{"ZUNIONSTORE d 0 a", "1:OW+update !"},
		{"XREAD STREAMS a 0", "2:RO+access"},
		{"XREAD COUNT 1 streams a b 0 0", "4:RO+access 5:RO+access"},
		{"XREAD STREAMS a b 0", "2:RO+access"},
		{"XREAD STREAMS streams streams", "2:RO+access"},
		{"XREAD STREAMS a", "!"},
		{"XREAD COUNT 1 BLOCK", ""},
		{"XREAD COUNT 1 STREAMS", ""},
		{"BITOP AND d a", "2:OW+update 3:RO+access"},
		{"BITOP AND d a b", "2:OW+update 3:RO+access 4:RO+access"},
		{"BITOP AND d", "2:OW+update !"},
		{"SPUBLISH c m", "1:not_key"},
		{"SORT a BY w_* GET # STORE d", "1:RO+access 7:OW+update"},
	} {
		cmd := table.Lookup([]byte(strings.Fields(c.line)[0]))
		if got := keysOf(cmd, c.line); got != c.want {
			t.Errorf("%s has keys %q, want %q", c.line, got, c.want)
		}
	}
}

func TestKeywordSearch(t *testing.T) {
	forward, backward := After("KEYS", 2, -1, 1, 0, RO), After("KEYS", -2, -1, 1, 0, RO)
	for _, c := range []struct {
		k    KeySpec
		line string
		want int
	}{
		{forward, "c KEYS KEYS a", 3},
		{forward, "c a b", 0},
		{forward, "c a KEYS", 0},
		{forward, "c a keys KEYS b", 3},
		{forward, "c", 0},
		{backward, "c x KEYS a b", 3},
		{backward, "c x KEYS a KEYS", 3},
		{backward, "c KEYS a", 0},
		{backward, "c x KEYS KEYS a", 4},
		{backward, "c", 0},
	} {
		if got := c.k.begin(toWords(strings.Fields(c.line))); got != c.want {
			t.Errorf("keys of %q begin at %d, want %d", c.line, got, c.want)
		}
	}
}

func TestLockSet(t *testing.T) {
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ks := keyspace.New(keyspace.Options{
		Arena: a, Loops: 2, Databases: 1, Seed: 7, NewRand: func() env.Rand { return env.Seeded(1) },
	})
	defer func() {
		ks.Close()
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	}()
	table := demoTable(t)
	var refs []KeyRef
	for _, c := range []struct {
		line string
		keys string
	}{
		{"ZUNIONSTORE d 2 a b", "d a b"},
		{"ZUNIONSTORE d 9 a b", "d"},
		{"EVAL s 0", ""},
		{"SPUBLISH channel m", ""},
		{"MSET a 1 b 2 c 3", "a b c"},
	} {
		var got, want keyspace.LockSet
		words := toWords(strings.Fields(c.line))
		refs = table.Lookup(words[0]).LockSet(&got, ks, words, refs)
		for _, key := range strings.Fields(c.keys) {
			ks.Add(&want, ks.Hash([]byte(key)))
		}
		if got != want {
			t.Errorf("%s does not lock the shards of %q", c.line, c.keys)
		}
	}
}

func TestKeysOfDoesNotAllocate(t *testing.T) {
	if invariants.Enabled {
		t.Skip("checks of the build allocate")
	}
	table := demoTable(t)
	refs := make([]KeyRef, 0, 16)
	for _, line := range []string{"SET a b GET", "MSET a 1 b 2", "ZUNIONSTORE d 2 a b", "XREAD COUNT 1 STREAMS a b 0 0", "SORT a STORE b"} {
		words := toWords(strings.Fields(line))
		cmd := table.Lookup(words[0])
		if n := testing.AllocsPerRun(100, func() { refs, _ = cmd.KeysOf(refs[:0], words) }); n > 0 {
			t.Errorf("%s: %v allocations", line, n)
		}
	}
}

// FuzzKeysOf calls every declaration with any arguments that its arity lets
// through.
func FuzzKeysOf(f *testing.F) {
	table := demoTable(f)
	for _, line := range []string{"1 2 a b", "x 9223372036854775807 a", "STREAMS a 0", "a b KEYS c d", "h 1 a 0 5 KEYS"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := toWords(append([]string{"c"}, strings.Split(line, " ")...))
		for _, cmd := range table.ByID() {
			if !cmd.Accepts(len(words)) {
				continue
			}
			refs, _ := cmd.KeysOf(nil, words)
			for _, r := range refs {
				if r.Index < 1 || r.Index >= len(words) {
					t.Errorf("%s %q: key at %d", cmd.FullName, line, r.Index)
				}
			}
			if cmd.OneKey != 0 && !slices.ContainsFunc(refs, func(r KeyRef) bool { return r.Index == cmd.OneKey }) {
				t.Errorf("%s %q: the only key is not found", cmd.FullName, line)
			}
		}
	})
}

func BenchmarkKeysOf(b *testing.B) {
	table := demoTable(b)
	refs := make([]KeyRef, 0, 16)
	for _, line := range []string{"GET a", "MSET a 1 b 2", "ZUNIONSTORE d 2 a b"} {
		words := toWords(strings.Fields(line))
		cmd := table.Lookup(words[0])
		b.Run(string(words[0]), func(b *testing.B) {
			for b.Loop() {
				refs, _ = cmd.KeysOf(refs[:0], words)
			}
		})
	}
}

func TestRunsAlone(t *testing.T) {
	some := func(args [][]byte) bool { return len(args) > 1 }
	for _, c := range []struct {
		spec  Spec
		words int
		want  bool
	}{{Spec{}, 2, false}, {Spec{Flags: Exclusive}, 1, true}, {Spec{Alone: some}, 1, false}, {Spec{Alone: some}, 2, true}} {
		cmd := Command{Spec: &c.spec, Flags: c.spec.Flags}
		if got := cmd.RunsAlone(make([][]byte, c.words)); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}
