package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"dozo/resp"
)

func TestFormat(t *testing.T) {
	bulk := func(s string) resp.Value { return resp.Value{Kind: resp.KindBulk, Str: s} }
	integer := func(s string) resp.Value { return resp.Value{Kind: resp.KindInt, Str: s} }
	array := func(e ...resp.Value) resp.Value { return resp.Value{Kind: resp.KindArray, Elems: e} }
	set := func(e ...resp.Value) resp.Value { return resp.Value{Kind: resp.KindSet, Elems: e} }
	mapping := func(e ...resp.Value) resp.Value { return resp.Value{Kind: resp.KindMap, Elems: e} }
	for _, c := range []struct {
		v                        resp.Value
		standard, raw, csv, json string
	}{
		{bulk("a\x00\""), `"a\x00\""` + "\n", "a\x00\"\n", `"a\x00\""` + "\n", "\"a\\u0000\\\"\"\n"},
		{resp.Value{Kind: resp.KindError, Str: "ERR x"}, "(error) ERR x\n", "ERR x\n\n", "ERROR,\"ERR x\"\n", "error:\"ERR x\"\n"},
		{resp.Value{Kind: resp.KindBigNumber, Str: "12"}, "12\n", "12\n", "12\n", "12\n"},
		{resp.Value{Kind: resp.KindVerbatim, Str: "a\nb"}, "a\nb\n", "a\nb\n", "\"a\\nb\"\n", "\"a\\nb\"\n"},
		{resp.Value{Kind: resp.KindNull}, "(nil)\n", "\n", "NULL\n", "null\n"},
		{resp.Value{Kind: resp.KindBool, Int: 1}, "(true)\n", "(true)\n", "true\n", "true\n"},
		{set(), "(empty set)\n", "\n", "\n", "[]\n"},
		{resp.Value{Kind: resp.KindPush}, "(empty push)\n", "\n", "\n", "[]\n"},
		{set(integer("1")), "1~ (integer) 1\n", "1\n", "1\n", "[1]\n"},
		{mapping(bulk("k"), array(integer("1"), integer("2")), integer("3"), mapping()),
			"1# \"k\" => \n   1) (integer) 1\n   2) (integer) 2\n2# (integer) 3 => (empty hash)\n",
			"k 1\n2\n3 \n", "\"k\",1,2,3,\n", "{\"k\":[1,2],\"3\":{}}\n"},
		{array(mapping(bulk("k"), array(integer("1"))), set(bulk("x"))),
			"1) 1# \"k\" => 1) (integer) 1\n2) 1~ \"x\"\n", "k 1\nx\n", "\"k\",1,\"x\"\n", "[{\"k\":[1]},[\"x\"]]\n"},
	} {
		for mode, want := range map[outputMode]string{outputStandard: c.standard, outputRaw: c.raw, outputCSV: c.csv, outputJSON: c.json} {
			o := defaultOptions()
			o.output = mode
			if got := string(o.format(nil, c.v, false)); got != want {
				t.Errorf("mode %d: %q, want %q", mode, got, want)
			}
		}
	}
	o := defaultOptions()
	o.output = outputQuotedJSON
	if got := string(o.format(nil, bulk("\xff\""), false)); got != "\"\\\\xff\\\\\"\"\n" {
		t.Errorf("%q", got)
	}
}

