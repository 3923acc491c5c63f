package eventloop

import (
	"bytes"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"dozo/env"
)

const (
	defaultHz      = 10
	maxHz          = 1000
	defaultBacklog = 511
	maxLoops       = 1024
)

// Group is a set of loops that share listeners.
type Group struct {
	options   Options
	transport Transport
	loops     []*Loop
	hz        atomic.Int64
	keepAlive atomic.Int64  // nanoseconds
	lastID    atomic.Uint64 // of a connection
	turn      atomic.Uint64 // where the search for the least loaded loop begins

	mu        sync.Mutex
	listeners map[string]*listener // by address
	nextID    int32                // of a listener
	started   bool
	closed    bool
	running   sync.WaitGroup // loops and the goroutines of the portable transport
}

// New makes the loops; they begin with Start. A Group that is never started must
// be closed, too.
func New(o Options) (*Group, error) {
	if o.Handler == nil {
		return nil, fmt.Errorf("eventloop: Options.Handler is nil; every loop needs a Handler")
	}
	if o.Loops < 0 || o.Loops > maxLoops {
		return nil, fmt.Errorf("eventloop: %d loops are not possible; choose 1 to %d", o.Loops, maxLoops)
	}
	g := &Group{options: o, transport: o.Transport, listeners: map[string]*listener{}}
	if g.transport == Auto {
		g.transport = nativeTransport
	}
	if g.options.Clock == nil {
		g.options.Clock = env.Real().Clock
	}
	if g.options.Backlog <= 0 {
		g.options.Backlog = defaultBacklog
	}
	g.SetHz(o.Hz)
	g.SetKeepAlive(o.KeepAlive)
	for i := range max(o.Loops, 1) {
		if err := g.addLoop(i); err != nil {
			_ = g.Close()
			return nil, err
		}
	}
	return g, nil
}

func (g *Group) addLoop(index int) error {
	poll, err := newPoller(g.transport)
	if err != nil {
		return err
	}
	l := &Loop{
		Index:   index,
		group:   g,
		clock:   g.options.Clock,
		poll:    poll,
		readBuf: make([]byte, readSize),
		scratch: make([]byte, 0, scratchSize),
	}
	g.loops = append(g.loops, l)
	l.handler = g.options.Handler(index)
	l.waker, _ = l.handler.(Waker)
	l.ender, _ = l.handler.(SourceEnder)
	return nil
}

func newPoller(t Transport) (poller, error) {
	if t == Epoll {
		return newEpoll()
	}
	return newParker(), nil
}

// Start sets the loops running.
func (g *Group) Start() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.started || g.closed {
		return
	}
	g.started = true
	for _, l := range g.loops {
		g.running.Go(l.run)
	}
}

// Close ends the listeners, the connections (Closed is told ErrGroupClosed) and
// the loops, and returns when all of them have ended. It must not be called from
// a Handler, which it would wait for. Output that is pending is dropped.
func (g *Group) Close() error {
	g.mu.Lock()
	first := !g.closed
	g.closed = true
	started := g.started
	for _, ln := range g.listeners {
		g.dropListener(ln)
	}
	g.mu.Unlock()
	if first {
		for _, l := range g.loops {
			if !started {
				l.shutdown()
				continue
			}
			l.post(&Message{op: opStop})
		}
	}
	g.running.Wait()
	return nil
}

// Loops are the loops in order of Index. The slice is the Group's own.
func (g *Group) Loops() []*Loop { return g.loops }

// Transport is the one in use: never Auto.
func (g *Group) Transport() Transport { return g.transport }

// SetHz changes the number of ticks a second for every loop; 0 is the default.
func (g *Group) SetHz(hz int) {
	if hz <= 0 {
		hz = defaultHz
	}
	g.hz.Store(int64(min(hz, maxHz)))
}

// period is the time between ticks.
func (g *Group) period() time.Duration { return time.Second / time.Duration(g.hz.Load()) }

// SetKeepAlive changes Options.KeepAlive for connections accepted from now on.
func (g *Group) SetKeepAlive(period time.Duration) { g.keepAlive.Store(int64(period)) }

// Attach gives conn to the least loaded loop. It works with any net.Conn (TLS) and
// under both transports: goroutines move its bytes, unless it is a plain socket and
// the Group's transport can do better. The Group owns conn from then on, also when
// Attach fails.
func (g *Group) Attach(conn net.Conn) error { return g.attach(g.leastLoaded(), conn, nil, nil) }

// AttachTo is Attach for loop l, with what c.User is to be in Open: for a connection
// that this side has dialled. What was read from it already is pending: Data gets a
// copy of it first, after Open and before anything else is read. Deadlines of conn
// are taken off. It may be called from any goroutine.
func (g *Group) AttachTo(l *Loop, conn net.Conn, user any, pending []byte) error {
	_ = conn.SetDeadline(time.Time{})
	return g.attach(l, conn, user, pending)
}

func (g *Group) attach(l *Loop, conn net.Conn, user any, pending []byte) error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		_ = conn.Close()
		return ErrGroupClosed
	}
	g.running.Add(1) // Close must not pass by while the connection is set up
	g.mu.Unlock()
	defer g.running.Done()
	c := g.takeSocket(conn)
	if c == nil {
		c = newStream(g, conn)
	}
	c.User = user
	if len(pending) > 0 {
		c.in.buf = bytes.Clone(pending)
		c.flags |= flagKicked // so nothing is read before it
	}
	g.assign(l, c)
	return nil
}

// assign gives c, which has a link and no loop yet, to l.
func (g *Group) assign(l *Loop, c *Conn) {
	c.ID = g.lastID.Add(1)
	c.Loop = l
	l.load.Add(1)
	if !l.post(&Message{op: opAdopt, Conn: c}) {
		l.load.Add(-1)
		c.link.close(c)
	}
}

// leastLoaded goes round among loops that have equally few connections.
func (g *Group) leastLoaded() *Loop {
	n := uint64(len(g.loops))
	from := g.turn.Add(1)
	best := g.loops[from%n]
	for i := uint64(1); i < n; i++ {
		if l := g.loops[(from+i)%n]; l.load.Load() < best.load.Load() {
			best = l
		}
	}
	return best
}

// report tells of trouble that ends no connection.
func (g *Group) report(err error) {
	if g.options.Report != nil {
		g.options.Report(err)
	}
}
