package e2e

import (
	"bufio"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// realRoot is the tree whose paths, sizes and times are the data set. On Debian
// it holds some 100,000 files, three keys each.
const realRoot = "/usr"

// fileFacts are the keys that one file gives.
type fileFacts struct {
	path string
	size int64
	time int64
}

func (f fileFacts) pairs() [][2]string {
	return [][2]string{
		{"path:" + f.path, filepath.Dir(f.path)},
		{"size:" + f.path, strconv.FormatInt(f.size, 10)},
		{"time:" + f.path, strconv.FormatInt(f.time, 10)},
	}
}

func readTree(t *testing.T) []fileFacts {
	t.Helper()
	var all []fileFacts
	err := filepath.WalkDir(realRoot, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // unreadable or not a file: not part of the data
		}
		if info, err := d.Info(); err == nil {
			all = append(all, fileFacts{path, info.Size(), info.ModTime().Unix()})
		}
		return nil
	})
	if err != nil || len(all) < 1000 {
		t.Fatalf("%s has only %d files, %v", realRoot, len(all), err)
	}
	return all
}

// loadFile writes the commands that build the data set: strings for every fact,
// a deadline for every tenth, counters, a bitmap and a HyperLogLog over all.
func loadFile(t *testing.T, files []fileFacts) (name string, commands int) {
	t.Helper()
	name = filepath.Join(t.TempDir(), "load.resp")
	out, err := os.Create(name)
	must(t, err)
	w := bufio.NewWriterSize(out, 1<<20)
	add := func(args ...string) {
		commands++
		_, err := w.Write(testutil.AppendCommand(nil, args...))
		must(t, err)
	}
	for i, f := range files {
		for _, p := range f.pairs() {
			add("SET", p[0], p[1])
		}
		if i%10 == 0 {
			add("EXPIREAT", "time:"+f.path, strconv.Itoa(4102444800+i))
		}
		add("INCRBY", "bytes:"+filepath.Ext(f.path), strconv.FormatInt(f.size, 10))
		add("PFADD", "sizes", strconv.FormatInt(f.size, 10))
		if f.size%2 == 1 {
			add("SETBIT", "odd", strconv.Itoa(i), "1")
		}
	}
	must(t, w.Flush())
	must(t, out.Close())
	return name, commands
}

// TestRealInput loads a real data set through redis-cli --pipe into Dozo and into
// redis-server, reads everything back and compares.
func TestRealInput(t *testing.T) {
	dozo, redis := both(t)
	files := readTree(t)
	name, commands := loadFile(t, files)
	for _, s := range []*testutil.Server{dozo, redis} {
		r := runProgram(t, "", "sh", "-c", fmt.Sprintf("redis-cli -p %d --pipe <%s", s.Port, name))
		if want := fmt.Sprintf("errors: 0, replies: %d", commands); r.code != 0 || !strings.Contains(r.out, want) {
			t.Fatalf("redis-cli --pipe into %s: %+v, want %q", s.Name, r, want)
		}
	}
	d, o := dozo.Conn(t, 2), redis.Conn(t, 2)
	d.SetTimeout(2 * time.Minute) // a digest of all on a machine that is busy
	o.SetTimeout(2 * time.Minute)
	t.Logf("%d files, %d commands, %d keys", len(files), commands, d.Do("DBSIZE").Int())
	for _, line := range [][]string{
		{"DBSIZE"}, {"DEBUG", "DIGEST"}, {"PFCOUNT", "sizes"}, {"BITCOUNT", "odd"}, {"GET", "odd"}, {"GET", "sizes"},
	} {
		if got, want := d.Do(line...), o.Do(line...); got.String() != want.String() {
			t.Errorf("%v: dozo %.200s, redis %.200s", line, got, want)
		}
	}
	readBack(t, d, files)
	scanBack(t, d, o)
}

// readBack compares every fact with what was read from the file system.
func readBack(t *testing.T, d *testutil.Peer, files []fileFacts) {
	t.Helper()
	const filesAtOnce = 100
	for len(files) > 0 {
		n := min(filesAtOnce, len(files))
		args, want := []string{"MGET"}, []string{}
		for _, f := range files[:n] {
			for _, p := range f.pairs() {
				args, want = append(args, p[0]), append(want, p[1])
			}
		}
		for i, got := range d.Do(args...).Strings() {
			if got != want[i] {
				t.Fatalf("%q holds %q, want %q", args[i+1], got, want[i])
			}
		}
		files = files[n:]
	}
}

// scanBack iterates both servers by SCAN; each key must come at least once from
// both, with the same deadline.
func scanBack(t *testing.T, d, o *testutil.Peer) {
	t.Helper()
	ours, theirs := scanKeys(t, d), scanKeys(t, o)
	if len(ours) != len(theirs) {
		t.Errorf("SCAN saw %d keys at dozo and %d at redis", len(ours), len(theirs))
	}
	checked := 0
	for key := range theirs {
		if !ours[key] {
			t.Fatalf("SCAN never saw %q at dozo", key)
		}
		if checked++; checked%50 == 0 {
			for _, c := range [][]string{{"PEXPIRETIME", key}, {"OBJECT", "ENCODING", key}} {
				if got, want := d.Do(c...).String(), o.Do(c...).String(); got != want {
					t.Fatalf("%q: dozo %s, redis %s", c, got, want)
				}
			}
		}
	}
}

func scanKeys(t *testing.T, c *testutil.Peer) map[string]bool {
	t.Helper()
	keys := map[string]bool{}
	for cursor := "0"; ; {
		v := c.MustOK("SCAN", cursor, "COUNT", "1000")
		for _, k := range v.Elems[1].Strings() {
			keys[k] = true
		}
		if cursor = v.Elems[0].Str; cursor == "0" {
			return keys
		}
	}
}
