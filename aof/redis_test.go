package aof

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"dozo/arena"
	"dozo/env"
	"dozo/internal/testutil"
	"dozo/logger"
	"dozo/oplog"
	"dozo/rdb"
)

// genuine starts a redis-server with an AOF.
func genuine(t *testing.T, config ...string) *testutil.Server {
	t.Helper()
	program, err := testutil.Oracle()
	if err != nil {
		t.Skip(err)
	}
	s, err := testutil.Start(testutil.Options{Program: program, Config: append([]string{"--appendonly", "yes", "--aof-timestamp-enabled", "yes"}, config...)})
	must(t, err)
	t.Cleanup(s.Stop)
	return s
}

// waitRewrite waits until no rewrite is running or scheduled.
func waitRewrite(t *testing.T, c *testutil.Peer) {
	t.Helper()
	for range 200 {
		if c.Info("persistence", "aof_rewrite_in_progress") == "0" && c.Info("persistence", "aof_rewrite_scheduled") == "0" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the rewrite does not end")
}

// TestGenuineFiles reads what a redis-server has written, with rewrites, with
// both kinds of base.
func TestGenuineFiles(t *testing.T) {
	for _, preamble := range []string{"yes", "no"} {
		s := genuine(t, "--aof-use-rdb-preamble", preamble)
		c := s.Conn(t, 2)
		for round := range 3 {
			for i := range 50 {
				c.MustOK("SET", fmt.Sprint("key:", round, ":", i), "v")
			}
			c.MustOK("SELECT", strconv.Itoa(round))
			c.MustOK("MULTI")
			c.Do("INCR", "n")
			c.Do("RPUSH", "list", "a\r\nb", "")
			c.Do("EXEC")
			c.Do("BGREWRITEAOF")
			waitRewrite(t, c)
		}
		c.MustOK("SET", "last", "1")

		place := Place{FS: env.Real().FS, Dir: s.Dir, Folder: "appendonlydir", Name: "appendonly.aof"}
		store, err := Open(place)
		must(t, err)
		keys, commands, units := 0, 0, 0
		must(t, store.Load(LoadOptions{
			Preamble: func(f io.Reader, size int64) (int64, error) {
				r := rdb.NewReader(f, rdb.ReaderOptions{Size: size})
				for it := (rdb.Item{Kind: rdb.Aux}); it.Kind != rdb.End; {
					if err := r.Next(&it); err != nil {
						return 0, err
					}
					if it.Kind == rdb.Key {
						keys++
					}
				}
				return r.Offset(), nil
			},
			Command: func(c *Command) error {
				commands++
				if string(c.Args[0]) == "MULTI" {
					units++
				}
				return nil
			},
		}))
		must(t, store.Close())
		total, _ := strconv.Atoi(fmt.Sprint(c.Do("DBSIZE").Int()))
		if preamble == "yes" && (keys != 156 || commands != 2) || preamble == "no" && commands < 156 || total == 0 {
			t.Errorf("preamble %s: %d keys, %d commands, %d units; %+v", preamble, keys, commands, units, store.Set())
		}
	}
}

// TestGenuineLoadsOurs has a redis-server load what we wrote, and its tool check
// it: bases, incr files of several rewrites, units, annotations.
func TestGenuineLoadsOurs(t *testing.T) {
	program, err := testutil.Oracle()
	if err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	writeOurs(t, dir)
	if tool, err := exec.LookPath("redis-check-aof"); err == nil {
		out, err := exec.Command(tool, filepath.Join(dir, "appendonlydir", "appendonly.aof.manifest")).CombinedOutput()
		if err != nil {
			t.Errorf("redis-check-aof: %v\n%s", err, out)
		}
	}
	s, err := testutil.Start(testutil.Options{Program: program, Config: []string{"--appendonly", "yes", "--dir", dir}})
	must(t, err)
	defer s.Stop()
	c := s.Conn(t, 2)
	for db := range 3 {
		c.MustOK("SELECT", strconv.Itoa(db))
		if v := c.Do("GET", "n"); string(v.Str) != "30" {
			t.Errorf("n in db %d is %q", db, v.Str)
		}
	}
}

// writeOurs increments a key in each of 3 databases 30 times, with rewrites.
func writeOurs(t *testing.T, dir string) {
	t.Helper()
	real := env.Real()
	a, err := arena.New(arena.Options{Reserve: 64 << 20})
	must(t, err)
	log := oplog.New(a, oplog.Options{})
	defer func() { log.Close(); must(t, a.Close()) }()
	log.Activate(0)
	store, err := Open(Place{FS: real.FS, Dir: dir, Folder: "appendonlydir", Name: "appendonly.aof"})
	must(t, err)
	defer store.Close()
	w := NewWriter(Options{Store: store, Log: log, Gate: log.Gate("aof"), Clock: real.Clock, Logger: logger.New(io.Discard, real.Clock, 1, logger.Notice)}, Settings{Policy: Always, Timestamps: true})
	done := make(chan struct{})
	go func() { w.Run(); close(done) }()
	for round := range 31 {
		if round%10 == 0 {
			rewriteOurs(t, w, round)
		}
		for db := range 3 {
			if round == 30 {
				break
			}
			w.Tick()
			u := log.Begin()
			u.Write(oplog.NoDB, command("MULTI"))
			u.Write(db, command("INCR", "n"))
			u.Write(oplog.NoDB, command("EXEC"))
			u.End()
		}
	}
	must(t, w.Flush())
	w.Stop()
	<-done
}

func rewriteOurs(t *testing.T, w *Writer, n int) {
	t.Helper()
	r, err := w.BeginRewrite(false)
	must(t, err)
	var base []byte
	for db := range 3 {
		base = append(base, command("SELECT", strconv.Itoa(db))...)
		base = append(base, command("SET", "n", strconv.Itoa(n))...)
	}
	must(t, os.WriteFile(r.Path(), base, 0o644))
	if n == 20 {
		r.Abort(errors.New("for a second incr file"))
		return
	}
	must(t, r.Publish())
}
