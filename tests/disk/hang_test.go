package disk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dozo/internal/faultfs"
	"dozo/internal/testutil"
)

// kinds are all kinds of calls that a disk may take long for.
var kinds = map[string]faultfs.Op{
	"open": faultfs.Open, "create": faultfs.Create, "read": faultfs.Read, "write": faultfs.Write, "fsync": faultfs.Sync,
	"truncate": faultfs.Truncate, "rename": faultfs.Rename, "remove": faultfs.Remove, "mkdir": faultfs.Mkdir,
	"fsync of a folder": faultfs.SyncDir, "look": faultfs.Look, "lock": faultfs.Lock, "rights": faultfs.Rights,
}

// task is something that a server does with its disk.
type task struct {
	name       string
	directives string
	file       bool   // it has a config file
	before     string // commands, one a line
	do         string
	reply      string // its beginning; "" = the connection ends
	after      string // field:value of INFO that comes about once the disk is back
	held       bool   // who writes may have to wait: for the append only file, or a shutdown
	late       bool   // it takes a second to begin
	// meets are kinds of calls that it surely makes.
	meets string
}

// tasks are all of them, but for those that stop the server as in Redis (DEBUG RELOAD) or
// cannot wait (CONFIG SET within a transaction).
var tasks = []task{
	{name: "turn on", do: "CONFIG SET appendonly yes", reply: "OK", after: "aof_starting:0", meets: "mkdir, fsync of a folder, lock, look, create, write, fsync, rename, remove"},
	{name: "turn on and move", before: "FLUSHALL", do: "CONFIG SET appendonly yes dir /data/other", reply: "OK", after: "aof_starting:0", meets: "mkdir, look, lock"},
	{name: "turn on in a transaction", do: "MULTI\nCONFIG SET appendonly yes\nEXEC", reply: "OK", after: "aof_starting:0", meets: "mkdir, look, lock"},
	{name: "turn off", directives: "appendonly yes", held: true, do: "CONFIG SET appendonly no", reply: "OK", after: "aof_enabled:0", meets: "create, write"},
	{name: "rewrite", directives: "appendonly yes", held: true, do: "BGREWRITEAOF", reply: "Background append", after: "aof_rewrite_in_progress:0", meets: "create, write, fsync, rename, remove"},
	{name: "rewrite once", do: "BGREWRITEAOF", reply: "Background append", after: "aof_rewrite_in_progress:0", meets: "mkdir, look, lock, create, write, fsync, rename"},
	{name: "append", late: true, directives: "appendonly yes", held: true, before: "SET a 1", do: "SET a 2", reply: "OK", after: "aof_buffer_length:0", meets: "write, fsync, look"},
	{name: "append always", directives: "appendonly yes\nappendfsync always", held: true, do: "SET a 2", reply: "OK", after: "aof_buffer_length:0", meets: "write, fsync"},
	{name: "bgsave", do: "BGSAVE", reply: "Background saving", after: "rdb_bgsave_in_progress:0", meets: "create, write, fsync, rename, remove, fsync of a folder"},
	{name: "save", do: "SAVE", reply: "OK", meets: "create, write, fsync, rename"},
	{name: "a rule", late: true, directives: "save 1 1", do: "SET a 1", reply: "OK", after: "rdb_changes_since_last_save:0", meets: "create, write, fsync"},
	{name: "flush and save", directives: "save 3600 1", do: "FLUSHALL", reply: "OK", meets: "create, write, fsync"},
	{name: "move", do: "CONFIG SET dir /data/other", reply: "OK", meets: "look, lock, create, write"},
	{name: "rename", do: "CONFIG SET dbfilename other.rdb", reply: "OK", meets: "look, lock, create, write"},
	{name: "shut down", held: true, directives: "save 3600 1000", before: "SET a 1", do: "SHUTDOWN", meets: "create, write, fsync, rename"},
	{name: "shut down with a log", directives: "appendonly yes", held: true, before: "SET a 1", do: "SHUTDOWN"},
	{name: "config rewrite", file: true, before: "CONFIG SET timeout 5", do: "CONFIG REWRITE", reply: "OK", meets: "read, look, create, write, fsync, rename"},
	{name: "config persist", file: true, do: "CONFIG SET config-set-persist yes timeout 7", reply: "OK", meets: "read, look, create, write, fsync, rename"},
	{name: "config drift", file: true, do: "CONFIG DRIFT", reply: "", meets: "read"},
	{name: "info", directives: "appendonly yes", held: true, do: "INFO everything", reply: "# Server"},
}

