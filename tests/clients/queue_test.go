package clients

//lint:file-ignore SA1019 applications go on to use the old forms, too

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	queueJobs    = 200
	queueWorkers = 5
	heartbeat    = 60 * time.Millisecond
)

// reliableQueue hands jobs to workers by BLMOVE, so that a job is always in the
// queue or in the list of whoever works on it. Every 17th job kills its worker, the
// first time. A reaper gives back what the dead had in hand.
func reliableQueue(s *scene) {
	var workers sync.WaitGroup
	for i := range queueWorkers {
		workers.Go(func() { hire(s, "w"+strconv.Itoa(i)) })
	}
	s.waitBlocked(queueWorkers)
	for i := range queueJobs / 2 { // singly and in bulk
		doQuiet(s, s.c.LPush(s.ctx, "jobs", "job:"+strconv.Itoa(i)))
	}
	var rest []any
	for i := queueJobs / 2; i < queueJobs; i++ {
		rest = append(rest, "job:"+strconv.Itoa(i))
	}
	doQuiet(s, s.c.LPush(s.ctx, "jobs", rest...))
	s.waitFor("all jobs", func() bool {
		reap(s)
		return doQuiet(s, s.c.SCard(s.ctx, "done")) == queueJobs
	})
	doQuiet(s, s.c.Set(s.ctx, "closing", "yes", 0))
	workers.Wait()
	reap(s)
	do(s, s.c.LLen(s.ctx, "jobs"))
	do(s, s.c.SCard(s.ctx, "done"))
	do(s, s.c.SCard(s.ctx, "killers"))
	tries := doQuiet(s, s.c.HGetAll(s.ctx, "tries"))
	again := 0 // at least: a worker that is slow may be taken for dead
	for i := 0; i < queueJobs; i += 17 {
		if n, err := strconv.Atoi(tries["job:"+strconv.Itoa(i)]); err == nil && n >= 2 {
			again++
		}
	}
	s.tell("%d jobs tried, of the killers again: %d", len(tries), again)
	left := doQuiet(s, s.c.Keys(s.ctx, "busy:*"))
	s.tell("lists of workers left: %d", len(left))
}

// hire replaces a worker each time that it dies.
func hire(s *scene, name string) {
	for life := 0; ; life++ {
		c := s.connect()
		died := workUntilDeath(s, c, fmt.Sprintf("%s.%d", name, life))
		s.must(c.Close())
		if !died {
			return
		}
	}
}

// workUntilDeath is the life of one worker. It holds a key while it lives.
func workUntilDeath(s *scene, c *redis.Client, me string) (died bool) {
	busy := "busy:" + me
	doQuiet(s, c.SAdd(s.ctx, "workers", me))
	for {
		doQuiet(s, c.Set(s.ctx, "alive:"+me, "1", heartbeat))
		job, err := c.Do(s.ctx, "BLMOVE", "jobs", busy, "RIGHT", "LEFT", heartbeat.Seconds()/2).Text()
		if errors.Is(err, redis.Nil) {
			if doQuiet(s, c.Exists(s.ctx, "closing")) == 1 {
				return false
			}
			continue
		}
		s.must(err)
		n, err := strconv.Atoi(strings.TrimPrefix(job, "job:"))
		s.must(err)
		doQuiet(s, c.HIncrBy(s.ctx, "tries", job, 1))
		if n%17 == 0 && doQuiet(s, c.SAdd(s.ctx, "killers", job)) == 1 {
			return true
		}
		_, err = c.TxPipelined(s.ctx, func(p redis.Pipeliner) error {
			p.LRem(s.ctx, busy, 1, job)
			p.SAdd(s.ctx, "done", job)
			return nil
		})
		s.must(err)
	}
}

// reap puts the work of those who show no sign of life back into the queue.
func reap(s *scene) {
	for _, who := range doQuiet(s, s.c.SMembers(s.ctx, "workers")) {
		if doQuiet(s, s.c.Exists(s.ctx, "alive:"+who)) == 1 {
			continue
		}
		for {
			_, err := s.c.LMove(s.ctx, "busy:"+who, "jobs", "RIGHT", "RIGHT").Result()
			if errors.Is(err, redis.Nil) {
				break
			}
			s.must(err)
		}
	}
}

