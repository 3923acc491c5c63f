package server_test

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"dozo"
)

// TestPeerThatSendsAllAndCloses: commands that wait since replies before them have
// not been read yet are executed, and answered, though the peer has ended its side;
// half a command at the end, or a wait that the peer does not wait for, keeps
// nothing alive.
func TestPeerThatSendsAllAndCloses(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start()
		admin := dial(t, srv.Addr())
		value := strings.Repeat("x", 8<<20)
		admin.must("SET big " + value)
		reply := "$8388608\r\n" + value + "\r\n"
		for _, test := range []struct{ commands, replies string }{
			{"GET big\r\nGET big\r\nSET seen yes\r\nPING\r\n", reply + reply + "+OK\r\n+PONG\r\n"},
			{"GET big\r\nPING\r\n*2\r\n$4\r\nEC", reply + "+PONG\r\n"},
			{"GET big\r\nPING\r\nWAIT 1 0\r\nPING\r\n", reply + "+PONG\r\n"},
			{"PING\r\n*1\r\n$4\r\nPI", "+PONG\r\n"},
		} {
			conn, err := net.Dial("tcp", srv.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(20 * time.Second)) // a failure shows below
			if _, err := io.WriteString(conn, test.commands); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(conn)
			if string(got) != test.replies || err != nil {
				t.Errorf("%q: %d bytes instead of %d, %v", test.commands, len(got), len(test.replies), err)
			}
		}
		if v := admin.must("GET seen"); v.Str != "yes" {
			t.Errorf("the write that was sent last was not made: %s", v)
		}
		eventually(t, "their connections have ended", func() bool { return admin.infoInt("clients", "connected_clients") == 1 })
	})
}
