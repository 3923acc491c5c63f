package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"dozo/aof"
	"dozo/client"
	"dozo/env"
	"dozo/resp"
)

// A primary that has to wait for its replica holds back in memory what the replica should
// have had, and when that is too much it ends the connection. So what comes is put on
// disk at once, beside the state file: the snapshot, and the stream behind it, in which the
// import reads at its own pace, as in an append only file. The stream is also what an
// interrupted import goes on with: it asks for what comes behind it.
//
// LIMITATIONS: the file of the stream grows as long as the import lasts.

// The files beside the state file.
const (
	spoolSnapshot = ".rdb"
	spoolStream   = ".stream"
)

const (
	ackEvery  = time.Second
	lookEvery = 50 * time.Millisecond
)

// spool is the stream that comes in.
type spool struct {
	conn *client.Conn
	file env.File
	size atomic.Int64 // of the file
	end  chan error   // why no more comes
}

// follow imports as a replica.
func (r *run) follow(resumed bool) error {
	src, err := client.Dial(r.ctx, *r.Server)
	if err != nil {
		return fmt.Errorf("cannot connect to the source %s: %w", r.Server.Address, err)
	}
	defer src.Close()
	if _, err := r.meetSource(src); err != nil { // the history tells what matters of a restart
		return err
	}
	if err := r.prepareCommands(resumed && r.st.Whole, minute); err != nil {
		return err
	}
	s := &spool{conn: src, end: make(chan error, 1)}
	for _, option := range [][2]string{{"capa", "eof"}, {"capa", "psync2"}} {
		_, _ = src.Do("REPLCONF", option[0], option[1]) // one that does not know it sends what it always has
	}
	if r.st.Whole {
		err = r.goOn(s)
	} else {
		err = r.receiveSnapshot(s)
	}
	if err != nil {
		return err
	}
	defer s.file.Close()
	ctx, cancel := context.WithCancel(r.ctx)
	defer cancel()
	go s.receive()
	go s.acknowledge(ctx, r.st.Begin)
	if err := r.spooledSnapshot(); err != nil {
		return err
	}
	return r.stream(s)
}

// receiveSnapshot begins anew: it puts the source's snapshot on disk.
func (r *run) receiveSnapshot(s *spool) error {
	p, err := s.conn.StartSync("PSYNC", "?", "-1")
	var refused resp.ReplyError
	if errors.As(err, &refused) {
		return fmt.Errorf("the source sends no snapshot (%w): import its keys one by one, with --scan", refused)
	}
	if err != nil {
		return sourceError(err)
	}
	words := strings.Fields(p.Reply)
	if len(words) != 3 || words[0] != "FULLRESYNC" {
		return fmt.Errorf("the source does not answer PSYNC as it should: %q", p.Reply)
	}
	r.next, r.st.At = position{}, position{}
	r.st.History = words[1]
	if r.st.Begin, err = strconv.ParseInt(words[2], 10, 64); err != nil {
		return fmt.Errorf("the source does not answer PSYNC as it should: %q", p.Reply)
	}
	n, err := r.download(s.conn, &p)
	if err != nil {
		return err
	}
	r.say("the snapshot of %s is here; it is being imported, while the stream behind it comes in", bytesText(n))
	if s.file, err = r.Env.FS.OpenFile(r.State+spoolStream, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return err
	}
	r.st.Whole = true
	return r.saveState()
}

// download puts the snapshot on disk. It may take long, and can be stopped.
func (r *run) download(c *client.Conn, p *client.Snapshot) (int64, error) {
	stop := context.AfterFunc(r.ctx, c.Interrupt)
	defer stop()
	r.startProgress(p.Size)
	n, err := r.spoolTo(r.State+spoolSnapshot, func(w io.Writer) (int64, error) {
		return p.Copy(&watched{w, r}, c.Reader())
	})
	if err != nil && r.ctx.Err() != nil {
		return n, ErrStopped
	}
	if err != nil {
		err = sourceError(err)
	}
	r.done = 0 // from here on it is of the import
	return n, err
}

// watched is a file whose growth is shown.
type watched struct {
	io.Writer
	r *run
}

func (w *watched) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.r.done += int64(n)
	w.r.show()
	return n, err
}

