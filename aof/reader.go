package aof

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"

	"dozo/text"
)

// Command is one command of a file.
type Command struct {
	// Args are valid until the next call of Reader.Next.
	Args [][]byte
	// Offset and End are where it stands in the file.
	Offset, End int64
	// InUnit is true from MULTI to EXEC, both included.
	InUnit bool
	// Time is the latest #TS annotation before it, in seconds since the epoch;
	// 0 if there was none.
	Time int64
	// History is the annotation of a history that stands right before it, nil if none.
	History *HistoryNote
}

// TornError says that the file ends within a command or a unit: what a crash
// leaves. Everything before Offset is whole.
type TornError struct {
	File         string
	Offset, Size int64
	// Command is the name of the command, or MULTI for a unit, that is lost,
	// empty if not even its name is there.
	Command string
	// At and Detail are where and how the file breaks off, in the words of
	// redis-check-aof. Detail may be empty.
	At     int64
	Detail string
}

func (e *TornError) Error() string {
	return "Unexpected end of file reading the append only file: " + e.What() + ". You can: " +
		"1) Make a backup of your AOF file, then use dozo check aof --fix <filename.manifest>. " +
		"2) Alternatively you can set the 'aof-load-truncated' configuration option to yes and restart the server"
}

// What is what has been found, without what can be done.
func (e *TornError) What() string {
	what := "a command"
	if e.Command != "" {
		what = "the command " + text.Quote(e.Command)
	}
	return fmt.Sprintf("the AOF file %s ends in the middle of %s: of its %d bytes the last %d, from offset %d on, cannot be used",
		e.File, what, e.Size, e.Size-e.Offset, e.Offset)
}

// FormatError says that the file has something in it that is no command.
type FormatError struct {
	File string
	// UpTo is where the last whole command or unit before it ends.
	UpTo int64
	// At and Detail are where and what, in the words of redis-check-aof.
	At     int64
	Detail string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("Bad file format reading the append only file %s at offset %d (%s; commands are whole up to offset %d): "+
		"make a backup of your AOF file, then use dozo check aof --fix <filename.manifest>", e.File, e.At, e.Detail, e.UpTo)
}

// ErrTimeReached is what Next gives at the first annotation later than Until.
var ErrTimeReached = errors.New("aof: the time to read up to is reached")

const (
	readSize      = 256 << 10
	annotationMax = 1024 // bytes of a line, as in Redis
	headerMax     = 32   // bytes of a line with a count or a length
	unlimited     = int64(1) << 62
)

// Reader takes the commands out of one file, in order. A unit is given out only
// after its EXEC has been seen, so what it gives is always whole.
//
// Memory: one buffer, which grows to the longest command of the file, never to
// a length that is only announced.
type Reader struct {
	// Until ends the reading with ErrTimeReached at the first annotation of a
	// later time, where Offset then is; 0 is never. Annotations that are no time
	// are ignored only without it.
	Until int64

	name string
	file io.ReaderAt
	size int64

	buf  []byte
	from int64 // file offset of buf[0]
	pos  int   // next byte to look at, in buf

	args    [][]byte
	inUnit  bool
	start   int64 // of the command or unit under way
	unitEnd int64 // EXEC was seen to end here; 0 if unknown
	last    int64 // the last argument of the latest command
	time    int64
	history *HistoryNote // of the command to come
	lines   int64
}

// NewReader reads a file of so many bytes from an offset on. The name is for
// errors.
func NewReader(name string, file io.ReaderAt, offset, size int64) *Reader {
	return &Reader{name: name, file: file, size: size, from: offset, start: offset}
}

// Offset is where the next command or annotation begins.
func (r *Reader) Offset() int64 { return r.from + int64(r.pos) }

// Whole is where the last whole command or unit that was given out ends.
func (r *Reader) Whole() int64 {
	if r.inUnit {
		return r.start
	}
	return r.Offset()
}

// Lines is how many line ends of the protocol were read, as redis-check-aof
// counts them.
func (r *Reader) Lines() int64 { return r.lines }

// Next is the next command. The error is io.EOF at the end of a whole file,
// *TornError, *FormatError, ErrTimeReached or the disk's.
func (r *Reader) Next() (Command, error) {
	if !r.inUnit {
		r.start = r.Offset()
	}
	c, err := r.command()
	if err != nil {
		return c, err
	}
	name := c.Args[0]
	switch {
	case text.EqualFold(name, "multi"):
		if r.inUnit {
			return c, r.badAt(r.last, "Unexpected MULTI in AOF "+r.name)
		}
		r.start, r.inUnit = c.Offset, true
		if err := r.findExec(); err != nil {
			return c, err
		}
		c.InUnit = true
	case text.EqualFold(name, "exec"):
		if !r.inUnit {
			return c, &FormatError{File: r.name, UpTo: c.Offset, At: r.last, Detail: "Unexpected EXEC in AOF " + r.name}
		}
		c.InUnit, r.inUnit = true, false
	default:
		c.InUnit = r.inUnit
	}
	return c, nil
}

