package logger

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/env"
)

// pipe is a log that may be stuck.
type pipe struct {
	mu    sync.Mutex // held: it is stuck
	lines bytes.Buffer
}

func (p *pipe) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lines.Write(b)
}

// TestWritten: a line is there when Logf returns, from whoever, and lines keep their order.
func TestWritten(t *testing.T) {
	var p pipe
	l := New(&p, env.Real().Clock, 1, Notice)
	var all sync.WaitGroup
	for who := range 8 {
		all.Go(func() {
			for i := range 100 {
				line := fmt.Sprintf("line %d of %d.", i, who)
				l.Logf(Warning, "%s", line)
				p.mu.Lock()
				if !strings.Contains(p.lines.String(), line) {
					t.Errorf("%q is not there", line)
				}
				p.mu.Unlock()
			}
		})
	}
	all.Wait()
	if n := strings.Count(p.lines.String(), "\n"); n != 800 {
		t.Errorf("%d lines", n)
	}
	text := p.lines.String()
	for i := range 99 {
		if strings.Index(text, fmt.Sprintf("line %d of 3.", i)) > strings.Index(text, fmt.Sprintf("line %d of 3.", i+1)) {
			t.Fatalf("line %d comes after the next", i)
		}
	}
}

// TestStuck: a log that cannot be written holds up who logs for a moment, once, takes
// bounded memory, and says what is missing.
func TestStuck(t *testing.T) {
	var p pipe
	l := New(&p, env.Real().Clock, 1, Notice)
	p.mu.Lock()
	began := time.Now()
	for i := range 3000 {
		l.Logf(Warning, "%d %s", i, strings.Repeat("x", 1000))
	}
	if took := time.Since(began); took > 20*patience {
		t.Errorf("those who log were held up for %v", took)
	}
	if n := len(l.pending); n > 2*pendingMax {
		t.Errorf("%d bytes wait", n)
	}
	p.mu.Unlock()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		l.Logf(Warning, "the last")
		p.mu.Lock()
		text := p.lines.String()
		p.mu.Unlock()
		if strings.Contains(text, "the last") {
			if strings.Count(text, " x") < 1000 || !strings.Contains(text, "lines are missing here") {
				t.Errorf("%d bytes of log, and nothing about what is missing", len(text))
			}
			return
		}
		if time.Now().After(end) {
			t.Fatal("the log does not go on")
		}
	}
}
