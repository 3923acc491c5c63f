package check

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"dozo/aof"
	"dozo/arena"
	"dozo/env"
)

// AOF checks an append only file, or all files of a manifest. It prints what
// redis-check-aof prints, and then what the commands are; the result is the exit
// status. in is asked before a file is cut. args are those behind the program's name:
//
//	[--fix | --truncate-to-timestamp SECONDS] FILE|MANIFEST
func AOF(args []string, e *env.Env, in io.Reader, out io.Writer) (status int) {
	w := bufio.NewWriter(out)
	defer w.Flush()
	c := &aofCheck{fs: e.FS, clock: e.Clock, in: bufio.NewReader(in), out: w, stats: newAOFStats()}
	path, err := c.parse(args)
	if err == errUsage {
		c.printf("Usage: redis-check-aof [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>\n")
		return 1
	}
	if err == nil {
		err = c.check(path)
	}
	if err != nil {
		c.printf("%v\n", err)
		return 1
	}
	c.stats.print(w)
	return 0
}

var errUsage = errors.New("usage")

// lastLine is an error whose text is the last line of the output, as
// redis-check-aof has it.
func lastLine(format string, args ...any) error { return outputLine(fmt.Sprintf(format, args...)) }

type outputLine string

func (l outputLine) Error() string { return string(l) }

// aofCheck is one run. Its methods give errors whose text is the last line of
// the output.
type aofCheck struct {
	fs    env.FS
	clock env.Clock
	in    *bufio.Reader
	out   *bufio.Writer
	fix   bool
	until int64 // seconds; 0 is no limit
	lines int64 // of all files so far, as the original counts them
	stats *aofStats
}

// verdict is what a file turned out to be, without an error.
type verdict int

const (
	fileValid verdict = iota
	fileEmpty
	fileTruncated
	fileTruncatedToTime
)

func (c *aofCheck) printf(format string, args ...any) { fmt.Fprintf(c.out, format, args...) }

func (c *aofCheck) parse(args []string) (path string, err error) {
	switch {
	case len(args) == 1:
	case len(args) == 2 && args[0] == "--fix":
		c.fix = true
	case len(args) == 3 && args[0] == "--truncate-to-timestamp":
		c.until, err = strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return "", lastLine("Invalid timestamp, aborting...")
		}
	default:
		return "", errUsage
	}
	return args[len(args)-1], nil
}

// check finds out what kind of file it is.
func (c *aofCheck) check(path string) error {
	if info, err := c.fs.Stat(path); err == nil && info.IsDir() {
		manifest, err := aof.ManifestIn(c.fs, path)
		if err != nil {
			return lastLine("%v", err)
		}
		return c.set(manifest)
	}
	manifest, err := c.isManifest(path)
	if err != nil {
		return lastLine("Cannot open file %s: %s", path, reason(err))
	}
	if manifest {
		return c.set(path)
	}
	preamble, err := c.isRDB(path)
	if err != nil {
		return err
	}
	c.printf("Start checking Old-Style AOF\n")
	return c.file("AOF", path, path, true, preamble)
}

// isManifest looks at the first line that is no comment.
func (c *aofCheck) isManifest(path string) (bool, error) {
	f, err := c.fs.OpenFile(path, env.ReadOnly, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		first, err := lines.Peek(4)
		if len(first) == 0 || first[0] != '#' {
			return string(first) == "file", ignoreEOF(err)
		}
		if _, err := lines.ReadSlice('\n'); err != nil && err != bufio.ErrBufferFull {
			return false, ignoreEOF(err)
		}
	}
}

