package aof

import (
	"strconv"
	"strings"
	"sync"
)

// Which history the bytes of a file are of.
//
// Whoever keeps a history that others follow says so (Writer.NoteHistory), and the file has
// it in an annotation at the place where it begins to hold: what it is, and the offset of the
// log there. What stands behind the annotation is the log, byte for byte, but for other
// annotations and for gaps; so a file that ends anywhere, since the process was killed there, or the disk
// has kept no more, tells by itself how much of which history it has. Versions of Redis from
// 7.0 on skip these lines.
//
// What the log leaves out of files (oplog.LeftOut) is a gap, behind which the annotation is
// repeated.
//
// The annotation comes with the first byte behind its place, never alone: a file without a
// command stays empty.

// historyMark begins an annotation of a history.
const historyMark = "#DOZO:"

// HistoryNote is what such an annotation says.
type HistoryNote struct {
	// Text is what NoteHistory was given; "" = from here on nobody knows.
	Text string
	// At is the offset in the log.
	At uint64
	// Selects says that the command behind it is a SELECT that the log has not, since the
	// file begins there, or was gone on with.
	Selects bool
}

// append appends the annotation.
func (h *HistoryNote) append(dst []byte) []byte {
	dst = append(dst, historyMark...)
	dst = strconv.AppendUint(dst, h.At, 10)
	dst = append(dst, ' ')
	dst = strconv.AppendBool(dst, h.Selects)
	return append(append(append(dst, ' '), h.Text...), '\r', '\n')
}

// parseHistory reads an annotation, nil if it is another one. One that makes no sense says
// that nobody knows.
func parseHistory(line []byte) *HistoryNote {
	text, ok := strings.CutPrefix(string(line), historyMark)
	if !ok {
		return nil
	}
	at, rest, _ := strings.Cut(text, " ")
	selects, text, _ := strings.Cut(rest, " ")
	offset, err := strconv.ParseUint(at, 10, 63)
	s, err2 := strconv.ParseBool(selects)
	text, ok = strings.CutSuffix(text, "\r\n")
	if err != nil || err2 != nil || !ok {
		return &HistoryNote{}
	}
	return &HistoryNote{Text: text, At: offset, Selects: s}
}

// historyMax is the longest text of a history, so that its line is an annotation for all who
// read it.
const historyMax = annotationMax - 64

// notes are the histories by the offset at which they begin. What was noted last holds until
// the next.
type notes struct {
	mu   sync.Mutex
	list []HistoryNote
}

func (n *notes) add(at uint64, text string, always bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(text) > historyMax {
		text = ""
	}
	for len(n.list) > 0 && n.list[len(n.list)-1].At >= at { // of another history, or overtaken
		n.list = n.list[:len(n.list)-1]
	}
	last := len(n.list) - 1
	if last < 0 && text == "" && !always || last >= 0 && n.list[last].Text == text {
		return
	}
	n.list = append(n.list, HistoryNote{Text: text, At: at})
}

// at is what holds at an offset, with where it began, and the offset of the next one; false
// if nothing was ever said.
func (n *notes) at(offset uint64) (h HistoryNote, next uint64, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	next = ^uint64(0)
	for _, one := range n.list {
		if one.At > offset {
			return h, one.At, ok
		}
		h, ok = one, true
	}
	return h, next, ok
}

// drop forgets what is over before an offset.
func (n *notes) drop(offset uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for len(n.list) > 1 && n.list[1].At <= offset {
		n.list = n.list[1:]
	}
}

// NoteHistory says which history what is appended to the log from now on is of, as a text
// without line ends; "" = nobody knows. It must be called while nobody appends.
func (w *Writer) NoteHistory(text string) {
	w.notes.add(w.Log.Offset(), text, w.Store.annotated)
}

// annotate writes what is to be known of the history where the stream stands, and gives the
// offset up to which that holds. gap says that bytes of the log were left out before.
func (w *Writer) annotate(s *stream, gap bool) (upto uint64, err error) {
	pos := s.read.Pos()
	h, upto, ok := w.notes.at(pos)
	begins := pos == s.start
	switch {
	case !ok, h.At != pos && !begins && !gap:
		return upto, nil
	case begins && s.size == 0 && h.Text == "":
		return upto, nil // nothing was claimed in this file
	}
	h.At, h.Selects = pos, begins && s.selects()
	return upto, s.put(h.append(nil))
}
