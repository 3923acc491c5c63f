package robustness

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// memoryLimit is the maxmemory of these tests; a few times as much is written.
const memoryLimit = 6 << 20

// A ledger is one writer's record of what was acknowledged: after any reply it
// knows what its keys must hold.
type ledger struct {
	c      *testutil.Peer
	r      *rand.Rand
	prefix string
	want   map[string]string
	// lossy: keys may go by themselves, so a value that is not there is right too.
	lossy    bool
	refusals int
}

// ledgerKeys is how many keys a writer has.
const ledgerKeys = 150

func (l *ledger) key() string { return l.prefix + strconv.Itoa(l.r.IntN(ledgerKeys)) }

func (l *ledger) value() string {
	return strings.Repeat(string(rune('a'+l.r.IntN(26))), 1+l.r.IntN(30_000))
}

// step writes once and records what was acknowledged. A refusal must have changed
// nothing at all.
func (l *ledger) step() error {
	k, j, v := l.key(), l.key(), l.value()
	switch l.r.IntN(8) {
	case 0:
		if k == j {
			return nil
		}
		return l.do([]string{"MSET", k, v, j, v[:len(v)/2]}, "OK", func() { l.want[k], l.want[j] = v, v[:len(v)/2] })
	case 1:
		return l.transaction(k, v)
	case 2, 3:
		v = v[:min(len(v), 5000)]
		return l.extend([]string{"APPEND", k, v}, k, len(l.want[k]), v)
	case 4:
		at := len(l.want[k]) + l.r.IntN(2000)
		return l.extend([]string{"SETRANGE", k, strconv.Itoa(at), "end"}, k, at, "end")
	case 5:
		if l.r.IntN(3) > 0 {
			return nil
		}
		_, err := l.c.DoErr("DEL", k)
		delete(l.want, k)
		return err
	case 6:
		return l.check(k)
	}
	return l.do([]string{"SET", k, v}, "OK", func() { l.want[k] = v })
}

// do sends a command; apply records that it was acknowledged.
func (l *ledger) do(line []string, ok string, apply func()) error {
	v, err := l.c.DoErr(line...)
	switch {
	case err != nil:
		return err
	case v.IsError() && strings.Contains(v.Str, "OOM command not allowed"):
		l.refusals++
		return l.check(line[1])
	case v.Str != ok:
		return fmt.Errorf("%.60q: %.100v, want %s", line, v, ok)
	}
	apply()
	return l.check(line[1])
}

// extend puts v at a place at or behind the end of a value.
func (l *ledger) extend(line []string, k string, at int, v string) error {
	if l.lossy {
		return l.extendWhatIsLeft(line, k, at, v)
	}
	after := l.want[k] + strings.Repeat("\x00", at-len(l.want[k])) + v
	return l.do(line, strconv.Itoa(len(after)), func() { l.want[k] = after })
}

// extendWhatIsLeft is extend for a key that may have gone: it is read in the same
// transaction.
func (l *ledger) extendWhatIsLeft(line []string, k string, at int, v string) error {
	last, err := l.exec([]string{"GET", k}, line)
	if err != nil || len(last.Elems) != 2 {
		return fmt.Errorf("EXEC: %v, %w", last, err)
	}
	before := last.Elems[0].Str
	if !last.Elems[0].Null && before != l.want[k] {
		return fmt.Errorf("%s was %.50q, want %.50q", k, before, l.want[k])
	}
	if line[0] == "APPEND" {
		at = len(before)
	}
	l.want[k] = before + strings.Repeat("\x00", at-len(before)) + v
	if n := int(last.Elems[1].Int()); n != len(l.want[k]) {
		return fmt.Errorf("%.30q of %d bytes: %v, want %d", line, len(before), last.Elems[1], len(l.want[k]))
	}
	return l.check(k)
}

