package node_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/oplog"
)

// scripted is a primary that has no data and sends what a test wants.
type scripted struct {
	t    *testing.T
	port int
	next chan net.Conn // replicas that have the snapshot
	acks chan time.Duration
	conn net.Conn
	said int // bytes
}

func newScripted(t *testing.T) *scripted {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	s := &scripted{t: t, port: l.Addr().(*net.TCPAddr).Port, next: make(chan net.Conn, 10), acks: make(chan time.Duration, 10)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

const (
	scriptedMark = "0123456789012345678901234567890123456789"
	// emptyFile is a snapshot without data and without a checksum.
	emptyFile = "REDIS0010\xff\x00\x00\x00\x00\x00\x00\x00\x00"
)

// serve answers a replica, and ends with it.
func (s *scripted) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	var sent time.Time
	for {
		line, err := in.ReadString('\n')
		switch word := strings.ToLower(strings.TrimSpace(line)); {
		case err != nil:
			return
		case word == "ping":
			_, err = io.WriteString(conn, "+PONG\r\n")
		case word == "replconf":
			if line, _ = in.ReadString('\n'); line != "$3\r\n" {
				_, err = io.WriteString(conn, "+OK\r\n")
			} else if !sent.IsZero() {
				s.acks <- time.Since(sent)
				sent = time.Time{}
			}
		case word == "info":
			_, err = io.WriteString(conn, "$13\r\nrole:master\r\n\r\n")
		case word == "psync":
			_, err = fmt.Fprintf(conn, "+FULLRESYNC %s 0\r\n$EOF:%s\r\n%s%s", strings.Repeat("a", 40), scriptedMark, emptyFile, scriptedMark)
			sent = time.Now()
			s.next <- conn
		}
		if err != nil {
			return
		}
	}
}

// leads has a server follow.
func (s *scripted) leads(m *machine) {
	s.t.Helper()
	m.do(fmt.Sprintf("REPLICAOF 127.0.0.1 %d", s.port))
	select {
	case s.conn = <-s.next:
	case <-time.After(20 * time.Second):
		s.t.Fatalf("nobody came for a snapshot\n%s", m.log)
	}
	m.until("the link is up", func() bool { return m.replication("master_link_status") == "up" })
}

// says sends commands, each a line; an empty one is a sign of life.
func (s *scripted) says(lines ...string) {
	s.t.Helper()
	var out []byte
	for _, line := range lines {
		if line == "" {
			out = append(out, "\n*0\r\n"...)
		} else {
			out = oplog.AppendCommand(out, bytes.Fields([]byte(line))...)
		}
	}
	_, err := s.conn.Write(out)
	noError(s.t, err)
	s.said += len(out)
}

// TestStrangeStreams: what is no write, and what this server does not know or have a database
// for, is not executed, whoever sends it: it does not end the server, nor what it is, nor is
// it written to another database; and the next start is not refused for it.
func TestStrangeStreams(t *testing.T) {
	s, disk := newScripted(t), newDisk(t)
	set := []string{"appendonly yes", "databases 4"}
	m := started(t, disk, set...)
	s.leads(m)
	m.untilInfo("aof_starting", "0")
	s.says("SELECT 0", "SET a 1", "MONITOR", "SUBSCRIBE ch", "PSYNC ? -1", "SYNC", "QUIT", "REPLICAOF NO ONE", "SHUTDOWN", "CONFIG SET maxmemory 1",
		"BLPOP none 0", "NOSUCH x", "SET x", "EXEC", "MULTI", "SET b 2", "MULTI", "NOSUCH y", "SELECT 9", "SET c lost", "FLUSHDB", "EXEC", "SET d lost",
		"SET e lost PX 100", "PFCOUNT e", "PUBLISH ch hello", "PING", "MULTI", "SELECT 1", "RPUSH none x", "EXEC", "SELECT 77777777777", "SET f 3",
		"FUNCTION LOAD #!lua\xa0name=lib", "SELECT 9", "SET g lost", "", "PING", "REPLCONF GETACK *", "SELECT 3", "SET last 1")
	m.until("all has come", func() bool { return m.replication("master_repl_offset") == strconv.Itoa(s.said) })
	check := func(m *machine) {
		t.Helper()
		for db, want := range []string{"a b", "f none", "", "last"} {
			m.do(fmt.Sprintf("SELECT %d", db))
			keys, err := m.DoErr("KEYS", "*")
			noError(t, err)
			got := keys.Strings()
			slices.Sort(got)
			if strings.Join(got, " ") != want {
				t.Errorf("database %d has the keys %q, want %q\n%s", db, got, want, m.log)
			}
		}
	}
	check(m)
	if role := m.replication("role"); role != "slave" {
		t.Errorf("the role is %s", role)
	}
	m.do("SAVE")
	if file, err := disk.ReadFile("/data/dump.rdb"); err != nil || !bytes.Contains(file, []byte("#!lua")) {
		t.Errorf("a library of functions is not in what is saved: %v", err)
	}
	noError(t, m.node.Close())
	check(started(t, disk, set...))
}

// TestAcknowledgesAtOnce: a primary that has sent a snapshot with a mark sends no writes before
// the replica says that it has it, so that is said at once, not with the next second.
func TestAcknowledgesAtOnce(t *testing.T) {
	s, m := newScripted(t), started(t, newDisk(t))
	var all []time.Duration
	for range 3 { // this machine may be busy
		s.leads(m)
		took := <-s.acks
		if all = append(all, took); took < 500*time.Millisecond {
			return
		}
		m.do("REPLICAOF NO ONE")
	}
	t.Errorf("a snapshot was acknowledged after %v", all)
}
