package lint

import (
	"bytes"
	"go/format"
	"os"
	"os/exec"
	"testing"

	"dozo/internal/testutil"
)

func TestGofmt(t *testing.T) {
	for _, s := range sources(t) {
		if want, err := format.Source(s.text); err != nil || !bytes.Equal(want, s.text) {
			t.Errorf("%s is not as gofmt writes it (%v): run gofmt -w %s", s.path, err, s.path)
		}
	}
}

func TestVet(t *testing.T) {
	run(t, nil, "go", "vet", "./...")
	run(t, nil, "go", "vet", "-tags", "invariants", "./...")
}

func TestStaticcheck(t *testing.T) {
	run(t, nil, "go", "tool", "staticcheck", "./...")
}

// TestOtherPlatforms builds, without running, for the systems that the portable
// transport exists for, and on one of them checks the tests of the packages that
// are near the system, too.
func TestOtherPlatforms(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the standard library twice on a fresh machine")
	}
	for _, platform := range [][]string{
		{"GOOS=linux", "GOARCH=arm64"},
		{"GOOS=darwin", "GOARCH=arm64"},
	} {
		run(t, append(platform, "CGO_ENABLED=0"), "go", "build", "-o", os.DevNull, "./cmd/dozo")
	}
	run(t, []string{"GOOS=darwin", "GOARCH=arm64", "CGO_ENABLED=0"}, "go", "vet",
		"./arena", "./env", "./eventloop", "./internal/testutil", "./keyspace", "./server", "./node", "./cmd/dozo")
}

func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = testutil.Root()
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v %s: %v\n%s", env, cmd, err, out)
	}
}
