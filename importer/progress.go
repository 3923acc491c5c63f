package importer

import (
	"fmt"
	"strings"
	"time"
)

// How often progress is shown: on a terminal, and in lines elsewhere.
const (
	barEvery  = 200 * time.Millisecond
	lineEvery = 10 * time.Second
	barWidth  = 30
)

// progress is how far the import is, for who watches it.
type progress struct {
	total  int64 // bytes, or keys of a scan; 0 = not known
	done   int64
	begin  time.Duration // since the process was started
	base   int64         // done before that
	keys   int64         // likewise
	bytes  int64
	shown  time.Duration
	onLine bool // the bar is on the screen
}

// startProgress begins to measure.
func (r *run) startProgress(total int64) {
	now := r.Env.Clock.Monotonic()
	r.total, r.begin, r.shown = total, now, now
	r.base, r.keys, r.bytes = r.done, r.Keys, r.Bytes
}

// show shows the progress when it is time to.
func (r *run) show() {
	now := r.Env.Clock.Monotonic()
	every := lineEvery
	if r.Terminal {
		every = barEvery
	}
	if now-r.shown < every {
		return
	}
	r.shown = now
	line := r.progressLine(now - r.begin)
	if r.Terminal {
		fmt.Fprintf(r.Log, "\r\x1b[K%s", line)
		r.onLine = true
		return
	}
	fmt.Fprintln(r.Log, line)
}

// progressLine is one line of how far it is after so long.
func (r *run) progressLine(took time.Duration) string {
	per := 1 / max(took.Seconds(), 0.001)
	if r.done > r.base && r.Keys == 0 && r.Bytes == 0 {
		return fmt.Sprintf("%s received, %s/s", bytesText(r.done), bytesText(int64(float64(r.done-r.base)*per)))
	}
	line := fmt.Sprintf("%d keys, %s, %s/s, %.0f keys/s", r.Keys, bytesText(r.Bytes),
		bytesText(int64(float64(r.Bytes-r.bytes)*per)), float64(r.Keys-r.keys)*per)
	if r.Commands > 0 {
		line += fmt.Sprintf(", %d commands", r.Commands)
	}
	if r.total == 0 {
		return line
	}
	part := min(float64(r.done)/float64(r.total), 1)
	head := fmt.Sprintf("%3.0f%%  ", part*100)
	if r.Terminal {
		full := int(part * barWidth)
		head = "[" + strings.Repeat("#", full) + strings.Repeat("-", barWidth-full) + "] " + head
	}
	if rate := float64(r.done-r.base) * per; rate > 0 {
		left := time.Duration(float64(r.total-r.done) / rate * float64(time.Second))
		line += fmt.Sprintf(", %s left", max(left, 0).Round(time.Second))
	}
	return head + line
}

// say prints a line, with the bar out of the way.
func (r *run) say(format string, args ...any) {
	if r.onLine {
		fmt.Fprint(r.Log, "\r\x1b[K")
		r.onLine = false
	}
	fmt.Fprintf(r.Log, format+"\n", args...)
}
