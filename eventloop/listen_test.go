package eventloop

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeveralListeners(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		g, first := start(t, Options{Transport: kind}, "tcp4", &hooks{})
		addrs := []net.Addr{first}
		for _, network := range []string{"tcp4", "tcp6", "unix"} {
			addr, err := g.Listen(network, listenAddress(t, network))
			if err != nil {
				t.Fatal(err)
			}
			addrs = append(addrs, addr)
		}
		for _, addr := range addrs {
			conn := dial(t, addr)
			send(t, conn, []byte("x"))
			expect(t, conn, "x")
		}
	})
}

// After Unlisten nobody gets in, those who are in stay, and the address is free.
func TestUnlisten(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		g, addr := start(t, Options{Transport: kind}, "tcp4", &hooks{})
		old := dial(t, addr)
		send(t, old, []byte("x"))
		expect(t, old, "x")
		for range 3 {
			if err := g.Unlisten(addr); err != nil {
				t.Fatal(err)
			}
			if conn, err := net.Dial("tcp4", addr.String()); err == nil {
				_ = conn.Close()
				t.Fatal("a connection came in after Unlisten")
			}
			if err := g.Unlisten(addr); err == nil || !strings.Contains(err.Error(), addr.String()) {
				t.Errorf("second Unlisten: %v", err)
			}
			again, err := g.Listen("tcp4", addr.String())
			if err != nil || again.String() != addr.String() {
				t.Fatal(again, err)
			}
		}
		conn := dial(t, addr)
		for _, c := range []net.Conn{old, conn} {
			send(t, c, []byte("y"))
			expect(t, c, "y")
		}
	})
}

func TestListenErrors(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		g, addr := start(t, Options{Transport: kind}, "tcp4", &hooks{})
		if _, err := g.Listen("tcp4", addr.String()); err == nil {
			t.Error("the same address twice")
		}
		if _, err := g.Listen("tcp4", "no such host.invalid:x"); err == nil {
			t.Error("a bad address")
		}
		if _, err := g.Listen("unix", filepath.Join(t.TempDir(), "no", "s")); err == nil {
			t.Error("a unix socket in no folder")
		}
	})
}

func TestUnixSocketFile(t *testing.T) {
	forEachTransport(t, func(t *testing.T, kind Transport) {
		path := filepath.Join(t.TempDir(), "s")
		// What a killed process leaves behind: a socket that nobody listens on.
		stale, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		stale.(*net.UnixListener).SetUnlinkOnClose(false)
		_ = stale.Close()

		g, _ := start(t, Options{Transport: kind, UnixPerm: 0o700}, "tcp4", &hooks{})
		addr, err := g.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
		if _, err := g.Listen("unix", path); err == nil {
			t.Error("a socket that is in use was replaced")
		}
		conn := dial(t, addr)
		send(t, conn, []byte("x"))
		expect(t, conn, "x")
		if err := g.Unlisten(addr); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); err == nil {
			t.Error("the file is still there")
		}
	})
}

// A file that is no socket is never removed.
func TestUnixSocketSparesFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	g, _ := start(t, Options{}, "tcp4", &hooks{})
	if _, err := g.Listen("unix", path); err == nil {
		t.Error("listening on a file")
	}
	if b, _ := os.ReadFile(path); string(b) != "precious" {
		t.Errorf("the file holds %q", b)
	}
}
