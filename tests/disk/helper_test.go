package disk

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/faultfs"
	"dozo/internal/testutil"
	"dozo/node"
)

// machine is a server with its disk. The disk outlives the server.
type machine struct {
	*testing.T
	disk *faultfs.Mem
	fs   *faultfs.FS
	log  testutil.Journal
	node *node.Node
	conf string // its config file; "" = none
}

// data is where the servers have their files.
const data = "/data"

// machineOn is a machine without a server, on a disk, or on a new one if it is nil.
func machineOn(t *testing.T, disk *faultfs.Mem) *machine {
	if disk == nil {
		disk = faultfs.New()
		must(t, disk.Mkdir(data, 0o755))
		must(t, disk.SyncDir("/"))
	}
	return &machine{T: t, disk: disk, fs: faultfs.Wrap(disk)}
}

// boot is a machine with a server that has started; directives are lines of a
// configuration.
func boot(t *testing.T, disk *faultfs.Mem, directives ...string) *machine {
	t.Helper()
	return machineOn(t, disk).started(directives...)
}

// start starts the server; the end of the test ends it.
func (m *machine) start(directives ...string) (err error) {
	cfg := config.New(config.Options{FS: m.fs, WorkDir: data, Cores: 2})
	lines := append([]string{`save ""`, "port 0", "dir " + data, "enable-debug-command yes"}, directives...)
	if err := cfg.Load(config.Sources{File: m.conf, Options: strings.Join(lines, "\n")}); err != nil {
		return err
	}
	world := env.Real()
	world.FS = m.fs
	m.node, err = node.Start(node.Options{
		Env: world, Config: cfg, Log: &m.log, PID: os.Getpid(), Transport: eventloop.Auto, Addr: "127.0.0.1:0",
	})
	if err == nil {
		m.Cleanup(m.end)
	}
	return err
}

// end ends the server, as a crash of the process does: nothing more is written.
func (m *machine) end() {
	m.fs.Heal()
	_ = m.node.Close() // the second time does nothing
}

// after is a new machine on what the disk has when the process is gone.
func (m *machine) after(directives ...string) *machine {
	m.Helper()
	disk := m.disk.KeepAll()
	m.end()
	return boot(m.T, disk, directives...)
}

// afterPowerLoss is a new machine on what the disk has when the power is gone.
func (m *machine) afterPowerLoss(seed uint64, directives ...string) *machine {
	m.Helper()
	disk := m.disk.CrashClone(seed)
	m.end()
	return boot(m.T, disk, directives...)
}

// started is m with a server.
func (m *machine) started(directives ...string) *machine {
	m.Helper()
	if err := m.start(directives...); err != nil {
		m.Fatalf("%v\n%s", err, &m.log)
	}
	return m
}

// number is a counter's value.
func (m *machine) number(key string) int64 {
	m.Helper()
	n, err := strconv.ParseInt(m.ask("GET", key), 10, 64)
	must(m.T, err)
	return n
}

// client is a new connection.
func (m *machine) client() *testutil.Conn {
	m.Helper()
	c, err := testutil.Dial(m.node.Addrs()[0].String())
	must(m.T, err)
	m.Cleanup(c.Close)
	return c
}

// ask gives a command's reply as one line.
func (m *machine) ask(words ...string) string {
	m.Helper()
	c := m.client()
	defer c.Close()
	return reply(m.T, c, words...)
}

func reply(t *testing.T, c *testutil.Conn, words ...string) string {
	t.Helper()
	v, err := c.DoErr(words...)
	if err != nil {
		t.Fatalf("%q: %v", words, err)
	}
	if v.IsError() {
		return "-" + v.Str
	}
	if v.Null || len(v.Elems) > 0 {
		return v.String()
	}
	return v.Str
}

// want is for commands whose reply is known.
func (m *machine) want(want string, words ...string) {
	m.Helper()
	if got := m.ask(words...); got != want {
		m.Errorf("%q: %s, want %s", words, got, want)
	}
}

// info is a field of INFO.
func (m *machine) info(field string) string {
	m.Helper()
	return testutil.InfoField(m.ask("INFO", "everything"), field)
}

// patience is how long waits last at most.
const patience = 20 * time.Second

// await waits for something to be so.
func (m *machine) await(what string, ok func() bool) {
	m.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			m.Fatalf("%s has not come about within %v\n%s\n%s", what, patience, &m.log, m.disk.Tree())
		}
	}
}

// awaitInfo waits for a field of INFO to have a value.
func (m *machine) awaitInfo(field, value string) {
	m.Helper()
	m.await(field+":"+value, func() bool { return m.info(field) == value })
}

// logged tells whether a line of the log matches a pattern.
func (m *machine) logged(pattern string) bool {
	return regexp.MustCompile(pattern).MatchString(m.log.String())
}

// wantLog is for lines that must be in the log.
func (m *machine) wantLog(patterns ...string) {
	m.Helper()
	for _, p := range patterns {
		if !m.logged(p) {
			m.Errorf("the log has no %q:\n%s", p, &m.log)
		}
	}
}

// settle waits until all that was written is on the disk.
func (m *machine) settle() {
	m.Helper()
	c := m.client()
	reply(m.T, c, "SET", "last", "v")
	if got := reply(m.T, c, "WAITAOF", "1", "0", "5000"); !strings.HasPrefix(got, "*[:1") {
		m.Errorf("WAITAOF: %s", got)
	}
}

// file is the content of a file of the server.
func (m *machine) file(name string) string {
	m.Helper()
	content, err := m.disk.ReadFile(path.Join(data, name))
	must(m.T, err)
	return string(content)
}

// put writes a file of the server, durably.
func (m *machine) put(name, content string) {
	m.Helper()
	at := path.Join(data, name)
	f, err := m.disk.OpenFile(at, env.Create, 0o644)
	must(m.T, err)
	_, err = f.Write([]byte(content))
	must(m.T, err)
	must(m.T, f.Sync())
	must(m.T, f.Close())
	must(m.T, m.disk.SyncDir(path.Dir(at)))
}

// names are the files in the server's folder, and in the one of the append only file,
// but for the snapshot's lock.
func (m *machine) names() (list []string) {
	for _, dir := range []string{data, data + "/appendonlydir"} {
		entries, _ := m.disk.ReadDir(dir) // the second may not be there
		for _, e := range entries {
			if e.Name() != "dump.rdb.lock" {
				list = append(list, e.Name())
			}
		}
	}
	return list
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func key(i int) string { return fmt.Sprint("key:", i) }
