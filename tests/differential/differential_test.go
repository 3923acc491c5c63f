package differential

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

var (
	commandsFlag = flag.Int("commands", 0, "number of generated commands (0: 30000 with -short, else 150000)")
	seedFlag     = flag.Uint64("seed", 0, "seed of the generated histories (0: a new one)")
	failuresFlag = flag.Int("failures", 5, "stop after so many histories with a difference")
	surveyFlag   = flag.Bool("survey", false, "collect differences of replies by kind instead of stopping at them")
	onlyFlag     = flag.Int("history", -1, "run only the generated history of this number")
)

// historyCommands is the length of one generated history.
const historyCommands = 2000

// dozoConfig makes Dozo write what the oracle writes: Redis 7.0 dumps in RDB
// version 10.
func newPair(t *testing.T, dozoConfig ...string) *Pair {
	t.Helper()
	if os.Getenv("DOZO_SERVER") == "" {
		dozoConfig = append([]string{"--rdb-version", "10"}, dozoConfig...)
	}
	o, err := testutil.RedisOptions()
	if err != nil {
		t.Fatal(err)
	}
	d, err := testutil.DozoOptions(testutil.Plain, dozoConfig...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPair(o, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// hurry lets the oracle end waits in time: it looks for their ends when it has other
// work or its timer ticks, which at 10 times a second makes each wait take 100 ms.
func hurry(t *testing.T, p *Pair) {
	t.Helper()
	if v, err := p.oracle.admin.DoErr("CONFIG", "SET", "hz", "500"); err != nil || v.Str != "OK" {
		t.Fatalf("the oracle's timer stays slow: %v, %v", v, err)
	}
}

func curated(t *testing.T) map[string][]*History {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no curated histories: %v", err)
	}
	all := map[string][]*History{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if all[file], err = Parse(string(text)); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return all
}

func TestCurated(t *testing.T) {
	p := newPair(t)
	all := curated(t)
	for _, file := range sortedKeys(all) {
		name := strings.TrimSuffix(filepath.Base(file), ".txt")
		t.Run(name, func(t *testing.T) {
			for _, h := range all[file] {
				t.Run(fmt.Sprintf("%s/resp%d", h.Name, h.Proto), func(t *testing.T) { runCurated(t, p, h) })
			}
		})
	}
	report(t, p)
}

func runCurated(t *testing.T, p *Pair, h *History) {
	diff, err := p.Run(h)
	if err != nil {
		t.Fatal(err)
	}
	if diff != nil {
		t.Errorf("%v", diff)
	}
	if fault := p.Fault(); fault != "" {
		t.Fatalf("dozo logged a fault:\n%s", fault)
	}
}

func TestGenerated(t *testing.T) {
	p := newPair(t)
	hurry(t, p)
	g := newGenerator(t, p)
	if *surveyFlag {
		p.survey = survey{}
		defer func() {
			if len(p.survey) > 0 {
				t.Errorf("%d kinds of differences:\n%v", len(p.survey), p.survey)
			}
		}()
	}
	commands := *commandsFlag
	if commands == 0 {
		commands = 150_000
		if testing.Short() {
			commands = 30_000
		}
	}
	failures, start := 0, time.Now()
	for n := 0; n*historyCommands < commands && failures < *failuresFlag; n++ {
		if (*onlyFlag < 0 || *onlyFlag == n) && !runGenerated(t, p, g.History(n, historyCommands)) {
			failures++
		}
	}
	t.Logf("seed %d: %d commands (with those of cutting down) in %v", g.seed, p.commands, time.Since(start).Round(time.Millisecond))
	report(t, p)
	checkOutcomes(t, p, g)
}

// checkOutcomes demands that a run of some length has seen each command succeed,
// and mostly so.
func checkOutcomes(t *testing.T, p *Pair, g *Generator) {
	const enough = 100_000
	if p.commands < enough || t.Failed() {
		return
	}
	neverRight := []string{"client|no-evict", "object|freq", "auth", "restore"} // good payloads come by !restore
	var all outcome
	for _, name := range g.Commands() {
		o := p.outcomesOf(name)
		if o.replies == 0 {
			t.Errorf("%s was never sent", name)
			continue
		}
		all.replies += o.replies
		all.errors += o.errors
		if o.replies == o.errors && !slices.Contains(neverRight, name) {
			t.Errorf("all %d replies to %s were errors", o.replies, name)
		}
	}
	t.Logf("%d of %d replies were errors", all.errors, all.replies)
	if all.errors*3 > all.replies {
		t.Error("more than a third of the replies were errors: the generator tests little else")
	}
}

func newGenerator(t *testing.T, p *Pair) *Generator {
	t.Helper()
	grammar, err := readGrammar(p.oracle.admin)
	if err != nil {
		t.Fatal(err)
	}
	dozo, err := serverCommands(p.dozo.admin)
	if err != nil {
		t.Fatal(err)
	}
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	g := NewGenerator(seed, grammar, dozo)
	t.Logf("-seed %d, commands: %v", seed, g.Commands())
	return g
}

// runGenerated runs a history and, when it shows a difference, reports it cut
// down.
func runGenerated(t *testing.T, p *Pair, h *History) bool {
	diff, err := p.Run(h)
	if err == nil && p.survey != nil {
		err = p.cutDown(h)
	}
	if err == nil && diff == nil {
		return true
	}
	if fault := p.Fault(); fault != "" {
		t.Errorf("dozo logged a fault:\n%s", fault)
	}
	if err != nil {
		t.Errorf("%s: %v", h.Name, err)
		return false
	}
	short, shortDiff, err := p.Minimise(h, diff)
	if short == nil {
		t.Errorf("%s (batches of %d): a difference that did not come again (%v)\n%v", h.Name, h.Batch, err, diff)
		return false
	}
	t.Errorf("%s (batches of %d): %v\n\n%s\n", h.Name, h.Batch, shortDiff, short)
	return false
}

// report says how often the accepted differences were met.
func report(t *testing.T, p *Pair) {
	for _, name := range sortedKeys(p.accepted) {
		t.Logf("accepted %d times: %s", p.accepted[name], name)
	}
	for _, line := range p.slow {
		t.Logf("slow reply: %s", line)
	}
}

// TestRequired demands the commands that must be there, so that the generator,
// which follows Dozo's own table, cannot grow silent.
func TestRequired(t *testing.T) {
	p := newPair(t)
	have, err := serverCommands(p.dozo.admin)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range required {
		if !have[name] {
			t.Errorf("COMMAND LIST of the server does not name %s", name)
		}
	}
}

// uncurated are the commands that no transcript can hold, with the reason.
var uncurated = map[string]string{
	"shutdown": "ends the server: see the end-to-end tests",
	"save":     saving, "bgsave": saving, "bgrewriteaof": saving,
	"psync": streaming, "sync": streaming,
	"hexpire": tooNew, "hexpireat": tooNew, "hexpiretime": tooNew, "hpersist": tooNew, "hpexpire": tooNew, "hpexpireat": tooNew,
	"hpexpiretime": tooNew, "hpttl": tooNew, "httl": tooNew, "hgetdel": tooNew, "hgetex": tooNew, "hsetex": tooNew,
}

// saving is the reason for commands whose replies depend on what is being saved.
const saving = "answers by what is being saved at the moment: see the end-to-end tests of restarts"

// streaming is the reason for commands after which there are no replies any more.
const streaming = "begins a stream: see the tests of replication"

// tooNew is the reason for commands that the oracle does not have.
const tooNew = "newer than the oracle: see the transcripts of package commands"

// TestEveryCommandCurated demands a curated line for each command that Dozo's own
// table has, and for each that it must have.
func TestEveryCommandCurated(t *testing.T) {
	seen := map[string]bool{}
	for _, histories := range curated(t) {
		for _, h := range histories {
			for i := range h.Steps {
				seen[h.Steps[i].command()] = true
				name, _, _ := strings.Cut(h.Steps[i].command(), "|")
				seen[name] = true
			}
		}
	}
	names, err := serverCommands(newPair(t).dozo.admin)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("DOZO_SERVER") != "" {
		names = map[string]bool{} // a stand-in has other commands
	}
	for _, name := range required {
		names[name] = true
	}
	for _, name := range sortedKeys(names) {
		if !seen[name] && uncurated[name] == "" {
			t.Errorf("no curated history uses %s", name)
		}
	}
}

// redescribed are commands whose arguments, or what is told of them, 7.2 changed.
var redescribed = strings.Fields("bitop client|kill client|list command|getkeys command|getkeysandflags config|get geohash geopos georadius georadiusbymember " +
	"module|loadex pfmerge psubscribe xinfo|stream zrank zrevrank")

// TestGrammar compares what COMMAND DOCS tells of arguments.
func TestGrammar(t *testing.T) {
	p := newPair(t)
	want, err1 := readGrammar(p.oracle.admin)
	got, err2 := readGrammar(p.dozo.admin)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	for name, w := range want {
		g := got[name]
		if g == nil || slices.Contains(redescribed, name) {
			continue
		}
		if !reflect.DeepEqual(nameless(g.args), nameless(w.args)) {
			t.Errorf("%s:\nthe oracle: %+v\ndozo: %+v", name, w.args, g.args)
		}
	}
}

// nameless is arguments without their names, of which 7.2 changed many, and with all
// words in upper case.
func nameless(args []argument) []argument {
	args = slices.Clone(args)
	for i := range args {
		a := &args[i]
		a.name, a.token, a.args = "", strings.ToUpper(a.token), nameless(a.args)
	}
	return args
}
