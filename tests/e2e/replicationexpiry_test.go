package e2e

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// A primary gets keys of all types, which end one after the other. Replicas of it, whose own
// clocks are wrong by an hour, and which hear of everything late, are asked all that can be
// read, and what they say is compared with what is true.
//
// What is true is known so: of each kind of value there is a copy for ever at the primary,
// its stand-in, and a name that nobody has. The reply to a reader must be what the primary
// says when stand-ins take the places of the keys that live, and that name of those that do
// not. Which live follows from what time it is: a replica says so itself, since there is a
// key far from its end, `clock`, whose PTTL it is asked for in the same transaction. It is
// believed if that was the time at the primary not long before; if not, any moment that it
// may have been counts. A key that has ended is also right to be missing: its removal may
// have come before the next stamp.

// expiryLag is how far behind its primary's time a replica's may be: what the network delays,
// and what a busy machine does.
const expiryLag = 4 * time.Second

// slewPart: the time of one that was promoted is faster than the clock by no more than this
// part.
const slewPart = 20

const letters = "snhlezxpg"

// grouped is how many keys end together, in the middle: readers that find keys by patterns
// need those of their elements to.
const grouped = 10 * len(letters)

// volatile is a key that ends.
type volatile struct {
	name  string
	live  string // its stand-in
	less  string // its stand-in when a field has ended; "" = none does
	end   int64  // Unix milliseconds
	over  int64  // from then on it has ended: Redis has it live through the last millisecond
	field int64  // end of the field f1, before that of the key
}

const nobody = "none" // a name that no key has

// states are what a key may be like for somebody to whom it is lo to hi, when its field and
// then itself may have been removed until a time.
func (k *volatile) states(s span) []string {
	states := []string{k.state(s.lo), k.state(s.hi), k.state(s.until)}
	if k.less != "" && s.until >= k.field && s.lo < k.over {
		states = append(states, k.less)
	}
	slices.Sort(states)
	return slices.Compact(states)
}

// state is the name of what a key is like at a time.
func (k *volatile) state(at int64) string {
	switch {
	case at >= k.over:
		return nobody
	case k.less != "" && at >= k.field:
		return k.less
	}
	return k.live
}

// expiring is the data, and who asks for it.
type expiring struct {
	t       *testing.T
	redis   bool
	primary *testutil.Server
	keys    []volatile
	names   map[string]*volatile
	clock   int64 // when the key `clock` ends
	others  int   // keys that stay
	// promoted is when the replicas were; from then on their time comes to their own clocks.
	promoted time.Time

	mu      sync.Mutex
	truth   map[string]string // what the primary says to a line with stand-ins
	asker   *testutil.Conn
	readers []string
}

// valueOf makes a value of a type; there are ten of each.
func valueOf(letter byte, key string, v int) (calls []string) {
	return map[byte][]string{
		's': {"SET %s value-%d"}, 'n': {"SET %s %d"}, 'h': {"HSET %s f0 a f1 b f2 c f3 d f4 e f5 %d"}, 'l': {"RPUSH %s a b c %d"},
		'e': {"SADD %s 1 2 %d"}, 'z': {"ZADD %s 1 a 2 b 3 m%d"}, 'p': {"PFADD %s a b %d"}, 'g': {"GEOADD %s 13.36 38.11 a 15.08 37.5 b 15 38 c%d"},
		'x': {"XADD %s 1-1 f %d", "XADD %s 2-1 g %d", "XGROUP CREATE %s g 0 ENTRIESREAD %d", "XREADGROUP GROUP g c COUNT 1 STREAMS %s >"},
	}[letter]
}

// queueValue queues the calls that make a value.
func queueValue(c *testutil.Peer, letter byte, key string, v int) (calls int) {
	lines := valueOf(letter, key, v)
	for _, l := range lines {
		l = strings.Replace(l, "%s", key, 1)
		c.Queue(strings.Fields(strings.Replace(l, "%d", strconv.Itoa(v), 1))...)
	}
	return len(lines)
}

