package server_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"dozo"
	"dozo/internal/testutil"
)

func TestConfigDrift(t *testing.T) {
	var log testutil.Journal
	c := dial(t, serve(t, dozo.Options{Log: &log}, "maxmemory-samples", "7").Addr())
	if got := c.must("CONFIG DRIFT").String(); got != "*[]" || c.info("server", "config_drift") != "0" {
		t.Errorf("drift of a fresh server: %s, %s", got, c.info("server", "config_drift"))
	}
	before := time.Now().UnixMilli()
	c.must("CLIENT SETNAME ops")
	c.must("CONFIG SET maxmemory-samples 9 requirepass secret hz 10")
	if n := c.info("server", "config_drift"); n != "2" {
		t.Errorf("config_drift:%s", n)
	}
	list := fields(c.must("CONFIG DRIFT"))
	pass, samples := fields(list["requirepass"]), fields(list["maxmemory-samples"])
	if len(list) != 2 || pass["running"].Str != "secret" || pass["restart"].Str != "" || pass["source"].Str != "default" {
		t.Errorf("drift: %v", list)
	}
	for field, want := range map[string]string{
		"running": "9", "restart": "7", "source": "command line", "line": "0", "cause": "set",
		"addr": c.Net().LocalAddr().String(), "name": "ops", "user": "default",
	} {
		if got := samples[field].Str; got != want {
			t.Errorf("%s is %q, want %q", field, got, want)
		}
	}
	if at := samples["changed-at-ms"].Int(); at < before || at > time.Now().UnixMilli() {
		t.Errorf("changed at %d", at)
	}
	text := log.String()
	if !strings.Contains(text, `maxmemory-samples is "9", a restart would load "7" (command line)`) || strings.Contains(text, `"secret"`) ||
		!strings.Contains(text, "There is no config file for CONFIG REWRITE: the command line keeps it.") {
		t.Errorf("log: %s", text)
	}
	c.must("HELLO 3")
	if v := c.must("CONFIG DRIFT"); v.Kind != '%' || v.Elems[1].Kind != '%' {
		t.Errorf("CONFIG DRIFT in RESP3 is %s", v)
	}
	c.must("MULTI")
	c.must("CONFIG DRIFT")
	if v := c.must("EXEC"); len(v.Elems) != 1 || v.Elems[0].Kind != '%' || len(v.Elems[0].Elems) != 4 {
		t.Errorf("CONFIG DRIFT in a transaction: %s", v)
	}
}

// fields is a map as RESP has it.
func fields(v testutil.Value) map[string]testutil.Value {
	m := map[string]testutil.Value{}
	for i := 0; i+1 < len(v.Elems); i += 2 {
		m[v.Elems[i].Str] = v.Elems[i+1]
	}
	return m
}

// TestConfigTakesEffect: what CONFIG SET changes is acted upon at once.
func TestConfigTakesEffect(t *testing.T) {
	variantsTogether(t, func(t *testing.T, start func(...string) *dozo.Server) {
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

// TestPersistInATransaction: where nobody can wait the file is written on the spot.
func TestPersistInATransaction(t *testing.T) {
	_, connect, name, _ := serveFile(t, "config-set-persist yes\n")
	c := connect()
	c.must("MULTI")
	c.must("CONFIG SET timeout 100")
	c.must("CONFIG SET timeout x")
	c.must("CONFIG SET hz 20")
	c.must("CONFIG REWRITE")
	if v := c.must("EXEC"); len(v.Elems) != 4 || v.Elems[0].Str != "OK" || !v.Elems[1].IsError() || v.Elems[2].Str != "OK" || v.Elems[3].Str != "OK" {
		t.Errorf("EXEC: %s", v)
	}
	content, err := os.ReadFile(name)
	if err != nil || !strings.Contains(string(content), "timeout 100\n") || !strings.Contains(string(content), "hz 20\n") {
		t.Errorf("%v, file:\n%s", err, content)
	}
	if n := c.info("commandstats", "cmdstat_config|set"); !strings.HasPrefix(n, "calls=3,") || !strings.Contains(n, "failed_calls=1") {
		t.Errorf("cmdstat_config|set:%s", n)
	}
	c.must("CONFIG SET timeout 200")
	if v := c.do("CONFIG SET timeout x"); !v.IsError() {
		t.Error(v)
	}
	if n := c.info("commandstats", "cmdstat_config|set"); !strings.HasPrefix(n, "calls=5,") || !strings.Contains(n, "failed_calls=2") {
		t.Errorf("cmdstat_config|set:%s", n)
	}
}

// TestShutdownTellsOfDrift: the last chance to read what ends with the process.
func TestShutdownTellsOfDrift(t *testing.T) {
	_, connect, _, log := serveFile(t, "timeout 100\n")
	c := connect()
	c.must("CONFIG SET timeout 200")
	c.ask("SHUTDOWN NOSAVE")
	eventually(t, "the server to end", c.closed)
	if text := log.String(); !strings.Contains(text, `1 directives are not what the next start will load:`) ||
		strings.Count(text, `timeout is "200", a restart would load "100"`) != 2 || !strings.Contains(text, "CONFIG REWRITE keeps it.") {
		t.Errorf("log: %s", text)
	}
}

// TestCommandLineWins: what the command line says, CONFIG REWRITE does not keep, and the
// log does not say that it does.
func TestCommandLineWins(t *testing.T) {
	_, connect, _, log := serveFile(t, "timeout 100\n")
	if v, err := connect().DoErr("CONFIG", "SET", "save", "900 1"); err != nil || v.IsError() { // serveFile's command line has it
		t.Fatal(v, err)
	}
	if text := log.String(); !strings.Contains(text, "The command line wins over CONFIG REWRITE") || strings.Contains(text, "CONFIG REWRITE keeps it") {
		t.Errorf("log: %s", text)
	}
}
