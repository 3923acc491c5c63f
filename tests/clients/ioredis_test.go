package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// theEnd is the last line of a script that went through.
const theEnd = "== the end\n"

// TestIORedis runs the scenarios written in JavaScript against both servers.
func TestIORedis(t *testing.T) {
	node := needIORedis(t)
	want := runScript(t, node, testutil.StartRedis(t))
	t.Logf("redis-server:\n%s", want)
	compare(t, want, runScript(t, node, testutil.StartDozo(t)), "Dozo")
}

// needIORedis finds the program, and fails when it or the library is not here.
func needIORedis(t *testing.T) (node string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("node is not here (Debian: nodejs and npm): run `make peers` as root: %v", err)
	}
	if _, err := os.Stat(filepath.Join("ioredis", "node_modules", "ioredis", "package.json")); err != nil {
		t.Fatalf("ioredis is not here: run `make peers`, or `npm ci` in tests/clients/ioredis: %v", err)
	}
	return node
}

func runScript(t *testing.T, node string, s *testutil.Server) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "scenarios.js", strconv.Itoa(s.Port))
	cmd.Dir = "ioredis"
	testutil.Tie(cmd)
	var out, fault bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &fault
	if err := cmd.Run(); err != nil || !strings.HasSuffix(out.String(), theEnd) {
		told := strings.SplitAfter(out.String(), "\n")
		t.Fatalf("against %s the script ended early (%v, %v):\n%s%s", s.Name, err, ctx.Err(),
			strings.Join(told[max(0, len(told)-5):], ""), fault.String())
	}
	return out.String()
}