// newExpiring fills a primary.
func newExpiring(t *testing.T, redis bool, primary *testutil.Server, keys int) *expiring {
	e := &expiring{t: t, redis: redis, primary: primary, names: map[string]*volatile{}, truth: map[string]string{}, keys: make([]volatile, keys)}
	c := primary.Conn(t, 2)
	queued := 0
	for v := range 10 {
		for i := range letters {
			queued += queueValue(c, letters[i], fmt.Sprintf("+%c%d", letters[i], v), v)
			e.others++
		}
		less := fmt.Sprintf("-h%d", v)
		queued += queueValue(c, 'h', less, v) + 1
		c.Queue("HDEL", less, "f1")
		e.others++
	}
	for i := range e.keys {
		letter, n := letters[i%len(letters)], i/len(letters)
		k := &e.keys[i]
		k.name, k.live = fmt.Sprintf("%c%d", letter, n), fmt.Sprintf("+%c%d", letter, n%10)
		if letter == 'h' && n%2 == 1 && i >= grouped && !redis {
			k.less = fmt.Sprintf("-h%d", n%10)
		}
		e.names[k.name] = k
		if queued += queueValue(c, letter, k.name, n%10); queued > 5000 {
			flushAndRead(t, c, queued)
			queued = 0
		}
	}
	flushAndRead(t, c, queued)
	e.clock = time.Now().Add(1000 * time.Hour).UnixMilli()
	c.MustOK("SET", "clock", "v", "PXAT", strconv.FormatInt(e.clock, 10))
	e.others++
	e.asker = primary.Conn(t, 2).Conn
	for _, r := range testutil.Readers() {
		if name := testutil.ReaderName(r); name != "keys" && name != "scan" && !(redis && strings.HasPrefix(name, "h") && strings.Contains(r, "FIELDS")) {
			e.readers = append(e.readers, r)
		}
	}
	return e
}

// give gives all keys their ends, of which so many replicas have heard then.
func (e *expiring) give(from time.Time, spread time.Duration, replicas int) {
	c := e.primary.Conn(e.t, 2)
	queued := 0
	for i := range e.keys {
		k := &e.keys[i]
		k.end = from.UnixMilli() + int64(i)*spread.Milliseconds()/int64(len(e.keys))
		if i < grouped {
			k.end = from.UnixMilli() + spread.Milliseconds()/2
		}
		if k.over = k.end; e.redis {
			k.over++
		}
		if queued++; k.less != "" {
			k.field = k.end - spread.Milliseconds()/10
			c.Queue("HPEXPIREAT", k.name, strconv.FormatInt(k.field, 10), "FIELDS", "1", "f1")
			queued++
		}
		if c.Queue("PEXPIREAT", k.name, strconv.FormatInt(k.end, 10)); queued > 5000 {
			flushAndRead(e.t, c, queued)
			queued = 0
		}
	}
	flushAndRead(e.t, c, queued)
	if v := c.Do("WAIT", strconv.Itoa(replicas), "20000"); v.Int() != int64(replicas) {
		e.t.Fatalf("WAIT: %v, want %d", v, replicas)
	}
}

// near is a key of a type, mostly one that ends about now.
func (e *expiring) near(r *rand.Rand, letter byte) *volatile {
	if letter == 'i' {
		letter = letters[r.IntN(len(letters))]
	}
	kind := strings.IndexByte(letters, letter)
	count := len(e.keys) / len(letters)
	n := r.IntN(count)
	if r.IntN(4) > 0 {
		now := time.Now().UnixMilli()
		now -= int64(r.IntN(1000))
		at, _ := slices.BinarySearchFunc(e.keys[grouped:], now, func(k volatile, now int64) int { return int(k.end - now) })
		n = min(max((grouped+at)/len(letters)+r.IntN(count/50+2)-count/100, 0), count-1)
	}
	return &e.keys[n*len(letters)+kind]
}

// reading is one reader with keys in it.
type reading struct {
	line  string // of testutil.Readers
	words []string
	keys  map[int]*volatile // by place among the words
	by    *volatile         // one of those that a pattern finds
}

func (e *expiring) reading(r *rand.Rand) reading {
	line := e.readers[r.IntN(len(e.readers))]
	rd := reading{line: line, keys: map[int]*volatile{}}
	for i, w := range strings.Fields(testutil.ReaderCall(line)) {
		switch {
		case len(w) == 2 && w[0] == '$':
			rd.keys[i] = e.near(r, w[1])
			w = rd.keys[i].name
		case w == "f%f":
			w = fmt.Sprintf("f%d", r.IntN(6))
		case w == "s1":
			rd.by = e.names["s1"]
		}
		rd.words = append(rd.words, w)
	}
	return rd
}

