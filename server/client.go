package server

import (
	"time"

	"dozo/command"
	"dozo/eventloop"
	"dozo/keyspace"
	"dozo/resp"
)

// Client is one connection as the server sees it. It belongs to its worker; in
// exclusive mode any worker may read it and set its flags.
type Client struct {
	ID     uint64
	conn   *eventloop.Conn
	worker *worker
	parser resp.Parser

	// What is known of the connection from its start.
	isUnix        bool
	fd            int
	remote, local string
	// seen are the sizes of its buffers as its own loop saw them last, and counted
	// what it adds to the worker's sum of memory.
	seen    bufferSizes
	expects int // length of the command that is coming in parts, as far as known
	counted int64

	flags clientFlag
	proto int
	db    int
	user  string

	name            string
	libName, libVer string
	created         time.Duration // monotonic
	lastUsed        time.Duration // monotonic, when the last command ended or bytes went out
	last            *command.Command
	commands        int64
	lastWrite       uint64 // its end in the log; 0 = it has written nothing

	tx    transaction
	watch keyspace.Watch
	subs  subscriptions
	block blockState

	upstream *Upstream // of the connection to the primary
	replica  *replica  // what it has said of itself as a replica

	// softSince is when the output first passed the soft limit, 0 = it has not.
	softSince time.Duration
	// freed: the connection has ended; nothing may be written to it.
	freed bool
}

// clientFlag are the states of a client. Those in unusual take a command off the
// fast path of dispatch.
type clientFlag uint32

const (
	inMulti       clientFlag = 1 << iota
	dirtyExec                // a queued command was refused
	unauthed                 // a password is needed first
	subscribed               // has subscriptions
	replyOff                 // CLIENT REPLY OFF
	replySkip                // CLIENT REPLY SKIP: this command's reply is dropped
	replySkipNext            // ... the next one's
	monitoring               // MONITOR
	noTouch                  // CLIENT NO-TOUCH
	noEvict                  // CLIENT NO-EVICT
	closing                  // to be closed when its output has left
	held                     // input waits for the end of a pause
	blocked                  // waits in a blocking command
	fromPrimary              // the stream that this server follows
	isReplica                // gets what is written here

	unusual = isReplica | inMulti | unauthed | subscribed | replyOff | replySkip | replySkipNext | monitoring | noTouch | closing | held | blocked
)

func (c *Client) has(f clientFlag) bool { return c.flags&f != 0 }

func (c *Client) set(f clientFlag, on bool) {
	if on {
		c.flags |= f
	} else {
		c.flags &^= f
	}
}

// muted tells whether the reply to the present command is dropped.
func (c *Client) muted() bool { return c.has(replyOff | replySkip) }

// closeSoon ends the connection once its output has left. The rest of its input
// is not executed.
func (c *Client) closeSoon() {
	c.set(closing, true)
	c.conn.CloseAfterFlush()
}
