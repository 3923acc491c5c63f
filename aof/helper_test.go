package aof

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/arena"
	"dozo/env"
	"dozo/internal/faultfs"
	"dozo/logger"
	"dozo/oplog"
	"dozo/text"
)

// clock stands still until it is moved.
type clock struct{ now time.Duration }

func (c *clock) Wall() time.Duration      { return 1_700_000_000*time.Second + c.now }
func (c *clock) Monotonic() time.Duration { return c.now }

// events counts what the writer reports.
type events struct {
	took    map[string]int
	changes int
}

func (e *events) Took(event string, _ time.Duration) { e.took[event]++ }
func (e *events) Changed()                           { e.changes++ }

// world is a writer with all around it, driven step by step.
type world struct {
	t      testing.TB
	disk   *faultfs.Mem
	fs     *faultfs.FS
	place  Place
	clock  *clock
	arena  *arena.Arena
	log    *oplog.Log
	gate   *oplog.Gate
	store  *Store
	w      *Writer
	events *events
	lines  *bytes.Buffer // of the log

	units []unit // what was appended, all of it
	next  int    // number of the next command
}

// unit is what was appended at once: the commands' numbers.
type unit struct {
	db   int
	ids  []int
	end  uint64 // in the log; 0 in the log of a former life
	kept bool   // the gate has passed it, in this life or a former one
}

const testDir = "/data"

func command(args ...string) []byte {
	b := oplog.AppendHeader(nil, len(args))
	for _, a := range args {
		b = oplog.AppendArgString(b, a)
	}
	return b
}

