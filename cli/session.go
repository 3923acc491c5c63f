package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"dozo/client"
	"dozo/env"
	"dozo/resp"
)

// pushMode is what happens to RESP3 messages that are no replies.
type pushMode int

const (
	pushDrop   pushMode = iota
	pushShow            // print them as they come
	pushReturn          // they are what is waited for
)

// session is the state of one run: the connection, and what commands sent so far
// have done to it.
type session struct {
	*options
	env    *env.Env
	stdin  *bufio.Reader
	in     io.Reader // what is below stdin
	out    *bufio.Writer
	errout io.Writer

	dialing context.Context // ends with the program
	conn    *client.Conn    // nil when not connected
	live    atomic.Pointer[client.Conn]

	dbNow      int // database of the connection; options.db is the one wanted
	dbBefore   int // database when MULTI was sent
	inMulti    bool
	inPubsub   bool
	inMonitor  bool
	resp3Now   bool
	shutdown   bool // SHUTDOWN was sent, so a closed connection is no surprise
	pushes     pushMode
	last       resp.Value
	redirected bool // the last reply was a redirection
	asking     bool // by ASK

	interactive bool
	aborted     atomic.Bool // Ctrl-C ended MONITOR or a subscription
	streaming   atomic.Bool // MONITOR or a subscription is being shown
	killed      atomic.Bool // Ctrl-C ended the program
	help        *help       // nil until it is asked for
	noHints     bool
}

// errExit ends the program with code 1; whatever there was to say has been said.
var errExit = errors.New("exit")

// errLost means that the connection failed and has been closed.
var errLost = errors.New("connection lost")

// connect dials unless there is a connection already; quiet leaves a failure to be
// shown by the next attempt. A handshake that the server
// refuses is reported, but leaves the connection open, as in redis-cli: its user
// sees the next refusal, or is glad that the command needs no password.
func (s *session) connect(quiet bool) error {
	if s.conn != nil {
		return nil
	}
	network, address := s.address()
	conn, err := client.Open(s.dialing, client.Options{Dialer: s.env.Dialer, Network: network, Address: address})
	if err != nil {
		if quiet {
			return err
		}
		fmt.Fprintf(s.errout, "Could not connect to Redis at %s: %s\n", address, failure(err))
		return err
	}
	s.conn = conn
	s.live.Store(conn)
	s.resp3Now = false
	s.setPushes()
	return s.greet()
}

// setPushes goes back to how pushes are treated outside subscriptions.
func (s *session) setPushes() {
	s.pushes = pushDrop
	if s.showPushes {
		s.pushes = pushShow
	}
}

// reconnect closes the connection and opens a new one.
func (s *session) reconnect() error {
	s.disconnect()
	s.dbNow, s.inMulti, s.inPubsub = 0, false, false
	return s.connect(false)
}

func (s *session) disconnect() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// greet sends AUTH, SELECT and HELLO as the options want.
func (s *session) greet() error {
	if s.pass != nil {
		args := []string{"AUTH", *s.pass}
		if s.user != "" {
			args = []string{"AUTH", s.user, *s.pass}
		}
		if err := s.step("AUTH failed: ", args...); err != nil {
			return err
		}
	}
	if err := s.selectDB(); err != nil {
		return err
	}
	if !s.wantsResp3() {
		return nil
	}
	err := s.step("HELLO 3 failed: ", "HELLO", "3")
	if refused := (resp.ReplyError)(""); errors.As(err, &refused) && !s.resp3 {
		return nil // it was worth a try
	}
	s.resp3Now = err == nil
	return err
}

// selectDB goes to the database that the options want.
func (s *session) selectDB() error {
	if s.db == s.dbNow {
		return nil
	}
	n := strconv.Itoa(s.db)
	err := s.step("SELECT "+n+" failed: ", "SELECT", n)
	if err == nil {
		s.dbNow = s.db
	}
	return err
}

// step sends a command on the session's own behalf; what fails is shown.
func (s *session) step(complaint string, args ...string) error {
	_, err := s.conn.Do(args...)
	var refused resp.ReplyError
	switch {
	case errors.As(err, &refused):
		fmt.Fprintf(s.errout, "%s%s\n", complaint, refused)
	case err != nil:
		fmt.Fprint(s.errout, "\nI/O error\n")
	}
	return err
}

// prompt says where the next command goes.
func (s *session) prompt() string {
	if s.conn == nil {
		return "not connected> "
	}
	p := joinHostPort(s.host, s.port)
	if s.socket != "" {
		p = "redis " + s.socket
	}
	if s.dbNow != 0 {
		p += fmt.Sprintf("[%d]", s.dbNow)
	}
	if s.inMulti {
		p += "(TX)"
	}
	if s.inPubsub {
		p += "(subscribed mode)"
	}
	return p + "> "
}

// failure is an error in the words of the C library, which is what people search
// for.
func failure(err error) string {
	var errno syscall.Errno
	var dns *net.DNSError
	var cut *net.OpError
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "Server closed the connection"
	case errors.As(err, &errno):
		words := errno.Error()
		return strings.ToUpper(words[:1]) + words[1:]
	case errors.As(err, &dns) && dns.IsNotFound:
		return "Name or service not known"
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "Connection timed out"
	case errors.As(err, &cut):
		return cut.Err.Error()
	}
	return err.Error()
}

// show prints a reply.
func (s *session) show(v resp.Value, verbatim bool) {
	_, _ = s.out.Write(s.format(nil, v, verbatim)) // a closed standard output shows in Flush
	s.flush()
}

func (s *session) flush() { _ = s.out.Flush() } // nobody is left to tell

// complain prints what went wrong with the connection.
func (s *session) complain(err error) { fmt.Fprintf(s.errout, "Error: %s\n", failure(err)) }
