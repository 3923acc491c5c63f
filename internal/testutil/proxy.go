package testutil

import (
	"bytes"
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy on a loopback address that can be a bad network: it delays, cuts,
// throttles and swallows. What it is told holds for the connections that there are, too.
type Proxy struct {
	listener net.Listener
	to       string

	mu      sync.Mutex
	changed *sync.Cond
	state   weather
	pairs   map[*pair]bool
	passed  [2]int64 // bytes, by direction
	closed  bool
	copies  sync.WaitGroup
}

// Direction is that of bytes through a Proxy.
type Direction int

// Up is from who dialled the proxy to the server behind it, Down is back.
const (
	Up Direction = iota
	Down
)

// weather is what the proxy does to bytes.
type weather struct {
	down  bool // new connections are refused
	still [2]bool
	delay [2]time.Duration
	rate  [2]int // bytes a second; 0 = any
	trap  [2][]byte
}

// pair is one connection through the proxy.
type pair struct{ client, server net.Conn }

func (p *pair) close() {
	_ = p.client.Close() // that it ends is what is wanted
	_ = p.server.Close()
}

// StartProxy makes a proxy to an address, which ends with the test.
func StartProxy(tb testing.TB, to string) *Proxy {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{listener: l, to: to, pairs: make(map[*pair]bool)}
	p.changed = sync.NewCond(&p.mu)
	p.copies.Go(p.accept)
	tb.Cleanup(p.Close)
	return p
}

// Addr is where it listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Close ends it, and what goes through it.
func (p *Proxy) Close() {
	p.change(func() { p.closed = true })
	_ = p.listener.Close() // it is closed in any case
	p.Cut()
	p.copies.Wait()
}

// Retarget has new connections go to another address.
func (p *Proxy) Retarget(to string) { p.change(func() { p.to = to }) }

// Cut ends all connections; new ones are made.
func (p *Proxy) Cut() {
	p.change(func() {
		for c := range p.pairs {
			c.close()
		}
	})
}

// Down ends all connections, and refuses new ones, until Restore.
func (p *Proxy) Down() {
	p.change(func() { p.state.down = true })
	p.Cut()
}

// Still swallows nothing and passes nothing on, in one direction, until Restore: as a
// network does that has lost its way. Connections stay.
func (p *Proxy) Still(d Direction) { p.change(func() { p.state.still[d] = true }) }

// StillAt is Still from the moment on in which these bytes want to pass in one go; Trapped tells whether they did.
func (p *Proxy) StillAt(d Direction, mark string) {
	p.change(func() { p.state.trap[d] = []byte(mark) })
}

// Trapped tells whether what StillAt waits for has come.
func (p *Proxy) Trapped(d Direction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.trap[d] != nil && p.state.still[d]
}

// Delay has bytes arrive so much later.
func (p *Proxy) Delay(d Direction, by time.Duration) { p.change(func() { p.state.delay[d] = by }) }

// Throttle passes on so many bytes a second, of each connection; 0 is any number.
func (p *Proxy) Throttle(d Direction, rate int) { p.change(func() { p.state.rate[d] = rate }) }

// Restore makes it a good network again.
func (p *Proxy) Restore() { p.change(func() { p.state = weather{} }) }

// Passed is how many bytes have gone one way.
func (p *Proxy) Passed(d Direction) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed[d]
}

func (p *Proxy) change(how func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	how()
	p.changed.Broadcast()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refused, to := p.state.down || p.closed, p.to
		p.mu.Unlock()
		if refused {
			_ = client.Close()
			continue
		}
		p.copies.Go(func() { p.serve(client, to) })
	}
}

// serve passes one connection on.
func (p *Proxy) serve(client net.Conn, to string) {
	server, err := net.DialTimeout("tcp", to, dialPatience)
	if err != nil {
		_ = client.Close()
		return
	}
	c := &pair{client, server}
	p.change(func() {
		if p.pairs[c] = true; p.state.down || p.closed {
			c.close()
		}
	})
	var both sync.WaitGroup
	both.Go(func() { p.pass(c, server, client, Up) })
	both.Go(func() { p.pass(c, client, server, Down) })
	both.Wait()
	p.change(func() { delete(p.pairs, c) })
}

const (
	dialPatience = 5 * time.Second
	proxyBuffer  = 64 << 10
	// throttleStep is how often a throttled connection gets its share.
	throttleStep = 10 * time.Millisecond
	// throttledParcels is how many of them lie here then: who sends is to feel it.
	throttledParcels = 4
)

// parcel is bytes that were read, and when they may arrive.
type parcel struct {
	bytes []byte
	due   time.Time
}

// pass copies one direction until either side ends, and then ends both.
func (p *Proxy) pass(c *pair, to, from net.Conn, d Direction) {
	defer c.close()
	parcels := make(chan parcel, 1024) // so that a delay does not slow a stream down
	gone := make(chan struct{})
	go func() {
		defer close(parcels)
		for {
			for len(parcels) >= throttledParcels && p.throttled(d) {
				time.Sleep(throttleStep)
			}
			b := make([]byte, proxyBuffer)
			n, err := from.Read(b)
			if err != nil {
				return
			}
			select {
			case parcels <- parcel{b[:n], time.Now().Add(p.delayOf(d))}:
			case <-gone:
				return
			}
		}
	}()
	defer close(gone)
	for parcel := range parcels {
		time.Sleep(time.Until(parcel.due))
		p.spring(d, parcel.bytes)
		if !p.awaitWay(c, d) {
			return
		}
		for rest := parcel.bytes; len(rest) > 0; {
			n := p.portion(d, len(rest))
			if _, err := to.Write(rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}
}

func (p *Proxy) throttled(d Direction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.rate[d] != 0 && !p.closed
}

// spring is for StillAt.
func (p *Proxy) spring(d Direction, b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mark := p.state.trap[d]; mark != nil && bytes.Contains(b, mark) {
		p.state.still[d] = true
	}
}

func (p *Proxy) delayOf(d Direction) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.delay[d]
}

// portion is how much of n bytes may go now; a throttled connection waits for its share.
func (p *Proxy) portion(d Direction, n int) int {
	p.mu.Lock()
	rate := p.state.rate[d]
	if rate != 0 {
		n = min(n, max(rate*int(throttleStep)/int(time.Second), 1))
	}
	p.passed[d] += int64(n)
	p.mu.Unlock()
	if rate != 0 {
		time.Sleep(throttleStep)
	}
	return n
}

// awaitWay waits until bytes may pass, and tells whether they still can.
func (p *Proxy) awaitWay(c *pair, d Direction) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.state.still[d] && !p.closed && p.pairs[c] {
		p.changed.Wait()
	}
	return !p.closed
}
