// Command bench measures Dozo beside a genuine redis-server on this machine, in
// the same run, and prints one report in Markdown.
//
// Each server runs alone, pinned to one core; the client (the genuine
// redis-benchmark where it can do what is measured) is pinned to another. Rounds alternate the
// order of the two servers, every figure is the median over the rounds, and every
// ratio the median of the rounds' own ratios, so that a slow minute of the
// machine does not favour either.
//
//	go run ./tests/bench -rounds 5 -write docs/benchmarks.md
//
// Units: times are microseconds or milliseconds as the column says; CPU is the
// server's own user and system time, divided by the commands. Ratios are Dozo's
// figure over Redis' one: above 1 is better for throughput, below 1 for everything
// else.
//
// The longest delay that a client saw is as long as the machine's own hiccups: the
// column beside it says how long those are. Where others use the machine, `chrt -r 1` before the built program (as
// root) keeps them off servers and clients for that part.
//
// LIMITATIONS. It needs Linux and two cores. With pipelines the client may be
// slower than the server: then throughput understates the faster server. The column
// `client` is near 100% and `busy` far from it then; CPU per operation is the figure
// to read.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// settings are the command line.
type settings struct {
	rounds    int
	scale     float64
	keys      int
	subs      int
	serverCPU string
	clientCPU string
	only      string
	rows      string
	write     string
}

func main() {
	var s settings
	flag.IntVar(&s.rounds, "rounds", 3, "paired rounds")
	flag.Float64Var(&s.scale, "scale", 1, "factor for the number of requests, and for the elements of large values")
	flag.IntVar(&s.keys, "keys", 1_000_000, "keys of the memory and expiry parts")
	flag.IntVar(&s.subs, "subscribers", 10_000, "subscribers of the fan-out part")
	flag.StringVar(&s.serverCPU, "server-cpu", "0", "core of the server")
	flag.StringVar(&s.clientCPU, "client-cpu", "1", "core of the client")
	flag.StringVar(&s.only, "only", "", "parts to run, separated by commas: "+partNames())
	flag.StringVar(&s.rows, "rows", "", "rows of the parts about the types to take, by words in their names, separated by commas")
	flag.StringVar(&s.write, "write", "", "also write the report into this file")
	flag.Parse()
	if err := run(s); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// part is one section of the report.
type part struct {
	name string
	run  func(*bench) error
}

var parts = []part{
	{"throughput", (*bench).throughput},
	{"types", (*bench).types},
	{"memory", (*bench).memory},
	{"typememory", (*bench).typeMemory},
	{"sizes", (*bench).sizes},
	{"stalls", (*bench).stalls},
	{"queue", (*bench).queue},
	{"expiry", (*bench).expiry},
	{"defragmentation", (*bench).defragmentation},
	{"snapshot", (*bench).snapshot},
	{"aof", (*bench).appendOnly},
	{"loading", (*bench).loading},
	{"replication", (*bench).replication},
	{"failover", (*bench).failover},
	{"storm", (*bench).storm},
	{"fanout", (*bench).fanout},
	{"gc", (*bench).collector},
	{"loops", (*bench).loops},
	{"micro", (*bench).micro},
}

func partNames() string {
	var names []string
	for _, p := range parts {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

// chosen picks the rows that -rows asks for.
func chosen[T any](b *bench, all []T, name func(T) string) (list []T) {
	for _, row := range all {
		wanted := func(word string) bool { return strings.Contains(name(row), word) }
		if slices.ContainsFunc(strings.Split(b.rows, ","), wanted) {
			list = append(list, row)
		}
	}
	return list
}

// bench is one run.
type bench struct {
	settings
	out     io.Writer
	targets []target
}

func run(s settings) error {
	report := &strings.Builder{}
	b := &bench{settings: s, out: io.MultiWriter(os.Stdout, report)}
	if err := b.heading(); err != nil {
		return err
	}
	for _, p := range parts {
		if s.only != "" && !slices.Contains(strings.Split(s.only, ","), p.name) {
			continue
		}
		if err := p.run(b); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	b.verdicts()
	if s.write == "" {
		return nil
	}
	return writeReport(s.write, report.String())
}

// The report is kept between these lines of the file; what stands around them,
// such as what was tried and what profiles show, is left alone.
const (
	reportBegin = "<!-- report: written by make bench -->"
	reportEnd   = "<!-- end of report -->"
)

func writeReport(path, report string) error {
	old, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	before, rest, found := strings.Cut(string(old), reportBegin)
	_, after, _ := strings.Cut(rest, reportEnd)
	if !found {
		before, after = string(old), "\n"
	}
	text := before + reportBegin + "\n" + report + reportEnd + after
	return os.WriteFile(path, []byte(text), 0o644)
}

// candidate is a server to measure.
type candidate int

const (
	redis candidate = iota
	dozo
	candidates
)

func (c candidate) String() string { return [...]string{"Redis", "Dozo"}[c] }

// order alternates who goes first.
func order(round int) []candidate {
	if round%2 == 0 {
		return []candidate{redis, dozo}
	}
	return []candidate{dozo, redis}
}

// startPatience is how long a server may take to load what there is.
const startPatience = 5 * time.Minute

// start starts a server on the given cores. Both get one thread for commands
// unless the configuration says otherwise.
func (b *bench) start(c candidate, cpus string, env []string, config ...string) (*testutil.Server, error) {
	options := testutil.RedisOptions
	if c == dozo {
		options = func(config ...string) (testutil.Options, error) {
			return testutil.DozoOptions(testutil.Plain, append([]string{"--io-threads", "1"}, config...)...)
		}
	}
	o, err := options(append([]string{"--maxclients", "12000"}, config...)...)
	if err != nil {
		return nil, err
	}
	o.Wrap = []string{"taskset", "-c", cpus}
	o.Env, o.Patience = env, startPatience
	return testutil.Start(o)
}

func (b *bench) print(format string, args ...any) { fmt.Fprintf(b.out, format, args...) }
