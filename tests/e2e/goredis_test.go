package e2e

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"dozo/internal/testutil"
)

func client(t *testing.T, s *testutil.Server, change func(*redis.Options)) *redis.Client {
	t.Helper()
	o := &redis.Options{Addr: s.Addr(), Protocol: 3, PoolSize: 10}
	if change != nil {
		change(o)
	}
	c := redis.NewClient(o)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestGoRedisBasics(t *testing.T) {
	s := testutil.StartDozo(t)
	for _, proto := range []int{2, 3} {
		t.Run("resp"+strconv.Itoa(proto), func(t *testing.T) {
			ctx := t.Context()
			c := client(t, s, func(o *redis.Options) { o.Protocol, o.ClientName, o.DB = proto, "e2e", proto })
			must(t, c.FlushDB(ctx).Err())
			must(t, c.Set(ctx, "k", "v", time.Hour).Err())
			if ttl := c.TTL(ctx, "k").Val(); ttl < 59*time.Minute || ttl > time.Hour {
				t.Errorf("TTL: %v", ttl)
			}
			if _, err := c.Get(ctx, "nope").Result(); !errors.Is(err, redis.Nil) {
				t.Errorf("GET of nothing: %v", err)
			}
			if err := c.Incr(ctx, "k").Err(); err == nil || err.Error() != "ERR value is not an integer or out of range" {
				t.Errorf("INCR of a string: %v", err)
			}
			old, err := c.SetArgs(ctx, "k", "w", redis.SetArgs{Get: true, KeepTTL: true}).Result()
			if old != "v" || err != nil {
				t.Errorf("SET GET KEEPTTL: %q, %v", old, err)
			}
			if got := c.MGet(ctx, "k", "nope").Val(); fmt.Sprint(got) != "[w <nil>]" {
				t.Errorf("MGET: %v", got)
			}
			if got := c.IncrByFloat(ctx, "f", 0.1).Val(); got != 0.1 {
				t.Errorf("INCRBYFLOAT: %v", got)
			}
			if got := c.BitField(ctx, "b", "SET", "u8", 0, 200, "GET", "u4", 0).Val(); fmt.Sprint(got) != "[0 12]" {
				t.Errorf("BITFIELD: %v", got)
			}
			c.PFAdd(ctx, "h", "a", "b", "c")
			if got := c.PFCount(ctx, "h").Val(); got != 3 {
				t.Errorf("PFCOUNT: %v", got)
			}
			if got := c.ConfigGet(ctx, "maxmemory-policy").Val(); got["maxmemory-policy"] != "noeviction" {
				t.Errorf("CONFIG GET: %v", got)
			}
			if got := c.ClientGetName(ctx).Val(); got != "e2e" {
				t.Errorf("CLIENT GETNAME: %q", got)
			}
			if got := c.Command(ctx).Val(); got["get"] == nil || got["get"].Arity != 2 {
				t.Errorf("COMMAND: %d entries, get: %v", len(got), got["get"])
			}
			if info := c.Info(ctx, "server").Val(); testutil.InfoField(info, "redis_version") == "" {
				t.Errorf("INFO server: %q", info)
			}
			dump := c.Dump(ctx, "k").Val()
			must(t, c.RestoreReplace(ctx, "copy", time.Minute, dump).Err())
			if got := c.Get(ctx, "copy").Val(); got != "w" {
				t.Errorf("DUMP and RESTORE: %q", got)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestGoRedisPipelinesAndPool(t *testing.T) {
	s := testutil.StartDozo(t)
	c := client(t, s, nil)
	var wg sync.WaitGroup
	for worker := range 20 {
		wg.Go(func() {
			for round := range 20 {
				var got []*redis.IntCmd
				_, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
					for range 100 {
						got = append(got, p.Incr(t.Context(), "w"+strconv.Itoa(worker)))
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
				for i, g := range got {
					if want := int64(round*100 + i + 1); g.Val() != want {
						t.Errorf("worker %d: INCR gave %d, want %d", worker, g.Val(), want)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if stats := c.PoolStats(); stats.TotalConns > 10 {
		t.Errorf("the pool opened %d connections", stats.TotalConns)
	}
}

func TestGoRedisTransactions(t *testing.T) {
	s := testutil.StartDozo(t)
	c := client(t, s, nil)
	increment := func(tx *redis.Tx) error {
		n, err := tx.Get(t.Context(), "n").Int()
		if err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		_, err = tx.TxPipelined(t.Context(), func(p redis.Pipeliner) error {
			p.Set(t.Context(), "n", n+1, 0)
			return nil
		})
		return err
	}
	const workers, rounds = 8, 50
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for done := 0; done < rounds; {
				switch err := c.Watch(t.Context(), increment, "n"); {
				case err == nil:
					done++
				case !errors.Is(err, redis.TxFailedErr):
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if got := c.Get(t.Context(), "n").Val(); got != strconv.Itoa(workers*rounds) {
		t.Errorf("optimistic increments: %s, want %d", got, workers*rounds)
	}
}

func TestGoRedisPubSub(t *testing.T) {
	s := testutil.StartDozo(t)
	for _, proto := range []int{2, 3} {
		t.Run("resp"+strconv.Itoa(proto), func(t *testing.T) {
			c := client(t, s, func(o *redis.Options) { o.Protocol = proto })
			sub := c.Subscribe(t.Context(), "a", "b")
			defer sub.Close()
			psub := c.PSubscribe(t.Context(), "*")
			defer psub.Close()
			for _, p := range []*redis.PubSub{sub, psub} {
				_, err := p.Receive(t.Context()) // the confirmation
				must(t, err)
			}
			const messages = 2000
			go func() {
				for i := range messages {
					c.Publish(context.Background(), []string{"a", "b"}[i%2], i)
				}
			}()
			for _, ch := range []<-chan *redis.Message{sub.Channel(redis.WithChannelSize(messages)), psub.Channel(redis.WithChannelSize(messages))} {
				expectInOrder(t, ch, messages)
			}
		})
	}
}

func expectInOrder(t *testing.T, ch <-chan *redis.Message, messages int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for i := range messages {
		select {
		case m := <-ch:
			if m.Payload != strconv.Itoa(i) {
				t.Fatalf("message %d is %q", i, m.Payload)
			}
		case <-timeout:
			t.Fatalf("message %d never came", i)
		}
	}
}

func TestGoRedisScan(t *testing.T) {
	s := testutil.StartDozo(t)
	c := client(t, s, nil)
	const keys = 5000
	_, err := c.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		for i := range keys {
			p.Set(t.Context(), fmt.Sprintf("key:%d", i), i, 0)
		}
		return nil
	})
	must(t, err)
	seen := map[string]bool{}
	it := c.Scan(t.Context(), 0, "key:*", 100).Iterator()
	for it.Next(t.Context()) {
		seen[it.Val()] = true
	}
	if it.Err() != nil || len(seen) != keys {
		t.Errorf("SCAN saw %d of %d keys, %v", len(seen), keys, it.Err())
	}
}
