package server

import (
	"runtime/metrics"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTimes are processor times, in the kernel and outside.
type cpuTimes struct{ system, user time.Duration }

func timesOf(ru *unix.Rusage) cpuTimes {
	return cpuTimes{time.Duration(ru.Stime.Nano()), time.Duration(ru.Utime.Nano())}
}

// processTimes are those of this process, or of its children that have ended.
func processTimes(who int) cpuTimes {
	var ru unix.Rusage
	if unix.Getrusage(who, &ru) != nil {
		return cpuTimes{}
	}
	return timesOf(&ru)
}

// systemName is what uname tells: system, release and machine.
func systemName() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return strings.Join([]string{
		unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Machine[:]),
	}, " ")
}

// runtimeFigures are what the Go runtime tells of itself.
type runtimeFigures struct {
	cycles    uint64  // of the garbage collector
	gcSeconds float64 // of processor time
	cpu       float64 // seconds of processor time in use, the collector's included
	pauseMax  time.Duration
	objects   uint64 // bytes of live and not yet swept objects
	total     uint64 // bytes got from the system
}

// The metrics of the Go runtime, in the order in which goRuntime reads them.
const (
	metricCycles = iota
	metricGCSeconds
	metricAllSeconds
	metricIdleSeconds
	metricPauses
	metricObjects
	metricTotal
	numMetrics
)

func goRuntime() (f runtimeFigures) {
	s := [numMetrics]metrics.Sample{
		metricCycles:      {Name: "/gc/cycles/total:gc-cycles"},
		metricGCSeconds:   {Name: "/cpu/classes/gc/total:cpu-seconds"},
		metricAllSeconds:  {Name: "/cpu/classes/total:cpu-seconds"},
		metricIdleSeconds: {Name: "/cpu/classes/idle:cpu-seconds"},
		metricPauses:      {Name: "/sched/pauses/total/gc:seconds"},
		metricObjects:     {Name: "/memory/classes/heap/objects:bytes"},
		metricTotal:       {Name: "/memory/classes/total:bytes"},
	}
	metrics.Read(s[:])
	f.cycles = s[metricCycles].Value.Uint64()
	f.gcSeconds = s[metricGCSeconds].Value.Float64()
	f.cpu = s[metricAllSeconds].Value.Float64() - s[metricIdleSeconds].Value.Float64()
	f.pauseMax = longest(s[metricPauses].Value.Float64Histogram())
	f.objects, f.total = s[metricObjects].Value.Uint64(), s[metricTotal].Value.Uint64()
	return f
}

// longest is the upper end of the last bucket of a histogram that has anything.
func longest(h *metrics.Float64Histogram) time.Duration {
	for i := len(h.Counts) - 1; i >= 0; i-- {
		if h.Counts[i] == 0 {
			continue
		}
		end := h.Buckets[i+1]
		if end > 1e6 { // the last bucket has no end
			end = h.Buckets[i]
		}
		return time.Duration(end * float64(time.Second))
	}
	return 0
}
