package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// A layer is one row of the architecture: a top folder ("." is the root package,
// "container" stands for all its sub-packages) and the other folders that it may
// import. Rows are in order: a row imports only from rows above it. Packages of
// one folder may import each other, and all may import internal/invariants.
type layer struct {
	folder  string
	imports string   // names separated by spaces; "*" is every row above
	modules []string // other modules, by path prefix
}

const sys = "golang.org/x/sys"

var importTable = []layer{
	// Foundations: know nothing of Redis.
	{folder: "env"},
	{folder: "internal", imports: "env", modules: []string{sys}},
	{folder: "logger", imports: "env"},
	{folder: "text"},
	{folder: "resp", imports: "text"},
	{folder: "config", imports: "env text"},
	{folder: "arena", modules: []string{sys}},
	{folder: "container", imports: "arena text"},
	{folder: "eventloop", imports: "env", modules: []string{sys}},
	{folder: "grouptime"},
	// Data.
	{folder: "object", imports: "arena container text"},
	{folder: "keyspace", imports: "object container arena env", modules: []string{"github.com/zeebo/xxh3"}},
	// Commands.
	{folder: "rdb", imports: "object container env text"},
	{folder: "command", imports: "resp object keyspace env text"},
	{folder: "commands", imports: "command object container keyspace resp text rdb arena"},
	{folder: "acl", imports: "command"},
	{folder: "pubsub", imports: "text"},
	{folder: "scripting", imports: "command resp", modules: []string{"github.com/yuin/gopher-lua"}},
	// Durability and replication.
	{folder: "oplog", imports: "arena env"},
	{folder: "snapshot", imports: "keyspace object container arena rdb oplog env text"},
	{folder: "aof", imports: "oplog env logger text"},
	{folder: "client", imports: "resp env"},
	{folder: "rescue", imports: "aof oplog env resp"},
	{folder: "replication", imports: "client command oplog rdb snapshot resp env text"},
	{folder: "lease", imports: "client env"},
	// Processes.
	{folder: "server", imports: "eventloop resp command acl pubsub config env text logger arena keyspace object container oplog rdb replication grouptime", modules: []string{
		sys, "github.com/HdrHistogram/hdrhistogram-go",
	}},
	{folder: "persist", imports: "server snapshot oplog aof rescue replication grouptime rdb command keyspace config env logger resp text"},
	{folder: "follower", imports: "server persist replication client rescue oplog command keyspace config env logger text"},
	{folder: "status"},
	{folder: "node", imports: "*"},
	{folder: "sentinel", imports: "server command client lease config env"},
	// Around it.
	{folder: "importer", imports: "client resp rdb aof snapshot object arena env text"},
	{folder: "cli", imports: "importer client resp rdb aof command env text rescue", modules: []string{"github.com/peterh/liner"}},
	{folder: "bench", imports: "client resp rdb aof command env", modules: []string{"github.com/HdrHistogram/hdrhistogram-go"}},
	{folder: "check", imports: "client resp rdb aof command env arena object"},
	{folder: "drill", imports: "client env"},
	{folder: ".", imports: "node config env eventloop"},
	{folder: "sim", imports: "env resp command replication lease sentinel"},
	{folder: "tests", imports: "*", modules: []string{
		"github.com/redis/go-redis/v9", "github.com/creack/pty",
	}},
	{folder: "cmd", imports: "*"},
}

// notForNode: a data node never contains a sentinel.
const notForNode = "sentinel"

func TestImportTableIsInOrder(t *testing.T) {
	var above []string
	for _, row := range importTable {
		for _, name := range strings.Fields(row.imports) {
			if name != "*" && !slices.Contains(above, name) {
				t.Errorf("%s may import %s, which is not above it", row.folder, name)
			}
		}
		above = append(above, row.folder)
	}
}

func TestImports(t *testing.T) {
	for _, f := range sources(t) {
		if f.test {
			continue // tests may look at the layers above: Go itself forbids cycles
		}
		row := rowOf(f.folder)
		if row < 0 {
			t.Errorf("%s: the folder %q has no row in the import table: say where it stands", f.path, f.folder)
			continue
		}
		for _, spec := range f.ast.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			if err := importAllowed(row, path); err != nil {
				t.Errorf("%s imports %q: %v", f.path, path, err)
			}
		}
	}
}

func rowOf(folder string) int {
	return slices.IndexFunc(importTable, func(l layer) bool { return l.folder == folder })
}

func importAllowed(row int, path string) error {
	l := importTable[row]
	target, ours := ourFolder(path)
	switch {
	case path == module+"/internal/invariants":
		return nil
	case ours && target == "internal" && l.folder != "tests" && l.folder != "internal":
		return fmt.Errorf("internal/testutil, internal/faultfs and internal/lint are for tests")
	case ours && (target == l.folder || l.mayImport(row, target)):
		return nil
	case ours:
		return fmt.Errorf("the import table allows %s only: %q", l.folder, l.imports)
	case !strings.Contains(strings.SplitN(path, "/", 2)[0], "."):
		return nil // the standard library
	case slices.ContainsFunc(l.modules, func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }):
		return nil
	}
	return fmt.Errorf("the import table allows %s these modules: %q", l.folder, l.modules)
}

func (l layer) mayImport(row int, target string) bool {
	if l.imports != "*" {
		return slices.Contains(strings.Fields(l.imports), target)
	}
	at := rowOf(target)
	return at >= 0 && at < row && !(l.folder == "node" && target == notForNode)
}

// ourFolder is the top folder of an import path of this module.
func ourFolder(path string) (folder string, ours bool) {
	if path == module {
		return ".", true
	}
	rest, ok := strings.CutPrefix(path, module+"/")
	folder, _, _ = strings.Cut(rest, "/")
	return folder, ok
}

func TestImportRules(t *testing.T) {
	for _, c := range []struct {
		folder, path string
		allowed      bool
	}{
		{"arena", module + "/internal/invariants", true},
		{"arena", module + "/internal/testutil", false},
		{"env", module + "/internal/faultfs", false},
		{"arena", module + "/container/btree", false},
		{"arena", sys + "/unix", true},
		{"keyspace", module + "/container/hashtable", true},
		{"keyspace", module + "/command", false},
		{"keyspace", "github.com/anything/else", false},
		{"resp", "bufio", true},
		{"node", module + "/server", true},
		{"node", module + "/sentinel", false},
		{"tests", module, true},
		{"cmd", module + "/sentinel", true},
	} {
		if err := importAllowed(rowOf(c.folder), c.path); (err == nil) != c.allowed {
			t.Errorf("%s importing %s: %v, want allowed=%v", c.folder, c.path, err, c.allowed)
		}
	}
}