func TestOptions(t *testing.T) {
	parse := func(args ...string) (*options, error) {
		o := defaultOptions()
		return o, o.parse(args, &bytes.Buffer{})
	}
	o, err := parse("-h", "::1", "-p", "7", "-n", "2", "-r", "-1", "-i", "0.5", "-3", "--count", "9", "get", "-x")
	if err != nil || o.host != "::1" || o.port != 7 || o.db != 2 || o.repeat != -1 || o.interval != 500*time.Millisecond || !o.wantsResp3() || o.count != 9 || !reflect.DeepEqual(o.args, []string{"get", "-x"}) {
		t.Errorf("%+v, %v", o, err)
	}
	if _, address := o.address(); address != "[::1]:7" {
		t.Error(address)
	}
	for _, args := range [][]string{{"-p", "70000"}, {"--show-pushes", "x"}, {"--quoted-pattern", `"`}, {"-u", "rediss://x"}, {"-u", "redis://h:99999"}, {"-z"}, {"-n"}, {"-2", "-3"}} {
		if _, err := parse(args...); err == nil {
			t.Errorf("%q accepted", args)
		}
	}
	for uri, want := range map[string]options{
		"redis://":                {host: "127.0.0.1", port: 6379},
		"redis://h":               {host: "h", port: 6379},
		"REDIS://h:1/2":           {host: "h", port: 1, db: 2},
		"redis://[::1]:5/3":       {host: "::1", port: 5, db: 3},
		"redis://[::1]":           {host: "::1", port: 6379},
		"redis://u:p%2f%zz@h":     {host: "h", port: 6379, user: "u"},
		"redis:///7":              {host: "127.0.0.1", port: 6379, db: 7},
		"redis://only-password@h": {host: "h", port: 6379},
	} {
		o, err := parse("-u", uri)
		if err != nil || o.host != want.host || o.port != want.port || o.db != want.db || o.user != want.user {
			t.Errorf("%s: %+v, %v", uri, o, err)
		}
		if strings.Contains(uri, "u:p") && *o.pass != "p/%zz" {
			t.Errorf("%s: password %q", uri, *o.pass)
		}
	}
	for s, want := range map[string]int{"": 0, "12x": 12, " -3": -3, "+4": 4, "x": 0, "-": 0} {
		if got := leadingInt(s); got != want {
			t.Errorf("leadingInt(%q) = %d", s, got)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"-h"}} {
		r := runOurs("", args...)
		for _, f := range flags() {
			if shown := strings.Contains(r.out, strings.Fields(f.names)[0]+" ") || strings.Contains(r.out, strings.Fields(f.names)[0]+","); shown != (f.help != "") {
				t.Errorf("%s: shown %v", f.names, shown)
			}
		}
	}
	if r := runOurs("", "--version"); r.out != versionLine+"\n" || r.code != 0 {
		t.Error(r)
	}
}

// docs is what a server would say about a few commands.
func docs() *help {
	leaf := func(fields ...string) resp.Value {
		v := resp.Value{Kind: resp.KindMap}
		for _, f := range fields {
			v.Elems = append(v.Elems, resp.Value{Kind: resp.KindBulk, Str: f})
		}
		return v
	}
	with := func(v resp.Value, key string, elems ...resp.Value) resp.Value {
		v.Elems = append(v.Elems, resp.Value{Kind: resp.KindBulk, Str: key}, resp.Value{Kind: resp.KindArray, Elems: elems})
		return v
	}
	flagged := func(v resp.Value, names ...string) resp.Value {
		var list []resp.Value
		for _, n := range names {
			list = append(list, resp.Value{Kind: resp.KindStatus, Str: n})
		}
		return with(v, "flags", list...)
	}
	token := func(t string) resp.Value { return leaf("name", strings.ToLower(t), "type", "pure-token", "token", t) }
	key := leaf("name", "key", "type", "key", "display_text", "key")
	h := &help{}
	groups := map[string]bool{}
	h.add([]string{"GET"}, with(leaf("summary", "s", "since", "1.0.0", "group", "string"), "arguments", key), groups)
	h.add([]string{"SET"}, with(leaf("group", "string"), "arguments", key, leaf("name", "value", "type", "string"),
		flagged(with(leaf("name", "cond", "type", "oneof"), "arguments", token("NX"), token("XX")), "optional"),
		flagged(token("GET"), "optional"),
		flagged(leaf("name", "seconds", "type", "integer", "token", "EX"), "optional")), groups)
	h.add([]string{"MSET"}, with(leaf("group", "string"), "arguments",
		flagged(with(leaf("name", "pair", "type", "block"), "arguments", key, leaf("name", "value", "type", "string")), "multiple")), groups)
	h.add([]string{"SORT"}, with(leaf("group", "generic"), "arguments", key,
		flagged(leaf("name", "pattern", "type", "pattern", "token", "GET"), "optional", "multiple", "multiple_token")), groups)
	sub := leaf("container|get")
	sub.Elems = append(sub.Elems, with(leaf("summary", "x"), "arguments", leaf("name", "n", "type", "double"), leaf("name", "empty", "type", "string", "token", "")))
	h.add([]string{"CONTAINER"}, resp.Value{Kind: resp.KindMap, Elems: []resp.Value{{Kind: resp.KindBulk, Str: "subcommands"}, sub}}, groups)
	for g := range groups {
		h.groups = append(h.groups, "@"+g)
	}
	return h
}

