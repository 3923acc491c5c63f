package aof

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"dozo/arena"
	"dozo/env"
	"dozo/logger"
	"dozo/oplog"
)

// killDirVar tells the test binary that it is the process to be killed, and
// where its files are.
const killDirVar = "DOZO_AOF_KILL_DIR"

// TestKill kills a process again and again that counts in four databases with
// appendfsync always, under rewrites, and says what it was promised: all of that
// is there afterwards, and nothing is there twice.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killDirVar); dir != "" {
		count(t, dir)
		return
	}
	rounds := 20
	if testing.Short() {
		rounds = 4
	}
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var promised [4]int
	for round := range rounds {
		killOnce(t, dir, time.Duration(20+rnd.IntN(150))*time.Millisecond, &promised)
		store, err := Open(Place{FS: env.Real().FS, Dir: dir, Folder: "appendonlydir", Name: "appendonly.aof"})
		must(t, err)
		counts, err := countsOf(store)
		must(t, err)
		must(t, store.Close())
		for db := range promised {
			if counts[db] < promised[db] {
				t.Fatalf("round %d: db %d counts %d, promised were %d", round, db, counts[db], promised[db])
			}
		}
	}
	t.Logf("promised and kept: %v", promised)
}

// killOnce runs the process for a while and notes what it says.
func killOnce(t *testing.T, dir string, after time.Duration, promised *[4]int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), killDirVar+"="+dir)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	var kill *time.Timer
	for lines.Scan() {
		if kill == nil { // it is at work
			kill = time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		var db, n int
		if k, _ := fmt.Sscanf(lines.Text(), "promised %d %d.", &db, &n); k == 2 && lines.Text() == fmt.Sprintf("promised %d %d.", db, n) {
			promised[db] = n
		}
	}
	if err := cmd.Wait(); err == nil || kill == nil {
		t.Fatalf("the process ended by itself: %v", err)
	}
}

// countsOf loads the counters, each of which must go up by one at a time.
func countsOf(s *Store) (counts [4]int, err error) {
	db := 0
	return counts, s.Load(LoadOptions{Truncated: true, Command: func(c *Command) error {
		switch string(c.Args[0]) {
		case "SELECT":
			db, _ = strconv.Atoi(string(c.Args[1]))
		case "START":
			counts[db], _ = strconv.Atoi(string(c.Args[1]))
		case "COUNT":
			if n, _ := strconv.Atoi(string(c.Args[1])); n != counts[db]+1 {
				return fmt.Errorf("in db %d %d follows %d", db, n, counts[db])
			}
			counts[db]++
		}
		return nil
	}})
}

// count is the process to be killed.
func count(t *testing.T, dir string) {
	real := env.Real()
	a, err := arena.New(arena.Options{Reserve: 256 << 20})
	must(t, err)
	log := oplog.New(a, oplog.Options{})
	store, err := Open(Place{FS: real.FS, Dir: dir, Folder: "appendonlydir", Name: "appendonly.aof"})
	must(t, err)
	store.Tidy(false)
	counts, err := countsOf(store)
	must(t, err)
	log.Activate(0)
	gate := log.Gate("aof")
	w := NewWriter(Options{Store: store, Log: log, Gate: gate, Clock: real.Clock, Logger: logger.New(io.Discard, real.Clock, 1, logger.Notice)}, Settings{Policy: Always})
	if len(store.Set().Parts) > 0 {
		must(t, w.Resume())
	}
	go w.Run()
	var alone sync.RWMutex
	rewriteCounts(t, w, &alone, &counts)
	for db := range counts {
		go func() {
			wake := oplog.NewSignal()
			wait := gate.NewWaiter(func(uint64) { wake.Notify() })
			for {
				alone.RLock()
				counts[db]++
				n := counts[db]
				end := log.Append(db, command("COUNT", strconv.Itoa(n)))
				alone.RUnlock()
				for wait.Want(end) {
					<-wake
				}
				fmt.Printf("promised %d %d.\n", db, n)
			}
		}()
	}
	for {
		time.Sleep(5 * time.Millisecond)
		rewriteCounts(t, w, &alone, &counts)
	}
}

// rewriteCounts does a whole rewrite.
func rewriteCounts(t *testing.T, w *Writer, alone *sync.RWMutex, counts *[4]int) {
	alone.Lock()
	r, err := w.BeginRewrite(false)
	now := *counts
	alone.Unlock()
	must(t, err)
	var base []byte
	for db, n := range now {
		base = append(base, command("SELECT", strconv.Itoa(db))...)
		base = append(base, command("START", strconv.Itoa(n))...)
	}
	f, err := env.Real().FS.OpenFile(r.Path(), env.Create, 0o644)
	must(t, err)
	_, err = f.Write(base)
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
	must(t, r.Publish())
}
