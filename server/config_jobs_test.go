package server_test

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/testutil"
	"dozo/node"
)

// slowFS is a file system that keeps those who sync a file waiting, as long as
// closed, and may fail then.
type slowFS struct {
	env.FS
	closed  atomic.Bool
	arrived chan struct{} // one for each who waits
	open    chan error    // what each is told
}

func (f *slowFS) wait() error {
	if !f.closed.Load() {
		return nil
	}
	f.arrived <- struct{}{}
	return <-f.open
}

func (f *slowFS) OpenFile(name string, flag int, perm fs.FileMode) (env.File, error) {
	file, err := f.FS.OpenFile(name, flag, perm)
	return slowFile{file, f}, err
}

func (f *slowFS) ReadFile(name string) ([]byte, error) {
	if strings.HasSuffix(name, "slow.conf") {
		if err := f.wait(); err != nil {
			return nil, err
		}
	}
	return f.FS.ReadFile(name)
}

type slowFile struct {
	env.File
	fs *slowFS
}

func (f slowFile) Sync() error {
	if err := f.fs.wait(); err != nil {
		return err
	}
	return f.File.Sync()
}

// serveFile starts a server of two loops on a configuration file. It returns what
// dials it, and the file's name.
func serveFile(t *testing.T, content string) (fs *slowFS, connect func() client, name string, log *testutil.Journal) {
	t.Helper()
	dir := t.TempDir()
	name = filepath.Join(dir, "dozo.conf")
	if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	world := env.Real()
	fs = &slowFS{FS: world.FS, arrived: make(chan struct{}, 9), open: make(chan error)}
	world.FS = fs
	cfg := config.New(config.Options{FS: fs, WorkDir: dir})
	if err := cfg.Load(config.Sources{File: name, Options: "port 0\nio-threads 2\nsave \"\""}); err != nil {
		t.Fatal(err)
	}
	log = &testutil.Journal{}
	n, err := node.Start(node.Options{Env: world, Config: cfg, Log: log, Transport: eventloop.Auto, Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	var addr net.Addr = n.Addrs()[0]
	return fs, func() client { return dial(t, addr.String()) }, name, log
}

// ask sends a command without waiting for its reply.
func (c client) ask(line string) {
	c.t.Helper()
	c.Queue(strings.Fields(line)...)
	if err := c.Flush(); err != nil {
		c.t.Fatal(err)
	}
}

func (c client) answer() testutil.Value {
	c.t.Helper()
	raw, err := c.ReadRaw()
	if err != nil {
		c.t.Fatal(err)
	}
	v, err := testutil.Parse(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// TestSlowDiskStallsNobody: while a CONFIG SET waits for the disk everybody else is
// served, and further ones come after it, in their order, whatever the loop.
func TestSlowDiskStallsNobody(t *testing.T) {
	disk, connect, name, log := serveFile(t, "config-set-persist yes\n")
	a, other := connect(), connect()
	waiting := []client{connect(), connect(), connect()}
	disk.closed.Store(true)
	a.ask("CONFIG SET maxmemory-samples 6")
	<-disk.arrived
	for i, c := range waiting {
		c.ask("CONFIG SET timeout " + []string{"100", "x", "300"}[i])
		eventually(t, "the next change to wait", func() bool { return other.infoInt("clients", "blocked_clients") == int64(2+i) })
	}
	for range 3 {
		other.must("SET k v")
		if v := other.must("CONFIG GET maxmemory-samples"); v.Elems[1].Str != "6" {
			t.Errorf("while it is written the value is %s", v)
		}
	}
	id := a.Net().LocalAddr().String()
	for line := range strings.Lines(other.must("CLIENT LIST").Str) {
		if strings.Contains(line, "addr="+id) {
			if v := other.must("CLIENT UNBLOCK " + strings.TrimPrefix(strings.Fields(line)[0], "id=")); v.Str != "0" {
				t.Errorf("CLIENT UNBLOCK of a client that waits for the disk: %s", v)
			}
		}
	}
	other.must("MULTI")
	other.must("CONFIG SET hz 50")
	if v := other.must("EXEC"); !strings.HasPrefix(v.Elems[0].Str, "BUSY another change of the configuration") {
		t.Errorf("in a transaction: %s", v)
	}
	disk.open <- syscall.ENOSPC
	if v := a.answer(); !strings.HasSuffix(v.Str, "config-set-persist is on, but the change cannot be kept: "+name+": No space left on device") {
		t.Errorf("reply: %s", v)
	}
	<-disk.arrived
	if v := other.must("CONFIG GET maxmemory-samples"); v.Elems[1].Str != "5" {
		t.Errorf("after it failed the value is %s", v)
	}
	disk.open <- nil
	<-disk.arrived
	disk.closed.Store(false)
	disk.open <- nil
	if v := waiting[0].answer(); v.Str != "OK" {
		t.Error(v)
	}
	if v := waiting[1].answer(); !strings.Contains(v.Str, "argument couldn't be parsed into an integer") {
		t.Error(v)
	}
	if v := waiting[2].answer(); v.Str != "OK" {
		t.Error(v)
	}
	content, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(content), "timeout 300\n") || strings.Contains(string(content), "samples") {
		t.Errorf("%v, file:\n%s", err, content)
	}
	if !strings.Contains(log.String(), "CONFIG SET failed (possibly related to argument 'maxmemory-samples')") {
		t.Errorf("log: %s", log)
	}
	if n := other.info("server", "config_drift"); n != "0" {
		t.Errorf("config_drift:%s", n)
	}
	if n := other.infoInt("clients", "blocked_clients"); n != 0 {
		t.Errorf("%d clients are blocked", n)
	}
}

// TestClientLeavesBeforeItsReply: the change is made, and the next one too.
func TestClientLeavesBeforeItsReply(t *testing.T) {
	disk, connect, name, _ := serveFile(t, "config-set-persist yes\n")
	gone, late, other := connect(), connect(), connect()
	disk.closed.Store(true)
	gone.ask("CONFIG SET timeout 111")
	<-disk.arrived
	late.ask("CONFIG SET timeout 222")
	eventually(t, "the next change to wait", func() bool { return other.infoInt("clients", "blocked_clients") == 2 })
	gone.Close()
	late.Close()
	eventually(t, "the clients to be gone", func() bool { return other.infoInt("clients", "connected_clients") == 1 })
	disk.closed.Store(false)
	disk.open <- nil
	eventually(t, "the second change", func() bool {
		content, err := os.ReadFile(name)
		return err == nil && strings.Contains(string(content), "timeout 222\n")
	})
	eventually(t, "the end of both", func() bool { return other.info("server", "config_drift") == "0" })
	other.must("CONFIG SET timeout 333")
}

// TestUnreachableInclude: a file that is not answered for keeps CONFIG DRIFT and
// CONFIG REWRITE waiting, and nobody else; what is known without it is known.
func TestUnreachableInclude(t *testing.T) {
	disk, connect, name, _ := serveFile(t, "maxmemory-samples 7\n")
	a, b, other := connect(), connect(), connect()
	if err := os.WriteFile(filepath.Join(filepath.Dir(name), "slow.conf"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("maxmemory-samples 7\ninclude slow.conf\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	disk.closed.Store(true)
	a.ask("CONFIG DRIFT")
	<-disk.arrived
	other.must("CONFIG SET timeout 5")
	if n := other.info("server", "config_drift"); n != "1" {
		t.Errorf("config_drift:%s", n)
	}
	other.must("MULTI")
	other.must("CONFIG DRIFT")
	if v := other.must("EXEC"); len(v.Elems[0].Elems) != 2 {
		t.Errorf("in a transaction: %s", v)
	}
	disk.open <- syscall.EIO
	if v := a.answer(); !strings.Contains(v.Str, "so that a restart would fail: can't open config file") {
		t.Error(v)
	}
	b.ask("CONFIG REWRITE")
	<-disk.arrived
	other.must("MULTI")
	other.must("CONFIG REWRITE")
	if v := other.must("EXEC"); !strings.HasPrefix(v.Elems[0].Str, "BUSY") {
		t.Errorf("in a transaction: %s", v)
	}
	disk.closed.Store(false)
	disk.open <- nil
	if v := b.answer(); v.Str != "OK" {
		t.Error(v)
	}
	if n := other.info("server", "config_drift") + other.info("server", "config_unreadable"); n != "00" {
		t.Errorf("drift and unreadable: %s, %s", n, other.must("CONFIG DRIFT"))
	}
}
