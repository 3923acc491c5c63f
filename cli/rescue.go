package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"dozo/client"
	"dozo/env"
	"dozo/rescue"
	"dozo/text"
)

// The exit statuses of `dozo rescue`.
const (
	rescueDone    = 0
	rescueFailed  = 1
	rescueRefused = 2 // done, but the server refused some of the commands
)

// KeysOf are the keys that a call names, as parts of args.
type KeysOf func(args [][]byte) [][]byte

// rescueTool is one run of `dozo rescue`.
type rescueTool struct {
	*session
	keysOf   KeysOf
	server   bool // one was named
	patterns []string
	all      bool
	dryRun   bool
	again    bool
}

func rescueFlags(t *rescueTool) []flag {
	return []flag{
		{"--key", "pattern", "Only keys that match; may be given more than once.", to(func(_ *options, a string) { t.patterns = append(t.patterns, a) })},
		{"--all", "", "apply: everything, also commands without a key (FLUSHALL).", is(func(*options) { t.all = true })},
		{"--dry-run", "", "apply: show what would be sent, and send nothing.", is(func(*options) { t.dryRun = true })},
		{"--again", "", "apply: although something of the file was applied before.", is(func(*options) { t.again = true })},
	}
}

// Rescue runs `dozo rescue`: args are those behind its name, and the result is its exit status.
func Rescue(args []string, keysOf KeysOf, stdin io.Reader, stdout, stderr io.Writer) int {
	o := defaultOptions()
	t := &rescueTool{keysOf: keysOf, session: &session{
		options: o, env: env.Real(), stdin: bufio.NewReader(stdin), in: stdin, out: bufio.NewWriter(stdout), errout: stderr,
	}}
	defer t.flush()
	grammar := append(connectionFlags(), rescueFlags(t)...)
	if len(args) == 0 {
		rescueUsage(stderr, grammar)
		return rescueFailed
	}
	does, ok := map[string]func([]string) (int, error){"list": t.list, "show": t.show, "apply": t.apply}[args[0]]
	if !ok {
		args = append([]string{""}, args...)
	}
	rest, err := o.parseFlags(grammar, args[1:], func() { rescueUsage(stdout, grammar) }, stdout)
	switch {
	case err == errShown:
		return rescueDone
	case err == nil && !ok:
		err = usageError("say what to do: list, show or apply (--help tells more)")
	case err == nil && !t.findPassword():
		err = errors.New("there is no password")
	}
	t.server = slices.ContainsFunc(args, func(a string) bool { return a == "-h" || a == "-p" || a == "-s" || a == "-u" })
	status := rescueFailed
	if err == nil {
		status, err = does(rest)
	}
	t.flush()
	if err != nil {
		fmt.Fprintln(stderr, "dozo rescue:", err)
		return rescueFailed
	}
	return status
}

func rescueUsage(w io.Writer, grammar []flag) {
	fmt.Fprint(w, `Usage: dozo rescue list [OPTIONS] [FOLDER]
       dozo rescue show [OPTIONS] FILE
       dozo rescue apply [OPTIONS] --all|--key PATTERN FILE

A rescue file has the writes that a server had to drop because the new primary never saw
them. list shows the files of a folder: the one that is given, or that of a server on this
machine (-h, -p), or this one. show tells what is in a file, by key, and beside that, if a
server is given, what this has now. apply sends what is chosen to a server.

`)
	printFlags(w, grammar)
	fmt.Fprint(w, `
Commands are applied in the order in which they were executed, to the values of now; those
of a transaction in one. SET, HSET, SADD, DEL and the like can be applied twice with the same
result, INCR, APPEND, RPUSH and the like cannot: so what was applied is noted beside the file
(FILE.applied), and a further time needs --again. A command with several keys is chosen by any
of them. Deadlines are those of then: a key whose time is over meanwhile is removed. Published
messages are left out.

Exit status: 0 done, 1 ended by an error, 2 done but for commands that the server refused.

Examples:
  dozo rescue list -p 6379
  dozo rescue show -h new-primary -p 6379 --key 'user:*' rescue-20250102T030405.678Z-ab12.aof
  dozo rescue apply -h new-primary -p 6379 --key 'user:*' --dry-run rescue-20250102T030405.678Z-ab12.aof
`)
}

// dial connects to the server that the options name.
func (t *rescueTool) dial() (*client.Conn, error) {
	return client.Dial(context.Background(), t.clientOptions())
}

// list shows what lies in a folder.
func (t *rescueTool) list(rest []string) (int, error) {
	dir := "."
	switch {
	case len(rest) > 1:
		return rescueFailed, usageError("list takes one folder")
	case len(rest) == 1:
		dir = rest[0]
	case t.server:
		var err error
		if dir, err = t.serverDir(); err != nil {
			return rescueFailed, err
		}
	}
	files, faults, err := rescue.List(t.env.FS, dir)
	if err != nil {
		return rescueFailed, err
	}
	for _, f := range files {
		fmt.Fprintln(t.out, filepath.Join(dir, f.Name))
		t.head(f)
	}
	if len(files) == 0 {
		fmt.Fprintf(t.out, "There are no rescue files in %s\n", dir)
	}
	for _, fault := range faults {
		fmt.Fprintln(t.errout, fault)
	}
	if len(faults) > 0 {
		return rescueFailed, nil
	}
	return rescueDone, nil
}

// serverDir asks a server for its folder.
func (t *rescueTool) serverDir() (string, error) {
	c, err := t.dial()
	if err != nil {
		return "", err
	}
	defer c.Close()
	v, err := c.Do("CONFIG", "GET", "dir")
	if err == nil && len(v.Elems) != 2 {
		err = errors.New("the server does not tell its folder")
	}
	if err != nil {
		return "", err
	}
	return v.Elems[1].Str, nil
}

// head tells what a file says of itself.
func (t *rescueTool) head(f rescue.File) {
	fmt.Fprintf(t.out, "  written %s, %d bytes: offsets %d to %d of history %s\n", f.Time.UTC().Format(time.RFC3339), f.Size, f.From, f.To, f.History)
	if f.Known {
		fmt.Fprintf(t.out, "  the new primary %s has that history up to %d\n", f.Primary, f.Fork)
	} else {
		fmt.Fprintf(t.out, "  nobody knows what of it the new primary %s has\n", f.Primary)
	}
	if f.Missing > 0 {
		fmt.Fprintf(t.out, "  INCOMPLETE: the %d bytes before these were not in the log any more\n", f.Missing)
	}
}

// chooses tells whether a command of these keys is wanted.
func (t *rescueTool) chooses(keys [][]byte) bool {
	return t.all || slices.ContainsFunc(keys, t.matches)
}

// matches tells whether a key is wanted.
func (t *rescueTool) matches(key []byte) bool {
	return slices.ContainsFunc(t.patterns, func(p string) bool { return text.Match([]byte(p), key, false) })
}

// shownMax is how much of a command is shown.
const shownMax = 200

// shownCall is a command as it is shown.
func shownCall(args [][]byte) string {
	var b []byte
	for i, a := range args {
		if i > 0 {
			b = append(b, ' ')
		}
		if b = text.AppendQuote(b, a[:min(len(a), shownMax)]); len(b) > shownMax {
			return string(b[:shownMax]) + "..."
		}
	}
	return string(b)
}
