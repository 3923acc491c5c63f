package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dozo/rdb"
)

// emptySnapshot is a database file without keys.
func emptySnapshot() []byte {
	var b bytes.Buffer
	b.WriteString("REDIS0011\xff")
	sum := rdb.CRC64(0, b.Bytes())
	for i := range 8 {
		b.WriteByte(byte(sum >> (8 * i)))
	}
	return b.Bytes()
}

// fakePrimary answers REPLCONF with OK and SYNC with what it is given, and closes.
func fakePrimary(t *testing.T, answer string) (port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for in := bufio.NewReader(conn); ; {
			line, err := in.ReadString('\n')
			switch {
			case err != nil:
				return
			case strings.HasPrefix(line, "REPLCONF"):
				fmt.Fprint(conn, "+OK\r\n")
			case strings.HasPrefix(line, "SYNC"):
				fmt.Fprint(conn, answer)
				return
			}
		}
	}()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// TestSaveSnapshot: a file is replaced by a whole and sound snapshot or stays as it was.
func TestSaveSnapshot(t *testing.T) {
	sound := string(emptySnapshot())
	mark := strings.Repeat("0123456789", 4)
	bulk := func(n int, s string) string { return fmt.Sprintf("$%d\r\n%s", n, s) }
	for name, c := range map[string]struct{ answer, says string }{
		"length":            {"\n\n" + bulk(len(sound), sound), ""},
		"mark":              {"$EOF:" + mark + "\r\n" + sound + mark, ""},
		"newer":             {bulk(9, "REDIS0099"), ""},
		"cut in length":     {bulk(len(sound), sound[:12]), "Server closed the connection"},
		"cut before mark":   {"$EOF:" + mark + "\r\n" + sound + mark[:39], "Server closed the connection"},
		"nothing":           {"", "Error reading bulk length while SYNCing: Server closed the connection"},
		"damaged":           {bulk(len(sound), strings.Replace(sound, "0011", "0010", 1)), "checksum"},
		"more than it says": {bulk(len(sound)+1, sound+"x"), "behind the end"},
		"less than it says": {bulk(11, sound[:11]), "ends in the middle"},
		"no snapshot":       {bulk(5, "hello"), "ends in the middle"},
		"no such command":   {"-ERR unknown command 'SYNC'\r\n", "dozo import --scan"},
		"refused":           {"-NOMASTERLINK no\r\n", "SYNC with master failed: -NOMASTERLINK no"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "dump.rdb")
			if err := os.WriteFile(file, []byte("before"), 0o600); err != nil {
				t.Fatal(err)
			}
			r := runOurs("", "-p", fakePrimary(t, c.answer), "--rdb", file)
			got, _ := os.ReadFile(file)
			if c.says == "" && (r.code != 0 || !strings.HasPrefix(string(got), "REDIS")) {
				t.Errorf("%+v, the file has %q", r, got)
			}
			if c.says != "" && (r.code != 1 || !strings.Contains(r.err, c.says) || string(got) != "before") {
				t.Errorf("%+v should say %q, the file has %q", r, c.says, got)
			}
			if left, _ := os.ReadDir(dir); len(left) != 1 {
				t.Errorf("there are %v", left)
			}
		})
	}
}

// TestSaveSnapshotThroughLink: a link is followed, and a device is written to as it is.
func TestSaveSnapshotThroughLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	_ = os.WriteFile(file, nil, 0o600)
	_ = os.Symlink(file, link)
	sound := string(emptySnapshot())
	answer := fmt.Sprintf("$%d\r\n%s", len(sound), sound)
	if r := runOurs("", "-p", fakePrimary(t, answer), "--rdb", link); r.code != 0 {
		t.Error(r)
	}
	if got, _ := os.ReadFile(file); string(got) != sound {
		t.Errorf("behind the link is %q", got)
	}
	if r := runOurs("", "-p", fakePrimary(t, answer), "--rdb", os.DevNull); r.code != 0 {
		t.Error(r)
	}
	if r := runOurs("", "--rdb", "a", "--functions-rdb", "b"); r.code != 1 || !strings.Contains(r.err, "mutually exclusive") {
		t.Error(r)
	}
}
