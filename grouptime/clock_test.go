package grouptime

import (
	"math/rand/v2"
	"testing"
	"time"
)

// machine is a node with clocks that tests set.
type machine struct {
	t    *testing.T
	c    Clock
	at   Moment
	last time.Duration // the latest answer; time may not go below it
}

const epoch = 1_700_000_000 * time.Second

func newMachine(t *testing.T, shift time.Duration) *machine {
	m := &machine{t: t, at: Moment{Wall: epoch + shift, Mono: time.Hour}}
	m.c = New(m.at)
	return m
}

// pass lets time go by, looking at the clock ten times a second.
func (m *machine) pass(d time.Duration) *machine {
	for d > 0 {
		step := min(d, 100*time.Millisecond)
		d -= step
		m.at.Wall += step
		m.at.Mono += step
		m.c.Adjust(m.at)
		m.read()
	}
	return m
}

// set sets the wall clock.
func (m *machine) set(by time.Duration) *machine {
	m.at.Wall += by
	m.c.Adjust(m.at)
	return m
}

// read is the time, which must not be before what it was, in the milliseconds that keys see.
func (m *machine) read() time.Duration {
	m.t.Helper()
	line := m.c.Line()
	now := line.Time(m.at.Mono)
	if now/time.Millisecond < m.last/time.Millisecond {
		m.t.Fatalf("time goes back from %v to %v", m.last-epoch, now-epoch)
	}
	m.last = now
	return now - epoch
}

// mayGoBack forgets what time it was.
func (m *machine) mayGoBack() *machine {
	m.last = 0
	return m
}

func (m *machine) want(what string, at, within time.Duration) {
	m.t.Helper()
	if got := m.read(); (got - at).Abs() > within {
		m.t.Errorf("%s: the time is %v, want %v", what, got, at)
	}
}

func (m *machine) hear(ms time.Duration) *machine {
	m.t.Helper()
	if !m.c.Hear(int64((epoch+ms)/time.Millisecond), m.at) {
		m.t.Fatal("the stamp was refused")
	}
	return m
}

// TestAlone: whom nobody relies on follows its wall clock both ways, at once.
func TestAlone(t *testing.T) {
	m := newMachine(t, 0).pass(time.Second)
	m.want("as time goes by", time.Second, 0)
	m.set(time.Hour).want("set forward", time.Second+time.Hour, 0)
	m.mayGoBack().set(-2*time.Hour).want("set back", time.Second-time.Hour, 0)
	m.set(-500*time.Microsecond).want("corrected by less than a millisecond", time.Second-time.Hour, time.Millisecond)
}

// TestStampsHold: others rely on a stamp, so time does not go back from there, but comes
// to the wall clock slowly, without a jump at the end.
func TestStampsHold(t *testing.T) {
	m := newMachine(t, 0).pass(time.Second)
	if ms := m.c.Stamp(m.at); ms != int64((epoch+time.Second)/time.Millisecond) {
		t.Fatalf("the stamp says %d", ms)
	}
	m.set(time.Hour).want("set forward", time.Second+time.Hour, 0)
	m.c.Stamp(m.at)
	m.set(-time.Minute).want("set back", time.Second+time.Hour, 0)
	if m.pass(100*time.Second).want("slowly", 96*time.Second+time.Hour, 10*time.Millisecond); !m.c.Slewing() {
		t.Error("it has arrived too early")
	}
	m.pass(1200 * time.Second)
	m.want("it has arrived", m.at.Wall-epoch, time.Millisecond)
	if m.c.Slewing() {
		t.Error("it never arrives")
	}
}

// TestFollower: the own wall clock does not matter; the last stamp and what has passed
// since does.
func TestFollower(t *testing.T) {
	for _, shift := range []time.Duration{0, time.Hour, -time.Hour} {
		m := newMachine(t, shift).pass(time.Second)
		m.c.Follow(m.at)
		m.want("before the first stamp", time.Second+shift, 0)
		m.mayGoBack().hear(10*time.Second).want("the stamp", 10*time.Second, 0)
		m.pass(3*time.Second).want("3 s later", 13*time.Second, 0)
		m.set(-5*time.Hour).pass(time.Second).want("the own clock is set", 14*time.Second, 0)
		m.hear(20*time.Second).want("the primary is ahead", 20*time.Second, 0)
		m.pass(2*time.Second).hear(20*time.Second).want("a late stamp", 22*time.Second, 0)
		m.pass(1500*time.Millisecond).want("time stands still", 22*time.Second, 0)
		m.pass(1500*time.Millisecond).want("and goes on", 23*time.Second, 0)
		m.hear(5*time.Second).want("a stamp of long ago", 23*time.Second, 0)
	}
}

// TestPromotion: time goes on from the group's, and comes to the own wall clock by no
// more than a twentieth.
func TestPromotion(t *testing.T) {
	for _, shift := range []time.Duration{time.Minute, -time.Minute} {
		m := newMachine(t, shift)
		m.c.Follow(m.at)
		m.mayGoBack().hear(10 * time.Second)
		m.pass(time.Second)
		m.c.Lead(m.at)
		m.want("at the promotion", 11*time.Second, 0)
		toward := shift / shift.Abs() * time.Second
		m.pass(100*time.Second).want("after 100 s", 111*time.Second+5*toward, 10*time.Millisecond)
		if ms := m.c.Stamp(m.at); ms != int64(m.last/time.Millisecond) {
			t.Errorf("the stamp says %d at %v", ms, m.last)
		}
		m.pass(1300*time.Second).want("after 24 min", m.at.Wall-epoch, time.Millisecond)
	}
}

