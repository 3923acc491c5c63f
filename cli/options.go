package cli

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"dozo/text"
)

// options are what the command line says.
type options struct {
	host   string
	port   int
	socket string
	user   string
	pass   *string // nil: none was given
	db     int

	askpass       bool
	noAuthWarning bool
	resp2         bool
	resp3         bool // -3: must succeed
	jsonResp3     bool // --json: RESP3 if the server can
	cluster       bool

	output       outputMode
	showPushes   bool
	forPeople    bool // standard output is a terminal, or shall be treated as one
	elementDelim string
	commandDelim string

	repeat    int64 // negative: for ever
	interval  time.Duration
	stdinLast bool
	stdinTag  *string
	quoted    bool
	exitCode  bool // -e

	tool          func(*session) int // a tool instead of commands
	history       bool               // --latency-history
	pipeTimeout   time.Duration
	pattern       *string
	count         int
	rdbFile       string
	wholeRDB      bool
	functionsOnly bool
	eval          *string
	hint          *string // --test_hint, and with a file of cases:
	hintFile      *string

	args []string // the command
}

// usageError is a mistake on the command line, in redis-cli's words.
type usageError string

func (e usageError) Error() string { return string(e) }

// errShown ends the program without an error: help or version have been printed.
var errShown = errors.New("shown")

func defaultOptions() *options {
	return &options{host: "127.0.0.1", port: 6379, repeat: 1, count: 10, elementDelim: "\n", commandDelim: "\n", pipeTimeout: 30 * time.Second}
}

// flag is one row of the command line's grammar, and of its help.
type flag struct {
	names string // separated by spaces
	arg   string // what its argument is called; "" for a flag without
	help  string // "" for what is not shown
	set   func(o *options, arg string) error
}

// is makes a setter of a plain assignment.
func is(assign func(o *options)) func(*options, string) error {
	return func(o *options, _ string) error { assign(o); return nil }
}

// to makes a setter of an assignment that takes the argument as it is.
func to(assign func(o *options, arg string)) func(*options, string) error {
	return func(o *options, arg string) error { assign(o, arg); return nil }
}

// flags is the grammar. Those of one theme are together, in functions since the
// setters refer to the tools, which refer to the options.
func flags() []flag {
	return append(append(append(connectionFlags(), protocolFlags()...), replyFlags()...), toolFlags()...)
}

func connectionFlags() []flag {
	return []flag{
		{"-h", "hostname", "Server to connect to (default: 127.0.0.1).", to(func(o *options, a string) { o.host = a })},
		{"-p", "port", "Its port (default: 6379).", setPort},
		{"-s", "socket", "Unix socket to connect to instead.", to(func(o *options, a string) { o.socket = a })},
		{"-a --pass", "password", "Password. The environment variable REDISCLI_AUTH is a safer way to give it.", to(func(o *options, a string) { o.pass = &a })},
		{"--user", "username", "ACL user that the password belongs to.", to(func(o *options, a string) { o.user = a })},
		{"--askpass", "", "Ask for the password, without showing it.", is(func(o *options) { o.askpass = true })},
		{"--no-auth-warning", "", "Do not warn of a password on the command line.", is(func(o *options) { o.noAuthWarning = true })},
		{"-u", "uri", "All of these at once: redis://user:password@host:port/db.", func(o *options, a string) error { return o.parseURI(a) }},
		{"-n", "db", "Database to select.", to(func(o *options, a string) { o.db = leadingInt(a) })},
	}
}

func protocolFlags() []flag {
	return []flag{
		{"-2", "", "Speak RESP2 (the default but for --json).", is(func(o *options) { o.resp2 = true })},
		{"-3", "", "Speak RESP3.", is(func(o *options) { o.resp3 = true })},
		{"-c", "", "Follow MOVED and ASK redirections of a cluster.", is(func(o *options) { o.cluster = true })},
	}
}

