package lint

import (
	"go/ast"
	"slices"
	"testing"
)

// The hard limits; see CONTRIBUTING.md. Test functions have no limit of their
// own (tables of cases are long and plain), test files have the files' limit.
const (
	functionLinesMax = 70
	fileLinesMax     = 1000
)

// The distribution that the whole repository keeps, so that it cannot drift to
// the limits: half of the functions, and nine of ten, are no longer than this.
const (
	functionLinesMedian = 12
	functionLinesP90    = 40
	fileLinesP90        = 600
)

type measured struct {
	name  string
	lines int
}

func TestFunctionLength(t *testing.T) {
	var all []measured
	for _, s := range sources(t) {
		if !s.test && !s.generated() {
			all = append(all, functions(s)...)
		}
	}
	checkLimit(t, all, functionLinesMax, longFunctions)
	checkQuantile(t, "function", all, 50, functionLinesMedian)
	checkQuantile(t, "function", all, 90, functionLinesP90)
}

func TestFileLength(t *testing.T) {
	var all, code []measured
	for _, s := range sources(t) {
		if s.generated() {
			continue
		}
		m := measured{s.path, s.lines()}
		all = append(all, m)
		if !s.test {
			code = append(code, m)
		}
	}
	checkLimit(t, all, fileLinesMax, longFiles)
	checkQuantile(t, "file", code, 90, fileLinesP90)
}

func functions(s *source) []measured {
	var out []measured
	for _, d := range s.ast.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			out = append(out, measured{
				name:  s.path + ":" + receiver(f) + f.Name.Name,
				lines: s.line(f.End()) - s.line(f.Pos()) + 1,
			})
		}
	}
	return out
}

// receiver is "Type." for a method and "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	e := f.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name + "."
		default:
			return ""
		}
	}
}

func checkLimit(t *testing.T, all []measured, limit int, exempt []exemption) {
	t.Helper()
	allowed := map[string]exemption{}
	for _, e := range exempt {
		allowed[e.name] = e
		if e.reason == "" {
			t.Errorf("the exemption of %s gives no reason", e.name)
		}
	}
	for _, m := range all {
		e, listed := allowed[m.name]
		delete(allowed, m.name)
		switch {
		case !listed && m.lines > limit:
			t.Errorf("%s has %d lines, the limit is %d: split it", m.name, m.lines, limit)
		case listed && m.lines > e.lines:
			t.Errorf("%s has %d lines, its exemption is for %d: the list may only shrink", m.name, m.lines, e.lines)
		case listed && m.lines <= limit:
			t.Errorf("%s has %d lines now: remove its exemption", m.name, m.lines)
		case listed && m.lines < e.lines:
			t.Errorf("%s has %d lines now: lower its exemption from %d", m.name, m.lines, e.lines)
		}
	}
	for name := range allowed {
		t.Errorf("%s is exempt but not there any more: remove its exemption", name)
	}
}

func checkQuantile(t *testing.T, what string, all []measured, percent, limit int) {
	t.Helper()
	if len(all) == 0 {
		t.Fatalf("no %s found: the search is broken", what)
	}
	slices.SortFunc(all, func(a, b measured) int { return a.lines - b.lines })
	got := all[min(len(all)*percent/100, len(all)-1)].lines
	t.Logf("%s length: %d%% are at most %d lines (limit %d)", what, percent, got, limit)
	if got > limit {
		t.Errorf("%d%% of all %ss should be at most %d lines long, but it is %d", percent, what, limit, got)
	}
}
