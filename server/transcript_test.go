package server_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"dozo"
	"dozo/internal/testutil"
	"dozo/text"
)

// The transcripts in testdata tell stories of several connections, which have
// names. They are blocks of
//
//	start DIRECTIVE=VALUE ...   starts the servers; before everything else
//	run [ours] [show=(FIELD,...)] [hide=REGEXP ...]
//
// with lines of
//
//	a: COMMAND      sends a command on connection a and reads one reply
//	a> COMMAND      sends only
//	a>> "bytes"     sends bytes as they are
//	a<              reads one reply, or that the connection is closed
//	a~              expects that nothing comes
//	a3              connects with RESP3
//	sleep MS        waits
//	{a}             in a command: the client ID of connection a
//
// The stories are played, block by block and on all beside each other, on in-process
// servers with different loops and transports, which must all give what is written, and on a genuine redis-server
// if there is one: what blocks without ours print must be the same there. A line
// that begins with ! is left out of that comparison: 7.0, which is at hand, does
// it in another way than 7.2.
//
// show keeps only the named fields of replies with lines of name=value (CLIENT
// LIST) or name:value (INFO); hide puts (hidden) in place of what matches.
type player struct {
	sides  []*side
	faults []string // where the sides differ
}

// side is one server, and the connections to it.
type side struct {
	name  string
	addr  string
	real  bool
	conns map[string]*testutil.Conn
	ids   map[string]string
}

// variant is a way in which Dozo serves.
type variant struct {
	name     string
	loops    string
	portable bool
}

var variants = []variant{
	{"epoll, 1 loop", "1", false},
	{"epoll, 3 loops", "3", false},
	{"portable, 2 loops", "2", true},
}

func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			p := &player{}
			datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
				if d.Cmd == "start" || p.sides == nil {
					p.start(t, d)
				}
				if d.Cmd == "start" {
					return "ok\n"
				}
				return p.run(t, d)
			})
			for _, f := range p.faults {
				t.Error(f)
			}
		})
	}
}

// start makes the servers of a file.
func (p *player) start(t *testing.T, d *datadriven.TestData) {
	directives := [][2]string{{"enable-debug-command", "yes"}}
	var flags []string
	if d.Cmd == "start" {
		for _, a := range d.CmdArgs {
			directives = append(directives, [2]string{a.Key, strings.Join(a.Vals, " ")})
			flags = append(flags, "--"+a.Key, strings.Join(a.Vals, " "))
		}
	}
	// The test that a block belongs to ends with the block; the servers stay for
	// the file.
	for _, v := range variants {
		srv, err := dozo.Start(dozo.Options{Directives: append(directives, [2]string{"io-threads", v.loops}), Portable: v.portable})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := srv.Close(); err != nil {
				t.Error(err)
			}
		})
		p.add(t, v.name, srv.Addr(), false)
	}
	if _, err := testutil.Oracle(); err == nil {
		p.add(t, "redis", testutil.StartRedis(t, flags...).Addr(), true)
	}
}

func (p *player) add(t *testing.T, name, addr string, real bool) {
	s := &side{name: name, addr: addr, real: real, conns: map[string]*testutil.Conn{}, ids: map[string]string{}}
	t.Cleanup(func() {
		for _, c := range s.conns {
			c.Close()
		}
	})
	p.sides = append(p.sides, s)
}

// run plays one block everywhere and returns what the first server gave.
func (p *player) run(t *testing.T, d *datadriven.TestData) string {
	var first []string
	var all strings.Builder
	ours := d.HasArg("ours")
	printed := p.play(t, d)
	for i, s := range p.sides {
		got := printed[i]
		if i == 0 {
			first = got
			for _, lines := range got {
				all.WriteString(lines)
			}
			continue
		}
		for k, line := range strings.Split(strings.TrimSpace(d.Input), "\n") {
			if s.real && (ours || line[0] == '!') || got[k] == first[k] {
				continue
			}
			p.faults = append(p.faults, fmt.Sprintf("%s: %s\n%s gives %s%s gives %s", d.Pos, line, s.name, got[k], p.sides[0].name, first[k]))
		}
	}
	return all.String()
}

// play plays a block on all servers beside each other, since most of its time is
// waiting; it returns what each line printed on each.
func (p *player) play(t *testing.T, d *datadriven.TestData) [][]string {
	printed, faults := make([][]string, len(p.sides)), make([]error, len(p.sides))
	var sides sync.WaitGroup
	for i, s := range p.sides {
		sides.Go(func() { printed[i], faults[i] = s.play(d) })
	}
	sides.Wait()
	if err := errors.Join(faults...); err != nil {
		d.Fatalf(t, "%v", err)
	}
	return printed
}

// play plays a block on one server; it returns what each line printed.
func (s *side) play(d *datadriven.TestData) (out []string, _ error) {
	for line := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
		got, err := s.line(d, strings.TrimPrefix(line, "!"))
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", s.name, line, err)
		}
		out = append(out, steady(shorten(got)))
	}
	return out, nil
}

