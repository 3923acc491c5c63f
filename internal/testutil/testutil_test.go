package testutil

import (
	"bufio"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ raw, want string }{
		{"+OK\r\n", "+OK"},
		{"-ERR no\r\n", "(error) ERR no"},
		{":-5\r\n", ":-5"},
		{"$0\r\n\r\n", `""`},
		{"$4\r\na\r\nb\r\n", `"a\r\nb"`},
		{"$-1\r\n", "(nil)"},
		{"*-1\r\n", "(nil)"},
		{"_\r\n", "(nil)"},
		{"*0\r\n", "*[]"},
		{"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", `*[:1 *["x"]]`},
		{"%1\r\n+k\r\n,1.5\r\n", "%[+k ,1.5]"},
		{"|1\r\n+a\r\n+b\r\n:7\r\n", ":7"},
		{"*2\r\n|1\r\n+a\r\n+b\r\n:7\r\n:8\r\n", "*[:7 :8]"},
		{"=7\r\ntxt:abc\r\n", "=txt:abc"},
	} {
		v, err := Parse([]byte(c.raw))
		if err != nil || v.String() != c.want {
			t.Errorf("Parse(%q) = %v, %v; want %s", c.raw, v, err, c.want)
		}
		raw, err := AppendReply(nil, bufio.NewReader(strings.NewReader(c.raw+"+NEXT\r\n")))
		if err != nil || string(raw) != c.raw {
			t.Errorf("AppendReply(%q) = %q, %v", c.raw, raw, err)
		}
	}
}

func TestParseRefusesBrokenReplies(t *testing.T) {
	for _, raw := range []string{"", "+OK", "?1\r\n", "$3\r\nabcde", "$x\r\n", "*2\r\n:1\r\n", ":1\r\n:2\r\n"} {
		if _, err := AppendReply(nil, bufio.NewReader(strings.NewReader(raw))); err == nil {
			if _, err = Parse([]byte(raw)); err == nil {
				t.Errorf("%q was taken for a reply", raw)
			}
		}
	}
}

func TestServerLifeAndConn(t *testing.T) {
	s := StartRedis(t, "--maxmemory", "7mb")
	c := s.Conn(t, 3)
	c.MustOK("SET", "k", "a\x00\r\nb")
	if got := c.Do("GET", "k").Str; got != "a\x00\r\nb" {
		t.Errorf("GET: %q", got)
	}
	if got := c.Info("memory", "maxmemory"); got != "7340032" {
		t.Errorf("maxmemory: %q", got)
	}
	if !s.Alive() || !strings.Contains(s.Log(), "Ready to accept connections") {
		t.Errorf("log: %s", s.Log())
	}
	if err := s.Terminate(); err != nil || s.Alive() {
		t.Errorf("Terminate: %v", err)
	}
	if _, err := c.DoErr("PING"); err == nil {
		t.Error("a terminated server answered")
	}
}

func TestStartTellsWhy(t *testing.T) {
	o, err := RedisOptions("--no-such-directive", "x")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(o); err == nil || !strings.Contains(err.Error(), "no-such-directive") {
		t.Errorf("a bad directive: %v", err)
	}
}

func TestProcessTimes(t *testing.T) {
	s := StartRedis(t)
	used, err := CPUTime(s.Pid)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip(err)
	}
	if err != nil || used <= 0 || used > time.Minute {
		t.Errorf("CPUTime = %v, %v", used, err)
	}
	rss, err := RSS(s.Pid)
	if err != nil || rss < 1<<20 {
		t.Errorf("RSS = %d, %v", rss, err)
	}
}
