package eventloop

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// bed is where a loop sleeps for long. It is a second epoll set that the Go runtime
// watches all the time, and that watches the loop's own set only while the loop is
// in bed: so the goroutine parks like one that waits for a socket, its P and its
// thread are free for others, and the runtime hears of the first event.
//
// Why not block in an ordinary system call? The runtime's monitor thread finds out
// only by looking that a P is stuck in one, and looks every 20 us until it takes the
// P away, 10 ms later. Ten ticks a second were enough to keep it busy for 1% of a
// core while nothing else happened; in bed it is 0.05% (Redis: 0.1%). And were the
// loop's own set watched by the runtime at all times, every packet would wake a
// thread that waits there.
type bed struct {
	file *os.File // the second set
	raw  syscall.RawConn
	set  int // its descriptor
}

func newBed() (*bed, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("eventloop: epoll_create: %w", err)
	}
	if err := unix.SetNonblock(set, true); err != nil { // else os.File would not poll it
		_ = unix.Close(set)
		return nil, fmt.Errorf("eventloop: fcntl: %w", err)
	}
	file := os.NewFile(uintptr(set), "epoll")
	raw, err := file.SyscallConn()
	if err == nil {
		err = file.SetReadDeadline(time.Time{}) // fails if the runtime cannot poll it
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("eventloop: the runtime does not poll an epoll set: %w", err)
	}
	return &bed{file: file, raw: raw, set: set}, nil
}

// sleep parks the goroutine until look returns true, which it asks at first and when
// the epoll set inner has something, or until timeout has passed.
func (b *bed) sleep(inner int, timeout time.Duration, look func(uintptr) bool) error {
	if err := b.file.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	ev := unix.EpollEvent{Events: unix.EPOLLIN}
	if err := unix.EpollCtl(b.set, unix.EPOLL_CTL_ADD, inner, &ev); err != nil {
		return err
	}
	_ = b.raw.Read(look) // its error is that the time has passed
	return unix.EpollCtl(b.set, unix.EPOLL_CTL_DEL, inner, &ev)
}

func (b *bed) close() { _ = b.file.Close() }
