package server_test

import (
	"fmt"
	"strings"
	"testing"

	"dozo"
)

func TestConfigDrift(t *testing.T) {
	var log logBuffer
	c := dial(t, serve(t, dozo.Options{Log: &log}, "maxmemory-samples", "7").Addr())
	drift := func() string { return c.must("CONFIG DRIFT").String() }
	if got := drift(); got != "*[]" || c.info("dozo", "config_drift") != "0" {
		t.Errorf("drift of a fresh server: %s, %s", got, c.info("dozo", "config_drift"))
	}
	c.must("CONFIG SET maxmemory-samples 9 requirepass secret hz 10")
	if got, want := drift(), `*["requirepass" *["running" "(secret)" "restart" "(secret)"] "maxmemory-samples" *["running" "9" "restart" "7"]]`; got != want {
		t.Errorf("drift %s, want %s", got, want)
	}
	if n := c.info("dozo", "config_drift"); n != "2" {
		t.Errorf("config_drift:%s", n)
	}
	text := log.String()
	if !strings.Contains(text, "maxmemory-samples: the running value '9' is not what a restart would load ('7')") || strings.Contains(text, "'secret'") {
		t.Errorf("log: %s", text)
	}
	c.must("HELLO 3")
	if v := c.must("CONFIG DRIFT"); v.Kind != '%' {
		t.Errorf("CONFIG DRIFT in RESP3 is %c", v.Kind)
	}
}

// TestConfigTakesEffect: what CONFIG SET changes is acted upon at once.
func TestConfigTakesEffect(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start()
		a := dial(t, srv.Addr())
		a.must("CONFIG SET maxclients 2")
		b := dial(t, srv.Addr())
		b.must("PING")
		full := dial(t, srv.Addr())
		if v := full.do("PING"); v.Str != "ERR max number of clients reached" || !full.closed() {
			t.Errorf("the third of two clients: %s", v)
		}
		if n := a.infoInt("stats", "rejected_connections"); n != 1 {
			t.Errorf("rejected_connections:%d", n)
		}
		a.must("CONFIG SET maxclients 100 proto-max-bulk-len 1mb client-query-buffer-limit 1mb hz 100")
		b.QueueRaw(fmt.Appendf(nil, "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\nbegin", 1<<20+1))
		if err := b.Flush(); err != nil {
			t.Fatal(err)
		}
		if raw, err := b.ReadRaw(); string(raw) != "-ERR Protocol error: invalid bulk length\r\n" {
			t.Errorf("a value beyond proto-max-bulk-len: %q, %v", raw, err)
		}
		if hz := a.info("server", "hz"); hz != "100" {
			t.Errorf("hz:%s", hz)
		}
		idle := dial(t, srv.Addr())
		idle.must("PING")
		a.must("CONFIG SET timeout 1")
		if !idle.closed() {
			t.Error("an idle client stays beyond timeout")
		}
	})
}

// TestRenameCommand: a command of another name is found by that only.
func TestRenameCommand(t *testing.T) {
	c := dial(t, serve(t, dozo.Options{}, "rename-command", "GET fetch", "rename-command", `FLUSHALL ""`).Addr())
	c.must("SET k v")
	if v := c.must("FETCH k"); v.Str != "v" {
		t.Errorf("FETCH: %s", v)
	}
	for _, line := range []string{"GET k", "FLUSHALL"} {
		if v := c.do(line); !strings.HasPrefix(v.Str, "ERR unknown command") {
			t.Errorf("%s: %s", line, v)
		}
	}
	_, err := dozo.Start(dozo.Options{Directives: [][2]string{{"rename-command", "NOSUCH x"}}})
	if err == nil || !strings.Contains(err.Error(), "No such command in rename-command") {
		t.Error(err)
	}
}
