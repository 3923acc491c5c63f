package clients

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// fill makes a value of each type under the prefix: lists, hashes, sets, sorted
// sets and streams of this many elements, a string and a HyperLogLog.
func fill(s *scene, prefix string, n int) (keys []string) {
	_, err := s.c.Pipelined(s.ctx, func(p redis.Pipeliner) error {
		p.Set(s.ctx, prefix+":string", n, 0)
		for i := range n {
			p.RPush(s.ctx, prefix+":list", i)
			p.HSet(s.ctx, prefix+":hash", "f"+strconv.Itoa(i), i)
			p.SAdd(s.ctx, prefix+":set", "m"+strconv.Itoa(i))
			p.SAdd(s.ctx, prefix+":intset", i)
			p.ZAdd(s.ctx, prefix+":zset", redis.Z{Score: float64(i) / 4, Member: "m" + strconv.Itoa(i)})
			p.XAdd(s.ctx, &redis.XAddArgs{Stream: prefix + ":stream", ID: fmt.Sprintf("1-%d", i+1), Values: []any{"n", i}})
			p.PFAdd(s.ctx, prefix+":hll", i)
		}
		return nil
	})
	s.must(err)
	for _, kind := range strings.Fields("string list hash set intset zset stream hll") {
		keys = append(keys, prefix+":"+kind)
	}
	return keys
}

// pipelines sends many commands of all types at once, from many goroutines, and
// gets each reply where it belongs.
func pipelines(s *scene) {
	var work sync.WaitGroup
	sums := make([]string, 8)
	for w := range sums {
		work.Go(func() {
			keys := fill(s, "w"+strconv.Itoa(w), 100)
			cmds, err := s.c.Pipelined(s.ctx, func(p redis.Pipeliner) error {
				p.LLen(s.ctx, keys[1])
				p.HLen(s.ctx, keys[2])
				p.LPush(s.ctx, keys[2], "of the wrong type")
				p.SCard(s.ctx, keys[3])
				p.SInter(s.ctx, keys[4], "absent")
				p.ZRangeWithScores(s.ctx, keys[5], -2, -1)
				p.XRevRangeN(s.ctx, keys[6], "+", "-", 1)
				p.PFCount(s.ctx, keys[7])
				p.HGetAll(s.ctx, "absent")
				return nil
			})
			sums[w] = fmt.Sprintf("%v %v", cmds, err)
		})
	}
	work.Wait()
	for _, line := range sums {
		s.tell("%s", line)
	}
}

// iterators walks over the keys of each type and over the elements of each value,
// small and large, while others come and go.
func iterators(s *scene) {
	for _, n := range []int{6, 1500} {
		fill(s, strconv.Itoa(n), n)
	}
	for _, kind := range strings.Fields("string list hash set zset stream none") {
		s.tell("keys of type %s: %s", kind, strings.Join(drain(s, s.c.ScanType(s.ctx, 0, "*", 3, kind)), " "))
	}
	for _, n := range []string{"6", "1500"} {
		s.tell("%s fields: %s", n, summary(drain(s, s.c.HScan(s.ctx, n+":hash", 0, "", 10))))
		s.tell("%s members: %s", n, summary(drain(s, s.c.SScan(s.ctx, n+":set", 0, "", 10))))
		s.tell("%s numbers: %s", n, summary(drain(s, s.c.SScan(s.ctx, n+":intset", 0, "*1*", 10))))
		s.tell("%s with scores: %s", n, summary(drain(s, s.c.ZScan(s.ctx, n+":zset", 0, "m*4", 10))))
		removeWhileWalking(s, n+":hash")
	}
}

// drain takes all that an iterator gives, each once.
func drain(s *scene, first *redis.ScanCmd) (all []string) {
	it := first.Iterator()
	for it.Next(s.ctx) {
		all = append(all, it.Val())
	}
	s.must(it.Err())
	slices.Sort(all)
	return all
}

// summary shows a few of many.
func summary(all []string) string {
	const shown = 40
	return fmt.Sprintf("%d: %s", len(all), strings.Join(all[:min(shown, len(all))], " "))
}

// removeWhileWalking: what stays in a hash during a walk is seen by it.
func removeWhileWalking(s *scene, key string) {
	seen := map[string]bool{}
	it := s.c.HScan(s.ctx, key, 0, "", 10).Iterator()
	for i := 0; it.Next(s.ctx); i++ {
		field := it.Val()
		it.Next(s.ctx) // its value
		seen[field] = true
		if n, err := strconv.Atoi(field[1:]); err == nil && n%2 == 1 {
			doQuiet(s, s.c.HDel(s.ctx, key, field))
			doQuiet(s, s.c.HSet(s.ctx, key, "new"+field, i))
		}
	}
	s.must(it.Err())
	missed := 0
	for _, field := range doQuiet(s, s.c.HKeys(s.ctx, key)) {
		if !strings.HasPrefix(field, "new") && !seen[field] {
			missed++
		}
	}
	s.tell("%s: %d fields that stayed were missed", key, missed)
}

// notifications follows what happens to keys, in order.
func notifications(s *scene) {
	do(s, s.c.ConfigSet(s.ctx, "notify-keyspace-events", "KEA"))
	sub := s.connect().PSubscribe(s.ctx, "__key*__:*")
	defer sub.Close()
	_, err := sub.Receive(s.ctx) // the confirmation
	s.must(err)
	events := sub.Channel(redis.WithChannelSize(1000))
	happenings(s)
	doQuiet(s, s.c.Set(s.ctx, "the end", 1, 0))
	for e := range events {
		s.tell("%s: %s", e.Channel, e.Payload)
		if e.Payload == "the end" {
			break
		}
	}
}

