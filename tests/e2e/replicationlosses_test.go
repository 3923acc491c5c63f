package e2e

import (
	"errors"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/env"
	"dozo/internal/testutil"
	"dozo/rescue"
)

// fleet is a primary and its replicas, and clients that write to who is the primary.
type fleet struct {
	t       *testing.T
	dirs    []string
	servers []*testutil.Server
	ways    []*testutil.Proxy // to each server
	primary int
	ledger  *testutil.Ledger
}

// fleetConfig has all that is acknowledged on the disk, so that what a replica does not have
// of it is still somewhere.
var fleetConfig = []string{"--appendonly", "yes", "--appendfsync", "always", "--save", ""}

func newFleet(t *testing.T, size int) *fleet {
	f := &fleet{t: t, ledger: testutil.NewLedger(8)}
	for i := range size {
		f.dirs = append(f.dirs, t.TempDir())
		f.servers = append(f.servers, again(t, false, f.dirs[i], fleetConfig...))
		f.ways = append(f.ways, testutil.StartProxy(t, f.servers[i].Addr()))
	}
	f.followAll()
	return f
}

// followAll has all follow the primary, and waits until they have what it has.
func (f *fleet) followAll() {
	f.t.Helper()
	for i, s := range f.servers {
		if i != f.primary {
			follow(f.t, s, f.ways[f.primary].Addr())
		}
	}
	for i, s := range f.servers {
		if i != f.primary {
			inStep(f.t, f.servers[f.primary], s)
			until(f.t, "its file", func() bool { return info(f.t, s, "aof_starting") == "0" }, s)
		}
	}
}

// best is the replica that has most.
func (f *fleet) best() (best int) {
	f.t.Helper()
	most := int64(-1)
	for i, s := range f.servers {
		if i == f.primary {
			continue
		}
		at, err := strconv.ParseInt(info(f.t, s, "master_repl_offset"), 10, 64)
		if must(f.t, err); at > most {
			best, most = i, at
		}
	}
	return best
}

// failOver loses the primary under load, by a kill or by a partition in which it takes writes
// still, and makes another one in its place. The former comes back as a replica.
func (f *fleet) failOver(killed bool) {
	f.t.Helper()
	former, way := f.primary, f.ways[f.primary]
	end, err := f.ledger.Begin(f.servers[former].Addr())
	must(f.t, err)
	time.Sleep(300 * time.Millisecond)
	way.Delay(testutil.Down, 200*time.Millisecond) // so that replicas lack something
	time.Sleep(300 * time.Millisecond)
	acked := f.ledger.Acked()
	if killed {
		kill(f.t, f.servers[former])
	}
	way.Down()
	f.primary = f.best()
	if !killed {
		time.Sleep(200 * time.Millisecond)
		acked = f.ledger.Acked()
	}
	must(f.t, end())
	sent := f.ledger.Sent()
	if killed {
		f.servers[former] = again(f.t, false, f.dirs[former], fleetConfig...)
		way.Retarget(f.servers[former].Addr())
	}
	way.Restore()
	promote(f.t, f.servers[f.primary])
	had, err := f.ledger.Check(f.servers[former].Addr(), acked, sent)
	must(f.t, err) // the former primary has all of it, after a kill, too
	kept, err := f.ledger.Check(f.servers[f.primary].Addr(), make([]int, len(sent)), sent)
	must(f.t, err)
	before := f.rescued(former)
	f.followAll()
	f.explain(former, had, kept, f.rescued(former)[len(before):])
	f.ledger.Continue(kept)
	if _, err := f.ledger.Check(f.servers[former].Addr(), kept, kept); err != nil {
		f.t.Error(err)
	}
}

// rescued are the rescue files of a server.
func (f *fleet) rescued(i int) []rescue.File {
	f.t.Helper()
	list, faults, err := rescue.List(env.Real().FS, f.dirs[i])
	must(f.t, errors.Join(append(faults, err)...))
	return list
}

// explain compares what the new primary lacks of the former's writes with a rescue file.
func (f *fleet) explain(former int, had, kept []int, files []rescue.File) {
	f.t.Helper()
	lost := 0
	for i := range had {
		lost += had[i] - kept[i]
	}
	f.t.Logf("the new primary lacks %d writes of the former; rescue files: %d", lost, len(files))
	if lost == 0 && len(files) == 0 {
		return
	}
	if len(files) != 1 {
		f.t.Fatalf("%d rescue files for %d lost writes\n%s\n%s", len(files), lost, f.servers[former].Log(), f.servers[f.primary].Log())
	}
	if file := files[0]; !file.Known || file.Missing != 0 || info(f.t, f.servers[former], "dozo_rescue_incomplete") != "0" {
		f.t.Errorf("the file is not all: %+v", file.Head)
	}
	counts := f.countWrites(filepath.Join(f.dirs[former], files[0].Name))
	for i, key := range f.ledger.Keys() {
		if counts[i] != had[i]-kept[i] {
			f.t.Errorf("%s: the new primary has %d of %d writes, and the rescue file %d", key, kept[i], had[i], counts[i])
		}
	}
	out := runProgram(f.t, "", dozoBinary(f.t), "rescue", "show", filepath.Join(f.dirs[former], files[0].Name))
	if out.code != 0 || lost > 0 && !strings.Contains(out.out, "key") {
		f.t.Errorf("dozo rescue show: %+v", out)
	}
}

// countWrites counts the writes of each client in a rescue file.
func (f *fleet) countWrites(path string) []int {
	f.t.Helper()
	r, err := rescue.Open(env.Real().FS, path)
	must(f.t, err)
	defer r.Close()
	keys := f.ledger.Keys()
	counts := make([]int, len(keys))
	for {
		cmd, err := r.Next()
		if err == io.EOF {
			break
		}
		must(f.t, err)
		for i, key := range keys {
			for _, arg := range cmd.Args[1:] {
				if strings.HasPrefix(string(arg), key) && string(cmd.Args[0]) != "DEL" {
					counts[i]++ // a DEL follows a SET
				}
			}
		}
	}
	for i, key := range keys {
		if strings.HasPrefix(key, "pair") {
			counts[i] /= 2 // one in each of two databases
		}
	}
	return counts
}

// TestReplicationLossesExplained: primaries are killed, or cut off while clients still write
// to them, one after the other; the replica that has most takes over each time. What it has
// of each client is what that one wrote first. The rest of what was acknowledged is in the
// file in which the former primary keeps what the new one never saw, also after a kill, since
// its append only file has it; and that has nothing else.
func TestReplicationLossesExplained(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		f.failOver(round%2 == 0)
	}
}
