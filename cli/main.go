package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"dozo/env"
)

// versionLine is what --version prints; programs look for the first two words.
const versionLine = "redis-cli 7.2.6 (dozo)"

// Main runs the program: args are those behind its name, and the result is its
// exit code. When stdin and stdout are terminals (an *os.File each) there is a
// prompt. Ctrl-C and the environment variables are the process's.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	out := bufio.NewWriterSize(stdout, 1<<16)
	defer out.Flush()
	o := defaultOptions()
	if isTerminal(stdout) || os.Getenv("FAKETTY") != "" {
		o.showPushes, o.forPeople = true, true
	} else {
		o.output = outputRaw
	}
	if err := o.parse(args, out); err == errShown {
		return 0
	} else if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	s := &session{options: o, dialing: context.Background(), env: env.Real(), stdin: bufio.NewReaderSize(stdin, 1<<16), in: stdin, out: out, errout: stderr}
	if !s.findPassword() {
		return 1
	}
	defer s.disconnect()
	return s.run()
}

// findPassword asks for the password or takes it from the environment.
func (s *session) findPassword() bool {
	if s.pass != nil && !s.noAuthWarning {
		fmt.Fprintln(s.errout, "Warning: Using a password with '-a' or '-u' option on the command line interface may not be safe.")
	}
	if s.askpass {
		pass, err := s.askPassword("Please input password: ")
		if err != nil {
			fmt.Fprintf(s.errout, "Could not read the password: %v\n", err)
			return false
		}
		s.pass = &pass
	}
	if pass, ok := os.LookupEnv("REDISCLI_AUTH"); ok && s.pass == nil {
		s.pass = &pass
	}
	return true
}

// run does what the options ask for and returns the exit code.
func (s *session) run() int {
	switch {
	case s.tool != nil:
		if err := s.connect(false); err != nil {
			return 1
		}
		return s.tool(s)
	case s.hint != nil || s.hintFile != nil:
		return s.testHints()
	case s.eval != nil:
		if err := s.connect(false); err != nil {
			return 1
		}
		return s.evalFile()
	case len(s.args) == 0:
		return s.repl()
	}
	_ = s.connect(true) // if it fails, issue tries again and says so
	return s.once()
}

// once sends the command of the command line.
func (s *session) once() int {
	args, code := s.commandLine()
	if code != 0 {
		return code
	}
	if err := s.issue(args, s.repeat); err != nil {
		return 1
	}
	for s.inPubsub {
		if err := s.readReply(false); err != nil {
			return 1
		}
	}
	return 0
}

// commandLine is the command with what -x, -X and --quoted-input do to it.
func (s *session) commandLine() (args []string, code int) {
	args = append(args, s.args...)
	if s.quoted {
		for i, a := range args {
			word, ok := unquote(a)
			if !ok {
				fmt.Fprintln(s.out, "Invalid quoted string")
				return nil, 1
			}
			args[i] = word
		}
	}
	if s.stdinLast {
		return append(args, s.readAll()), 0
	}
	if s.stdinTag == nil {
		return args, 0
	}
	for i, a := range args {
		if a == *s.stdinTag {
			args[i] = s.readAll()
			return args, 0
		}
	}
	fmt.Fprintln(s.errout, "Using -X option but stdin tag not match.")
	return nil, 1
}

// readAll is standard input to its end.
func (s *session) readAll() string {
	b, err := io.ReadAll(s.stdin)
	if err != nil {
		fmt.Fprintf(s.errout, "Error reading from stdin: %v\n", err)
	}
	return string(b)
}

// evalFile sends EVAL with the script of a file; a lone comma parts KEYS from ARGV.
func (s *session) evalFile() int {
	script, err := s.env.FS.ReadFile(*s.eval)
	if err != nil {
		fmt.Fprintf(s.errout, "Can't open file '%s': %s\n", *s.eval, failure(err))
		return 1
	}
	var rest []string
	keys := -1
	for _, a := range s.args {
		if a == "," && keys < 0 {
			keys = len(rest)
			continue
		}
		rest = append(rest, a)
	}
	if keys < 0 {
		keys = len(rest)
	}
	s.args = append([]string{"EVAL", string(script), fmt.Sprint(keys)}, rest...)
	if err := s.issue(s.args, s.repeat); err != nil {
		return 1
	}
	return 0
}

// isTerminal reports whether a stream is a terminal. Character devices that are
// none, but for the null device, are rare enough to be taken for one.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}

// usage prints the help of the command line.
func usage(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage: dozo cli [OPTIONS] [command [arg [arg ...]]]\n\n", versionLine)
	printFlags(w, flags())
	fmt.Fprint(w, `  --help                     Show this help.
  -v, --version              Show the version.

Without a command it reads commands, one a line, from standard input; with a
prompt if that is a terminal. "help" tells more there.

Examples:
  dozo cli -h example.net -p 6380 get key
  dozo cli -r 10 -i 1 info clients
  cat picture.png | dozo cli -x set picture
  dozo cli --scan --pattern 'user:*'
  dozo cli --eval script.lua key1 key2 , arg1
  produce-resp | dozo cli --pipe
`)
}

// printFlags prints the options that there are.
func printFlags(w io.Writer, grammar []flag) {
	for _, f := range grammar {
		if f.help == "" {
			continue
		}
		name := strings.ReplaceAll(f.names, " ", ", ")
		if f.arg != "" {
			name += " <" + f.arg + ">"
		}
		fmt.Fprintf(w, "  %-26s %s\n", name, f.help)
	}
}
