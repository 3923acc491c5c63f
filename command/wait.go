package command

import (
	"math"
	"time"

	"dozo/object"
	"dozo/resp"
	"dozo/text"
)

// Wait is how a call of a blocking command waits for its keys, when it finds
// nothing in them.
type Wait struct {
	// Keys are the positions of the keys among the arguments. A key counts once.
	Keys []int
	// Dest is the position of the key that serving writes to; 0 = none.
	Dest int
	// Type is what a key must hold to be of use; with Gone, a key that goes, or comes
	// to hold something else, is of use, too.
	Type object.Type
	Gone bool
	// Rivals is a name that those share who compete for the same, such as the consumers
	// of a group: when there is nothing for one, there is nothing for the others.
	Rivals []byte
	// Timeout is how long the client waits at the most; 0 = for ever.
	Timeout time.Duration
	// Serve does what the call wanted with the keys of ready, which are positions in
	// the order of the call, and writes the reply; or it returns an error for a reply.
	// False means that there was nothing for it after all. The Context is that of the
	// call (a copy of its arguments, its database, its client's protocol), on whichever
	// executor has made the keys of use, at the end of what did it.
	Serve func(c *Context, ready []int) (served bool, err error)
}

// Blocker has clients wait.
type Blocker interface {
	// MayBlock tells whether the caller can wait at all: not within a transaction.
	MayBlock() bool
	// Block makes the caller wait. It copies the arguments.
	Block(w *Wait)
	// Postpone has the caller wait until finish is called, once, by anyone: the handler
	// returns without a reply, and reply writes it, or returns an error for it.
	Postpone() (finish func(reply func(out *resp.Writer) error))
}

// CanBlock tells whether the call may wait; if not, it answers at once. (A call whose
// time is over has the null array for an answer, whatever command it is.)
func (c *Context) CanBlock() bool { return c.Blocker != nil && c.Blocker.MayBlock() }

// Block makes the caller wait: the handler writes no reply. Only after CanBlock.
func (c *Context) Block(w Wait) { c.Blocker.Block(&w) }

const (
	errTimeoutFloat    ReplyError = "ERR timeout is not a float or out of range"
	errTimeoutInteger  ReplyError = "ERR timeout is not an integer or out of range"
	errTimeoutRange    ReplyError = "ERR timeout is out of range"
	errTimeoutNegative ReplyError = "ERR timeout is negative"
)

// timeoutMaxMillis is what a longer timeout is shortened to, so that the moment at
// which it is over is one that a clock can show: a hundred years.
const timeoutMaxMillis = int64(100 * 365 * 24 * time.Hour / time.Millisecond)

// timeoutBeyond: the moment at which a longer one is over would be beyond all
// milliseconds.
const timeoutBeyond = math.MaxInt64 - 2e12

// SecondsTimeout reads a timeout in seconds, which may have a fraction and is rounded
// up to milliseconds; 0 = for ever.
func SecondsTimeout(arg []byte) (time.Duration, error) {
	seconds, ok := text.ParseFloat(arg)
	ms := math.Ceil(seconds * 1000)
	switch {
	case !ok:
		return 0, errTimeoutFloat
	case ms > timeoutBeyond:
		return 0, errTimeoutRange
	}
	return timeout(int64(ms))
}

// MillisTimeout reads a timeout in milliseconds; 0 = for ever.
func MillisTimeout(arg []byte) (time.Duration, error) {
	ms, ok := text.ParseInt(arg)
	switch {
	case !ok:
		return 0, errTimeoutInteger
	case ms > timeoutBeyond:
		return 0, errTimeoutRange
	}
	return timeout(ms)
}

func timeout(ms int64) (time.Duration, error) {
	if ms < 0 {
		return 0, errTimeoutNegative
	}
	return time.Duration(min(ms, timeoutMaxMillis)) * time.Millisecond, nil
}
