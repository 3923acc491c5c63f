package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"dozo/env"
	"dozo/resp"
)

// Options say where to connect and as whom. Zero durations mean no limit.
type Options struct {
	Dialer   env.Dialer // required
	Network  string     // "tcp" (also when empty) or "unix"
	Address  string     // host:port or path
	User     string     // with Password; empty is the default user
	Password string     // AUTH is sent when it is not empty
	DB       int        // SELECT is sent when it is not 0
	Proto    int        // 3 sends HELLO 3; anything else leaves RESP2

	DialTimeout  time.Duration // connecting and the handshake together
	ReadTimeout  time.Duration // waiting for one reply
	WriteTimeout time.Duration // one Flush
}

// bufferSize is what a connection reads at once, and how much it collects before
// Send writes on its own accord.
const bufferSize = 64 << 10

// Conn is a connection to a server.
type Conn struct {
	net     net.Conn
	in      *bufio.Reader
	out     resp.Writer
	options Options
	limits  resp.ReadLimits
	// OnPush, if set, is called with messages that arrive between replies. Do
	// drops them otherwise. It runs on the goroutine that calls Do.
	OnPush func(resp.Value)

	interrupted atomic.Bool
}

// Dial connects and does the handshake that the options ask for. A refusal by the
// server is a *HandshakeError.
func Dial(ctx context.Context, o Options) (*Conn, error) {
	if o.DialTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.DialTimeout)
		defer cancel()
	}
	c, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { c.Interrupt() })
	err = c.Handshake()
	if !stop() && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Open connects without a word to the server.
func Open(ctx context.Context, o Options) (*Conn, error) {
	if o.Network == "" {
		o.Network = "tcp"
	}
	nc, err := o.Dialer.DialContext(ctx, o.Network, o.Address)
	if err != nil {
		return nil, err
	}
	return New(nc, o), nil
}

// New makes a client of a connection that is open already.
func New(nc net.Conn, o Options) *Conn {
	return &Conn{net: nc, in: bufio.NewReaderSize(nc, bufferSize), out: resp.Writer{Proto: 2}, options: o, limits: resp.DefaultReadLimits()}
}

// HandshakeError is the server's refusal of a step of the handshake.
type HandshakeError struct {
	Step  string // AUTH, HELLO or SELECT
	Reply resp.ReplyError
}

func (e *HandshakeError) Error() string { return e.Step + " failed: " + string(e.Reply) }

// Unwrap gives the reply.
func (e *HandshakeError) Unwrap() error { return e.Reply }

// Handshake sends AUTH, HELLO and SELECT as the options say.
func (c *Conn) Handshake() error {
	o := &c.options
	switch {
	case o.Password != "" && o.User != "":
		if err := c.step("AUTH", o.User, o.Password); err != nil {
			return err
		}
	case o.Password != "":
		if err := c.step("AUTH", o.Password); err != nil {
			return err
		}
	}
	if o.Proto == 3 {
		if err := c.step("HELLO", "3"); err != nil {
			return err
		}
	}
	if o.DB != 0 {
		return c.step("SELECT", strconv.Itoa(o.DB))
	}
	return nil
}

func (c *Conn) step(args ...string) error {
	_, err := c.Do(args...)
	var refused resp.ReplyError
	if errors.As(err, &refused) {
		return &HandshakeError{Step: args[0], Reply: refused}
	}
	return err
}

// Do sends a command, together with whatever Send has collected, and returns the
// reply to it; replies to earlier commands must have been received before. An
// error reply is returned as the value and as an error of type resp.ReplyError.
func (c *Conn) Do(args ...string) (resp.Value, error) {
	c.Send(args...)
	if err := c.Flush(); err != nil {
		return resp.Value{}, err
	}
	v, err := c.ReceiveReply()
	if err != nil {
		return v, err
	}
	return v, v.Err()
}

// Send adds a command to what the next Flush sends.
func (c *Conn) Send(args ...string) {
	c.out.Array(len(args))
	for _, a := range args {
		c.out.BulkString(a)
	}
}

// SendBytes is Send for arguments in byte slices, which are copied.
func (c *Conn) SendBytes(args ...[]byte) { c.out.Command(args...) }

// SendRaw adds bytes that are commands already.
func (c *Conn) SendRaw(b []byte) { c.out.Raw(b) }

// Queued is the number of bytes that Flush would send.
func (c *Conn) Queued() int { return len(c.out.Buf) }

// Flush sends what has been collected.
func (c *Conn) Flush() error {
	if len(c.out.Buf) == 0 {
		return nil
	}
	if err := c.arm(c.net.SetWriteDeadline, c.options.WriteTimeout); err != nil {
		return err
	}
	_, err := c.net.Write(c.out.Buf)
	if cap(c.out.Buf) > 16*bufferSize {
		c.out.Buf = nil // one huge command must not hold its memory for ever
	}
	c.out.Buf = c.out.Buf[:0]
	return err
}

// Receive reads the next thing that the server says: a reply or, in RESP3, a push.
func (c *Conn) Receive() (resp.Value, error) {
	if c.in.Buffered() == 0 {
		if err := c.arm(c.net.SetReadDeadline, c.options.ReadTimeout); err != nil {
			return resp.Value{}, err
		}
	}
	return resp.ReadValueLimits(c.in, c.limits)
}

// ReceiveReply is Receive past all pushes, which OnPush gets.
func (c *Conn) ReceiveReply() (resp.Value, error) {
	for {
		v, err := c.Receive()
		if err != nil || v.Kind != resp.KindPush {
			return v, err
		}
		if c.OnPush != nil {
			c.OnPush(v)
		}
	}
}

// arm sets a deadline, unless the connection has been interrupted.
func (c *Conn) arm(set func(time.Time) error, timeout time.Duration) error {
	deadline := time.Time{}
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	if err := set(deadline); err != nil {
		return err
	}
	if c.interrupted.Load() {
		return fmt.Errorf("connection to %s interrupted: %w", c.options.Address, os.ErrDeadlineExceeded)
	}
	return nil
}

// SetReadTimeout changes how long Receive waits for a reply; 0 is for ever.
func (c *Conn) SetReadTimeout(d time.Duration) { c.options.ReadTimeout = d }

// SetReadLimits changes how large a reply may be.
func (c *Conn) SetReadLimits(l resp.ReadLimits) { c.limits = l }

// Wait returns nil when there is something to Receive. It may be interrupted at
// any time without loss, unlike Receive, which may have taken half a reply.
func (c *Conn) Wait() error {
	if err := c.arm(c.net.SetReadDeadline, 0); err != nil {
		return err
	}
	_, err := c.in.Peek(1)
	return err
}

// Interrupt makes a read or write that is going on, and all later ones, fail with
// os.ErrDeadlineExceeded, until Resume is called.
func (c *Conn) Interrupt() {
	c.interrupted.Store(true)
	_ = c.net.SetDeadline(time.Unix(1, 0)) // a closed connection needs no interrupting
}

// Resume undoes Interrupt.
func (c *Conn) Resume() {
	c.interrupted.Store(false)
	_ = c.net.SetDeadline(time.Time{}) // as above
}

// Reader is the stream of what the server says, for protocols that leave RESP
// (the snapshot behind PSYNC). What has been received but not read is in it.
func (c *Conn) Reader() *bufio.Reader { return c.in }

// NetConn is the socket below.
func (c *Conn) NetConn() net.Conn { return c.net }

// Close closes the connection.
func (c *Conn) Close() { _ = c.net.Close() } // nothing to do about a failure
