package server_test

import (
	"bufio"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"dozo"
)

// TestAddressOfUnixSocket: a client of a unix socket is path:0, for CLIENT INFO as
// for CLIENT KILL.
func TestAddressOfUnixSocket(t *testing.T) {
	for _, portable := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "s")
		srv, err := dozo.Start(dozo.Options{UnixSocket: path, Portable: portable})
		if err != nil {
			t.Fatal(err)
		}
		defer srv.Close()
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "CLIENT INFO\r\n")
		in := bufio.NewReader(conn)
		_, _ = in.ReadString('\n')
		line, err := in.ReadString('\n')
		if want := " addr=" + path + ":0 laddr=" + path + ":0 "; err != nil || !strings.Contains(line, want) {
			t.Errorf("%q (%v), want %q", line, err, want)
		}
		if v := dial(t, srv.Addr()).do("CLIENT KILL " + path + ":0"); v.Str != "OK" {
			t.Errorf("CLIENT KILL: %s", v)
		}
	}
}
