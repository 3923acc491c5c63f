package replication

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// linkStory plays a Link.
type linkStory struct {
	story
	link *Link
	conn uint64 // the try whose connection the story means
}

func TestLinkStories(t *testing.T) {
	var s *linkStory
	stories(t, "link", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "link" {
			s.settings(t, d)
			return ""
		}
		return s.play(d.Input, s.event)
	}, func() { s = &linkStory{} })
}

// settings makes or changes the link.
func (s *linkStory) settings(t *testing.T, d *datadriven.TestData) {
	o := LinkSettings{Port: 6380, Timeout: time.Minute, KeepData: !d.HasArg("unguarded")}
	d.MaybeScanArgs(t, "user", &o.User)
	d.MaybeScanArgs(t, "password", &o.Password)
	d.MaybeScanArgs(t, "ip", &o.IP)
	d.MaybeScanArgs(t, "version", &o.Version)
	if s.link == nil {
		s.link = NewLink(o, rand.New(rand.NewPCG(1, 2)))
	}
	s.link.Set(o)
}

func (s *linkStory) event(word string, args []string) {
	switch word {
	case "due":
		s.say("%s", s.after(s.link.Due()))
	case "status":
		st := s.link.Status(s.now)
		s.say("%s %s:%d io=%s down=%s size=%d read=%d", st.State, st.Host, st.Port, st.LastIO, st.DownFor, st.SyncSize, st.SyncRead)
		if st.Trouble+st.KeepsData != "" {
			s.say("trouble=%q keeps=%q", st.Trouble, st.KeepsData)
		}
	case "wait": // until the machine wants to be woken
		if due := s.link.Due(); due != Never {
			s.now = max(s.now, due)
		}
		s.step(Tick{})
	default:
		s.step(s.parse(word, args))
	}
}

func (s *linkStory) parse(word string, args []string) Event {
	rest := strings.Join(args, " ")
	_, known := option(args, "known")
	_, failover := option(args, "failover")
	_, whole := option(args, "whole")
	proof, _ := option(args, "proof")
	try := s.conn
	if stale, ok := option(args, "try"); ok {
		try, _ = strconv.ParseUint(stale, 10, 64)
	}
	switch word {
	case "follow":
		port, _ := strconv.Atoi(args[1])
		return Follow{Host: args[0], Port: port, Known: known, Failover: failover}
	case "unfollow":
		return Unfollow{}
	case "connected":
		return Connected{Try: try, Have: position(args[0]), Keys: number(args, "keys"), Kept: uint64(number(args, "kept")), Proof: proof}
	case "line":
		return Line{try, expand(rest)}
	case "received":
		return Received{try, int64(number(args, "bytes")), whole}
	case "loaded":
		return Loaded{try}
	case "heard":
		return Heard{try}
	case "lost":
		return Lost{try, errors.New(rest)}
	case "told":
		if e, ok := strings.CutPrefix(rest, "error "); ok {
			return Told{try, "", errors.New(e)}
		}
		return Told{try, strings.ReplaceAll(expand(rest), " ", "\r\n"), nil}
	case "tick":
		return Tick{}
	}
	panic("no event: " + word)
}

// expand puts names for {letter}.
func expand(s string) string {
	for {
		before, after, ok := strings.Cut(s, "{")
		if !ok {
			return s
		}
		letter, after, _ := strings.Cut(after, "}")
		s = before + long(letter) + after
	}
}

func (s *linkStory) step(e Event) {
	for _, e := range s.link.Step(e, s.now) {
		switch e := e.(type) {
		case Dial:
			s.conn = e.Try
		case Ask:
			s.conn = e.Try
		}
		s.say("%s", showEffect(e))
	}
}

// showEffect is an effect on one line.
func showEffect(e Effect) string {
	switch e := e.(type) {
	case Log:
		if e.Warning {
			return "# " + e.Text
		}
		return "* " + e.Text
	case Send:
		return "-> " + strings.Join(e.Args, " ")
	case Newline:
		return `-> \n`
	case Receive:
		how := "size " + strconv.FormatInt(e.Snapshot.Size, 10)
		if e.Snapshot.Mark != nil {
			how = "mark " + string(e.Snapshot.Mark)
		}
		return fmt.Sprintf("receive at %s, %s, keys at least %d", e.At, how, e.KeysMin)
	case HandedOver:
		if e.Doubt {
			return "handed over: in doubt"
		}
		return fmt.Sprintf("handed over: %q", e.Why)
	}
	return strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", e), "replication.")) + fmt.Sprintf(" %v", e)
}

func TestAppendAck(t *testing.T) {
	if got, want := string(AppendAck([]byte("x"), 1234, -1)), "x*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$4\r\n1234\r\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got, want := string(AppendAck(nil, 0, 99)), "*5\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n$4\r\nFACK\r\n$2\r\n99\r\n"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

// TestLinkAnyEvents: whatever comes in whatever order, nothing breaks, and a link that
// follows somebody always wants to be woken or waits for an answer.
func TestLinkAnyEvents(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	lines := []string{"", "+PONG", "+OK", "-ERR no", "-NOMASTERLINK", "-LOADING x", "+CONTINUE", "+CONTINUE " + long("b"), "+FULLRESYNC", "+FULLRESYNC " + long("c") + " 7", "$100", "$EOF:" + long("m"), "$x"}
	l, now := NewLink(LinkSettings{Timeout: time.Minute, KeepData: true, Password: "p"}, r), time.Duration(0)
	for range 200000 {
		now += time.Duration(r.Int64N(int64(2 * time.Second)))
		try := l.Try()
		events := []Event{Tick{}, Tick{}, Tick{}, Connected{Try: try, Have: Position{long("a"), 10}, Keys: 5}, Line{try, lines[r.IntN(len(lines))]}, Line{try, lines[r.IntN(len(lines))]},
			Line{try, "+OK"}, Received{try, 1, r.IntN(3) == 0}, Loaded{try}, Heard{try}, Told{try, "role:master\r\n", nil}, Told{try, "", errors.New("x")}}
		if r.IntN(20) == 0 {
			events = []Event{Follow{"h", 1, true, r.IntN(2) == 0}, Unfollow{}, Lost{try, nil}, Lost{try, nil}}
		}
		e := events[r.IntN(len(events))]
		l.Step(e, now)
		st := l.Status(now)
		if loading := st.State == LinkSync && l.whole; st.State != LinkNone && !l.guard.asking && !loading && l.Due() == Never {
			t.Fatalf("seed %d: after %T %v the link is %s and never wants to be woken", seed, e, e, st.State)
		}
	}
}
