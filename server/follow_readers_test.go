package server

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"dozo/command"
	"dozo/grouptime"
	"dozo/internal/testutil"
)

// writers has all commands that give a deadline, and others. In these lines, as in those of
// testutil.Readers, $ with a letter is a key of a type, and % with a word is a number: f a
// field's, sec and ms some time, SEC and MS that time from now on, in Unix time.
var writers = []string{
	"set $s v PX %ms", "set $s v EX %sec", "set $s w PXAT %MS", "set $s w EXAT %SEC", "set $s u KEEPTTL", "set $n 5 PX %ms GET",
	"set $s v", "set $s v NX PX %ms", "set $n 7 XX EX %sec", "setex $s %sec v", "psetex $s %ms v", "psetex $n %ms 1", "getex $s PX %ms",
	"getex $s EX %sec", "getex $s PXAT %MS", "getex $n EXAT %SEC", "getex $s PERSIST", "getex $s", "expire $i %sec", "expire $i %sec NX",
	"expire $i %sec XX", "expire $i %sec GT", "expire $i %sec LT", "pexpire $i %ms", "pexpire $i %ms", "pexpire $i %ms GT",
	"pexpire $i %ms NX", "expireat $i %SEC", "pexpireat $i %MS", "pexpireat $i %MS LT", "expire $i -1", "pexpireat $i 1",
	"persist $i", "incr $n", "incrby $n 3", "decr $n", "incrbyfloat $n 1.5", "append $s x", "setnx $s v", "setrange $s 3 abc",
	"setbit $s 9 1", "bitfield $s INCRBY u8 0 3", "getset $s v", "getdel $s", "mset $s a $s b", "msetnx $s a $s b",
	"bitop OR $s $s $s", "hset $h f%f 1 f%f 2", "hset $h f%f 1", "hsetnx $h f%f 3", "hincrby $h f%f 1", "hincrbyfloat $h f%f 1.5",
	"hdel $h f%f", "hexpire $h %sec FIELDS 2 f%f f%f", "hpexpire $h %ms FIELDS 2 f%f f%f", "hpexpire $h %ms NX FIELDS 1 f%f",
	"hpexpire $h %ms GT FIELDS 1 f%f", "hexpireat $h %SEC FIELDS 1 f%f", "hpexpireat $h %MS FIELDS 1 f%f", "hpersist $h FIELDS 1 f%f",
	"hsetex $h PX %ms FIELDS 2 f%f 7 f%f 8", "hsetex $h EX %sec FIELDS 1 f%f 7", "hsetex $h KEEPTTL FIELDS 1 f%f 9",
	"hsetex $h FXX PXAT %MS FIELDS 1 f%f 9", "hgetex $h PX %ms FIELDS 1 f%f", "hgetex $h EX %sec FIELDS 2 f%f f%f",
	"hgetex $h PERSIST FIELDS 1 f%f", "hgetdel $h FIELDS 1 f%f", "lpush $l a b", "rpush $l c", "rpop $l", "lmove $l $l LEFT RIGHT",
	"ltrim $l -20 -1", "lset $l 0 z", "sadd $e 1 2 3", "sadd $e a%f", "srem $e 1", "spop $e", "smove $e $e 2", "sunionstore $e $e $e",
	"sinterstore $e $e $e", "sdiffstore $e $e $e", "zadd $z 1 a 2 b", "zadd $z 3 m%f", "zincrby $z 1 a", "zpopmin $z", "zrem $z b",
	"zunionstore $z 2 $z $e", "zrangestore $z $z 0 -1", "zremrangebyrank $z 5 -1", "sort $l ALPHA STORE $l", "sort $e ALPHA STORE $l",
	"rename $s $s", "rename $h $h", "renamenx $l $l", "copy $h $h REPLACE", "copy $s $s", "copy $z $z DB 1 REPLACE", "move $s 1",
	"del $i", "unlink $i $i", "xadd $x * f v", "xadd $x MAXLEN 5 * f v", "xgroup CREATE $x g 0 MKSTREAM",
	"xreadgroup GROUP g c COUNT 2 STREAMS $x >", "xreadgroup GROUP g d STREAMS $x 0", "xautoclaim $x g d 0 0", "xclaim $x g d 0 0-1 IDLE %ms",
	"xtrim $x MAXLEN 3", "pfadd $p a%f b%f", "pfmerge $p $p", "geoadd $g 13 38 a 15 37 b", "geosearchstore $z $g FROMMEMBER a BYRADIUS 500 km",
	"restore $s %ms {} REPLACE", "restore $s %MS {} REPLACE ABSTTL", "restore-asking $s %ms {} REPLACE", "swapdb 0 1",
}

