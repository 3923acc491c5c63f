package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// The tests in this file are two incidents. Somebody sets at run time what must
// hold, everybody sees it hold, and after the next restart it does not; or somebody
// edits the file, everybody reads there what holds, and it does not until the next
// restart, when nobody expects it. On a genuine server there is nothing to see in
// between.

// configured is a server on a file of its own.
type configured struct {
	*testutil.Peer
	server *testutil.Server
	file   string
	start  func() configured // again, on the same file
}

// onFile starts a server of o's kind on a file with content; options are its
// command line.
func onFile(t *testing.T, o testutil.Options, err error, content string, options ...string) configured {
	t.Helper()
	must(t, err)
	file := filepath.Join(t.TempDir(), "redis.conf")
	must(t, os.WriteFile(file, []byte(content), 0o600))
	return inFolder(t, o, file, filepath.Dir(file), options...)
}

// inFolder is onFile with a file that is there and a folder for the data.
func inFolder(t *testing.T, o testutil.Options, file, dir string, options ...string) configured {
	t.Helper()
	o.Bare, o.Args, o.Config = true, append(o.Args, file), append(options, "--dir", dir)
	return startOn(t, o, file)
}

func startOn(t *testing.T, o testutil.Options, file string) configured {
	t.Helper()
	s, err := testutil.Start(o)
	must(t, err)
	t.Cleanup(s.Stop)
	return configured{s.Conn(t, 2), s, file, func() configured { return startOn(t, o, file) }}
}

func dozoOnFile(t *testing.T, content string, options ...string) configured {
	o, err := testutil.DozoOptions(testutil.Plain)
	return onFile(t, o, err, content, options...)
}

func redisOnFile(t *testing.T, content string, options ...string) configured {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	o, err := testutil.RedisOptions()
	return onFile(t, o, err, content, options...)
}

func (c configured) value(directive string) string {
	return c.MustOK("CONFIG", "GET", directive).Elems[1].Str
}

// TestForgottenConfigSetOnRedis shows the loss: nothing tells of it before, and
// after it nothing says what there was.
func TestForgottenConfigSetOnRedis(t *testing.T) {
	c := redisOnFile(t, "maxmemory 100mb\nmaxmemory-policy noeviction\n")
	c.MustOK("CONFIG", "SET", "maxmemory", "200mb", "maxmemory-policy", "allkeys-lru")
	must(t, c.server.Signal(syscall.SIGTERM))
	waitFor(t, "the server to end", func() bool { return !c.server.Alive() })
	if log := c.server.Log(); strings.Contains(log, "maxmemory") {
		t.Errorf("a genuine server does tell: %s", log)
	}
	c = c.start()
	if got := c.value("maxmemory") + " " + c.value("maxmemory-policy"); got != "104857600 noeviction" {
		t.Errorf("after the restart: %s", got)
	}
}

// TestForgottenConfigSet is the same on Dozo, which tells in the command, in INFO
// and in the log, while there is time, and at the end.
func TestForgottenConfigSet(t *testing.T) {
	c := dozoOnFile(t, "# ours\nmaxmemory 100mb\nrequirepass old\n", "--config-drift-warn-after", "1")
	c.MustOK("AUTH", "old")
	c.MustOK("CLIENT", "SETNAME", "night-shift")
	c.MustOK("CONFIG", "SET", "maxmemory", "200mb", "maxmemory-policy", "allkeys-lru", "requirepass", "new")
	drift := map[string]map[string]testutil.Value{}
	for i, list := 0, c.MustOK("CONFIG", "DRIFT").Elems; i < len(list); i += 2 {
		drift[list[i].Str] = map[string]testutil.Value{}
		for j := 0; j < len(list[i+1].Elems); j += 2 {
			drift[list[i].Str][list[i+1].Elems[j].Str] = list[i+1].Elems[j+1]
		}
	}
	memory := drift["maxmemory"]
	if len(drift) != 3 || memory["running"].Str != "209715200" || memory["restart"].Str != "104857600" ||
		memory["source"].Str != c.file || memory["line"].Int() != 2 || memory["name"].Str != "night-shift" || drift["maxmemory-policy"]["source"].Str != "default" {
		t.Errorf("CONFIG DRIFT: %v", drift)
	}
	if n := c.Info("server", "config_drift"); n != "3" {
		t.Errorf("config_drift:%s", n)
	}
	line := `maxmemory is "209715200", a restart would load "104857600" (` + c.file + `:2), set 20`
	waitFor(t, "a warning in the log", func() bool {
		log := c.server.Log()
		return strings.Contains(log, "The configuration has drifted: for 1 seconds and more, 3 directives") && strings.Count(log, line) == 2
	})
	must(t, c.server.Signal(syscall.SIGTERM))
	waitFor(t, "the server to end", func() bool { return !c.server.Alive() })
	log := c.server.Log()
	if _, end, _ := strings.Cut(log, "Received SIGTERM"); !strings.Contains(end, "3 directives are not what the next start will load:") || !strings.Contains(end, line) {
		t.Errorf("at the end: %s", end)
	}
	if strings.Contains(log, `"new"`) || strings.Contains(log, `"old"`) {
		t.Errorf("a password is in the log: %s", log)
	}
}

