package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestLoadRefuses(t *testing.T) {
	for _, tt := range []struct {
		content string
		line    int
		reason  string
	}{
		{"nonsense", 1, "Bad directive or wrong number of arguments"},
		{"# one\n\n  hz 10  \n\tport 1 2 \r\n", 4, "wrong number of arguments"},
		{"hz", 1, "wrong number of arguments"},
		{"hz \"10", 1, "Unbalanced quotes in configuration line"},
		{"save \"'900 1\"", 1, "Unbalanced quotes in configuration line"},
		{"save 900", 1, "Invalid save parameters"},
		{"save 0 1", 1, "Invalid save parameters"},
		{"save 900 -1", 1, "Invalid save parameters"},
		{"slaveof 127.0.0.1", 1, "wrong number of arguments"},
		{"slaveof 127.0.0.1 port", 1, "Invalid master port"},
		{"replicaof 127.0.0.1 65536", 1, "Invalid master port"},
		{"oom-score-adj-values 1 2", 1, "wrong number of arguments"},
		{"oom-score-adj-values 1 2 2001", 1, "Invalid oom-score-adj-values, elements must be between -2000 and 2000."},
		{"client-output-buffer-limit normal 1 2", 1, "Wrong number of arguments in buffer limit configuration."},
		{"client-output-buffer-limit master 1 2 3", 1, "Invalid client class specified in buffer limit configuration."},
		{"client-output-buffer-limit normal 1 x 3", 1, "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
		{"client-output-buffer-limit normal 1 2 -3", 1, "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
		{"latency-tracking-info-percentiles 50 x", 1, "Invalid latency-tracking-info-percentiles parameters"},
		{"latency-tracking-info-percentiles 50 101", 1, "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
		{"unixsocketperm 888", 1, "argument couldn't be parsed as an octal number"},
		{"unixsocketperm 1000", 1, "argument must be between 0 and 777 inclusive"},
		{"dbfilename a/b", 1, "dbfilename can't be a path, just a filename"},
		{"appendfilename \"\"", 1, "appendfilename can't be empty"},
		{"appenddirname a\\b", 1, "appenddirname can't be a path, just a dirname"},
		{"proc-title-template {unknown}", 1, "template format is invalid or contains unknown variables"},
		{"proc-title-template {port", 1, "template format is invalid or contains unknown variables"},
		{"proc-title-template {title}", 1, "template format is invalid or contains unknown variables"},
		{"cluster-announce-hostname under_score", 1, "Hostnames may only contain alphanumeric characters, hyphens or dots"},
		{"cluster-announce-hostname " + strings.Repeat("a", 256), 1, "Hostnames must be less than 256 characters"},
		{"cluster-announce-human-nodename a$b", 1, "Announced human node name contained invalid character"},
		{"cluster-enabled yes", 1, "Dozo has no cluster mode: set cluster-enabled to no"},
		{"dir /nowhere", 1, "No such file or directory"},
		{"include", 1, "Bad directive or wrong number of arguments"},
		{"rename-command GET", 1, "Bad directive or wrong number of arguments"},
		{"user", 1, "Bad directive or wrong number of arguments"},
		{"sentinel monitor mine 127.0.0.1 6379 2", 1, "sentinel directive while not in sentinel mode"},
		{"list-max-ziplist-entries 1 2", 1, "Bad directive or wrong number of arguments"},
		{"search.timeout 5", 1, "'search.timeout' is a directive of a module, and Dozo loads no modules: remove the line"},
	} {
		c, m := withFile(t, "hz 33")
		m.files["/etc/bad.conf"] = tt.content
		err := c.Load(Sources{File: "/etc/bad.conf"})
		var e *Error
		if !errors.As(err, &e) || e.Line != tt.line || e.Reason != tt.reason || e.Source != "/etc/bad.conf" {
			t.Errorf("%q: %#v", tt.content, err)
		}
		if c.Int(HZ) != 33 || c.File() != "/etc/dozo.conf" {
			t.Errorf("%q was refused but changed something", tt.content)
		}
	}
}

func TestLoadAccepts(t *testing.T) {
	for _, tt := range []struct {
		content, directive, want string
	}{
		{"PORT 7000", "port", "7000"},
		{"slave-priority 5", "replica-priority", "5"},
		{"port 1\nport 2", "port", "2"},
		{"   # comment\nport 3", "port", "3"},
		{`requirepass "a b\x41\n"`, "requirepass", "a bA\n"},
		{"requirepass 'a b'", "requirepass", "a b"},
		{`requirepass ""`, "requirepass", ""},
		{"save 900 1\nsave 300 10", "save", "900 1 300 10"},
		{"save 900 1 300 10", "save", "900 1 300 10"},
		{`save "900 1 300 10"`, "save", "900 1 300 10"},
		{"save 900 1\nsave \"\"\nsave 60 5", "save", "60 5"},
		{`save ""`, "save", ""},
		{`save "\"\""`, "save", ""},
		{"save", "save", ""},
		{"bind", "bind", ""},
		{`bind "127.0.0.1 ::1"`, "bind", "127.0.0.1 ::1"},
		{"client-output-buffer-limit pubsub 1mb 0 0\nclient-output-buffer-limit slave 2k 1k 3", "client-output-buffer-limit",
			"normal 0 0 0 slave 2000 1000 3 pubsub 1048576 0 0"},
		{"shutdown-on-sigint NOW save", "shutdown-on-sigint", "save now"},
		{"oom-score-adj relative", "oom-score-adj", "yes"},
		{"maxmemory 1Gb", "maxmemory", "1073741824"},
		{"maxmemory b", "maxmemory", "0"},
		{"maxmemory-clients 10%", "maxmemory-clients", "10%"},
		{"hz 100000", "hz", "500"},
		{"hz 0", "hz", "1"},
		{"lua-time-limit 7", "busy-reply-threshold", "7"},
		{"list-max-ziplist-value 64\nlua-replicate-commands yes", "port", "6379"},
		{"sentinel", "port", "6379"},
		{"latency-tracking-info-percentiles 5e1 99.9999999", "latency-tracking-info-percentiles", "50 100"},
		{"proc-title-template {{{port}", "proc-title-template", "{{{port}"},
		{"dir .", "dir", "/data"},
		{"dir more\ndir ..", "dir", "/data"},
	} {
		c, _ := withFile(t, tt.content)
		if got := c.Get(tt.directive); len(got) != 1 || got[0].Value != tt.want {
			t.Errorf("%q: %q", tt.content, got)
		}
	}
}

func TestLoadLayersItsSources(t *testing.T) {
	c, m := withFile(t, "")
	m.files["/data/x.conf"] = "hz 1\ntimeout 1\nport 1\nsave 1 1"
	err := c.Load(Sources{File: "x.conf", Stdin: []byte("timeout 2\nport 2\n"), Options: "port 3\nsave 3 3 "})
	if err != nil {
		t.Fatal(err)
	}
	if c.Int(HZ) != 1 || c.Int(Timeout) != 2 || c.Int(Port) != 3 || c.String(Save) != "1 1 3 3" {
		t.Errorf("%q", c.Get("hz", "timeout", "port", "save"))
	}
	if c.File() != "/data/x.conf" {
		t.Error(c.File())
	}
	if err := c.Load(Sources{}); err != nil || c.Int(HZ) != 10 || c.File() != "" {
		t.Errorf("a second load did not start from the defaults: %v", err)
	}
}

func TestInclude(t *testing.T) {
	c, m := withFile(t, "")
	for name, content := range map[string]string{
		"/etc/d/20.conf":        "port 20",
		"/etc/d/10.conf":        "port 10\nhz 11",
		"/etc/d/.hidden.conf":   "port 99",
		"/etc/d/sub/30.conf":    "timeout 30",
		"/data/more/local.conf": "tcp-backlog 5",
	} {
		m.files[name] = content
	}
	m.files["/etc/main.conf"] = "include /etc/d/*.conf\ninclude /etc/none/*.conf\ninclude /etc/*/[s]ub/3?.conf\ndir more\ninclude local.conf"
	if err := c.Load(Sources{File: "/etc/main.conf"}); err != nil {
		t.Fatal(err)
	}
	if c.Int(Port) != 20 || c.Int(HZ) != 11 || c.Int(Timeout) != 30 || c.Int(TCPBacklog) != 5 {
		t.Errorf("%q", c.Get("port", "hz", "timeout", "tcp-backlog"))
	}
}

func TestIncludeFails(t *testing.T) {
	c, m := withFile(t, "")
	m.files["/etc/self.conf"] = "include /etc/self.conf"
	m.files["/etc/gone.conf"] = "hz 10\ninclude /etc/nothing.conf"
	m.files["/etc/outer.conf"] = "\ninclude /etc/inner.conf"
	m.files["/etc/inner.conf"] = "\n\nport x"
	for file, want := range map[string]string{
		"/etc/self.conf":   "/etc/self.conf, line 1: 'include /etc/self.conf': include goes deeper than 16 files: does a file include itself?",
		"/etc/gone.conf":   "can't open config file '/etc/nothing.conf': No such file or directory",
		"/etc/outer.conf":  "/etc/inner.conf, line 3: 'port x': argument couldn't be parsed into an integer",
		"/etc/absent.conf": "can't open config file '/etc/absent.conf': No such file or directory",
	} {
		if err := c.Load(Sources{File: file}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestFileOnlyLines(t *testing.T) {
	m := newMemFS()
	c := New(Options{FS: m, WorkDir: "/", Sentinel: true})
	m.files["/c"] = "user alice on\nUSER bob off nopass\nrename-command FLUSHALL \"\"\nloadmodule /x.so a b\nsentinel monitor a 127.0.0.1 1 2"
	if err := c.Load(Sources{File: "/c"}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"user":           "[/c:1 [user alice on]][/c:2 [user bob off nopass]]",
		"rename-command": "[/c:3 [rename-command FLUSHALL ]]",
		"loadmodule":     "[/c:4 [loadmodule /x.so a b]]",
		"sentinel":       "[/c:5 [sentinel monitor a 127.0.0.1 1 2]]",
		"include":        "",
	} {
		var b strings.Builder
		for _, l := range c.Lines(name) {
			fmt.Fprintf(&b, "[%s:%d %v]", l.Source, l.Line, l.Args)
		}
		if b.String() != want {
			t.Errorf("%s: %s", name, b.String())
		}
	}
	want := "/c, line 2: 'USER bob off nopass': no such rule"
	if got := c.Lines("user")[1].Wrong("no such rule").Error(); got != want {
		t.Error(got)
	}
}

func TestReport(t *testing.T) {
	c, _ := withFile(t, "")
	for _, tt := range []struct {
		sources Sources
		want    string
	}{
		{Sources{Options: "foo \"bar\" "}, "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\n" +
			"Reading the configuration file, at line 2\n>>> 'foo \"bar\"'\n" +
			"Bad directive or wrong number of arguments\n(in command line)\n"},
		{Sources{File: "none"}, "Fatal error, can't open config file '/data/none': No such file or directory\n"},
		{Sources{Stdin: []byte("hz x")}, "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\n" +
			"Reading the configuration file, at line 1\n>>> 'hz x'\n" +
			"argument couldn't be parsed into an integer\n(in standard input)\n"},
	} {
		var e *Error
		if err := c.Load(tt.sources); !errors.As(err, &e) || e.Report("7.2.6") != tt.want {
			t.Errorf("%v: %v", tt.sources, err)
		}
	}
	e := &Error{Reason: "replicas everywhere"}
	if got := e.Report("7.2.6"); got != "\n*** FATAL CONFIG FILE ERROR (Redis 7.2.6) ***\nreplicas everywhere\n" || e.Error() != e.Reason {
		t.Errorf("%q", got)
	}
}

func TestParseMemory(t *testing.T) {
	for s, want := range map[string]uint64{
		"": 0, "b": 0, "0": 0, "12": 12, "12b": 12, "1k": 1000, "1kb": 1024, "2M": 2000000, "2mB": 2 << 20,
		"3g": 3000000000, "3GB": 3 << 30, "18446744073709551615": 1<<64 - 1, "00012": 12,
	} {
		if got, ok := ParseMemory(s); !ok || got != want {
			t.Errorf("%q: %d %v", s, got, ok)
		}
	}
	for _, s := range []string{"-1", "+1", " 1", "1 ", "1t", "1kbb", "x", "18446744073709551616", "18446744073709551615k"} {
		if got, ok := ParseMemory(s); ok {
			t.Errorf("%q is taken as %d", s, got)
		}
	}
	for n, want := range map[int64]string{0: "0", 1: "1", 1024: "1kb", 1025: "1025", 3 << 20: "3mb", 5 << 30: "5gb"} {
		if got := FormatMemory(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

func TestLeadingInt(t *testing.T) {
	for s, want := range map[string]int64{"": 0, " 12": 12, "\t-3": -3, "+4": 4, "007": 7, "99999999999999999999": maxInt64} {
		if got, ok := leadingInt(s); !ok || got != want {
			t.Errorf("%q: %d %v", s, got, ok)
		}
	}
	for _, s := range []string{" ", "-", "+-1", "1 ", "x", "1x", "0x10"} {
		if got, ok := leadingInt(s); ok {
			t.Errorf("%q is taken as %d", s, got)
		}
	}
}

func TestExpandTitle(t *testing.T) {
	look := func(name string) (string, bool) { return strings.ToUpper(name), name != "bad" }
	for template, want := range map[string]string{"{title} x{{y} ": "TITLE x{y}", "plain": "plain", "": ""} {
		if got, ok := ExpandTitle(template, look); !ok || got != want {
			t.Errorf("%q: %q %v", template, got, ok)
		}
	}
	for _, template := range []string{"{bad}", "{title", "x{"} {
		if got, ok := ExpandTitle(template, look); ok {
			t.Errorf("%q: %q", template, got)
		}
	}
}

func TestParseArgs(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want Args
	}{
		{nil, Args{}},
		{[]string{"a.conf"}, Args{File: "a.conf"}},
		{[]string{"-"}, Args{Stdin: true}},
		{[]string{"a.conf", "-"}, Args{File: "a.conf", Stdin: true}},
		{[]string{"a.conf", "--port", "1", "-"}, Args{File: "a.conf", Stdin: true, Options: `port "1" `}},
		{[]string{"-", "--port", "1"}, Args{Stdin: true, Options: `port "1" `}},
		{[]string{"--port", "6380", "--save", "", "--appendonly", "yes"}, Args{Options: "port \"6380\" \nsave \"\" \nappendonly \"yes\" "}},
		{[]string{"--save", "900", "1", "300", "10"}, Args{Options: `save "900" "1" "300" "10" `}},
		{[]string{"--save", "--port", "1"}, Args{Options: "save \"\"\nport \"1\" "}},
		{[]string{"--port", "1", "--save"}, Args{Options: "port \"1\" \nsave \"\""}},
		{[]string{"--sentinel"}, Args{Options: "sentinel ", Sentinel: true}},
		{[]string{"s.conf", "--sentinel", "--port", "1"}, Args{File: "s.conf", Options: "sentinel \nport \"1\" ", Sentinel: true}},
		{[]string{"--requirepass", "--abc", "--port", "1"}, Args{Options: "requirepass \"--abc\" \nport \"1\" "}},
		{[]string{"--requirepass", "a\nb\"c"}, Args{Options: `requirepass "a\nb\"c" `}},
		{[]string{"--port 6380", "--hz", "5"}, Args{Options: "port 6380 \nhz \"5\" "}},
		{[]string{"--port ", "--hz"}, Args{Options: `port  "--hz" `}},
		{[]string{"--version"}, Args{Action: ShowVersion, Operands: []string{}}},
		{[]string{"-h", "x"}, Args{Action: ShowHelp, Operands: []string{"x"}}},
		{[]string{"--test-memory", "10"}, Args{Action: TestMemory, Operands: []string{"10"}}},
		{[]string{"--check-system"}, Args{Action: CheckSystem, Operands: []string{}}},
		{[]string{"--port", "1", "--version"}, Args{Options: "port \"1\" \nversion "}},
	} {
		got := ParseArgs(tt.args)
		if got.File != tt.want.File || got.Stdin != tt.want.Stdin || got.Options != tt.want.Options ||
			got.Sentinel != tt.want.Sentinel || got.Action != tt.want.Action || !slices.Equal(got.Operands, tt.want.Operands) {
			t.Errorf("%q:\n got %+v\nwant %+v", tt.args, got, tt.want)
		}
	}
}