// standIns is the reading with these in the places of the keys.
func (rd reading) standIns(chosen []string) []string {
	words := slices.Clone(rd.words)
	for i, w := range words {
		switch by := chosen[len(words)]; {
		case rd.keys[i] != nil:
			words[i] = chosen[i]
		case rd.by != nil && (w == "s*" || w == "s1" || w == "h*->f1"):
			words[i] = "+" + w
			if by == nobody {
				words[i] = nobody + w
			}
		}
	}
	return words
}

// want is what the primary says to stand-ins.
func (e *expiring) want(line string, words []string) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	call := strings.Join(words, " ")
	if reply, ok := e.truth[call]; ok {
		return reply, nil
	}
	v, err := e.asker.DoErr(words...)
	if err == nil {
		e.truth[call] = testutil.ReaderAnswer(line, v)
	}
	return e.truth[call], err
}

// span is when something was asked: at the primary's time from to until, of which the
// replica says that it was lo to hi.
type span struct {
	from, until int64
	lo, hi      int64
	believed    bool
}

func (e *expiring) spanOf(from, until time.Time, first, last testutil.Value) span {
	s := span{from: from.UnixMilli(), until: until.UnixMilli(), lo: e.clock - first.Int(), hi: e.clock - last.Int()}
	earliest := s.from - expiryLag.Milliseconds()
	if !e.promoted.IsZero() {
		s.until += until.Sub(e.promoted).Milliseconds()/slewPart + 1
	}
	if s.believed = s.lo >= earliest && s.hi <= s.until; !s.believed {
		s.lo, s.hi = earliest, s.until
	}
	return s
}

// lifetimes are readers whose reply is a time, with what it is of one.
var lifetimes = map[string]func(end, now int64) int64{
	"ttl": func(end, now int64) int64 { return (end - now + 500) / 1000 }, "expiretime": func(end, _ int64) int64 { return (end + 500) / 1000 },
	"pttl": func(end, now int64) int64 { return end - now }, "pexpiretime": func(end, _ int64) int64 { return end },
	"httl": func(end, now int64) int64 { return (end - now + 999) / 1000 }, "hexpiretime": func(end, _ int64) int64 { return (end + 999) / 1000 },
	"hpttl": func(end, now int64) int64 { return end - now }, "hpexpiretime": func(end, _ int64) int64 { return end },
}

// judge tells whether a reply can be right; "" = it can.
func (e *expiring) judge(rd reading, v testutil.Value, s span) (wrong string, err error) {
	got := testutil.ReaderAnswer(rd.line, v)
	can := make([][]string, len(rd.words)+1) // be in the places of the keys
	for i, k := range rd.keys {
		can[i] = k.states(s)
	}
	if rd.by != nil {
		can[len(rd.words)] = rd.by.states(s)
	}
	for at, more := make([]int, len(can)), true; more; more = next(at, can) {
		chosen := make([]string, len(can))
		for i, states := range can {
			if len(states) > 0 {
				chosen[i] = states[at[i]]
			}
		}
		want, err := e.want(rd.line, rd.standIns(chosen))
		if err != nil {
			return "", err
		}
		for i, k := range rd.keys {
			for _, quote := range []string{`"`, "'"} {
				want = strings.ReplaceAll(want, quote+chosen[i]+quote, quote+k.name+quote)
			}
		}
		if got == want || lives(rd, v, chosen, s) {
			return "", nil
		}
		if wrong == "" {
			wrong = fmt.Sprintf("%s: %s, want %s; asked %d to %d, by its own time %d to %d (%v); %s", strings.Join(rd.words, " "), got, want, s.from, s.until, s.lo, s.hi, s.believed, rd.ends())
		}
	}
	return wrong, nil
}

// next is the next choice; false = all were had.
func next(at []int, of [][]string) bool {
	for i := range at {
		if at[i]++; at[i] < len(of[i]) {
			return true
		}
		at[i] = 0
	}
	return false
}

func (rd reading) ends() (text string) {
	for _, k := range rd.keys {
		text += fmt.Sprintf("%s ends at %d, f1 at %d; ", k.name, k.end, k.field)
	}
	return text
}