func replyFlags() []flag {
	return []flag{
		{"-r", "repeat", "Send the command so many times (-1: for ever).", to(func(o *options, a string) { o.repeat = int64(leadingInt(a)) })},
		{"-i", "interval", "Seconds to wait after each repetition, and in --scan and --stat; may be a fraction.", to(func(o *options, a string) { o.interval = seconds(a) })},
		{"-x", "", "Take the last argument from standard input.", is(func(o *options) { o.stdinLast = true })},
		{"-X", "tag", "Take the argument that says <tag> from standard input.", to(func(o *options, a string) { o.stdinTag = &a })},
		{"-d", "delimiter", "What stands between elements of raw output (default: a line break).", to(func(o *options, a string) { o.elementDelim = a })},
		{"-D", "delimiter", "What stands behind replies of raw output (default: a line break).", to(func(o *options, a string) { o.commandDelim = a })},
		{"-e", "", "Exit with code 1 when the reply is an error.", is(func(o *options) { o.exitCode = true })},
		{"--raw", "", "Raw output (the default when standard output is no terminal).", is(func(o *options) { o.output = outputRaw })},
		{"--no-raw", "", "Output for people, terminal or not.", is(func(o *options) { o.output = outputStandard })},
		{"--csv", "", "Output as comma-separated values.", is(func(o *options) { o.output = outputCSV })},
		{"--json", "", "Output as JSON (in RESP3 unless -2 is given).", is(func(o *options) { o.output, o.jsonResp3 = outputJSON, true })},
		{"--quoted-json", "", "The same, strings in ASCII with escapes.", is(func(o *options) { o.output, o.jsonResp3 = outputQuotedJSON, true })},
		{"--show-pushes", "yn", "Whether to show RESP3 push messages (default: on a terminal only).", setPushes},
		{"--quoted-input", "", "Take the arguments as quoted strings, with escapes.", is(func(o *options) { o.quoted = true })},
		{"--verbose", "", "Accepted and without effect.", is(func(*options) {})},
	}
}

func toolFlags() []flag {
	return []flag{
		{"--pipe", "", "Send standard input, which is RESP already, and count the replies.", is(func(o *options) { o.tool = pipeMode })},
		{"--pipe-timeout", "n", "With --pipe: give up after <n> seconds without a reply (default 30, 0: never).", to(func(o *options, a string) { o.pipeTimeout = time.Duration(leadingInt(a)) * time.Second })},
		{"--scan", "", "List all keys, by SCAN.", is(func(o *options) { o.tool = scanMode })},
		{"--pattern", "pattern", "With --scan: only keys that match.", to(func(o *options, a string) { o.pattern = &a })},
		{"--quoted-pattern", "pattern", "The same, given as a quoted string.", setQuotedPattern},
		{"--count", "count", "With --scan: the COUNT of each SCAN (default: 10).", to(func(o *options, a string) { o.count = leadingInt(a) })},
		{"--latency", "", "Measure the time that PING takes, again and again; for one second when not on a terminal.", is(func(o *options) { o.tool = latencyMode })},
		{"--latency-history", "", "The same, with a new line every 15 seconds (or -i).", is(func(o *options) { o.tool, o.history = latencyMode, true })},
		{"--stat", "", "Print a line about keys, memory, clients and requests every second (or -i).", is(func(o *options) { o.tool = statMode })},
		{"--replica --slave", "", "Connect as a replica and show the stream of writes.", is(func(o *options) { o.tool = replicaMode })},
		{"--rdb", "file", "Save a snapshot of the server to <file> (-: standard output).", to(func(o *options, a string) { o.tool, o.rdbFile, o.wholeRDB = rdbMode, a, true })},
		{"--functions-rdb", "file", "The same, of its functions only.", to(func(o *options, a string) { o.tool, o.rdbFile, o.functionsOnly = rdbMode, a, true })},
		{"--eval", "file", "Run the Lua script in <file>; arguments are KEYS, a lone comma, ARGV.", to(func(o *options, a string) { o.eval = &a })},
		{"--test_hint", "input", "", to(func(o *options, a string) { o.hint = &a })},
		{"--test_hint_file", "file", "", to(func(o *options, a string) { o.hintFile = &a })},
	}
}

// parse reads the arguments; those from the first that is no option on are the
// command.
func (o *options) parse(args []string, stdout io.Writer) (err error) {
	if o.args, err = o.parseFlags(flags(), args, func() { usage(stdout) }, stdout); err != nil {
		return err
	}
	return o.check()
}

// parseFlags sets what the options at the beginning of args say, and returns the rest.
func (o *options) parseFlags(grammar []flag, args []string, help func(), stdout io.Writer) ([]string, error) {
	table := map[string]flag{}
	for _, f := range grammar {
		for _, name := range strings.Fields(f.names) {
			table[name] = f
		}
	}
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		name := args[0]
		switch {
		case name == "--help" || name == "-h" && len(args) == 1:
			help()
			return nil, errShown
		case name == "-v" || name == "--version":
			fmt.Fprintln(stdout, versionLine)
			return nil, errShown
		}
		f, ok := table[name]
		if !ok || f.arg != "" && len(args) == 1 {
			return nil, usageError(fmt.Sprintf("Unrecognized option or bad number of args for: '%s'", name))
		}
		arg := ""
		if f.arg != "" {
			args = args[1:]
			arg = args[0]
		}
		if err := f.set(o, arg); err != nil {
			return nil, err
		}
		args = args[1:]
	}
	return args, nil
}

