package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dozo/internal/testutil"
)

// mounted is a folder that is a small file system of its own. Only root may do
// this.
func mounted(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("this test needs the right to mount: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	return dir
}

// bothServers are how Dozo and, if it is there, redis-server are started.
func bothServers(t *testing.T) map[string]testutil.Options {
	t.Helper()
	ours, err := testutil.DozoOptions(testutil.Plain)
	must(t, err)
	kinds := map[string]testutil.Options{"dozo": ours}
	if theirs, err := testutil.RedisOptions(); err == nil {
		kinds["redis"] = theirs
	}
	return kinds
}

// TestRewriteToAFullDisk: both say why, and the old file is whole. With
// config-set-persist it is CONFIG SET that fails, and nothing has changed.
func TestRewriteToAFullDisk(t *testing.T) {
	for kind, o := range bothServers(t) {
		t.Run(kind, func(t *testing.T) {
			dir := mounted(t)
			content := "# ours\nmaxmemory 100mb\n" + strings.Repeat("# filler\n", 800)
			file := filepath.Join(dir, "redis.conf")
			must(t, os.WriteFile(file, []byte(content), 0o600))
			c := inFolder(t, o, file, t.TempDir())
			must(t, fill(filepath.Join(dir, "filler")))
			v := c.Do("CONFIG", "REWRITE")
			now, err := os.ReadFile(file)
			if v.Str != "ERR Rewriting config file: No space left on device" || err != nil || string(now) != content {
				t.Errorf("reply %s, file %v: %.40q", v, err, now)
			}
			if kind == "redis" {
				return
			}
			v = c.Do("CONFIG", "SET", "maxmemory", "200mb", "config-set-persist", "yes")
			if !strings.HasSuffix(v.Str, "the change cannot be kept: "+file+": No space left on device") || c.value("maxmemory") != "104857600" {
				t.Errorf("reply %s, maxmemory %s", v, c.value("maxmemory"))
			}
			must(t, os.Remove(filepath.Join(dir, "filler")))
			c.MustOK("CONFIG", "SET", "maxmemory", "200mb", "config-set-persist", "yes")
			if n := c.Info("server", "config_drift"); n != "0" {
				t.Errorf("config_drift:%s", n)
			}
			if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
				t.Errorf("left behind: %v, %v", names, err)
			}
		})
	}
}

// fill writes to a file until there is no space.
func fill(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for block := make([]byte, 512); err == nil; {
		_, err = f.Write(block)
	}
	return nil
}

// TestManagedFiles: files as a deployment mounts them, a read-only folder and a
// single file in a container's own, cannot be replaced. CONFIG REWRITE says so, and
// what is to be kept goes to the overlay.
func TestManagedFiles(t *testing.T) {
	for name, tt := range map[string]struct {
		mount func(t *testing.T, dir, file string)
		error string
	}{
		"read-only folder": {func(t *testing.T, dir, _ string) {
			must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		}, "Read-only file system"},
		"single file": {func(t *testing.T, _, file string) {
			source := filepath.Join(t.TempDir(), "source.conf")
			content, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(source, content, 0o600))
			must(t, unix.Mount(source, file, "", unix.MS_BIND, ""))
			t.Cleanup(func() { must(t, unix.Unmount(file, unix.MNT_DETACH)) })
		}, "Device or resource busy"},
	} {
		for kind, o := range bothServers(t) {
			t.Run(name+", "+kind, func(t *testing.T) {
				dir, data := mounted(t), t.TempDir()
				file := filepath.Join(dir, "redis.conf")
				const content = "maxmemory 100mb\n"
				must(t, os.WriteFile(file, []byte(content), 0o600))
				tt.mount(t, dir, file)
				c := inFolder(t, o, file, data)
				if v := c.Do("CONFIG", "REWRITE"); v.Str != "ERR Rewriting config file: "+tt.error {
					t.Errorf("CONFIG REWRITE: %s", v)
				}
				if kind == "dozo" {
					keptInOverlay(t, c, data, content)
				}
			})
		}
	}
}

func keptInOverlay(t *testing.T, c configured, data, content string) {
	c.MustOK("CONFIG", "SET", "config-set-persist", "yes", "maxmemory", "200mb")
	if got, want := c.Info("server", "config_overlay_file"), filepath.Join(data, "dozo-overlay.conf"); got != want {
		t.Errorf("config_overlay_file:%s, want %s", got, want)
	}
	must(t, c.server.Terminate())
	c = c.start()
	now, err := os.ReadFile(c.file)
	if c.value("maxmemory") != "209715200" || err != nil || string(now) != content || !strings.Contains(c.server.Log(), "is in force over that") {
		t.Errorf("after a restart: %s, %v, %q\n%s", c.value("maxmemory"), err, now, c.server.Log())
	}
}
