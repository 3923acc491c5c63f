package aof

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dozo/env"
	"dozo/text"
)

// FileType is the role of a file, as the manifest writes it.
type FileType byte

// The roles.
const (
	Base    FileType = 'b' // the data set as of the last rewrite; the first to load
	History FileType = 'h' // superseded by a rewrite; to be deleted
	Incr    FileType = 'i' // the writes since, in order of sequence numbers
)

// FileInfo is one line of the manifest.
type FileInfo struct {
	Name string
	Seq  int64
	Type FileType
}

// Manifest says which files together are the data set. Its text, its errors and
// the names of files are those of Redis 7.2.
type Manifest struct {
	Base    *FileInfo // nil if there is none
	History []FileInfo
	Incr    []FileInfo

	baseSeq, incrSeq int64 // the numbers used last
}

// ManifestError is what is wrong with a manifest. Line and Text are zero when no
// single line is to blame.
type ManifestError struct {
	What string // in Redis' words
	Line int
	Text string
}

func (e *ManifestError) Error() string {
	const advice = ": restore the file, or correct it by hand from the names of the files beside it"
	if e.Text == "" {
		return "AOF manifest: " + e.What + advice
	}
	return fmt.Sprintf("AOF manifest, line %d (%s): %s%s", e.Line, e.Text, e.What, advice)
}

// What can be wrong with a manifest.
const (
	errManifestFormat    = "Invalid AOF manifest file format"
	errManifestEmpty     = "Found an empty AOF manifest"
	errManifestLongLine  = "The AOF manifest file contains too long line"
	errManifestPath      = "File can't be a path, just a filename"
	errManifestTwoBases  = "Found duplicate base file information"
	errManifestSequence  = "Found a non-monotonic sequence number"
	errManifestType      = "Unknown AOF file type"
	manifestLineMax      = 1024
	manifestLineSpaces   = " \t\r\n"
	manifestWordsAtLeast = 6 // more, in pairs, are for versions to come
)

// ParseManifest reads a manifest. The error is a *ManifestError.
func ParseManifest(content []byte) (*Manifest, error) {
	m := &Manifest{}
	if len(content) == 0 {
		return nil, &ManifestError{What: errManifestEmpty}
	}
	for number := 1; len(content) > 0; number++ {
		var line []byte
		line, content = cutLine(content)
		if line[0] == '#' {
			continue
		}
		if line[len(line)-1] != '\n' {
			return nil, &ManifestError{What: errManifestLongLine}
		}
		line = bytes.Trim(line, manifestLineSpaces)
		if what := m.addLine(line); what != "" {
			return nil, &ManifestError{What: what, Line: number, Text: string(line)}
		}
	}
	return m, nil
}

// cutLine takes a line with its end, or as much of it as may stand in one.
func cutLine(content []byte) (line, rest []byte) {
	n := min(len(content), manifestLineMax)
	if end := bytes.IndexByte(content[:n], '\n'); end >= 0 {
		n = end + 1
	}
	return content[:n], content[n:]
}