// spoolTo writes a file and puts it on disk.
func (r *run) spoolTo(name string, write func(io.Writer) (int64, error)) (int64, error) {
	f, err := r.Env.FS.OpenFile(name, env.Create, 0o600)
	if err != nil {
		return 0, err
	}
	n, err := write(f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = r.Env.FS.SyncDir(filepath.Dir(name))
	}
	return n, err
}

// goOn asks for what comes behind the stream that is here.
func (r *run) goOn(s *spool) (err error) {
	if s.file, err = r.Env.FS.OpenFile(r.State+spoolStream, os.O_RDWR, 0o600); err != nil {
		return err
	}
	size, err := s.file.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	s.size.Store(size)
	p, err := s.conn.StartSync("PSYNC", r.st.History, strconv.FormatInt(r.st.Begin+size+1, 10))
	if err != nil {
		return sourceError(err)
	}
	if !p.Partial {
		return errors.New("the source no longer has what came in its stream since the import was interrupted: empty the target and begin anew, with --restart " +
			"(a larger repl-backlog-size at the source bridges longer interruptions)")
	}
	if words := strings.Fields(p.Reply); len(words) > 1 {
		r.st.History = words[1]
	}
	return nil
}

// receive puts the stream into the file.
func (s *spool) receive() {
	const bufferSize = 64 << 10
	buf := make([]byte, bufferSize)
	for {
		n, err := s.conn.Reader().Read(buf)
		if n > 0 {
			if _, wrong := s.file.Write(buf[:n]); wrong != nil {
				s.end <- fmt.Errorf("the stream cannot be put on disk: %w", wrong)
				return
			}
			s.size.Add(int64(n))
		}
		if err != nil {
			s.end <- sourceError(err)
			return
		}
	}
}

// acknowledge tells the primary what is here, or it would take the replica for dead.
func (s *spool) acknowledge(ctx context.Context, begin int64) {
	tick := time.NewTicker(ackEvery)
	defer tick.Stop()
	for {
		s.conn.Send("REPLCONF", "ACK", strconv.FormatInt(begin+s.size.Load(), 10))
		if s.conn.Flush() != nil {
			return // receive finds out
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// spooledSnapshot imports the snapshot, unless that was done before.
func (r *run) spooledSnapshot() error {
	if r.next.Commands {
		return nil
	}
	name := r.State + spoolSnapshot
	f, err := r.Env.FS.OpenFile(name, env.ReadOnly, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return err
	}
	r.startProgress(size)
	if _, err := r.snapshot(f, size); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	r.next = position{Commands: true}
	r.total = 0
	return r.flush()
}

// stream imports the stream until it has caught up, or with Follow until it is told to stop.
func (r *run) stream(s *spool) error {
	wanted, err := r.sourceOffset()
	if err != nil {
		return r.release(sourceError(err))
	}
	for gone := error(nil); ; {
		if err := r.streamed(s); err != nil {
			return r.ended(err)
		}
		if caught := r.st.Begin+r.next.Offset >= wanted; caught && !r.Follow {
			return nil
		} else if caught && !r.level {
			r.level = true
			r.say("the target has caught up; the import follows the source until it is told to stop (Ctrl-C)")
		}
		if err := r.stopped(); err != nil {
			return r.ended(err)
		}
		if gone != nil {
			return r.release(gone)
		}
		r.show()
		select {
		case gone = <-s.end:
		case <-r.ctx.Done():
		case <-time.After(lookEvery):
		}
	}
}

// ended is for an import of a stream that was told to stop, or failed. Who stops one that has
// caught up is done with the move.
func (r *run) ended(err error) error {
	if r.Follow && r.level && errors.Is(err, ErrStopped) {
		return r.release(err)
	}
	return err
}

// streamed imports what is here of the stream.
func (r *run) streamed(s *spool) error {
	size := s.size.Load()
	if r.next.Offset == size {
		return nil
	}
	err := r.commands("stream of "+r.Server.Address, s.file, size)
	var torn *aof.TornError
	if errors.As(err, &torn) {
		return nil // the rest is on its way
	}
	return err
}

// sourceOffset asks the source how far its stream goes now.
func (r *run) sourceOffset() (int64, error) {
	c, err := client.Dial(r.ctx, *r.Server)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	v, err := c.Do("INFO", "replication")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(v.Str, "master_repl_offset:")
	line, _, _ := strings.Cut(rest, "\r\n")
	return strconv.ParseInt(line, 10, 64)
}
