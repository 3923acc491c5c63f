package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"dozo/internal/testutil"
)

// scene is a scenario under way against one server.
type scene struct {
	testing.TB
	ctx  context.Context
	c    *redis.Client
	addr string
	resp int

	mu   sync.Mutex // guards mine
	mine []*redis.Client
	told strings.Builder
}

// scenario is one application.
type scenario struct {
	name string
	run  func(*scene)
}

var scenarios = []scenario{
	{"leaderboard", leaderboard},
	{"seasons", seasons},
	{"matchmaking", matchmaking},
	{"stream", streamWorkers},
	{"eventlog", eventLog},
	{"queue", reliableQueue},
	{"blocking", blocking},
	{"geo", geoSearch},
	{"timeline", timeline},
	{"sessions", sessions},
	{"tags", tags},
	{"market", market},
	{"pipelines", pipelines},
	{"iterators", iterators},
	{"notifications", notifications},
	{"exchange", exchange},
}

// scenarioTimeout bounds one scenario against one server.
const scenarioTimeout = 30 * time.Second

func TestGoRedis(t *testing.T) {
	servers := []*testutil.Server{testutil.StartRedis(t), testutil.StartDozo(t)}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			var first string
			for _, s := range servers {
				for _, resp := range []int{2, 3} {
					got := play(t, s, resp, sc.run)
					if first == "" {
						first = got
						t.Logf("%s over RESP%d:\n%s", s.Name, resp, got)
					}
					compare(t, first, got, fmt.Sprintf("%s over RESP%d", s.Name, resp))
				}
			}
		})
	}
}

// play runs one scenario on an empty server and returns its transcript.
func play(t *testing.T, server *testutil.Server, resp int, run func(*scene)) string {
	ctx, cancel := context.WithTimeout(t.Context(), scenarioTimeout)
	defer cancel()
	s := &scene{TB: t, ctx: ctx, addr: server.Addr(), resp: resp}
	defer s.leave()
	s.c = s.connect()
	s.waitBlocked(0) // those of the last scene are gone
	s.must(s.c.FlushAll(ctx).Err())
	s.must(s.c.ConfigSet(ctx, "notify-keyspace-events", "").Err())
	defer func() {
		if t.Failed() {
			t.Logf("%s over RESP%d had told:\n%s", server.Name, resp, s.told.String())
		}
	}()
	run(s)
	if s.told.Len() == 0 {
		t.Fatal("the scenario has told nothing")
	}
	return s.told.String()
}

// compare fails at the first line that differs.
func compare(t *testing.T, want, got, who string) {
	t.Helper()
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range max(len(w), len(g)) {
		if i >= len(w) || i >= len(g) || w[i] != g[i] {
			t.Fatalf("line %d differs:\n%s: %s\nthe oracle over RESP2: %s", i+1, who, at(g, i), at(w, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(nothing more)"
}

// leave closes what was connected: the next scene counts who is there.
func (s *scene) leave() {
	for _, c := range s.mine {
		_ = c.Close() // a worker that died has closed it already
	}
}

// connect opens a client of its own, for a worker that may die with it.
func (s *scene) connect() *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := redis.NewClient(&redis.Options{
		Addr: s.addr, Protocol: s.resp, PoolSize: 20, MaxRetries: -1,
		DisableIdentity: true, ReadTimeout: scenarioTimeout,
	})
	s.mine = append(s.mine, c)
	return c
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// tell adds a line to the transcript.
func (s *scene) tell(format string, args ...any) {
	fmt.Fprintf(&s.told, format+"\n", args...)
}

// command is any command of go-redis that was run.
type command[T any] interface {
	Args() []any
	Result() (T, error)
}

// do tells of a command and its reply as go-redis understood it.
func do[T any](s *scene, cmd command[T]) T {
	s.Helper()
	v, err := cmd.Result()
	s.line(cmd.Args(), v, err)
	return v
}

// doSorted is do for a reply whose order means nothing.
func doSorted(s *scene, cmd command[[]string]) []string {
	s.Helper()
	v, err := cmd.Result()
	slices.Sort(v)
	s.line(cmd.Args(), v, err)
	return v
}

// doQuiet is for a command whose reply is not worth a line. It must not fail.
func doQuiet[T any](s *scene, cmd command[T]) T {
	s.Helper()
	v, err := cmd.Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		s.Fatalf("%v: %v", cmd.Args(), err)
	}
	return v
}

// longestCommand is what is shown of a command's arguments.
const longestCommand = 100

func (s *scene) line(args []any, v any, err error) {
	s.Helper()
	name := strings.TrimSuffix(fmt.Sprintln(args...), "\n")
	name = name[:min(len(name), longestCommand)]
	if err != nil {
		s.tell("%s: error %v", name, err)
		return
	}
	text, err := json.Marshal(v)
	s.must(err)
	s.tell("%s: %s", name, text)
}

// waitFor polls until a condition holds.
func (s *scene) waitFor(what string, ok func() bool) {
	s.Helper()
	for !ok() {
		if s.ctx.Err() != nil {
			s.Fatalf("waited in vain for %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// waitBlocked waits until n clients are blocked.
func (s *scene) waitBlocked(n int) {
	s.Helper()
	s.waitFor(fmt.Sprintf("%d blocked clients", n), func() bool {
		info := doQuiet(s, s.c.Info(s.ctx, "clients"))
		return testutil.InfoField(info, "blocked_clients") == fmt.Sprint(n)
	})
}

// doFrom is do for commands that also say which of their keys they took from.
func doFrom[T any](s *scene, cmd interface {
	Args() []any
	Result() (string, T, error)
}) {
	s.Helper()
	key, v, err := cmd.Result()
	s.line(append(cmd.Args(), "->", key), v, err)
}
