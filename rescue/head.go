package rescue

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dozo/aof"
	"dozo/env"
)

const (
	prefix   = "rescue-"
	suffix   = ".aof"
	timeForm = "20060102T150405.000Z"
	magic    = "#dozo-rescue: 1"
	// lineMax is the longest line of a head: an annotation of an append only file.
	lineMax = 1023
)

// Head is what a file says of itself before its commands.
type Head struct {
	Time    time.Time // when it was written
	History string    // the name of the history that the bytes are of
	From,   // where they begin in it
	To uint64
	// Fork is the offset up to which the new primary has the history; false in Known says
	// that nobody knows, so that the primary may have some or all of it.
	Fork  uint64
	Known bool
	// Missing is how many bytes behind Fork the log had no longer.
	Missing uint64
	Primary string // the address of the new primary, and the position of its snapshot
	Taken   string
}

// ErrNoRescue is the error for files of another kind.
var ErrNoRescue = errors.New("it is no rescue file: its first line is not " + magic)

// append writes the head as annotations.
func (h *Head) append(b []byte) []byte {
	fork := "unknown"
	if h.Known {
		fork = strconv.FormatUint(h.Fork, 10)
	}
	b = append(b, magic+"\r\n"...)
	for _, line := range [][2]string{
		{"time", h.Time.UTC().Format(time.RFC3339Nano)},
		{"history", h.History},
		{"bytes", fmt.Sprintf("%d-%d", h.From, h.To)},
		{"fork", fork},
		{"missing", strconv.FormatUint(h.Missing, 10)},
		{"primary", h.Primary},
		{"primary-history", h.Taken},
	} {
		b = fmt.Appendf(b, "#%s: %s\r\n", line[0], line[1])
	}
	return b
}

// readHead reads the annotations that a file begins with.
func readHead(r *bufio.Reader) (h Head, err error) {
	for first := true; ; first = false {
		if next, err := r.Peek(1); !first && (err != nil || next[0] != '#') {
			return h, nil
		}
		line, err := r.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case first && text != magic:
			return h, ErrNoRescue
		case err != nil || len(line) > lineMax:
			return h, fmt.Errorf("the head of the rescue file breaks off at %q", text[:min(len(text), 40)])
		}
		name, value, _ := strings.Cut(strings.TrimPrefix(text, "#"), ": ")
		if err := h.set(name, value); err != nil {
			return h, fmt.Errorf("the rescue file's head has a bad %s: %w", name, err)
		}
	}
}

// set takes one line. Names that are not known are of later versions.
func (h *Head) set(name, value string) (err error) {
	switch name {
	case "time":
		h.Time, err = time.Parse(time.RFC3339Nano, value)
	case "history":
		h.History = value
	case "bytes":
		from, to, _ := strings.Cut(value, "-")
		if h.From, err = strconv.ParseUint(from, 10, 64); err == nil {
			h.To, err = strconv.ParseUint(to, 10, 64)
		}
	case "fork":
		if h.Known = value != "unknown"; h.Known {
			h.Fork, err = strconv.ParseUint(value, 10, 64)
		}
	case "missing":
		h.Missing, err = strconv.ParseUint(value, 10, 64)
	case "primary":
		h.Primary = value
	case "primary-history":
		h.Taken = value
	}
	return err
}

// File is a rescue file.
type File struct {
	Head
	Name string // without the folder
	Size int64
	// Commands and Keys are known to who has written or read it.
	Commands, Keys int
}

// Is tells whether a name is that of a rescue file.
func Is(name string) bool { return strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) }

// List is what lies in a folder, the oldest first. What cannot be read is left out: faults
// tells why.
func List(files env.FS, dir string) (list []File, faults []error, err error) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries { // sorted by name, which is by time
		if !Is(e.Name()) || e.IsDir() {
			continue
		}
		f, err := look(files, filepath.Join(dir, e.Name()))
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", e.Name(), err))
			continue
		}
		list = append(list, f)
	}
	return list, faults, nil
}

func look(files env.FS, path string) (File, error) {
	r, err := Open(files, path)
	if err != nil {
		return File{}, err
	}
	return r.File, r.Close()
}

// Reader reads a file's commands (aof.Reader).
type Reader struct {
	File
	*aof.Reader
	file env.File
}

// Open reads the head of a file.
func Open(files env.FS, path string) (*Reader, error) {
	f, err := files.OpenFile(path, env.ReadOnly, 0)
	if err != nil {
		return nil, err
	}
	r := &Reader{File: File{Name: filepath.Base(path)}, file: f}
	if r.Head, err = readHead(bufio.NewReader(f)); err == nil {
		r.Size, err = f.Seek(0, io.SeekEnd)
	}
	if err != nil {
		_ = f.Close() // it was only read
		return nil, err
	}
	r.Reader = aof.NewReader(path, f, 0, r.Size)
	return r, nil
}

// Close ends the reading.
func (r *Reader) Close() error { return r.file.Close() }