// addLine takes up one line; the result says what is wrong with it.
func (m *Manifest) addLine(line []byte) (wrong string) {
	words, ok := text.SplitArgs(line)
	if !ok || len(words) < manifestWordsAtLeast || len(words)%2 != 0 {
		return errManifestFormat
	}
	var f FileInfo
	named := false
	for i := 0; i < len(words); i += 2 {
		value := string(words[i+1])
		switch {
		case text.EqualFold(words[i], "file"):
			if strings.ContainsAny(value, `/\`) {
				return errManifestPath
			}
			f.Name, named = value, true
		case text.EqualFold(words[i], "seq"):
			f.Seq = leadingInt(value)
		case text.EqualFold(words[i], "type") && value != "":
			f.Type = FileType(value[0])
		}
	}
	if !named || f.Seq == 0 || f.Type == 0 {
		return errManifestFormat
	}
	return m.add(f)
}

func (m *Manifest) add(f FileInfo) (wrong string) {
	switch f.Type {
	case Base:
		if m.Base != nil {
			return errManifestTwoBases
		}
		m.Base, m.baseSeq = &f, f.Seq
	case History:
		m.History = append(m.History, f)
	case Incr:
		if f.Seq <= m.incrSeq {
			return errManifestSequence
		}
		m.Incr, m.incrSeq = append(m.Incr, f), f.Seq
	default:
		return errManifestType
	}
	return ""
}

// leadingInt is the number that a word begins with, 0 if none.
func leadingInt(word string) int64 {
	end := 0
	for end < len(word) && (word[end]-'0' < 10 || end == 0 && (word[0] == '-' || word[0] == '+')) {
		end++
	}
	n, _ := strconv.ParseInt(word[:end], 10, 64) // at the ends of the range, the nearest
	return n
}

// AppendText appends the manifest as it stands in its file.
func (m *Manifest) AppendText(dst []byte) []byte {
	if m.Base != nil {
		dst = m.Base.appendLine(dst)
	}
	for _, f := range m.History {
		dst = f.appendLine(dst)
	}
	for _, f := range m.Incr {
		dst = f.appendLine(dst)
	}
	return dst
}

func (f *FileInfo) appendLine(dst []byte) []byte {
	dst = append(dst, "file "...)
	if text.NeedsQuote(f.Name) || f.Name == "" {
		dst = text.AppendQuote(dst, f.Name)
	} else {
		dst = append(dst, f.Name...)
	}
	return fmt.Appendf(dst, " seq %d type %c\n", f.Seq, f.Type)
}

// clone is a copy to be changed; it takes the place of the original once it is
// on disk.
func (m *Manifest) clone() *Manifest {
	c := *m
	c.History, c.Incr = slices.Clone(m.History), slices.Clone(m.Incr)
	return &c
}

// live is the files to load, in order.
func (m *Manifest) live() []FileInfo {
	if m.Base == nil {
		return slices.Clone(m.Incr)
	}
	return append([]FileInfo{*m.Base}, m.Incr...)
}

// names is a test for the names that the manifest has.
func (m *Manifest) names() map[string]bool {
	names := map[string]bool{}
	for _, f := range append(m.live(), m.History...) {
		names[f.Name] = true
	}
	return names
}

// addBase makes a base of the next number; the former one becomes history. taken
// tells which names are in use though the manifest does not have them.
func (m *Manifest) addBase(name string, rdb bool, taken func(name string) bool) FileInfo {
	if m.Base != nil {
		old := *m.Base
		old.Type = History
		m.History = slices.Insert(m.History, 0, old)
	}
	f := FileInfo{Type: Base}
	for f.Name == "" || taken(f.Name) {
		m.baseSeq++
		f.Seq = m.baseSeq
		f.Name = BaseName(name, f.Seq, rdb)
	}
	m.Base = &f
	return f
}

// addIncr makes an incr file of the next number.
func (m *Manifest) addIncr(name string, taken func(name string) bool) FileInfo {
	f := FileInfo{Type: Incr}
	for f.Name == "" || taken(f.Name) {
		m.incrSeq++
		f.Seq = m.incrSeq
		f.Name = IncrName(name, f.Seq)
	}
	m.Incr = append(m.Incr, f)
	return f
}

// retireIncr makes history of the incr files before a sequence number.
func (m *Manifest) retireIncr(before int64) {
	keep := 0
	for keep < len(m.Incr) && m.Incr[keep].Seq < before {
		keep++
	}
	gone := slices.Clone(m.Incr[:keep])
	for i := range gone {
		gone[i].Type = History
	}
	m.History = append(gone, m.History...)
	m.Incr = slices.Clone(m.Incr[keep:])
}

// The names of files, from `appendfilename`.

// BaseName is the name of a base file.
func BaseName(name string, seq int64, rdb bool) string {
	if rdb {
		return fmt.Sprintf("%s.%d.base.rdb", name, seq)
	}
	return fmt.Sprintf("%s.%d.base.aof", name, seq)
}

// IncrName is the name of an incr file.
func IncrName(name string, seq int64) string { return fmt.Sprintf("%s.%d.incr.aof", name, seq) }

// ManifestName is the name of the manifest.
func ManifestName(name string) string { return name + ".manifest" }

// ManifestIn finds the one manifest of a folder, for tools that were given the folder.
func ManifestIn(files env.FS, folder string) (path string, err error) {
	list, err := files.ReadDir(folder)
	if err != nil {
		return "", err
	}
	var found []string
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ManifestName("")) {
			found = append(found, filepath.Join(folder, e.Name()))
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("the folder %s should have one manifest of an append only file, and has %d: give the name of a manifest or of a file", folder, len(found))
	}
	return found[0], nil
}

// What is under way has a name that begins with tempPrefix; nothing that does is
// of use after a restart.
const tempPrefix = "temp-"
