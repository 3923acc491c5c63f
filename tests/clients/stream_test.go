package clients

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	orders    = "orders"
	billing   = "billing"
	orderLast = 300
	poisoned  = 77 // whoever works on this order dies
	triesMax  = 3
)

// streamWorkers is a group of consumers of which some die with work in hand. The
// living claim it, in both ways that streams offer; an order that kills everybody
// ends in a stream of its own.
func streamWorkers(s *scene) {
	do(s, s.c.XGroupCreateMkStream(s.ctx, orders, billing, "0"))
	for i := 1; i <= orderLast; i++ {
		doQuiet(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: orders, ID: fmt.Sprintf("%d-1", i), Values: []any{"order", i, "customer", "c" + fmt.Sprint(i%7)}}))
	}
	for _, name := range []string{"ann", "ben", "cid", "dora", "eli", "fay"} {
		do(s, s.c.XGroupCreateConsumer(s.ctx, orders, billing, name))
	}
	for _, name := range []string{"ann", "ben"} { // they take work, do some of it, and are never heard of again
		got := takeOrders(s, s.connect(), name, 20)
		s.tell("%s has %s", name, strings.Join(got, " "))
		do(s, s.c.XAck(s.ctx, orders, billing, got[:5]...))
	}
	do(s, s.c.XPending(s.ctx, orders, billing))
	time.Sleep(15 * time.Millisecond) // what they hold grows old
	done := rescue(s)
	slices.Sort(done)
	s.tell("%d orders done, each once: %t", len(done), len(slices.Compact(slices.Clone(done))) == len(done))
	do(s, s.c.XPending(s.ctx, orders, billing))
	do(s, s.c.XRange(s.ctx, "dead", "-", "+"))
	groups := doQuiet(s, s.c.XInfoGroups(s.ctx, orders))
	s.tell("groups: %+v", groups)
	consumers := doQuiet(s, s.c.XInfoConsumers(s.ctx, orders, billing))
	for _, c := range consumers {
		s.tell("consumer %s: %d pending", c.Name, c.Pending)
	}
	do(s, s.c.XGroupDelConsumer(s.ctx, orders, billing, "ann"))
	do(s, s.c.XGroupDestroy(s.ctx, orders, billing))
}

// takeOrders reads new work for a consumer.
func takeOrders(s *scene, c *redis.Client, name string, count int64) []string {
	got, err := c.XReadGroup(s.ctx, &redis.XReadGroupArgs{
		Group: billing, Consumer: name, Streams: []string{orders, ">"}, Count: count, Block: 20 * time.Millisecond,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil
	}
	s.must(err)
	return ids(got[0].Messages)
}

func ids(messages []redis.XMessage) (list []string) {
	for _, m := range messages {
		list = append(list, m.ID)
	}
	return list
}

// rescue lets three consumers work at once: one takes what ann had as XPENDING
// shows it, one sweeps with XAUTOCLAIM, one only reads what is new. It returns
// what they acknowledged.
func rescue(s *scene) (done []string) {
	var mu sync.Mutex
	finish := func(c *redis.Client, list []string) {
		for _, id := range list {
			if id == fmt.Sprintf("%d-1", poisoned) {
				continue // it dies here, and starts again: the order stays pending
			}
			if n := doQuiet(s, c.XAck(s.ctx, orders, billing, id)); n == 1 {
				mu.Lock()
				done = append(done, id)
				mu.Unlock()
			}
		}
	}
	var work sync.WaitGroup
	work.Go(func() { c := s.connect(); finish(c, claimOf(s, c, "ann", "cid")) })
	work.Go(func() {
		c := s.connect()
		for range 3 {
			finish(c, sweep(s, c, "dora"))
		}
	})
	work.Go(func() {
		c := s.connect()
		for got := takeOrders(s, c, "eli", 9); got != nil; got = takeOrders(s, c, "eli", 9) {
			finish(c, got)
		}
	})
	work.Wait()
	buryPoisoned(s)
	s.tell("nothing is left to sweep: %t", len(sweep(s, s.c, "dora")) == 0)
	return done
}

// claimOf takes over what a dead consumer holds, one page of XPENDING at a time.
func claimOf(s *scene, c *redis.Client, dead, heir string) (got []string) {
	for {
		page := doQuiet(s, c.XPendingExt(s.ctx, &redis.XPendingExtArgs{
			Stream: orders, Group: billing, Idle: 10 * time.Millisecond, Start: "-", End: "+", Count: 4, Consumer: dead,
		}))
		if len(page) == 0 {
			return got
		}
		var list []string
		for _, p := range page {
			list = append(list, p.ID)
		}
		claimed := doQuiet(s, c.XClaim(s.ctx, &redis.XClaimArgs{
			Stream: orders, Group: billing, Consumer: heir, MinIdle: 10 * time.Millisecond, Messages: list,
		}))
		got = append(got, ids(claimed)...)
	}
}

// sweep claims all old work of anybody.
func sweep(s *scene, c *redis.Client, name string) (got []string) {
	for start := "0-0"; ; {
		messages, next, err := c.XAutoClaim(s.ctx, &redis.XAutoClaimArgs{
			Stream: orders, Group: billing, Consumer: name, MinIdle: 10 * time.Millisecond, Start: start, Count: 6,
		}).Result()
		s.must(err)
		got = append(got, ids(messages)...)
		if start = next; next == "0-0" {
			return got
		}
	}
}

// buryPoisoned moves what was delivered too often to the stream of the dead.
func buryPoisoned(s *scene) {
	for tries := int64(0); ; {
		time.Sleep(11 * time.Millisecond)
		page := doQuiet(s, s.c.XPendingExt(s.ctx, &redis.XPendingExtArgs{Stream: orders, Group: billing, Start: "-", End: "+", Count: 10}))
		if len(page) == 0 {
			return
		}
		p := page[0]
		if p.RetryCount <= tries {
			s.Fatalf("%s was delivered %d times, and then %d times", p.ID, tries, p.RetryCount)
		}
		if tries = p.RetryCount; tries < triesMax {
			sweep(s, s.c, "fay")
			doQuiet(s, s.c.XClaimJustID(s.ctx, &redis.XClaimArgs{Stream: orders, Group: billing, Consumer: "ann", Messages: []string{p.ID}}))
			continue
		}
		lost := doQuiet(s, s.c.XRange(s.ctx, orders, p.ID, p.ID))
		doQuiet(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: "dead", ID: "1-1", Values: []any{"id", p.ID, "order", lost[0].Values["order"]}}))
		do(s, s.c.XAck(s.ctx, orders, billing, p.ID))
	}
}

