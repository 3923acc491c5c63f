package server

import (
	"testing"
	"time"

	"dozo/config"
)

// TestBacklogSize: what is kept covers the time that a replica may be away at the rate of
// the busiest second of late, within a share of the memory; a size that was set is obeyed.
func TestBacklogSize(t *testing.T) {
	const gib = 1 << 30
	memory := int64(64 * gib)
	cfg := config.New(config.Options{Cores: 1})
	set := func(name, value string) {
		t.Helper()
		if err := cfg.Set([]config.Pair{{Name: name, Value: value}}, config.Caller{}); err != nil {
			t.Fatal(err)
		}
	}
	b, now, offset := backlog{}, time.Duration(1), uint64(1000)
	write := func(seconds int, rate uint64) {
		for range seconds {
			now += time.Second
			offset += rate
			b.observe(offset, now)
		}
	}
	want := func(what string, want, slack uint64) {
		t.Helper()
		if got := b.size(cfg, memory); got < want || got > want+slack {
			t.Errorf("%s: %d bytes are kept, want %d", what, got, want)
		}
	}
	b.observe(offset, now)
	want("nothing was written", 1<<20, 0)
	if got := b.keep(cfg, memory); got != 64*gib/20 {
		t.Errorf("%d bytes are kept before the rate is known", got)
	}
	now, offset = now+100*time.Millisecond, offset+100_000
	b.observe(offset, now)
	want("a tenth of a second with a megabyte a second", 7_500_000, 0)
	write(1, 1_000_000)
	want("a megabyte a second", 74_999_999, 1)
	if got := b.keep(cfg, memory); got != b.size(cfg, memory) {
		t.Errorf("%d bytes are kept when the rate is known", got)
	}
	write(600, 10)
	want("ten quiet minutes later", 66_000_000, 2_000_000)
	write(3600*24, 0)
	want("a quiet day later", 1<<20, 0)
	write(1, 1<<30)
	want("more than memory has room for", 64*gib/20, 0)
	memory = gib
	want("less memory", gib/20, 0)
	set("repl-backlog-time", "0")
	want("turned off", 1<<20, 0)
	set("repl-backlog-time", "60")
	set("repl-backlog-size", "20000")
	want("a size that was set", 20_000, 0)
	offset = 0
	b.observe(offset, now) // another history: no rate is taken from the difference
	set("repl-backlog-size", "1mb")
	want("another history", gib/20, 0)
}

// TestBacklogAtOnce: the log is kept for replicas from the moment on in which there is one,
// and not only from the next tick on.
func TestBacklogAtOnce(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		g.alone(func() {
			g.UseLog(LogReplicas, true)
			if got := g.log.Stats().Retain; got < 1<<20 {
				t.Errorf("%d bytes of the log are kept", got)
			}
			g.UseLog(LogReplicas, false)
			if got := g.log.Stats().Retain; got != 0 {
				t.Errorf("%d bytes of the log are kept for nobody", got)
			}
		})
	})
}
