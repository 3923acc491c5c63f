package robustness

import (
	"flag"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

var (
	restores   = flag.Int("restores", 0, "how many damaged payloads TestRestoreDamaged sends for each setting (0: 300 with -short, else 3000)")
	corpusFlag = flag.String("corpus", "", "a file with payloads in Tcl's notation, such as corrupt-dump.tcl of Redis' own tests, to begin with")
)

// What the server may take for payloads of a few kilobytes, of real memory and of
// addresses: no length in them is worth more.
const (
	restoreRealMax      = 150 // MB
	restoreAddressesMax = 400 // MB
)

// slowAnswer is what no command on such a value may take.
const slowAnswer = 5 * time.Second

// TestRestoreDamaged: damaged payloads are refused, or make values with which every
// command works, that can be dumped, restored, digested, saved and loaded again.
func TestRestoreDamaged(t *testing.T) {
	seed := seeded(t)
	for _, sanitize := range []string{"no", "yes", "clients"} {
		t.Run(sanitize, func(t *testing.T) {
			s := start(t, "--sanitize-dump-payload", sanitize, "--proto-max-bulk-len", "1mb", "--maxmemory", "100mb", "--loglevel", "warning")
			m := &mangler{t: t, r: source(seed, len(sanitize)), s: s, c: s.Conn(t, 2)}
			m.c.MustOK("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1")
			m.collect()
			m.run(restoreCount())
		})
	}
}

// TestRestoreTwice: a payload in which a field is there twice is refused, however little
// is to be checked.
func TestRestoreTwice(t *testing.T) {
	c := start(t, "--sanitize-dump-payload", "no").Conn(t, 2)
	c.MustOK("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", "1")
	twice := "\x10\x13\x13\x00\x00\x00\x04\x00\x81a\x02\x81v\x02\x81a\x02\x81w\x02\xff\x0b\x00--------"
	if v := c.Do("RESTORE", "k", "0", twice); v.Str != "ERR Bad data format" {
		t.Error(v)
	}
	if v := c.Do("RESTORE", "k", "0", strings.Replace(twice, "\x81a\x02\x81w", "\x81b\x02\x81w", 1)); v.Str != "OK" {
		t.Error(v)
	}
}

func restoreCount() int {
	switch {
	case *restores != 0:
		return *restores
	case testing.Short():
		return 300
	}
	return 3000
}

// mangler damages payloads and uses what comes of them.
type mangler struct {
	t        *testing.T
	r        *rand.Rand
	s        *testutil.Server
	c        *testutil.Peer
	payloads []string
	accepted int
	now      string // the payload at hand
	last     [][]string
}

// run restores the payloads as they are, and then n damaged ones.
func (m *mangler) run(n int) {
	_, peak := m.memory()
	used := number(m.t, m.c, "memory", "used_memory")
	for _, p := range m.payloads {
		m.try(p)
	}
	whole := m.accepted
	for i := 0; i < n && !m.t.Failed(); i++ {
		m.try(m.damage(m.payloads[m.r.IntN(len(m.payloads))]))
		if i%200 == 199 {
			m.reload()
		}
	}
	m.reload()
	m.c.MustOK("FLUSHALL")
	m.t.Logf("of %d payloads %d were accepted, of %d damaged ones %d", len(m.payloads), whole, n, m.accepted-whole)
	waitFor(m.t, "the memory of what was deleted", func() bool {
		return number(m.t, m.c, "memory", "used_memory") < used+1<<20
	})
	if most, addresses := m.memory(); !slow() && (most > restoreRealMax || addresses-peak > restoreAddressesMax) {
		m.t.Errorf("%d MB of memory at the most, %d MB of addresses more than at the start", most, addresses-peak)
	}
	if f := m.s.Fault(); f != "" {
		m.t.Error(f)
	}
}

// memory is the most that the server has had, of real memory and of addresses, in MB.
func (m *mangler) memory() (most, addresses int64) {
	most, addresses, err := testutil.Peaks(m.s.Pid)
	if err != nil {
		m.t.Skip(err)
	}
	return most >> 20, addresses >> 20
}

// damage changes some bytes of a payload, or its type, before the footer.
func (m *mangler) damage(payload string) string {
	const footer = 10
	b, end := []byte(payload[:len(payload)-footer]), payload[len(payload)-footer:]
	if m.r.IntN(30) == 0 {
		b[0] = byte(m.r.IntN(27))
	}
	for range 1 + m.r.IntN(3) {
		at := min(1+m.r.IntN(len(b)), len(b)-1)
		switch m.r.IntN(7) {
		case 0:
			b[at] = byte(m.r.Uint32())
		case 1:
			b[at] ^= 1 << m.r.IntN(8)
		case 2:
			b[at] = []byte{0, 1, 0x40, 0x7f, 0x80, 0x81, 0xc0, 0xc3, 0xf0, 0xfe, 0xff}[m.r.IntN(11)]
		case 3: // what stands early are lengths and counts
			b[min(1+m.r.IntN(12), len(b)-1)] = byte(m.r.Uint32())
		case 4:
			b = b[:max(at, 2)]
		case 5:
			n := min(len(b)-at, 1+m.r.IntN(20))
			b = append(b[:at+n:at+n], b[at:]...)
		case 6:
			b[at]++
		}
	}
	return string(b) + end
}

// try restores a payload, and uses the value if there is one.
func (m *mangler) try(payload string) {
	m.now = payload
	if m.r.IntN(10) == 0 {
		m.limits()
	}
	key := "k" + strconv.Itoa(m.r.IntN(150))
	ask := []string{"RESTORE", key, "0", payload, "REPLACE"}
	if v := m.do(ask...); v.IsError() {
		if v.Str != "ERR Bad data format" && v.Str != "ERR DUMP payload version or checksum are wrong" {
			m.t.Errorf("%.600q: %s", payload, v.Str)
		}
		return
	}
	m.accepted++
	kind := m.do("TYPE", key).Str
	if kind == "none" {
		return // the deadlines of all its fields are over
	}
	if m.r.IntN(20) == 0 {
		return // kept as it is for the reload
	}
	words := m.words(kind, key)
	for range 4 {
		m.last = m.commands(kind, key, words)
		m.batch(m.last)
		m.again(key)
	}
	m.do(pick(m.r, []string{"DEL", "UNLINK", "EXISTS"}), key)
}

// limits makes values go from one encoding to another, at other sizes.
func (m *mangler) limits() {
	n := pick(m.r, []string{"0", "1", "4", "32", "128", "512"})
	m.do("CONFIG", "SET", "hash-max-listpack-entries", n, "set-max-listpack-entries", n, "zset-max-listpack-entries", n, "set-max-intset-entries", n,
		"list-max-listpack-size", pick(m.r, []string{"1", "4", "-1", "-2"}), "stream-node-max-entries", n, "hll-sparse-max-bytes", n)
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// do sends a command. Whatever its reply: it must come, and soon.
func (m *mangler) do(args ...string) testutil.Value { return m.batch([][]string{args})[0] }

func (m *mangler) batch(calls [][]string) []testutil.Value {
	m.t.Helper()
	for _, c := range calls {
		m.c.Queue(c...)
	}
	asked := time.Now()
	err := m.c.Flush()
	replies := make([]testutil.Value, len(calls))
	for i := range replies {
		var raw []byte
		if err == nil {
			raw, err = m.c.ReadRaw()
		}
		if err == nil {
			replies[i], err = testutil.Parse(raw)
		}
		if err != nil {
			m.t.Fatalf("%.200q after %.600q: %v\n%s", calls[i], m.now, err, m.s.Fault())
		}
	}
	if d := time.Since(asked); d > slowAnswer && !slow() {
		m.t.Errorf("%d commands such as %.200q after %.600q took %v", len(calls), calls[0], m.now, d)
	}
	return replies
}

// again dumps a value, restores that, and has both digested: they must be the same.
func (m *mangler) again(key string) {
	m.unsign(key)
	dumped := m.do("DUMP", key)
	if dumped.Null {
		return // commands have emptied it
	}
	if v := m.do("RESTORE", "again", "0", dumped.Str, "REPLACE"); v.IsError() {
		m.t.Errorf("%.600q: its dump %.600q is refused: %s", m.now, dumped.Str, v.Str)
		return
	}
	m.do("PERSIST", key) // a digest tells who has a deadline
	m.do("COPY", key, "copy", "REPLACE")
	sums := m.do("DEBUG", "DIGEST-VALUE", key, "again", "copy").Strings()
	if sums[0] != sums[1] || sums[0] != sums[2] {
		m.t.Errorf("the digests of a value, of what was dumped, and of a copy differ: %q; after %q of %.600q: %.3000q", sums, m.last, m.now, dumped.Str)
	}
	m.do("DEL", "again", "copy")
}

// unsign deletes a sorted set that has a negative zero, which is zero in a listpack, to
// Redis as well.
func (m *mangler) unsign(key string) {
	if slices.Contains(m.do("ZRANGEBYSCORE", key, "0", "0", "WITHSCORES").Strings(), "-0") {
		m.do("DEL", key)
	}
}

// reload saves all that was accepted, and loads it.
func (m *mangler) reload() {
	m.now = "all that is kept"
	m.c.SetTimeout(time.Minute)
	keys := m.do("KEYS", "*").Strings()
	for _, k := range keys {
		m.unsign(k)
	}
	before := m.do("DEBUG", "DIGEST").Str
	each := m.do(append([]string{"DEBUG", "DIGEST-VALUE"}, keys...)...).Strings()
	if v := m.do("DEBUG", "RELOAD"); v.IsError() {
		m.t.Fatalf("DEBUG RELOAD: %s\n%s", v.Str, m.s.Log())
	}
	if after := m.do("DEBUG", "DIGEST").Str; after != before {
		m.t.Errorf("DEBUG RELOAD changed the digest from %s to %s", before, after)
		for i, sum := range m.do(append([]string{"DEBUG", "DIGEST-VALUE"}, keys...)...).Strings() {
			if sum != each[i] {
				m.t.Errorf("%s is another: %.3000q", keys[i], m.do("DUMP", keys[i]).Str)
			}
		}
	}
}
