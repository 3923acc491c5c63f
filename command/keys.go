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

// KeysOf appends the keys of a call to dst. The call's arity is right. ok is
// false when the arguments do not make sense, such as a key count beyond them.
func (c *Command) KeysOf(dst []KeyRef, args [][]byte) (refs []KeyRef, ok bool) {
	ok = true
	for i := range c.Keys {
		k := &c.Keys[i]
		if k.Unknown {
			continue
		}
		begin := k.begin(args)
		if begin <= 0 || begin >= len(args) {
			continue
		}
		flags := k.Flags
		if c.VaryKeys != nil && flags&VariableFlags != 0 {
			flags = c.VaryKeys(args)
		}
		var good bool
		if dst, good = k.find(dst, args, begin, flags); !good {
			ok = false
		}
	}
	return dst, ok
}

// begin is the argument where the search for keys begins, or 0.
func (k *KeySpec) begin(args [][]byte) int {
	if k.Keyword == "" {
		return k.Index
	}
	if k.From > 0 {
		for i := k.From; i < len(args); i++ {
			if text.EqualFold(args[i], k.Keyword) {
				return i + 1
			}
		}
		return 0
	}
	for i := len(args) + k.From; i > 0; i-- {
		if text.EqualFold(args[i], k.Keyword) {
			return i + 1
		}
	}
	return 0
}

// find appends the keys from begin on.
func (k *KeySpec) find(dst []KeyRef, args [][]byte, begin int, flags KeyFlags) ([]KeyRef, bool) {
	last, step := 0, max(k.Step, 1)
	if k.Counted {
		if begin+k.KeyNum >= len(args) {
			return dst, false
		}
		n, ok := text.ParseInt(args[begin+k.KeyNum])
		if !ok || n < 0 || n > int64(len(args)) {
			return dst, false
		}
		begin += k.FirstKey
		last = begin + (int(n)-1)*step
	} else {
		last = k.lastOf(len(args), begin)
	}
	if last >= len(args) {
		return dst, false
	}
	for i := begin; i <= last; i += step {
		dst = append(dst, KeyRef{i, flags})
	}
	return dst, true
}

// lastOf is the index of the last key of a plain range.
func (k *KeySpec) lastOf(words, begin int) int {
	if k.Last >= 0 {
		return begin + k.Last
	}
	if k.Limit <= 1 {
		return words + k.Last
	}
	return begin + (words-begin)/k.Limit + k.Last
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