// eventLog is a stream without groups: readers that follow, that read back, and a
// log that is trimmed.
func eventLog(s *scene) {
	first := doQuiet(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: "clock", Values: map[string]any{"tick": 1}}))
	second := doQuiet(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: "clock", Values: map[string]any{"tick": 2}}))
	s.tell("identifiers grow: %t", first < second)
	follow(s)
	for i := 1; i <= 500; i++ {
		doQuiet(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: "log", ID: fmt.Sprintf("%d-%d", i/10+1, i%10+1), Values: []any{"n", i, "text", strings.Repeat("x", i%40)}}))
	}
	do(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: "log", ID: "7-7", Values: []any{"too", "late"}}))
	do(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: "nolog", NoMkStream: true, Values: []any{"a", "b"}}))
	do(s, s.c.XLen(s.ctx, "log"))
	do(s, s.c.XRange(s.ctx, "log", "5", "5-4"))
	do(s, s.c.XRangeN(s.ctx, "log", "(5-4", "+", 3))
	do(s, s.c.XRevRangeN(s.ctx, "log", "+", "-", 2))
	do(s, s.c.XRead(s.ctx, &redis.XReadArgs{Streams: []string{"log", "nolog", "50-9", "0"}, Block: -1}))
	do(s, s.c.XDel(s.ctx, "log", "5-1", "5-2", "99-1"))
	do(s, s.c.XTrimMinID(s.ctx, "log", "4"))
	do(s, s.c.XTrimMaxLen(s.ctx, "log", 400))
	do(s, s.c.XTrimMaxLenApprox(s.ctx, "log", 150, 0))
	do(s, s.c.XLen(s.ctx, "log"))
	info := doQuiet(s, s.c.XInfoStream(s.ctx, "log"))
	s.tell("log: %d entries, %d added, last %s, first %v, deleted up to %s", info.Length, info.EntriesAdded, info.LastGeneratedID, info.FirstEntry, info.MaxDeletedEntryID)
	do(s, s.c.XGroupCreate(s.ctx, "log", "g", "$"))
	do(s, s.c.XGroupSetID(s.ctx, "log", "g", "45-1"))
	do(s, s.c.XReadGroup(s.ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"log", ">"}, Count: 2, Block: -1}))
	do(s, s.c.XReadGroup(s.ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{"log", "0"}, Count: 5, Block: -1}))
	do(s, s.c.XReadGroup(s.ctx, &redis.XReadGroupArgs{Group: "nogroup", Consumer: "c", Streams: []string{"log", ">"}, Block: -1}))
	do(s, s.c.Type(s.ctx, "log"))
	do(s, s.c.ObjectEncoding(s.ctx, "log"))
}

// follow reads what comes after the moment in which it began to wait.
func follow(s *scene) {
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	got := make(chan string, 10)
	c := s.connect()
	go func() {
		defer close(got)
		for last := "$"; ; {
			streams, err := c.XRead(ctx, &redis.XReadArgs{Streams: []string{"feed", "clock", last, "$"}, Block: 10 * time.Second}).Result()
			if err != nil {
				if ctx.Err() == nil {
					s.Errorf("following: %v", err)
				}
				return
			}
			for _, m := range streams[0].Messages {
				got <- fmt.Sprintf("%s %s %v", streams[0].Stream, m.ID, m.Values)
				last = m.ID
			}
		}
	}()
	for i := range 4 {
		s.waitBlocked(1)
		doQuiet(s, s.c.XAdd(s.ctx, &redis.XAddArgs{Stream: "feed", ID: fmt.Sprintf("%d-0", i+1), Values: []any{"news", i}}))
		s.tell("followed: %s", <-got)
	}
}
