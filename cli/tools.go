package cli

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"dozo/resp"
	"dozo/text"
)

// pause waits, or until the program ends; it reports whether to go on.
func (s *session) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.dialing.Done():
		return false
	}
}

// persist is Do for tools that run for hours: it reconnects until there is a reply.
func (s *session) persist(args ...string) (resp.Value, error) {
	for tries := 0; ; tries++ {
		if s.conn != nil {
			v, err := s.conn.Do(args...)
			var refused resp.ReplyError
			if err == nil || errors.As(err, &refused) {
				if tries > 0 {
					fmt.Fprint(s.out, "\r\x1b[0K")
				}
				return v, nil
			}
			s.disconnect()
		}
		fmt.Fprintf(s.out, "\r\x1b[0KReconnecting... %d\r", tries+1)
		s.flush()
		if !s.pause(time.Second) {
			return resp.Value{}, os.ErrClosed
		}
		s.dbNow = 0
		_ = s.connect(true) // the next round tries again
	}
}

// scanMode lists the keys that match.
func scanMode(s *session) int {
	for cursor := "0"; ; {
		args := []string{"SCAN", cursor}
		if s.pattern != nil {
			args = append(args, "MATCH", *s.pattern)
		}
		v, err := s.conn.Do(append(args, "COUNT", strconv.Itoa(s.count))...)
		switch {
		case v.IsError():
			fmt.Fprintf(s.errout, "SCAN error: %s\n", v.Str)
			return 1
		case err != nil:
			fmt.Fprint(s.errout, "\nI/O error\n")
			return 1
		case len(v.Elems) != 2:
			fmt.Fprintln(s.errout, "Invalid element count from SCAN!")
			return 1
		}
		for _, key := range v.Elems[1].Strings() {
			if s.output == outputStandard {
				key = text.Quote(key)
			}
			fmt.Fprintln(s.out, key)
		}
		if cursor = v.Elems[0].Str; cursor == "0" || !s.pause(s.interval) {
			return 0
		}
	}
}

// Intervals of the latency tool.
const (
	latencySample  = 10 * time.Millisecond
	latencyReport  = time.Second      // when not on a terminal
	latencyHistory = 15 * time.Second // a line of --latency-history
)

// latencies sums up what PING took, in milliseconds as redis-cli does.
type latencies struct {
	min, max, sum, count int64
}

func (l *latencies) add(ms int64) {
	if l.count == 0 {
		l.min, l.max = ms, ms
	}
	l.min, l.max = min(l.min, ms), max(l.max, ms)
	l.sum += ms
	l.count++
}

func (l *latencies) show(s *session) {
	avg := float64(l.sum) / float64(max(l.count, 1))
	switch s.output {
	case outputStandard:
		fmt.Fprintf(s.out, "min: %d, max: %d, avg: %.2f (%d samples)", l.min, l.max, avg, l.count)
	case outputCSV:
		fmt.Fprintf(s.out, "%d,%d,%.2f,%d\n", l.min, l.max, avg, l.count)
	case outputRaw:
		fmt.Fprintf(s.out, "%d %d %.2f %d\n", l.min, l.max, avg, l.count)
	default:
		fmt.Fprintf(s.out, "{\"min\": %d, \"max\": %d, \"avg\": %.2f, \"count\": %d}\n", l.min, l.max, avg, l.count)
	}
	s.flush()
}

// latencyMode measures PING. On a terminal it goes on for ever on one line; else
// it prints one result.
func latencyMode(s *session) int {
	report, history := s.interval, s.interval
	if s.interval == 0 {
		report, history = latencyReport, latencyHistory
	}
	var sum latencies
	for begin := s.env.Clock.Monotonic(); ; {
		start := s.env.Clock.Monotonic()
		if _, err := s.persist("PING"); err != nil {
			return 1
		}
		now := s.env.Clock.Monotonic()
		sum.add((now - start).Milliseconds())
		if s.output == outputStandard {
			fmt.Fprint(s.out, "\x1b[0G\x1b[2K")
			sum.show(s)
		} else if !s.history && now-begin > report {
			sum.show(s)
			return 0
		}
		if s.history && now-begin > history {
			if s.output != outputStandard {
				sum.show(s)
			}
			fmt.Fprintf(s.out, " -- %.2f seconds range\n", (now - begin).Seconds())
			begin, sum = now, latencies{}
		}
		if !s.pause(latencySample) {
			return 1
		}
	}
}

// statMode prints a line of numbers from INFO every interval.
func statMode(s *session) int {
	if s.interval == 0 {
		s.interval = time.Second
	}
	before := int64(0)
	for i := 0; ; i++ {
		v, err := s.persist("INFO")
		if err != nil {
			return 1
		}
		if v.IsError() {
			fmt.Fprintf(s.errout, "ERROR: %s\n", v.Str)
			return 1
		}
		if i%20 == 0 {
			fmt.Fprint(s.out, "------- data ------ --------------------- load -------------------- - child -\n"+
				"keys       mem      clients blocked requests            connections          \n")
		}
		before = s.statLine(v.Str, before)
		if !s.pause(s.interval) {
			return 1
		}
	}
}

// statLine prints one line and returns the number of requests so far.
func (s *session) statLine(info string, before int64) int64 {
	fields := infoFields(info)
	keys := int64(0)
	for name, value := range fields {
		if n, ok := strings.CutPrefix(name, "db"); ok && leadingInt(n) >= 0 {
			if count, ok := strings.CutPrefix(value, "keys="); ok {
				keys += int64(leadingInt(count))
			}
		}
	}
	number := func(name string) int64 { return int64(leadingInt(fields[name])) }
	requests, more := number("total_commands_processed"), int64(0)
	if before != 0 {
		more = requests - before
	}
	var busy []string
	for _, b := range []struct{ field, word string }{{"rdb_bgsave_in_progress", "SAVE"}, {"aof_rewrite_in_progress", "AOF"}, {"loading", "LOAD"}} {
		if number(b.field) != 0 {
			busy = append(busy, b.word)
		}
	}
	fmt.Fprintf(s.out, "%-11d%-8s %-8d%-8d%-19s %-12d%s\n", keys, humanBytes(number("used_memory")), number("connected_clients"),
		number("blocked_clients"), fmt.Sprintf("%d (+%d)", requests, more), number("total_connections_received"), strings.Join(busy, "+"))
	s.flush()
	return requests
}

func infoFields(info string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(info) {
		if name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}

func humanBytes(n int64) string {
	f, unit := float64(n), 0
	for f >= 1024 && unit < 4 {
		f /= 1024
		unit++
	}
	if unit == 0 {
		return fmt.Sprintf("%dB", n)
	}
	return fmt.Sprintf("%.2f%c", f, "KMGT"[unit-1])
}