// varying is what depends on the moment: whole seconds of idleness, and whether a
// socket is just being written to.
var varying = regexp.MustCompile(`lru_seconds_idle:\d+|events=\w+`)

// steady takes out what varies.
func steady(s string) string {
	return varying.ReplaceAllStringFunc(s, func(m string) string { return m[:strings.IndexAny(m, ":=")+1] + "*" })
}

var step = regexp.MustCompile(`^(\w+?)(:|>>|>|<|~|3)(?:\s+(.*))?$`)

func (s *side) line(d *datadriven.TestData, line string) (string, error) {
	if ms, ok := strings.CutPrefix(line, "sleep "); ok {
		n, err := strconv.Atoi(ms)
		time.Sleep(time.Duration(n) * time.Millisecond)
		return "", err
	}
	m := step.FindStringSubmatch(line)
	if m == nil {
		return "", errors.New("this is no step")
	}
	c, err := s.conn(m[1])
	if err != nil {
		return "", err
	}
	switch m[2] {
	case ":":
		err = s.send(c, m[3])
		return read(d, c) + "\n", err
	case ">":
		err = s.send(c, m[3])
		time.Sleep(settle)
	case ">>":
		var raw string
		raw, err = strconv.Unquote(m[3])
		c.QueueRaw([]byte(raw))
		_ = c.Flush() // a closed connection shows when it is read
		time.Sleep(settle)
	case "<":
		return read(d, c) + "\n", nil
	case "~":
		return nothing(c) + "\n", nil
	case "3":
		err = s.send(c, "HELLO 3")
		read(d, c)
	}
	return "", err
}

// conn is the connection of a name, opened when it is first used.
func (s *side) conn(name string) (*testutil.Conn, error) {
	if c := s.conns[name]; c != nil {
		return c, nil
	}
	c, err := testutil.Dial(s.addr)
	if err != nil {
		return nil, err
	}
	c.SetTimeout(replyTimeout)
	s.conns[name] = c
	if v, err := c.DoErr("CLIENT", "ID"); err == nil {
		s.ids[name] = v.Str
	}
	return c, nil
}

// settle is how long a server gets to take in what was sent without waiting for a
// reply, before the story goes on elsewhere.
const settle = slowness * 25 * time.Millisecond

// replyTimeout is when a reply that does not come is given up.
const replyTimeout = 5 * time.Second

var named = regexp.MustCompile(`\{(\w+)\}`)

func (s *side) send(c *testutil.Conn, line string) error {
	var faults []error
	line = named.ReplaceAllStringFunc(line, func(m string) string {
		name := m[1 : len(m)-1]
		_, err := s.conn(name)
		faults = append(faults, err)
		return s.ids[name]
	})
	words, ok := text.SplitArgs([]byte(line))
	if !ok {
		faults = append(faults, errors.New("unbalanced quotes"))
	}
	var args []string
	for _, w := range words {
		args = append(args, string(w))
	}
	c.Queue(args...)
	_ = c.Flush() // a closed connection shows when it is read
	return errors.Join(faults...)
}

// read reads one reply and shows it as the block wants it.
func read(d *datadriven.TestData, c *testutil.Conn) string {
	raw, err := c.ReadRaw()
	if err != nil {
		return failure(err)
	}
	v, err := testutil.Parse(raw)
	if err != nil {
		return "unreadable: " + err.Error()
	}
	return hide(d, show(d, v))
}

func failure(err error) string {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "(no reply)"
	}
	if errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset by peer") {
		return "(closed)"
	}
	return err.Error()
}

func nothing(c *testutil.Conn) string {
	c.SetTimeout(100 * time.Millisecond)
	defer c.SetTimeout(replyTimeout)
	raw, err := c.ReadRaw()
	if err != nil {
		return failure(err)
	}
	return fmt.Sprintf("%q", raw)
}

var field = regexp.MustCompile(`([\w-]+)[=:]([^ \r\n]*)`)

func show(d *datadriven.TestData, v testutil.Value) string {
	for _, a := range d.CmdArgs {
		if a.Key != "show" || v.Kind != '$' && v.Kind != '=' {
			continue
		}
		var lines []string
		for line := range strings.Lines(v.Str) {
			var kept []string
			for _, m := range field.FindAllStringSubmatch(line, -1) {
				for _, name := range a.Vals {
					if m[1] == name {
						kept = append(kept, m[0])
					}
				}
			}
			if len(kept) > 0 {
				lines = append(lines, strings.Join(kept, " "))
			}
		}
		return strings.Join(lines, "\n")
	}
	return v.String()
}

func hide(d *datadriven.TestData, s string) string {
	for _, a := range d.CmdArgs {
		if a.Key == "hide" {
			for _, expr := range a.Vals {
				s = regexp.MustCompile(expr).ReplaceAllString(s, "(hidden)")
			}
		}
	}
	return s
}

// shorten cuts long replies and keeps enough to tell two of them apart.
func shorten(s string) string {
	const most = 600
	if len(s) <= most {
		return s
	}
	return fmt.Sprintf("%s... %d characters\n", s[:most], len(s))
}
