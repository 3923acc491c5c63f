package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

func pairs(words ...string) []Pair {
	var ps []Pair
	for ; len(words) > 0; words = words[2:] {
		ps = append(ps, Pair{words[0], words[1]})
	}
	return ps
}

func TestSetRefuses(t *testing.T) {
	const possibly = "ERR CONFIG SET failed (possibly related to argument '"
	for _, tt := range []struct {
		set  []string
		who  Caller
		want string
	}{
		{[]string{"nope", "1"}, Caller{}, "ERR Unknown option or number of arguments for CONFIG SET - 'nope'"},
		{[]string{"hz", "1", "Nope", "1", "other", "2"}, Caller{}, "ERR Unknown option or number of arguments for CONFIG SET - 'Nope'"},
		{[]string{"Databases", "1"}, Caller{}, possibly + "Databases') - can't set immutable config"},
		{[]string{"dir", "/data"}, Caller{}, possibly + "dir') - can't set protected config"},
		{[]string{"appendonly", "yes"}, Caller{Loading: true}, "LOADING Redis is loading the dataset in memory"},
		{[]string{"databases", "1", "appendonly", "yes"}, Caller{Loading: true}, possibly + "databases') - can't set immutable config"},
		{[]string{"hz", "1", "HZ", "2"}, Caller{}, possibly + "HZ') - duplicate parameter"},
		{[]string{"HZ", "x"}, Caller{}, possibly + "hz') - argument couldn't be parsed into an integer"},
		{[]string{"port", "65536"}, Caller{}, possibly + "port') - argument must be between 0 and 65535 inclusive"},
		{[]string{"maxclients", "-1"}, Caller{}, possibly + "maxclients') - argument must be between 1 and 4294967295 inclusive"},
		{[]string{"maxmemory", "10xb"}, Caller{}, possibly + "maxmemory') - argument must be a memory value"},
		{[]string{"maxmemory", "-1"}, Caller{}, possibly + "maxmemory') - argument must be a memory value"},
		{[]string{"maxmemory", "99999999999gb"}, Caller{}, possibly + "maxmemory') - argument must be a memory value"},
		{[]string{"repl-backlog-size", "18446744073709551615"}, Caller{}, possibly + "repl-backlog-size') - argument must be between 1 and 9223372036854775807 inclusive"},
		{[]string{"maxmemory-clients", "101%"}, Caller{}, possibly + "maxmemory-clients') - percentage argument must be less or equal to 100"},
		{[]string{"maxmemory-clients", "x"}, Caller{}, possibly + "maxmemory-clients') - argument must be a memory or percent value"},
		{[]string{"appendonly", "1"}, Caller{}, possibly + "appendonly') - argument must be 'yes' or 'no'"},
		{[]string{"appendfsync", "often"}, Caller{}, possibly + "appendfsync') - argument(s) must be one of the following: everysec, always, no"},
		{[]string{"shutdown-on-sigint", "save nosave"}, Caller{}, possibly + "shutdown-on-sigint') - shutdown options SAVE and NOSAVE can't be used simultaneously"},
		{[]string{"notify-keyspace-events", "Q"}, Caller{}, possibly + "notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
		{[]string{"bind", strings.TrimSpace(strings.Repeat("::1 ", 17))}, Caller{}, possibly + "bind') - Too many bind addresses specified."},
	} {
		c, m := withFile(t, "")
		before := c.Values()
		err := c.Set(pairs(tt.set...), tt.who)
		if err == nil || err.Error() != tt.want {
			t.Errorf("SET %q: %v", tt.set, err)
		}
		if c.Values() != before || len(m.log) > 0 {
			t.Errorf("SET %q was refused but changed something: %q", tt.set, m.log)
		}
	}
}

func TestProtectedDirectivesNeedPermission(t *testing.T) {
	for _, tt := range []struct {
		guard string
		local bool
		ok    bool
	}{{"no", true, false}, {"yes", false, true}, {"local", false, false}, {"local", true, true}} {
		c, _ := withFile(t, "enable-protected-configs "+tt.guard)
		err := c.Set(pairs("dbfilename", "x.rdb"), Caller{Local: tt.local})
		if (err == nil) != tt.ok || c.Values().Allows(EnableProtectedConfigs, tt.local) != tt.ok {
			t.Errorf("%s, local %v: %v", tt.guard, tt.local, err)
		}
	}
}

func TestDirIsCheckedAndAbsolute(t *testing.T) {
	c, _ := withFile(t, "enable-protected-configs yes\ndir more")
	if got := c.Path(DBFilename); got != "/data/more/dump.rdb" {
		t.Errorf("path of the snapshot: %s", got)
	}
	for dir, want := range map[string]string{
		"..":             "/data",
		"/data/more/":    "/data/more",
		"/nowhere":       "No such file or directory",
		"/data/.keep":    "Not a directory",
		"/data/more/../": "/data",
	} {
		if err := c.Set(pairs("dir", "/data/more"), Caller{}); err != nil {
			t.Fatal(err)
		}
		err := c.Set(pairs("dir", dir), Caller{})
		if err == nil && c.String(Dir) != want || err != nil && !strings.HasSuffix(err.Error(), " - "+want) {
			t.Errorf("dir %q: %q, %v", dir, c.String(Dir), err)
		}
	}
}

// recorder makes hooks that note what they saw, and fail when told to.
type recorder struct {
	log  []string
	fail string
}

func (r *recorder) hook(name string, d *Directive) func(old, new *Values) error {
	return func(old, new *Values) error {
		r.log = append(r.log, fmt.Sprintf("%s %s>%s", name, old.String(d), new.String(d)))
		if r.fail == name {
			return errors.New(name + " cannot")
		}
		return nil
	}
}

func TestHooksRunInOrderAndRollBack(t *testing.T) {
	c, _ := withFile(t, "")
	r := &recorder{}
	c.OnChange(HZ, r.hook("hz", HZ))
	c.OnChange(Timeout, r.hook("timeout", Timeout))
	c.OnChangeOf([]*Directive{Port, Timeout}, r.hook("both", Port))
	expect := func(want ...string) {
		t.Helper()
		if !slices.Equal(r.log, want) {
			t.Errorf("hooks: %q, want %q", r.log, want)
		}
		r.log = nil
	}
	if err := c.Set(pairs("timeout", "5", "hz", "20", "port", "7000"), Caller{}); err != nil {
		t.Fatal(err)
	}
	expect("timeout 0>5", "both 6379>7000", "hz 10>20")
	if err := c.Set(pairs("timeout", "5", "hz", "20"), Caller{}); err != nil {
		t.Fatal(err)
	}
	expect()
	r.fail = "both"
	before := c.Values()
	err := c.Set(pairs("hz", "30", "port", "7001", "timeout", "6"), Caller{})
	if err == nil || err.Error() != "ERR CONFIG SET failed (possibly related to argument 'port') - both cannot" {
		t.Error(err)
	}
	expect("hz 20>30", "both 7000>7001", "both 7001>7000", "hz 30>20")
	if c.Values() != before {
		t.Error("a change that failed is still there")
	}
}

func TestHooksSeeTheNewValues(t *testing.T) {
	c, _ := withFile(t, "")
	c.OnChange(HZ, func(old, new *Values) error {
		if c.Values() != new || old == new {
			t.Error("the new values are not the running ones")
		}
		return nil
	})
	if err := c.Set(pairs("hz", "50"), Caller{}); err != nil {
		t.Fatal(err)
	}
}

// TestSettled: what cannot be taken back is done when nothing can refuse the change
// any more, and what was begun is ended when it was refused.
func TestSettled(t *testing.T) {
	c, _ := withFile(t, "")
	r := &recorder{}
	c.OnChange(HZ, r.hook("hz", HZ))
	c.OnChange(Port, r.hook("port", Port))
	c.OnSettled([]*Directive{HZ, Timeout}, func(old, now *Values) { _ = r.hook("settled", HZ)(old, now) })
	r.fail = "port"
	if c.Set(pairs("hz", "30", "port", "7001", "timeout", "6"), Caller{}) == nil || c.Set(pairs("port", "7001"), Caller{}) == nil {
		t.Error("not refused")
	}
	if err := c.Set(pairs("hz", "20"), Caller{}); err != nil {
		t.Error(err)
	}
	if err := c.Set(pairs("hz", "20"), Caller{}); err != nil {
		t.Error(err)
	}
	want := []string{
		"hz 10>30", "port 6379>7001", "port 7001>6379", "hz 30>10", "settled 10>10",
		"port 6379>7001", "port 7001>6379", "hz 10>20", "settled 10>20",
	}
	if !slices.Equal(r.log, want) {
		t.Errorf("%q", r.log)
	}
}

func TestVolatileHooksRunWithoutAChange(t *testing.T) {
	c, _ := withFile(t, "")
	r := &recorder{}
	c.OnChange(TLSCertFile, r.hook("cert", TLSCertFile))
	if err := c.Set(pairs("tls-cert-file", ""), Caller{}); err != nil || len(r.log) != 1 {
		t.Errorf("%q, %v", r.log, err)
	}
}

func TestUpdateIgnoresFlagsAndHooks(t *testing.T) {
	c, _ := withFile(t, "")
	c.OnChange(ReplicaOf, func(_, _ *Values) error { t.Error("a hook ran"); return nil })
	if err := c.Update(ReplicaOf, "10.0.0.1 6380"); err != nil {
		t.Fatal(err)
	}
	if p, ok := c.Values().Primary(); !ok || p != (Primary{"10.0.0.1", 6380}) {
		t.Errorf("%v %v", p, ok)
	}
	if err := c.Update(ReplicaOf, "one"); err == nil {
		t.Error("nonsense was accepted")
	}
	if err := c.Update(ReplicaOf, "NO ONE"); err != nil {
		t.Fatal(err)
	}
	if _, ok := c.Values().Primary(); ok {
		t.Error("still a replica")
	}
}

// TestAdjust: what the machine does to a value it would do again.
func TestAdjust(t *testing.T) {
	c, m := withFile(t, "maxclients 5000\n")
	if err := c.Adjust(MaxClients, "nonsense"); err == nil {
		t.Error("nonsense was accepted")
	}
	if err := c.Adjust(MaxClients, "100"); err != nil || c.Int(MaxClients) != 100 {
		t.Fatal(err)
	}
	expect := func(n int) {
		t.Helper()
		if drift, err := c.Drift(); err != nil || len(drift) != n {
			t.Errorf("drift: %v, %v", drift, err)
		}
	}
	expect(0)
	m.files["/etc/dozo.conf"] = "maxclients 6000\n"
	expect(1)
	m.files["/etc/dozo.conf"] = "maxclients 5000\n"
	mustSet(t, c, "maxclients", "200")
	expect(1)
}

func TestTypedAccess(t *testing.T) {
	c, _ := withFile(t, `save 60 1
bind 127.0.0.1 -::1
client-output-buffer-limit replica 1gb 512mb 10
latency-tracking-info-percentiles 50 99.5
oom-score-adj-values 1 2 3
maxmemory-policy allkeys-lfu
notify-keyspace-events KEA
maxmemory 18446744073709551615
maxmemory-clients 5%
shutdown-on-sigterm nosave now
unixsocketperm 770
`)
	v := c.Values()
	check := func(what string, ok bool) {
		t.Helper()
		if !ok {
			t.Error(what)
		}
	}
	check("save", slices.Equal(v.Save(), []SavePoint{{60, 1}}))
	check("bind", slices.Equal(v.Bind(), []string{"127.0.0.1", "-::1"}))
	check("limits", v.OutputLimits()[ReplicaClient] == OutputLimit{1 << 30, 512 << 20, 10})
	check("limit left alone", v.OutputLimits()[PubSubClient] == OutputLimit{32 << 20, 8 << 20, 60})
	check("percentiles", slices.Equal(v.Percentiles(), []float64{50, 99.5}))
	check("scores", v.OOMScores() == [3]int{1, 2, 3})
	check("policy", c.Int(MaxMemoryPolicy) == PolicyAllKeysLFU)
	check("events", c.Int(NotifyKeyspaceEvents) == NotifyAll|NotifyKeyspace|NotifyKeyevent)
	check("maxmemory", c.Int(MaxMemory) == maxInt64)
	check("percentage", c.Int(MaxMemoryClients) == -5)
	check("shutdown", c.Int(ShutdownOnSigterm) == ShutdownNoSave|ShutdownNow)
	check("octal", c.Int(UnixSocketPerm) == 0o770)
	check("bool", c.Bool(ProtectedMode) && !c.Bool(AppendOnly))
	check("path not set", v.Path(PidFile) == "")
}

func TestIOThreadsAreThoseInForce(t *testing.T) {
	for cores, want := range map[int]int64{0: 1, 1: 1, 6: 6, 1000: 128} {
		c := New(Options{FS: newMemFS(), Cores: cores})
		if got := c.Int(IOThreads); got != want || c.Get("io-threads")[0].Value != fmt.Sprint(want) {
			t.Errorf("%d cores: %d loops", cores, got)
		}
		if err := c.Load(Sources{Options: "io-threads 2"}); err != nil || c.Int(IOThreads) != 2 {
			t.Errorf("io-threads 2: %d, %v", c.Int(IOThreads), err)
		}
	}
}

func TestSentinelDefaults(t *testing.T) {
	c := New(Options{FS: newMemFS(), Sentinel: true})
	if c.Int(Port) != 26379 || c.Bool(ProtectedMode) {
		t.Errorf("port %d, protected mode %v", c.Int(Port), c.Bool(ProtectedMode))
	}
}

// TestConcurrentUse is for the race detector: readers must see the pairs of one
// SET together.
func TestConcurrentUse(t *testing.T) {
	c, _ := withFile(t, "timeout 0\nhz 1")
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range 200 {
				n := fmt.Sprint(1 + (i+w)%500)
				if err := c.Set(pairs("hz", n, "timeout", n), Caller{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 2000 {
			v := c.Values()
			if hz, timeout := v.Int(HZ), v.Int(Timeout); hz != timeout && timeout != 0 {
				t.Errorf("hz %d, timeout %d", hz, timeout)
			}
			c.Get("h*")
		}
	})
	wg.Wait()
}

func TestGet(t *testing.T) {
	c, _ := withFile(t, "requirepass secret")
	for _, tt := range []struct {
		patterns []string
		want     []Pair
	}{
		{[]string{"MaxMemory"}, pairs("MaxMemory", "0")},
		{[]string{"maxmemory", "MAXMEMORY"}, pairs("maxmemory", "0")},
		{[]string{"slave-priority"}, pairs("slave-priority", "100")},
		{[]string{"*-priority"}, pairs("replica-priority", "100", "slave-priority", "100")},
		{[]string{"hz", "h[yz]", "none", "n?ne"}, pairs("hz", "10")},
		{[]string{"key-load*"}, nil},
		{[]string{"key-load-delay"}, pairs("key-load-delay", "0")},
		{[]string{"REQUIREP*"}, pairs("requirepass", "secret")},
		{[]string{"save", "client-out*"}, pairs("save", "3600 1 300 100 60 10000",
			"client-output-buffer-limit", "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60")},
	} {
		if got := c.Get(tt.patterns...); !slices.Equal(got, tt.want) {
			t.Errorf("GET %q: %q", tt.patterns, got)
		}
	}
}

func TestSensitive(t *testing.T) {
	for name, want := range map[string]bool{"MasterAuth": true, "requirepass": true, "hz": false, "?": false} {
		if IsSensitive(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func TestDebugInfo(t *testing.T) {
	c, _ := withFile(t, "list-compress-depth 3")
	if got := c.DebugInfo(); !strings.Contains(got, "list-compress-depth 3\n") || strings.Contains(got, "port") {
		t.Errorf("%s", got)
	}
}

func BenchmarkInt(b *testing.B) {
	c := New(Options{FS: newMemFS()})
	var sum int64
	for b.Loop() {
		sum += c.Int(HashMaxListpackEntries)
	}
	_ = sum
}
