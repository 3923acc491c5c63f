package rescue

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"dozo/arena"
	"dozo/env"
	"dozo/internal/faultfs"
	"dozo/oplog"
)

// logOf is a log with the given lines as commands, each in database 0.
func logOf(t *testing.T, lines ...string) *oplog.Log {
	t.Helper()
	a, err := arena.New(arena.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	l := oplog.New(a, oplog.Options{Retain: 1 << 20})
	t.Cleanup(l.Close)
	l.Activate(100)
	for _, line := range lines {
		l.Append(0, command(line))
	}
	return l
}

func command(line string) []byte {
	words := bytes.Fields([]byte(line))
	return oplog.AppendCommand(nil, words...)
}

func write(t *testing.T, disk *faultfs.Mem, l *oplog.Log, change func(*Tail)) (File, error) {
	t.Helper()
	tail := Tail{
		Head: Head{Time: time.UnixMilli(1700000000123), History: strings.Repeat("a", 40), From: 100, To: l.Offset(), Fork: 100, Known: true, Primary: "10.0.0.1:6379", Taken: "x:1"},
		Max:  1 << 20, Temp: "temp-rescue.aof", Keys: func(args [][]byte) [][]byte { return args[1:2] },
	}
	change(&tail)
	r, err := l.NewReader(tail.From, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tail.Source = r
	return Write(context.Background(), disk, "/d", tail)
}

func newDisk(t *testing.T) *faultfs.Mem {
	t.Helper()
	disk := faultfs.New()
	if err := errors.Join(disk.Mkdir("/d", 0o755), disk.SyncDir("/")); err != nil {
		t.Fatal(err)
	}
	return disk
}

// lines are the commands of a file.
func lines(t *testing.T, disk *faultfs.Mem, name string) (list []string) {
	t.Helper()
	r, err := Open(disk, "/d/"+name)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		c, err := r.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, string(bytes.Join(c.Args, []byte(" "))))
	}
}

// TestWrite: what was written is read again, after a power failure, too.
func TestWrite(t *testing.T) {
	disk := newDisk(t)
	l := logOf(t, "SET a 1", "PING", "SET a 2", "MULTI", "SET b 1", "EXEC", "REPLCONF GETACK *")
	f, err := write(t, disk, l, func(*Tail) {})
	if err != nil {
		t.Fatal(err)
	}
	if f.Name != "rescue-20231114T221320.123Z-"+strings.Repeat("a", 40)+".aof" || f.Commands != 3 || f.Keys != 2 {
		t.Errorf("%+v", f)
	}
	disk = disk.CrashClone(1)
	want := "SELECT 0|SELECT 0|SET a 1|SET a 2|MULTI|SET b 1|EXEC"
	if got := strings.Join(lines(t, disk, f.Name), "|"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	list, faults, err := List(disk, "/d")
	if len(list) != 1 || len(faults) != 0 || err != nil || !list[0].Time.Equal(f.Time) || list[0].Fork != 100 || !list[0].Known ||
		list[0].Primary != f.Primary || list[0].Taken != f.Taken || list[0].Size != f.Size || list[0].To != f.To {
		t.Errorf("%+v, %v, %v; written was %+v", list, faults, err, f)
	}
}

// TestWriteNothing: no write, no file; and none that would be too large, or is cancelled.
func TestWriteNothing(t *testing.T) {
	disk := newDisk(t)
	l := logOf(t, "PING", "REPLCONF GETACK *")
	if _, err := write(t, disk, l, func(*Tail) {}); err != ErrNothing {
		t.Error(err)
	}
	l = logOf(t, "SET a "+strings.Repeat("x", 1000))
	if _, err := write(t, disk, l, func(tail *Tail) { tail.Max = 900 }); err != ErrTooLarge {
		t.Error(err)
	}
	if _, err := write(t, disk, l, func(tail *Tail) { tail.To++ }); err == nil {
		t.Error("more than there is was written")
	}
	if entries, err := disk.ReadDir("/d"); err != nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}

// TestSeek: from wherever the log begins, only whole commands and transactions come.
func TestSeek(t *testing.T) {
	all := []string{"SET a 1", "MULTI", "SET b 1", "INCR c", "EXEC", "SET d *3"}
	l := logOf(t, all...)
	bytes := 0
	for from := uint64(101); from < l.Offset(); from++ {
		disk := newDisk(t)
		f, err := write(t, disk, l, func(tail *Tail) { tail.From, tail.Seek, tail.Missing = from, true, from-100 })
		if err == ErrNothing {
			continue
		}
		if err != nil {
			t.Fatalf("from %d: %v", from, err)
		}
		if f.From-f.Missing != 100 {
			t.Errorf("from %d: it begins at %d with %d missing", from, f.From, f.Missing)
		}
		got := strings.Join(lines(t, disk, f.Name)[1:], "|")
		if want := strings.Join(append([]string{"SELECT 0"}, all...), "|"); !strings.HasSuffix(want, got) || strings.Contains(got, "EXEC") != strings.Contains(got, "MULTI") {
			t.Errorf("from %d: %s", from, got)
		}
		bytes += len(got)
	}
	if bytes == 0 {
		t.Error("nothing was found anywhere")
	}
}

// TestOpenOthers: files of other kinds are told apart, and left out of a list with a reason.
func TestOpenOthers(t *testing.T) {
	disk := newDisk(t)
	for i, content := range []string{"", "*1\r\n$4\r\nPING\r\n", "#dozo-rescue: 1\r\n#bytes: x-y\r\n", "#dozo-rescue: 1\r\n#" + strings.Repeat("x", 5000)} {
		f, err := disk.OpenFile(fmt.Sprintf("/d/rescue-%d.aof", i), env.CreateNew, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	list, faults, err := List(disk, "/d")
	if len(list) != 0 || len(faults) != 4 || err != nil {
		t.Errorf("%v, %v, %v", list, faults, err)
	}
}
