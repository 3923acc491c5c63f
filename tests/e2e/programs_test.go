package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// programTimeout bounds each program that a test runs.
const programTimeout = 2 * time.Minute

// result is what a program did.
type result struct {
	out  string // standard output and error together
	code int
}

// runProgram runs a program with this input until it ends.
func runProgram(t *testing.T, input, name string, args ...string) result {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is not here (Debian: redis-tools): %v", name, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), programTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	testutil.Tie(cmd)
	cmd.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v\n%s", cmd, err, out.String())
	}
	if ctx.Err() != nil {
		t.Fatalf("%s did not end within %v:\n%s", cmd, programTimeout, out.String())
	}
	return result{out.String(), cmd.ProcessState.ExitCode()}
}

// redisCLI runs the genuine redis-cli against a server.
func redisCLI(t *testing.T, s *testutil.Server, input string, args ...string) result {
	t.Helper()
	return runProgram(t, input, "redis-cli", append([]string{"-p", strconv.Itoa(s.Port)}, args...)...)
}

// both starts Dozo and the oracle.
func both(t *testing.T) (dozo, redis *testutil.Server) {
	t.Helper()
	return testutil.StartDozo(t), testutil.StartRedis(t)
}
