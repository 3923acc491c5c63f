package server

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"dozo/command"
	"dozo/resp"
	"dozo/text"
)

// Why the server itself ends connections.
var (
	errIdle        = errors.New("idle for longer than timeout")
	errKilled      = errors.New("killed by CLIENT KILL")
	errOutputLimit = errors.New("output buffer limit reached (client-output-buffer-limit)")
)

// Limits of connections that have not given the password yet, as Redis has
// them: nobody unknown may make the server hold much.
const (
	unauthedArgsMax = 10
	unauthedBulkMax = 16384
	// unauthedQueryMax is how much of their input may wait while they do not read
	// their replies.
	unauthedQueryMax = 1 << 20
	argsMax          = 1<<31 - 1
)

var (
	errWrongPass error = command.ReplyError("WRONGPASS invalid username-password pair or user is disabled.")
	errNoPass    error = command.ReplyError("ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?")
	errNoProto   error = command.ReplyError("NOPROTO unsupported protocol version")
	errNoHello   error = command.ReplyError("NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time")
)

const (
	tooManyClients = "-ERR max number of clients reached\r\n"
	protectedMode  = "-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the default user. Only connections from the server's own machine are accepted. To let others in, set a password (CONFIG SET requirepass ..., then CONFIG REWRITE), or, if the network is trusted, turn the mode off (CONFIG SET protected-mode no, or --protected-mode no at the start).\r\n"
)

// refuse tells why a new connection may not stay; "" = it may, and is counted.
func (w *worker) refuse(cl *Client) string {
	live := w.srv.live.Load()
	if w.srv.connected.Add(1) > int64(live.maxClients) {
		w.srv.connected.Add(-1)
		return tooManyClients
	}
	if live.protected && live.password == "" && !cl.isUnix && !isLoopback(cl.remote) {
		w.srv.connected.Add(-1)
		return protectedMode
	}
	return ""
}

