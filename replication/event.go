package replication

import (
	"strconv"

	"dozo/client"
	"dozo/env"
)

// What happens to a Link. Those with a Try are of a connection, and mean nothing when
// the link has another by then.
type (
	// Follow: be a replica of this address, from now on.
	Follow struct {
		Host string
		Port int
		// Known: the data is what was had from this primary before a restart. An
		// operator's REPLICAOF is without: it means that the data may go.
		Known bool
		// Failover: ask it to take over as the primary.
		Failover bool
	}
	// Unfollow: be a replica no more.
	Unfollow struct{}
	// Connected: what Dial asked for is there. Have is where the data stands and Keys
	// how many keys it has; they do not change until the next Stream or snapshot. Kept is
	// from which offset on the log has the writes, and Proof what Prove gives of them.
	Connected struct {
		Try   uint64
		Have  Position
		Keys  int
		Kept  uint64
		Proof string
	}
	// Line: the primary has sent a line, given without its end. Until Receive or
	// Stream everything is lines.
	Line struct {
		Try  uint64
		Text string
	}
	// Received: so many bytes of the snapshot came; Whole says that these were the last.
	Received struct {
		Try   uint64
		Bytes int64
		Whole bool
	}
	// Loaded: the data is the snapshot's.
	Loaded struct{ Try uint64 }
	// Heard: bytes of the stream came.
	Heard struct{ Try uint64 }
	// Lost: there is no connection, or no more, or the snapshot was not loaded.
	Lost struct {
		Try uint64
		Err error
	}
	// Told answers Ask: what INFO said, or why it is not known.
	Told struct {
		Try  uint64
		Info string
		Err  error
	}
	// Tick: the time that Due gave has come. More of them do no harm.
	Tick struct{}
)

// Event is one of these. It returns the try that it is of; 0 is of none.
type Event interface{ try() uint64 }

func (Follow) try() uint64      { return 0 }
func (Unfollow) try() uint64    { return 0 }
func (Tick) try() uint64        { return 0 }
func (e Connected) try() uint64 { return e.Try }
func (e Line) try() uint64      { return e.Try }
func (e Received) try() uint64  { return e.Try }
func (e Loaded) try() uint64    { return e.Try }
func (e Heard) try() uint64     { return e.Try }
func (e Lost) try() uint64      { return e.Try }
func (e Told) try() uint64      { return e.Try }

// What a Link wants done, in the order given. All but Dial, Ask, Log and HandedOver are
// of the connection that it has.
type (
	// Dial: connect; Connected or Lost is to follow.
	Dial struct {
		Try  uint64
		Host string
		Port int
	}
	// Close: give up the connection, the attempt to have one, and the loading of what
	// came by it. Nothing more of it need be told.
	Close struct {
		Try uint64
		Why string
	}
	// Send: write a command. Failover says that the primary is asked by it to take over:
	// if that is no longer wanted, close the connection.
	Send struct {
		Args     []string
		Failover bool
	}
	// Newline: write a line break, by which the primary knows that we live.
	Newline struct{}
	// Hold: read nothing more before Receive.
	Hold struct{}
	// Receive: what follows on the connection is a snapshot of this position, which is
	// not Known if the primary speaks only SYNC. One of fewer keys than KeysMin is to be
	// refused (Lost), not loaded.
	Receive struct {
		At       Position
		Snapshot client.Snapshot
		KeysMin  int
	}
	// Stream: what follows on the connection are the writes behind At. If Full, At is
	// the loaded snapshot's and a history that begins there; else the data was there
	// already and only the name may be new, which is to be told to one's own replicas.
	Stream struct {
		At   Position
		Full bool
	}
	// Ack: write how far the writes were applied (AppendAck).
	Ack struct{}
	// Ask: on a connection of its own, log in and ask for INFO; Told is to follow.
	Ask struct {
		Try            uint64
		Host           string
		Port           int
		User, Password string
	}
	// HandedOver: what became of Follow.Failover; Why is empty if all is well. If Doubt,
	// that is not known yet: another will tell.
	HandedOver struct {
		Why   string
		Doubt bool
	}
	// Log: write a line.
	Log struct {
		Text    string
		Warning bool
	}
)

// Effect is one of these.
type Effect interface{ effect() }

func (Dial) effect()       {}
func (Close) effect()      {}
func (Send) effect()       {}
func (Newline) effect()    {}
func (Hold) effect()       {}
func (Receive) effect()    {}
func (Stream) effect()     {}
func (Ack) effect()        {}
func (Ask) effect()        {}
func (HandedOver) effect() {}
func (Log) effect()        {}

// AppendAck is the command by which a replica says what it has applied, and, unless
// fsynced is negative, what of it is on its disk.
func AppendAck(b []byte, applied uint64, fsynced int64) []byte {
	b = append(b, "*3\r\n"...)
	if fsynced >= 0 {
		b[len(b)-3] = '5'
	}
	b = appendBulk(append(b, "$8\r\nREPLCONF\r\n$3\r\nACK\r\n"...), int64(applied))
	if fsynced >= 0 {
		b = appendBulk(append(b, "$4\r\nFACK\r\n"...), fsynced)
	}
	return b
}

// appendBulk adds a number as a bulk string.
func appendBulk(b []byte, v int64) []byte {
	var scratch [20]byte
	digits := strconv.AppendInt(scratch[:0], v, 10)
	b = strconv.AppendInt(append(b, '$'), int64(len(digits)), 10)
	b = append(append(b, "\r\n"...), digits...)
	return append(b, "\r\n"...)
}

// uniform draws a number below n, which is 1 at least.
func uniform(r env.Rand, n uint64) uint64 { return r.Uint64() % max(n, 1) }
