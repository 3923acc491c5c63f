package testutil

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"
)

// defaultTimeout bounds every read and write of a Conn: a reply that never
// comes must fail the test, not hang it.
const defaultTimeout = 20 * time.Second

// Conn is a client connection that hides nothing: replies can be had as the
// bytes that came. It is for one goroutine, or one writer and one reader.
type Conn struct {
	net     net.Conn
	in      *bufio.Reader
	out     []byte
	timeout time.Duration
}

// Dial connects to the server.
func (s *Server) Dial() (*Conn, error) { return Dial(s.Addr()) }

// Dial connects to host:port.
func Dial(addr string) (*Conn, error) {
	c, err := net.DialTimeout("tcp", addr, defaultTimeout)
	if err != nil {
		return nil, err
	}
	return &Conn{net: c, in: bufio.NewReaderSize(c, 1<<16), timeout: defaultTimeout}, nil
}

// SetTimeout changes how long a read or a write may take.
func (c *Conn) SetTimeout(d time.Duration) { c.timeout = d }

// Close closes the connection.
func (c *Conn) Close() { _ = c.net.Close() } // nothing to learn from a failing close

// Net is the socket below.
func (c *Conn) Net() net.Conn { return c.net }

// Queue adds a command to what the next Flush sends.
func (c *Conn) Queue(args ...string) { c.out = AppendCommand(c.out, args...) }

// QueueRaw adds bytes to what the next Flush sends.
func (c *Conn) QueueRaw(b []byte) { c.out = append(c.out, b...) }

// Flush sends what is queued.
func (c *Conn) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	_ = c.net.SetWriteDeadline(time.Now().Add(c.timeout)) // an error here shows in Write
	_, err := c.net.Write(c.out)
	c.out = c.out[:0]
	return err
}

// ReadRaw reads one whole reply and returns its bytes.
func (c *Conn) ReadRaw() ([]byte, error) {
	_ = c.net.SetReadDeadline(time.Now().Add(c.timeout)) // an error here shows in Read
	return AppendReply(nil, c.in)
}

// DoRaw sends one command and returns the bytes of its reply.
func (c *Conn) DoRaw(args ...string) ([]byte, error) {
	c.Queue(args...)
	if err := c.Flush(); err != nil {
		return nil, err
	}
	return c.ReadRaw()
}

// DoErr sends one command and returns its parsed reply. Error replies are
// values; the error is the connection's.
func (c *Conn) DoErr(args ...string) (Value, error) {
	raw, err := c.DoRaw(args...)
	if err != nil {
		return Value{}, fmt.Errorf("%q: %w", args, err)
	}
	return Parse(raw)
}

// AppendCommand appends a command as an array of bulk strings.
func AppendCommand(dst []byte, args ...string) []byte {
	dst = append(dst, '*')
	dst = strconv.AppendInt(dst, int64(len(args)), 10)
	for _, a := range args {
		dst = append(dst, "\r\n$"...)
		dst = strconv.AppendInt(dst, int64(len(a)), 10)
		dst = append(dst, "\r\n"...)
		dst = append(dst, a...)
	}
	return append(dst, "\r\n"...)
}

// Peer is a connection inside a test: whatever goes wrong below the level of
// replies ends the test.
type Peer struct {
	tb testing.TB
	*Conn
}

// Conn connects to the server and switches to RESP3 when proto is 3. It is
// closed with the test.
func (s *Server) Conn(tb testing.TB, proto int) *Peer {
	tb.Helper()
	c, err := s.Dial()
	if err != nil {
		tb.Fatalf("cannot connect to %s: %v", s.Name, err)
	}
	tb.Cleanup(c.Close)
	p := &Peer{tb: tb, Conn: c}
	if proto == 3 {
		p.MustOK("HELLO", "3")
	}
	return p
}

// Do sends a command and returns its reply.
func (p *Peer) Do(args ...string) Value {
	p.tb.Helper()
	v, err := p.DoErr(args...)
	if err != nil {
		p.tb.Fatal(err)
	}
	return v
}

// MustOK sends a command and ends the test if the reply is an error.
func (p *Peer) MustOK(args ...string) Value {
	p.tb.Helper()
	v := p.Do(args...)
	if v.IsError() {
		p.tb.Fatalf("%q: %s", args, v.Str)
	}
	return v
}

// Info returns one field of INFO, "" when it is not there.
func (p *Peer) Info(section, field string) string {
	p.tb.Helper()
	return InfoField(p.MustOK("INFO", section).Str, field)
}

// InfoField finds "field:value" in the text of INFO.
func InfoField(text, field string) string {
	for line := range bytes.Lines([]byte(text)) {
		name, value, ok := bytes.Cut(bytes.TrimRight(line, "\r\n"), []byte(":"))
		if ok && string(name) == field {
			return string(value)
		}
	}
	return ""
}
