package persist

import (
	"bytes"
	"slices"
	"strings"

	"dozo/rdb"
	"dozo/text"
)

// libraries are libraries of functions as they were found, each under one name: a file
// with two of a name is refused by those who have scripts. A list is not changed once
// there is another, since a job may be writing it.
type libraries [][]byte

// libraryName is what the first line of a library, as in "#!lua name=x", says.
func libraryName(code []byte) string {
	line, _, _ := bytes.Cut(code, []byte("\n"))
	for word := range strings.FieldsSeq(string(line)) {
		if name, ok := strings.CutPrefix(word, "name="); ok {
			return name
		}
	}
	return ""
}

// with adds libraries, in place of those of the same names.
func (l libraries) with(codes ...[]byte) libraries {
	for _, code := range codes {
		l = append(l.without(libraryName(code)), bytes.Clone(code))
	}
	return l
}

// without leaves one out.
func (l libraries) without(name string) libraries {
	return slices.DeleteFunc(slices.Clone(l), func(code []byte) bool { return libraryName(code) == name })
}

// after is what there is after a FUNCTION command of a log, of which args are the words
// behind that; ok is false if it is none that changes something.
func (l libraries) after(args [][]byte) (_ libraries, ok bool) {
	last := len(args) - 1
	switch {
	case last >= 0 && text.EqualFold(args[0], "FLUSH"):
		return nil, true
	case last >= 1 && text.EqualFold(args[0], "LOAD"):
		return l.with(args[last]), true
	case last == 1 && text.EqualFold(args[0], "DELETE"):
		return l.without(string(args[1])), true
	case last >= 1 && text.EqualFold(args[0], "RESTORE"):
		if text.EqualFold(args[last], "FLUSH") {
			l = nil
		}
		codes, err := rdb.Libraries(args[1])
		return l.with(codes...), err == nil
	}
	return l, false
}

// KeepLibrary implements server.Persistence.
func (m *Manager) KeepLibrary(args [][]byte) (changes bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.functions, changes = m.functions.after(args)
	return changes
}
