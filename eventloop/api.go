package eventloop

import (
	"errors"
	"io/fs"
	"net"
	"time"

	"dozo/env"
)

// Handler is what the server gives each loop. Every call happens on the loop's
// own goroutine, never two at a time, so a Handler needs no lock for what only
// it touches.
type Handler interface {
	// Open announces a connection. The handler sets c.User; it may already
	// append to c.Out.
	Open(c *Conn)
	// Data delivers every byte that has arrived and was not consumed yet, and
	// returns how many of them it has dealt with. Replies are appended to c.Out.
	// in is valid until Data returns.
	Data(c *Conn, in []byte) (consumed int)
	// Flushed says that pending output fell to zero after the socket had refused
	// some: what was held back for a slow reader may go on.
	Flushed(c *Conn)
	// Closed ends the life of c. It comes exactly once for each Open, never
	// inside another call for the same loop.
	Closed(c *Conn, err error)
	// Message delivers what Loop.Post sent.
	Message(l *Loop, m Message)
	// Tick comes Hz times a second. now is the loop's clock (see Loop.Now).
	Tick(l *Loop, now time.Duration)
	// BeforeSleep ends a round: what it appends to connections is still written
	// before the loop blocks.
	BeforeSleep(l *Loop)
}

// Waker may be implemented by a Handler that wants to know when a round begins,
// as the counterpart of BeforeSleep.
type Waker interface {
	// AfterSleep comes once per round, after the loop has learnt what is ready
	// and before it handles any of it.
	AfterSleep(l *Loop)
}

// Addr is where a listener listens.
type Addr = net.Addr

// Message is a note to a loop. What the fields mean is agreed between those who
// post and the Handler; the loop only carries them.
type Message struct {
	Kind  int
	Conn  *Conn // may be nil, may be closed by the time it is read
	Num   int64
	Bytes []byte
	Any   any

	op op
}

// Transport says how bytes are moved.
type Transport uint8

const (
	// Auto is Epoll where there is one, else Portable.
	Auto Transport = iota
	// Epoll serves sockets on the loop's own thread (Linux).
	Epoll
	// Portable serves each connection by goroutines that hand bytes to the loop.
	Portable
)

func (t Transport) String() string {
	switch t {
	case Epoll:
		return "epoll"
	case Portable:
		return "portable"
	}
	return "auto"
}

// Options are the settings of a Group. Only Handler must be given.
type Options struct {
	Loops     int                     // number of loops; 0 = 1
	Transport Transport               // how sockets are served
	Clock     env.Clock               // nil = the real clock
	Handler   func(index int) Handler // makes the Handler of loop index
	Hz        int                     // ticks a second, 1..1000; 0 = 10
	Backlog   int                     // accept queue of a listener; 0 = 511
	KeepAlive time.Duration           // TCP keep-alive of accepted connections; 0 = off
	UnixPerm  fs.FileMode             // mode of unix sockets; 0 = what the umask leaves
	// Report is told of trouble that ends no connection, such as a failing
	// accept. It may be called from any goroutine. nil = nobody is told.
	Report func(error)
	// Crashed is called on a loop's goroutine, at the end of its life, when a
	// Handler or the loop itself panicked, a bad access to memory included. The
	// connections of that loop hang from then on: whoever sets Crashed writes down
	// what is known and ends the process. nil = the panic takes its usual way.
	Crashed func(loop int, reason any)
}

// Errors that Closed and the calls of a Group report.
var (
	// ErrClosed is what Closed is told when the server itself ended the
	// connection with CloseAfterFlush or Close(nil).
	ErrClosed = errors.New("eventloop: connection closed by this side")
	// ErrGroupClosed is what Closed is told when the whole Group ends, and what
	// Listen and Attach answer from then on.
	ErrGroupClosed = errors.New("eventloop: the group is closed")
	// ErrNoEpoll means that Transport Epoll was demanded where there is none;
	// use Auto or Portable.
	ErrNoEpoll = errors.New("eventloop: this system has no epoll; choose the portable transport")
)

// Stats counts what a loop has done, and what it holds now.
type Stats struct {
	Conns    int64  // open connections
	Accepted uint64 // connections opened since the start
	BytesIn  uint64 // read from peers
	BytesOut uint64 // written to peers
	BytesFed uint64 // of these, from sources
	Rounds   uint64 // rounds of the loop
	Sleeps   uint64 // rounds that blocked for want of work
	Reads    uint64 // calls that read from a socket
	Writes   uint64 // calls that wrote to a socket
}
