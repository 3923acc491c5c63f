package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"dozo/client"
	"dozo/env"
	"dozo/importer"
)

// The exit statuses of the import.
const (
	importDone    = 0 // without an error; or it followed the source until it was told to stop
	importFailed  = 1
	importErrors  = 2 // done, but for what is listed
	importStopped = 3 // told to stop; it can go on
)

// importOptions are what the command line of the import says, beside where the target is.
type importOptions struct {
	importer.Options
	from, fromUser, fromPass string
	toURI                    string
}

// importFlags is the grammar of the import, beside the options of a connection, which
// are the target's.
func importFlags(m *importOptions) []flag {
	return []flag{
		{"--from", "source", "What to import: an RDB file, an AOF, its folder or manifest, or a server: redis://user:password@host:port, unix:path, host:port.", to(func(_ *options, a string) { m.from = a })},
		{"--from-user", "username", "ACL user at the source.", to(func(_ *options, a string) { m.fromUser = a })},
		{"--from-pass", "password", "Password at the source. The environment variable DOZO_SOURCE_AUTH is a safer way to give it.", to(func(_ *options, a string) { m.fromPass = a })},
		{"--to", "uri", "The server to import to, if not by the options above: redis://user:password@host:port, unix:path, host:port.", to(func(_ *options, a string) { m.toURI = a })},
		{"--scan", "", "Read the source by SCAN and DUMP: for servers that do not send snapshots. Keys that change meanwhile may be missed.", is(func(*options) { m.Scan = true })},
		{"--follow", "", "Go on with what is written to the source, until told to stop (Ctrl-C, SIGTERM).", is(func(*options) { m.Follow = true })},
		{"--replace", "", "Write over keys that are there with another value.", is(func(*options) { m.Replace = true })},
		{"--skip-existing", "", "Leave keys that are there as they are.", is(func(*options) { m.SkipExisting = true })},
		{"--db", "numbers", "Only these databases of the source, such as 0,3.", func(_ *options, a string) error { return m.setDBs(a) }},
		{"--db-map", "from:to", "Where databases go, such as 0:1,2:5; '*' stands for all others.", func(_ *options, a string) error { return m.setDBMap(a) }},
		{"--match", "pattern", "Only keys that match (not with commands: AOF, or a server without --scan).", to(func(_ *options, a string) { m.Match = a })},
		{"--type", "type", "Only keys of a type; likewise.", to(func(_ *options, a string) { m.Type = strings.ToLower(a) })},
		{"--rate-limit", "bytes", "Bytes a second, such as 20mb.", func(_ *options, a string) error { return m.setRate(a) }},
		{"--state", "file", "Where to write how far the import is (default: beside the source's file, or in this folder).", to(func(_ *options, a string) { m.State = a })},
		{"--restart", "", "Begin anew even if there is a state to go on from.", is(func(*options) { m.Restart = true })},
	}
}

