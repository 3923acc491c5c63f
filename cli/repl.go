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
	"time"

	"dozo/text"
)

// repl reads commands until the end of the input. Standard input may be a pipe:
// then there is no prompt and no history, but all else is the same.
func (s *session) repl() int {
	s.interactive = true
	var input lines
	if !isTerminal(s.in) {
		input = newPipedLines(s.stdin)
	} else {
		editor := newEditor(s)
		defer editor.close()
		input = editor
		stop := s.catchInterrupts()
		defer stop()
		s.loadPreferences()
	}
	_ = s.connect(false) // each command tries again
	for {
		s.flush()
		line, ok := input.next(s.prompt())
		if !ok {
			if !s.inPubsub || s.reconnect() != nil {
				return 0
			}
			continue // leave the subscriptions first
		}
		err := s.line(line, input)
		if err == errExit {
			return 1
		} else if err == errQuit {
			return 0
		}
		if s.inPubsub && s.conn != nil {
			if err := s.messages(input); err == errExit {
				return 1
			}
		}
	}
}

// lines is where the commands come from.
type lines interface {
	// next waits for a line.
	next(prompt string) (line string, ok bool)
	// remember adds a line to the history.
	remember(line string)
	// ready starts to wait for input; a value arrives when there is some, or when
	// stop has been called.
	ready() (arrived <-chan struct{}, stop func())
	// clear clears the screen.
	clear()
}

// errQuit ends the prompt as its user wished.
var errQuit = errors.New("quit")

// line carries out one line of input.
func (s *session) line(line string, input lines) error {
	words, ok := text.SplitArgs([]byte(line))
	if !ok {
		fmt.Fprintln(s.out, "Invalid argument(s)")
		input.remember(line)
		return nil
	}
	if len(words) == 0 {
		return nil
	}
	args := make([]string, len(words))
	for i, w := range words {
		args[i] = string(w)
	}
	repeat := int64(1)
	if n, err := strconv.ParseInt(strings.TrimPrefix(args[0], "+"), 10, 64); len(args) > 1 && (err == nil || errors.Is(err, strconv.ErrRange)) {
		if err != nil || n <= 0 {
			fmt.Fprintln(s.out, "Invalid redis-cli repeat command option value.")
			return nil
		}
		repeat, args = n, args[1:]
	}
	if !isSensitive(args) {
		input.remember(line)
	}
	return s.execute(args, repeat, input)
}

// execute carries out the prompt's own commands, and sends the others.
func (s *session) execute(args []string, repeat int64, input lines) error {
	switch {
	case isWord(args[0], "quit", "exit"):
		return errQuit
	case args[0][0:min(1, len(args[0]))] == ":":
		s.setPreference("", args)
		return nil
	case isWord(args[0], "restart"):
		fmt.Fprintln(s.out, "Use 'restart' only in Lua debugging mode.")
		return nil
	case len(args) == 3 && isWord(args[0], "connect"):
		s.host, s.port = args[1], leadingInt(args[2])
		_ = s.reconnect() // a failure has been shown
		return nil
	case len(args) == 1 && isWord(args[0], "clear"):
		input.clear()
		return nil
	}
	start := s.env.Clock.Monotonic()
	err := s.issue(args, repeat)
	if took := s.env.Clock.Monotonic() - start; took >= 500*time.Millisecond && s.output == outputStandard && err == nil {
		fmt.Fprintf(s.out, "(%.2fs)\n", took.Seconds())
	}
	return err
}

// messages shows what is published until a line of input comes.
func (s *session) messages(input lines) error {
	s.streaming.Store(true)
	defer s.streaming.Store(false)
	arrived, stop := input.ready()
	defer stop()
	for s.inPubsub {
		if pending, err := s.message(arrived); pending || err != nil {
			return err
		}
	}
	return nil
}

// message waits for a message and shows it; pending means that input came first.
func (s *session) message(arrived <-chan struct{}) (pending bool, err error) {
	erase := s.invite()
	waited := make(chan error, 1)
	conn := s.conn
	go func() { waited <- conn.Wait() }()
	select {
	case <-arrived:
		erase()
		conn.Interrupt()
		err = <-waited
		conn.Resume()
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			return true, nil
		}
	case err = <-waited:
		erase()
		if err == nil {
			return false, s.readReply(false)
		}
	}
	if s.lost(err) != nil {
		return false, errExit
	}
	return false, nil
}

