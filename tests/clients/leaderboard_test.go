package clients

//lint:file-ignore SA1019 applications go on to use the old forms, too

import (
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// player names players so that the order of names is not that of scores.
func player(i int) string { return fmt.Sprintf("player:%04d", i*7919%10007) }

// leaderboard plays a game of a thousand players (a large sorted set) and of a
// dozen (a small one): points, ranks, pages, neighbours, prizes.
func leaderboard(s *scene) {
	for _, players := range []int{12, 1000} {
		board := "board:" + strconv.Itoa(players)
		_, err := s.c.Pipelined(s.ctx, func(p redis.Pipeliner) error {
			for i := range players {
				p.ZAdd(s.ctx, board, redis.Z{Score: float64(i * i % 997), Member: player(i)})
			}
			return nil
		})
		s.must(err)
		rewards(s, board)
		pages(s, board)
		prizes(s, board)
		do(s, s.c.ObjectEncoding(s.ctx, board))
	}
}

// rewards changes scores under all the conditions that ZADD knows.
func rewards(s *scene, board string) {
	do(s, s.c.ZIncrBy(s.ctx, board, 12.5, player(3)))
	do(s, s.c.ZIncrBy(s.ctx, board, -1e-3, player(5)))
	do(s, s.c.ZIncrBy(s.ctx, board, 1, "newcomer"))
	do(s, s.c.ZAddNX(s.ctx, board, redis.Z{Score: 1, Member: player(3)}, redis.Z{Score: 2, Member: "late"}))
	do(s, s.c.ZAddXX(s.ctx, board, redis.Z{Score: 3, Member: "late"}, redis.Z{Score: 4, Member: "nobody"}))
	for _, score := range []float64{1, 900} {
		do(s, s.c.ZAddGT(s.ctx, board, redis.Z{Score: score, Member: player(7)}))
		do(s, s.c.ZAddLT(s.ctx, board, redis.Z{Score: score, Member: player(8)}))
	}
	do(s, s.c.ZAddArgs(s.ctx, board, redis.ZAddArgs{Ch: true, Members: []redis.Z{
		{Score: 55, Member: player(1)}, {Score: 55, Member: player(2)}, {Score: 3, Member: "late"},
	}}))
	do(s, s.c.ZAddArgsIncr(s.ctx, board, redis.ZAddArgs{XX: true, GT: true, Members: []redis.Z{{Score: -5, Member: player(1)}}}))
	do(s, s.c.ZMScore(s.ctx, board, player(1), "nobody", player(8)))
	do(s, s.c.ZScore(s.ctx, board, "nobody"))
}

// pages shows the board as its visitors see it.
func pages(s *scene, board string) {
	do(s, s.c.ZCard(s.ctx, board))
	do(s, s.c.ZRevRangeWithScores(s.ctx, board, 0, 9))
	do(s, s.c.ZRangeWithScores(s.ctx, board, -3, -1))
	for _, who := range []string{player(3), "newcomer", "nobody"} {
		do(s, s.c.ZRevRank(s.ctx, board, who))
		rank, err := s.c.ZRank(s.ctx, board, who).Result()
		if err == nil {
			do(s, s.c.ZRange(s.ctx, board, max(0, rank-2), rank+2))
		}
	}
	do(s, s.c.ZCount(s.ctx, board, "(55", "+inf"))
	do(s, s.c.ZCount(s.ctx, board, "-inf", "55"))
	do(s, s.c.ZRevRangeByScoreWithScores(s.ctx, board, &redis.ZRangeBy{Max: "500", Min: "(1", Offset: 1, Count: 5}))
	do(s, s.c.ZRangeArgsWithScores(s.ctx, redis.ZRangeArgs{Key: board, Start: "(3", Stop: 500, ByScore: true, Rev: true, Count: 4}))
	do(s, s.c.ZRangeArgs(s.ctx, redis.ZRangeArgs{Key: board, Start: 2, Stop: 4, Rev: true}))
	do(s, s.c.ZRangeStore(s.ctx, "top", redis.ZRangeArgs{Key: board, Start: 0, Stop: 4, Rev: true}))
	do(s, s.c.ZRangeWithScores(s.ctx, "top", 0, -1))
}

// prizes ends the game.
func prizes(s *scene, board string) {
	do(s, s.c.ZPopMax(s.ctx, board, 3))
	do(s, s.c.ZPopMin(s.ctx, board))
	doFrom(s, s.c.ZMPop(s.ctx, "max", 2, "nothing", board))
	do(s, s.c.ZRem(s.ctx, board, "late", "nobody", player(9)))
	do(s, s.c.ZRemRangeByScore(s.ctx, board, "(3", "10"))
	do(s, s.c.ZRemRangeByRank(s.ctx, board, 0, 1))
	do(s, s.c.ZCard(s.ctx, board))
	drawn := doQuiet(s, s.c.ZRandMemberWithScores(s.ctx, board, 3))
	for _, z := range drawn {
		score := doQuiet(s, s.c.ZScore(s.ctx, board, z.Member.(string)))
		s.tell("a random member has its score: %t", score == z.Score)
	}
	s.tell("drawn %d, with repetition %d", len(drawn), len(doQuiet(s, s.c.ZRandMember(s.ctx, board, -40))))
}

// seasons combines boards: unions and intersections with weights, differences,
// and a dictionary of names in lexicographical order.
func seasons(s *scene) {
	for week := range 3 {
		for i := range 40 {
			doQuiet(s, s.c.ZAdd(s.ctx, "week:"+strconv.Itoa(week), redis.Z{Score: float64(i * (week + 1)), Member: player(i + 10*week)}))
		}
	}
	weeks := []string{"week:0", "week:1", "week:2"}
	for _, how := range []string{"SUM", "MIN", "MAX"} {
		store := &redis.ZStore{Keys: weeks, Weights: []float64{1, 2, 0.5}, Aggregate: how}
		do(s, s.c.ZUnionStore(s.ctx, "season", store))
		do(s, s.c.ZRevRangeWithScores(s.ctx, "season", 0, 5))
		do(s, s.c.ZInterStore(s.ctx, "faithful", store))
		do(s, s.c.ZRangeWithScores(s.ctx, "faithful", 0, -1))
	}
	do(s, s.c.ZInterCard(s.ctx, 7, weeks...))
	do(s, s.c.ZDiffStore(s.ctx, "gone", weeks...))
	do(s, s.c.ZRangeWithScores(s.ctx, "gone", 0, -1))
	do(s, s.c.ZUnionWithScores(s.ctx, redis.ZStore{Keys: []string{"week:2", "gone"}}))
	do(s, s.c.ZInterWithScores(s.ctx, &redis.ZStore{Keys: []string{"week:1", "week:2"}}))
	do(s, s.c.ZDiffWithScores(s.ctx, "week:2", "week:1"))
	for _, word := range []string{"bar", "barn", "bark", "baz", "foo", "food", "", "z"} {
		doQuiet(s, s.c.ZAdd(s.ctx, "words", redis.Z{Member: word}))
	}
	do(s, s.c.ZRangeByLex(s.ctx, "words", &redis.ZRangeBy{Min: "[bar", Max: "[bar\xff"}))
	do(s, s.c.ZRevRangeByLex(s.ctx, "words", &redis.ZRangeBy{Min: "(bar", Max: "+", Offset: 1, Count: 3}))
	do(s, s.c.ZLexCount(s.ctx, "words", "-", "(foo"))
	do(s, s.c.ZRemRangeByLex(s.ctx, "words", "[barn", "(foo"))
	do(s, s.c.ZRange(s.ctx, "words", 0, -1))
	do(s, s.c.Type(s.ctx, "words"))
}

// matchmaking pairs waiting players: a blocking pop from several boards, in the
// order in which the players began to wait.
func matchmaking(s *scene) {
	type match struct {
		got *redis.ZWithKey
		err error
	}
	var waiting []chan match
	for i := range 3 {
		c, ch := s.connect(), make(chan match, 1)
		waiting = append(waiting, ch)
		go func() {
			got, err := c.BZPopMin(s.ctx, 20*time.Second, "gold", "silver").Result()
			ch <- match{got, err}
		}()
		s.waitBlocked(i + 1)
	}
	do(s, s.c.ZAdd(s.ctx, "silver", redis.Z{Score: 5, Member: "eve"}, redis.Z{Score: 4, Member: "dan"}))
	do(s, s.c.ZAdd(s.ctx, "gold", redis.Z{Score: 9, Member: "amy"}, redis.Z{Score: 8, Member: "bob"}))
	for i, ch := range waiting {
		m := <-ch
		s.must(m.err)
		s.tell("waiter %d: %s from %s with %g", i, m.got.Member, m.got.Key, m.got.Score)
	}
	do(s, s.c.ZRangeWithScores(s.ctx, "gold", 0, -1))
	do(s, s.c.Exists(s.ctx, "silver"))
	doFrom(s, s.c.BZMPop(s.ctx, time.Second, "max", 10, "silver", "gold"))
	do(s, s.c.Do(s.ctx, "BZPOPMAX", "silver", "gold", "0.02")) // go-redis' own method waits for a second
}
