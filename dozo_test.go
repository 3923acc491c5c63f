package dozo_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"dozo"
)

func start(t *testing.T, o dozo.Options) *dozo.Server {
	t.Helper()
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

func dial(t *testing.T, addr string) *redis.Client {
	rdb := redis.NewClient(&redis.Options{Addr: addr, Protocol: 3})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// TestSeveralServers: servers in one process share nothing.
func TestSeveralServers(t *testing.T) {
	ctx := context.Background()
	var clients []*redis.Client
	for i := range 3 {
		srv := start(t, dozo.Options{Portable: i == 2})
		clients = append(clients, dial(t, srv.Addr()))
	}
	for i, c := range clients {
		if err := c.Set(ctx, "me", i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range clients {
		if got, err := c.Get(ctx, "me").Int(); err != nil || got != i {
			t.Errorf("server %d: me = %d, %v", i, got, err)
		}
		if n, err := c.DBSize(ctx).Result(); err != nil || n != 1 {
			t.Errorf("server %d: %d keys, %v", i, n, err)
		}
	}
}

func TestDirectives(t *testing.T) {
	ctx := context.Background()
	sock := filepath.Join(t.TempDir(), "s")
	srv := start(t, dozo.Options{
		UnixSocket: sock,
		Directives: [][2]string{{"requirepass", `"pass word"`}, {"databases", "3"}},
	})
	if err := dial(t, srv.Addr()).Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "NOAUTH") {
		t.Errorf("without the password: %v, want NOAUTH", err)
	}
	rdb := redis.NewClient(&redis.Options{Network: "unix", Addr: sock, Password: "pass word", DB: 2})
	defer rdb.Close()
	if err := rdb.Set(ctx, "a", "b", 0).Err(); err != nil {
		t.Error(err)
	}
	if _, err := dozo.Start(dozo.Options{Directives: [][2]string{{"no-such-thing", "1"}}}); err == nil {
		t.Error("an unknown directive was accepted")
	}
	if _, err := dozo.Start(dozo.Options{Addr: srv.Addr()}); err == nil {
		t.Error("two servers listen on one address")
	}
}

func TestShutdownByClient(t *testing.T) {
	srv := start(t, dozo.Options{})
	_ = dial(t, srv.Addr()).ShutdownNoSave(context.Background()).Err()
	select {
	case <-srv.Done():
	case <-time.After(5 * time.Second):
		t.Fatal("SHUTDOWN was not noticed")
	}
}

// TestCloseWhileBusy: Close ends a server under load, and the data with it.
func TestCloseWhileBusy(t *testing.T) {
	for _, portable := range []bool{false, true} {
		srv, err := dozo.Start(dozo.Options{Portable: portable, Directives: [][2]string{{"io-threads", "2"}}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for i := range 8 {
			rdb := dial(t, srv.Addr())
			wg.Go(func() {
				for n := 0; ctx.Err() == nil; n++ {
					rdb.Set(ctx, fmt.Sprintf("k:%d:%d", i, n), n, time.Minute)
				}
			})
		}
		time.Sleep(200 * time.Millisecond)
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		cancel()
		wg.Wait()
	}
}
