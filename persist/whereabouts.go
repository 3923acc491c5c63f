package persist

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"dozo/aof"
	"dozo/env"
	"dozo/grouptime"
	"dozo/rdb"
	"dozo/replication"
	"dozo/server"
	"dozo/text"
)

// Where in which history the data of an append only file ends.
//
// The file has the log byte for byte, from a base on that was taken at an offset of it, and
// says at the places where a history begins which one it is (aof/history.go). So whoever
// reads all of it knows where it ends, wherever that is: a process that was killed leaves a
// file that is shorter than the log was, and a machine that has failed one that is shorter
// still, but what is there is a beginning of the history. That the end is missing is no
// untruth for a replica, which asks for what follows; and a primary goes on under a new name
// (server/standing.go), so that what is missing here and is known elsewhere is never taken
// for what is written from now on.
//
// A position is lost, and found again at the next annotation, where something stands that
// the log had not: commands of a file without an annotation before them (of a genuine server,
// which has rewritten or begun it; of a run that knew of no history), or in a base behind its
// snapshot. What a genuine server, or somebody by hand, has appended to a file of ours is not
// seen here. It makes the position a wrong one, which is why replicas prove what they have
// (replication/proof.go).

// whereabouts follows the position through a load.
type whereabouts struct {
	known  bool
	info   rdb.ReplicationInfo // but for DB and Offset
	at     uint64              // if known
	silent bool                // nothing was said in this file yet
	parts  []*aof.Part         // that were begun
	marks  []waymark           // a row without a gap up to at
	db     int                 // in force there
}

// waymark is a place between two units: in the parts, and in the log.
type waymark struct {
	part   int
	offset int64
	at     uint64
	db     int
}

// waymarkStep is how many bytes of the log are between two of them, at least.
const waymarkStep = 64 << 10

// historyText is what the file is told of a history, empty if it is not known.
func historyText(r *rdb.ReplicationInfo) string {
	if r == nil {
		return ""
	}
	primary := r.Primary
	if primary == "" || strings.ContainsAny(primary, " \r\n") {
		primary = "-"
	}
	return fmt.Sprintf("%s %s %d", r.Lineage, primary, r.Time)
}

// parseHistory reads historyText, nil if that is not known.
func parseHistory(s string) *rdb.ReplicationInfo {
	words := strings.Split(s, " ")
	if len(words) < 3 { // versions to come may say more
		return nil
	}
	l, err := replication.ParseLineage(words[0])
	ms, err2 := strconv.ParseInt(words[2], 10, 64)
	if err != nil || err2 != nil {
		return nil
	}
	return &rdb.ReplicationInfo{ID: l.ID(), Lineage: words[0], Primary: strings.TrimPrefix(words[1], "-"), Time: ms}
}

// begin is called at each part.
func (w *whereabouts) begin(p *aof.Part) {
	w.parts = append(w.parts, p)
	w.silent = true
	if p.Type == aof.Base {
		w.known = false
	}
}

// snapshot is what a base in RDB format says of itself.
func (w *whereabouts) snapshot(r *rdb.ReplicationInfo) {
	if r != nil && r.Offset >= 0 && r.ID != "" {
		w.known, w.info, w.at, w.db = true, *r, uint64(r.Offset), max(r.DB, 0)
	}
}

// pass takes a command.
func (w *whereabouts) pass(c *aof.Command) {
	before := w.db
	if n, ok := selected(c); ok {
		w.db = n
	}
	size := uint64(c.End - c.Offset)
	switch h := c.History; {
	case h != nil:
		w.say(h)
		if h.Selects {
			size = 0
		}
	case w.silent:
		w.known = false
	}
	w.silent = false
	if !w.known {
		w.marks = nil
		return
	}
	if n := len(w.marks); size > 0 && (!c.InUnit || isMulti(c)) && (n == 0 || w.at-w.marks[n-1].at >= waymarkStep) {
		w.marks = append(w.marks, waymark{len(w.parts) - 1, c.Offset, w.at, before})
	}
	w.at += size
	if ms, ok := grouptime.ParseStamp(c.Args); ok {
		w.info.Time = ms
	}
}

