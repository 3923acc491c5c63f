package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dozo/check"
	"dozo/env"
	"dozo/internal/faultfs"
	"dozo/internal/testutil"
	"dozo/oplog"
	"dozo/rescue"
)

// splitBrain promotes the replica behind its primary's back, and lets both take writes.
// What the primary was told to do since is in writes: SELECT where it stood, and the rest as
// it is logged.
func splitBrain(t *testing.T, directives ...string) (loser, winner *machine, writes []byte) {
	t.Helper()
	loser, winner = pairOf(t, directives...)
	loser.write(20)
	winner.catchesUp(loser)
	winner.do("REPLICAOF NO ONE")
	loser.until("the replica is gone", func() bool { return loser.replication("connected_slaves") == "0" })
	return loser, winner, diverge(loser, winner)
}

func diverge(loser, winner *machine) (writes []byte) {
	add := func(words ...string) {
		args := make([][]byte, len(words))
		for i, w := range words {
			args[i] = []byte(w)
		}
		writes = oplog.AppendCommand(writes, args...)
	}
	loser.do("SELECT 0")
	add("SELECT", "0")
	for i := range 50 {
		for _, line := range []string{fmt.Sprintf("SET only:%d here", i), fmt.Sprintf("RPUSH lost %d", i), "INCR counter"} {
			loser.do(line)
			add(strings.Fields(line)...)
		}
	}
	loser.do("MULTI")
	loser.do("SET tx lost")
	loser.do("INCR tx2")
	loser.do("EXEC")
	for _, line := range []string{"MULTI", "SET tx lost", "INCR tx2", "EXEC", "SELECT 4", "SET four 4"} {
		add(strings.Fields(line)...)
	}
	loser.do("SELECT 4")
	loser.do("SET four 4")
	loser.do("SELECT 0")
	winner.do("SET only:1 there")
	winner.write(7)
	return writes
}

// rescued are the files of a disk.
func (m *machine) rescued() []rescue.File {
	m.t.Helper()
	list, faults, err := rescue.List(m.disk, "/data")
	noError(m.t, errors.Join(append(faults, err)...))
	return list
}

// commandsOf are the bytes of a file as they were in the log: without its annotations and the
// SELECT that it begins with.
func (m *machine) commandsOf(f rescue.File) []byte {
	m.t.Helper()
	r, err := rescue.Open(m.disk, filepath.Join("/data", f.Name))
	noError(m.t, err)
	defer r.Close()
	all, err := m.disk.ReadFile(filepath.Join("/data", f.Name))
	noError(m.t, err)
	var b []byte
	for {
		cmd, err := r.Next()
		if err != nil {
			if err != io.EOF || !bytes.HasPrefix(b, []byte("*2\r\n$6\r\nSELECT\r\n")) {
				m.t.Fatalf("%s: %v behind %q", f.Name, err, b)
			}
			return b[len("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"):]
		}
		b = append(b, all[cmd.Offset:cmd.End]...)
	}
}

// TestRescue: what a demoted primary wrote and the new one never saw is in a file, byte for
// byte, and in no other; INFO and the log say so.
func TestRescue(t *testing.T) {
	t.Parallel()
	loser, winner, want := splitBrain(t)
	history := loser.replication("master_replid")
	loser.follows(winner)
	loser.catchesUp(winner)
	list := loser.rescued()
	if len(list) != 1 {
		t.Fatalf("%d files\n%s", len(list), loser.log)
	}
	f := list[0]
	if got := loser.commandsOf(f); !bytes.Equal(got, want) {
		t.Errorf("the file has\n%q\nwant\n%q", got, want)
	}
	if !f.Known || f.Missing != 0 || f.History != history || f.Fork != f.From || f.To <= f.From || f.Time.IsZero() {
		t.Errorf("the head: %+v", f.Head)
	}
	if got := loser.replication("dozo_rescue_files") + " " + loser.replication("dozo_rescue_last_name"); got != "1 "+f.Name {
		t.Errorf("INFO: %s", got)
	}
	if got := loser.replication("dozo_rescue_incomplete"); got != "0" {
		t.Errorf("%s were not complete\n%s", got, loser.log)
	}
	if !strings.Contains(loser.log.String(), "153 commands of 55 keys") {
		t.Errorf("the log says nothing\n%s", loser.log)
	}
	// A further resync has nothing to keep.
	loser.do("REPLICAOF NO ONE")
	loser.follows(winner)
	loser.catchesUp(winner)
	if n := len(loser.rescued()); n != 1 {
		t.Errorf("%d files after another resync", n)
	}
}

