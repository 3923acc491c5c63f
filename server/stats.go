package server

import (
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// workerStats counts what one worker did. INFO sums all workers' in exclusive
// mode; nothing here is shared while commands run.
type workerStats struct {
	commands []commandStats // by command ID
	errors   map[string]int64
	counters
}

// counters are the plain numbers among the statistics.
type counters struct {
	connections   int64
	rejectedConns int64
	errorReplies  int64
	authFailures  int64
	outputKills   int64
	queryKills    int64
	evictedConns  int64
	expireCapped  int64 // rounds of expiry that ended before the work did
	appliedBytes  int64 // of the primary's stream

	tickTime         time.Duration // spent on periodic work
	batchTimeMax     time.Duration // the longest batch of one connection's commands
	batchCommandsMax int64
}

// noteBatch keeps the longest batch of commands.
func (c *counters) noteBatch(took time.Duration, commands int64) {
	c.batchTimeMax = max(c.batchTimeMax, took)
	c.batchCommandsMax = max(c.batchCommandsMax, commands)
}

// add sums up, or takes the larger of two maxima.
func (c *counters) add(o *counters) {
	c.connections += o.connections
	c.rejectedConns += o.rejectedConns
	c.errorReplies += o.errorReplies
	c.authFailures += o.authFailures
	c.outputKills += o.outputKills
	c.queryKills += o.queryKills
	c.evictedConns += o.evictedConns
	c.expireCapped += o.expireCapped
	c.appliedBytes += o.appliedBytes
	c.tickTime += o.tickTime
	c.batchTimeMax = max(c.batchTimeMax, o.batchTimeMax)
	c.batchCommandsMax = max(c.batchCommandsMax, o.batchCommandsMax)
}

// reset is CONFIG RESETSTAT for one worker.
func (s *workerStats) reset() {
	clear(s.commands)
	clear(s.errors)
	s.counters = counters{}
}

// commandStats counts the calls of one command.
type commandStats struct {
	calls, nanos, rejected, failed int64
	// latency is nil before the first recorded call.
	latency *hdrhistogram.Histogram
}

const (
	// latencyMaxNanos is the longest call that a histogram tells apart.
	latencyMaxNanos = 1e9
	// latencyDigits is the precision of histograms, in decimal digits.
	latencyDigits = 2
	// errorCodesMax bounds the error codes that are counted apart, since
	// scripts and modules can make them up.
	errorCodesMax = 128
)

func (s *workerStats) init(commands int) {
	*s = workerStats{commands: make([]commandStats, commands), errors: make(map[string]int64)}
}

// record adds one call's duration to the command's histogram.
func (c *commandStats) record(nanos int64) {
	if c.latency == nil {
		c.latency = hdrhistogram.New(1, latencyMaxNanos, latencyDigits)
	}
	_ = c.latency.RecordValue(min(max(nanos, 1), latencyMaxNanos)) // always in range
}

// countError counts an error reply under its code, the first word.
func (s *workerStats) countError(msg string) {
	s.errorReplies++
	code, _, _ := strings.Cut(msg, " ")
	if _, known := s.errors[code]; !known {
		if len(s.errors) >= errorCodesMax {
			return
		}
		code = strings.Clone(code)
	}
	s.errors[code]++
}
