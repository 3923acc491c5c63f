package commands

import (
	"flag"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"dozo/command"
	"dozo/internal/invariants"
	"dozo/internal/testutil"
	"dozo/keyspace"
	"dozo/text"
)

var seedFlag = flag.Uint64("seed", 0, "seed of the random tests; 0 = a fixed one")

// The transcripts in testdata are blocks of
//
//	run [proto=3] [db=N] [tell] [ours]   commands, one a line; a line of reply each
//	config DIRECTIVE=VALUE ...           changes settings until the end of the file
//	advance ms=N                         lets time pass
//
// With tell, what a command told subscribers and the log follows its reply,
// indented. The replies of blocks without ours are compared with those of a
// genuine redis-server; so are the key events. A line that begins with ! is
// left out of that: 7.0, which is at hand, answers it in another way than 7.2.
// A word {x*N} is x repeated.

// player runs transcripts on a harness and, if there is one, on a genuine server.
type player struct {
	h      *harness
	oracle *oracle
	all    map[string]bool // commands that ran
}

func TestTranscripts(t *testing.T) {
	var real *oracle
	if _, err := testutil.Oracle(); err == nil {
		real = startOracle(t)
	}
	all, slow := map[string]bool{}, !testing.Short() && !raceEnabled && !invariants.Enabled
	for _, file := range transcripts(t, slow) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p := &player{h: newHarness(t), oracle: real, all: all}
			if real != nil {
				real.reset(t)
			}
			datadriven.RunTest(t, file, p.play)
		})
	}
	if !slow {
		return
	}
	for _, cmd := range newTable(t).ByID() {
		if cmd.Handler != nil && !all[cmd.FullName] {
			t.Errorf("%s occurs in no transcript: a command without a test cannot be trusted", cmd.FullName)
		}
	}
}

// transcripts are the files of testdata; slow.txt takes seconds.
func transcripts(t *testing.T, slow bool) []string {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	return slices.DeleteFunc(files, func(name string) bool { return !slow && filepath.Base(name) == "slow.txt" })
}

// play runs one block and returns what it printed.
func (p *player) play(t *testing.T, d *datadriven.TestData) string {
	p.h.t = t
	switch d.Cmd {
	case "run":
		return p.run(t, d)
	case "config":
		for _, arg := range d.CmdArgs {
			p.configure(t, arg.Key, arg.Vals[0])
		}
	case "advance":
		var ms int64
		d.ScanArgs(t, "ms", &ms)
		p.h.ctx.Now += ms
	default:
		d.Fatalf(t, "unknown directive %q", d.Cmd)
	}
	return "ok\n"
}

func (p *player) run(t *testing.T, d *datadriven.TestData) string {
	proto, db := 2, 0
	d.MaybeScanArgs(t, "proto", &proto)
	d.MaybeScanArgs(t, "db", &db)
	p.h.out.Proto, p.h.ctx.DB = proto, db
	var b strings.Builder
	for line := range strings.Lines(d.Input) {
		line, only := strings.CutPrefix(line, "!")
		args := words(t, line)
		if len(args) == 0 {
			continue
		}
		reply := render(parsed(t, p.h.do(args)))
		fmt.Fprintln(&b, reply)
		if d.HasArg("tell") {
			p.told(&b)
		}
		if p.oracle != nil && !only && !d.HasArg("ours") {
			p.oracle.compare(t, p.h, proto, args, reply)
		} else if p.oracle != nil && only {
			p.oracle.follow(t, p.h, proto, args)
		}
	}
	for name := range p.h.used {
		p.all[name] = true
	}
	return b.String()
}

// told prints the events and the log of the last command.
func (p *player) told(b *strings.Builder) {
	for _, e := range p.h.events {
		fmt.Fprintf(b, "  event %s\n", e)
	}
	for _, l := range p.h.logged {
		fmt.Fprintf(b, "  log %s\n", abbreviate(l))
	}
}

var repeated = regexp.MustCompile(`^\{(.+)\*(\d+)\}$`)

// words splits a line of a transcript.
func words(t testing.TB, line string) [][]byte {
	args, ok := text.SplitArgs([]byte(line))
	if !ok {
		t.Fatalf("unbalanced quotes: %s", line)
	}
	for i, a := range args {
		if m := repeated.FindSubmatch(a); m != nil {
			n, err := strconv.Atoi(string(m[2]))
			if err != nil {
				t.Fatal(err)
			}
			args[i] = []byte(strings.Repeat(string(m[1]), n))
		}
	}
	return args
}

// render shows a reply on one line: strings quoted as in transcripts, aggregates
// in brackets after their type's sign.
func render(v testutil.Value) string { return abbreviate(show(v)) }

func show(v testutil.Value) string {
	switch {
	case v.Kind == '$' && !v.Null:
		return text.Quote(v.Str)
	case v.Null || v.IsError() || strings.IndexByte("*%~>", v.Kind) < 0:
		return v.String()
	}
	parts := make([]string, len(v.Elems))
	for i, e := range v.Elems {
		parts[i] = show(e)
	}
	return string(v.Kind) + "[" + strings.Join(parts, " ") + "]"
}

// abbreviate cuts long texts and keeps enough to tell two of them apart.
func abbreviate(s string) string {
	const most = 240
	if len(s) <= most {
		return s
	}
	sum := 0
	for i := range len(s) {
		sum = (sum*31 + int(s[i])) % 1_000_003
	}
	return fmt.Sprintf("%s... %d characters, sum %d", s[:most/4], len(s), sum)
}

// configure changes a setting here and at the genuine server.
func (p *player) configure(t *testing.T, name, value string) {
	s := *p.h.ctx.Set
	number, _ := strconv.ParseInt(value, 10, 64)
	switch name {
	case "proto-max-bulk-len":
		s.MaxBulk = number
	case "hll-sparse-max-bytes":
		s.HLLSparseMax = int(number)
	case "hash-max-listpack-entries":
		s.Limits.Hash.Listpack = int(number)
	case "list-max-listpack-size":
		s.Limits.List.Fill = int(number)
	case "rdb-version": // 7.0 writes version 10, and has no choice
		s.RDBVersion = int(number)
		p.h.ctx.Set = &s
		return
	case "stream-node-max-entries":
		s.Limits.Stream.NodeEntries = number
	case "rdbcompression":
		s.RDBCompression = value == "yes"
	case "lazyfree-lazy-expire":
		s.LazyExpire = value == "yes"
	case "lazyfree-lazy-server-del":
		s.LazyServerDel = value == "yes"
	case "maxmemory-policy":
		s.LFUPolicy = value == "allkeys-lfu"
		limits := keyspace.Limits{Samples: 5, LFULogFactor: 10, LFUDecayMins: 1}
		if s.LFUPolicy {
			limits.Policy = keyspace.AllKeysLFU
		}
		p.h.ks.SetLimits(limits)
	default:
		t.Fatalf("no setting %q", name)
	}
	p.h.ctx.Set = &s
	if p.oracle != nil {
		p.oracle.command(t, "CONFIG", "SET", name, value)
	}
}

// TestTable checks what the rows say of themselves.
func TestTable(t *testing.T) {
	for _, cmd := range newTable(t).ByID() {
		if cmd.Flags&command.Write != 0 && len(cmd.Keys) == 0 && cmd.Flags&command.Exclusive == 0 {
			t.Errorf("%s writes, but names neither keys nor Exclusive", cmd.FullName)
		}
	}
}
