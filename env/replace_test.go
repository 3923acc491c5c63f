package env_test

import (
	"errors"
	"io/fs"
	"syscall"
	"testing"

	"dozo/env"
	"dozo/internal/faultfs"
)

const everyCall = faultfs.Open | faultfs.Create | faultfs.Write | faultfs.Sync | faultfs.Rename | faultfs.Remove | faultfs.SyncDir

// place is a disk with a file that has old content, or with none.
func place(t *testing.T, old string) *faultfs.Mem {
	disk := faultfs.New()
	if err := disk.Mkdir("/d", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := disk.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	if old != "" {
		if err := replace(disk, old); err != nil {
			t.Fatal(err)
		}
	}
	return disk
}

func replace(files env.FS, content string) error {
	return env.Replace(files, "/d/file", env.Replacement{Temp: "/d/temp", Perm: 0o644, Fill: env.Content([]byte(content))})
}

func read(disk *faultfs.Mem) string {
	content, err := disk.ReadFile("/d/file")
	if err != nil {
		return ""
	}
	return string(content)
}

// TestReplaceFails has each call fail in turn: the error says whether the file is the old
// one, and whatever a crash leaves is the old one or the new, also of the temporary file
// that an earlier crash has left.
func TestReplaceFails(t *testing.T) {
	for _, old := range []string{"", "old content"} {
		for n := 0; ; n++ {
			disk := place(t, old)
			if n%2 == 0 {
				if err := disk.WriteFile("/d/temp", []byte("of an earlier crash, and longer than what follows")); err != nil {
					t.Fatal(err)
				}
			}
			files := faultfs.Wrap(disk)
			files.Inject(faultfs.Fault{Op: everyCall, Skip: n, Times: 1, Err: syscall.EIO, Short: 2, Lose: true})
			err := replace(files, "new content")
			for seed := range uint64(20) {
				if got := read(disk.CrashClone(seed)); got != "new content" && (err == nil || got != old) {
					t.Fatalf("call %d failed, %v: after a crash the file has %q", n, err, got)
				}
			}
			var unsettled *env.UnsettledError
			_, left := disk.Stat("/d/temp")
			switch {
			case err == nil:
			case errors.As(err, &unsettled) != (read(disk) == "new content"):
				t.Fatalf("call %d failed, %v: the file has %q", n, err, read(disk))
			case n > 0 && !errors.Is(left, fs.ErrNotExist):
				t.Fatalf("call %d failed: the temporary file is still there", n)
			}
			if err == nil {
				if n < 5 {
					t.Fatalf("only %d calls could fail", n)
				}
				break
			}
		}
	}
}

// TestReplaceCrashes crashes before each call.
func TestReplaceCrashes(t *testing.T) {
	disk := place(t, "old content")
	files := faultfs.Wrap(disk)
	crashes := 0
	files.Inject(faultfs.Fault{Op: everyCall, Wait: func() {
		for seed := range uint64(20) {
			if got := read(disk.CrashClone(seed)); got != "old content" && got != "new content" {
				t.Errorf("crash %d: the file has %q", crashes, got)
			}
		}
		crashes++
	}})
	if err := replace(files, "new content"); err != nil || read(disk) != "new content" || crashes < 5 {
		t.Errorf("%v, %q, %d crashes", err, read(disk), crashes)
	}
}
