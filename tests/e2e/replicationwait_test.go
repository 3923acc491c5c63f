package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// waiting is a primary with two replicas behind networks of their own, and a replica of the
// first of them.
type waiting struct {
	t              *testing.T
	primary, chain *testutil.Server
	replicas       [2]*testutil.Server
	ways           [2]*testutil.Proxy
	c              *testutil.Peer // of the primary
}

func newWaiting(t *testing.T, redis [2]bool, config ...string) *waiting {
	config = append([]string{"--repl-ping-replica-period", "3600"}, config...)
	f := &waiting{t: t, primary: peer(t, redis[0], config...), chain: peer(t, redis[1])}
	for i := range f.replicas {
		f.replicas[i], f.ways[i] = peer(t, redis[1], config...), testutil.StartProxy(t, f.primary.Addr())
		follow(t, f.replicas[i], f.ways[i].Addr())
	}
	inStepAll(t, f.primary, f.replicas[:])
	follow(t, f.chain, f.replicas[0].Addr())
	inStep(t, f.primary, f.chain)
	f.c = f.primary.Conn(t, 2)
	return f
}

// acked waits until so many replicas have acknowledged all that there is. Redis has a client
// wait for that, whoever has written it, and Dozo for what the client has.
func (f *waiting) acked(replicas int) {
	f.t.Helper()
	until(f.t, "acknowledgements", func() bool {
		text := f.c.MustOK("INFO", "replication").Str
		return strings.Count(text, ",state=online,offset="+testutil.InfoField(text, "master_repl_offset")+",") == replicas
	}, f.primary)
}

func (f *waiting) do(line string) string {
	f.t.Helper()
	return f.c.Do(strings.Fields(line)...).String()
}

// lines are calls with their replies.
func (f *waiting) lines(calls ...string) (replies string) {
	f.t.Helper()
	for _, call := range calls {
		replies += call + ": " + f.do(call) + "\n"
	}
	return replies
}

// still cuts a replica off without ending its connection.
func (f *waiting) still(i int) {
	f.ways[i].Still(testutil.Up)
	f.ways[i].Still(testutil.Down)
}

// stop stops a replica's process, and waits until all of it stands.
func (f *waiting) stop(i int) {
	f.t.Helper()
	must(f.t, f.replicas[i].Signal(syscall.SIGSTOP))
	until(f.t, "a stop", func() bool {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", f.replicas[i].Pid))
		must(f.t, err)
		for _, thread := range threads {
			stat, err := os.ReadFile(thread)
			if _, state, ok := strings.Cut(string(stat), ") "); err != nil || !ok || state[0] != 'T' {
				return false
			}
		}
		return len(threads) > 0
	}, f.primary)
}

// blocked sends a call from a client of its own, which waits then.
func (f *waiting) blocked(call string) *testutil.Peer {
	f.t.Helper()
	c := f.primary.Conn(f.t, 2)
	c.MustOK("SET", "written", "by it")
	c.Queue(strings.Fields(call)...)
	must(f.t, c.Flush())
	until(f.t, "a client that waits", func() bool { return f.c.Info("clients", "blocked_clients") == "1" }, f.primary)
	return c
}

// reply is what comes to a client that waited.
func (f *waiting) reply(c *testutil.Peer) string {
	f.t.Helper()
	raw, err := c.ReadRaw()
	if err != nil {
		return "the end"
	}
	return fmt.Sprintf("%q", raw)
}

// becomes waits until a call is answered so, and tells whether that took as long as it may.
func (f *waiting) becomes(call, prefix string, least, most time.Duration) string {
	f.t.Helper()
	from := time.Now()
	until(f.t, prefix, func() bool { return strings.HasPrefix(f.do(call), prefix) }, f.primary)
	if took := time.Since(from); took < least || took > most {
		return fmt.Sprintf("%s is answered so after %v, and should be after %v to %v\n", call, took, least, most)
	}
	return f.lines(call)
}

// slack is what a busy machine may take beyond what is due.
const slack = 6 * time.Second

