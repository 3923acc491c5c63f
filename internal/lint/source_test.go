package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"dozo/internal/testutil"
)

// module is the module path of go.mod.
const module = "dozo"

// source is one Go file of the repository.
type source struct {
	path   string // relative to the root, with slashes
	folder string // the top folder, "." for the root package
	test   bool
	text   []byte
	ast    *ast.File
	fset   *token.FileSet
}

// generated says whether the file carries the standard mark of generated code.
func (s *source) generated() bool { return ast.IsGenerated(s.ast) }

func (s *source) lines() int { return strings.Count(string(s.text), "\n") }

func (s *source) line(p token.Pos) int { return s.fset.Position(p).Line }

var loadSources = sync.OnceValues(func() ([]*source, error) {
	var all []*source
	root := testutil.Root()
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return skipDir(root, path, d.Name())
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		s, err := load(fset, root, path)
		all = append(all, s)
		return err
	})
	return all, err
})

// skipDir leaves out what git does not hold and what the go tool ignores.
func skipDir(root, path, name string) error {
	if path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") ||
		name == "testdata" || name == "bin" || name == "tmp") {
		return fs.SkipDir
	}
	return nil
}

func load(fset *token.FileSet, root, path string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	tree, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	folder, _, nested := strings.Cut(rel, "/")
	if !nested {
		folder = "."
	}
	return &source{
		path: rel, folder: folder, test: strings.HasSuffix(rel, "_test.go"),
		text: text, ast: tree, fset: fset,
	}, nil
}

// sources are all Go files of the repository.
func sources(t *testing.T) []*source {
	t.Helper()
	all, err := loadSources()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("only %d Go files found: the search is broken", len(all))
	}
	return all
}