var placeholders = regexp.MustCompile(`\$[a-z]|%[a-zA-Z]+`)

// story makes lines of a history by a seed.
type story struct {
	r    *rand.Rand
	keys int // of a type
	now  func() int64
	long int64 // ms that something has at most
}

// fill puts keys and numbers in the places of a line.
func (s *story) fill(line string) string {
	return placeholders.ReplaceAllStringFunc(line, func(p string) string {
		ms := 1 + s.r.Int64N(1+s.r.Int64N(s.long))
		switch p {
		case "%f":
			return fmt.Sprint(s.r.IntN(6))
		case "%sec":
			return fmt.Sprint(1 + ms/1000)
		case "%ms":
			return fmt.Sprint(ms)
		case "%SEC":
			return fmt.Sprint((s.now() + ms) / 1000)
		case "%MS":
			return fmt.Sprint(s.now() + ms)
		case "$i":
			p = string("snhlezxpg"[s.r.IntN(9)])
		}
		return fmt.Sprintf("%s%d", strings.TrimPrefix(p, "$"), s.r.IntN(s.keys))
	})
}

// TestReadersAreAll: every command that reads is in the list, and every one that writes
// times.
func TestReadersAreAll(t *testing.T) {
	p := newPuppet(t, 0)
	times := regexp.MustCompile(`seconds|serialized-value`)
	p.eachCommand(func(cmd *command.Command) {
		name := func(line string) bool { return testutil.ReaderName(line) == cmd.FullName }
		switch {
		case cmd.Flags&command.ReadOnly != 0 && !slices.ContainsFunc(testutil.Readers(), name) && !slices.Contains(testutil.OtherReaders(), cmd.FullName):
			t.Errorf("%s reads, and is not compared", cmd.FullName)
		case cmd.Flags&command.Write != 0 && times.MatchString(cmd.Syntax) && !strings.Contains(cmd.Syntax, "timeout") && !slices.ContainsFunc(writers, name):
			t.Errorf("%s writes times, and is not tried", cmd.FullName)
		}
	})
}

// answer is a reader's reply as far as two nodes must agree on it.
func answer(t testing.TB, p *puppet, reader, line string) string {
	raw := p.do(testutil.ReaderCall(line))
	v, err := testutil.Parse([]byte(raw))
	if err != nil {
		t.Fatalf("%s: %q: %v", line, raw, err)
	}
	return testutil.ReaderAnswer(reader, v)
}

// pair is a primary and a replica whose stream takes two seconds, and whose own clock is
// wrong.
type pair struct {
	t                *testing.T
	seed             uint64
	story            story
	primary, replica *puppet
	held             []byte // what is on its way
}

func newPair(t *testing.T, seed uint64, shift time.Duration) *pair {
	p := &pair{t: t, seed: seed, primary: newPuppet(t, 0), replica: newFollower(t, shift)}
	p.story = story{r: rand.New(rand.NewPCG(seed, 5)), keys: 5, now: p.primary.Time, long: 4000}
	p.replica.clock.pass(2 * time.Second)
	p.primary.do("SET seed 0") // its digest is not that of nothing
	p.stamp()
	return p
}

// stamp sends a stamp.
func (p *pair) stamp() {
	p.sync()
	p.replica.obey(p.primary.AppendClock(nil))
}

// sync has the replica obey what the primary has written.
func (p *pair) sync() { p.replica.obey(p.primary.written()) }

