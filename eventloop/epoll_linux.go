package eventloop

import (
	"errors"
	"fmt"
	"os"
	"runtime"
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
	// rawSleep is how long wait may sleep with its P in hand.
	rawSleep = 2 * time.Millisecond
	// hangupEvents say that the peer ended at least its side.
	hangupEvents = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR
)

// epoll is the poller on Linux.
type epoll struct {
	file  int
	found int
	// sparePs says that the scheduler has more processors than there are loops.
	sparePs bool
	bed     *bed
	look    func(uintptr) bool // lookNow, bound once
	events  [eventBatch]unix.EpollEvent
	parts   [writeParts]unix.Iovec // for one call of sendmsg

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
	bed, err := newBed()
	if err != nil {
		_ = unix.Close(file)
		return nil, err
	}
	eventFile, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(file)
		bed.close()
		return nil, fmt.Errorf("eventloop: eventfd: %w", err)
	}
	p := &epoll{file: file, bed: bed, eventFile: eventFile, accepting: map[int32]*listener{}}
	p.look = p.lookNow
	// Edge-triggered: every write to the eventfd is an event of its own, and
	// nobody ever has to read it.
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: eventWake}
	if err := unix.EpollCtl(file, unix.EPOLL_CTL_ADD, eventFile, &ev); err != nil {
		p.close()
		return nil, fmt.Errorf("eventloop: epoll_ctl: %w", err)
	}
	return p, nil
}

// wait sleeps in two steps. The first few milliseconds go to a raw system call, of
// which the scheduler knows nothing: under load something nearly always comes by
// then, and entering and leaving the scheduler (220 ns a round) is saved. The rest
// is slept in bed, where the processor (the scheduler's P) is free for others.
//
// A thread that sleeps with its P does not hold up a stop of the world: the runtime
// sends it a preemption signal, the signal ends epoll_wait (EINTR), and the function
// call that follows finds the request. Where loops and other goroutines must share
// the Ps (GOMAXPROCS no larger than the number of loops) the first step is only a
// look, since the others would wait for it to end.
func (p *epoll) wait(timeout time.Duration) int {
	first := min(timeout, rawSleep)
	if !p.sparePs {
		first = 0
	}
	n, errno := p.waitRaw(first)
	p.found = n
	if n > 0 || errno != 0 || timeout <= first {
		return n
	}
	if err := p.bed.sleep(p.file, timeout-first, p.look); err != nil {
		p.found, _ = p.waitRaw(rawSleep) // out of memory: do without
	}
	return p.found
}

// lookNow is what a loop in bed asks. It keeps what it found.
func (p *epoll) lookNow(uintptr) bool {
	p.found, _ = p.waitRaw(0)
	return p.found > 0
}

// waitRaw is epoll_wait without the scheduler's knowledge. Its only error is EINTR.
func (p *epoll) waitRaw(timeout time.Duration) (int, syscall.Errno) {
	ms := (timeout + time.Millisecond - 1) / time.Millisecond
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.file),
		uintptr(unsafe.Pointer(&p.events)), eventBatch, uintptr(ms), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
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
	p.bed.close()
	p.eventFile = -1
}

// duplicate returns a second descriptor of a socket of the net package.
func duplicate(of any) (int, error) {
	conn, ok := of.(syscall.Conn)
	if !ok {
		return -1, syscall.EINVAL
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	file := -1
	ctlErr := raw.Control(func(fd uintptr) {
		file, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0)
	})
	return file, errors.Join(ctlErr, err)
}

// listen takes the descriptor over from the net package.
func (p *epoll) listen(own *listener, backlog int) error {
	file, err := duplicate(own.ln)
	if err != nil {
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
			g.assign(g.leastLoaded(), newSocket(g, file, peer))
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

// tick learns how many Ps there are, and has listeners that rested go on.
func (p *epoll) tick(l *Loop) {
	p.sparePs = runtime.GOMAXPROCS(0) > len(l.group.loops)
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