func TestHints(t *testing.T) {
	h := docs()
	for line, want := range map[string]string{
		"get ":                    "key",
		"get":                     "?",
		"get k":                   "key",
		"get k ":                  "",
		"get k x ":                "",
		"nosuch ":                 "?",
		"get \"":                  "?",
		"SET k ":                  "value [NX|XX] [GET] [EX seconds]",
		"set k v ":                "[NX|XX] [GET] [EX seconds]",
		"set k v get ":            "[NX|XX] [EX seconds]",
		"set k v EX ":             "seconds [NX|XX] [GET]",
		"set k v EX 10 XX ":       "[GET]",
		"set k v EX x ":           "",
		"mset ":                   "key value [key value ...]",
		"mset a ":                 "value [key value ...]",
		"mset a 1 ":               "[key value ...]",
		"mset a 1 b ":             "value [key value ...]",
		"sort k ":                 "[GET pattern [GET pattern ...]]",
		"sort k get p get ":       "pattern [GET pattern ...]]",
		"container get ":          "n \"\" empty",
		"container get 1.5 ":      "\"\" empty",
		"container get .5 ":       "\"\" empty",
		"container get x ":        "",
		"container get inf \"\" ": "empty",
		"container ":              "",
	} {
		got, ok := h.hint(line)
		if !ok {
			got = "?"
		}
		if strings.TrimRight(got, " ") != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestCompletion(t *testing.T) {
	h := docs()
	for line, want := range map[string][]string{
		"s":            {"SET", "SORT"},
		"get":          nil,
		"container g":  {"CONTAINER GET"},
		"help s":       {"help SET", "help SORT"},
		"HELP  @stri":  {"HELP  @string"},
		"nothing like": nil,
	} {
		if got := h.complete(line); !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %q", line, got)
		}
	}
}

func TestSensitiveCommands(t *testing.T) {
	for line, want := range map[string]bool{
		"get k": false, "auth p": true, "ACL SETUSER u": true, "acl getuser u": false, "config set a b requirepass c": true, "config set requirepassx c": false,
		"hello 3 auth u p": true, "hello 3 setname n x": false, "migrate h 1 k 0 1 auth p y": true, "migrate h 1 k 0 1 copy keys auth": false,
	} {
		if got := isSensitive(strings.Fields(line)); got != want {
			t.Errorf("%q: %v", line, got)
		}
	}
}

func TestDotFiles(t *testing.T) {
	t.Setenv("HOME", "/home/x")
	t.Setenv("REDISCLI_HISTFILE", "")
	if got := dotFile("REDISCLI_HISTFILE", ".h"); got != "/home/x/.h" {
		t.Error(got)
	}
	t.Setenv("REDISCLI_HISTFILE", "/else")
	if got := dotFile("REDISCLI_HISTFILE", ".h"); got != "/else" {
		t.Error(got)
	}
	t.Setenv("REDISCLI_HISTFILE", os.DevNull)
	if got := dotFile("REDISCLI_HISTFILE", ".h"); got != "" {
		t.Error(got)
	}
}

func TestHintFile(t *testing.T) {
	s := pair(t)
	file := filepath.Join(t.TempDir(), "suite")
	if err := os.WriteFile(file, []byte("# comment\n\n\"get \" \"key\"\n\"SET k v EX 23 \" \"[NX|XX] [GET]\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	port := s.Addr()[strings.LastIndexByte(s.Addr(), ':')+1:]
	if r := runOurs("", "-p", port, "--test_hint_file", file); r.code != 0 || r.out != "SUCCESS: 2/2 passed\n" {
		t.Error(r)
	}
	if r := runOurs("", "-p", port, "--test_hint", "incrby "); r.out != "key increment\n" {
		t.Error(r)
	}
	if r := runOurs("help get\nhelp @hyperloglog\n", "-p", port); !strings.Contains(r.out, "\x1b[1mGET\x1b[0m \x1b[90mkey\x1b[0m\r\n") || !strings.Contains(r.out, "PFCOUNT") {
		t.Error(r)
	}
}