func (p *pair) pass(d time.Duration) {
	p.primary.clock.pass(d)
	p.replica.clock.pass(d)
	p.replica.tick()
	if p.story.r.IntN(4) == 0 {
		p.primary.tick() // what is over goes, and only then
	}
	if p.story.r.IntN(4) == 0 {
		p.stamp()
	}
}

// write has the primary execute a line, sometimes a whole transaction.
func (p *pair) write() {
	if p.story.r.IntN(10) != 0 {
		p.writeOne()
		return
	}
	p.primary.do("MULTI")
	for range 1 + p.story.r.IntN(4) {
		p.writeOne()
	}
	p.primary.do("EXEC")
}

func (p *pair) writeOne() {
	line := writers[p.story.r.IntN(len(writers))]
	if line == "swapdb 0 1" && p.story.r.IntN(10) != 0 {
		return
	}
	args := wordsOf(p.story.fill(line))
	for i, a := range args {
		if string(a) == "{}" {
			args[i] = []byte(payload)
		}
	}
	p.primary.call(args)
}

// payload is a DUMP of the string v.
const payload = "\x00\x01v\x0b\x00"

// compare has both answer a reader.
func (p *pair) compare(reader string) {
	p.t.Helper()
	line := p.story.fill(reader)
	got := answer(p.t, p.replica, reader, line)
	if want := answer(p.t, p.primary, reader, line); got != want {
		p.t.Fatalf("seed %d, at %d: %s\nreplica  %s\nprimary  %s", p.seed, p.primary.Time()-puppetEpoch.Milliseconds(), line, got, want)
	}
}

// settle compares what is left when the stream is at its end.
func (p *pair) settle() {
	p.t.Helper()
	p.sync()
	if got, want := p.replica.digest(), p.primary.digest(); got != want {
		p.t.Fatalf("seed %d, at %d: the data differs", p.seed, p.primary.Time()-puppetEpoch.Milliseconds())
	}
	if got, want := p.replica.show("DBSIZE"), p.primary.show("DBSIZE"); got != want {
		p.t.Fatalf("seed %d: %s keys, the primary has %s", p.seed, got, want)
	}
	s := p.replica.w.view.Stats
	if s.Expired != 0 || s.ExpiredFields != 0 || s.Evicted != 0 {
		p.t.Fatalf("seed %d: the replica has removed keys itself: %+v", p.seed, s)
	}
	if n := len(p.replica.written()); n != 0 {
		p.t.Fatalf("seed %d: the replica has recorded %d bytes", p.seed, n)
	}
}

// TestReplicaAnswersAsItsPrimary: at every point of the stream every command that reads
// is answered as the primary answers it, before the primary has removed what is over,
// whatever the replica's own clock shows; and the data is the primary's.
func TestReplicaAnswersAsItsPrimary(t *testing.T) {
	rounds, steps := 12, 400
	if testing.Short() {
		rounds = 3
	}
	for i := range rounds {
		seed := rand.Uint64()
		shift := []time.Duration{time.Hour, -time.Hour, 0}[i%3]
		t.Run(fmt.Sprintf("%v/%d", shift, seed), func(t *testing.T) {
			p, readers := newPair(t, seed, shift), testutil.Readers()
			for step := range steps {
				p.write()
				p.pass(time.Duration(p.story.r.IntN(300)) * time.Millisecond)
				p.sync()
				for range 8 {
					p.compare(readers[p.story.r.IntN(len(readers))])
				}
				p.randomKey()
				if step%10 == 0 {
					p.settle()
				}
			}
			for _, r := range readers {
				p.compare(r)
			}
			p.settle()
		})
	}
}

// randomKey: RANDOMKEY gives a key that is there.
func (p *pair) randomKey() {
	p.t.Helper()
	key := p.replica.show("RANDOMKEY")
	if key == "(nil)" {
		if keys := p.replica.show("KEYS *"); keys != "[]" && keys != "(empty)" && len(keys) > 4 {
			p.t.Fatalf("seed %d: no random key among %s", p.seed, keys)
		}
		return
	}
	if got := p.replica.show("EXISTS " + strings.Trim(key, `"`)); got != ":1" {
		p.t.Fatalf("seed %d: the random key %s is not there: %s", p.seed, key, got)
	}
}