// TestForgottenConfigSetKept: with config-set-persist there is nothing to forget.
func TestForgottenConfigSetKept(t *testing.T) {
	const content = "# ours\nmaxmemory 100mb\nconfig-set-persist yes\n"
	for _, kind := range []string{"file", "link"} {
		t.Run(kind, func(t *testing.T) {
			c := dozoOnFile(t, content)
			real := c.file
			if kind == "link" { // as a ConfigMap is mounted
				real = filepath.Join(filepath.Dir(c.file), "data.conf")
				must(t, os.Rename(c.file, real))
				must(t, os.Symlink(real, c.file))
			}
			c.MustOK("CONFIG", "SET", "maxmemory", "200mb", "maxmemory-policy", "allkeys-lru", "save", "900 1", "requirepass", "x y")
			if n := c.Info("server", "config_drift"); n != "0" {
				t.Errorf("config_drift:%s", n)
			}
			must(t, c.server.Signal(syscall.SIGKILL))
			waitFor(t, "the server to end", func() bool { return !c.server.Alive() })
			c = c.start()
			c.MustOK("AUTH", "x y")
			if got := c.value("maxmemory") + " " + c.value("maxmemory-policy"); got != "209715200 allkeys-lru" {
				t.Errorf("after the restart: %s", got)
			}
			now, err := os.ReadFile(real)
			must(t, err)
			overlay := c.Info("server", "config_overlay_file")
			if kind == "link" && (string(now) != content || overlay == "") || kind == "file" && (overlay != "" || !strings.HasPrefix(string(now), "# ours\nmaxmemory 200mb\n")) {
				t.Errorf("the file is now %q, the overlay %q", now, overlay)
			}
		})
	}
}

// TestForgottenFileEditOnRedis shows the surprise.
func TestForgottenFileEditOnRedis(t *testing.T) {
	c := redisOnFile(t, "maxmemory 100mb\n")
	must(t, os.WriteFile(c.file, []byte("maxmemory 50mb\n"), 0o600))
	time.Sleep(100 * time.Millisecond)
	if got := c.value("maxmemory"); got != "104857600" || strings.Contains(c.server.Log(), "maxmemory") {
		t.Errorf("a genuine server notices: %s", got)
	}
	// Worse: whoever keeps another setting takes the edit back.
	c.MustOK("CONFIG", "SET", "timeout", "60")
	c.MustOK("CONFIG", "REWRITE")
	if content, err := os.ReadFile(c.file); err != nil || !strings.Contains(string(content), "maxmemory 100mb\n") {
		t.Errorf("the edit survives a rewrite: %s, %v", content, err)
	}
}

// TestForgottenFileEdit is the same on Dozo.
func TestForgottenFileEdit(t *testing.T) {
	c := dozoOnFile(t, "maxmemory 100mb\n", "--config-drift-warn-after", "1")
	must(t, os.WriteFile(c.file, []byte("maxmemory 50mb\nrename-command FLUSHALL \"\"\n"), 0o600))
	list := c.MustOK("CONFIG", "DRIFT").Elems
	if len(list) != 4 || list[0].Str != "maxmemory" || list[1].Elems[3].Str != "52428800" || list[1].Elems[7].Str != "edited" || list[2].Str != "rename-command" {
		t.Errorf("CONFIG DRIFT: %v", list)
	}
	edit := `maxmemory is "104857600", a restart would load "52428800" (` + c.file + `:1), edited since the start`
	waitFor(t, "a warning in the log", func() bool { return strings.Contains(c.server.Log(), edit) })
	if n := c.Info("server", "config_drift"); n != "2" {
		t.Errorf("config_drift:%s", n)
	}
	c.MustOK("CONFIG", "SET", "timeout", "60")
	c.MustOK("CONFIG", "REWRITE")
	if log := c.server.Log(); !strings.Contains(log, `CONFIG REWRITE: maxmemory had been edited to "52428800" at `+c.file+`:1 and never loaded. It is "104857600" now, as is running.`) {
		t.Errorf("log: %s", log)
	}
	// A file that would keep the server from starting is news, too.
	must(t, os.WriteFile(c.file, []byte("maxmemory lots\n"), 0o600))
	waitFor(t, "a warning that the next start will fail", func() bool {
		return strings.Contains(c.server.Log(), "so that a restart would fail: "+c.file+", line 1: 'maxmemory lots': argument must be a memory value")
	})
	if n := c.Info("server", "config_unreadable"); n != "1" {
		t.Errorf("config_unreadable:%s", n)
	}
}
