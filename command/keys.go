package command

import (
	"dozo/keyspace"
	"dozo/text"
)

// KeyRef is an argument that is a key, and what happens to it.
type KeyRef struct {
	Index int
	Flags KeyFlags
}

// Errors of finding keys.
var (
	ErrNoKeyArgs   error = ReplyError("ERR The command has no key arguments")
	ErrInvalidKeys error = ReplyError("ERR Invalid arguments specified for command")
	errCallArity   error = ReplyError("ERR Invalid number of arguments specified for command")
)

// KeysOf appends the keys of a call to dst; the call's arity is right. Among them
// are arguments that only go by the rules of keys (NotKey).
//
// ok is false when the arguments make no sense, such as a number of keys beyond
// them: then refs has what could be found all the same, and the handler, which
// will refuse the call, touches no other keys.
func (c *Command) KeysOf(dst []KeyRef, args [][]byte) (refs []KeyRef, ok bool) {
	if c.FindKeys != nil {
		return c.FindKeys(dst, args)
	}
	return c.keysByRules(dst, args)
}

// ShownKeys is KeysOf as COMMAND GETKEYS answers it: clients go by the rules that
// COMMAND INFO gives them, which are fooled by a group that is called STREAMS. Only
// where these say themselves that they are not enough is FindKeys asked.
func (c *Command) ShownKeys(args [][]byte) (refs []KeyRef, ok bool) {
	partial := false
	for i := range c.Keys {
		partial = partial || c.Keys[i].Unknown || c.Keys[i].Flags&Incomplete != 0
	}
	if !partial {
		if refs, ok = c.keysByRules(nil, args); ok {
			return refs, true
		}
	}
	if refs, ok = c.KeysOf(nil, args); !partial {
		for i := range refs { // what is found against the rules has no flags
			refs[i].Flags = 0
		}
	}
	return refs, ok
}

// keysByRules finds keys by the declared positions.
func (c *Command) keysByRules(dst []KeyRef, args [][]byte) (refs []KeyRef, ok bool) {
	ok = true
	for i := range c.Keys {
		k := &c.Keys[i]
		begin := k.begin(args)
		if begin == 0 {
			continue // the keyword is not there
		}
		flags := k.Flags
		if flags&VariableFlags != 0 {
			flags = c.VaryKeys(args)
		}
		var good bool
		dst, good = k.find(dst, args, begin, flags)
		ok = ok && good
	}
	return dst, ok
}

// KeysOf are the keys that a call names, as parts of args; none if it is no call of a
// command here.
func (t *Table) KeysOf(args [][]byte) (keys [][]byte) {
	cmd := t.Called(args)
	if cmd == nil {
		return nil
	}
	refs, _ := cmd.KeysOf(nil, args)
	for _, ref := range refs {
		if ref.Flags&NotKey == 0 {
			keys = append(keys, args[ref.Index])
		}
	}
	return keys
}

// RunsAlone tells whether a call may touch keys that KeysOf does not find, so that no
// other executor may be inside a command meanwhile.
func (c *Command) RunsAlone(args [][]byte) bool {
	return c.Flags&Exclusive != 0 || c.Alone != nil && c.Alone(args)
}

// begin is the argument where the search for keys begins, or 0 if the keyword is
// not there. A keyword at the very end has no keys after it and does not count,
// nor does the first argument when searching backwards: MIGRATE's host may be
// called KEYS.
func (k *KeySpec) begin(args [][]byte) int {
	switch {
	case k.Keyword == "":
		return k.Index
	case k.From > 0:
		for i := k.From; i < len(args)-1; i++ {
			if text.EqualFold(args[i], k.Keyword) {
				return i + 1
			}
		}
	default:
		for i := len(args) + k.From; i > 1; i-- {
			if text.EqualFold(args[i], k.Keyword) {
				return i + 1
			}
		}
	}
	return 0
}

// find appends the keys from begin on.
func (k *KeySpec) find(dst []KeyRef, args [][]byte, begin int, flags KeyFlags) ([]KeyRef, bool) {
	first, last := begin, k.lastOf(len(args), begin)
	if k.Counted {
		at := begin + k.KeyNum
		if at >= len(args) {
			return dst, false
		}
		n, ok := text.ParseInt(args[at])
		if !ok || n < 1 || n > int64(len(args)) {
			return dst, false
		}
		first = begin + k.FirstKey
		last = first + (int(n)-1)*k.Step
	}
	if last < first || last >= len(args) {
		return dst, false
	}
	for i := first; i <= last; i += k.Step {
		dst = append(dst, KeyRef{i, flags})
	}
	return dst, true
}

// lastOf is the index of the last key of a plain range.
func (k *KeySpec) lastOf(words, begin int) int {
	switch {
	case k.Last >= 0:
		return begin + k.Last
	case k.Limit > 1:
		return begin + (words-begin)/k.Limit + k.Last
	}
	return words + k.Last
}

// LockSet adds the shards of a call's keys to set. Refs is scratch space.
func (c *Command) LockSet(set *keyspace.LockSet, ks *keyspace.Keyspace, args [][]byte, refs []KeyRef) []KeyRef {
	refs, _ = c.KeysOf(refs[:0], args)
	for _, r := range refs {
		if r.Flags&NotKey == 0 {
			ks.Add(set, ks.Hash(args[r.Index]))
		}
	}
	return refs
}
