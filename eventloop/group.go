package eventloop

import (
	"net"
	"time"
)

// Group is a set of loops that share listeners.
type Group struct{ loops []*Loop }

// New makes the loops; they begin with Start.
func New(o Options) (*Group, error) { return &Group{}, nil }

// Listen accepts connections on network (tcp, tcp4, tcp6, unix) and addr. It may
// be called before Start and at any time after it.
func (g *Group) Listen(network, addr string) (net.Addr, error) { return nil, ErrGroupClosed }

// Unlisten ends the listener that Listen returned addr for. Its connections stay.
func (g *Group) Unlisten(addr net.Addr) error { return nil }

// Attach gives conn to the least loaded loop. It works with any net.Conn (TLS) and
// under both transports; goroutines move its bytes.
func (g *Group) Attach(conn net.Conn) error { return ErrGroupClosed }

// Start sets the loops running.
func (g *Group) Start() {}

// Close ends the listeners, the connections and the loops, and returns when all
// of them have ended.
func (g *Group) Close() error { return nil }

// Loops are the loops in order of Index. The slice is the Group's own.
func (g *Group) Loops() []*Loop { return g.loops }

// SetHz changes the number of ticks a second for every loop.
func (g *Group) SetHz(hz int) {}

// SetKeepAlive changes Options.KeepAlive for connections accepted from now on.
func (g *Group) SetKeepAlive(period time.Duration) {}

// Transport is the one in use: never Auto.
func (g *Group) Transport() Transport { return Portable }
