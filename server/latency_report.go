package server

import (
	"fmt"
	"strings"

	"dozo/command"
	"dozo/config"
)

// The graph of LATENCY GRAPH: a column for each sample, as high as it was slow.
const (
	graphColumns = 80
	graphRows    = 4
)

// drawLatency draws the latest samples of an event, with their age below, read
// downwards.
func drawLatency(event string, series *latencySeries, now int64) string {
	all := series.samples()
	low, high := all[0].millis, all[0].millis
	for _, x := range all {
		low, high = min(low, x.millis), max(high, x.millis)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s - high %d ms, low %d ms (all time high %d ms)\n", event, high, low, series.worst)
	b.WriteString(strings.Repeat("-", graphColumns) + "\n")
	for len(all) > 0 {
		n := min(len(all), graphColumns)
		drawRows(&b, all[:n], low, high)
		drawAges(&b, all[:n], now)
		all = all[n:]
	}
	return b.String()
}

// drawRows draws the columns, the top row first.
func drawRows(b *strings.Builder, columns []latencySample, low, high int64) {
	for row := graphRows; row > 0; row-- {
		line := make([]byte, len(columns))
		for i, x := range columns {
			height := graphRows
			if high > low {
				height = 1 + int((x.millis-low)*(graphRows-1)/(high-low))
			}
			switch {
			case height == row:
				line[i] = '#'
			case height > row:
				line[i] = '|'
			default:
				line[i] = ' '
			}
		}
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
}

// drawAges writes how long ago each column was, one letter a line.
func drawAges(b *strings.Builder, columns []latencySample, now int64) {
	b.WriteByte('\n')
	for i, more := 0, true; more; i++ {
		more = false
		line := make([]byte, len(columns))
		for k, x := range columns {
			line[k] = ' '
			if age := ageLabel(now - x.at); i < len(age) {
				line[k], more = age[i], true
			}
		}
		if more {
			b.WriteString(strings.TrimRight(string(line), " ") + "\n")
		}
	}
}

// ageLabel is a number of seconds in its largest unit.
func ageLabel(seconds int64) string {
	switch {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case seconds < 3600:
		return fmt.Sprintf("%dm", seconds/60)
	case seconds < 86400:
		return fmt.Sprintf("%dh", seconds/3600)
	}
	return fmt.Sprintf("%dd", seconds/86400)
}

// latencyAdvice is what LATENCY DOCTOR has to say about each event.
var latencyAdvice = map[string]string{
	latencyCommand: "Some calls of commands that are not O(1) took long. SLOWLOG GET shows which; commands on " +
		"large values (SORT, LREM, set operations, DEL of a big key without UNLINK) are the usual ones.",
	latencyFastCommand: "Even O(1) commands took long, so the time went to the machine rather than the work: look for other " +
		"processes on these cores, CPU limits of the container, a hypervisor that steals time, swapping.",
	latencyExpire: "Very many keys came due at one moment. Spread their times to live, for example by adding a random part.",
	latencyEviction: "Much had to be evicted at once: large values were written, or maxmemory was lowered by a big step. Lower it in " +
		"smaller steps, or leave more room.",
	latencyDefrag: "Active defragmentation works for a fraction of a millisecond at a time, so the time went to the machine: look for other " +
		"processes on these cores. A lower active-defrag-cycle-max makes it rarer.",
}

func latencyDoctor(c *command.Context) error {
	s := serverOf(c)
	c.Out.Verbatim("txt", s.latencyReport())
	return nil
}

// latencyReport tells in words what the monitor has seen. Only in exclusive mode.
func (s *Server) latencyReport() string {
	names := s.latency.names()
	if len(names) == 0 {
		if s.cfg.Int(config.LatencyMonitorThreshold) == 0 {
			return "The latency monitor is off, so there is nothing to tell. Turn it on with" +
				" CONFIG SET latency-monitor-threshold <milliseconds>.\n"
		}
		return "Nothing has taken longer than latency-monitor-threshold since the monitor was turned on or reset.\n"
	}
	var b, advice strings.Builder
	b.WriteString("These events took longer than latency-monitor-threshold:\n\n")
	for i, name := range names {
		series := s.latency.series(name)
		f := series.figures(s.unixSeconds())
		fmt.Fprintf(&b, "%d. %s: %d latency spikes (average %dms, mean deviation %dms, period %.2f sec). Worst all time event %dms.\n",
			i+1, name, f.samples, f.average, f.deviation, f.period, series.worst)
		if a := latencyAdvice[name]; a != "" {
			fmt.Fprintf(&advice, "- %s: %s\n", name, a)
		}
	}
	if s.slowNanos.Load() > s.spikeNanos.Load() {
		advice.WriteString("- The slow log has a higher threshold than the latency monitor and misses such calls:" +
			" lower slowlog-log-slower-than to see them.\n")
	}
	if advice.Len() > 0 {
		b.WriteString("\nWhat may help:\n\n" + advice.String())
	}
	return b.String()
}