// blocking waits in every way that lists have: fairness, several keys, pops of
// many, transactions, timeouts, and waiters that vanish.
func blocking(s *scene) {
	waiters := wait(s, 3, func(c *redis.Client) (string, error) {
		got, err := c.BRPop(s.ctx, 20*time.Second, "urgent", "normal").Result()
		return strings.Join(got, "="), err
	})
	do(s, s.c.RPush(s.ctx, "normal", "a", "b"))
	do(s, s.c.RPush(s.ctx, "urgent", "c", "d"))
	tellAll(s, waiters)
	do(s, s.c.LRange(s.ctx, "urgent", 0, -1))
	do(s, s.c.Del(s.ctx, "urgent"))

	waiters = wait(s, 2, func(c *redis.Client) (string, error) {
		from, got, err := c.BLMPop(s.ctx, 20*time.Second, "left", 3, "x", "y").Result()
		return fmt.Sprint(from, got), err
	})
	_, err := s.c.TxPipelined(s.ctx, func(p redis.Pipeliner) error {
		p.RPush(s.ctx, "y", 1, 2)
		p.LPush(s.ctx, "y", 0)
		p.RPush(s.ctx, "x", "first of x")
		p.LPop(s.ctx, "x")
		p.RPush(s.ctx, "y", 3, 4)
		return nil
	})
	s.must(err)
	tellAll(s, waiters[:1])
	do(s, s.c.LRange(s.ctx, "y", 0, -1))
	do(s, s.c.RPush(s.ctx, "x", "for the second"))
	tellAll(s, waiters[1:])

	begin := time.Now()
	do(s, s.c.Do(s.ctx, "BLPOP", "never", "0.05"))
	s.tell("timeouts are kept: %t", time.Since(begin) >= 50*time.Millisecond)
	vanishing(s)
	chain(s)
}

// wait starts n clients that wait one behind the other.
func wait(s *scene, n int, what func(*redis.Client) (string, error)) []chan string {
	var all []chan string
	for i := range n {
		c, ch := s.connect(), make(chan string, 1)
		all = append(all, ch)
		go func() {
			got, err := what(c)
			ch <- fmt.Sprintf("%s, %v", got, err)
		}()
		s.waitBlocked(i + 1)
	}
	return all
}

func tellAll(s *scene, waiters []chan string) {
	for i, ch := range waiters {
		s.tell("waiter %d: %s", i, <-ch)
	}
}

// vanishing: of three waiters the first is killed and the second sent away, so the
// third gets the element.
func vanishing(s *scene) {
	waiters := wait(s, 3, func(c *redis.Client) (string, error) {
		got, err := c.BLPop(s.ctx, 20*time.Second, "gone").Result()
		if err != nil && !strings.HasPrefix(err.Error(), "UNBLOCKED") {
			err = errors.New("killed") // the words are the client library's
		}
		return strings.Join(got, "="), err
	})
	var waiting []string
	for line := range strings.Lines(doQuiet(s, s.c.ClientList(s.ctx))) {
		if strings.Contains(line, " flags=b ") {
			id, _, _ := strings.Cut(strings.TrimPrefix(line, "id="), " ")
			waiting = append(waiting, id)
		}
	}
	s.tell("waiting: %d", len(waiting))
	doQuiet(s, s.c.ClientKillByFilter(s.ctx, "ID", waiting[0]))
	second, err := strconv.ParseInt(waiting[1], 10, 64)
	s.must(err)
	doQuiet(s, s.c.ClientUnblockWithError(s.ctx, second))
	s.waitBlocked(1)
	do(s, s.c.LPush(s.ctx, "gone", "kept"))
	tellAll(s, waiters)
}

// chain: an element goes through three lists by clients that wait for each other.
func chain(s *scene) {
	hops := []string{"c1", "c2", "c3", "c1"}
	var all []chan string
	for i := range 3 {
		all = append(all, make(chan string, 1))
		c := s.connect()
		go func() {
			got, err := c.BLMove(s.ctx, hops[i], hops[i+1], "RIGHT", "LEFT", 20*time.Second).Result()
			all[i] <- fmt.Sprintf("%s, %v", got, err)
		}()
		s.waitBlocked(i + 1)
	}
	do(s, s.c.LPush(s.ctx, "c1", "token"))
	tellAll(s, all)
	do(s, s.c.LRange(s.ctx, "c1", 0, -1))
	do(s, s.c.BRPopLPush(s.ctx, "c1", "c2", time.Second))
}
