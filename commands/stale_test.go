package commands

import (
	"fmt"
	"strings"
	"testing"
)

// TestDeadTargets: a target whose time is over is removed when it is looked at, which
// may move what the source's cell points at.
func TestDeadTargets(t *testing.T) {
	const keys = 3000
	for _, c := range []struct{ make, move, left string }{
		{"SADD s:%d a b member", "SMOVE s:%d t:%d member", "SCARD s:%d"},
		{"RPUSH s:%d a b member", "LMOVE s:%d t:%d RIGHT LEFT", "LLEN s:%d"},
	} {
		h := newHarness(t)
		run := func(format string, i int) string {
			line := strings.ReplaceAll(format, "%d", fmt.Sprint(i))
			var args [][]byte
			for word := range strings.FieldsSeq(line) {
				args = append(args, []byte(word))
			}
			return string(h.do(args))
		}
		for i := range keys {
			run(c.make, i)
			run("SET t:%d old", i)
			run("PEXPIRE t:%d 10", i)
		}
		h.ctx.Now += 100
		for i := range keys {
			if got := run(c.move, i); strings.HasPrefix(got, "-") {
				t.Fatalf("%s: %q", c.move, got)
			}
		}
		for i := range keys {
			if got := run(c.left, i); got != ":2\r\n" {
				t.Fatalf("%s after %s: %q", c.left, c.move, got)
			}
		}
	}
}
