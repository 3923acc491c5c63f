package follower

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"dozo/client"
	"dozo/env"
	"dozo/keyspace"
	"dozo/oplog"
	"dozo/persist"
	"dozo/replication"
	"dozo/server"
)

const (
	// sendPatience is how long the few bytes of a handshake may take to leave.
	sendPatience = 5 * time.Second
	// askPatience is how long a primary may take to say how it is.
	askPatience = 5 * time.Second
	// readSize is how much is read from a primary in one go.
	readSize = 256 << 10
	// reportEvery is how often the link hears that a snapshot goes on to come.
	reportEvery = 200 * time.Millisecond
	// lineMax bounds a line of a primary, so that something else that answers there does
	// not fill the memory.
	lineMax = 16 << 10
)

// errLine is for what answers with something else than lines.
var errLine = errors.New("a line of the primary is too long: is it a Redis server?")

// errSuperseded ends a session whose primary is no longer the one that is followed.
var errSuperseded = errors.New("another primary is followed meanwhile")

// session is one connection to the primary, from the dialling to the stream of its writes.
type session struct {
	m       *Manager
	try     uint64
	address string // of the primary
	ctx     context.Context
	cancel  context.CancelCauseFunc

	// Under Manager.mu: what is to be read next is lines, unless one of these is set.
	conn    net.Conn // nil before it is there
	receive *replication.Receive
	stream  *replication.Stream
	acks    bool          // the primary is told at once where the stream begins
	held    chan struct{} // nothing is read until it is closed; nil = go on

	given      atomic.Bool // the connection is the server's
	in         *bufio.Reader
	generation int
	rescued    replication.Position // up to where all is kept, or need not be
	db         int                  // that the stream begins in
	upstream   *server.Upstream     // touched alone
}

// end ends the connection. Under Manager.mu.
func (s *session) end() {
	s.cancel(errSuperseded)
	if s.conn != nil && !s.given.Load() {
		_ = s.conn.Close() // nobody needs it any more
	}
}

// serve does all that is done before the stream.
func (s *session) serve() {
	if err := s.converse(); err != nil {
		s.m.step(replication.Lost{Try: s.try, Err: err})
	}
}

func (s *session) converse() error {
	if err := s.rescueAgain(); err != nil {
		return err
	}
	conn, err := s.m.dialer().DialContext(s.ctx, "tcp", s.address)
	if err != nil {
		return err
	}
	s.m.mu.Lock()
	s.conn = conn
	s.in = bufio.NewReaderSize(conn, readSize)
	s.m.mu.Unlock()
	if s.ctx.Err() != nil {
		_ = conn.Close()
		return errSuperseded
	}
	have := replication.Connected{Try: s.try}
	if !s.m.host.AloneWait(func(v *keyspace.View) {
		s.generation = s.m.generation
		have.Have, have.Keys = s.m.host.KnownPosition(), s.m.host.KeyCount(v)
		if s.m.asked.Load() != withdrawn { // who is to take over knows the present name
			have.Have = s.m.host.Position()
		}
		have.Kept, have.Proof = s.m.host.LogKept(), s.m.host.Proof()
	}) {
		return errSuperseded
	}
	s.m.step(have)
	for {
		s.m.mu.Lock()
		receive, stream, acks, held := s.receive, s.stream, s.acks, s.held
		s.receive = nil
		s.m.mu.Unlock()
		switch {
		case s.ctx.Err() != nil:
			return errSuperseded
		case stream != nil:
			return s.follow(stream, acks)
		case receive != nil:
			err = s.load(receive)
		case held != nil:
			select {
			case <-held:
			case <-s.ctx.Done():
			}
		default:
			err = s.readLine()
		}
		if err != nil {
			return err
		}
	}
}

// readLine reads what a primary says in lines, and tells the link.
func (s *session) readLine() error {
	line, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) || len(line) > lineMax {
		return errLine
	}
	if err != nil {
		return err
	}
	s.m.step(replication.Line{Try: s.try, Text: strings.TrimRight(string(line), "\r\n")})
	return nil
}

// send writes a command. Under Manager.mu.
func (s *session) send(args []string) {
	words := make([][]byte, len(args))
	for i, a := range args {
		words[i] = []byte(a)
	}
	s.write(oplog.AppendCommand(nil, words...))
}

// write writes what is short. An error is found by who reads. Under Manager.mu.
func (s *session) write(b []byte) {
	if s == nil || s.conn == nil || s.given.Load() {
		return
	}
	_ = s.conn.SetWriteDeadline(env.Deadline(sendPatience))
	if _, err := s.conn.Write(b); err != nil {
		_ = s.conn.Close()
	}
}

