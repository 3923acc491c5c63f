package clients

//lint:file-ignore SA1019 applications go on to use the old forms, too

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// timeline keeps lists of posts: short ones, long ones, and one with posts so
// large that each has a place of its own.
func timeline(s *scene) {
	for _, posts := range []int{5, 700} {
		key := "posts:" + strconv.Itoa(posts)
		for i := range posts {
			doQuiet(s, s.c.LPush(s.ctx, key, fmt.Sprintf("post %d %s", i, strings.Repeat("-", i%50))))
		}
		editList(s, key)
	}
	big := strings.Repeat("photo ", 4000)
	do(s, s.c.RPush(s.ctx, "posts:5", big, "after", big))
	s.tell("a large element comes back: %t", doQuiet(s, s.c.LIndex(s.ctx, "posts:5", -1)) == big)
	do(s, s.c.LRem(s.ctx, "posts:5", 0, big))
	do(s, s.c.LLen(s.ctx, "posts:5"))
	doFrom(s, s.c.LMPop(s.ctx, "right", 3, "none", "posts:5"))
	do(s, s.c.RPopLPush(s.ctx, "posts:5", "other"))
	do(s, s.c.LMove(s.ctx, "posts:5", "posts:5", "left", "right"))
	do(s, s.c.LMove(s.ctx, "none", "other", "left", "right"))
	do(s, s.c.LPush(s.ctx, "posts:5", -7, 1<<40, 1.5))
	do(s, s.c.LRange(s.ctx, "posts:5", 0, -1))
	do(s, s.c.Sort(s.ctx, "posts:5", &redis.Sort{Alpha: true, Order: "DESC", Count: 3}))
}

// editList is what LISTs can do in the middle and at the ends.
func editList(s *scene, key string) {
	do(s, s.c.LRange(s.ctx, key, 0, 3))
	do(s, s.c.LRange(s.ctx, key, -2, -1))
	do(s, s.c.LIndex(s.ctx, key, 2))
	do(s, s.c.LSet(s.ctx, key, 2, "edited"))
	do(s, s.c.LSet(s.ctx, key, 100000, "edited"))
	do(s, s.c.LInsertBefore(s.ctx, key, "edited", "before"))
	do(s, s.c.LInsertAfter(s.ctx, key, "edited", "edited"))
	do(s, s.c.LInsertAfter(s.ctx, key, "absent", "x"))
	do(s, s.c.LPos(s.ctx, key, "edited", redis.LPosArgs{Rank: -1}))
	do(s, s.c.LPosCount(s.ctx, key, "edited", 0, redis.LPosArgs{}))
	do(s, s.c.LRem(s.ctx, key, -1, "edited"))
	do(s, s.c.LPushX(s.ctx, key, "head"))
	do(s, s.c.RPushX(s.ctx, "absent", "tail"))
	do(s, s.c.LPopCount(s.ctx, key, 2))
	do(s, s.c.RPop(s.ctx, key))
	do(s, s.c.LTrim(s.ctx, key, 1, 300))
	do(s, s.c.LLen(s.ctx, key))
	do(s, s.c.RPopCount(s.ctx, "absent", 2))
}

// session is what go-redis scans a hash into.
type session struct {
	User  string  `redis:"user"`
	Hits  int     `redis:"hits"`
	Spent float64 `redis:"spent"`
	Admin bool    `redis:"admin"`
}