// invite tells a person at a terminal what can be done now; the result takes it
// off the screen.
func (s *session) invite() (erase func()) {
	if !s.forPeople || s.output == outputRaw {
		return func() {}
	}
	const words = "Reading messages... (press Ctrl-C to quit or any key to type command)\r"
	if strings.Contains(os.Getenv("TERM"), "xterm") {
		fmt.Fprint(s.out, "\x1b[1;90m"+words+"\x1b[0m")
	} else {
		fmt.Fprint(s.out, words)
	}
	s.flush()
	return func() { fmt.Fprint(s.out, "\x1b[K"); s.flush() }
}

// catchInterrupts makes Ctrl-C end MONITOR and subscriptions, or the program.
func (s *session) catchInterrupts() (stop func()) {
	var cancel context.CancelFunc
	s.dialing, cancel = context.WithCancel(s.dialing)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	go func() {
		for range signals {
			if s.streaming.Load() {
				s.aborted.Store(true)
			} else {
				s.killed.Store(true)
				cancel()
			}
			if c := s.live.Load(); c != nil {
				c.Interrupt()
			}
		}
	}()
	return func() { signal.Stop(signals); close(signals); cancel() }
}

// pipedLines are lines of a stream, read ahead by a goroutine so that waiting for
// one can be given up.
type pipedLines struct {
	lines chan string
	ahead []string
}

func newPipedLines(r *bufio.Reader) *pipedLines {
	p := &pipedLines{lines: make(chan string)}
	go func() {
		defer close(p.lines)
		for {
			line, err := r.ReadString('\n')
			if line != "" {
				p.lines <- strings.TrimSuffix(line, "\n")
			}
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pipedLines) next(string) (string, bool) {
	if len(p.ahead) > 0 {
		line := p.ahead[0]
		p.ahead = p.ahead[1:]
		return line, true
	}
	line, ok := <-p.lines
	return line, ok
}

func (p *pipedLines) ready() (<-chan struct{}, func()) {
	arrived, stopped := make(chan struct{}, 1), make(chan struct{})
	finished := make(chan struct{})
	if len(p.ahead) > 0 {
		arrived <- struct{}{}
		return arrived, func() {}
	}
	go func() {
		defer close(finished)
		select {
		case line, ok := <-p.lines:
			if ok {
				p.ahead = append(p.ahead, line)
			}
			arrived <- struct{}{}
		case <-stopped:
		}
	}()
	return arrived, func() { close(stopped); <-finished }
}

func (p *pipedLines) remember(string) {}
func (p *pipedLines) clear()          {}

// isSensitive reports commands with secrets in them, which no history shall keep.
func isSensitive(args []string) bool {
	switch {
	case isWord(args[0], "auth"):
		return true
	case len(args) > 1 && isWord(args[0], "acl") && isWord(args[1], "setuser"):
		return true
	case len(args) > 2 && isWord(args[0], "config") && isWord(args[1], "set"):
		for i := 2; i < len(args); i += 2 {
			if isWord(args[i], "masterauth", "masteruser", "requirepass") {
				return true
			}
		}
	case len(args) > 4 && isWord(args[0], "hello"):
		for i := 2; i < len(args); i++ {
			if isWord(args[i], "auth") {
				return true
			}
		}
	case len(args) > 7 && isWord(args[0], "migrate"):
		for i := 6; i < len(args) && !isWord(args[i], "keys"); i++ {
			if isWord(args[i], "auth", "auth2") {
				return true
			}
		}
	}
	return false
}

// dotFile is the path of a file of the user's: what the variable says, or the
// name in the home folder; "" when there is none or it is the null device.
func dotFile(variable, name string) string {
	if path := os.Getenv(variable); path == os.DevNull {
		return ""
	} else if path != "" {
		return path
	}
	if home := os.Getenv("HOME"); home != "" {
		return home + "/" + name
	}
	return ""
}

// loadPreferences reads ~/.redisclirc, lines like ":set nohints".
func (s *session) loadPreferences() {
	f, err := os.Open(dotFile("REDISCLI_RCFILE", ".redisclirc"))
	if err != nil {
		return // there need not be one
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, 1<<20)) // what can be read counts
	for _, line := range strings.Split(string(b), "\n") {
		words, ok := text.SplitArgs([]byte(line))
		if !ok || len(words) == 0 {
			continue
		}
		args := make([]string, len(words))
		for i, w := range words {
			args[i] = string(w)
		}
		s.setPreference(".redisclirc: ", args)
	}
}

func (s *session) setPreference(where string, args []string) {
	switch {
	case !isWord(args[0], ":set") || len(args) < 2:
		fmt.Fprintf(s.out, "%sunknown redis-cli internal command '%s'\n", where, args[0])
	case isWord(args[1], "hints"):
		s.noHints = false
	case isWord(args[1], "nohints"):
		s.noHints = true
	default:
		fmt.Fprintf(s.out, "%sunknown redis-cli preference '%s'\n", where, args[1])
	}
}