// TestRescueAheadOfSibling: a replica that was ahead of the promoted one keeps what only it
// has of the former primary.
func TestRescueAheadOfSibling(t *testing.T) {
	t.Parallel()
	primary, winner := pairOf(t)
	ahead := started(t, newDisk(t), "repl-diskless-sync-delay 0")
	ahead.follows(primary)
	ahead.catchesUp(primary)
	winner.catchesUp(primary)
	winner.do("REPLICAOF NO ONE")
	winner.do("SET new history")
	primary.do("SET seen by-one")
	ahead.catchesUp(primary)
	ahead.follows(winner)
	ahead.catchesUp(winner)
	list := ahead.rescued()
	if len(list) != 1 || !bytes.Contains(ahead.commandsOf(list[0]), []byte("by-one")) {
		t.Errorf("files: %+v\n%s", list, ahead.log)
	}
}

// TestNothingToRescue: a replica without writes of its own leaves no file, whatever it drops.
func TestNothingToRescue(t *testing.T) {
	t.Parallel()
	primary, replica := pairOf(t)
	primary.do("SET a b")
	replica.catchesUp(primary)
	other := started(t, newDisk(t), "repl-diskless-sync-delay 0")
	other.follows(replica)
	other.catchesUp(replica)
	replica.do("REPLICAOF NO ONE")
	replica.do("SET a c")
	other.catchesUp(replica)
	primary.follows(replica)
	primary.catchesUp(replica)
	for _, m := range []*machine{primary, other} {
		if n := len(m.rescued()); n != 0 {
			t.Errorf("%d files\n%s", n, m.log)
		}
	}
}

// TestRescueNeedsDisk: while the file cannot be written the data stays, and the primary makes
// no snapshot for nothing again and again; then it is written and the data is taken.
func TestRescueNeedsDisk(t *testing.T) {
	t.Parallel()
	loser, winner, want := splitBrain(t)
	heal := loser.fs.Inject(faultfs.Fault{Op: faultfs.Write, Path: "temp-rescue*", Err: syscall.ENOSPC})
	loser.follows(winner)
	loser.until("the trouble is shown", func() bool {
		return strings.Contains(loser.replication("dozo_rescue_trouble"), "no space")
	})
	tries := loser.fs.Calls(faultfs.Write)
	loser.until("it is tried again", func() bool { return loser.fs.Calls(faultfs.Write) > tries+2 })
	if got := loser.do("GET only:1"); got != "here" {
		t.Errorf("the data is %q", got)
	}
	if full := winner.stat("sync_full"); full != "1" {
		t.Errorf("%s snapshots were asked for", full)
	}
	heal()
	loser.catchesUp(winner)
	list := loser.rescued()
	if len(list) != 1 || !bytes.Equal(loser.commandsOf(list[0]), want) {
		t.Errorf("files: %+v\n%s", list, loser.log)
	}
	if got := loser.replication("dozo_rescue_trouble"); got != "" {
		t.Errorf("the trouble is still %q", got)
	}
}

// TestRescueBestEffort: who prefers a replica to the file gets it, and is told what it cost.
func TestRescueBestEffort(t *testing.T) {
	t.Parallel()
	loser, winner, _ := splitBrain(t, "repl-rescue best-effort", "repl-rescue-max-bytes 100")
	loser.follows(winner)
	loser.catchesUp(winner)
	if got := loser.replication("dozo_rescue_incomplete"); got != "1" || len(loser.rescued()) != 0 {
		t.Errorf("INFO tells of %s\n%s", got, loser.log)
	}
	if !strings.Contains(loser.log.String(), "are lost: no rescue file could be written") {
		t.Errorf("the log does not say so\n%s", loser.log)
	}
}

// TestRescueBound: the bound holds the data as a full disk does, until it is raised.
func TestRescueBound(t *testing.T) {
	t.Parallel()
	loser, winner, _ := splitBrain(t, "repl-rescue-max-bytes 100")
	loser.follows(winner)
	loser.until("the trouble is shown", func() bool {
		return strings.Contains(loser.replication("dozo_rescue_trouble"), "repl-rescue-max-bytes")
	})
	loser.do("CONFIG SET repl-rescue-max-bytes 1mb")
	loser.catchesUp(winner)
	if n := len(loser.rescued()); n != 1 {
		t.Errorf("%d files", n)
	}
}