// sessions keeps hashes as records, as counters and as a large directory.
func sessions(s *scene) {
	do(s, s.c.HSet(s.ctx, "session:1", session{User: "ann", Hits: 3, Spent: 1.25, Admin: true}))
	do(s, s.c.HSetNX(s.ctx, "session:1", "user", "ben"))
	do(s, s.c.HIncrBy(s.ctx, "session:1", "hits", 39))
	do(s, s.c.HIncrByFloat(s.ctx, "session:1", "spent", 0.1))
	do(s, s.c.HIncrBy(s.ctx, "session:1", "user", 1))
	var got session
	s.must(s.c.HGetAll(s.ctx, "session:1").Scan(&got))
	s.tell("%+v", got)
	s.must(s.c.HMGet(s.ctx, "session:1", "user", "nothing", "admin").Scan(&got))
	do(s, s.c.HMGet(s.ctx, "session:1", "user", "nothing", "admin"))
	do(s, s.c.HGet(s.ctx, "session:1", "nothing"))
	do(s, s.c.HStrLen(s.ctx, "session:1", "user"))
	do(s, s.c.HExists(s.ctx, "session:1", "admin"))
	do(s, s.c.ObjectEncoding(s.ctx, "session:1"))
	for _, fields := range []int{20, 2000} {
		key := "directory:" + strconv.Itoa(fields)
		var all []any
		for i := range fields {
			all = append(all, "name"+strconv.Itoa(i), i)
		}
		do(s, s.c.HSet(s.ctx, key, all...))
		do(s, s.c.HDel(s.ctx, key, "name1", "name7", "nobody"))
		do(s, s.c.HLen(s.ctx, key))
		doSorted(s, s.c.HKeys(s.ctx, key))
		doSorted(s, s.c.HVals(s.ctx, key))
		do(s, s.c.ObjectEncoding(s.ctx, key))
		drawFields(s, key)
	}
	do(s, s.c.Expire(s.ctx, "session:1", time.Hour))
	do(s, s.c.Copy(s.ctx, "session:1", "session:2", 0, false))
	do(s, s.c.HGetAll(s.ctx, "session:2"))
}

// drawFields: random fields are fields, with their values, as many as asked for.
func drawFields(s *scene, key string) {
	all := doQuiet(s, s.c.HGetAll(s.ctx, key))
	pairs := doQuiet(s, s.c.HRandFieldWithValues(s.ctx, key, 5))
	distinct := map[string]bool{}
	for _, p := range pairs {
		distinct[p.Key] = all[p.Key] == p.Value
	}
	s.tell("drawn %d fields %t, with repetition %d", len(pairs), len(distinct) == 5, len(doQuiet(s, s.c.HRandField(s.ctx, key, -30))))
}

// tags answers questions about sets: of numbers, of a few words, of many.
func tags(s *scene) {
	for i := range 600 {
		doQuiet(s, s.c.SAdd(s.ctx, "tag:even", 2*i))
		doQuiet(s, s.c.SAdd(s.ctx, "tag:third", 3*i))
		doQuiet(s, s.c.SAdd(s.ctx, "tag:fifth", 5*i, fmt.Sprintf("post:%d", i)))
	}
	do(s, s.c.SAdd(s.ctx, "tag:few", "0", "30", "post:1", "60"))
	for _, key := range []string{"tag:even", "tag:third", "tag:fifth", "tag:few"} {
		do(s, s.c.SCard(s.ctx, key))
		do(s, s.c.SMIsMember(s.ctx, key, 30, "post:1", 31))
	}
	for _, key := range []string{"tag:even", "tag:fifth"} {
		do(s, s.c.ObjectEncoding(s.ctx, key))
	}
	all := []string{"tag:even", "tag:third", "tag:fifth"}
	doSorted(s, s.c.SInter(s.ctx, append(all, "tag:few")...))
	do(s, s.c.SInterCard(s.ctx, 0, all...))
	do(s, s.c.SInterCard(s.ctx, 10, all...))
	do(s, s.c.SInterStore(s.ctx, "common", all...))
	do(s, s.c.SUnionStore(s.ctx, "any", all...))
	do(s, s.c.SDiffStore(s.ctx, "only", "tag:even", "tag:third", "tag:few"))
	doSorted(s, s.c.SMembers(s.ctx, "common"))
	doSorted(s, s.c.SDiff(s.ctx, "tag:few", "tag:even"))
	do(s, s.c.SMove(s.ctx, "tag:few", "common", "post:1"))
	do(s, s.c.SMove(s.ctx, "tag:few", "common", "absent"))
	do(s, s.c.SRem(s.ctx, "tag:few", 0, 30, "absent"))
	popped := doQuiet(s, s.c.SPopN(s.ctx, "only", 150))
	again := doQuiet(s, s.c.SMIsMember(s.ctx, "only", toAny(popped)...))
	s.tell("popped %d, still there: %t, left %d", len(popped), slices.Contains(again, true), doQuiet(s, s.c.SCard(s.ctx, "only")))
	s.tell("drawn %d and %d", len(doQuiet(s, s.c.SRandMemberN(s.ctx, "tag:even", 20))), len(doQuiet(s, s.c.SRandMemberN(s.ctx, "tag:few", -20))))
	do(s, s.c.SUnionStore(s.ctx, "any", "absent"))
	do(s, s.c.Exists(s.ctx, "any"))
}