// check refuses options that contradict each other.
func (o *options) check() error {
	for _, c := range []struct {
		wrong bool
		what  string
	}{
		{o.socket != "" && o.cluster, "-c and -s"},
		{o.resp2 && o.resp3, "-2 and -3"},
		{o.stdinLast && o.stdinTag != nil, "-x and -X"},
	} {
		if c.wrong {
			return usageError(fmt.Sprintf("Options %s are mutually exclusive.", c.what))
		}
	}
	if o.wholeRDB && o.functionsOnly {
		return usageError("Option --functions-rdb and --rdb are mutually exclusive.")
	}
	return nil
}

// wantsResp3 reports whether to send HELLO 3.
func (o *options) wantsResp3() bool { return (o.resp3 || o.jsonResp3) && !o.resp2 }

// address is where to connect.
func (o *options) address() (network, address string) {
	if o.socket != "" {
		return "unix", o.socket
	}
	return "tcp", joinHostPort(o.host, o.port)
}

// joinHostPort puts brackets around an IPv6 address.
func joinHostPort(host string, port int) string {
	if strings.Contains(host, ":") {
		return fmt.Sprintf("[%s]:%d", host, port)
	}
	return fmt.Sprintf("%s:%d", host, port)
}

const errPort = usageError("Invalid server port.")

func setPort(o *options, a string) error {
	o.port = leadingInt(a)
	if o.port < 0 || o.port > 65535 {
		return errPort
	}
	return nil
}

func setPushes(o *options, a string) error {
	switch {
	case strings.HasPrefix(strings.ToLower(a), "n"):
		o.showPushes = false
	case strings.HasPrefix(strings.ToLower(a), "y"):
		o.showPushes = true
	default:
		return usageError(fmt.Sprintf("Unknown --show-pushes value '%s' (valid: '[y]es', '[n]o')", a))
	}
	return nil
}

func setQuotedPattern(o *options, a string) error {
	p, ok := unquote(a)
	if !ok {
		return usageError("Invalid quoted string specified for --quoted-pattern.")
	}
	o.pattern = &p
	return nil
}

// unquote takes a text that is one word in the notation of inline commands.
func unquote(s string) (string, bool) {
	words, ok := text.SplitArgs([]byte(s))
	if !ok || len(words) != 1 {
		return "", false
	}
	return string(words[0]), true
}

// leadingInt reads a number as C's atoi does: what is there of one, or 0.
func leadingInt(s string) int {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[0] == '-' || s[0] == '+')) {
		end++
	}
	n, _ := strconv.Atoi(s[:end]) // out of range gives the nearest, nothing gives 0
	return n
}

// seconds reads a duration; what is no number is 0.
func seconds(s string) time.Duration {
	f, _ := strconv.ParseFloat(s, 64)
	return time.Duration(f * float64(time.Second))
}

// parseURI takes redis://[[user]:password@]host[:port][/db].
func (o *options) parseURI(uri string) error {
	const scheme, tlsScheme = "redis://", "rediss://"
	switch lower := strings.ToLower(uri); {
	case strings.HasPrefix(lower, tlsScheme):
		return errors.New("rediss:// asks for TLS, which dozo cli does not speak yet: use redis:// through a TLS tunnel")
	case !strings.HasPrefix(lower, scheme):
		return usageError("Invalid URI scheme")
	}
	rest := uri[len(scheme):]
	if at := strings.IndexByte(rest, '@'); at >= 0 {
		user, pass, ok := strings.Cut(rest[:at], ":")
		if !ok {
			user, pass = "", user
		}
		pass = percentDecode(pass)
		o.user, o.pass = percentDecode(user), &pass
		rest = rest[at+1:]
	}
	host, db, _ := strings.Cut(rest, "/")
	if host != "" {
		o.setHost(host)
	}
	if db != "" {
		o.db = leadingInt(db)
	}
	if o.port < 0 || o.port > 65535 {
		return errPort
	}
	return nil
}

// setHost takes host, host:port, [IPv6] or [IPv6]:port.
func (o *options) setHost(host string) {
	port := ""
	if strings.HasPrefix(host, "[") {
		host, port, _ = strings.Cut(host[1:], "]")
		port = strings.TrimPrefix(port, ":")
	} else {
		host, port, _ = strings.Cut(host, ":")
	}
	o.host = host
	if port != "" {
		o.port = leadingInt(port)
	}
}

// percentDecode undoes the escapes of a URI; what is no escape stays.
func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
