package e2e

import (
	"bytes"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"dozo/internal/testutil"
)

// terminal is a program at a pseudo terminal.
type terminal struct {
	t   *testing.T
	in  interface{ Write([]byte) (int, error) }
	mu  sync.Mutex
	out bytes.Buffer
}

func startTerminal(t *testing.T, program string, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(cmd.Environ(), "TERM=xterm", "HOME="+t.TempDir(), "NO_COLOR=")
	testutil.Tie(cmd)
	file, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 160})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, in: file}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 4096)
		for {
			n, err := file.Read(buf)
			term.mu.Lock()
			term.out.Write(buf[:n])
			term.mu.Unlock()
			if err != nil {
				return // the program closed its end
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		_ = cmd.Wait()
		_ = file.Close()
		<-done
	})
	return term
}

func (term *terminal) typeIn(text string) {
	term.t.Helper()
	if _, err := term.in.Write([]byte(text)); err != nil {
		term.t.Fatalf("typing %q: %v", text, err)
	}
}

// escapes are what a terminal obeys instead of showing.
var escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")

// await waits until all of the texts have appeared since the last await, then
// forgets what was shown.
func (term *terminal) await(wants ...string) {
	term.t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		term.mu.Lock()
		shown := escapes.ReplaceAllString(term.out.String(), "")
		found := !slices.ContainsFunc(wants, func(w string) bool { return !strings.Contains(shown, w) })
		if found {
			term.out.Reset()
		}
		term.mu.Unlock()
		if found {
			return
		}
		if time.Now().After(deadline) {
			term.t.Fatalf("the terminal never showed %q, only:\n%q", wants, shown)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// session is what is typed and must be seen, at either cli. Hints come by
// themselves, or after a key.
func (term *terminal) session(prompt, hintKey string) {
	term.await(prompt)
	term.typeIn("set greeting \"hello there\"\r")
	term.await("OK", prompt)
	term.typeIn("get greeting\r")
	term.await("\"hello there\"", prompt)
	term.typeIn("incr greeting\r")
	term.await("(error) ERR value is not an integer or out of range", prompt)
	term.typeIn("mget greeting nope\r")
	term.await("1) \"hello there\"", "2) (nil)", prompt)
	// Hints from the command table: typed so far, the rest of the syntax shown.
	term.typeIn("setrange " + hintKey)
	term.await("key offset value")
	term.typeIn("\x03")
}

func TestRedisCLIAtTerminal(t *testing.T) {
	s := testutil.StartDozo(t)
	port := strconv.Itoa(s.Port)
	term := startTerminal(t, "redis-cli", "-p", port)
	term.session("127.0.0.1:"+port+"> ", "")

	// HELP comes from COMMAND DOCS of the server.
	term = startTerminal(t, "redis-cli", "-p", port)
	term.await("> ")
	term.typeIn("help setrange\r")
	term.await("SETRANGE", "summary:", "since: 2.2.0", "group: string")
	term.typeIn("select 5\r")
	term.await("OK", port+"[5]> ")
	term.typeIn("multi\r")
	term.await("OK", "(TX)> ")
	term.typeIn("discard\r")
	term.await("OK", port+"[5]> ")
	term.typeIn("subscribe news\r")
	term.await("1) \"subscribe\"", "2) \"news\"", "3) (integer) 1")
	s.Conn(t, 2).MustOK("PUBLISH", "news", "extra")
	term.await("1) \"message\"", "3) \"extra\"")
}

func TestDozoCLIAtTerminal(t *testing.T) {
	s := testutil.StartDozo(t)
	port := strconv.Itoa(s.Port)
	term := startTerminal(t, dozoCLI(t), "-p", port)
	term.session("127.0.0.1:"+port+"> ", "\t")

	term = startTerminal(t, dozoCLI(t), "-p", port)
	term.await("> ")
	term.typeIn("set first 1\r")
	term.await("OK")
	term.typeIn("\x1b[A") // up: the last line again
	term.await("set first 1")
	term.typeIn("\r")
	term.await("OK")
	term.typeIn("exit\r")
}