func isLoopback(addr string) bool {
	at, err := netip.ParseAddrPort(addr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// isLocal tells whether the client sits on this machine.
func (c *Client) isLocal() bool { return c.isUnix || isLoopback(c.remote) }

// limitParser sets what the client may send at most, by whether it is known.
func (w *worker) limitParser(cl *Client) {
	if cl.has(unauthed) {
		cl.parser.Limits = resp.Limits{MaxArgs: unauthedArgsMax, MaxBulk: unauthedBulkMax, Unauthenticated: true}
		return
	}
	cl.parser.Limits = resp.Limits{MaxArgs: argsMax, MaxBulk: w.srv.settings.Load().MaxBulk}
}

// login checks a user's password and lets the client in.
func (w *worker) login(cl *Client, user, password []byte) error {
	want := w.srv.live.Load().password
	if string(user) != "default" || want != "" && subtle.ConstantTimeCompare([]byte(want), password) != 1 {
		w.stats.authFailures++
		return errWrongPass
	}
	cl.user = "default"
	cl.set(unauthed, false)
	w.limitParser(cl)
	return nil
}

func auth(c *command.Context) error {
	cl := clientOf(c)
	user, password := []byte("default"), c.Args[len(c.Args)-1]
	switch {
	case len(c.Args) > 3:
		return command.ErrSyntax
	case len(c.Args) == 3:
		user = c.Args[1]
	case !cl.worker.srv.needsPassword():
		return errNoPass
	}
	if err := cl.worker.login(cl, user, password); err != nil {
		return err
	}
	c.Out.OK()
	return nil
}

func ping(c *command.Context) error {
	if len(c.Args) > 2 {
		return command.ReplyError("ERR wrong number of arguments for 'ping' command")
	}
	cl := clientOf(c)
	if cl.has(subscribed) && cl.proto == 2 {
		c.Out.Array(2)
		c.Out.BulkString("pong")
		if len(c.Args) == 2 {
			c.Out.Bulk(c.Args[1])
		} else {
			c.Out.BulkString("")
		}
		return nil
	}
	if len(c.Args) == 2 {
		c.Out.Bulk(c.Args[1])
	} else {
		c.Out.SimpleString("PONG")
	}
	return nil
}

func echo(c *command.Context) error {
	c.Out.Bulk(c.Args[1])
	return nil
}

var errNoInt32 error = command.ReplyError("ERR value is out of range, value must between -2147483648 and 2147483647")

func selectDB(c *command.Context) error {
	n, err := argInt(c.Args[1])
	if err != nil {
		return err
	}
	if n != int64(int32(n)) {
		return errNoInt32
	}
	if n < 0 || n >= int64(c.Keyspace().Databases()) {
		return command.ErrDBRange
	}
	cl := clientOf(c)
	cl.db, c.DB = int(n), int(n)
	c.Out.OK()
	return nil
}

func quit(c *command.Context) error {
	c.Out.OK()
	clientOf(c).closeSoon()
	return nil
}

// reset puts the connection back to how it was when it was opened.
func reset(c *command.Context) error {
	cl := clientOf(c)
	w := cl.worker
	w.endTransaction(cl)
	w.unsubscribeAll(cl, false)
	w.stopMonitoring(cl)
	cl.flags &^= replyOff | replySkip | replySkipNext | noTouch | noEvict
	cl.name, cl.db, c.DB = "", 0, 0
	cl.user = "default"
	cl.set(unauthed, w.srv.needsPassword())
	w.limitParser(cl)
	w.setProto(cl, 2)
	c.Out.SimpleString("RESET")
	return nil
}

func (w *worker) setProto(cl *Client, proto int) { cl.proto, w.out.Proto = proto, proto }

// hello is HELLO [protover [AUTH user password] [SETNAME name]].
func hello(c *command.Context) error {
	cl := clientOf(c)
	w := cl.worker
	o, err := parseHello(c.Args)
	if err != nil {
		return err
	}
	if o.user != nil {
		if err := w.login(cl, o.user, o.password); err != nil {
			return err
		}
	}
	if cl.has(unauthed) {
		return errNoHello
	}
	if o.name != nil {
		cl.name = string(o.name)
	}
	if o.proto != 0 {
		w.setProto(cl, o.proto)
	}
	w.greet(cl)
	return nil
}

type helloOptions struct {
	proto                int
	user, password, name []byte
}

func parseHello(args [][]byte) (o helloOptions, err error) {
	if len(args) > 1 {
		n, ok := text.ParseInt(args[1])
		if !ok {
			return o, command.ReplyError("ERR Protocol version is not an integer or out of range")
		}
		if n != 2 && n != 3 {
			return o, errNoProto
		}
		o.proto = int(n)
	}
	for i := 2; i < len(args); i++ {
		rest := len(args) - 1 - i
		switch {
		case text.EqualFold(args[i], "AUTH") && rest >= 2:
			o.user, o.password = args[i+1], args[i+2]
			i += 2
		case text.EqualFold(args[i], "SETNAME") && rest >= 1:
			o.name = args[i+1]
			if !validClientText(o.name) {
				return o, command.ReplyError("ERR Client names cannot contain spaces, newlines or special characters.")
			}
			i++
		default:
			return o, command.ReplyError(fmt.Sprintf("ERR Syntax error in HELLO option '%s'", args[i]))
		}
	}
	return o, nil
}

// validClientText tells whether a name can stand in a line of CLIENT LIST.
func validClientText(b []byte) bool {
	for _, c := range b {
		if c < '!' || c > '~' {
			return false
		}
	}
	return true
}

// greet is HELLO's reply.
func (w *worker) greet(cl *Client) {
	out := &w.out
	out.Map(7)
	out.BulkString("server")
	out.BulkString("redis")
	out.BulkString("version")
	out.BulkString(RedisVersion)
	out.BulkString("proto")
	out.Int(int64(cl.proto))
	out.BulkString("id")
	out.Int(int64(cl.ID))
	out.BulkString("mode")
	out.BulkString("standalone")
	out.BulkString("role")
	out.BulkString("master")
	out.BulkString("modules")
	out.Array(0)
}

// The versions that INFO and HELLO report. Clients choose features by Redis'.
const (
	RedisVersion = "7.2.6"
	DozoVersion  = "0.1.0"
)

// outputMax is how long a client's output may become before enforceOutput ends it; 0 =
// any.
func (w *worker) outputMax(cl *Client) int {
	hard := w.srv.live.Load().output[cl.class()].Hard
	if hard == 0 {
		return 0
	}
	return int(max(hard, replyShort))
}

// enforceOutput ends clients that read too slowly for what they are sent. Short
// output does not count, as CLIENT LIST's omem has it: under a limit of a few bytes
// everybody would be cut at the first reply, who wants to raise it too.
func (w *worker) enforceOutput(cl *Client) {
	live := w.srv.live.Load()
	if live.clientLimit != 0 {
		w.served = append(w.served, cl)
	}
	pending := int64(cl.conn.PendingOut())
	if pending <= replyShort {
		pending = 0
	}
	limit := &live.output[cl.class()]
	if limit.Hard == 0 && limit.Soft == 0 || cl.freed || cl.conn.IsClosed() {
		return
	}
	over := limit.Hard != 0 && pending > limit.Hard
	if limit.Soft != 0 && pending > limit.Soft {
		if cl.softSince == 0 {
			cl.softSince = w.mono
		}
		over = over || int64((w.mono-cl.softSince).Seconds()) > limit.SoftSeconds
	} else {
		cl.softSince = 0
	}
	if over {
		w.endOverfed(cl)
	}
}

// endOverfed ends a client for whom there is more output than there may be.
func (w *worker) endOverfed(cl *Client) {
	w.stats.outputKills++
	w.srv.logf(Warning, "Client %s closed for overcoming of output buffer limits.", strings.TrimSpace(w.describe(cl)))
	cl.set(closing, true)
	cl.conn.Close(errOutputLimit)
}
