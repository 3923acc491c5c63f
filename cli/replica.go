package cli

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// markSize is the length of the random text that ends a snapshot whose size was
// not known when it was begun.
const markSize = 40

// snapshot is how a primary announced what it is about to send.
type snapshot struct {
	size    int64
	mark    []byte // if set, size is unknown and this ends it
	partial bool   // there is none: the stream goes on where it stopped
}

// startSync sends SYNC or PSYNC and reads up to the snapshot's first byte.
func (s *session) startSync(args ...string) (snapshot, error) {
	s.conn.Send(args...)
	if err := s.conn.Flush(); err != nil {
		return snapshot{}, usageError("Error writing to master: " + failure(err))
	}
	line, err := syncLine(s.conn.Reader())
	if err != nil {
		return snapshot{}, err
	}
	if strings.HasPrefix(line, "+") {
		fmt.Fprintf(s.errout, "PSYNC replied %s\n", line)
		if strings.HasPrefix(line, "+CONTINUE") {
			return snapshot{partial: true}, nil
		}
		if line, err = syncLine(s.conn.Reader()); err != nil {
			return snapshot{}, err
		}
	}
	if mark, ok := strings.CutPrefix(line, "$EOF:"); ok && len(mark) == markSize {
		return snapshot{mark: []byte(mark)}, nil
	}
	if size, ok := strings.CutPrefix(line, "$"); ok && leadingInt(size) > 0 {
		return snapshot{size: int64(leadingInt(size))}, nil
	}
	return snapshot{}, usageError("SYNC with master failed: " + line)
}

// syncLine reads a line, past the line breaks by which a primary that prepares a
// snapshot says that it is alive.
func syncLine(r *bufio.Reader) (string, error) {
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return "", usageError("Error reading bulk length while SYNCing: " + failure(err))
		}
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			return line, nil
		}
	}
}

// copy passes the snapshot on to w and returns its size. With a mark the end is
// where the mark is the last that has come: the primary sends nothing behind it
// before it has been acknowledged.
func (p snapshot) copy(w io.Writer, r io.Reader) (int64, error) {
	if p.mark == nil {
		return io.CopyN(w, r, p.size)
	}
	total := int64(0)
	buf := make([]byte, 0, 64<<10)
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		done := bytes.HasSuffix(buf, p.mark)
		if err != nil && !done {
			return total, err
		}
		ready := max(len(buf)-markSize, 0) // the rest may be the begin of the mark
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

// replconf tells a primary about this replica; old ones may not know the option.
func (s *session) replconf(option, value string) bool {
	fmt.Fprintf(s.errout, "sending REPLCONF %s %s\n", option, value)
	v, err := s.conn.Do("REPLCONF", option, value)
	if v.IsError() {
		fmt.Fprintf(s.errout, "REPLCONF %s error: %s\n", option, v.Str)
	}
	return err == nil
}

// rdbMode writes a snapshot to a file, or with "-" to standard output.
func rdbMode(s *session) int {
	s.replconf("capa", "eof")
	s.replconf("rdb-only", "1")
	if s.functionsOnly && !s.replconf("rdb-filter-only", "functions") {
		fmt.Fprintln(s.errout, "Failed requesting functions only RDB from server, aborting")
		return 1
	}
	p, err := s.startSync("SYNC")
	if err != nil {
		fmt.Fprintln(s.errout, err)
		return 1
	}
	if p.mark != nil {
		fmt.Fprintf(s.errout, "SYNC sent to master, writing bytes of bulk transfer until EOF marker to '%s'\n", s.rdbFile)
	} else {
		fmt.Fprintf(s.errout, "SYNC sent to master, writing %d bytes to '%s'\n", p.size, s.rdbFile)
	}
	n, err := s.saveSnapshot(p)
	if err != nil {
		fmt.Fprintf(s.errout, "Transfer to '%s' failed, what is there is not whole: %s\n", s.rdbFile, failure(err))
		return 1
	}
	if p.mark != nil {
		fmt.Fprintf(s.errout, "Transfer finished with success after %d bytes\n", n)
	} else {
		fmt.Fprintln(s.errout, "Transfer finished with success.")
	}
	return 0
}

// saveSnapshot returns when all is on disk.
func (s *session) saveSnapshot(p snapshot) (int64, error) {
	if s.rdbFile == "-" {
		return p.copy(s.out, s.conn.Reader())
	}
	f, err := s.env.FS.OpenFile(s.rdbFile, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return 0, err
	}
	n, err := p.copy(f, s.conn.Reader())
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return n, err
}

// replicaMode connects like a replica and shows the stream of writes.
func replicaMode(s *session) int {
	s.replconf("capa", "eof")
	_ = s.stream("SYNC") // it has said why it ended
	return 1
}

// stream sends SYNC or PSYNC, drops the snapshot and shows the commands behind it
// as CSV until the connection ends.
func (s *session) stream(args ...string) error {
	p, err := s.startSync(args...)
	if err != nil {
		fmt.Fprintln(s.errout, err)
		return errExit
	}
	if !p.partial {
		if err := s.dropSnapshot(p); err != nil {
			return err
		}
	}
	before := s.output
	s.output = outputCSV
	defer func() { s.output = before }()
	for {
		if err := s.readReply(false); err != nil || s.conn == nil {
			return err
		}
	}
}

func (s *session) dropSnapshot(p snapshot) error {
	what := fmt.Sprint(p.size, " bytes of bulk transfer")
	if p.mark != nil {
		what = "bytes of bulk transfer until EOF marker"
	}
	fmt.Fprintf(s.errout, "Full resync with master, discarding %s...\n", what)
	n, err := p.copy(io.Discard, s.conn.Reader())
	if err != nil {
		fmt.Fprintf(s.errout, "Error reading RDB payload while Full resyncing: %s\n", failure(err))
		return errExit
	}
	fmt.Fprintf(s.errout, "Full resync done after %d bytes. Logging commands from master.\n", n)
	if p.mark != nil {
		// The primary counts the replica as online only when it has acknowledged, and
		// answers nothing to that. It may take a moment to notice its child's end.
		s.pause(time.Second)
		s.conn.Send("REPLCONF", "ACK", "0")
	}
	return nil
}
