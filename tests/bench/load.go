package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"dozo/internal/testutil"
)

// loadKeys is how many strings are loaded: keys of 16 bytes with values of 64.
const loadKeys = 10_000_000

// loadFigures are of one start with data.
type loadFigures struct {
	seconds, cpu paired
	resident     paired // MiB when all is loaded
	extra        paired // and how much more than used_memory it was at the worst moment, as a share
}

// rewriteFigures are of one BGREWRITEAOF.
type rewriteFigures struct {
	seconds, cpu paired
	extra        paired // resident memory at the worst moment beyond before, as a share
}

// dataKind is something to load, as files that Redis has written.
type dataKind struct {
	name   string
	aof    bool
	fill   func(*bench, *testutil.Server) error
	config []string
}

var dataKinds = []dataKind{
	{"strings, RDB", false, (*bench).fillStrings, nil},
	{"mixed values, RDB", false, (*bench).fillMixed, nil},
	{"strings, commands", true, (*bench).fillStrings, []string{"--aof-use-rdb-preamble", "no"}},
}

func (b *bench) fillStrings(s *testutil.Server) error { return load(s, b.scaled(loadKeys), 0) }

func (b *bench) fillMixed(s *testutil.Server) error {
	return b.mixedData().fill(s, b.scaled(giantSize))
}

// loading starts both servers on the same files, which Redis has written, and rewrites
// the append only file. The servers have one core.
func (b *bench) loading() error {
	dir, err := os.MkdirTemp("", "dozo-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := testutil.DozoOptions(testutil.Plain); err != nil { // it is built before any start is timed
		return err
	}
	loads := make([]loadFigures, len(dataKinds))
	rewrites := make([]rewriteFigures, 2) // with the preamble and without
	for i, k := range dataKinds {
		if err := b.loadRounds(filepath.Join(dir, strconv.Itoa(i)), k, &loads[i], rewrites); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	b.print("\n## Loading and rewriting\n\nStarts with files that Redis has written: %d strings of 64 bytes with keys of 16, or the mixed data of the saves (%d keys). Rewrites are of the strings, by a server that has nothing else to do. "+
		"Extra memory is the most that was resident beyond used_memory after the load, or beyond what was resident before the rewrite; for Redis with what its child says it had copied.\n",
		b.scaled(loadKeys), b.scaled(snapshotKeys))
	b.table("figure", "Redis", "Dozo", "ratio")
	for i, k := range dataKinds {
		loads[i].report(b, k.name)
	}
	for i, name := range []string{"rewrite as RDB", "rewrite as commands"} {
		rewrites[i].report(b, name)
	}
	return nil
}

func (f *loadFigures) report(b *bench, name string) {
	b.paired(name+": seconds", &f.seconds, "%.2f")
	b.paired(name+": CPU seconds", &f.cpu, "%.2f")
	b.paired(name+": resident after, MiB", &f.resident, "%.0f")
	b.paired(name+": extra memory, share", &f.extra, "%.3f")
	b.target("loading "+name+": time, ratio", f.seconds.ratio(), 1, true)
	b.target("loading "+name+": extra memory, share", f.extra.of(dozo), 0.1, true)
}

func (f *rewriteFigures) report(b *bench, name string) {
	b.paired(name+": seconds", &f.seconds, "%.2f")
	b.paired(name+": CPU seconds", &f.cpu, "%.2f")
	b.paired(name+": extra memory, share", &f.extra, "%.3f")
	b.target(name+": extra memory, share", f.extra.of(dozo), 0.1, true)
}

// loadRounds has Redis write the files, and both load them.
func (b *bench) loadRounds(dir string, k dataKind, f *loadFigures, rw []rewriteFigures) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := b.writeFiles(dir, k); err != nil {
		return err
	}
	for round := range b.rounds {
		for _, c := range order(round) {
			if err := b.loadOnce(c, dir, k, f, rw); err != nil {
				return fmt.Errorf("%v: %w", c, err)
			}
		}
	}
	return nil
}

// on is the configuration for files of a kind in a folder.
func (k *dataKind) on(dir string) []string {
	config := append([]string{"--dir", dir, "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"}, k.config...)
	if k.aof {
		config = append(config, "--appendonly", "yes")
	}
	return config
}

func (b *bench) writeFiles(dir string, k dataKind) error {
	s, err := b.start(redis, b.serverCPU+","+b.clientCPU, nil, k.on(dir)...)
	if err != nil {
		return err
	}
	defer s.Stop()
	if err := k.fill(b, s); err != nil {
		return err
	}
	if k.aof {
		sv, err := newSaver(redis, s, 0)
		if err != nil {
			return err
		}
		defer sv.control.Close()
		return b.rewrite(sv, nil)
	}
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetTimeout(savePatience)
	if v, err := c.DoErr("SAVE"); err != nil || v.IsError() {
		return fmt.Errorf("SAVE: %v, %w", v, err)
	}
	return nil
}

// loadOnce starts a server on the files. Then it rewrites, if they are commands: into
// another folder that has the same files.
func (b *bench) loadOnce(c candidate, from string, k dataKind, f *loadFigures, rw []rewriteFigures) error {
	dir := from + ".links"
	if out, err := exec.Command("cp", "-al", from, dir).CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	defer os.RemoveAll(dir)
	began := time.Now()
	s, err := b.start(c, b.serverCPU, nil, k.on(dir)...)
	if err != nil {
		return err
	}
	defer s.Stop()
	took := time.Since(began)
	cpu, err := cpuOf(s)
	if err != nil {
		return err
	}
	used, resident, err := footprint(s)
	if err != nil {
		return err
	}
	most, _, err := testutil.Peaks(s.Pid)
	if err != nil {
		return err
	}
	f.seconds.add(c, took.Seconds())
	f.cpu.add(c, cpu.Seconds())
	f.resident.add(c, resident/(1<<20))
	f.extra.add(c, float64(most)/used-1)
	if !k.aof {
		return nil
	}
	return b.rewriteBoth(c, s, rw)
}

// rewriteBoth rewrites the append only file in both forms.
func (b *bench) rewriteBoth(c candidate, s *testutil.Server, rw []rewriteFigures) error {
	sv, err := newSaver(c, s, 0)
	if err != nil {
		return err
	}
	defer sv.control.Close()
	for i, preamble := range []string{"yes", "no"} {
		if v, err := sv.control.DoErr("CONFIG", "SET", "aof-use-rdb-preamble", preamble); err != nil || v.IsError() {
			return fmt.Errorf("CONFIG SET: %v, %w", v, err)
		}
		if err := b.rewrite(sv, &rw[i]); err != nil {
			return err
		}
	}
	return nil
}

// rewrite runs BGREWRITEAOF to its end.
func (b *bench) rewrite(sv *saver, f *rewriteFigures) error {
	if err := sv.begin("BGREWRITEAOF"); err != nil {
		return err
	}
	if err := sv.await(); err != nil || f == nil {
		return err
	}
	cpu, err := allCPU(sv.s)
	if err != nil {
		return err
	}
	f.seconds.add(sv.c, time.Since(sv.began).Seconds())
	f.cpu.add(sv.c, (cpu - sv.cpu).Seconds())
	f.extra.add(sv.c, sv.most.resident/sv.before.resident-1)
	return nil
}
