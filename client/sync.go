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
// that it ended early.
func (p *Snapshot) Copy(w io.Writer, r io.Reader) (int64, error) {
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, p.Reader(r), make([]byte, bufferSize))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// Reader gives the snapshot alone of what comes; io.ErrUnexpectedEOF says that it ended
// early. With a mark the end is where the mark is the last that has come: the primary sends
// nothing behind it before it has been acknowledged.
func (p *Snapshot) Reader(r io.Reader) io.Reader {
	if p.Mark == nil {
		return &sizedReader{r: r, left: p.Size}
	}
	return &markedReader{r: r, mark: p.Mark}
}

// sizedReader is the first left bytes of r.
type sizedReader struct {
	r    io.Reader
	left int64
}

func (s *sizedReader) Read(b []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n, err := s.r.Read(b[:min(int64(len(b)), s.left)])
	if s.left -= int64(n); s.left == 0 {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// markedReader is what of r comes before the mark.
type markedReader struct {
	r    io.Reader
	mark []byte
	// held[from:to] was read and not given: the end of it may be the begin of the mark.
	held     []byte
	from, to int
	err      error
}

func (m *markedReader) Read(b []byte) (int, error) {
	for m.err == nil && m.to-m.from <= len(m.mark) {
		m.fill()
	}
	ready := m.to - m.from
	switch {
	case m.err == nil:
		ready -= len(m.mark)
	case ready == 0:
		return 0, m.err
	}
	n := copy(b, m.held[m.from:m.from+ready])
	m.from += n
	return n, nil
}

// fill reads once.
func (m *markedReader) fill() {
	if m.held == nil {
		m.held = make([]byte, bufferSize)
	}
	m.to, m.from = copy(m.held, m.held[m.from:m.to]), 0
	n, err := m.r.Read(m.held[m.to:])
	m.to += n
	switch {
	case bytes.HasSuffix(m.held[:m.to], m.mark):
		m.to -= len(m.mark)
		m.err = io.EOF
	case errors.Is(err, io.EOF):
		m.err = io.ErrUnexpectedEOF
	case err != nil:
		m.err = err
	}
}
