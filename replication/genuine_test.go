package replication

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
	"dozo/rdb"
	"dozo/resp"
)

// The machines against a genuine server: what they say is understood, and they understand.

// genuine starts a redis-server.
func genuine(t *testing.T, config ...string) *testutil.Server {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	program, err := testutil.Oracle()
	if err != nil {
		t.Skip(err)
	}
	s, err := testutil.Start(testutil.Options{Program: program, Config: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// linkDriver is a Link on sockets.
type linkDriver struct {
	t      *testing.T
	link   *Link
	have   Position
	conn   net.Conn
	in     *bufio.Reader
	whole  *Receive
	stream *Stream
}

func (d *linkDriver) step(e Event) {
	now := time.Duration(time.Now().UnixNano())
	for _, f := range append([]Effect(nil), d.link.Step(e, now)...) {
		d.effect(f)
	}
}

func (d *linkDriver) effect(f Effect) {
	switch f := f.(type) {
	case Log:
		d.t.Log(f.Text)
	case Dial:
		c, err := net.Dial("tcp", net.JoinHostPort(f.Host, fmt.Sprint(f.Port)))
		if err != nil {
			d.t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(20 * time.Second))
		d.conn, d.in = c, bufio.NewReader(c)
		d.step(Connected{Try: f.Try, Have: d.have})
	case Send:
		d.conn.Write(testutil.AppendCommand(nil, f.Args...))
	case Newline:
		d.conn.Write([]byte("\n"))
	case Ack:
		d.conn.Write(AppendAck(nil, d.have.Offset, -1))
	case Receive:
		d.whole, d.have = &f, f.At
	case Stream:
		d.stream, d.have = &f, f.At
	case Close:
		d.conn.Close()
	default:
		d.t.Fatalf("%T %v", f, f)
	}
}

// connect plays until the stream begins.
func (d *linkDriver) connect() {
	d.t.Helper()
	for d.whole, d.stream = nil, nil; d.stream == nil; {
		if d.whole != nil {
			n, err := d.whole.Snapshot.Copy(io.Discard, d.in)
			if err != nil {
				d.t.Fatal(err)
			}
			d.step(Received{d.link.Try(), n, true})
			d.step(Loaded{d.link.Try()})
			continue
		}
		line, err := d.in.ReadString('\n')
		if err != nil {
			d.t.Fatal(err)
		}
		d.step(Line{d.link.Try(), strings.TrimRight(line, "\r\n")})
	}
}

// await lets time pass until there is something to read.
func (d *linkDriver) await() {
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); d.step(Tick{}) {
		d.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := d.in.Peek(1); err == nil {
			break
		}
	}
	d.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
}

// until reads commands of the stream, up to one that says something.
func (d *linkDriver) until(word string) {
	d.t.Helper()
	for found := false; !found; {
		d.await()
		v, err := resp.ReadValue(d.in)
		if err != nil {
			d.t.Fatal(err)
		}
		var args []string
		for _, a := range v.Elems {
			args = append(args, string(a.Str))
			found = found || string(a.Str) == word
		}
		d.have.Offset += uint64(len(testutil.AppendCommand(nil, args...)))
	}
	d.effect(Ack{})
}

func TestLinkOfGenuinePrimary(t *testing.T) {
	for _, diskless := range []string{"yes", "no"} {
		t.Run("diskless "+diskless, func(t *testing.T) {
			s := genuine(t, "--repl-diskless-sync", diskless, "--repl-diskless-sync-delay", "0", "--requirepass", "secret", "--protected-mode", "no")
			c := s.Conn(t, 2)
			c.Do("AUTH", "secret")
			d := &linkDriver{t: t, link: NewLink(LinkSettings{Password: "secret", Port: 24001, IP: "127.0.0.9", Version: "7.2.6", Timeout: time.Minute}, rand.New(rand.NewPCG(1, 2)))}
			d.step(Follow{Host: "127.0.0.1", Port: s.Port})
			d.connect()
			c.Do("SET", "one", "1")
			d.until("one")
			if got := c.Do("WAIT", "1", "5000"); got.Int() != 1 {
				t.Errorf("WAIT says %d", got.Int())
			}
			if got := c.Info("replication", "slave0"); !strings.HasPrefix(got, "ip=127.0.0.9,port=24001,state=online,") {
				t.Errorf("INFO says %s", got)
			}
			d.conn.Close()
			d.step(Lost{d.link.Try(), nil})
			c.Do("SET", "two", "2")
			time.Sleep(200 * time.Millisecond) // the longest wait before the next try
			d.step(Tick{})
			d.connect()
			if d.stream.Full {
				t.Error("it did not go on")
			}
			d.until("two")
		})
	}
}

// primaryDriver is a Primary on a socket, with one replica at a time.
type primaryDriver struct {
	t       *testing.T
	primary *Primary
	view    View
	log     []byte
	base    uint64
	conn    net.Conn
	rep     *Replica
	from    uint64
	full    int
	partial int
}

func (d *primaryDriver) now() time.Duration { return time.Duration(time.Now().UnixNano()) }

func (d *primaryDriver) orders(list []Order) {
	for _, o := range append([]Order(nil), list...) {
		switch o := o.(type) {
		case Log:
			d.t.Log(o.Text)
		case Reply:
			d.send(o.Line + "\r\n")
		case Refuse:
			d.t.Fatal(o.Text)
		case Snapshot:
			d.orders(d.primary.SnapshotBegan(o.Number, Position{d.view.Lineage.ID(), d.view.End}, nil, d.now()))
			d.orders(d.primary.SnapshotEnded(o.Number, int64(len(d.snapshot())), nil, d.now()))
		case Attach:
			d.from = o.From
		case Transfer:
			d.full++
			d.send(o.Preamble + string(d.snapshot()) + o.Trailer)
			d.orders(d.primary.Sent(d.rep, d.now()))
		case Start:
			d.send(string(d.log[d.from-d.base:]))
		case Continue:
			d.partial++
			d.send(string(d.log[o.From-d.base:]))
		case Keepalive:
			d.send("\n")
		}
	}
}

func (d *primaryDriver) send(s string) { io.WriteString(d.conn, s) }

// snapshot is a file without keys.
func (d *primaryDriver) snapshot() []byte {
	var b bytes.Buffer
	w := rdb.NewWriter(&b, rdb.WriterOptions{Version: 10})
	w.Header(&rdb.Info{ServerVersion: "7.2.6", Replication: &rdb.ReplicationInfo{DB: 3, ID: d.view.Lineage.ID(), Offset: int64(d.base)}})
	w.Close()
	return b.Bytes()
}

// serve takes one connection, until the replica has acknowledged all.
func (d *primaryDriver) serve(l net.Listener) {
	d.t.Helper()
	c, err := l.Accept()
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	d.conn, d.rep = c, NewReplica(1, "127.0.0.1")
	for d.primary.find("127.0.0.1", d.rep.port) == nil || d.rep.ack < d.view.End {
		if b, err := in.Peek(1); err == nil && b[0] == '\n' {
			in.Discard(1)
			d.primary.Alive(d.rep, d.now())
			continue
		}
		v, err := resp.ReadValue(in)
		if err != nil {
			d.t.Fatal(err)
		}
		var args []string
		for _, a := range v.Elems {
			args = append(args, string(a.Str))
		}
		d.command(args)
	}
	d.orders(d.primary.Gone(d.rep, nil, d.now()))
}

func (d *primaryDriver) command(args []string) {
	switch strings.ToUpper(args[0]) {
	case "PING":
		d.send("+PONG\r\n")
	case "REPLCONF":
		d.orders(d.primary.Replconf(d.rep, args[1:], d.now()))
	default:
		d.orders(d.primary.Sync(d.rep, args, false, d.view, d.now()))
	}
}

func (d *primaryDriver) write(args ...string) {
	d.log = testutil.AppendCommand(d.log, args...)
	d.view.End = d.base + uint64(len(d.log))
}

func TestPrimaryOfGenuineReplica(t *testing.T) {
	for _, diskless := range []bool{true, false} {
		t.Run(fmt.Sprintf("diskless %v", diskless), func(t *testing.T) {
			s := genuine(t)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			r := rand.New(rand.NewPCG(1, 2))
			d := &primaryDriver{t: t, base: 1000, view: View{Lineage: NewLineage(NewID(r)), Logging: true, First: 1000, End: 1000}}
			d.primary = NewPrimary(PrimarySettings{Diskless: diskless, Timeout: time.Minute, PingPeriod: time.Minute}, r, d.now())
			d.write("SELECT", "0")
			d.write("SET", "one", "1")
			d.base, d.log = d.view.End, nil // this much is in the snapshot
			d.view.First = d.base
			d.write("SELECT", "3") // which the file has to say
			c := s.Conn(t, 2)
			c.MustOK("REPLICAOF", "127.0.0.1", fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
			d.serve(l)
			d.write("SET", "two", "2")
			d.view.Lineage = d.view.Lineage.Shift(NewID(r), d.view.End) // and a promotion
			d.serve(l)
			if d.full != 1 || d.partial != 1 {
				t.Errorf("%d full resyncs and %d partial ones", d.full, d.partial)
			}
			c.Do("SELECT", "3")
			if got := c.Do("GET", "two"); got.String() != `"2"` {
				t.Errorf("the replica has %s, %s", got, c.Do("INFO", "keyspace"))
			}
			if id := c.Info("replication", "master_replid"); id != d.view.Lineage.ID() {
				t.Errorf("the replica is of %s, not of %s", id, d.view.Lineage)
			}
		})
	}
}