// waitSteps are what is done to all servers alike, and give what comes of it. Each leaves
// both replicas in step.
var waitSteps = []struct {
	name string
	long bool
	do   func(f *waiting) string
}{
	{"nothing written", false, func(f *waiting) string {
		f.acked(2)
		return f.lines("WAIT 0 0", "WAIT -1 0", "WAIT 2 0", "WAIT 3 50")
	}},
	{"bad arguments", false, func(f *waiting) string {
		return f.lines("WAIT x 0", "WAIT 1 -1", "WAIT 1", "WAIT 1 x", "WAIT 1 0 0", "WAIT 0 99999999999999999999")
	}},
	{"a replica of a replica does not count", false, func(f *waiting) string {
		return f.lines("SET a 1", "WAIT 2 20000", "SET a 2", "WAIT 3 500", "WAIT 100 0 0")
	}},
	{"in a pipeline", false, func(f *waiting) string {
		for _, call := range []string{"SET p 1", "WAIT 2 0", "GET p", "INCR p", "WAIT 2 0", "GET p"} {
			f.c.Queue(strings.Fields(call)...)
		}
		must(f.t, f.c.Flush())
		var replies string
		for range 6 {
			replies += f.reply(f.c) + " "
		}
		return replies
	}},
	{"in a transaction", false, func(f *waiting) string {
		f.do("SET a 3")
		f.acked(2)
		f.still(0)
		defer f.ways[0].Restore()
		replies := f.lines("MULTI", "SET a 4", "WAIT 2 0", "WAIT 3 0", "EXEC", "WAIT 1 20000", "WAIT 2 100")
		f.acked(1)
		return replies + f.lines("MULTI", "WAIT 2 0", "EXEC")
	}},
	{"a partition", false, func(f *waiting) string {
		f.still(0)
		replies := f.lines("SET a 5", "WAIT 1 0", "WAIT 2 300", "WAIT 1 300")
		c := f.blocked("WAIT 2 0")
		f.ways[0].Restore()
		return replies + f.reply(c)
	}},
	{"acknowledgements do not come", false, func(f *waiting) string {
		f.ways[1].Still(testutil.Up)
		replies := f.lines("SET a 6", "WAIT 2 300")
		f.ways[1].Restore()
		return replies + f.lines("WAIT 2 20000")
	}},
	{"a link that is cut, and comes back", true, func(f *waiting) string {
		f.ways[0].Down()
		until(f.t, "its end", func() bool { return f.c.Info("replication", "connected_slaves") == "1" }, f.primary)
		replies := f.lines("SET a 7", "WAIT 1 20000", "WAIT 2 100")
		c := f.blocked("WAIT 2 0")
		f.ways[0].Restore()
		return replies + f.reply(c)
	}},
	{"who waits goes away", false, func(f *waiting) string {
		c := f.blocked("WAIT 9 0")
		c.Close()
		until(f.t, "nobody waits", func() bool { return f.c.Info("clients", "blocked_clients") == "0" }, f.primary)
		return f.lines("SET a 8", "WAIT 2 20000")
	}},
	{"CLIENT UNBLOCK", false, func(f *waiting) (replies string) {
		for _, how := range []string{"", " TIMEOUT", " ERROR"} {
			c := f.primary.Conn(f.t, 2)
			id := c.MustOK("CLIENT", "ID").Str
			c.MustOK("SET", "a", "9")
			c.MustOK("WAIT", "2", "20000")
			c.Queue("WAIT", "9", "0")
			must(f.t, c.Flush())
			until(f.t, "a client that waits", func() bool { return f.c.Info("clients", "blocked_clients") == "1" }, f.primary)
			replies += f.do("CLIENT UNBLOCK "+id+how) + " " + f.reply(c) + "\n"
		}
		return replies
	}},
	{"a stopped replica", true, func(f *waiting) string {
		f.stop(1)
		replies := f.lines("SET a 10", "WAIT 1 20000", "WAIT 2 300")
		c := f.blocked("WAIT 2 0")
		must(f.t, f.replicas[1].Signal(syscall.SIGCONT))
		return replies + f.reply(c)
	}},
	{"on a replica", false, func(f *waiting) (replies string) {
		for _, call := range []string{"WAIT 0 0", "WAIT 1 100"} {
			replies += f.replicas[0].Conn(f.t, 2).Do(strings.Fields(call)...).String() + "\n"
		}
		return replies
	}},
	{"min-replicas in a partition", true, func(f *waiting) string {
		replies := f.lines("CONFIG SET min-replicas-to-write 3", "SET a 11", "CONFIG SET min-replicas-to-write 2 min-replicas-max-lag 2", "SET a 12")
		f.still(0)
		replies += f.becomes("SET a 13", "(error) NOREPLICAS", time.Second, 3*time.Second+slack)
		replies += f.lines("GET b", "DEL a", "MULTI", "SET a 14", "EXEC", "MULTI", "GET b", "EXEC", "PUBLISH x y", "WAIT 1 20000", "CONFIG SET min-replicas-to-write 1", "SET a 15", "CONFIG SET min-replicas-to-write 2")
		replies += "good " + f.c.Info("replication", "min_slaves_good_slaves") + "\n"
		f.ways[0].Restore()
		replies += f.becomes("SET a 16", "+OK", 0, slack)
		f.do("MULTI")
		f.do("SET a 17")
		return replies + f.lines("EXEC", "CONFIG SET min-replicas-max-lag 0", "WAIT 2 20000")
	}},
	{"min-replicas with a stopped replica", true, func(f *waiting) string {
		replies := f.lines("CONFIG SET min-replicas-to-write 2 min-replicas-max-lag 2")
		replies += f.becomes("SET a 18", "+OK", 0, slack)
		f.stop(1)
		replies += f.becomes("SET a 19", "(error) NOREPLICAS", time.Second, 3*time.Second+slack)
		must(f.t, f.replicas[1].Signal(syscall.SIGCONT))
		return replies + f.becomes("SET a 20", "+OK", 0, slack)
	}},
	{"min-replicas when a link is cut", true, func(f *waiting) string {
		f.do("CONFIG SET min-replicas-to-write 2 min-replicas-max-lag 10")
		f.ways[1].Down()
		replies := f.becomes("SET a 21", "(error) NOREPLICAS", 0, slack)
		f.ways[1].Restore()
		return replies + f.becomes("SET a 22", "+OK", 0, slack) + f.lines("CONFIG SET min-replicas-to-write 0")
	}},
	{"the primary becomes a replica", false, func(f *waiting) string {
		f.do("CONFIG SET min-replicas-to-write 0")
		c := f.blocked("WAIT 9 0")
		replies := f.lines("REPLICAOF 127.0.0.1 1") + f.reply(c) + " " + f.reply(c) + "\n"
		replies += f.lines("WAIT 0 0", "REPLICAOF NO ONE", "SET a 23")
		until(f.t, "the replicas", func() bool { return f.c.Info("replication", "connected_slaves") == "2" }, f.primary)
		return replies + f.lines("WAIT 2 20000")
	}},
}

