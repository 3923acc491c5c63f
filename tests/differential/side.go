package differential

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"dozo/internal/testutil"
)

// brokenMark begins the text of the error frames that stand for a connection
// that did not answer, so that two servers closing alike compare as equal.
const brokenMark = "CONNECTION "

// How long the servers may be silent. The oracle does answer in the end, whatever
// else the machine does (PFSELFTEST takes it seconds); Dozo has less time then.
const (
	oracleTimeout = 60 * time.Second
	replyTimeout  = 20 * time.Second
)

// pushTimeout is how long a pushed message may take that the other server has
// already sent.
const pushTimeout = 3 * time.Second

// side is one of the two servers with the connections of the current history.
type side struct {
	name    string
	options testutil.Options
	server  *testutil.Server
	proto   int
	conns   map[int]*testutil.Conn
	admin   *testutil.Conn // RESP2, for set-up and the final state
}

func startSide(name string, o testutil.Options) (*side, error) {
	s := &side{name: name, options: o, conns: map[int]*testutil.Conn{}}
	return s, s.start()
}

func (s *side) start() error {
	server, err := testutil.Start(s.options)
	if err != nil {
		return err
	}
	s.server = server
	s.admin, err = server.Dial()
	return err
}

// stop ends the server.
func (s *side) stop() {
	s.hangUp()
	if s.server != nil {
		s.server.Stop()
	}
}

// hangUp closes the connections of a history.
func (s *side) hangUp() {
	for id, c := range s.conns {
		c.Close()
		delete(s.conns, id)
	}
}

// reset makes the server as if fresh: no other connections, no data, the
// configuration put back, and a new process if the old one has died.
func (s *side) reset(proto int, config map[string]string) error {
	s.hangUp()
	s.proto = proto
	if !s.server.Alive() || s.mustDo("PING") != nil {
		s.server.Stop()
		if err := s.start(); err != nil {
			return err
		}
	}
	if err := s.awaitClosed(); err != nil {
		return err
	}
	if err := s.mustDo("FLUSHALL"); err != nil {
		return err
	}
	for _, name := range sortedKeys(config) {
		if err := s.mustDo("CONFIG", "SET", name, config[name]); err != nil {
			return err
		}
	}
	return nil
}

// awaitClosed waits until the server has noticed that all connections but the
// administrator's are closed: what they were subscribed to would still count.
func (s *side) awaitClosed() error {
	for deadline := time.Now().Add(replyTimeout); ; time.Sleep(time.Millisecond) {
		v, err := s.admin.DoErr("INFO", "clients")
		if err != nil || testutil.InfoField(v.Str, "connected_clients") == "1" {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: closed connections are still there: %s", s.name, v.Str)
		}
	}
}

func (s *side) mustDo(args ...string) error {
	v, err := s.admin.DoErr(args...)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	if err != nil {
		return fmt.Errorf("%s: %q: %w", s.name, args, err)
	}
	return nil
}

// conn returns the history's connection of that number, opened when first used
// or when it was closed.
func (s *side) conn(id int) (*testutil.Conn, error) {
	if c := s.conns[id]; c != nil {
		return c, nil
	}
	c, err := s.server.Dial()
	if err != nil {
		return nil, err
	}
	c.SetTimeout(replyTimeout)
	if s.proto == 3 {
		if _, err := c.DoErr("HELLO", "3"); err != nil {
			c.Close()
			return nil, err
		}
	}
	s.conns[id] = c
	return c, nil
}

// read reads a frame, or makes up one that says why there is none; then the
// connection is given up.
func (s *side) read(id int, timeout time.Duration) []byte {
	c := s.conns[id]
	if c == nil {
		return brokenFrame("closed")
	}
	c.SetTimeout(timeout)
	raw, err := c.ReadRaw()
	if err == nil {
		return raw
	}
	s.drop(id)
	var late net.Error
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &late) && late.Timeout() {
		return brokenFrame("silent")
	}
	return brokenFrame("closed")
}

func (s *side) drop(id int) {
	if c := s.conns[id]; c != nil {
		c.Close()
		delete(s.conns, id)
	}
}

func brokenFrame(why string) []byte { return []byte("-" + brokenMark + why + "\r\n") }

// send writes bytes to a connection. A failure shows when the reply is read.
func (s *side) send(id int, b []byte) {
	c, err := s.conn(id)
	if err != nil {
		return
	}
	c.QueueRaw(b)
	if c.Flush() != nil {
		s.drop(id)
	}
}

// scanAll runs a whole iteration of SCAN and returns the keys, each once.
func (s *side) scanAll(id int, options []string) Value {
	keys := map[string]bool{}
	cursor := "0"
	const roundsMax = 1 << 20
	for range roundsMax {
		s.send(id, testutil.AppendCommand(nil, append([]string{"SCAN", cursor}, options...)...))
		v, err := testutil.Parse(s.read(id, replyTimeout))
		if err != nil || v.IsError() || v.Kind == '+' {
			return v // broken, refused, or queued by MULTI
		}
		if len(v.Elems) != 2 {
			return Value{Kind: '-', Str: "not a reply of SCAN: " + v.String()}
		}
		for _, e := range v.Elems[1].Elems {
			keys[e.Str] = true
		}
		if cursor = v.Elems[0].Str; cursor == "0" {
			break
		}
	}
	out := Value{Kind: '*'}
	for _, k := range sortedKeys(keys) {
		out.Elems = append(out.Elems, Value{Kind: '$', Str: k})
	}
	return out
}

// drain reads what was pushed to a connection until now. When want is negative
// it asks the server for the end of it by a PING; else it waits for want frames
// first, since messages may be still on their way between event loops.
func (s *side) drain(id int, want int, token string) (frames [][]byte) {
	for range max(want, 0) {
		raw := s.read(id, pushTimeout)
		frames = append(frames, raw)
		if v, err := testutil.Parse(raw); err != nil || broken(v) {
			return frames
		}
	}
	s.send(id, testutil.AppendCommand(nil, "PING", token))
	for {
		raw := s.read(id, replyTimeout)
		v, err := testutil.Parse(raw)
		if err != nil || isToken(v, token) {
			return frames
		}
		frames = append(frames, raw)
		if broken(v) {
			return frames
		}
	}
}

// isToken recognises the reply to PING token, in RESP3 and for a subscriber in RESP2.
func isToken(v Value, token string) bool {
	return v.Str == token || len(v.Elems) == 2 && v.Elems[1].Str == token
}

func drainToken(n int) string { return "drained-" + strconv.Itoa(n) }