// load receives a snapshot and has it take the place of the data.
func (s *session) load(r *replication.Receive) error {
	if err := s.rescue(r); err != nil {
		return fmt.Errorf("what the primary never saw could not be kept (repl-rescue): %w", err)
	}
	src := &progress{s: s, r: r.Snapshot.Reader(s.in)}
	got, err := s.m.persist.Receive(s.ctx, persist.Receiving{
		Src: src, Size: r.Snapshot.Size,
		MayFlush: func() bool { return !s.isOver() && r.KeysMin == 0 },
	})
	if err == nil {
		if _, err = io.Copy(io.Discard, src); err != nil { // up to the mark
			s.m.host.AloneWait(got.Discard)
		}
	}
	if err != nil {
		return fmt.Errorf("the primary's snapshot could not be loaded: %w", err)
	}
	src.report(true)
	if !s.m.host.AloneWait(func(v *keyspace.View) { err = s.adopt(v, r, got) }) {
		return errSuperseded
	}
	if err == nil {
		s.m.step(replication.Loaded{Try: s.try})
	}
	return err
}

// adopt has the data be the primary's. Only alone.
func (s *session) adopt(v *keyspace.View, r *replication.Receive, got *persist.Received) error {
	switch {
	case s.isOver():
		got.Discard(v)
		return errSuperseded
	case s.m.host.Position() != s.rescued:
		got.Discard(v)
		return errWritten
	case got.Keys() < int64(r.KeysMin):
		got.Discard(v)
		return fmt.Errorf("it has %d keys, less than a tenth of those here (see replica-refuse-older-primary)", got.Keys())
	}
	got.Adopt(v)
	s.db = got.DB()
	s.m.host.AdoptHistory(r.At, s.db, got.Time())
	s.m.host.SetOrigin(s.m.address())
	return nil
}

// isOver tells whether the data is not for this session to change: another primary is
// followed, or the link has begun another session, which knows where the data stands now.
// Only alone.
func (s *session) isOver() bool { return s.generation != s.m.generation || s.ctx.Err() != nil }

// follow gives the connection to the server, which acknowledges at once if it may: a primary
// that has sent a mark sends no more before.
func (s *session) follow(stream *replication.Stream, acks bool) error {
	pending, _ := s.in.Peek(s.in.Buffered())
	up := &server.Upstream{Ended: func(err error) { s.m.post(replication.Lost{Try: s.try, Err: err}) }}
	var err error
	if !s.m.host.AloneWait(func(*keyspace.View) {
		if s.isOver() {
			err = errSuperseded
			return
		}
		if !stream.Full {
			s.db = s.m.host.StreamDB()
			s.m.host.ShiftHistory(stream.At.ID)
			s.m.host.SetOrigin(s.m.address())
		}
		s.upstream, s.m.upstream = up, up
		s.given.Store(true)
		if err = s.m.host.AttachUpstream(s.conn, up, s.db, pending); err == nil && acks {
			s.m.host.AcknowledgeUpstream(up)
		}
	}) {
		return errSuperseded
	}
	s.m.shown()
	return err
}

// progress counts what comes of a snapshot, and has the link hear of it.
type progress struct {
	s        *session
	r        io.Reader
	read     atomic.Int64
	reported int64
	at       time.Duration
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.read.Add(int64(n))
	p.s.m.host.CountReceived(n)
	if now := p.s.m.env.Clock.Monotonic(); now-p.at > reportEvery {
		p.at = now
		p.report(false)
	}
	return n, err
}

func (p *progress) report(whole bool) {
	read := p.read.Load()
	p.s.m.step(replication.Received{Try: p.s.try, Bytes: read - p.reported, Whole: whole})
	p.reported = read
}

// ask asks a primary how it is, on a connection of its own. Under Manager.mu.
func (m *Manager) ask(e replication.Ask) {
	ctx, cancel := context.WithTimeout(m.ctx, askPatience)
	m.asks = cancel
	m.goers.Go(func() {
		defer cancel()
		told := replication.Told{Try: e.Try}
		told.Info, told.Err = m.askInfo(ctx, e)
		m.step(told)
	})
}

func (m *Manager) askInfo(ctx context.Context, e replication.Ask) (string, error) {
	c, err := client.Dial(ctx, client.Options{
		Dialer: m.dialer(), Address: net.JoinHostPort(e.Host, fmt.Sprint(e.Port)), User: e.User, Password: e.Password,
		DialTimeout: askPatience, ReadTimeout: askPatience, WriteTimeout: askPatience,
	})
	if err != nil {
		return "", err
	}
	defer c.Close()
	v, err := c.Do("INFO")
	return v.Str, err
}