// findExec looks ahead for the end of the unit that MULTI has begun, in what is
// in the buffer first, else in the file with a reader of its own.
func (r *Reader) findExec() error {
	for at := r.pos; ; {
		var p parse
		n := p.command(r.buf[at:], nil)
		if p.need != 0 || p.bad != "" || n == 0 {
			break
		}
		at += n
		if text.EqualFold(p.name, "exec") {
			return nil
		}
	}
	if r.unitEnd > r.Offset() {
		return nil
	}
	ahead := NewReader(r.name, r.file, r.Offset(), r.size)
	ahead.start, ahead.inUnit = r.start, true
	for {
		c, err := ahead.command()
		if err == io.EOF {
			err = &TornError{File: r.name, Offset: r.start, Size: r.size, At: ahead.last}
		}
		if torn, ok := err.(*TornError); ok {
			torn.Command = "MULTI"
			if torn.Detail == "" {
				torn.Detail = "Reached EOF before reading EXEC for MULTI"
			}
		}
		if err != nil {
			r.lines += ahead.lines
			return err
		}
		if text.EqualFold(c.Args[0], "multi") {
			r.lines += ahead.lines
			return r.badAt(ahead.last, "Unexpected MULTI in AOF "+r.name)
		}
		if text.EqualFold(c.Args[0], "exec") {
			r.unitEnd = c.End
			return nil
		}
	}
}

// command is the next command, whatever it is, behind annotations.
func (r *Reader) command() (Command, error) {
	for {
		if r.pos == len(r.buf) {
			if err := r.fill(1); err != nil {
				return Command{}, err
			}
		}
		if r.buf[r.pos] != '#' {
			break
		}
		if err := r.annotation(); err != nil {
			return Command{}, err
		}
	}
	for {
		p := parse{}
		n := p.command(r.buf[r.pos:], &r.args)
		if p.bad != "" {
			return Command{}, r.broken(&p)
		}
		if p.need == 0 {
			c := Command{Args: r.args, Offset: r.Offset(), End: r.Offset() + int64(n), Time: r.time, History: r.history}
			r.history = nil
			r.last = r.Offset() + int64(p.line)
			r.pos += n
			r.lines += p.lines
			return c, nil
		}
		if err := r.fill(p.need); err != nil {
			if err == io.EOF {
				err = r.torn(&p)
			}
			return Command{}, err
		}
	}
}

// fill gets at least need more bytes behind those not yet used; io.EOF if the
// file has no more so many.
func (r *Reader) fill(need int64) error {
	have := len(r.buf) - r.pos
	end := r.Offset() + int64(have)
	left := r.size - end
	if need > left {
		return io.EOF
	}
	want := int(min(left, max(need, readSize, int64(have)))) // to double what is there keeps reparsing linear
	if r.pos+have+want > cap(r.buf) {
		grown := r.buf[:0]
		if have+want > cap(r.buf) {
			grown = make([]byte, 0, have+want)
		}
		r.buf = append(grown, r.buf[r.pos:]...)
	} else {
		r.buf = r.buf[:copy(r.buf, r.buf[r.pos:])]
	}
	r.from, r.pos = end-int64(have), 0
	n, err := r.file.ReadAt(r.buf[have:have+want], end)
	r.buf = r.buf[:have+n]
	if n < want && err == io.EOF {
		return fmt.Errorf("the AOF file %s became shorter while it was read: %w", r.name, io.ErrUnexpectedEOF)
	}
	if n < want {
		return fmt.Errorf("unrecoverable error reading the append only file %s at offset %d: %w", r.name, end+int64(n), err)
	}
	return nil
}

// annotation reads one line that begins with '#'.
func (r *Reader) annotation() error {
	line, err := r.line()
	if err != nil {
		return err
	}
	ts, ok := annotatedTime(line)
	if r.Until != 0 && !ok && bytes.HasPrefix(line, []byte("#TS:")) {
		return r.badAt(r.Offset(), "Invalid timestamp annotation")
	}
	if ok {
		if r.Until != 0 && ts > r.Until {
			return ErrTimeReached
		}
		r.time = ts
	}
	if h := parseHistory(line); h != nil {
		r.history = h
	}
	r.pos += len(line)
	return nil
}

func (r *Reader) line() ([]byte, error) {
	for {
		rest := r.buf[r.pos:]
		for i, c := range rest[:min(len(rest), annotationMax)] {
			if c == '\n' {
				return rest[:i+1], nil
			}
		}
		if zero := bytes.IndexByte(rest, 0); zero >= 0 || len(rest) >= annotationMax {
			return nil, r.broken(&parse{bad: "Expected the end of an annotation", at: max(zero, 0)})
		}
		if err := r.fill(1); err == io.EOF {
			return nil, r.torn(&parse{})
		} else if err != nil {
			return nil, err
		}
	}
}

// annotatedTime reads "#TS:seconds\r\n".
func annotatedTime(line []byte) (seconds int64, ok bool) {
	if len(line) < 7 || string(line[:4]) != "#TS:" || string(line[len(line)-2:]) != "\r\n" {
		return 0, false
	}
	seconds, err := strconv.ParseInt(string(line[4:len(line)-2]), 10, 64)
	return seconds, err == nil
}

