package node_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"

	"dozo/env"
	"dozo/internal/faultfs"
)

// killed ends the node as kill -9 does, and gives what its disk has: nothing is written any
// more, but the system has kept what it was given.
func (m *machine) killed() {
	m.t.Helper()
	noError(m.t, m.node.Close())
}

// TestKilledReplicaGoesOn: a replica with an append only file that was killed goes on from
// where the file ends, in the database that was in force, however often.
func TestKilledReplicaGoesOn(t *testing.T) {
	t.Parallel()
	for _, sync := range []string{"always", "everysec"} {
		t.Run(sync, func(t *testing.T) {
			t.Parallel()
			directives := []string{aofYes, "appendfsync " + sync}
			primary := started(t, newDisk(t), "repl-diskless-sync-delay 0")
			primary.fill()
			replica := started(t, newDisk(t), append(directives, of(primary))...)
			replica.catchesUp(primary)
			replica.settled()
			for i := range 4 {
				primary.write(5)
				primary.do("SELECT 7")
				primary.do(fmt.Sprintf("SET before %d", i))
				replica.catchesUp(primary)
				switch i { // what changes the data changes nothing of what the file is
				case 0:
					replica.do("DEBUG LOADAOF")
				case 1:
					replica.rewrites()
				case 2:
					replica.do("CONFIG SET replica-read-only no")
					replica.do("SET own write")
				}
				replica.killed()
				primary.do(fmt.Sprintf("SET behind %d", i)) // without a SELECT of its own
				primary.do("SELECT 0")
				replica = replica.again(replica.disk, append(directives, of(primary))...)
				replica.catchesUp(primary)
			}
			primary.syncs("1")
		})
	}
}

// rewrites has the append only file rewritten.
func (m *machine) rewrites() {
	m.t.Helper()
	m.until("a rewrite begins", func() bool {
		_, err := m.DoErr("BGREWRITEAOF")
		return err == nil
	})
	m.until("the file is rewritten", func() bool {
		text := m.do("INFO persistence")
		return strings.Contains(text, "aof_rewrite_in_progress:0") && strings.Contains(text, "aof_rewrite_scheduled:0")
	})
}

// TestKilledPrimaryGoesOn: the replicas of a primary with an append only file that was killed
// go on under its new name, also one that had less than the file.
func TestKilledPrimaryGoesOn(t *testing.T) {
	t.Parallel()
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", aofYes)
	primary.fill()
	primary.settled()
	replica, late := started(t, newDisk(t), of(primary)), started(t, newDisk(t), of(primary), kinds["snapshot"])
	replica.catchesUp(primary)
	late.catchesUp(primary)
	for range 3 {
		disk := late.stop("SHUTDOWN")
		primary.do("SELECT 3")
		primary.write(20)
		primary.do("SELECT 0")
		primary.write(5)
		replica.catchesUp(primary)
		former := primary.replication("master_replid")
		primary.killed()
		primary = primary.again(primary.disk, aofYes)
		if got := primary.replication("master_replid"); got == former {
			t.Fatalf("two histories have one name")
		}
		if got := primary.replication("master_replid2"); got != former {
			t.Errorf("master_replid2 is %s, want %s\n%s", got, former, primary.log)
		}
		late = late.again(disk, of(primary), kinds["snapshot"])
		primary.write(3)
		late.catchesUp(primary)
		replica.catchesUp(primary)
		primary.syncs("0")
	}
}