// TestHangs has each kind of call of the disk hang in each task: nobody is kept waiting
// but who asked for it, and who writes where what is written must be kept; and when the
// disk is back all ends well.
func TestHangs(t *testing.T) {
	for _, k := range tasks {
		for kind, op := range kinds {
			meets := strings.Contains(", "+k.meets+",", ", "+kind+",")
			if testing.Short() && !meets {
				continue
			}
			t.Run(k.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				met := k.run(t, op)
				if meets && !met {
					t.Error("the disk was not asked")
				}
			})
		}
	}
}

// run does a task on a disk of which one kind of call hangs, and tells whether one did.
func (k *task) run(t *testing.T, op faultfs.Op) (met bool) {
	m := machineOn(t, nil)
	must(t, m.disk.Mkdir(data+"/other", 0o755))
	if k.file {
		m.conf = data + "/dozo.conf"
		m.put("dozo.conf", "timeout 3\n")
	}
	m.started(append(strings.Split(k.directives, "\n"), "enable-protected-configs yes")...)
	m.want("OK", "SET", "clean", "v")
	for _, line := range strings.Split(k.before, "\n") {
		if line != "" {
			m.ask(strings.Fields(line)...)
		}
	}
	m.want("OK", "SET", "clean", "v")
	if strings.Contains(k.directives, "appendonly") {
		m.settle()
	}
	c, others := m.client(), []*testutil.Conn{m.client(), m.client()} // on both loops
	s := m.hang(faultfs.Fault{Op: op, Under: data})
	for _, line := range strings.Split(k.do, "\n") {
		c.Queue(strings.Fields(line)...)
	}
	must(t, c.Flush())
	met = m.watched(s.begun, others, k)
	s.release()
	m.fs.Heal()
	k.ends(m, c)
	return met
}

// watched watches how others are served while the disk is asked for something and after,
// and tells whether a call of it hangs.
func (m *machine) watched(begun chan struct{}, conns []*testutil.Conn, k *task) bool {
	m.Helper()
	met := false
	end := time.Now().Add(200 * time.Millisecond)
	if k.late {
		end = end.Add(1500 * time.Millisecond)
	}
	for time.Now().Before(end) && !m.isDone() {
		for i, c := range conns {
			m.quick(c, "GET", "clean")
			m.quick(c, "PING")
			if !k.held {
				m.quick(c, "SET", key(i), "v")
			}
		}
		time.Sleep(time.Millisecond)
		select {
		case <-begun:
			if !met {
				met, end = true, time.Now().Add(200*time.Millisecond) // of what follows
			}
		default:
		}
	}
	m.quick(conns[0], "INFO", "everything")
	return met
}

// isDone tells whether the server has ended.
func (m *machine) isDone() bool {
	select {
	case <-m.node.Done():
		return true
	default:
		return false
	}
}

// quick fails if a reply does not come at once. No task refuses anything.
func (m *machine) quick(c *testutil.Conn, words ...string) {
	m.Helper()
	began := time.Now()
	c.SetTimeout(slow)
	v, err := c.DoErr(words...)
	took := time.Since(began)
	if err != nil && took < slow && m.node.Ending() {
		return // nor has the end taken long
	}
	if err != nil || took > slow {
		m.Fatalf("%q took %v, %v", words, took, err)
	}
	if v.IsError() {
		m.Errorf("%q: %s", words, v.Str)
	}
}

// slow is longer than any command takes on a machine that is as busy as those of tests.
const slow = time.Second

// ends sees a task through to its end.
func (k *task) ends(m *machine, c *testutil.Conn) {
	m.Helper()
	c.SetTimeout(patience)
	last := ""
	for i := range strings.Split(k.do, "\n") {
		v, err := c.DoErr()
		if err != nil {
			last = fmt.Sprint(err)
			break
		}
		last = v.Str
		if len(v.Elems) > 0 && i > 0 {
			last = v.Elems[0].Str
		}
	}
	if strings.HasPrefix(k.do, "SHUTDOWN") {
		<-m.node.Done()
		return
	}
	if !strings.HasPrefix(last, k.reply) {
		m.Errorf("%s: %s, want %s\n%s", k.do, last, k.reply, &m.log)
	}
	if field, value, ok := strings.Cut(k.after, ":"); ok {
		m.awaitInfo(field, value)
	}
	m.want("OK", "SET", "again", "v")
}
