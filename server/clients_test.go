package server_test

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"dozo"
)

// TestClientEviction: the clients that take most go, those that are exempt stay.
func TestClientEviction(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("hz", "100")
		admin, exempt, small := dial(t, srv.Addr()), dial(t, srv.Addr()), dial(t, srv.Addr())
		admin.must("CLIENT NO-EVICT ON")
		exempt.must("CLIENT NO-EVICT ON")
		small.must("CLIENT SETNAME small")
		big, bigger := dial(t, srv.Addr()), dial(t, srv.Addr())
		big.must("CLIENT SETNAME big")
		bigger.must("CLIENT SETNAME bigger")
		half := func(c client, n int) {
			c.QueueRaw(fmt.Appendf(nil, "*2\r\n$4\r\nECHO\r\n$%d\r\n%s", n, strings.Repeat("x", n/2)))
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		half(big, 600_000)
		half(bigger, 2_000_000)
		half(exempt, 1_000_000)
		eventually(t, "the buffers are counted", func() bool { return admin.infoInt("memory", "mem_clients_normal") > 3_500_000 })
		admin.must("CONFIG SET maxmemory-clients 3mb")
		if !bigger.closed() {
			t.Fatal("the largest client stays")
		}
		eventually(t, "one client is evicted", func() bool { return admin.infoInt("stats", "evicted_clients") == 1 })
		eventually(t, "its memory is free", func() bool { return admin.infoInt("memory", "mem_clients_normal") < 3<<20 })
		list := admin.must("CLIENT LIST").Str
		if !strings.Contains(list, "name=big ") || !strings.Contains(list, "name=small ") {
			t.Errorf("others were evicted, too: %s", list)
		}
		if v := admin.must("DEBUG CLIENT-EVICTION"); strings.Count(v.Str, "bucket") != 19 {
			t.Errorf("DEBUG CLIENT-EVICTION: %s", v.Str)
		}
		admin.must("CONFIG SET maxmemory 1gb maxmemory-clients 1%")
		if v := admin.must("CONFIG GET maxmemory-clients"); v.Elems[1].Str != "1%" {
			t.Errorf("maxmemory-clients is %s", v)
		}
		admin.must("CONFIG SET maxmemory 100mb") // 1% is 1 MiB: the exempt one alone is over
		if !big.closed() {
			t.Error("big stays though the limit is passed")
		}
	})
}

// TestWaitingIsCounted: keys that a client waits for take memory beside their names.
func TestWaitingIsCounted(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		const keys = 5000
		srv := start("hz", "100")
		admin, waiting := dial(t, srv.Addr()), dial(t, srv.Addr())
		line := []byte("BLPOP")
		for i := range keys {
			line = fmt.Appendf(line, " key:%d", i)
		}
		waiting.QueueRaw(append(line, " 0\r\n"...))
		if err := waiting.Flush(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the client waits", func() bool { return admin.infoInt("clients", "total_blocking_keys") == keys })
		eventually(t, "its memory is counted", func() bool { return admin.infoInt("memory", "mem_clients_normal") > keys*200 })
		admin.must("RPUSH key:4999 x")
		eventually(t, "its memory is free", func() bool { return admin.infoInt("memory", "mem_clients_normal") < keys*200 })
	})
}

// TestOutputLimitBeforeEviction: nobody is evicted for the sake of output that is
// cut by its own limit, of two clients in one round.
func TestOutputLimitBeforeEviction(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("maxmemory-clients", "10mb", "client-output-buffer-limit", "normal 4mb 0 0")
		admin, sleeper, sender := dial(t, srv.Addr()), dial(t, srv.Addr()), dial(t, srv.Addr())
		admin.must(fmt.Sprintf("SETRANGE k %d v", 6<<20))
		sender.must("CLIENT SETNAME sender")
		sender.QueueRaw(fmt.Appendf(nil, "*2\r\n$4\r\nECHO\r\n$%d\r\n%s", 5<<20, strings.Repeat("x", 5<<20)))
		if err := sender.Flush(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the buffer is counted", func() bool { return admin.infoInt("memory", "mem_clients_normal") > 5<<20 })
		slow := []client{dial(t, srv.Addr()), dial(t, srv.Addr())}
		for _, c := range slow {
			c.must("PING")
		}
		sleeper.Queue("DEBUG", "SLEEP", "0.2")
		if err := sleeper.Flush(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond) // the loop sleeps: both requests are served in one round
		for _, c := range slow {
			c.Queue("GET", "k")
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		eventually(t, "both are cut", func() bool {
			return admin.infoInt("dozo", "client_output_buffer_limit_disconnections") == 2
		})
		if n := admin.infoInt("stats", "evicted_clients"); n != 0 || !strings.Contains(admin.must("CLIENT LIST").Str, "name=sender ") {
			t.Errorf("%d clients evicted", n)
		}
	})
}

// TestReplyWithoutEnd: who asks for more than he may be sent is closed before there is
// memory for it, and nobody else is.
func TestReplyWithoutEnd(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("client-output-buffer-limit", "normal 1mb 0 0")
		admin := dial(t, srv.Addr())
		admin.must("HSET h a b")
		admin.must("ZADD z 1 a")
		admin.must("SADD s a")
		dial(t, srv.Addr()).must("MONITOR")
		for i, call := range []string{"HRANDFIELD h -999999999", "ZRANDMEMBER z -999999999 WITHSCORES", "SRANDMEMBER s -4611686018427387904"} {
			greedy := dial(t, srv.Addr())
			greedy.Queue(strings.Fields(call)...)
			if err := greedy.Flush(); err != nil {
				t.Fatal(err)
			}
			eventually(t, call, func() bool {
				return admin.infoInt("dozo", "client_output_buffer_limit_disconnections") == int64(i)+1
			})
			if !greedy.closed() {
				t.Errorf("%s: goes on", call)
			}
		}
		if list := admin.must("CLIENT LIST").Str; !strings.Contains(list, "flags=O") {
			t.Errorf("the client in MONITOR was closed for others: %s", list)
		}
	})
}