// TestKilledPrimaryComesBack: a primary that was killed and follows its successor goes on where
// it was if that had all of it, and else keeps what only its file had.
func TestKilledPrimaryComesBack(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", aofYes)
		primary.fill()
		primary.settled()
		winner := started(t, newDisk(t), "repl-diskless-sync-delay 0", of(primary))
		winner.catchesUp(primary)
		primary.write(5)
		winner.catchesUp(primary)
		if lost {
			winner.do("REPLICAOF NO ONE")
			primary.until("the replica is gone", func() bool { return primary.replication("connected_slaves") == "0" })
			primary.do("SET only here")
		}
		primary.settled()
		primary.killed()
		if !lost {
			winner.do("REPLICAOF NO ONE")
		}
		winner.write(5)
		primary = primary.again(primary.disk, aofYes)
		primary.follows(winner)
		primary.catchesUp(winner)
		files := primary.rescued()
		if !lost {
			winner.syncs("0")
			if len(files) != 0 {
				t.Errorf("there is nothing to be rescued: %+v", files)
			}
			continue
		}
		winner.syncs("1")
		if len(files) != 1 || files[0].Missing != 0 || !files[0].Known || !bytes.Contains(primary.commandsOf(files[0]), []byte("only")) {
			t.Errorf("files: %+v\n%s", files, primary.log)
		}
	}
}

// TestForeignWrites: what a genuine server, or somebody else, has appended to the file since
// the server was killed is not taken for the history's, though as long as what the history
// went on with.
func TestForeignWrites(t *testing.T) {
	t.Parallel()
	for _, role := range []string{"replica", "primary"} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", aofYes)
			primary.fill()
			primary.settled()
			replica := started(t, newDisk(t), aofYes, "replica-refuse-older-primary no", of(primary))
			replica.catchesUp(primary)
			replica.settled()
			primary.write(5)
			replica.catchesUp(primary)
			foreign := "*3\r\n$3\r\nSET\r\n$7\r\nforeign\r\n$1\r\n1\r\n"
			if role == "replica" {
				replica.killed()
				edit(t, replica.disk, foreign)
				primary.do("SET ordinar 2")
				replica = replica.again(replica.disk, aofYes, of(primary))
			} else {
				primary.do("SET ordinar 2")
				replica.catchesUp(primary)
				primary.killed()
				cut(t, primary.disk, len(foreign)) // the replica is ahead of the file
				edit(t, primary.disk, foreign)
				primary = primary.again(primary.disk, aofYes)
			}
			replica.catchesUp(primary)
			if !strings.Contains(primary.log.String(), "are not those of this history") {
				t.Errorf("the primary does not say so\n%s", primary.log)
			}
		})
	}
}

// TestCopiedFile: two servers that begin with copies of one file, and a third that has followed
// the original, can follow each other in any order.
func TestCopiedFile(t *testing.T) {
	t.Parallel()
	origin := started(t, newDisk(t), "repl-diskless-sync-delay 0", aofYes)
	origin.fill()
	origin.settled()
	third := started(t, newDisk(t), aofYes, of(origin))
	third.catchesUp(origin)
	third.settled()
	origin.write(5)
	third.catchesUp(origin)
	origin.killed()
	one := started(t, origin.disk.CrashClone(1), "repl-diskless-sync-delay 0", aofYes)
	two := started(t, origin.disk.CrashClone(1), "repl-diskless-sync-delay 0", aofYes)
	if a, b := one.replication("master_replid"), two.replication("master_replid"); a == b {
		t.Fatalf("both write the history %s", a)
	}
	two.write(3)
	one.write(7)
	third.follows(one)
	third.catchesUp(one)
	two.follows(one)
	two.catchesUp(one)
	if files := two.rescued(); len(files) != 1 {
		t.Errorf("what only one of the copies was told is not kept: %+v\n%s", files, two.log)
	}
	third.follows(two)
	third.catchesUp(two)
}

// cut takes bytes off the end of the append only file.
func cut(t *testing.T, disk *faultfs.Mem, n int) {
	t.Helper()
	path := lastPart(t, disk)
	info, err := disk.Stat(path)
	noError(t, err)
	f, err := disk.OpenFile(path, env.Append, 0)
	noError(t, err)
	noError(t, f.Truncate(info.Size()-int64(n)))
	noError(t, f.Close())
}