// happenings are changes of all types that somebody may want to know of.
func happenings(s *scene) {
	ctx := s.ctx
	_, err := s.c.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.RPush(ctx, "l", 1, 2, 3)
		p.LMove(ctx, "l", "l2", "LEFT", "RIGHT")
		p.LTrim(ctx, "l", 5, 6)
		p.LInsertBefore(ctx, "l2", 1, 0)
		p.LPop(ctx, "l2")
		p.LRem(ctx, "l2", 0, 1)
		p.HSet(ctx, "h", "a", 1, "b", 2)
		p.HIncrBy(ctx, "h", "a", 1)
		p.HDel(ctx, "h", "a", "b")
		p.SAdd(ctx, "s", 1, 2, 3)
		p.SAdd(ctx, "s", 1)
		p.SMove(ctx, "s", "s2", 2)
		p.SInterStore(ctx, "s3", "s", "s2")
		p.SUnionStore(ctx, "s3", "s", "s2")
		p.SPopN(ctx, "s3", 3)
		p.ZAdd(ctx, "z", redis.Z{Score: 1, Member: "a"}, redis.Z{Score: 2, Member: "b"})
		p.ZIncrBy(ctx, "z", 1, "a")
		p.ZUnionStore(ctx, "z2", &redis.ZStore{Keys: []string{"z", "z"}})
		p.ZRangeStore(ctx, "z3", redis.ZRangeArgs{Key: "z", Start: 0, Stop: 0})
		p.ZPopMin(ctx, "z3")
		p.ZRemRangeByRank(ctx, "z", 0, -1)
		p.GeoAdd(ctx, "g", cities[0], cities[1])
		p.GeoSearchStore(ctx, "g", "g2", &redis.GeoSearchStoreQuery{GeoSearchQuery: redis.GeoSearchQuery{Member: "Palermo", Radius: 1, RadiusUnit: "km"}})
		p.XAdd(ctx, &redis.XAddArgs{Stream: "x", ID: "1-1", Values: []any{"a", 1}})
		p.XGroupCreate(ctx, "x", "grp", "0")
		p.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "grp", Consumer: "c", Streams: []string{"x", ">"}, Block: -1})
		p.XAck(ctx, "x", "grp", "1-1")
		p.XTrimMaxLen(ctx, "x", 0)
		p.XGroupDestroy(ctx, "x", "grp")
		p.Rename(ctx, "x", "y")
		p.Copy(ctx, "y", "y2", 0, false)
		p.Expire(ctx, "y", time.Hour)
		p.Persist(ctx, "y")
		p.PExpire(ctx, "y2", time.Millisecond)
		p.RPush(ctx, "n", 3, 1, 2)
		p.SortStore(ctx, "n", "sorted", &redis.Sort{})
		p.Unlink(ctx, "n", "sorted", "g", "g2")
		return nil
	})
	s.must(err)
	s.waitFor("the key to expire", func() bool { return doQuiet(s, s.c.Exists(ctx, "y2")) == 0 })
	waiters := wait(s, 1, func(c *redis.Client) (string, error) {
		return c.BLMove(ctx, "from", "to", "LEFT", "RIGHT", 20*time.Second).Result()
	})
	doQuiet(s, s.c.RPush(ctx, "from", "served"))
	tellAll(s, waiters)
}

// exchange treats values of all types alike: copies, dumps, renames, deadlines,
// and the order that SORT makes of them.
func exchange(s *scene) {
	for _, n := range []int{4, 900} {
		for _, key := range fill(s, strconv.Itoa(n), n) {
			do(s, s.c.Type(s.ctx, key))
			do(s, s.c.Copy(s.ctx, key, "copy:"+key, 0, false))
			dump := doQuiet(s, s.c.Dump(s.ctx, key))
			s.must(s.c.RestoreReplace(s.ctx, "copy:"+key, time.Hour, dump).Err())
			s.tell("a restored value is dumped alike: %t", doQuiet(s, s.c.Dump(s.ctx, "copy:"+key)) == dump || strings.HasSuffix(key, "hash") || strings.HasSuffix(key, "set"))
			do(s, s.c.Rename(s.ctx, "copy:"+key, key))
			s.tell("its deadline came along: %t", doQuiet(s, s.c.TTL(s.ctx, key)) > 59*time.Minute)
			do(s, s.c.Move(s.ctx, key, 5))
			do(s, s.c.Exists(s.ctx, key))
		}
	}
	for i, name := range []string{"cherry", "apple", "banana"} {
		doQuiet(s, s.c.RPush(s.ctx, "fruit", i+1))
		doQuiet(s, s.c.HSet(s.ctx, "fruit:"+strconv.Itoa(i+1), "name", name, "price", 10-i))
	}
	do(s, s.c.Sort(s.ctx, "fruit", &redis.Sort{By: "fruit:*->price", Get: []string{"#", "fruit:*->name"}}))
	do(s, s.c.Sort(s.ctx, "fruit", &redis.Sort{By: "fruit:*->name", Alpha: true, Order: "DESC", Get: []string{"fruit:*->name"}}))
	do(s, s.c.SortRO(s.ctx, "fruit", &redis.Sort{Offset: 1, Count: 5}))
	do(s, s.c.SortStore(s.ctx, "fruit", "sorted", &redis.Sort{By: "nosort", Get: []string{"fruit:*->price"}}))
	do(s, s.c.LRange(s.ctx, "sorted", 0, -1))
}