// newDisk is a disk with the folder `dir`.
func newDisk(t testing.TB) *faultfs.Mem {
	disk := faultfs.New()
	must(t, disk.Mkdir(testDir, 0o755))
	must(t, disk.SyncDir("/"))
	return disk
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func placeOn(fs env.FS) Place {
	return Place{FS: fs, Dir: testDir, Folder: "appendonlydir", Name: "appendonly.aof"}
}

// boot starts on a disk; what it has is loaded and compared by the caller.
func boot(t testing.TB, disk *faultfs.Mem, settings Settings) (*world, []got) {
	t.Helper()
	d := &world{t: t, disk: disk, fs: faultfs.Wrap(disk), clock: &clock{now: time.Hour}, lines: &bytes.Buffer{}}
	d.place = placeOn(d.fs)
	var err error
	d.arena, err = arena.New(arena.Options{Reserve: 16 << 20})
	must(t, err)
	d.log = oplog.New(d.arena, oplog.Options{})
	t.Cleanup(d.close)
	d.gate = d.log.Gate("aof")
	d.store, err = Open(d.place)
	must(t, err)
	d.store.Tidy(false)
	loaded := load(t, d.store)
	d.log.Activate(0)
	d.events = &events{took: map[string]int{}}
	d.w = NewWriter(Options{
		Store: d.store, Log: d.log, Gate: d.gate, Clock: d.clock, Events: d.events,
		Logger: logger.New(d.lines, d.clock, 1, logger.Debug),
	}, settings)
	d.w.launch = d.w.arrive // within the step
	return d, loaded
}

// started is a world whose writer is On with an empty base.
func started(t testing.TB, settings Settings) *world {
	t.Helper()
	d, _ := boot(t, newDisk(t), settings)
	must(t, d.rewrite())
	if d.w.State() != On {
		t.Fatalf("the state is %v after a rewrite", d.w.State())
	}
	return d
}

func (d *world) close() {
	if d.log == nil {
		return
	}
	if d.w != nil {
		d.w.Stop()
		d.w.Run()
	}
	_ = d.store.Close()
	d.log.Close()
	must(d.t, d.arena.Close())
	d.log = nil
}

// append appends a unit of so many commands, as a transaction if there are more
// than one.
func (d *world) append(db, n int, pad string) {
	u := unit{db: db}
	lu := d.log.Begin()
	if n > 1 {
		lu.Write(oplog.NoDB, command("MULTI"))
	}
	for range n {
		lu.Write(db, command("SET", strconv.Itoa(d.next), pad))
		u.ids = append(u.ids, d.next)
		d.next++
	}
	if n > 1 {
		lu.Write(oplog.NoDB, command("EXEC"))
	}
	u.end = lu.End()
	d.units = append(d.units, u)
}

// step lets the writer work, and takes note of what the gate has passed.
func (d *world) step() {
	if !d.w.step() {
		d.t.Fatal("the writer has ended")
	}
	d.w.background.Wait()
	for i := range d.units {
		if u := &d.units[i]; u.end != 0 && u.end <= d.gate.Passed() && d.strict() {
			u.kept = true
		}
	}
}

// strict tells whether the gate's word is about the disk.
func (d *world) strict() bool { return d.w.settings.Load().Policy != No }

// pass lets time go by.
func (d *world) pass(by time.Duration) {
	d.clock.now += by
	d.w.Tick()
	d.step()
}

// writeBase writes a base that holds all that was appended before r.
func (d *world) writeBase(r *Rewrite, units []unit) error {
	f, err := d.fs.OpenFile(r.Path(), env.Create, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	var b []byte
	for _, u := range units {
		b = append(b, command("SELECT", strconv.Itoa(u.db))...)
		for _, id := range u.ids {
			b = append(b, command("SET", strconv.Itoa(id), "")...)
		}
	}
	if _, err := f.Write(b); err != nil {
		return err
	}
	return f.Sync()
}

// rewrite does a whole rewrite.
func (d *world) rewrite() error {
	d.t.Helper()
	r, err := d.w.BeginRewrite(false)
	if err != nil {
		return err
	}
	d.step()
	if err := d.writeBase(r, d.units); err != nil {
		r.wish(true, err)
		d.step()
		return err
	}
	r.wish(true, nil)
	d.step()
	select {
	case <-r.Done():
		return r.Err()
	default:
		d.t.Fatal("the rewrite did not end")
		return nil
	}
}

// wish is what Publish and Abort do before they wait.
func (r *Rewrite) wish(publish bool, abort error) {
	r.mu.Lock()
	r.publish, r.abort = publish, abort
	r.mu.Unlock()
}

// got is a command that was loaded.
type got struct {
	db, id int
	time   int64
}

// loading collects commands.
type loading struct {
	list []got
	db   int
	torn *TornError
}

func (l *loading) options() LoadOptions {
	return LoadOptions{
		Truncated: true,
		Preamble:  func(io.Reader, int64) (int64, error) { return 0, fmt.Errorf("no RDB is in these tests") },
		Command:   l.execute,
		End: func(_ *Part, torn *TornError) {
			if torn != nil {
				l.torn = torn
			}
		},
	}
}

func (l *loading) execute(c *Command) error {
	switch name := string(c.Args[0]); name {
	case "SELECT":
		l.db, _ = strconv.Atoi(string(c.Args[1]))
	case "SET":
		id, _ := strconv.Atoi(string(c.Args[1]))
		l.list = append(l.list, got{l.db, id, c.Time})
	case "MULTI", "EXEC":
		if !c.InUnit {
			return fmt.Errorf("%s outside a unit", name)
		}
	default:
		return fmt.Errorf("unknown command %s", name)
	}
	return nil
}

func load(t testing.TB, s *Store) []got {
	t.Helper()
	var l loading
	if err := s.Load(l.options()); err != nil {
		t.Fatalf("load: %v\n%s", err, describe(s))
	}
	return l.list
}

// describe shows the files, for messages.
func describe(s *Store) string {
	var b strings.Builder
	b.Write(s.manifest.AppendText(nil))
	list, _ := s.FS.ReadDir(s.folder())
	for _, e := range list {
		content, _ := s.FS.ReadFile(s.path(e.Name()))
		fmt.Fprintf(&b, "%s %d %s\n", e.Name(), len(content), text.Quote(content[max(0, len(content)-300):]))
	}
	return b.String()
}
