package server_test

import (
	"bytes"
	"testing"
	"time"

	"dozo"
)

// TestStrangersHoldLittle: who has not given the password and does not read the
// replies is cut off, before it makes the server keep much for it.
func TestStrangersHoldLittle(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start("requirepass", "secret")
		admin, stranger := dial(t, srv.Addr()), dial(t, srv.Addr())
		admin.must("AUTH secret")
		flood := bytes.Repeat([]byte("PING\r\n"), 10_000)
		stranger.SetTimeout(20 * time.Second)
		sent := 0
		for ; sent < 200<<20; sent += len(flood) {
			stranger.QueueRaw(flood)
			if stranger.Flush() != nil {
				break
			}
		}
		if sent >= 200<<20 {
			t.Errorf("a stranger could send %d MiB without reading the replies", sent>>20)
		}
		eventually(t, "the stranger is cut off", func() bool { return admin.infoInt("clients", "connected_clients") == 1 })
		if n := admin.infoInt("dozo", "client_query_buffer_limit_disconnections"); n != 1 {
			t.Errorf("%d clients were cut for their query buffer", n)
		}
	})
}