// lives tells whether a reply is the lifetime that a key, or its field, has in that span.
func lives(rd reading, v testutil.Value, chosen []string, s span) bool {
	of := lifetimes[rd.words[0]]
	if of == nil {
		return false
	}
	k := rd.keys[1]
	in := func(v testutil.Value, end int64) bool { return v.Int() >= of(end, s.hi) && v.Int() <= of(end, s.lo) }
	if v.Kind == ':' {
		return chosen[1] != nobody && in(v, k.end)
	}
	if chosen[1] != k.live || k.less == "" || len(v.Elems) != len(rd.words)-4 {
		return false
	}
	for i, f := range rd.words[4:] {
		if ok := f == "f1" && in(v.Elems[i], k.field) || f != "f1" && v.Elems[i].Int() == -1; !ok {
			return false
		}
	}
	return true
}

// verdict is what came of asking one server.
type verdict struct {
	asked, unbelieved int
	wrong             map[string]int // by reader
	first             []string
	lag               int64 // the most
	err               error
}

func (v *verdict) add(reader, wrong string) {
	if v.asked++; wrong == "" {
		return
	}
	if v.wrong[reader]++; len(v.first) < 10 {
		v.first = append(v.first, wrong)
	}
}

func (v *verdict) total() (n int) {
	for _, w := range v.wrong {
		n += w
	}
	return n
}

func (v *verdict) String() string {
	text := fmt.Sprintf("%d of %d answers were wrong, %d times the time was; at most %d ms behind", v.total(), v.asked, v.unbelieved, v.lag)
	for _, reader := range slices.Sorted(maps.Keys(v.wrong)) {
		text += fmt.Sprintf("; %s %d", reader, v.wrong[reader])
	}
	return text
}

func (v *verdict) took(s span) {
	if !s.believed {
		v.unbelieved++
		return
	}
	v.lag = max(v.lag, s.until-s.lo)
}

// interrogate asks a server until a time.
func (e *expiring) interrogate(s *testutil.Server, seed uint64, until time.Time) (v verdict) {
	v.wrong = map[string]int{}
	c, err := s.Dial()
	if err != nil {
		v.err = err
		return v
	}
	defer c.Close()
	r := rand.New(rand.NewPCG(seed, 3))
	for round := 0; time.Now().Before(until) && v.err == nil; round++ {
		switch {
		case round%200 == 0:
			v.err = e.askNames(c, &v, "KEYS")
		case round%200 == 100:
			v.err = e.askNames(c, &v, []string{"SCAN", "SCAN TYPE hash"}[round/200%2])
		default:
			v.err = e.askSome(c, r, &v, round%3 != 0)
		}
	}
	return v
}

// askSome asks some readers, as a transaction or not.
func (e *expiring) askSome(c *testutil.Conn, r *rand.Rand, v *verdict, together bool) error {
	var some []reading
	for range 1 + r.IntN(8) {
		rd := e.reading(r)
		if together || lifetimes[rd.words[0]] == nil {
			some = append(some, rd)
		}
	}
	if together {
		c.Queue("MULTI")
	}
	c.Queue("PTTL", "clock")
	for _, rd := range some {
		c.Queue(rd.words...)
	}
	c.Queue("RANDOMKEY")
	c.Queue("DBSIZE")
	c.Queue("PTTL", "clock")
	from := time.Now()
	replies, err := exchange(c, len(some)+4, together)
	if err != nil {
		return err
	}
	last := len(replies) - 1
	s := e.spanOf(from, time.Now(), replies[0], replies[last])
	if v.took(s); together && s.believed && s.lo != s.hi {
		v.add("PTTL", fmt.Sprintf("the time goes on in a transaction, from %d to %d", s.lo, s.hi))
	}
	for i, rd := range some {
		wrong, err := e.judge(rd, replies[1+i], s)
		if err != nil {
			return err
		}
		v.add(rd.line, wrong)
	}
	v.add("randomkey", e.judgeNames([]string{replies[last-2].Str}, s, func(*volatile) bool { return false }))
	v.add("dbsize", e.judgeSize(replies[last-1].Int(), s))
	return nil
}

