package node_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"dozo"
	"dozo/internal/testutil"
)

// A command as COMMAND INFO describes it, each field as text.
type described map[string]string

// accepted is a field of a command that is meant to differ: Dozo follows Redis
// 7.2, while it is compared with 7.0.
type accepted struct{ command, field string }

// acceptedInfo lists those differences with their reasons. An entry that does
// not differ, of a command that both servers have, is a fault too: the list
// tells the truth.
var acceptedInfo = map[accepted]string{
	{"blmove", "flags"}:     scripts,
	{"blpop", "flags"}:      scripts,
	{"brpop", "flags"}:      scripts,
	{"brpoplpush", "flags"}: scripts,
	{"bzpopmax", "flags"}:   scripts,
	{"bzpopmin", "flags"}:   scripts,
	{"wait", "flags"}:       scripts,

	{"cluster|shards", "flags"}: "7.2 answers it while loading, so that clients learn the topology",
	{"cluster|slots", "flags"}:  "7.2 answers it while loading, so that clients learn the topology",

	{"command|getkeys", "arity"}:         "7.2 takes commands without arguments, and says that they have no keys",
	{"command|getkeysandflags", "arity"}: "7.2 takes commands without arguments, and says that they have no keys",
	{"zrank", "arity"}:                   "7.2 brought WITHSCORE",
	{"zrevrank", "arity"}:                "7.2 brought WITHSCORE",

	{"acl|deluser", "tips"}:      everywhere,
	{"acl|save", "tips"}:         everywhere,
	{"acl|setuser", "tips"}:      everywhere,
	{"client|setname", "tips"}:   everywhere,
	{"config|resetstat", "tips"}: everywhere,
	{"config|rewrite", "tips"}:   everywhere,
	{"latency|reset", "tips"}:    "its reply is a count, which 7.2 tells proxies to sum up",
	{"msetnx", "tips"}:           "7.2 no longer tells proxies to split it: its all or nothing would be lost",
	{"randomkey", "tips"}:        "7.2 tells proxies that joining replies takes thought",
	{"scan", "tips"}:             "7.2 tells proxies that joining replies takes thought",
}

const (
	scripts    = "7.2 lets scripts call blocking commands, which then do not block"
	everywhere = "7.2 tells proxies to send it to all nodes"
)

// newCommands are the commands that 7.0 does not have.
var newCommands = map[string]string{
	"client|no-touch":   "came with 7.2",
	"client|setinfo":    "came with 7.2",
	"cluster|myshardid": "came with 7.2",
	"waitaof":           "came with 7.2",
	"hexpire":           "came with 7.4",
	"hexpireat":         "came with 7.4",
	"hexpiretime":       "came with 7.4",
	"hpersist":          "came with 7.4",
	"hpexpire":          "came with 7.4",
	"hpexpireat":        "came with 7.4",
	"hpexpiretime":      "came with 7.4",
	"hpttl":             "came with 7.4",
	"httl":              "came with 7.4",
	"hgetdel":           "came with 8.0",
	"hgetex":            "came with 8.0",
	"hsetex":            "came with 8.0",
	"config|drift":      "Dozo's own",
}

func TestCommandInfoAgainstRedis(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	ours := describedBy(t, connect(t))
	theirs := describedBy(t, testutil.StartRedis(t).Conn(t, 2).Conn)
	differs := map[accepted]bool{}
	for _, name := range sortedNames(ours) {
		if theirs[name] == nil && newCommands[name] == "" {
			t.Errorf("%s: a genuine server does not have it", name)
		}
		if theirs[name] == nil {
			continue
		}
		for field, got := range ours[name] {
			want, at := theirs[name][field], accepted{name, field}
			differs[at] = got != want
			if got != want && acceptedInfo[at] == "" {
				t.Errorf("%s: %s is %s, a genuine server's %s", name, field, got, want)
			}
		}
	}
	for at := range acceptedInfo {
		if is, both := differs[at]; both && !is {
			t.Errorf("%s: %s does not differ any more: strike it from the list", at.command, at.field)
		}
	}
	t.Logf("compared %d commands", len(ours))
	logMissing(t, ours, theirs)
}

// connect starts a node and connects to it, until the end of the test.
func connect(t *testing.T) *testutil.Conn {
	srv, err := dozo.Start(dozo.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	conn, err := testutil.Dial(srv.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// TestGetKeysAgainstRedis asks both servers for the keys of random calls of
// every command.
func TestGetKeysAgainstRedis(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	const seed, callsEach = 1, 40
	rnd := rand.New(rand.NewPCG(seed, seed))
	words := []string{
		"", "a", "b", "c", "0", "1", "2", "3", "-1", "99999999999", "GET", "SET", "u8", "STORE", "KEYS", "STREAMS", "BY", "LIMIT",
	}
	ours, theirs := connect(t), testutil.StartRedis(t).Conn(t, 3).Conn
	if v, err := ours.DoErr("HELLO", "3"); err != nil || v.IsError() {
		t.Fatal(v, err)
	}
	known := describedBy(t, theirs)
	for _, name := range sortedNames(describedBy(t, ours)) {
		if known[name] == nil || acceptedInfo[accepted{name, "arity"}] != "" {
			continue
		}
		for range callsEach {
			call := append([]string{"COMMAND", "GETKEYSANDFLAGS"}, strings.Split(name, "|")...)
			for range 1 + rnd.IntN(7) {
				call = append(call, words[rnd.IntN(len(words))])
			}
			got, err1 := ours.DoErr(call...)
			want, err2 := theirs.DoErr(call...)
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if got.String() != want.String() {
				t.Errorf("%q replies %s, a genuine server %s", call, got, want)
			}
		}
	}
}

// logMissing tells what a genuine server has beyond the commands compared.
func logMissing(t *testing.T, ours, theirs map[string]described) {
	var missing []string
	for _, name := range sortedNames(theirs) {
		if ours[name] == nil {
			missing = append(missing, name)
		}
	}
	t.Logf("%d commands of a genuine server are not there: %s", len(missing), strings.Join(missing, " "))
}

func sortedNames(m map[string]described) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// describedBy asks a server for COMMAND, and flattens it.
func describedBy(t *testing.T, conn *testutil.Conn) map[string]described {
	v, err := conn.DoErr("COMMAND")
	if err != nil || v.IsError() {
		t.Fatalf("COMMAND: %v %v", v, err)
	}
	out := map[string]described{}
	var add func(list testutil.Value)
	add = func(list testutil.Value) {
		for _, e := range list.Elems {
			out[e.Elems[0].Str] = describe(e)
			add(e.Elems[9])
		}
	}
	add(v)
	return out
}

func describe(v testutil.Value) described {
	e := v.Elems
	return described{
		"arity":      e[1].Str,
		"flags":      sorted(e[2]),
		"range":      fmt.Sprintf("%s..%s/%s", e[3].Str, e[4].Str, e[5].Str),
		"categories": sorted(e[6]),
		"tips":       sorted(e[7]),
		"keys":       withoutNotes(e[8]).String(),
	}
}

func sorted(v testutil.Value) string {
	list := v.Strings()
	slices.Sort(list)
	return strings.Join(list, " ")
}

// withoutNotes drops the remarks of key specs.
func withoutNotes(v testutil.Value) testutil.Value {
	var elems []testutil.Value
	for i := 0; i < len(v.Elems); i++ {
		if v.Elems[i].Kind == '$' && v.Elems[i].Str == "notes" {
			i++
			continue
		}
		elems = append(elems, withoutNotes(v.Elems[i]))
	}
	v.Elems = elems
	return v
}
