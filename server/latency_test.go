package server_test

import (
	"strings"
	"testing"

	"dozo"
)

func TestLatencyEvents(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start()
		c := dial(t, srv.Addr())
		if v := c.must("LATENCY DOCTOR"); !strings.Contains(v.Str, "latency-monitor-threshold") {
			t.Errorf("DOCTOR of a monitor that is off: %s", v.Str)
		}
		c.must("CONFIG SET latency-monitor-threshold 10")
		if v := c.must("LATENCY DOCTOR"); !strings.Contains(v.Str, "Nothing has taken longer") {
			t.Errorf("DOCTOR without events: %s", v.Str)
		}
		c.must("DEBUG SLEEP 0.02")
		c.must("DEBUG SLEEP 0.012")
		latest := c.must("LATENCY LATEST")
		if len(latest.Elems) != 1 || latest.Elems[0].Elems[0].Str != "command" {
			t.Fatalf("LATEST: %s", latest)
		}
		worst := latest.Elems[0].Elems[3].Int()
		if worst < 20 || worst > 2000 {
			t.Errorf("a sleep of 20 ms took %d ms", worst)
		}
		history := c.must("LATENCY HISTORY command")
		if n := len(history.Elems); n < 1 || n > 2 { // samples of one second are one
			t.Errorf("HISTORY: %s", history)
		}
		if v := c.must("LATENCY DOCTOR"); !strings.Contains(v.Str, "1. command:") || !strings.Contains(v.Str, "SLOWLOG") {
			t.Errorf("DOCTOR: %s", v.Str)
		}
		graph := strings.Split(c.must("LATENCY GRAPH command").Str, "\n")
		if !strings.HasPrefix(graph[0], "command - high ") || graph[1] != strings.Repeat("-", 80) || len(graph) < 8 {
			t.Errorf("GRAPH: %q", graph)
		}
		if n := c.must("LATENCY RESET").Int(); n != 1 {
			t.Errorf("RESET forgot %d events", n)
		}
	})
}

// TestHistogram: every call falls in one of the steps, which are powers of two.
func TestHistogram(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start()
		a, b := dial(t, srv.Addr()), dial(t, srv.Addr())
		for range 50 {
			a.must("PING")
			b.must("PING")
		}
		a.must("CLIENT ID")
		b.must("CONFIG GET hz")
		steps := map[int64]bool{}
		for step := int64(1024); step < 1<<31; step *= 2 {
			steps[(step+step/128-1)/1000] = true
		}
		v := a.must("LATENCY HISTOGRAM ping client config|get nosuch set")
		if len(v.Elems) != 6 {
			t.Fatalf("HISTOGRAM: %s", v)
		}
		for i, want := range map[int]struct {
			name  string
			calls int64
		}{0: {"ping", 100}, 2: {"client|id", 1}, 4: {"config|get", 1}} {
			h := pairs(v.Elems[i+1])
			if v.Elems[i].Str != want.name || h["calls"].Int() != want.calls {
				t.Errorf("%s has %s calls, want %d of %s", v.Elems[i].Str, h["calls"].Str, want.calls, want.name)
			}
			counts, last := h["histogram_usec"].Elems, int64(0)
			for k := 0; k < len(counts); k += 2 {
				if !steps[counts[k].Int()] || counts[k+1].Int() <= last {
					t.Errorf("%s: %s", want.name, v.Elems[i+1])
				}
				last = counts[k+1].Int()
			}
			if last != want.calls {
				t.Errorf("%s: the last step has %d calls", want.name, last)
			}
		}
	})
}
