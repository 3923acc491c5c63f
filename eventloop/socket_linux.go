package eventloop

import (
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// writeParts is in how many parts one sendmsg may be.
const writeParts = 16

// socket is the link of a connection in an epoll set.
//
// It is edge-triggered: the kernel tells once that bytes arrived, so level-triggered
// epoll's second look at every socket that was ready falls away. The price is that
// whoever stops before the socket is empty must remember it (flagUnread). A read
// that returns less than was asked for has emptied the socket, so the usual request
// costs one read, one write and its share of one epoll_wait.
type socket struct {
	file int32
	full bool // the socket refused bytes and has not said since that there is room
	unix bool
	peer netip.AddrPort
}

// newSocket makes a connection of an accepted descriptor.
func newSocket(g *Group, file int, peer unix.Sockaddr) *Conn {
	// One allocation for both; they live and die together.
	both := &struct {
		Conn
		socket
	}{}
	s, c := &both.socket, &both.Conn
	s.file = int32(file)
	c.link = s
	switch a := peer.(type) {
	case *unix.SockaddrInet4:
		s.peer = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		s.peer = netip.AddrPortFrom(inet6(a), uint16(a.Port))
	default:
		s.unix = true
		c.flags |= flagUnix
		return c
	}
	_ = unix.SetsockoptInt(file, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if s.peer.Addr().IsLoopback() {
		// Nothing can be congested on the way to this very host; the simplest rule
		// costs the least (1.2% of the CPU time against bbr). Refusal does no harm.
		_ = unix.SetsockoptString(file, unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	}
	if period := time.Duration(g.keepAlive.Load()); period > 0 {
		_ = s.setKeepAlive(period)
	}
	return c
}

// takeSocket makes a connection of the descriptor behind conn, if conn is a plain
// socket and the transport is epoll; else it returns nil.
func (g *Group) takeSocket(conn net.Conn) *Conn {
	if g.transport != Epoll {
		return nil
	}
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil
	}
	file, err := duplicate(conn)
	if err != nil {
		return nil
	}
	peer, err := unix.Getpeername(file)
	if err != nil {
		_ = unix.Close(file)
		return nil
	}
	_ = conn.Close()
	return newSocket(g, file, peer)
}

func inet6(a *unix.SockaddrInet6) netip.Addr {
	ip := netip.AddrFrom16(a.Addr).Unmap()
	if a.ZoneId != 0 {
		ip = ip.WithZone(strconv.Itoa(int(a.ZoneId)))
	}
	return ip
}

func (s *socket) start(c *Conn) error {
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     c.slot,
		Pad:    int32(c.ID),
	}
	if !s.unix {
		// A TCP socket says that it is writable only after it was full, so asking
		// for it once and for all costs nothing. A unix socket says it whenever the
		// peer has read something; there it is asked for when needed.
		ev.Events |= unix.EPOLLOUT
	}
	p := c.Loop.poll.(*epoll)
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.file, unix.EPOLL_CTL_ADD, int(s.file), &ev))
}

// event handles what epoll found.
func (s *socket) event(c *Conn, events uint32) {
	if events&hangupEvents != 0 {
		if s.hangup(c, events) {
			return
		}
	}
	if s.full && events&unix.EPOLLOUT != 0 {
		s.full = false
		c.progress()
	}
	if events&(unix.EPOLLIN|hangupEvents) != 0 {
		s.read(c)
	}
}

// hangup notes that the peer ended its side, and ends connections on which no read
// would find out.
func (s *socket) hangup(c *Conn, events uint32) (ended bool) {
	c.flags |= flagHangup
	unread := c.flags.has(flagPaused) && events&unix.EPOLLERR == 0
	if !c.flags.has(flagPaused|flagDraining) || unread || events&(unix.EPOLLERR|unix.EPOLLHUP) == 0 {
		return false
	}
	c.end(s.failure())
	return true
}

// failure is why the socket failed.
func (s *socket) failure() error {
	code, err := unix.GetsockoptInt(int(s.file), unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		return syscall.Errno(code)
	}
	return io.EOF
}

// read takes what the socket has, within the limits of one round.
func (s *socket) read(c *Conn) {
	l := c.Loop
	budget := readSize
	for {
		if c.flags.has(notReading) {
			c.flags |= flagUnread
			return
		}
		if budget <= 0 {
			c.flags |= flagUnread
			l.makeReady(c)
			return
		}
		n, asked := s.readOnce(c)
		if n < asked && (n <= 0 || !c.flags.has(flagHangup)) {
			return
		}
		if asked > readSize || c.need > readSize {
			budget = max(budget, bulkRound) // a big value, this once
		}
		budget -= n
	}
}

// readOnce reads to where the connection wants it and delivers. n is 0 when there
// was nothing, or when the connection ended.
func (s *socket) readOnce(c *Conn) (n, asked int) {
	l := c.Loop
	l.count.Reads++
	if c.direct() {
		target := c.directTarget()
		n = s.receive(c, target)
		if n > 0 {
			l.arrivedDirect(c, n)
		}
		return n, len(target)
	}
	have := copy(l.readBuf, c.in.bytes())
	target := l.readBuf[have:]
	n = s.receive(c, target)
	if n > 0 {
		l.arrivedShared(c, l.readBuf[:have+n], n)
	}
	return n, len(target)
}