// Import runs `dozo import`: args are those behind its name, and the result is its exit
// status.
func Import(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	m, o := new(importOptions), defaultOptions()
	grammar := append(connectionFlags(), importFlags(m)...)
	rest, err := o.parseFlags(grammar, args, func() { importUsage(stdout, grammar) }, stdout)
	switch {
	case err == errShown:
		return importDone
	case err == nil && len(rest) > 0:
		err = usageError(fmt.Sprintf("%q is no option: the source is given with --from", rest[0]))
	}
	s := &session{options: o, env: env.Real(), stdin: bufio.NewReader(stdin), in: stdin, out: bufio.NewWriter(stdout), errout: stderr}
	if err == nil {
		err = m.complete(s)
	}
	if err != nil {
		fmt.Fprintln(stderr, "dozo import:", err)
		return importFailed
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // who does not want to wait for the end sends the signal again
	sum, err := importer.Run(ctx, m.Options)
	sum.Print(stdout)
	return m.status(sum, err, stderr)
}

// status says why the import ended if it is not done, and is its exit status.
func (m *importOptions) status(sum *importer.Summary, err error, stderr io.Writer) int {
	stopped := errors.Is(err, importer.ErrStopped)
	if err != nil {
		fmt.Fprintln(stderr, "dozo import:", err)
	}
	switch {
	case err != nil && !stopped:
		return importFailed
	case sum.Errors > 0:
		return importErrors
	case stopped && !m.Follow:
		return importStopped
	}
	return importDone
}

func importUsage(w io.Writer, grammar []flag) {
	fmt.Fprint(w, "Usage: dozo import --from SOURCE [OPTIONS]\n\n")
	printFlags(w, grammar)
	fmt.Fprint(w, `
What was interrupted goes on where it was when it is run again. Without --replace and
--skip-existing a key that is there with another value is an error. -n is short for
--db-map '*:N'. Exit status: 0 done, 1 ended by an error, 2 done but for errors that are
listed, 3 told to stop.

Examples:
  dozo import --from dump.rdb -p 6380
  dozo import --from appendonlydir --to redis://10.0.0.5:6379
  dozo import --from redis://:secret@old.example.net:6379 --follow
  dozo import --from cache.example.net:6379 --scan --match 'user:*' --rate-limit 20mb
`)
}

// complete puts together what the options say.
func (m *importOptions) complete(s *session) error {
	if m.from == "" {
		return usageError("the source is missing: --from SOURCE (--help tells more)")
	}
	if m.Replace && m.SkipExisting {
		return usageError("Options --replace and --skip-existing are mutually exclusive.")
	}
	if m.toURI != "" {
		if err := s.parseServer(m.toURI); err != nil {
			return err
		}
	}
	if !s.findPassword() {
		return errors.New("there is no password")
	}
	m.Env, m.Log, m.Terminal = s.env, s.errout, isTerminal(s.errout)
	m.Target = s.clientOptions()
	if s.db != 0 {
		m.mapDB(importer.AnyDB, s.db)
	}
	return m.findSource(s.env)
}

// findSource finds out what the source is.
func (m *importOptions) findSource(e *env.Env) error {
	src := defaultOptions()
	if _, err := e.FS.Stat(m.from); err == nil {
		m.Path = m.from
	} else if fault := src.parseServer(m.from); fault != nil {
		return fmt.Errorf("%s is neither a file (%w) nor the address of a server (%w)", m.from, err, fault)
	} else {
		m.findServer(src, e)
	}
	if m.Server == nil && (m.Scan || m.Follow) {
		return fmt.Errorf("--scan and --follow are for servers, and %s is a file", m.from)
	}
	if m.Scan && m.Follow {
		return usageError("Options --scan and --follow are mutually exclusive: SCAN does not tell what is written.")
	}
	if m.State == "" {
		m.State = strings.TrimRight(m.Path, "/") + ".import"
		if m.Server != nil {
			m.State = "dozo-import-" + strings.NewReplacer("/", "-", ":", "-").Replace(m.Server.Address) + ".state"
		}
	}
	return nil
}

func (m *importOptions) findServer(src *options, e *env.Env) {
	if pass, ok := os.LookupEnv("DOZO_SOURCE_AUTH"); ok && src.pass == nil {
		src.pass = &pass
	}
	if m.fromPass != "" {
		src.pass = &m.fromPass
	}
	if m.fromUser != "" {
		src.user = m.fromUser
	}
	server := (&session{options: src, env: e}).clientOptions()
	m.Server = &server
	if src.db != 0 && m.DBs == nil {
		m.DBs = map[int]bool{src.db: true}
	}
}

// parseServer takes redis://..., unix:path or host:port.
func (o *options) parseServer(name string) error {
	if path, ok := strings.CutPrefix(name, "unix:"); ok {
		o.socket = strings.TrimPrefix(path, "//")
		return nil
	}
	if strings.Contains(name, "://") {
		return o.parseURI(name)
	}
	colon := strings.LastIndexByte(name, ':')
	if port, err := strconv.ParseUint(name[colon+1:], 10, 16); colon < 1 || err != nil || port == 0 {
		return usageError(fmt.Sprintf("%q is not host:port, redis:// or unix:", name))
	}
	o.setHost(name)
	return nil
}

// clientOptions is how to connect to the server, without a database.
func (s *session) clientOptions() client.Options {
	network, address := s.address()
	o := client.Options{Dialer: s.env.Dialer, Network: network, Address: address, User: s.user}
	if s.pass != nil {
		o.Password = *s.pass
	}
	return o
}

func (m *importOptions) setDBs(list string) error {
	m.DBs = map[int]bool{}
	for _, word := range strings.Split(list, ",") {
		n, err := strconv.ParseUint(word, 10, 31)
		if err != nil {
			return usageError(fmt.Sprintf("%q is no number of a database", word))
		}
		m.DBs[int(n)] = true
	}
	return nil
}

func (m *importOptions) mapDB(from, to int) {
	if m.DBMap == nil {
		m.DBMap = map[int]int{}
	}
	m.DBMap[from] = to
}

func (m *importOptions) setDBMap(list string) error {
	for _, word := range strings.Split(list, ",") {
		from, to, _ := strings.Cut(word, ":")
		f, err := strconv.ParseUint(from, 10, 31)
		n, wrong := strconv.ParseUint(to, 10, 31)
		if err != nil && from != "*" || wrong != nil {
			return usageError(fmt.Sprintf("%q is not of the form from:to, with numbers of databases", word))
		}
		if from == "*" {
			m.mapDB(importer.AnyDB, int(n))
		} else {
			m.mapDB(int(f), int(n))
		}
	}
	return nil
}

// setRate takes a number of bytes with a unit, as directives do.
func (m *importOptions) setRate(a string) error {
	digits := strings.TrimRight(strings.ToLower(a), "kmgb")
	n, err := strconv.ParseInt(digits, 10, 32)
	unit, ok := map[string]int64{"": 1, "b": 1, "k": 1000, "kb": 1 << 10, "m": 1e6, "mb": 1 << 20, "g": 1e9, "gb": 1 << 30}[strings.ToLower(a[len(digits):])]
	if err != nil || !ok || n <= 0 {
		return usageError(fmt.Sprintf("%q is no number of bytes, such as 500kb or 20mb", a))
	}
	m.Rate = n * unit
	return nil
}
