package command

import (
	"errors"
	"slices"
	"strings"
)

// Errors of Rename, in the words that a bad rename-command line has in Redis.
var (
	errRenameUnknown = errors.New("No such command in rename-command")  //lint:ignore ST1005 Redis' words
	errRenameTaken   = errors.New("Target command name already exists") //lint:ignore ST1005 Redis' words
	errRenameLong    = errors.New("the new name in rename-command is too long")
)

// Rename makes a command be found by another name only, or with the empty name
// not at all, as rename-command asks. What it is called in COMMAND, in statistics
// and in errors stays. It belongs to the start: tables do not change once they are
// used.
func (t *Table) Rename(from, to string) error {
	c := t.Lookup([]byte(from))
	switch {
	case c == nil:
		return errRenameUnknown
	case len(to) > lookupMax:
		return errRenameLong
	case to == "":
		t.all = slices.DeleteFunc(slices.Clone(t.all), func(o *Command) bool { return o == c })
	case t.Lookup([]byte(to)) != nil:
		return errRenameTaken
	default:
		c.called = strings.ToUpper(to)
		c.key = commandKey(c.called)
	}
	t.index = newNameIndex(t.all)
	return nil
}