// TestReplicaWithManyVolatileKeys: 100000 keys and hashes with fields end within a minute.
func TestReplicaWithManyVolatileKeys(t *testing.T) {
	keys := 100_000
	if testing.Short() {
		keys = 5_000
	}
	for _, shift := range []time.Duration{time.Hour, -time.Hour} {
		seed := rand.Uint64()
		p := newPair(t, seed, shift)
		for i := range keys {
			at := p.primary.Time() + p.story.r.Int64N(60_000)
			if i%4 == 0 {
				p.primary.do(fmt.Sprintf("HSETEX h%d PXAT %d FIELDS 2 f1 1 f2 2", i, at))
				continue
			}
			p.primary.do(fmt.Sprintf("SET s%d v PXAT %d", i, at))
		}
		p.stamp()
		for range 60 {
			p.pass(time.Duration(p.story.r.IntN(2000)) * time.Millisecond)
			for range 50 {
				i := p.story.r.IntN(keys/4) * 4
				for _, line := range []string{"HGETALL h%d", "HLEN h%d", "HPTTL h%d FIELDS 1 f1"} {
					p.compare(fmt.Sprintf(line, i))
				}
				for _, line := range []string{"GET s%d", "EXISTS s%d", "PTTL s%d", "TYPE s%d"} {
					p.compare(fmt.Sprintf(line, i+1))
				}
			}
			p.randomKey()
		}
		p.compare("#keys *")
		p.compare("#scan 0 COUNT 10000000")
		p.settle()
	}
}

// TestDelayedExpire is the history of the original report: a key gets a longer life just
// before its end, and is counted up after it; here with the stream cut at every point for
// two seconds. Nothing is shown that is over, and in the end both have the same.
func TestDelayedExpire(t *testing.T) {
	const steps = 40 // of 100 ms
	history := map[int]string{0: "SETEX k 1 1", 9: "EXPIRE k 2", 15: "INCR k", 20: "EXPIRE k 1", 26: "INCR k", 32: "INCR k", 33: "SETEX k 1 9"}
	for _, shift := range []time.Duration{0, time.Hour, -time.Hour} {
		for cut := range steps {
			t.Run(fmt.Sprintf("%v/%d", shift, cut), func(t *testing.T) {
				p := newPair(t, 1, shift)
				for step := range steps + 40 {
					if line := history[step]; line != "" {
						p.primary.do(line)
					}
					p.delayedStep(step, cut)
				}
				p.settle()
			})
		}
	}
}

// cutFor is how many steps a stream stands still.
const cutFor = 20

// delayedStep is 100 ms in which what the primary writes arrives, or waits.
func (p *pair) delayedStep(step, cut int) {
	p.t.Helper()
	p.primary.tick()
	if p.held = append(append(p.held, p.primary.written()...), p.primary.AppendClock(nil)...); step < cut || step >= cut+cutFor {
		p.replica.obey(p.held)
		p.held = nil
	}
	switch value, left := p.replica.show("GET k"), p.replica.show("PTTL k"); {
	case value == `"1"` && left == ":-1" && step >= 32: // INCR has made a new one
	case value == "(nil)" && left != ":-2", value != "(nil)" && (left == ":-1" || left == ":-2" || left == ":0"):
		p.t.Fatalf("step %d: %s is shown, with %s ms left", step, value, left)
	}
	if step < cut || step >= cut+2*cutFor {
		p.compare("GET k")
		p.compare("PEXPIRETIME k")
	}
	p.primary.clock.pass(100 * time.Millisecond)
	p.replica.clock.pass(100 * time.Millisecond)
}

// TestStampsAreIgnoredByPrimaries and by who has another format: PING stays PING.
func TestStampsAreIgnoredByPrimaries(t *testing.T) {
	p := newPuppet(t, 0)
	before := p.Time()
	p.obey(grouptime.AppendStamp(nil, before+1_000_000))
	if p.Time() != before {
		t.Error("a primary has taken a stamp")
	}
}
