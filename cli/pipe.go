package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"dozo/resp"
)

// markerSize is the length of the last ECHO's argument, by whose reply --pipe
// knows that all others have come.
const markerSize = 20

// pipeCount is what --pipe has seen of the replies.
type pipeCount struct {
	replies, errors atomic.Int64
	failed          bool
}

// pipeMode sends standard input as it is and counts the replies. Writing and
// reading are goroutines of their own, so that neither side's buffers can block
// the other, and this one watches the time.
func pipeMode(s *session) int {
	marker := make([]byte, markerSize)
	_, _ = rand.Read(marker) // never fails: the runtime aborts the process instead
	count := new(pipeCount)
	sent, read := make(chan error, 1), make(chan struct{})
	go func() { sent <- s.pour() }()
	go func() { defer close(read); s.countReplies(count, string(marker)) }()
	if !s.finishPour(sent, read, marker) {
		s.conn.Interrupt()
		<-read
		return 1
	}
	if !s.awaitReplies(count, read) {
		fmt.Fprintf(s.errout, "No replies for %d seconds: exiting.\n", int(s.pipeTimeout.Seconds()))
		count.errors.Add(1)
	} else if count.failed {
		return 1
	} else {
		fmt.Fprintln(s.out, "Last reply received from server.")
	}
	fmt.Fprintf(s.out, "errors: %d, replies: %d\n", count.errors.Load(), count.replies.Load())
	if count.errors.Load() > 0 {
		return 1
	}
	return 0
}

// pour copies standard input to the server.
func (s *session) pour() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.stdin.Read(buf)
		if _, err := s.conn.NetConn().Write(buf[:n]); err != nil {
			return usageError("Error writing to the server: " + failure(err))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return usageError("Error reading from stdin: " + failure(err))
		}
	}
}

// finishPour waits for the end of the input and sends the marker behind it. The
// line break ends whatever garbage the input may have ended in.
func (s *session) finishPour(sent <-chan error, read <-chan struct{}, marker []byte) bool {
	select {
	case <-read:
		return false // the replies ended first, and countReplies has said why
	case err := <-sent:
		if err != nil {
			fmt.Fprintln(s.errout, err)
			return false
		}
	}
	fmt.Fprintln(s.out, "All data transferred. Waiting for the last reply...")
	s.flush()
	s.conn.SendRaw([]byte("\r\n"))
	s.conn.SendBytes([]byte("ECHO"), marker)
	if err := s.conn.Flush(); err != nil {
		fmt.Fprintf(s.errout, "Error writing to the server: %s\n", failure(err))
		return false
	}
	return true
}

// awaitReplies waits for the last reply; false means that there were none for too
// long.
func (s *session) awaitReplies(count *pipeCount, read <-chan struct{}) bool {
	if s.pipeTimeout <= 0 {
		<-read
		return true
	}
	for seen := int64(-1); seen != count.replies.Load(); {
		seen = count.replies.Load()
		select {
		case <-read:
			return true
		case <-time.After(s.pipeTimeout):
		}
	}
	s.conn.Interrupt()
	<-read
	return false
}

// countReplies reads replies up to the marker's.
func (s *session) countReplies(c *pipeCount, marker string) {
	for {
		v, err := s.conn.ReceiveReply()
		if err != nil {
			c.failed = true
			if !errors.Is(err, os.ErrDeadlineExceeded) { // else it is pipeMode that gave up
				fmt.Fprintln(s.errout, "Error reading replies from server")
			}
			return
		}
		if v.Kind == resp.KindBulk && v.Str == marker {
			return
		}
		c.replies.Add(1)
		if v.IsError() {
			c.errors.Add(1)
			fmt.Fprintln(s.errout, v.Str)
		}
	}
}