func ignoreEOF(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// isRDB tells whether a file begins with a snapshot.
func (c *aofCheck) isRDB(path string) (bool, error) {
	f, err := c.fs.OpenFile(path, env.ReadOnly, 0)
	if err != nil {
		return false, lastLine("Cannot open file %s: %s", path, reason(err))
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size < 8 {
		return false, err
	}
	return aof.BeginsWithRDB(f)
}

// set checks the files of a manifest.
func (c *aofCheck) set(path string) error {
	c.printf("Start checking Multi Part AOF\n")
	content, err := c.fs.ReadFile(path)
	if err != nil {
		return err
	}
	m, err := aof.ParseManifest(content)
	if err != nil {
		return c.manifestError(err)
	}
	left := len(m.Incr)
	if m.Base != nil {
		path := filepath.Dir(path) + "/" + m.Base.Name
		preamble, err := c.isRDB(path)
		if err != nil {
			return err
		}
		c.printf("Start to check BASE AOF (%s format).\n", map[bool]string{true: "RDB", false: "RESP"}[preamble])
		if err := c.file("BASE AOF", m.Base.Name, path, left == 0, preamble); err != nil {
			return err
		}
	}
	if left > 0 {
		c.printf("Start to check INCR files.\n")
	}
	for i, f := range m.Incr {
		if err := c.file("INCR AOF", f.Name, filepath.Dir(path)+"/"+f.Name, i == left-1, false); err != nil {
			return err
		}
	}
	c.printf("All AOF files and manifest are valid\n")
	return nil
}

func (c *aofCheck) manifestError(err error) error {
	var m *aof.ManifestError
	if !errors.As(err, &m) {
		return err
	}
	c.printf("\n*** FATAL AOF MANIFEST FILE ERROR ***\n\n")
	if m.Text != "" {
		c.printf("Reading the manifest file, at line %d\n>>> '%s'\n", m.Line, m.Text)
	}
	return lastLine("%s", m.What)
}

// file checks one file and prints the verdict.
func (c *aofCheck) file(kind, name, path string, last, preamble bool) error {
	v, err := c.single(name, path, last, preamble)
	switch {
	case err != nil:
		return err
	case v == fileEmpty:
		c.printf("%s %s is empty\n", kind, name)
	case v == fileTruncated:
		c.printf("Successfully truncated AOF %s\n", name)
	case v == fileTruncatedToTime:
		c.printf("Successfully truncated AOF %s to timestamp %d\n", name, c.until)
	default:
		c.printf("%s %s is valid\n", kind, name)
	}
	return nil
}

func (c *aofCheck) single(name, path string, last, preamble bool) (verdict, error) {
	f, err := c.fs.OpenFile(path, env.ReadOnly, 0)
	if err != nil {
		return 0, lastLine("Cannot open file %s: %s, aborting...", path, reason(err))
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size == 0 {
		return fileEmpty, err
	}
	from := int64(0)
	if preamble {
		if from, err = c.preamble(f, name, size); err != nil {
			return 0, err
		}
	}
	r := aof.NewReader(path, f, from, size)
	r.Until = c.until
	upTo, err := c.read(r, name)
	c.lines += r.Lines()
	if err == aof.ErrTimeReached {
		return fileTruncatedToTime, c.cutAtTime(name, path, r.Offset(), last)
	}
	if err != nil {
		return 0, err
	}
	if upTo == size && c.until != 0 {
		c.printf("Truncate nothing in AOF %s to timestamp %d\n", name, c.until)
		return fileValid, nil
	}
	c.printf("AOF analyzed: filename=%s, size=%d, ok_up_to=%d, ok_up_to_line=%d, diff=%d\n", name, size, upTo, c.lines+1, size-upTo)
	if upTo == size {
		return fileValid, nil
	}
	return fileTruncated, c.repair(name, path, size, upTo, last)
}

// preamble reads the snapshot that a file begins with.
func (c *aofCheck) preamble(f env.File, name string, size int64) (end int64, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	a, err := arena.New(arena.Options{})
	if err != nil {
		return 0, err
	}
	defer a.Close()
	r := &rdbCheck{out: c.out, nowMs: c.clock.Wall().Milliseconds(), stats: newRDBStats()}
	if err := r.read(f, name, size, a.NewHeap()); err != nil {
		r.bad(err)
		return 0, lastLine("RDB preamble of AOF file is not sane, aborting.")
	}
	end = r.r.Offset()
	r.good(end)
	c.printf("RDB preamble is OK, proceeding with AOF tail...\n")
	return end, nil
}

// read reads to the end, or to where the file stops making sense, and prints
// what is wrong there.
func (c *aofCheck) read(r *aof.Reader, name string) (upTo int64, err error) {
	for {
		cmd, err := r.Next()
		var torn *aof.TornError
		var bad *aof.FormatError
		switch {
		case err == nil:
			c.stats.add(&cmd)
			continue
		case err == io.EOF:
			return r.Offset(), nil
		case errors.As(err, &torn):
			c.complain(torn.At, torn.Detail, name)
			return torn.Offset, nil
		case errors.As(err, &bad) && c.until != 0 && bad.Detail == "Invalid timestamp annotation":
			return 0, lastLine("%s", bad.Detail)
		case errors.As(err, &bad):
			c.complain(bad.At, bad.Detail, name)
			return bad.UpTo, nil
		}
		return 0, err
	}
}

// complain prints what is wrong in redis-check-aof's way.
func (c *aofCheck) complain(at int64, detail, name string) {
	switch {
	case detail == "":
	case strings.HasPrefix(detail, "Expected prefix '*'"):
		c.printf("AOF %s format error\n", name)
	default:
		c.printf("0x%16x: %s\n", at, detail)
	}
}

// cutAtTime cuts a file where a later time than asked for begins.
func (c *aofCheck) cutAtTime(name, path string, at int64, last bool) error {
	switch {
	case at == 0:
		return lastLine("AOF %s has nothing before timestamp %d, aborting...", path, c.until)
	case !last:
		c.printf("Failed to truncate AOF %s to timestamp %d to offset %d because it is not the last file.\n", path, c.until, at)
		return lastLine("If you insist, please delete all files after this file according to the manifest file and delete the corresponding records in manifest file manually. Then re-run redis-check-aof.")
	}
	if err := c.truncate(path, at); err != nil {
		return lastLine("Failed to truncate AOF %s to timestamp %d: %s", path, c.until, reason(err))
	}
	return nil
}

// repair cuts a file where its whole commands end, if that was asked for and is
// confirmed.
func (c *aofCheck) repair(name, path string, size, upTo int64, last bool) error {
	switch {
	case !c.fix:
		return lastLine("AOF %s is not valid. Use the --fix option to try fixing it.", name)
	case !last:
		return lastLine("Failed to truncate AOF %s because it is not the last file", name)
	}
	c.printf("This will shrink the AOF %s from %d bytes, with %d bytes, to %d bytes\n", name, size, size-upTo, upTo)
	c.printf("Continue? [y/N]: ")
	if err := c.out.Flush(); err != nil {
		return err
	}
	answer, _ := c.in.ReadString('\n')
	if !strings.HasPrefix(strings.ToLower(answer), "y") {
		return lastLine("Aborting...")
	}
	if err := c.truncate(path, upTo); err != nil {
		return lastLine("Failed to truncate AOF %s: %s", name, reason(err))
	}
	return nil
}

// truncate cuts a file, durably.
func (c *aofCheck) truncate(path string, size int64) error {
	f, err := c.fs.OpenFile(path, env.Append, 0)
	if err != nil {
		return err
	}
	if err = f.Truncate(size); err == nil {
		err = f.Sync()
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// reason is the system's text of an error, as C prints it.
func reason(err error) string {
	var p *fs.PathError
	text := err.Error()
	if errors.As(err, &p) {
		text = p.Err.Error()
	}
	return strings.ToUpper(text[:1]) + text[1:]
}
