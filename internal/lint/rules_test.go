package lint

import (
	"go/ast"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// worldFolders may touch clocks, files and the network; all other code gets them
// through env.Env, so that tests and the simulator can hold the other end.
var worldFolders = []string{"env", "eventloop", "cmd", "cli", "importer", "client", "tests", "internal"}

// bannedImports are packages whose mere use is an outside influence.
var bannedImports = []string{"math/rand", "math/rand/v2", "crypto/rand", "os", "os/exec", "os/signal", "net/http", "syscall"}

// bannedTime are the functions of package time that read or wait for the clock;
// durations and formatting are free.
var bannedTime = []string{"Now", "Sleep", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}

// bannedNet are the functions of package net that reach out; addresses as values
// are free.
var bannedNet = []string{"Dial", "DialTimeout", "DialTCP", "DialUnix", "Dialer", "Listen", "ListenConfig", "ListenPacket", "ListenTCP", "ListenUnix", "Interfaces", "InterfaceAddrs", "LookupHost", "LookupIP", "LookupAddr", "ResolveTCPAddr", "DefaultResolver"}

// bannedExempt are single files with a reason to touch the world all the same.
var bannedExempt = map[string]string{
	"dozo.go":        "the outermost layer: it chooses the real world, as cmd does",
	"node/listen.go": "tells the system's answers to listening apart by their codes",
}

func TestBannedCalls(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || slices.Contains(worldFolders, s.folder) || bannedExempt[s.path] != "" {
			continue
		}
		for _, spec := range s.ast.Imports {
			if path := strings.Trim(spec.Path.Value, `"`); slices.Contains(bannedImports, path) {
				t.Errorf("%s:%d imports %q: what differs from run to run comes through env", s.path, s.line(spec.Pos()), path)
			}
		}
		ast.Inspect(s.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok && (isCall(sel, "time", bannedTime) || isCall(sel, "net", bannedNet)) {
				t.Errorf("%s:%d uses %s.%s: ask env", s.path, s.line(sel.Pos()), sel.X, sel.Sel.Name)
			}
			return true
		})
	}
}

func isCall(sel *ast.SelectorExpr, pkg string, names []string) bool {
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == pkg && slices.Contains(names, sel.Sel.Name)
}

// unfinished matches the marks of work left undone, which belongs in an issue.
var unfinished = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X"}, "|") + `)\b`)

func TestNothingUnfinished(t *testing.T) {
	for _, s := range sources(t) {
		for _, group := range s.ast.Comments {
			if m := unfinished.FindString(group.Text()); m != "" {
				t.Errorf("%s:%d has a %s: finish it or write an issue", s.path, s.line(group.Pos()), m)
			}
		}
	}
}

// conflict matches what git leaves in a file for a person to decide. A test of stories would
// take it for the end of one.
var conflict = regexp.MustCompile(`(?m)^(<<<<<<<|>>>>>>>) `)

func TestNoUnfinishedMerges(t *testing.T) {
	root, read := testutil.Root(), 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() != "testdata":
			return skipDir(root, path, d.Name())
		case d.IsDir() || !slices.Contains([]string{".go", ".md", ".txt"}, filepath.Ext(path)):
			return nil
		}
		text, err := os.ReadFile(path)
		if at := conflict.FindIndex(text); at != nil {
			t.Errorf("%s:%d has the mark of a merge that was not decided", path, 1+strings.Count(string(text[:at[0]]), "\n"))
		}
		read++
		return err
	})
	if err != nil || read < 100 {
		t.Errorf("%d files were read: %v", read, err)
	}
}

func TestASCII(t *testing.T) {
	for _, s := range sources(t) {
		for i, line := range strings.Split(string(s.text), "\n") {
			if strings.IndexFunc(line, func(r rune) bool { return r > 126 || (r < ' ' && r != '\t') }) >= 0 {
				t.Errorf("%s:%d is not plain ASCII: %q", s.path, i+1, line)
			}
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s:%d has an init function: several servers run in one process, nothing is set up behind their backs", s.path, s.line(f.Pos()))
			}
		}
	}
}

func TestPackageDoc(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		dir := s.path[:strings.LastIndexByte("/"+s.path, '/')]
		documented[dir] = documented[dir] || (s.ast.Doc != nil && len(s.ast.Doc.Text()) >= 60)
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("package in ./%s has no package comment (what it is, units, errors, invariants)", dir)
		}
	}
}

func TestExportedNamesDocumented(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || s.generated() {
			continue
		}
		for _, d := range s.ast.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s:%d: exported %s has no comment", s.path, s.line(name.Pos()), name.Name)
			}
		}
	}
}

func undocumented(d ast.Decl) []*ast.Ident {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && !plainMethod(d) {
			return []*ast.Ident{d.Name}
		}
	case *ast.GenDecl:
		return undocumentedSpecs(d)
	}
	return nil
}

// plainMethod is true for methods that need no words: those of unexported types,
// and the two that say the same everywhere.
func plainMethod(f *ast.FuncDecl) bool {
	r := receiver(f)
	return r != "" && (!ast.IsExported(r) || f.Name.Name == "String" || f.Name.Name == "Error")
}

func undocumentedSpecs(d *ast.GenDecl) []*ast.Ident {
	if d.Tok == token.IMPORT || (d.Doc != nil && d.Tok != token.TYPE) {
		return nil // one comment may stand for a group of constants or variables
	}
	var out []*ast.Ident
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() && spec.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
				out = append(out, spec.Name)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				if name.IsExported() && spec.Doc == nil && spec.Comment == nil {
					out = append(out, name)
				}
			}
		}
	}
	return out
}