// loserOf is a primary with an append only file that was killed with writes that its successor
// never saw, and both are there again.
func loserOf(t *testing.T) (loser, winner *machine) {
	t.Helper()
	loser = started(t, newDisk(t), "repl-diskless-sync-delay 0", aofYes)
	loser.fill()
	loser.settled()
	winner = started(t, newDisk(t), "repl-diskless-sync-delay 0", of(loser))
	winner.catchesUp(loser)
	loser.write(5)
	winner.catchesUp(loser)
	winner.do("REPLICAOF NO ONE")
	loser.until("the replica is gone", func() bool { return loser.replication("connected_slaves") == "0" })
	loser.do("SET only here")
	winner.do("SET only there")
	loser.killed()
	return loser.again(loser.disk, aofYes), winner
}

// keptOnce checks that what only the loser had is in one file, and nothing else is left.
func (m *machine) keptOnce() {
	m.t.Helper()
	list := m.rescued()
	if len(list) != 1 || list[0].Missing != 0 || !list[0].Known || !bytes.Contains(m.commandsOf(list[0]), []byte("here")) {
		m.t.Errorf("files: %+v\n%s", list, m.log)
	}
	all, err := m.disk.ReadDir("/data")
	noError(m.t, err)
	for _, e := range all {
		if strings.HasPrefix(e.Name(), "temp-rescue") {
			m.t.Errorf("%s is left", e.Name())
		}
	}
}

// TestRescueKilled: a server that is killed while it writes a rescue file, at any point of it,
// has its data still, and writes the file when it comes back.
func TestRescueKilled(t *testing.T) {
	t.Parallel()
	for _, op := range []faultfs.Op{faultfs.Open, faultfs.Write, faultfs.Sync, faultfs.Rename} {
		loser, winner := loserOf(t)
		at, goOn := make(chan struct{}), make(chan struct{})
		var once sync.Once
		loser.fs.Inject(faultfs.Fault{Op: op, Path: "*rescue*", Wait: func() {
			once.Do(func() { close(at) })
			<-goOn
		}})
		loser.follows(winner)
		<-at
		disk := loser.disk.KeepAll()
		close(goOn)
		loser.killed()
		loser = loser.again(disk, aofYes)
		if got := loser.do("GET only"); got != "here" {
			t.Errorf("killed at %v: the data is %q", op, got)
		}
		loser.follows(winner)
		loser.catchesUp(winner)
		loser.keptOnce()
	}
}

// TestRescueAfterCrashNeedsDisk: a primary that was killed does not give its data up while the
// file cannot be written, not even by being killed again.
func TestRescueAfterCrashNeedsDisk(t *testing.T) {
	t.Parallel()
	loser, winner := loserOf(t)
	for range 2 {
		heal := loser.fs.Inject(faultfs.Fault{Op: faultfs.Write, Path: "temp-rescue*", Err: syscall.ENOSPC, Short: 10})
		loser.follows(winner)
		loser.until("the trouble is shown", func() bool { return strings.Contains(loser.replication("dozo_rescue_trouble"), "no space") })
		if got := loser.do("GET only"); got != "here" {
			t.Errorf("the data is %q", got)
		}
		loser.killed()
		heal()
		loser = loser.again(loser.disk, aofYes)
	}
	loser.follows(winner)
	loser.catchesUp(winner)
	loser.keptOnce()
}

// TestRescueOfLittleLog: what the log does not keep of the file's end is missing, and said.
func TestRescueOfLittleLog(t *testing.T) {
	t.Parallel()
	loser, winner := loserOf(t)
	for i := range 400 {
		loser.do(fmt.Sprintf("SET big:%d %s", i, strings.Repeat("x", 3000)))
	}
	loser.killed()
	loser = loser.again(loser.disk, aofYes, "repl-backlog-size 100kb")
	loser.follows(winner)
	loser.catchesUp(winner)
	list := loser.rescued()
	if len(list) != 1 || list[0].Missing == 0 || !list[0].Known || loser.replication("dozo_rescue_incomplete") != "1" {
		t.Errorf("files: %+v\n%s", list, loser.log)
	}
}
