package main

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const benchmarkReport = `====== GET ======
  100000 requests completed in 0.07 seconds
  50 parallel clients

Latency by percentile distribution:
0.000% <= 0.159 milliseconds (cumulative count 16)
50.000% <= 0.407 milliseconds (cumulative count 50944)
98.438% <= 1.351 milliseconds (cumulative count 98464)
99.219% <= 1.887 milliseconds (cumulative count 99232)
99.805% <= 2.103 milliseconds (cumulative count 99808)
99.902% <= 2.143 milliseconds (cumulative count 99904)
100.000% <= 2.191 milliseconds (cumulative count 100000)

Cumulative distribution of latencies:
99.024% <= 9.807 milliseconds (cumulative count 99024)

Summary:
  throughput summary: 1388889.00 requests per second
`

func TestParseBenchmark(t *testing.T) {
	s, elapsed, err := parseBenchmark(benchmarkReport)
	if err != nil || elapsed != 0.07 || s.rate != 1388889 || s.p50 != 0.407 || s.p99 != 1.887 || s.p999 != 2.143 {
		t.Errorf("%+v, %v, %v", s, elapsed, err)
	}
	if _, _, err := parseBenchmark("Could not connect"); err == nil {
		t.Error("an error message was taken for a report")
	}
}

func TestParseTrace(t *testing.T) {
	log := "noise\ngc 1 @0.015s 2%: 0.018+0.59+0.071 ms clock, 0.036+0.1/0.2/0.3+0.14 ms cpu, 4->4->1 MB\n" +
		"gc 2 @0.1s 0%: 0.5+1+0.02 ms clock, 1+0/0/0+0.1 ms cpu, 4->4->1 MB, 4 MB goal\n"
	got := parseTrace(log)
	if got.cycles != 2 || got.pauseMax != 0.5 || math.Abs(got.cpu-1.876) > 1e-9 {
		t.Errorf("%+v", got)
	}
}

func TestMedianAndRatio(t *testing.T) {
	var p paired
	for i, v := range []float64{10, 20, 40} {
		p.add(redis, v)
		p.add(dozo, v*float64(i+1))
	}
	if p.of(redis) != 20 || p.best(redis) != 10 || p.ratio() != 2 || median(nil) != 0 || median([]float64{1, 3}) != 2 {
		t.Errorf("median %v, ratio %v", p.of(redis), p.ratio())
	}
}

func TestWriteReportKeepsTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "benchmarks.md")
	if err := os.WriteFile(path, []byte("# Head\n"+reportBegin+"\nold\n"+reportEnd+"\nTail\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first\n", "second\n"} {
		if err := writeReport(path, text); err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(b), "# Head\n") || !strings.HasSuffix(string(b), "\nTail\n") ||
		strings.Contains(string(b), "first") || strings.Count(string(b), "second") != 1 {
		t.Errorf("%q, %v", b, err)
	}
}

// TestFillCommands: all elements are added, and none beyond.
func TestFillCommands(t *testing.T) {
	for _, k := range kinds {
		const size = 250
		var all []string
		for n := range (size + k.each - 1) / k.each {
			args := k.add("key", n, size)
			if args[0] != k.verb || args[1] != "key" {
				t.Fatalf("%s: %q", k.name, args)
			}
			all = append(all, args...)
		}
		for i := range size + 1 {
			if slices.Contains(all, k.element(i)) != (i < size) {
				t.Errorf("%s: element %d of %d", k.name, i, size)
			}
		}
	}
}

// TestSizedOperations: each names a kind of value that is there, and what is done
// is undone.
func TestSizedOperations(t *testing.T) {
	for _, op := range sizedOperations {
		k := kindOf(op.kind)
		if args := op.make(3, 1000); !slices.Contains(args, k.name) {
			t.Errorf("%s works on another value: %q", op.name, args)
		}
		if pair := strings.Contains(op.name, " and "); pair != (op.undo != nil) {
			t.Errorf("%s: a pair of commands %t, undone %t", op.name, pair, op.undo != nil)
		}
	}
}

func TestSizes(t *testing.T) {
	for scale, want := range map[float64][]int{
		1: {1000, 10_000, 100_000, 1_000_000, 5_000_000}, 0.01: {1000, 10_000, 50_000}, 0: {1000},
	} {
		b := bench{settings: settings{scale: scale}}
		if got := b.sizeList(); !slices.Equal(got, want) {
			t.Errorf("scale %v: %v, want %v", scale, got, want)
		}
	}
}

// TestArguments: a command of its own goes last, where redis-benchmark wants it.
func TestArguments(t *testing.T) {
	w := workload{pipeline: 16, command: []string{"RPOP", "list"}, numbers: 7}
	if got := strings.Join(w.arguments(), " "); !strings.HasSuffix(got, "-r 7 RPOP list") {
		t.Error(got)
	}
	w = workload{pipeline: 1, test: "get"}
	if got := strings.Join(w.arguments(), " "); !strings.HasSuffix(got, "-r 200000 -t get") {
		t.Error(got)
	}
}

// TestMixedData: the same each time, a tenth of each other type, and text that fits.
func TestMixedData(t *testing.T) {
	b := &bench{settings: settings{scale: 0}}
	d, again := b.mixedData(), b.mixedData()
	verbs := map[string]int{}
	for i := range d.keys {
		args := d.add(i)
		if !slices.Equal(args, again.add(i)) || slices.Contains(args, "") {
			t.Fatalf("%q", args)
		}
		verbs[args[0]]++
		if n := len(args[2]); args[0] == "SET" && (n < smallString || n > largeString) {
			t.Errorf("a string of %d bytes", n)
		}
	}
	if verbs["SET"] != d.strings() || len(verbs) != 1+len(largeKinds) {
		t.Errorf("%v", verbs)
	}
}

func TestPercentiles(t *testing.T) {
	var p percentiles
	var times []float64
	for i := range 1000 {
		times = append(times, float64(999-i))
	}
	p.add(dozo, times)
	if p.p50.of(dozo) != 500 || p.p99.of(dozo) != 990 || p.p999.of(dozo) != 999 || p.max.of(dozo) != 999 {
		t.Errorf("%+v", p)
	}
}

// TestAcked: what INFO says of a replica, and what it says of none.
func TestAcked(t *testing.T) {
	const info = "role:master\r\nslave0:ip=127.0.0.1,port=1,state=online,offset=1234,lag=0\r\nslave1:ip=127.0.0.1,port=2,state=wait_bgsave,offset=0,lag=0\r\n"
	if at, online := acked(info, 0); at != 1234 || !online {
		t.Errorf("%v, %v", at, online)
	}
	for _, i := range []int{1, 2} {
		if _, online := acked(info, i); online {
			t.Errorf("replica %d is online", i)
		}
	}
	if n := cutOffs("scheduled to be closed ASAP for overcoming of output buffer limits.\nwhere client-output-buffer-limit allows 5\n"); n != 2 {
		t.Errorf("%v", n)
	}
}