// TestReplicationWait: WAIT and min-replicas, step by step beside genuine servers, as primary
// and as replicas: the replies are the same.
func TestReplicationWait(t *testing.T) {
	t.Parallel()
	kinds := [][2]bool{{true, true}, {false, false}, {false, true}, {true, false}}
	if testing.Short() {
		kinds = kinds[:2]
	}
	got := make([]map[string]string, len(kinds))
	t.Run("steps", func(t *testing.T) {
		for i, redis := range kinds {
			got[i] = map[string]string{}
			t.Run(fmt.Sprint(redis), func(t *testing.T) {
				t.Parallel()
				f := newWaiting(t, redis)
				for _, step := range waitSteps {
					if step.long && testing.Short() {
						continue
					}
					from := time.Now()
					got[i][step.name] = step.do(f)
					t.Logf("%s: %v", step.name, time.Since(from))
					for _, r := range f.replicas {
						inStep(t, f.primary, r)
					}
				}
			})
		}
	})
	for i, redis := range kinds {
		for _, step := range waitSteps {
			if want := got[0][step.name]; got[i][step.name] != want {
				t.Errorf("genuine %v, %s:\n%s\nwant\n%s", redis, step.name, got[i][step.name], want)
			}
		}
	}
}

// TestReplicationWaitAOF: WAITAOF, which genuine servers have from 7.2 on, in the same
// conditions.
func TestReplicationWaitAOF(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it waits for disks for seconds")
	}
	f := newWaiting(t, [2]bool{}, "--appendonly", "yes")
	for _, r := range f.replicas {
		until(t, "its file", func() bool { return info(t, r, "aof_starting") == "0" }, r)
	}
	want := func(call, reply string) {
		t.Helper()
		if got := f.do(call); got != reply {
			t.Errorf("%s: %s, want %s", call, got, reply)
		}
	}
	f.do("SET a 1")
	want("WAITAOF 1 2 20000", "*[:1 :2]")
	f.do("SET a 2")
	want("WAITAOF 1 3 2500", "*[:1 :2]") // a replica of a replica does not count
	f.still(0)
	f.do("SET a 3")
	want("WAITAOF 1 1 20000", "*[:1 :1]")
	want("WAITAOF 1 2 300", "*[:1 :1]")
	want("WAITAOF 0 0 0", "*[:1 :1]")
	c := f.blocked("WAITAOF 0 2 0")
	f.ways[0].Restore()
	if got := f.reply(c); got != `"*2\r\n:1\r\n:2\r\n"` && got != `"*2\r\n:0\r\n:2\r\n"` {
		t.Errorf("who waits for a partition's end: %s", got)
	}
	ask(t, f.replicas[1], "CONFIG", "SET", "appendonly", "no")
	f.do("SET a 4")
	want("WAITAOF 1 1 20000", "*[:1 :1]")
	want("WAITAOF 1 2 1500", "*[:1 :1]")
	want("WAIT 2 20000", ":2")
	const off = "(error) ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled."
	c = f.blocked("WAITAOF 1 2 0")
	f.do("CONFIG SET appendonly no")
	if got := f.reply(c); !strings.Contains(got, strings.TrimPrefix(off, "(error) ")) {
		t.Errorf("who waits for a file that is given up: %s", got)
	}
	want("WAITAOF 1 0 0", off)
	want("WAITAOF 0 1 20000", "*[:0 :1]")
	if got := f.replicas[0].Conn(t, 2).Do("WAITAOF", "0", "0", "0"); got.Str != "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are just local and are not propagated." {
		t.Errorf("on a replica: %v", got)
	}
	c = f.blocked("WAITAOF 0 9 0")
	f.do("REPLICAOF 127.0.0.1 1")
	if got := f.reply(c) + f.reply(c); got != `"-UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)\r\n"the end` {
		t.Errorf("the primary becomes a replica: %s", got)
	}
}
