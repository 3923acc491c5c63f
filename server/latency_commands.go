package server

import (
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"

	"dozo/command"
	"dozo/resp"
)

// latencyCommands is the LATENCY family.
var latencyCommands = []command.Spec{{
	Name: "LATENCY", Group: command.Server, Since: "2.8.13",
	Summary: "Commands about what has made the server slow.",
	Subs: []command.Spec{
		{
			Name: "DOCTOR", Handler: latencyDoctor, Group: command.Server, Since: "2.8.13", Complexity: "O(1)",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.Exclusive,
			Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
			Summary: "Explains in words what was slow and what may help.",
		},
		{
			Name: "GRAPH", Handler: latencyGraph, Group: command.Server, Since: "2.8.13", Complexity: "O(1)",
			Syntax:  "event",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale,
			Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
			Summary: "Draws the latency of an event over time.",
		},
		{
			Name: "HELP", Handler: command.Help, Group: command.Server, Since: "2.8.13", Complexity: "O(1)",
			Flags:   command.Loading | command.Stale,
			Summary: "Lists the subcommands.",
		},
		{
			Name: "HISTOGRAM", Handler: latencyHistogram, Group: command.Server, Since: "7.0.0", Complexity: "O(N) for N commands",
			Syntax:  "[command:string [command:string ...]]",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.Exclusive,
			Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
			Summary: "Tells how the durations of commands are distributed.",
		},
		{
			Name: "HISTORY", Handler: latencyHistory, Group: command.Server, Since: "2.8.13", Complexity: "O(1)",
			Syntax:  "event",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale,
			Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
			Summary: "Lists the samples of an event.",
		},
		{
			Name: "LATEST", Handler: latencyLatest, Group: command.Server, Since: "2.8.13", Complexity: "O(1)",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale,
			Tips:    []string{"nondeterministic_output", "request_policy:all_nodes", "response_policy:special"},
			Summary: "Lists the latest and the longest sample of each event.",
		},
		{
			Name: "RESET", Handler: latencyReset, Group: command.Server, Since: "2.8.13", Complexity: "O(1)",
			Syntax:  "[event [event ...]]",
			Flags:   command.Admin | command.NoScript | command.Loading | command.Stale,
			Tips:    []string{"request_policy:all_nodes", "response_policy:agg_sum"},
			Summary: "Forgets the samples of events, all of them if none is named.",
		},
	},
}}

func latencyHistory(c *command.Context) error {
	series := serverOf(c).latency.series(string(c.Args[2]))
	if series == nil {
		c.Out.Array(0)
		return nil
	}
	all := series.samples()
	c.Out.Array(len(all))
	for _, x := range all {
		c.Out.Array(2)
		c.Out.Int(x.at)
		c.Out.Int(x.millis)
	}
	return nil
}

func latencyLatest(c *command.Context) error {
	m := &serverOf(c).latency
	names := m.names()
	mark, n := c.Out.DeferLen(), 0
	for _, name := range names {
		series := m.series(name)
		if series == nil {
			continue // reset meanwhile by another loop
		}
		last := series.latest()
		c.Out.Array(4)
		c.Out.BulkString(name)
		c.Out.Int(last.at)
		c.Out.Int(last.millis)
		c.Out.Int(series.worst)
		n++
	}
	c.Out.EndArray(mark, n)
	return nil
}

func latencyReset(c *command.Context) error {
	m := &serverOf(c).latency
	names := m.names()
	if len(c.Args) > 2 {
		names = names[:0]
		for _, a := range c.Args[2:] {
			names = append(names, lower(a))
		}
	}
	n := 0
	for _, name := range names {
		if m.reset(name) {
			n++
		}
	}
	c.Out.Int(int64(n))
	return nil
}

func latencyGraph(c *command.Context) error {
	s, event := serverOf(c), string(c.Args[2])
	series := s.latency.series(event)
	if series == nil {
		return command.ReplyError(fmt.Sprintf("ERR No samples available for event '%s'", event))
	}
	c.Out.Verbatim("txt", drawLatency(event, series, s.unixSeconds()))
	return nil
}

func latencyHistogram(c *command.Context) error {
	s := serverOf(c)
	mark, n := c.Out.DeferLen(), 0
	for _, cmd := range s.histogramCommands(c.Args[2:]) {
		if h := s.histogram(cmd); h != nil {
			c.Out.BulkString(cmd.FullName)
			writeHistogram(c.Out, h)
			n++
		}
	}
	c.Out.EndMap(mark, n)
	return nil
}

// histogramCommands are the named commands, or all, each container followed by
// its subcommands.
func (s *Server) histogramCommands(names [][]byte) (list []*command.Command) {
	tops := s.table.Commands()
	if len(names) > 0 {
		tops = nil
		for _, name := range names {
			if cmd := s.table.Resolve(name); cmd != nil {
				tops = append(tops, cmd)
			}
		}
	}
	for _, cmd := range tops {
		list = append(list, cmd)
		list = append(list, cmd.Subcommands()...)
	}
	return list
}

// histogram is the durations of all calls of a command, on all loops; nil when
// there were none. Only in exclusive mode.
func (s *Server) histogram(cmd *command.Command) (sum *hdrhistogram.Histogram) {
	for _, w := range s.workers {
		h := w.stats.commands[cmd.ID].latency
		switch {
		case h == nil:
		case sum == nil:
			sum = h.Clone()
		default:
			sum.Merge(h)
		}
	}
	return sum
}

// Durations are reported in steps that double, the first of 1024 ns. A step
// ends with the histogram's cell that holds the power of two, and cells have
// 1/128 of the power's width.
const (
	histogramFirstStep = 1 << 10
	histogramCell      = 1 << 7
)

// writeHistogram writes a cumulative distribution: for each step in which calls
// fell, its upper end in microseconds and how many calls took no longer.
func writeHistogram(out *resp.Writer, h *hdrhistogram.Histogram) {
	out.Map(2)
	out.BulkString("calls")
	out.Int(h.TotalCount())
	out.BulkString("histogram_usec")
	mark, n := out.DeferLen(), 0
	bars := h.Distribution()
	var before, sum int64
	for step := int64(histogramFirstStep); sum < h.TotalCount() && len(bars) > 0; step *= 2 {
		end := step + step/histogramCell - 1
		for len(bars) > 0 && bars[0].To <= end {
			sum += bars[0].Count
			bars = bars[1:]
		}
		if sum > before {
			out.Int(end / 1000)
			out.Int(sum)
			before = sum
			n++
		}
	}
	out.EndMap(mark, n)
}
