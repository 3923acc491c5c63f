package eventloop

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// acceptBatch is how many connections are accepted in one go.
	acceptBatch = 128
	// acceptPause is how long accepting rests when the process or the system has
	// no descriptor left: the waiting connection stays in the kernel's queue.
	acceptPause = 100 * time.Millisecond
)

// listener is one listening address. Under epoll it is a descriptor in the first
// loop's epoll set, else a net.Listener with a goroutine.
type listener struct {
	id   int32
	addr net.Addr
	path string // of a unix socket, to be removed at the end

	file    int       // under epoll, else -1
	poll    acceptor  // under epoll: who accepts
	resting bool      // under epoll: out of descriptors until
	retryAt time.Time // this time

	ln   net.Listener            // with a goroutine that accepts
	done chan struct{}           // closed when ln is
	wrap func(net.Conn) net.Conn // what becomes of its connections; nil = nothing
}

// Listen accepts connections on network (tcp, tcp4, tcp6, unix) and addr, and
// returns the address with the port that was chosen if addr's was 0. It may be
// called before Start and at any time after it. The socket file that a process
// left behind when it died is replaced.
func (g *Group) Listen(network, addr string) (net.Addr, error) {
	return g.ListenWrapped(network, addr, nil)
}

// ListenWrapped is Listen for connections that are not served as they are: wrap makes
// of each what is given to Attach, as tls.Server does. wrap must not block; a
// handshake takes place when the connection is first read.
func (g *Group) ListenWrapped(network, addr string, wrap func(net.Conn) net.Conn) (net.Addr, error) {
	if network == "unix" {
		removeStaleSocket(addr)
	}
	ln, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), network, addr)
	if err != nil {
		return nil, err
	}
	own := &listener{addr: ln.Addr(), ln: ln, file: -1, wrap: wrap}
	if u, ok := ln.(*net.UnixListener); ok {
		u.SetUnlinkOnClose(false) // so that the listener can change hands
		own.path = addr
		if err := g.setUnixPerm(addr); err != nil {
			_ = ln.Close()
			_ = os.Remove(addr)
			return nil, err
		}
	}
	if err := g.addListener(own); err != nil {
		own.end()
		return nil, err
	}
	return own.addr, nil
}

func (g *Group) setUnixPerm(path string) error {
	if g.options.UnixPerm == 0 {
		return nil
	}
	return os.Chmod(path, g.options.UnixPerm)
}

// removeStaleSocket removes a unix socket that nobody listens on.
func removeStaleSocket(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSocket == 0 {
		return
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		_ = conn.Close()
		return
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}

// addListener begins to accept.
func (g *Group) addListener(own *listener) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrGroupClosed
	}
	g.nextID++
	own.id = g.nextID
	if p, ok := g.loops[0].poll.(acceptor); ok && own.wrap == nil {
		if err := p.listen(own, g.options.Backlog); err != nil {
			return err
		}
	} else {
		own.done = make(chan struct{})
		g.running.Go(func() { g.acceptLoop(own) })
	}
	g.listeners[listenerKey(own.addr)] = own
	return nil
}

// acceptor is a poller that accepts connections itself.
type acceptor interface {
	listen(own *listener, backlog int) error
	unlisten(own *listener)
}

func listenerKey(addr net.Addr) string { return addr.Network() + " " + addr.String() }

// Unlisten ends the listener that Listen returned addr for. Its connections stay.
func (g *Group) Unlisten(addr net.Addr) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := g.listeners[listenerKey(addr)]
	if own == nil {
		return fmt.Errorf("eventloop: nothing listens on %s %s", addr.Network(), addr)
	}
	g.dropListener(own)
	return nil
}

// dropListener ends a listener; g.mu is held.
func (g *Group) dropListener(own *listener) {
	delete(g.listeners, listenerKey(own.addr))
	own.end()
}

// end closes what the listener holds.
func (own *listener) end() {
	if own.done != nil {
		close(own.done)
	}
	if own.ln != nil {
		_ = own.ln.Close()
	}
	if own.poll != nil {
		own.poll.unlisten(own)
	}
	if own.path != "" {
		_ = os.Remove(own.path)
	}
}

// acceptLoop is the goroutine of a listener that no epoll set accepts from.
func (g *Group) acceptLoop(own *listener) {
	for {
		conn, err := own.ln.Accept()
		if err == nil {
			g.setUp(conn)
			if own.wrap != nil {
				conn = own.wrap(conn)
			}
			_ = g.Attach(conn)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		g.report(fmt.Errorf("eventloop: accept on %s failed and is tried again in %v: %w", own.addr, acceptPause, err))
		select {
		case <-own.done:
			return
		case <-time.After(acceptPause):
		}
	}
}

// setUp gives an accepted connection the options that all get.
func (g *Group) setUp(conn net.Conn) {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	_ = tcp.SetNoDelay(true)
	_ = setTCPKeepAlive(tcp, time.Duration(g.keepAlive.Load()))
}

// setTCPKeepAlive has the peer probed after period of silence and given up after
// three probes that were not answered, a third of period apart.
func setTCPKeepAlive(tcp *net.TCPConn, period time.Duration) error {
	return tcp.SetKeepAliveConfig(net.KeepAliveConfig{
		Enable:   period > 0,
		Idle:     period,
		Interval: max(period/3, time.Second),
		Count:    3,
	})
}
