package eventloop

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// nativeTransport is what Auto means here.
const nativeTransport = Epoll

const (
	// eventBatch is how many events one epoll_wait returns at most.
	eventBatch = 256
	// What stands in an event's Fd in place of a connection's slot.
	eventWake   = -1 // the eventfd
	eventAccept = -2 // a listener; Pad is its id
	// hangupEvents say that the peer ended at least its side.
	hangupEvents = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
)

// epoll is the poller on Linux.
type epoll struct {
	file   int
	found  int
	events [eventBatch]unix.EpollEvent
	parts  [writeParts]unix.Iovec // for one call of sendmsg

	wakeMu    sync.Mutex // guards eventFile
	eventFile int        // -1 when closed

	acceptMu  sync.Mutex // guards accepting and the listeners in it
	accepting map[int32]*listener
}

func newEpoll() (poller, error) {
	file, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventloop: epoll_create: %w", err)
	}
	eventFile, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(file)
		return nil, fmt.Errorf("eventloop: eventfd: %w", err)
	}
	p := &epoll{file: file, eventFile: eventFile, accepting: map[int32]*listener{}}
	// Edge-triggered: every write to the eventfd is an event of its own, and
	// nobody ever has to read it.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: eventWake}
	if err := unix.EpollCtl(file, unix.EPOLL_CTL_ADD, eventFile, &ev); err != nil {
		p.close()
		return nil, fmt.Errorf("eventloop: epoll_ctl: %w", err)
	}
	return p, nil
}

// wait looks without entering the scheduler when it cannot block.
func (p *epoll) wait(timeout time.Duration) int {
	var n uintptr
	var errno syscall.Errno
	if timeout <= 0 {
		n, _, errno = unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.file),
			uintptr(unsafe.Pointer(&p.events)), eventBatch, 0, 0, 0)
	} else {
		ms := (timeout + time.Millisecond - 1) / time.Millisecond
		n, _, errno = unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.file),
			uintptr(unsafe.Pointer(&p.events)), eventBatch, uintptr(ms), 0, 0)
	}
	if errno != 0 { // EINTR: nothing else can happen to a valid epoll set
		n = 0
	}
	p.found = int(n)
	return p.found
}

func (p *epoll) dispatch(l *Loop) {
	for i := range p.found {
		ev := &p.events[i]
		if ev.Fd < 0 {
			if ev.Fd == eventAccept {
				p.accept(l.group, ev.Pad)
			}
			continue
		}
		if c := l.conns[ev.Fd]; c != nil && int32(c.ID) == ev.Pad {
			c.link.(*socket).event(c, ev.Events)
		}
	}
}

// wake may come from any goroutine, late ones included: the lock keeps it from
// writing to a descriptor that is somebody else's by then.
func (p *epoll) wake() {
	one := uint64(1)
	p.wakeMu.Lock()
	if p.eventFile >= 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(p.eventFile), uintptr(unsafe.Pointer(&one)), 8)
	}
	p.wakeMu.Unlock()
}

func (p *epoll) close() {
	p.wakeMu.Lock()
	defer p.wakeMu.Unlock()
	_ = unix.Close(p.eventFile)
	_ = unix.Close(p.file)
	p.eventFile = -1
}

// listen takes the descriptor over from the net package.
func (p *epoll) listen(own *listener, backlog int) error {
	raw, err := own.ln.(syscall.Conn).SyscallConn()
	if err != nil {
		return err
	}
	file := -1
	ctlErr := raw.Control(func(fd uintptr) {
		file, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	if err = errors.Join(ctlErr, err); err != nil {
		return fmt.Errorf("eventloop: duplicating the listener on %s: %w", own.addr, err)
	}
	_ = own.ln.Close()
	own.ln, own.file, own.poll = nil, file, p
	if err := unix.Listen(file, backlog); err != nil { // again, for the backlog
		return os.NewSyscallError("listen", err)
	}
	p.acceptMu.Lock()
	defer p.acceptMu.Unlock()
	p.accepting[own.id] = own
	return p.watch(own, unix.EPOLL_CTL_ADD, unix.EPOLLIN)
}

func (p *epoll) watch(own *listener, how int, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: eventAccept, Pad: own.id}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.file, how, own.file, &ev))
}

// unlisten ends what listen began.
func (p *epoll) unlisten(own *listener) {
	p.acceptMu.Lock()
	defer p.acceptMu.Unlock()
	delete(p.accepting, own.id)
	_ = unix.Close(own.file)
}

// accept takes connections from listener id until there are no more, or a batch is
// full: the event is level-triggered and comes again.
func (p *epoll) accept(g *Group, id int32) {
	p.acceptMu.Lock()
	defer p.acceptMu.Unlock()
	own := p.accepting[id]
	if own == nil {
		return
	}
	for range acceptBatch {
		file, peer, err := unix.Accept4(own.file, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch {
		case err == nil:
			g.assign(newSocket(g, file, peer))
		case err == unix.EAGAIN:
			return
		case err == unix.EINTR, err == unix.ECONNABORTED:
		default:
			p.rest(g, own, err)
			return
		}
	}
}

// rest stops accepting for a while, for want of descriptors or memory.
func (p *epoll) rest(g *Group, own *listener, why error) {
	g.report(fmt.Errorf("eventloop: accept on %s failed and is tried again in %v: %w", own.addr, acceptPause, why))
	if err := p.watch(own, unix.EPOLL_CTL_MOD, 0); err == nil {
		own.resting = true
		own.retryAt = time.Now().Add(acceptPause)
	}
}

// tick has listeners that rested go on.
func (p *epoll) tick(l *Loop) {
	if l.Index != 0 {
		return
	}
	p.acceptMu.Lock()
	defer p.acceptMu.Unlock()
	for _, own := range p.accepting {
		if own.resting && time.Now().After(own.retryAt) {
			own.resting = p.watch(own, unix.EPOLL_CTL_MOD, unix.EPOLLIN) != nil
		}
	}
}