// receive is one non-blocking read. recvfrom does without the layers that read has
// for files.
func (s *socket) receive(c *Conn, target []byte) int {
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(s.file), uintptr(unsafe.Pointer(&target[0])),
			uintptr(len(target)), unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == 0 && n > 0:
			return int(n)
		case errno == 0:
			c.peerEnded(io.EOF)
			return 0
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			return 0
		default:
			c.end(errno)
			return 0
		}
	}
}

// write offers p in calls of bounded size.
func (s *socket) write(c *Conn, p []byte) (int, error) {
	sent := 0
	for sent < len(p) && !s.full {
		n, err := s.send(c, p[sent:min(len(p), sent+writeSize)])
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// send offers one piece.
func (s *socket) send(c *Conn, part []byte) (int, error) {
	c.Loop.count.Writes++
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(s.file), uintptr(unsafe.Pointer(&part[0])),
		uintptr(len(part)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	n, err := s.sent(c, n, len(part), errno)
	return int(n), err
}

// sent judges the result of a write of asked bytes.
func (s *socket) sent(c *Conn, n uintptr, asked int, errno syscall.Errno) (uintptr, error) {
	switch {
	case errno == unix.EINTR:
		return 0, nil
	case errno == unix.EAGAIN:
		n = 0
	case errno != 0:
		return 0, errno
	}
	if int(n) < asked {
		return n, s.waitForRoom(c)
	}
	return n, nil
}

// waitForRoom sees to it that the loop is told when the socket takes more.
func (s *socket) waitForRoom(c *Conn) error {
	s.full = true
	if !s.unix {
		return nil
	}
	return s.askForRoom(c, unix.EPOLLOUT)
}

// askForRoom sets or clears, for a unix socket, the wish to hear of room.
func (s *socket) askForRoom(c *Conn, also uint32) error {
	ev := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET | also,
		Fd:     c.slot,
		Pad:    int32(c.ID),
	}
	p := c.Loop.poll.(*epoll)
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.file, unix.EPOLL_CTL_MOD, int(s.file), &ev))
}

func (s *socket) busy() bool { return s.full }

// offer writes a source's bytes from where they lie.
func (s *socket) offer(c *Conn, p []byte) (int, error) {
	n, err := s.send(c, p[:min(len(p), writeSize)])
	c.Loop.count.BytesOut += uint64(n) // and not c.left: c.sent is of the connection's own output
	return n, err
}

// drain sends pending output.
func (s *socket) drain(c *Conn, limit int) error {
	l := c.Loop
	budget := min(limit, drainRound)
	for budget > 0 && !s.full {
		n, err := s.sendParts(c, min(budget, writeSize))
		if err != nil {
			return err
		}
		c.left(n)
		c.queue.advance(n, &l.spare)
		budget -= n
		limit -= n
	}
	if limit > 0 && !s.full {
		c.flags |= flagUnsent
	}
	if s.unix && !s.full && c.queue.size == 0 {
		return s.askForRoom(c, 0)
	}
	return nil
}

// sendParts sends the first chunks of the queue in one call.
func (s *socket) sendParts(c *Conn, limit int) (int, error) {
	if part, only := c.queue.only(); only { // a reply that was held
		return s.send(c, part[:min(len(part), limit)])
	}
	p := c.Loop.poll.(*epoll)
	var list [writeParts][]byte
	asked := 0
	view := c.queue.view(list[:0], limit)
	for i, part := range view {
		p.parts[i].Base = &part[0]
		p.parts[i].SetLen(len(part))
		asked += len(part)
	}
	message := unix.Msghdr{Iov: &p.parts[0]}
	message.SetIovlen(len(view))
	c.Loop.count.Writes++
	n, _, errno := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(s.file), uintptr(unsafe.Pointer(&message)),
		unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	for i := range view {
		p.parts[i].Base = nil // or a long reply would live until the next one
	}
	n, err := s.sent(c, n, asked, errno)
	return int(n), err
}

func (s *socket) close(*Conn) {
	if s.file >= 0 {
		_ = unix.Close(int(s.file))
		s.file = -1
	}
}

func (s *socket) fd() int { return int(s.file) }

func (s *socket) addresses() (local, remote string) {
	own, err := unix.Getsockname(int(s.file))
	if err == nil {
		switch a := own.(type) {
		case *unix.SockaddrInet4:
			local = netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port)).String()
		case *unix.SockaddrInet6:
			local = netip.AddrPortFrom(inet6(a), uint16(a.Port)).String()
		case *unix.SockaddrUnix:
			return a.Name, a.Name
		}
	}
	return local, s.peer.String()
}

func (s *socket) setKeepAlive(period time.Duration) error {
	file := int(s.file)
	if period <= 0 {
		return os.NewSyscallError("setsockopt", unix.SetsockoptInt(file, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0))
	}
	idle := int(max(period/time.Second, 1))
	for _, option := range [...]struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(idle/3, 1)},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
	} {
		if err := unix.SetsockoptInt(file, option.level, option.name, option.value); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	return nil
}