// exchange sends what is queued and reads so many replies, of a transaction or not.
func exchange(c *testutil.Conn, replies int, together bool) (list []testutil.Value, err error) {
	if together {
		c.Queue("EXEC")
		replies += 2
	}
	if err := c.Flush(); err != nil {
		return nil, err
	}
	for range replies {
		raw, err := c.ReadRaw()
		if err != nil {
			return nil, err
		}
		v, err := testutil.Parse(raw)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	if together {
		list = list[len(list)-1].Elems
		if len(list) != replies-2 {
			return nil, fmt.Errorf("EXEC: %d replies, want %d", len(list), replies-2)
		}
	}
	return list, nil
}

// judgeNames: those that must be there are, and those that have ended are not.
func (e *expiring) judgeNames(got []string, s span, must func(k *volatile) bool) string {
	there := map[string]bool{}
	for _, name := range got {
		there[name] = true
		if k := e.names[name]; k != nil && k.state(s.lo) == nobody {
			return fmt.Sprintf("%s is shown at %d to %d, and has ended at %d", name, s.lo, s.hi, k.end)
		}
	}
	for i := range e.keys {
		if k := &e.keys[i]; must(k) && k.state(s.until) != nobody && !there[k.name] {
			return fmt.Sprintf("%s is not shown at %d to %d, and ends at %d", k.name, s.lo, s.hi, k.end)
		}
	}
	return ""
}

// judgeSize: what has ended is counted until it is removed, as Redis does it.
func (e *expiring) judgeSize(n int64, s span) string {
	least := e.others
	for i := range e.keys {
		if e.keys[i].state(s.until) != nobody {
			least++
		}
	}
	if n < int64(least) || n > int64(e.others+len(e.keys)) {
		return fmt.Sprintf("DBSIZE is %d at %d to %d, when %d keys live", n, s.lo, s.hi, least)
	}
	return ""
}

// askNames asks for all names.
func (e *expiring) askNames(c *testutil.Conn, v *verdict, how string) error {
	from := time.Now()
	first, err := c.DoErr("PTTL", "clock")
	if err != nil {
		return err
	}
	var names []string
	for cursor := "0"; ; {
		call := append([]string{"SCAN", cursor, "COUNT", "5000"}, strings.Fields(how)[1:]...)
		if how == "KEYS" {
			call = []string{"KEYS", "*"}
		}
		reply, err := c.DoErr(call...)
		if err != nil {
			return err
		}
		if how == "KEYS" {
			names = reply.Strings()
			break
		}
		names = append(names, reply.Elems[1].Strings()...)
		if cursor = reply.Elems[0].Str; cursor == "0" {
			break
		}
	}
	last, err := c.DoErr("PTTL", "clock")
	if err != nil {
		return err
	}
	s := e.spanOf(from, time.Now(), first, last)
	v.took(s)
	v.add(how, e.judgeNames(names, s, func(k *volatile) bool { return how != "SCAN TYPE hash" || k.name[0] == 'h' }))
	return nil
}

// expiryWeather has a network do something else each second.
func expiryWeather(ways []*testutil.Proxy, r *rand.Rand, until time.Time) {
	for time.Now().Before(until) {
		for _, way := range ways {
			way.Restore()
			switch r.IntN(6) {
			case 0:
				way.Delay(testutil.Down, 800*time.Millisecond)
			case 1:
				way.Delay(testutil.Down, 2*time.Second)
			case 2:
				way.Throttle(testutil.Down, 100_000)
			case 3:
				way.Still(testutil.Down)
			case 4:
				way.Down()
			}
		}
		time.Sleep(time.Second)
	}
	for _, way := range ways {
		way.Restore()
	}
}

// interrogateAll asks all servers at the same time.
func (e *expiring) interrogateAll(servers []*testutil.Server, seed uint64, until time.Time) []verdict {
	verdicts := make([]verdict, len(servers))
	var all sync.WaitGroup
	for i, s := range servers {
		all.Go(func() { verdicts[i] = e.interrogate(s, seed+uint64(i), until) })
	}
	all.Wait()
	return verdicts
}

// report tells what came of it. Dozo must have been right.
func (e *expiring) report(what string, servers []*testutil.Server, shifts []time.Duration, verdicts []verdict) {
	e.t.Helper()
	for i, v := range verdicts {
		e.t.Logf("%s, %s, clock %v: %v", what, servers[i].Name, shifts[i], &v)
		if v.err != nil {
			e.t.Error(v.err)
		}
		if !e.redis && (v.total() > 0 || v.unbelieved > 0 || v.asked == 0) {
			e.t.Errorf("the first wrong ones:\n%s", strings.Join(v.first, "\n"))
		}
	}
}

// TestIncidentExpiredReads: an application reads from replicas what has ended, or misses what
// has not, because of their clocks and their lag. Dozo's replicas answer every reader as the
// primary did at a moment before, though their clocks are wrong by an hour and the network
// does what it will; how often Redis' do not is in the log. When they are promoted, what has
// ended goes at once, and nothing else, whatever their clocks show.
func TestIncidentExpiredReads(t *testing.T) {
	t.Parallel()
	for _, redis := range []bool{false, true} {
		if redis && testing.Short() {
			continue
		}
		keys, spread := 100_000, 15*time.Second
		if testing.Short() {
			keys, spread = 9_000, 3*time.Second
		}
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		e := newExpiring(t, redis, peer(t, redis, "--repl-backlog-size", "64mb"), keys)
		shifts := []time.Duration{time.Hour, -time.Hour}
		var servers []*testutil.Server
		var ways []*testutil.Proxy
		for _, by := range shifts {
			s, way := shiftedPeer(t, redis, by), testutil.StartProxy(t, e.primary.Addr())
			follow(t, s, way.Addr())
			servers, ways = append(servers, s), append(ways, way)
		}
		if redis {
			s, way := peer(t, true), testutil.StartProxy(t, e.primary.Addr())
			follow(t, s, way.Addr())
			servers, ways, shifts = append(servers, s), append(ways, way), append(shifts, 0)
		}
		inStepAll(t, e.primary, servers)
		from := time.Now().Add(spread / 5)
		e.give(from, spread, len(servers))
		until := from.Add(spread * 3 / 4)
		var weather sync.WaitGroup
		weather.Go(func() { expiryWeather(ways, rand.New(rand.NewPCG(seed, 4)), until) })
		verdicts := e.interrogateAll(servers, seed, until)
		weather.Wait()
		e.report("followers", servers, shifts, verdicts)
		if !redis {
			e.promoteAll(servers, ways, seed)
		}
	}
}

// promoteAll makes primaries of replicas that have not heard of anything for a while.
func (e *expiring) promoteAll(servers []*testutil.Server, ways []*testutil.Proxy, seed uint64) {
	for _, way := range ways {
		way.Down()
	}
	time.Sleep(300 * time.Millisecond)
	e.promoted = time.Now()
	for _, s := range servers {
		if n := info(e.t, s, "expired_keys"); n != "0" {
			e.t.Errorf("a replica has removed %s keys by itself", n)
		}
		promote(e.t, s)
		if err := e.removes(s); err != nil {
			e.t.Errorf("port %d: %v\n%s", s.Port, err, s.Log())
		}
	}
	e.report("promoted", servers, []time.Duration{time.Hour, -time.Hour}, e.interrogateAll(servers, seed+10, time.Now().Add(500*time.Millisecond)))
}

// removes waits until a server has no key that ended some time ago.
func (e *expiring) removes(s *testutil.Server) error {
	const patience, late = 2 * time.Second, 300
	c := s.Conn(e.t, 2)
	for deadline := time.Now().Add(patience); ; {
		c.Queue("MULTI")
		c.Queue("PTTL", "clock")
		c.Queue("DBSIZE")
		replies, err := exchange(c.Conn, 2, true)
		if err != nil {
			return err
		}
		now, size := e.clock-replies[0].Int(), replies[1].Int()
		least, most := int64(e.others), int64(e.others)
		for i := range e.keys {
			if e.keys[i].over > time.Now().UnixMilli() { // the primary has removed the others
				least++
			}
			if e.keys[i].over > now-late {
				most++
			}
		}
		switch {
		case size < least:
			return fmt.Errorf("%d keys at %d, when %d live", size, now, least)
		case size <= most && most < int64(e.others+len(e.keys)):
			return nil
		case time.Now().After(deadline):
			return errors.New("what has ended is not removed")
		}
	}
}
