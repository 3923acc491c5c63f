package server

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/eventloop"
	"dozo/text"
)

func clientID(c *command.Context) error {
	c.Out.Int(int64(clientOf(c).ID))
	return nil
}

func clientInfo(c *command.Context) error {
	cl := clientOf(c)
	c.Out.Verbatim("txt", cl.worker.describe(cl)+"\n")
	return nil
}

func clientGetName(c *command.Context) error {
	if cl := clientOf(c); cl.name != "" {
		c.Out.BulkString(cl.name)
	} else {
		c.Out.Null()
	}
	return nil
}

func clientSetName(c *command.Context) error {
	if !validClientText(c.Args[2]) {
		return command.ReplyError("ERR Client names cannot contain spaces, newlines or special characters.")
	}
	clientOf(c).name = string(c.Args[2])
	c.Out.OK()
	return nil
}

func clientSetInfo(c *command.Context) error {
	cl := clientOf(c)
	option, value := lower(c.Args[2]), c.Args[3]
	if option != "lib-name" && option != "lib-ver" {
		return command.ReplyError(fmt.Sprintf("ERR Unrecognized option '%s'", shown(c.Args[2], len(c.Args[2]))))
	}
	if !validClientText(value) {
		return command.ReplyError(fmt.Sprintf("ERR %s cannot contain spaces, newlines or special characters.", option))
	}
	if option == "lib-name" {
		cl.libName = string(value)
	} else {
		cl.libVer = string(value)
	}
	c.Out.OK()
	return nil
}

// clientSwitch is the handler of CLIENT NO-EVICT and NO-TOUCH.
func clientSwitch(f clientFlag) command.Handler {
	return func(c *command.Context) error {
		on, err := onOff(c.Args[2])
		if err != nil {
			return err
		}
		clientOf(c).set(f, on)
		c.Out.OK()
		return nil
	}
}

func onOff(arg []byte) (bool, error) {
	switch {
	case text.EqualFold(arg, "ON"):
		return true, nil
	case text.EqualFold(arg, "OFF"):
		return false, nil
	}
	return false, command.ErrSyntax
}

func clientReply(c *command.Context) error {
	cl := clientOf(c)
	switch lower(c.Args[2]) {
	case "on":
		cl.flags &^= replyOff | replySkip | replySkipNext
		c.Out.OK()
	case "off":
		cl.flags |= replyOff
	case "skip":
		if !cl.has(replyOff) {
			cl.flags |= replySkipNext
		}
	default:
		return command.ErrSyntax
	}
	return nil
}

// clientKind is a client's type as CLIENT LIST TYPE and KILL TYPE name it.
func clientKind(name []byte) (config.ClientClass, error) {
	switch lower(name) {
	case "normal":
		return config.NormalClient, nil
	case "slave", "replica":
		return config.ReplicaClient, nil
	case "pubsub":
		return config.PubSubClient, nil
	case "master":
		return primaryClient, nil
	}
	return 0, command.ReplyError(fmt.Sprintf("ERR Unknown client type '%s'", shown(name, len(name))))
}

// everyone is all clients by ID. Only in exclusive mode.
func (s *Server) everyone() []*Client {
	var all []*Client
	for _, w := range s.workers {
		for _, cl := range w.clients {
			all = append(all, cl)
		}
	}
	slices.SortFunc(all, func(a, b *Client) int { return int(int64(a.ID) - int64(b.ID)) })
	return all
}

func (s *Server) clientByID(id int64) *Client {
	for _, w := range s.workers {
		if cl := w.clients[uint64(id)]; cl != nil && id > 0 {
			return cl
		}
	}
	return nil
}

