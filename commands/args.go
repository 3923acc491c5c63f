package commands

import (
	"bytes"
	"math"

	"dozo/command"
	"dozo/object"
	"dozo/text"
)

var (
	errIntRange error = command.ReplyError("ERR value is out of range, value must between -2147483648 and 2147483647")

	wordDel       = []byte("DEL")
	wordUnlink    = []byte("UNLINK")
	wordSet       = []byte("SET")
	wordPXAT      = []byte("PXAT")
	wordKeepTTL   = []byte("KEEPTTL")
	wordAbsTTL    = []byte("ABSTTL")
	wordPersist   = []byte("PERSIST")
	wordPExpireAt = []byte("PEXPIREAT")
)

// digits is room for the text of any int64.
type digits [20]byte

// intArg reads an integer argument.
func intArg(arg []byte) (int64, error) {
	n, ok := text.ParseInt(arg)
	if !ok {
		return 0, command.ErrNotInteger
	}
	return n, nil
}

// dbArg reads the number of a database.
func dbArg(c *command.Context, arg []byte) (int, error) {
	n, err := intArg(arg)
	switch {
	case err != nil:
		return 0, err
	case n < math.MinInt32 || n > math.MaxInt32:
		return 0, errIntRange
	case n < 0 || n >= int64(c.Keyspace().Databases()):
		return 0, command.ErrDBRange
	}
	return int(n), nil
}

// is compares an option's word with an argument, in any case. As in C, a zero
// byte ends the argument.
func is(arg []byte, word string) bool {
	if len(arg) > len(word) && arg[len(word)] == 0 {
		arg = arg[:len(word)]
	}
	return text.EqualFold(arg, word)
}

// upToZero is an argument as C functions see it.
func upToZero(arg []byte) []byte {
	if i := bytes.IndexByte(arg, 0); i >= 0 {
		return arg[:i]
	}
	return arg
}

// arityError is the answer to a call whose words do not come in pairs.
func arityError(c *command.Context) error {
	return command.ReplyError("ERR wrong number of arguments for '" + c.Cmd.FullName + "' command")
}

// expireTimeError is the answer to a time that is not one.
func expireTimeError(c *command.Context) error {
	return command.ReplyError("ERR invalid expire time in '" + c.Cmd.FullName + "' command")
}

// peek looks a key up for reading, but does not count it as used.
func peek(c *command.Context, key []byte) object.Cell {
	cell := c.Peek(key)
	if cell.Ok() {
		c.Stats.Hits++
		return cell
	}
	c.Stats.Misses++
	c.Notify(command.EventKeyMiss, "keymiss", c.DB, key)
	return cell
}

// present looks a key up that the command is going to write, or not to write
// because it is there. To change the value in place takes Edit instead.
func present(c *command.Context, key []byte) object.Cell {
	cell := c.Peek(key)
	if cell.Ok() {
		c.Touch(&cell)
	}
	return cell
}

// notifyNew says that a key came into being.
func notifyNew(c *command.Context, db int, key []byte) {
	c.Notify(command.EventNew, "new", db, key)
}

// replyString writes the text of a string.
func replyString(c *command.Context, cell *object.Cell) {
	if n, ok := cell.Int(); ok {
		c.Out.BulkInt(n)
		return
	}
	c.Out.Bulk(cell.Bytes(nil))
}

// replyFlag answers 1 or 0.
func replyFlag(c *command.Context, yes bool) {
	n := int64(0)
	if yes {
		n = 1
	}
	c.Out.Int(n)
}

// editRoom makes a string raw and at least n bytes long, making the key if need
// be, and returns its bytes for writing from an index on up to n. grown tells whether there was less.
// cell is what LookupEdit gave.
func editRoom(c *command.Context, cell *object.Cell, key []byte, from, n int) (room []byte, grown bool) {
	if !cell.Ok() {
		*cell, _ = c.SetZeros(key, n)
		notifyNew(c, c.DB, key)
		return cell.Grow(0), true
	}
	have := cell.Len()
	room = cell.GrowFor(n, from, n)
	return room, len(room) != have
}

// obeyedMax is how long a string may become by a command that a log has.
const obeyedMax = 1 << 32

// maxBulk is proto-max-bulk-len, unless the command is one of a log, which was executed
// when there was another limit.
func maxBulk(c *command.Context) int64 {
	if c.Timeless {
		return max(c.Set.MaxBulk, obeyedMax)
	}
	return c.Set.MaxBulk
}

// checkLength refuses strings beyond proto-max-bulk-len.
func checkLength(c *command.Context, have, more int64) error {
	most := maxBulk(c)
	if more > most || have > most-more {
		return command.ErrStringTooLong
	}
	return nil
}

// replaced is another word for an argument.
type replaced struct {
	at   int
	word []byte
}

// propagateReplaced logs the call with other words in some places. The words must
// not lie on the stack.
func propagateReplaced(c *command.Context, words ...replaced) {
	exchange(c.Args, words)
	c.Propagate(c.Args...)
	exchange(c.Args, words)
}

func exchange(args [][]byte, words []replaced) {
	for i := range words {
		w := &words[i]
		args[w.at], w.word = w.word, args[w.at]
	}
}
