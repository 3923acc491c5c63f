package commands

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// oracle is a genuine server, with one connection for each dialect and one that
// listens to key events.
type oracle struct {
	conn   map[int]*testutil.Peer
	db     map[int]int
	listen *testutil.Peer
}

func startOracle(t *testing.T) *oracle {
	s := testutil.StartRedis(t, "--notify-keyspace-events", "EAmn")
	o := &oracle{
		conn:   map[int]*testutil.Peer{2: s.Conn(t, 2), 3: s.Conn(t, 3)},
		db:     map[int]int{},
		listen: s.Conn(t, 2),
	}
	o.listen.Do("PSUBSCRIBE", "__keyevent@*__:*", "marker")
	if _, err := o.listen.ReadRaw(); err != nil { // the second confirmation
		t.Fatal(err)
	}
	return o
}

// reset brings the server back to where a harness begins.
func (o *oracle) reset(t *testing.T) {
	o.command(t, "FLUSHALL")
	for name, value := range map[string]string{
		"proto-max-bulk-len": "536870912", "hll-sparse-max-bytes": "3000", "rdbcompression": "yes",
		"lazyfree-lazy-expire": "no", "lazyfree-lazy-server-del": "no", "maxmemory-policy": "noeviction",
	} {
		o.command(t, "CONFIG", "SET", name, value)
	}
	o.events(t)
}

func (o *oracle) command(t *testing.T, words ...string) {
	t.Helper()
	o.conn[2].MustOK(words...)
}

// run sends a command and returns its reply and the events that it made.
func (o *oracle) run(t *testing.T, h *harness, proto int, args [][]byte) (reply string, events []string) {
	c := o.conn[proto]
	if o.db[proto] != h.ctx.DB {
		c.MustOK("SELECT", fmt.Sprint(h.ctx.DB))
		o.db[proto] = h.ctx.DB
	}
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = string(a)
	}
	reply = render(c.Do(words...))
	return reply, o.events(t)
}

// events are the key events since the last call, in the harness' form.
func (o *oracle) events(t *testing.T) (events []string) {
	o.conn[2].MustOK("PUBLISH", "marker", "x")
	for {
		raw, err := o.listen.ReadRaw()
		if err != nil {
			t.Fatal(err)
		}
		v := parsed(t, raw)
		pattern, channel, key := v.Elems[1].Str, v.Elems[2].Str, v.Elems[3].Str
		if pattern == "marker" {
			return events
		}
		db, event, _ := strings.Cut(strings.TrimPrefix(channel, "__keyevent@"), "__:")
		events = append(events, fmt.Sprintf("%s %s %s", db, event, quote([]byte(key))))
	}
}

// follow runs a command only for its effect on later ones.
func (o *oracle) follow(t *testing.T, h *harness, proto int, args [][]byte) {
	o.run(t, h, proto, args)
}

// compare runs a command at the genuine server and reports a difference.
func (o *oracle) compare(t *testing.T, h *harness, proto int, args [][]byte, reply string) {
	t.Helper()
	want, events := o.run(t, h, proto, args)
	if reply != want {
		t.Errorf("%s\n dozo:  %s\n redis: %s", showCall(args), reply, want)
	}
	if !slices.Equal(events, h.events) {
		t.Errorf("%s: key events\n dozo:  %q\n redis: %q", showCall(args), h.events, events)
	}
}

func showCall(args [][]byte) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = quote(a)
	}
	return abbreviate(strings.Join(words, " "))
}
