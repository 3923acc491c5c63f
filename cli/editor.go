package cli

import (
	"fmt"
	"os"
	"strings"

	"github.com/peterh/liner"
)

// editor reads lines from a terminal, with history and completion.
type editor struct {
	session *session
	state   *liner.State
	prompt  string
	history string // path of the file, "" for none
}

func newEditor(s *session) *editor {
	e := &editor{session: s, state: liner.NewLiner(), history: dotFile("REDISCLI_HISTFILE", ".rediscli_history")}
	e.state.SetCtrlCAborts(true)
	e.state.SetMultiLineMode(true)
	e.state.SetBeep(false)
	e.state.SetCompleter(e.complete)
	if f, err := os.Open(e.history); err == nil {
		_, _ = e.state.ReadHistory(f) // a damaged history is no reason not to start
		f.Close()
	}
	return e
}

func (e *editor) close() { _ = e.state.Close() } // the terminal is as it was, or gone

func (e *editor) next(prompt string) (string, bool) {
	e.prompt = prompt
	line, err := e.state.Prompt(prompt)
	return line, err == nil
}

// remember saves at once, so that a session that is killed loses nothing.
func (e *editor) remember(line string) {
	e.state.AppendHistory(line)
	if e.history == "" {
		return
	}
	f, err := os.OpenFile(e.history, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return // as redis-cli: an unwritable history is not worth a word on each line
	}
	_, _ = e.state.WriteHistory(f)
	_ = f.Close()
}

// ready waits for a key on the terminal. The key itself is eaten: it only says
// that the user wants the prompt.
func (e *editor) ready() (<-chan struct{}, func()) {
	arrived := make(chan struct{}, 1)
	tty, err := os.OpenFile("/dev/tty", os.O_RDONLY, 0)
	if err != nil {
		return arrived, func() {} // Ctrl-C works still
	}
	go func() {
		var key [1]byte
		if n, _ := tty.Read(key[:]); n > 0 {
			arrived <- struct{}{}
		}
	}()
	return arrived, func() { _ = tty.Close() } // ends the read as well
}

func (e *editor) clear() { fmt.Fprint(e.session.out, "\x1b[H\x1b[2J") }

// complete is what the Tab key does: it completes the names of commands, and
// behind a whole name shows above the line which arguments are still to come.
func (e *editor) complete(line string) []string {
	h := e.session.commandHelp()
	found := h.complete(line)
	if len(found) > 0 || e.session.noHints {
		return found
	}
	if hint, ok := h.hint(line); ok && strings.TrimSpace(hint) != "" {
		fmt.Fprintf(os.Stdout, "\r\x1b[J\x1b[90m%s\x1b[0m\n%s%s", strings.TrimSpace(hint), e.prompt, line)
	}
	return nil
}

// askPassword reads a line without showing it; when standard input is no terminal
// it is the first line of it.
func (s *session) askPassword(prompt string) (string, error) {
	if !isTerminal(s.in) {
		line, err := s.stdin.ReadString('\n')
		if line != "" {
			err = nil
		}
		return strings.TrimRight(line, "\r\n"), err
	}
	state := liner.NewLiner()
	defer state.Close()
	return state.PasswordPrompt(prompt)
}
