package eventloop

import "time"

// parker is the poller of the portable transport: there is nothing to poll, since
// goroutines put what they read into the inbox.
type parker struct {
	woken chan struct{}
	timer *time.Timer
}

func newParker() *parker {
	p := &parker{woken: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	p.timer.Stop()
	return p
}

func (p *parker) wait(timeout time.Duration) int {
	if timeout <= 0 {
		return 0
	}
	p.timer.Reset(timeout)
	select {
	case <-p.woken:
		p.timer.Stop()
	case <-p.timer.C:
	}
	return 0
}

func (p *parker) dispatch(*Loop) {}

func (p *parker) tick(*Loop) {}

func (p *parker) wake() {
	select {
	case p.woken <- struct{}{}:
	default:
	}
}

func (p *parker) close() {}