// TestOutputLimits: who does not read what it is sent is stopped, by the hard limit
// at once and by the soft one after a time.
func TestOutputLimits(t *testing.T) {
	variantsTogether(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("hz", "100", "client-output-buffer-limit", "pubsub 8mb 1mb 1")
		admin := dial(t, srv.Addr())
		message := strings.Repeat("m", 100_000)
		for _, how := range []struct {
			name     string
			messages int
		}{{"hard", 400}, {"soft", 80}} {
			slow := dial(t, srv.Addr())
			slow.must("SUBSCRIBE ch")
			if tcp, ok := slow.Net().(*net.TCPConn); ok {
				_ = tcp.SetReadBuffer(4096) // as little as the kernel gives
			}
			before := admin.infoInt("dozo", "client_output_buffer_limit_disconnections")
			for range how.messages {
				admin.must("PUBLISH ch " + message)
			}
			eventually(t, how.name+" limit", func() bool {
				return admin.infoInt("dozo", "client_output_buffer_limit_disconnections") == before+1
			})
			if n := admin.must("PUBLISH ch x").Int(); n != 0 {
				t.Errorf("%d subscribers are left", n)
			}
		}
	})
}

// TestQueryBufferLimit: who sends a word without end is stopped. As in Redis whole
// words of a command do not count; client eviction is what bounds those.
func TestQueryBufferLimit(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("client-query-buffer-limit", "1mb")
		admin, c := dial(t, srv.Addr()), dial(t, srv.Addr())
		many := []string{"DEL"}
		for range 40 {
			many = append(many, strings.Repeat("x", 40000))
		}
		c.Queue(many...)
		if v := c.must("PING"); v.Int() != 0 {
			t.Errorf("DEL of long words: %s", v)
		}
		c.QueueRaw(fmt.Appendf(nil, "*2\r\n$3\r\nGET\r\n$%d\r\n%s", 2<<20, strings.Repeat("x", 3<<19)))
		_ = c.Flush() // fails when the server closes
		if !c.closed() {
			t.Fatal("not closed")
		}
		if n := admin.infoInt("dozo", "client_query_buffer_limit_disconnections"); n != 1 {
			t.Errorf("client_query_buffer_limit_disconnections:%d", n)
		}
	})
}

// TestClientListOfAll looks at clients of other loops.
func TestClientListOfAll(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("hz", "100")
		admin := dial(t, srv.Addr())
		others := make([]client, 10)
		for i := range others {
			others[i] = dial(t, srv.Addr())
			others[i].must(fmt.Sprintf("CLIENT SETNAME c%d", i))
		}
		others[3].must("SUBSCRIBE x y")
		others[3].must("PSUBSCRIBE x*")
		others[4].must("MULTI")
		others[4].must("SET k v")
		others[5].must("WATCH k")
		time.Sleep(30 * time.Millisecond)
		lines := strings.Split(strings.TrimSpace(admin.must("CLIENT LIST").Str), "\n")
		if len(lines) != len(others)+1 {
			t.Fatalf("%d lines", len(lines))
		}
		shape := regexp.MustCompile(`^id=\d+ addr=127\.0\.0\.1:\d+ laddr=127\.0\.0\.1:\d+ fd=-?\d+ name=\w* age=\d+ idle=\d+ flags=\w+ ` +
			`db=\d+ sub=\d+ psub=\d+ ssub=\d+ multi=-?\d+ qbuf=\d+ qbuf-free=\d+ argv-mem=\d+ multi-mem=\d+ rbs=\d+ rbp=\d+ ` +
			`obl=\d+ oll=\d+ omem=\d+ tot-mem=\d+ events=rw? cmd=[\w|]+ user=default redir=-1 resp=[23] lib-name= lib-ver=$`)
		for i, line := range lines {
			if !shape.MatchString(line) {
				t.Errorf("line %d: %s", i, line)
			}
		}
		for want, i := range map[string]int{"flags=P db=0 sub=2 psub=1": 4, "flags=x db=0 sub=0 psub=0 ssub=0 multi=1": 5, "cmd=watch": 6} {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s is not in %s", want, lines[i])
			}
		}
	})
}

// TestIdle: neither who runs a command nor who gets messages is idle.
func TestIdle(t *testing.T) {
	variantsTogether(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("hz", "100")
		admin, quiet, sub, mon := dial(t, srv.Addr()), dial(t, srv.Addr()), dial(t, srv.Addr()), dial(t, srv.Addr())
		quiet.must("CLIENT SETNAME quiet")
		sub.must("CLIENT SETNAME sub")
		sub.must("SUBSCRIBE x")
		mon.must("CLIENT SETNAME mon")
		mon.must("MONITOR")
		time.Sleep(1100 * time.Millisecond)
		if line := admin.must("CLIENT INFO").Str; !strings.Contains(line, " idle=0 ") {
			t.Errorf("first command after a second: %s", line)
		}
		admin.must("PUBLISH x hello")
		time.Sleep(50 * time.Millisecond)
		for _, line := range strings.Split(strings.TrimSpace(admin.must("CLIENT LIST").Str), "\n") {
			if busy := !strings.Contains(line, "name=quiet"); busy != strings.Contains(line, " idle=0 ") {
				t.Error(line)
			}
		}
	})
}