func isMulti(c *aof.Command) bool { return text.EqualFold(c.Args[0], "multi") }

// say takes what an annotation says.
func (w *whereabouts) say(h *aof.HistoryNote) {
	r := parseHistory(h.Text)
	if r == nil {
		w.known = false
		return
	}
	if !w.known || w.at != h.At {
		w.marks = nil
	}
	w.known, w.info, w.at = true, *r, h.At
}

// end is where the data stands, nil if that is not known.
func (w *whereabouts) end() *rdb.ReplicationInfo {
	if !w.known {
		return nil
	}
	r := w.info
	r.DB, r.Offset = w.db, int64(w.at)
	return &r
}

// tail reads the end of the log back from the parts, no more than so many bytes: replicas
// that had less than this file can go on here then, and what has to be rescued is at hand.
// Without it they get a snapshot; so an error is none.
func (w *whereabouts) tail(fs env.FS, most uint64) *server.LogTail {
	i := slices.IndexFunc(w.marks, func(m waymark) bool { return w.at-m.at <= most })
	if !w.known || i < 0 || most == 0 {
		return nil
	}
	from := w.marks[i]
	t := &server.LogTail{From: from.at, DB: from.db}
	r := tailReader{tail: t, db: from.db}
	for n := from.part; n < len(w.parts); n++ {
		offset := int64(0)
		if n == from.part {
			offset = from.offset
		}
		if r.part(fs, w.parts[n], offset) != nil {
			return nil
		}
	}
	if from.at+r.bytes != w.at {
		return nil
	}
	return t
}

// tailReader gathers bytes of the log from files.
type tailReader struct {
	tail  *server.LogTail
	db    int
	bytes uint64

	file       env.File
	begin, end int64 // of a row of commands in file that is not read yet
}

// part reads one file from an offset on.
func (r *tailReader) part(fs env.FS, p *aof.Part, offset int64) (err error) {
	if r.file, err = fs.OpenFile(p.Path, env.ReadOnly, 0); err != nil {
		return err
	}
	defer r.file.Close()
	r.begin, r.end = offset, offset
	for in := aof.NewReader(p.Name, r.file, offset, p.Size); ; {
		c, err := in.Next()
		if err == io.EOF {
			return r.take()
		}
		if err == nil {
			err = r.command(&c)
		}
		if err != nil {
			return err
		}
	}
}

// pieceMax is how many bytes are read at a time, about.
const pieceMax = 1 << 20

func (r *tailReader) command(c *aof.Command) error {
	db, selects := selected(c)
	ours := c.History != nil && c.History.Selects
	if c.Offset != r.end || selects || r.end-r.begin >= pieceMax {
		if err := r.take(); err != nil {
			return err
		}
		r.begin = c.Offset
	}
	if r.end = c.End; selects {
		r.db = db
	}
	if ours {
		r.begin = r.end
	}
	return nil
}

// selected is the database that a command selects, if it does.
func selected(c *aof.Command) (db int, ok bool) {
	if len(c.Args) != 2 || !text.EqualFold(c.Args[0], "select") {
		return 0, false
	}
	n, ok := text.ParseInt(c.Args[1])
	return int(n), ok
}

// take reads the row.
func (r *tailReader) take() error {
	if r.end == r.begin {
		return nil
	}
	b := make([]byte, r.end-r.begin)
	if _, err := r.file.ReadAt(b, r.begin); err != nil {
		return err
	}
	r.tail.Pieces = append(r.tail.Pieces, server.LogPiece{Bytes: b, DB: r.db})
	r.bytes += uint64(len(b))
	r.begin = r.end
	return nil
}