// TestRescueTrimmed: of a tail that the log no longer has whole, the rest is kept, from where
// a command begins, and it is said what is missing.
func TestRescueTrimmed(t *testing.T) {
	t.Parallel()
	loser, winner, _ := splitBrain(t, "repl-backlog-size 16384", "repl-backlog-time 0")
	value := strings.Repeat("x", 3000)
	for i := range 400 {
		loser.do(fmt.Sprintf("SET big:%d %s", i, value))
	}
	loser.follows(winner)
	loser.catchesUp(winner)
	list := loser.rescued()
	if len(list) != 1 || list[0].Missing == 0 || list[0].From-list[0].Missing != list[0].Fork {
		t.Fatalf("files: %+v\n%s", list, loser.log)
	}
	got := loser.commandsOf(list[0])
	end := oplog.AppendCommand(nil, []byte("SET"), []byte("big:399"), []byte(value))
	if !bytes.HasSuffix(got, end) || !bytes.HasPrefix(got, []byte("*3\r\n$3\r\nSET\r\n$7\r\nbig:")) {
		t.Errorf("the file begins with %q", got[:min(len(got), 100)])
	}
	if got := loser.replication("dozo_rescue_incomplete"); got != "1" {
		t.Errorf("INFO tells of %s that are not complete", got)
	}
}

// TestRescueThenCrash: a crash between the file and the resync loses neither, and the next
// start does not write the file again.
func TestRescueThenCrash(t *testing.T) {
	t.Parallel()
	loser, winner, want := splitBrain(t)
	winner.do("CONFIG SET rdb-key-save-delay 3000")
	loser.follows(winner)
	loser.until("the file is there", func() bool { return len(loser.rescued()) == 1 })
	disk := loser.disk.CrashClone(1)
	again := started(t, disk)
	list := again.rescued()
	if len(list) != 1 || !bytes.Equal(again.commandsOf(list[0]), want) {
		t.Fatalf("files: %+v\n%s", list, again.log)
	}
	winner.do("CONFIG SET rdb-key-save-delay 0")
	again.follows(winner)
	again.catchesUp(winner)
	if n := len(again.rescued()); n != 1 {
		t.Errorf("%d files", n)
	}
}

// TestRescueFromGenuine: the new primary is a genuine server, which tells its last two names
// only.
func TestRescueFromGenuine(t *testing.T) {
	t.Parallel()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	redis := testutil.StartRedis(t, "--repl-diskless-sync-delay", "0", "--enable-debug-command", "yes")
	c := redis.Conn(t, 2)
	loser := started(t, newDisk(t), "repl-diskless-sync-delay 0", "rdb-version 10")
	loser.do("SET a b")
	winner := &machine{t: t, log: loser.log, Conn: dialed(t, redis.Addr())}
	winner.do("REPLICAOF " + strings.Replace(loser.node.Addrs()[0].String(), ":", " ", 1))
	winner.until("the link is up", func() bool { return winner.replication("master_link_status") == "up" })
	loser.write(5)
	winner.until("it has caught up", func() bool {
		return winner.replication("master_repl_offset") == loser.replication("master_repl_offset")
	})
	c.MustOK("REPLICAOF", "NO", "ONE")
	loser.until("the replica is gone", func() bool { return loser.replication("connected_slaves") == "0" })
	want := diverge(loser, winner)
	host, port, _ := strings.Cut(redis.Addr(), ":")
	loser.do("REPLICAOF " + host + " " + port)
	loser.catchesUp(winner)
	list := loser.rescued()
	if len(list) != 1 || !bytes.Equal(loser.commandsOf(list[0]), want) {
		t.Errorf("files: %+v\n%s", list, loser.log)
	}
}

// TestRescueIsAOF: the tools for append only files accept the file, and a genuine server loads
// it.
func TestRescueIsAOF(t *testing.T) {
	t.Parallel()
	loser, winner, _ := splitBrain(t)
	loser.follows(winner)
	loser.catchesUp(winner)
	content, err := loser.disk.ReadFile("/data/" + loser.rescued()[0].Name)
	noError(t, err)
	dir := t.TempDir()
	path := filepath.Join(dir, "appendonly.aof")
	noError(t, os.WriteFile(path, content, 0o600))
	var out bytes.Buffer
	if status := check.AOF([]string{path}, env.Real(), strings.NewReader(""), &out); status != 0 {
		t.Errorf("%d: %s", status, &out)
	}
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	if out, err := exec.Command("redis-check-aof", path).CombinedOutput(); err != nil {
		t.Errorf("redis-check-aof: %v, %s", err, out)
	}
	redis := testutil.StartRedis(t, "--dir", dir, "--appendonly", "yes")
	if got := redis.Conn(t, 2).Do("GET", "only:49").Str; got != "here" {
		t.Errorf("a genuine server has %q", got)
	}
}

func dialed(t *testing.T, addr string) *testutil.Conn {
	t.Helper()
	c, err := testutil.Dial(addr)
	noError(t, err)
	t.Cleanup(c.Close)
	return c
}