func toAny(list []string) (out []any) {
	for _, v := range list {
		out = append(out, v)
	}
	return out
}

// market sells what players own: a transaction over a hash, a set and a sorted
// set, repeated when somebody else came first.
func market(s *scene) {
	do(s, s.c.HSet(s.ctx, "purse:ann", "gold", 100))
	do(s, s.c.HSet(s.ctx, "purse:ben", "gold", 10))
	do(s, s.c.SAdd(s.ctx, "bag:ben", "sword", "shield"))
	offer(s, "ben", "sword", 40)
	offer(s, "ben", "crown", 1)
	disturbed := false
	s.tell("bought: %v", buy(s, "ann", "ben", "sword", func() {
		if !disturbed { // between the look and the deal the purse changes
			disturbed = true
			doQuiet(s, s.c.HIncrBy(s.ctx, "purse:ann", "gold", -5))
		}
	}))
	s.tell("bought twice: %v", buy(s, "ann", "ben", "sword", func() {}))
	for _, who := range []string{"ann", "ben"} {
		do(s, s.c.HGetAll(s.ctx, "purse:"+who))
		doSorted(s, s.c.SMembers(s.ctx, "bag:"+who))
	}
	do(s, s.c.ZRangeWithScores(s.ctx, "market", 0, -1))
	_, err := s.c.TxPipelined(s.ctx, func(p redis.Pipeliner) error {
		p.LPush(s.ctx, "purse:ann", "of the wrong type")
		p.Incr(s.ctx, "deals")
		return nil
	})
	s.tell("a command that fails: %v; the others count: %s", err, doQuiet(s, s.c.Get(s.ctx, "deals")))
}

func offer(s *scene, who, item string, price float64) {
	err := s.c.Watch(s.ctx, func(tx *redis.Tx) error {
		if owns, err := tx.SIsMember(s.ctx, "bag:"+who, item).Result(); err != nil || !owns {
			return errors.Join(err, errors.New("not owned"))
		}
		_, err := tx.TxPipelined(s.ctx, func(p redis.Pipeliner) error {
			p.ZAdd(s.ctx, "market", redis.Z{Score: price, Member: item + "." + who})
			p.SRem(s.ctx, "bag:"+who, item)
			return nil
		})
		return err
	}, "bag:"+who)
	s.tell("%s offers %s: %v", who, item, err)
}

func buy(s *scene, who, from, item string, meanwhile func()) error {
	for try := 1; ; try++ {
		err := s.c.Watch(s.ctx, func(tx *redis.Tx) error {
			price, err := tx.ZScore(s.ctx, "market", item+"."+from).Result()
			if err != nil {
				return err
			}
			gold, err := tx.HGet(s.ctx, "purse:"+who, "gold").Float64()
			if err != nil || gold < price {
				return errors.Join(err, fmt.Errorf("%g is not enough", gold))
			}
			meanwhile()
			cmds, err := tx.TxPipelined(s.ctx, func(p redis.Pipeliner) error {
				p.HIncrByFloat(s.ctx, "purse:"+who, "gold", -price)
				p.HIncrByFloat(s.ctx, "purse:"+from, "gold", price)
				p.ZRem(s.ctx, "market", item+"."+from)
				p.SAdd(s.ctx, "bag:"+who, item)
				return nil
			})
			if err == nil {
				s.tell("try %d: %v", try, cmds)
			}
			return err
		}, "market", "purse:"+who)
		if !errors.Is(err, redis.TxFailedErr) {
			return err
		}
	}
}
