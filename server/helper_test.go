package server_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo"
	"dozo/internal/testutil"
)

// serve starts an in-process server with directives given as name and value in
// turn. DEBUG is allowed.
func serve(t *testing.T, o dozo.Options, directives ...string) *dozo.Server {
	t.Helper()
	o.Directives = [][2]string{{"enable-debug-command", "yes"}}
	for i := 0; i < len(directives); i += 2 {
		o.Directives = append(o.Directives, [2]string{directives[i], directives[i+1]})
	}
	srv, err := dozo.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
	})
	return srv
}

// eachVariant runs a test on all ways of serving.
func eachVariant(t *testing.T, test func(t *testing.T, start func(directives ...string) *dozo.Server)) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) { test(t, v.start(t)) })
	}
}

// variantsTogether is eachVariant for tests that mostly wait, and measure nothing:
// they wait beside each other.
func variantsTogether(t *testing.T, test func(t *testing.T, start func(directives ...string) *dozo.Server)) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			test(t, v.start(t))
		})
	}
}

// start starts servers of a variant.
func (v variant) start(t *testing.T) func(directives ...string) *dozo.Server {
	return func(directives ...string) *dozo.Server {
		return serve(t, dozo.Options{Portable: v.portable}, append(directives, "io-threads", v.loops)...)
	}
}

// client is a connection inside a test: what goes wrong below the level of
// replies ends the test.
type client struct {
	t *testing.T
	*testutil.Conn
}

func dial(t *testing.T, addr string) client {
	t.Helper()
	c, err := testutil.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return client{t, c}
}

// do sends a command, its words separated by spaces.
func (c client) do(line string) testutil.Value {
	c.t.Helper()
	v, err := c.DoErr(strings.Fields(line)...)
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// must is do for commands that must not fail.
func (c client) must(line string) testutil.Value {
	c.t.Helper()
	v := c.do(line)
	if v.IsError() {
		c.t.Fatalf("%s: %s", line, v.Str)
	}
	return v
}

// info is one field of INFO.
func (c client) info(section, field string) string {
	c.t.Helper()
	return testutil.InfoField(c.must("INFO "+section).Str, field)
}

func (c client) infoInt(section, field string) int64 {
	c.t.Helper()
	n, err := strconv.ParseInt(c.info(section, field), 10, 64)
	if err != nil {
		c.t.Fatalf("INFO %s: %s: %v", section, field, err)
	}
	return n
}

// closed waits until the server has closed the connection.
func (c client) closed() bool {
	c.SetTimeout(5 * time.Second)
	for {
		if _, err := c.ReadRaw(); err != nil {
			return failure(err) == "(closed)"
		}
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

func atoi(t *testing.T, s string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
