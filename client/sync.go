package client

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"

	"dozo/resp"
)

// snapshotMark is the length of the random text that ends a snapshot whose size was
// not known when it was begun.
const snapshotMark = 40

// Snapshot is how a primary announced what it is about to send.
type Snapshot struct {
	Size    int64
	Mark    []byte // if set, Size is unknown and this ends it
	Reply   string // PSYNC's, without the mark of its kind
	Partial bool   // there is none: the stream goes on where it stopped
}

// SyncError says why no snapshot came: what was being done, and the error of the
// connection or the primary's reply.
type SyncError struct {
	Doing string
	Err   error
}

func (e *SyncError) Error() string { return e.Doing + ": " + e.Err.Error() }

// Unwrap gives what went wrong.
func (e *SyncError) Unwrap() error { return e.Err }

// errNoLength is for a primary that announces nothing that could be read.
var errNoLength = errors.New("it announced no snapshot")

// StartSync sends SYNC or PSYNC and reads up to the snapshot's first byte. Its error is a
// *SyncError.
func (c *Conn) StartSync(args ...string) (Snapshot, error) {
	var p Snapshot
	c.Send(args...)
	if err := c.Flush(); err != nil {
		return p, &SyncError{"Error writing to master", err}
	}
	line, err := syncLine(c.in)
	if err == nil && strings.HasPrefix(line, "+") {
		p.Reply = line[1:]
		if p.Partial = strings.HasPrefix(p.Reply, "CONTINUE"); p.Partial {
			return p, nil
		}
		line, err = syncLine(c.in)
	}
	if err != nil {
		return p, &SyncError{"Error reading bulk length while SYNCing", err}
	}
	announced, err := ParseSnapshot(line)
	announced.Reply = p.Reply
	return announced, err
}

// ParseSnapshot reads the line before the snapshot, without its end.
func ParseSnapshot(line string) (Snapshot, error) {
	if mark, ok := strings.CutPrefix(line, "$EOF:"); ok && len(mark) == snapshotMark {
		return Snapshot{Mark: []byte(mark)}, nil
	}
	if size, ok := strings.CutPrefix(line, "$"); ok {
		if n, err := strconv.ParseInt(size, 10, 64); err == nil && n > 0 {
			return Snapshot{Size: n}, nil
		}
	}
	err := errNoLength
	if line != "" {
		err = resp.ReplyError(line)
	}
	return Snapshot{}, &SyncError{"SYNC with master failed", err}
}

// syncLine reads a line, past the line breaks by which a primary that prepares a
// snapshot says that it is alive.
func syncLine(r *bufio.Reader) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", err
		}
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			return line, nil
		}
	}
}

// Copy passes the snapshot on to w and returns its size; an error that is io.EOF says
// that it ended early. With a mark the end is where the mark is the last that has come:
// the primary sends nothing behind it before it has been acknowledged.
func (p *Snapshot) Copy(w io.Writer, r io.Reader) (int64, error) {
	if p.Mark == nil {
		return io.CopyN(w, r, p.Size)
	}
	total := int64(0)
	buf := make([]byte, 0, bufferSize)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		done := bytes.HasSuffix(buf, p.Mark)
		if err != nil && !done {
			return total, err
		}
		ready := max(len(buf)-snapshotMark, 0) // the rest may be the begin of the mark
		if _, err := w.Write(buf[:ready]); err != nil {
			return total, err
		}
		total += int64(ready)
		if done {
			return total, nil
		}
		buf = buf[:copy(buf, buf[ready:])]
	}
}