// TestSeldomLookedAt: time meets the wall clock and stays there, whenever that is looked at.
func TestSeldomLookedAt(t *testing.T) {
	for _, shift := range []time.Duration{time.Minute, -time.Minute} {
		m := newMachine(t, shift)
		m.c.Follow(m.at)
		m.mayGoBack().hear(0)
		m.c.Lead(m.at)
		for range 100 {
			m.at.Wall += 70 * time.Second
			m.at.Mono += 70 * time.Second
			m.read()
			m.c.Adjust(m.at)
			m.read()
		}
		m.want("it has arrived", m.at.Wall-epoch, time.Millisecond)
		if m.c.Slewing() {
			t.Error("it never arrives")
		}
	}
}

// TestGenuinePrimary sends no stamps: the own clock, both ways.
func TestGenuinePrimary(t *testing.T) {
	m := newMachine(t, time.Minute)
	m.c.Follow(m.at)
	m.pass(time.Second).want("no stamp", 61*time.Second, 0)
	m.set(time.Hour).want("set forward", time.Hour+61*time.Second, 0)
	m.mayGoBack().set(-time.Hour).want("set back", 61*time.Second, 0)
	m.c.Lead(m.at)
	m.pass(time.Second).want("promoted", 62*time.Second, 0)
	if m.c.Slewing() {
		t.Error("it slews from nowhere")
	}
}

// TestDemotion: what a primary has told others holds when it follows another.
func TestDemotion(t *testing.T) {
	m := newMachine(t, time.Hour)
	m.c.Stamp(m.at)
	m.c.Follow(m.at)
	m.hear(time.Hour-2*time.Second).want("the next primary is behind the own stamp", time.Hour, 0)
	m.pass(3*time.Second).want("until it catches up", time.Hour+time.Second, 0)

	m = newMachine(t, time.Hour)
	m.c.Follow(m.at)
	m.mayGoBack().hear(time.Second).want("nobody was told", time.Second, 0)
	m.c.Lead(m.at)
	m.pass(time.Second)
	m.c.Follow(m.at)
	m.pass(time.Second).want("between two roles time goes on", 3*time.Second, 200*time.Millisecond)
}

// TestAnotherHistory: a time that other data had means nothing.
func TestAnotherHistory(t *testing.T) {
	m := newMachine(t, 0)
	m.c.Follow(m.at)
	m.hear(time.Hour)
	m.c.Anew(m.at)
	m.mayGoBack().want("the own clock", 0, 0)
	m.hear(-time.Minute+time.Second).mayGoBack().want("its primary's", -59*time.Second, 0)
}

// TestRefusedStamps: what is no time, and what a primary is told.
func TestRefusedStamps(t *testing.T) {
	m := newMachine(t, 0)
	if m.c.Hear(1, m.at) {
		t.Error("a primary takes a stamp")
	}
	m.c.Follow(m.at)
	for _, ms := range []int64{-1, stampMax + 1, 1<<63 - 1} {
		if m.c.Hear(ms, m.at) {
			t.Errorf("%d is taken", ms)
		}
	}
	m.want("nothing has happened", 0, 0)
}

// TestTimeNeverGoesBack: whatever a node of a group meets, once it has sent or heard a
// stamp, and no history begins anew; and it is never faster than a twentieth, but for
// stamps and a wall clock that is set.
func TestTimeNeverGoesBack(t *testing.T) {
	for range 300 {
		seed := rand.Uint64()
		r := rand.New(rand.NewPCG(seed, 1))
		m := newMachine(t, time.Duration(r.Int64N(int64(2*time.Hour)))-time.Hour)
		m.c.Follow(m.at)
		m.hear(0).mayGoBack().read()
		sent := int64(0)
		for range 200 {
			switch r.IntN(8) {
			case 0:
				m.c.Lead(m.at)
				m.c.Stamp(m.at)
			case 1:
				m.c.Stamp(m.at)
				m.c.Follow(m.at)
				m.hear(m.last - epoch + time.Duration(r.Int64N(int64(10*time.Second))) - 9*time.Second)
			case 2:
				m.set(time.Duration(r.Int64N(int64(2*time.Hour))) - time.Hour)
			case 3:
				if m.c.Hear(int64(m.last/time.Millisecond)+r.Int64N(3000)-2000, m.at); !m.c.Follows() {
					ms := m.c.Stamp(m.at)
					if ms < sent {
						t.Fatalf("seed %d: stamp %d after %d", seed, ms, sent)
					}
					sent = ms
				}
			default:
				m.pass(time.Duration(r.Int64N(int64(5 * time.Second))))
			}
			if m.read(); t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

func TestStampWords(t *testing.T) {
	if got := string(AppendStamp(nil, 1_700_000_000_123)); got != "*2\r\n$4\r\nPING\r\n$24\r\ndozo:clock:1700000000123\r\n" {
		t.Errorf("%q", got)
	}
	for words, want := range map[[2]string]int64{
		{"PING", "dozo:clock:1700000000123"}: 1_700_000_000_123, {"ping", "dozo:clock:0"}: 0,
		{"PING", "dozo:clock:"}: -1, {"PING", "dozo:clock:-1"}: -1, {"PING", "dozo:clock:1x"}: -1, {"PING", "hello"}: -1,
		{"ECHO", "dozo:clock:1"}: -1, {"PING", "dozo:clock:12345678901234567"}: -1,
	} {
		ms, ok := ParseStamp([][]byte{[]byte(words[0]), []byte(words[1])})
		if ok != (want >= 0) || ok && ms != want {
			t.Errorf("%q: %d %v", words, ms, ok)
		}
	}
	if _, ok := ParseStamp([][]byte{[]byte("PING")}); ok {
		t.Error("a plain PING is a stamp")
	}
}
