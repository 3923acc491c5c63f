package node_test

import (
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/logger"
	"dozo/node"
)

// TestListening: what Options.Listening sets up is there before the first client is
// served, however early it came: else its CONFIG SET would miss it.
func TestListening(t *testing.T) {
	at := filepath.Join(t.TempDir(), "s")
	cfg := config.New(config.Options{FS: env.Real().FS, WorkDir: t.TempDir(), Cores: 2})
	noError(t, cfg.Load(config.Sources{Options: "port 0"}))
	var early net.Conn
	n, err := node.Start(node.Options{
		Env: env.Real(), Config: cfg, Log: io.Discard, Transport: eventloop.Auto, UnixSocket: at, InMemory: true,
		Listening: func(*logger.Logger) {
			var err error
			early, err = net.Dial("unix", at)
			noError(t, err)
			_, err = early.Write([]byte("PING\r\n"))
			noError(t, err)
			noError(t, early.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
			if got, err := early.Read(make([]byte, 16)); err == nil {
				t.Errorf("a client was served %d bytes before the server was set up", got)
			}
		},
	})
	noError(t, err)
	defer func() { noError(t, n.Close()) }()
	defer early.Close()
	noError(t, early.SetReadDeadline(time.Now().Add(10*time.Second)))
	reply := make([]byte, len("+PONG\r\n"))
	if _, err := io.ReadFull(early, reply); err != nil || string(reply) != "+PONG\r\n" {
		t.Errorf("the client that came early got %q, %v", reply, err)
	}
}