// exec runs commands in a transaction and returns the reply of EXEC.
func (l *ledger) exec(lines ...[]string) (last testutil.Value, err error) {
	l.c.Queue("MULTI")
	for _, line := range lines {
		l.c.Queue(line...)
	}
	if last, err = l.c.DoErr("EXEC"); err != nil {
		return last, err
	}
	for range 1 + len(lines) { // that was the reply of MULTI
		raw, err := l.c.ReadRaw()
		if err != nil {
			return last, err
		}
		if last, err = testutil.Parse(raw); err != nil {
			return last, err
		}
	}
	return last, nil
}

// transaction: all of it, or nothing.
func (l *ledger) transaction(k, v string) error {
	last, err := l.exec([]string{"SET", k, v}, []string{"APPEND", k, "+"}, []string{"SETRANGE", k, "0", "-"})
	n := strconv.Itoa(len(v) + 1)
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(last.Str, "EXECABORT"):
		l.refusals++
	case last.String() != "*[+OK :"+n+" :"+n+"]":
		return fmt.Errorf("EXEC: %v", last)
	default:
		l.want[k] = "-" + v[1:] + "+"
	}
	return l.check(k)
}

// check compares a key with what was acknowledged.
func (l *ledger) check(k string) error {
	v, err := l.c.DoErr("GET", k)
	if err != nil {
		return err
	}
	want, ok := l.want[k]
	if v.Null && (!ok || l.lossy) {
		return nil
	}
	if v.IsError() || v.Null || v.Str != want {
		return fmt.Errorf("%s holds %.50v (%d bytes), want %.50q (%d bytes)", k, v, len(v.Str), want, len(want))
	}
	return nil
}

// fill takes most of the memory in advance, so that a slow machine meets the limit
// as well.
func fill(t *testing.T, c *testutil.Peer) {
	t.Helper()
	const n = memoryLimit * 3 / 4 / 10_000
	for i := range n {
		c.Queue("SET", "fill:"+strconv.Itoa(i), strings.Repeat("f", 10_000))
	}
	must(t, c.Flush())
	must(t, expect(c.Conn, strings.Repeat("+OK\r\n", n)))
}

// TestMemoryLimit: several writers run into maxmemory again and again, in the
// middle of everything that can grow a value. What was acknowledged is there, what
// was refused changed nothing, and the limit holds.
func TestMemoryLimit(t *testing.T) {
	for _, policy := range []string{"noeviction", "allkeys-lru"} {
		t.Run(policy, func(t *testing.T) {
			seed := seeded(t)
			s := start(t, "--io-threads", "4", "--maxmemory", strconv.Itoa(memoryLimit), "--maxmemory-policy", policy)
			c := s.Conn(t, 2)
			const writers = 8
			all := make([]*ledger, writers)
			for i := range all {
				all[i] = &ledger{
					c: s.Conn(t, 2), r: source(seed, i), prefix: fmt.Sprintf("w%d:", i),
					want: map[string]string{}, lossy: policy != "noeviction",
				}
			}
			fill(t, c)
			var most int64
			until(t, writers+1, func(i int) error {
				if i < writers {
					return all[i].step()
				}
				most = max(most, number(t, c, "memory", "used_memory"))
				return nil
			})
			refusals := 0
			for _, l := range all {
				refusals += l.refusals
				for k := range l.want {
					must(t, l.check(k))
				}
			}
			evicted := number(t, c, "stats", "evicted_keys")
			t.Logf("%d refusals, %d evictions, %d bytes at most", refusals, evicted, most)
			if (refusals == 0) == (policy == "noeviction") || (evicted == 0) == (policy != "noeviction") {
				t.Errorf("%d refusals and %d evictions", refusals, evicted)
			}
			if limit := int64(memoryLimit + writers<<18); most > limit {
				t.Errorf("used_memory was %d, far above the limit", most)
			}
			c.MustOK("FLUSHALL")
			c.MustOK("SET", "room", "again")
		})
	}
}
