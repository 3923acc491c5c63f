package e2e

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// TestReplicationTools: what programs get from a running server by playing its replica: a
// snapshot in a file, one of its functions only, all data and what is written behind it.
func TestReplicationTools(t *testing.T) {
	t.Parallel()
	src := peer(t, false)
	everyType(t, src)
	port := strconv.Itoa(src.Port)
	for _, o := range []struct {
		flag string
		keys bool
	}{{"--rdb", true}, {"--functions-rdb", false}} {
		file := filepath.Join(src.Dir, "got"+o.flag+".rdb")
		if r := runProgram(t, "", dozoBinary(t), "cli", "-p", port, o.flag, file); r.code != 0 {
			t.Fatal(r)
		}
		to := testutil.StartDozo(t)
		if r := runImport(t, to, "--from", file); r.code != 0 {
			t.Error(r)
		}
		if o.keys {
			sameDigest(t, o.flag, src, to)
		} else if n := to.Conn(t, 2).Do("DBSIZE").Int(); n != 0 {
			t.Errorf("%s brings %d keys", o.flag, n)
		}
	}
	to := testutil.StartDozo(t)
	if r := runImport(t, to, "--from", addr(src)); r.code != 0 {
		t.Error(r)
	}
	sameDigest(t, "import", src, to)
	listens(t, src)
	until(t, "the end of all replicas", func() bool { return info(t, src, "connected_slaves") == "0" }, src)
}

// listens has the cli print what is written.
func listens(t *testing.T, src *testutil.Server) {
	t.Helper()
	cmd := exec.Command(dozoBinary(t), "cli", "-p", strconv.Itoa(src.Port), "--replica")
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	until(t, "a replica", func() bool { return strings.Contains(info(t, src, "slave0"), "online") }, src)
	ask(t, src, "SET", "said", "aloud")
	var text []byte
	for buf := make([]byte, 1024); !strings.Contains(string(text), `"aloud"`); {
		n, err := out.Read(buf)
		if text = append(text, buf[:n]...); err != nil {
			t.Fatalf("%v after %q", err, text)
		}
	}
}
