package command

import (
	"dozo/keyspace"
	"dozo/object"
	"dozo/resp"
)

// Context is what a handler works with: its arguments, the database it looks
// at, where its reply goes, and what must be told to others. One Context
// belongs to one executor and is used again for each command.
type Context struct {
	// View is the database at this moment; v.Now is the command's time.
	*keyspace.View
	// Args are the words of the call, the command's name included. They alias the
	// connection's buffer: what is kept must be copied.
	Args [][]byte
	Cmd  *Command
	// Out takes the reply.
	Out *resp.Writer
	// OutMax is how long Out may become before the client is closed for it, 0 = any. Cut
	// says that this has happened, and that the reply ends in the middle.
	OutMax int
	Cut    bool
	// Set are the settings that handlers depend on.
	Set *Settings
	// Table is what Cmd comes from.
	Table *Table
	// Session is the connection that calls, in the terms of package server; the
	// families of data commands do not look at it.
	Session any
	// Effects is what the log gets.
	Effects Effects
	// Notifier hears of key events when NotifyMask has their class.
	Notifier   Notifier
	NotifyMask Event
	// Blocker has the caller wait; nil where nobody can.
	Blocker Blocker
	// Kept is what package commands keeps from one call to the next, such as the
	// encoder of DUMP with its tables.
	Kept any
	// Scratch is for formatting numbers and short-lived copies; its content is
	// anyone's after the next use.
	Scratch []byte
}

// Settings are the configuration values that handlers of data commands read.
// A changed configuration makes a new value.
type Settings struct {
	MaxBulk          int64 // proto-max-bulk-len
	HLLSparseMax     int   // hll-sparse-max-bytes
	Limits           object.Limits
	RDBVersion       int  // rdb-version
	RDBCompression   bool // rdbcompression
	RDBChecksum      bool
	SkipChecksum     bool // DEBUG SET-SKIP-CHECKSUM-VALIDATION
	LFUPolicy        bool // maxmemory-policy is one of the LFU ones
	SharedIntegers   bool // OBJECT REFCOUNT reports small integers as shared
	LazyExpire       bool // a key expired by its command is logged as UNLINK
	LazyUserDel      bool
	LazyUserFlush    bool
	LazyServerDel    bool
	ActiveExpireStop bool // DEBUG SET-ACTIVE-EXPIRE 0
}

// Notifier takes key events (see notify-keyspace-events).
type Notifier interface {
	KeyEvent(class Event, event string, db int, key []byte)
}

// Event is a set of classes of key events, in the letters of
// notify-keyspace-events.
type Event uint16

// The classes.
const (
	EventKeyspace Event = 1 << iota // K
	EventKeyevent                   // E
	EventGeneric                    // g
	EventString                     // $
	EventList                       // l
	EventSet                        // s
	EventHash                       // h
	EventZSet                       // z
	EventExpired                    // x
	EventEvicted                    // e
	EventStream                     // t
	EventKeyMiss                    // m
	_                               // Redis' modules are told of loaded keys here
	EventModule                     // d
	EventNew                        // n
	EventAll      = EventGeneric | EventString | EventList | EventSet | EventHash | EventZSet | EventExpired | EventEvicted | EventStream | EventModule
)

// Effects are the commands that one call adds to the log, in order. By default
// a call that changed something is logged as it came; handlers of calls whose
// result depends on time or chance record what they did instead.
//
// Nothing is recorded while nobody reads the log (Enabled is false).
type Effects struct {
	Enabled bool
	// Dirty counts the changes of the call: 0 = nothing to log. INFO's
	// rdb_changes_since_last_save sums it.
	Dirty int64

	explicit bool
	w        resp.Writer
	units    []Effect
}

// Effect is one command for the log: it ends at End in the bytes, and is for
// database DB.
type Effect struct{ DB, End int }

// Reset forgets all; before each call that is not part of an EXEC.
func (e *Effects) Reset() {
	e.Begin()
	if len(e.units) != 0 {
		e.w.Buf, e.units = e.w.Buf[:0], e.units[:0]
	}
}

// Begin starts the next call, keeping what earlier ones of the same EXEC have
// recorded.
func (e *Effects) Begin() { e.Dirty, e.explicit = 0, false }

// Explicit tells whether the handler said what to log instead of its call.
func (e *Effects) Explicit() bool { return e.explicit }

// Units are the recorded commands and their bytes.
func (e *Effects) Units() ([]Effect, []byte) { return e.units, e.w.Buf }

// Add records a command for a database.
func (e *Effects) Add(db int, args ...[]byte) {
	if e.Enabled {
		e.w.Command(args...)
		e.units = append(e.units, Effect{db, len(e.w.Buf)})
	}
}

// Propagate logs a command in place of the call. It may be called several times.
func (c *Context) Propagate(args ...[]byte) {
	c.Effects.explicit = true
	c.Effects.Add(c.DB, args...)
}

// PropagateNothing keeps the call out of the log although it changed something.
func (c *Context) PropagateNothing() { c.Effects.explicit = true }

// Modified says that a key was changed by this call: it counts as one change,
// watchers are told, and a key event is sent.
func (c *Context) Modified(key []byte, class Event, event string) {
	c.ModifiedIn(c.DB, key, class, event)
}

// ModifiedIn is Modified for a key of another database.
func (c *Context) ModifiedIn(db int, key []byte, class Event, event string) {
	c.Effects.Dirty++
	c.Changed(db, key)
	c.Notify(class, event, db, key)
}

// Notify sends a key event, if anybody wants its class.
func (c *Context) Notify(class Event, event string, db int, key []byte) {
	if c.NotifyMask&class != 0 {
		c.Notifier.KeyEvent(class, event, db, key)
	}
}

// Lookup finds a key for reading that must hold type t; not Ok when missing.
func (c *Context) Lookup(key []byte, t object.Type) (object.Cell, error) {
	cell := c.Find(key)
	if !cell.Ok() {
		if c.NotifyMask&EventKeyMiss != 0 {
			c.Notifier.KeyEvent(EventKeyMiss, "keymiss", c.DB, key)
		}
		return cell, nil
	}
	if cell.Type() != t {
		return object.Cell{}, ErrWrongType
	}
	return cell, nil
}

// LookupEdit finds a key that must hold type t, to change it in place; not Ok
// when missing.
func (c *Context) LookupEdit(key []byte, t object.Type) (object.Cell, error) {
	cell := c.Edit(key)
	if cell.Ok() && cell.Type() != t {
		return object.Cell{}, ErrWrongType
	}
	return cell, nil
}
