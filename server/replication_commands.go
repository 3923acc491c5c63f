package server

import (
	"net"
	"strconv"
	"strings"
	"time"

	"dozo/command"
	"dozo/keyspace"
	"dozo/oplog"
	"dozo/replication"
)

// replicationCommands are those between primaries and replicas, and what asks about them.
var replicationCommands = []command.Spec{
	{
		Name: "PSYNC", Handler: syncCall, Group: command.Server, Since: "2.8.0", Complexity: "O(1), and O(N) for N keys in a snapshot",
		Arity: -3, Syntax: "replicationid offset",
		Flags:   command.NoAsyncLoading | command.Admin | command.NoMulti | command.NoScript | command.Exclusive,
		Summary: "Begins to send a replica what is written, from where it was or with a snapshot before.",
	},
	{
		Name: "SYNC", Handler: syncCall, Group: command.Server, Since: "1.0.0", Complexity: "O(N) for N keys in the snapshot",
		Flags:   command.NoAsyncLoading | command.Admin | command.NoMulti | command.NoScript | command.Exclusive,
		Summary: "Sends a replica a snapshot and what is written from then on.",
	},
	{
		Name: "REPLCONF", Handler: replconf, Group: command.Server, Since: "3.0.0", Complexity: "O(1)",
		Arity:   -1,
		Flags:   command.Admin | command.NoScript | command.Loading | command.Stale | command.AllowBusy | command.SysCmd,
		Summary: "What replicas and their primaries tell each other.",
	},
	{
		Name: "FAILOVER", Handler: failover, Group: command.Server, Since: "6.2.0", Complexity: "O(1)",
		Arity: -1, Syntax: "[TO target=<host port:integer [FORCE]>] [ABORT] [TIMEOUT milliseconds:integer]",
		Flags:   command.Admin | command.NoScript | command.Stale | command.Exclusive,
		Summary: "Hands the duty of the primary over to one of its replicas.",
	},
	{
		Name: "ROLE", Handler: role, Group: command.Server, Since: "2.8.12", Complexity: "O(1)",
		Flags: command.NoScript | command.Loading | command.Stale | command.Fast | command.SentinelToo | command.Exclusive, Categories: command.CatAdmin | command.CatDangerous,
		Summary: "Tells the role in replication, with offsets and peers.",
	},
}

// asStrings are arguments as strings.
func asStrings(args [][]byte) []string {
	list := make([]string, len(args))
	for i, a := range args {
		list[i] = string(a)
	}
	return list
}

// replicaOf is what is known of a client as a replica, from its first word of it on.
func (w *worker) replicaOf(cl *Client) *replica {
	if cl.replica == nil {
		host, _, _ := net.SplitHostPort(cl.remote)
		cl.replica = &replica{cl: cl, peer: replication.NewReplica(cl.ID, host)}
		r := w.srv.replicas
		r.mu.Lock()
		r.byID[cl.ID] = cl.replica
		r.mu.Unlock()
	}
	return cl.replica
}

// syncCall is PSYNC and SYNC.
func syncCall(c *command.Context) error {
	cl := clientOf(c)
	w := cl.worker
	s := w.srv
	if s.opts.Persistence == nil {
		return command.ReplyError("ERR this server has no persistence, which makes the snapshots of replicas")
	}
	p, args := w.replicaOf(cl), asStrings(c.Args)
	pending := cl.conn.PendingOut() > 0 || len(w.out.Buf) > 0
	sync := func(args []string) {
		v := s.view()
		s.replicas.ask(w, func(m *replication.Primary, now time.Duration) []replication.Order {
			return m.Sync(p.peer, args, pending, v, now)
		})
	}
	if sync(args); p.again != nil {
		args, p.again = p.again, nil
		s.opts.Following.TakeOver(w.describe(cl))
		sync(args)
	}
	cl.set(isReplica, p.peer.IsReplica())
	return nil
}

// replconf is REPLCONF, of a replica or of the primary.
func replconf(c *command.Context) error {
	cl := clientOf(c)
	w := cl.worker
	if cl.has(fromPrimary) {
		cl.upstream.asked = cl.upstream.asked || len(c.Args) > 1 && strings.EqualFold(string(c.Args[1]), "getack")
		return nil
	}
	p, args := w.replicaOf(cl), asStrings(c.Args[1:])
	w.srv.replicas.ask(w, func(m *replication.Primary, now time.Duration) []replication.Order {
		return m.Replconf(p.peer, args, now)
	})
	w.srv.acknowledged()
	if w.srv.replicas.handing.State() == replication.FailoverWaits {
		w.srv.Alone(func(*keyspace.View) { w.srv.stepFailover() })
	}
	return nil
}

// role is ROLE.
func role(c *command.Context) error {
	s := serverOf(c)
	if s.Follows() {
		st := s.opts.Following.Status()
		c.Out.Array(5)
		c.Out.BulkString("slave")
		c.Out.BulkString(st.Host)
		c.Out.Int(int64(st.Port))
		c.Out.BulkString(st.State.String())
		if st.State == replication.LinkConnected {
			c.Out.Int(int64(s.log.Offset()))
		} else {
			c.Out.Int(-1)
		}
		return nil
	}
	c.Out.Array(3)
	c.Out.BulkString("master")
	c.Out.Int(int64(s.log.Offset()))
	var online []replication.ReplicaStatus
	for _, r := range s.replicas.status() {
		if r.Online {
			online = append(online, r)
		}
	}
	c.Out.Array(len(online))
	for _, r := range online {
		c.Out.Array(3)
		c.Out.BulkString(r.IP)
		c.Out.BulkString(strconv.Itoa(r.Port))
		c.Out.BulkString(strconv.FormatUint(r.Ack, 10))
	}
	return nil
}

// ping has replicas hear of this server, and what time it is here.
func (s *Server) ping() {
	if s.replicas.anyDozo() {
		s.log.Append(oplog.NoDB, s.AppendClock(nil))
		return
	}
	s.log.Append(oplog.NoDB, pingBytes)
}

var (
	pingBytes   = []byte("*1\r\n$4\r\nPING\r\n")
	getAckBytes = []byte(replication.GetAck)
)

// replied tells whether a command has written a reply to a client that is a replica, whose
// output is not for replies; it ends then.
func (w *worker) replied(cl *Client, mark int) bool {
	if len(w.out.Buf) == mark {
		return false
	}
	w.out.Buf = w.out.Buf[:mark]
	w.srv.logf(Warning, "Replica generated a reply to command '%s', disconnecting it: %s", cl.last.FullName, w.describe(cl))
	cl.set(closing, true)
	cl.conn.Close(errReplicaReplied)
	return true
}