func clientList(c *command.Context) error {
	w := clientOf(c).worker
	list, err := w.srv.listed(c.Args)
	if err != nil {
		return err
	}
	w.recountAll(list)
	var b strings.Builder
	for _, cl := range list {
		b.WriteString(w.describe(cl))
		b.WriteByte('\n')
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}

// listed are the clients that the filters of CLIENT LIST choose.
func (s *Server) listed(args [][]byte) ([]*Client, error) {
	switch {
	case len(args) == 2:
		return s.everyone(), nil
	case len(args) == 4 && text.EqualFold(args[2], "TYPE"):
		kind, err := clientKind(args[3])
		if err != nil {
			return nil, err
		}
		return slices.DeleteFunc(s.everyone(), func(cl *Client) bool { return cl.class() != kind }), nil
	case len(args) > 3 && text.EqualFold(args[2], "ID"):
		var list []*Client
		for _, a := range args[3:] {
			id, ok := text.ParseInt(a)
			if !ok {
				return nil, command.ReplyError("ERR Invalid client ID")
			}
			if cl := s.clientByID(id); cl != nil {
				list = append(list, cl)
			}
		}
		return list, nil
	}
	return nil, command.ErrSyntax
}

// killFilter is what CLIENT KILL looks for; empty fields match all.
type killFilter struct {
	addr, laddr, user string
	kind              config.ClientClass
	byKind            bool
	id                int64
	skipMe            bool
}

func parseKill(args [][]byte) (f killFilter, err error) {
	if len(args) == 3 {
		return killFilter{addr: string(args[2])}, nil
	}
	if len(args)%2 != 0 || len(args) < 4 {
		return f, command.ErrSyntax
	}
	f.skipMe = true
	for i := 2; i < len(args) && err == nil; i += 2 {
		err = f.option(lower(args[i]), args[i+1])
	}
	return f, err
}

func (f *killFilter) option(name string, value []byte) (err error) {
	switch name {
	case "id":
		n, ok := text.ParseInt(value)
		if !ok || n < 1 {
			return command.ReplyError("ERR client-id should be greater than 0")
		}
		f.id = n
	case "type":
		f.byKind = true
		f.kind, err = clientKind(value)
	case "addr":
		f.addr = string(value)
	case "laddr":
		f.laddr = string(value)
	case "user":
		if f.user = string(value); f.user != "default" {
			return command.ReplyError(fmt.Sprintf("ERR No such user '%s'", value))
		}
	case "skipme":
		switch lower(value) {
		case "yes":
			f.skipMe = true
		case "no":
			f.skipMe = false
		default:
			return command.ErrSyntax
		}
	default:
		return command.ErrSyntax
	}
	return err
}

func (f *killFilter) matches(cl, me *Client) bool {
	return (f.addr == "" || cl.remote == f.addr) && (f.laddr == "" || cl.local == f.laddr) &&
		(!f.byKind || cl.class() == f.kind) && (f.id == 0 || int64(cl.ID) == f.id) &&
		(f.user == "" || cl.user == f.user) && (cl != me || !f.skipMe)
}

func clientKill(c *command.Context) error {
	me := clientOf(c)
	f, err := parseKill(c.Args)
	if err != nil {
		return err
	}
	killed := 0
	for _, cl := range me.worker.srv.everyone() {
		if !f.matches(cl, me) || cl.has(closing) && cl != me {
			continue
		}
		killed++
		cl.kill(me)
	}
	if len(c.Args) > 3 {
		c.Out.Int(int64(killed))
		return nil
	}
	if killed == 0 {
		return command.ReplyError("ERR No such client")
	}
	c.Out.OK()
	return nil
}

// kill ends a client; the one that kills itself gets its reply first. From now on
// nothing more of the client's is executed, and nobody sees it; its connection is
// closed by its own loop, soon. Only in exclusive mode.
func (c *Client) kill(killer *Client) {
	c.set(closing, true)
	if c == killer {
		c.conn.CloseAfterFlush()
		return
	}
	c.worker.bury(c)
	c.worker.loop.Post(eventloop.Message{Kind: msgCall, Any: func(*worker) { c.conn.Close(errKilled) }})
}

func clientPause(c *command.Context) error {
	writes := false
	if len(c.Args) == 4 {
		switch lower(c.Args[3]) {
		case "write":
			writes = true
		case "all":
		default:
			return command.ReplyError("ERR CLIENT PAUSE mode must be WRITE or ALL")
		}
	}
	if len(c.Args) > 4 {
		return command.WrongArgs(c)
	}
	n, ok := text.ParseInt(c.Args[2])
	if !ok {
		return command.ReplyError("ERR timeout is not an integer or out of range")
	}
	if n < 0 {
		return command.ReplyError("ERR timeout is negative")
	}
	length := time.Duration(min(n, pauseMaxMillis)) * time.Millisecond
	clientOf(c).worker.srv.startPause(pauseClient, length, writes)
	c.Out.OK()
	return nil
}

// pauseMaxMillis keeps the end of a pause within what a clock can show.
const pauseMaxMillis = int64(100 * 365 * 24 * time.Hour / time.Millisecond)

func clientUnpause(c *command.Context) error {
	clientOf(c).worker.srv.endPause(pauseClient)
	c.Out.OK()
	return nil
}

func clientUnblock(c *command.Context) error {
	if len(c.Args) > 4 {
		return command.WrongArgs(c)
	}
	byError := false
	if len(c.Args) == 4 {
		switch lower(c.Args[3]) {
		case "timeout":
		case "error":
			byError = true
		default:
			return command.ReplyError("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR")
		}
	}
	id, err := argInt(c.Args[2])
	if err != nil {
		return err
	}
	cl := clientOf(c).worker.srv.clientByID(id)
	if cl == nil || !cl.has(blocked) || !cl.block.claim() {
		c.Out.Int(0)
		return nil
	}
	cl.worker.call(func(w *worker) { w.unblock(cl, byError) })
	c.Out.Int(1)
	return nil
}