func (r *Reader) badAt(at int64, detail string) error {
	return &FormatError{File: r.name, UpTo: r.upTo(), At: at, Detail: detail}
}

// upTo is where the whole commands end when the next one is found to be broken.
func (r *Reader) upTo() int64 {
	if r.inUnit {
		return r.start
	}
	return r.Offset()
}

func (r *Reader) torn(p *parse) error {
	r.lines += p.lines
	return &TornError{File: r.name, Offset: r.upTo(), Size: r.size, Command: string(p.name), At: r.Offset() + int64(p.line), Detail: p.short(len(r.buf) - r.pos)}
}

// broken is the error for bytes that make no command. Zeros to the end of the
// file are what some file systems leave of data that had not reached the disk:
// the file is torn there, not damaged.
func (r *Reader) broken(p *parse) error {
	r.lines += p.lines
	if r.buf[r.pos+p.at] == '\r' {
		p.at++ // the line end was begun
	}
	zeros, err := r.zerosFrom(r.Offset() + int64(p.at))
	if err != nil {
		return err
	}
	at := r.Offset() + int64(p.line)
	if zeros {
		return &TornError{File: r.name, Offset: r.upTo(), Size: r.size, Command: string(p.name), At: at, Detail: p.bad}
	}
	return r.badAt(at, p.bad)
}

func (r *Reader) zerosFrom(at int64) (bool, error) {
	chunk := make([]byte, 64<<10)
	for at < r.size {
		n, err := r.file.ReadAt(chunk[:min(int64(len(chunk)), r.size-at)], at)
		for _, c := range chunk[:n] {
			if c != 0 {
				return false, nil
			}
		}
		if at += int64(n); err != nil && at < r.size {
			return false, err
		}
	}
	return true, nil
}

// parse is one attempt at a command.
type parse struct {
	name  []byte // first argument, once it is there
	line  int    // where the line or argument under way begins
	lines int64  // line ends found
	want  int64  // bytes of the argument under way with its line end; 0 in a line
	need  int64  // bytes that are missing at least
	bad   string // what is wrong, and the first byte that is
	at    int
}

// command parses one command at the start of buf: its length, or need or bad is
// set. The arguments go to args unless it is nil.
func (p *parse) command(buf []byte, args *[][]byte) int {
	count, at := p.header(buf, 0, '*')
	if p.need != 0 || p.bad != "" {
		return 0
	}
	if count == 0 {
		p.bad = "Expected at least one argument"
		return 0
	}
	if args != nil {
		*args = (*args)[:0]
	}
	for i := range count {
		var n int64
		if n, at = p.header(buf, at, '$'); p.need != 0 || p.bad != "" {
			return 0
		}
		arg := p.argument(buf, at, n)
		if arg == nil {
			return 0
		}
		if i == 0 {
			p.name = arg
		}
		if args != nil {
			*args = append(*args, arg)
		}
		at += len(arg) + 2
	}
	return at
}

// header reads a line of a prefix and a number.
func (p *parse) header(buf []byte, at int, prefix byte) (n int64, next int) {
	p.line, p.want = at, 0
	line := buf[at:]
	if len(line) == 0 {
		p.need = 1
		return 0, 0
	}
	if line[0] != prefix {
		p.bad, p.at = fmt.Sprintf("Expected prefix '%c', got: '%c'", prefix, line[0]), at
		return 0, 0
	}
	i := 1
	for i < len(line) && line[i]-'0' < 10 && n < unlimited/16 {
		n = n*10 + int64(line[i]-'0')
		i++
	}
	switch {
	case i < len(line) && (i == 1 || line[i] != '\r'), i+1 < len(line) && line[i+1] != '\n':
		p.bad, p.at = newlineExpected(line[i:]), at+i
	case i+1 >= len(line):
		p.need = int64(i + 2 - len(line))
	default:
		p.lines++
	}
	return n, at + i + 2
}

// argument takes the bytes of one argument; nil if it is not all there.
func (p *parse) argument(buf []byte, at int, n int64) []byte {
	p.line, p.want = at, n+2
	if have := int64(len(buf) - at); have < n+2 {
		p.need = n + 2 - have
		return nil
	}
	end := at + int(n)
	if buf[end] != '\r' || buf[end+1] != '\n' {
		p.bad, p.at = newlineExpected(buf[end:]), end
		return nil
	}
	p.lines++
	return buf[at:end:end]
}

// short says how a command breaks off of which buf has so many bytes.
func (p *parse) short(have int) string {
	switch {
	case p.want != 0:
		return fmt.Sprintf("Expected to read %d bytes, got %d bytes", p.want, have-p.line)
	case have == p.line:
		return ""
	default:
		return newlineExpected(nil)
	}
}

func newlineExpected(got []byte) string {
	var two [2]byte
	copy(two[:], got)
	return fmt.Sprintf("Expected \\r\\n, got: %02x%02x", two[0], two[1])
}
