package differential

import (
	"fmt"
	"slices"
	"strconv"

	"dozo/internal/testutil"
)

// databases is how many of them histories use.
const databases = 4

// scratchDB is where payloads are restored to be compared; histories stay below.
const scratchDB = 15

// compareState compares all data of both servers.
func (p *Pair) compareState() (*Difference, error) {
	// The oracle deletes what is due only when it comes across it.
	o, d, err := p.both("DEBUG", "DIGEST")
	if err != nil {
		return nil, err
	}
	digests := &Difference{Step: -1, What: "DEBUG DIGEST", Rule: "exact", Oracle: o.String(), Dozo: d.String()}
	for db := range databases {
		diff, err := p.compareDB(db)
		if diff != nil || err != nil {
			return diff, err
		}
	}
	// Expired keys may still count for the oracle's digest: by now each key was
	// looked up, so ask again before blaming anyone.
	if o.Str != d.Str {
		if o, d, err = p.both("DEBUG", "DIGEST"); err != nil || o.Str != d.Str {
			return digests, err
		}
	}
	return nil, p.selectDB(0)
}

func (p *Pair) both(args ...string) (o, d Value, err error) {
	if o, err = p.oracle.admin.DoErr(args...); err != nil {
		return o, d, fmt.Errorf("oracle: %w", err)
	}
	if d, err = p.dozo.admin.DoErr(args...); err != nil {
		return o, d, fmt.Errorf("dozo: %w", err)
	}
	return o, d, nil
}

func (p *Pair) selectDB(db int) error {
	_, _, err := p.both("SELECT", strconv.Itoa(db))
	return err
}

func (p *Pair) compareDB(db int) (*Difference, error) {
	if err := p.selectDB(db); err != nil {
		return nil, err
	}
	o, d, err := p.both("KEYS", "*")
	if err != nil {
		return nil, err
	}
	if !sameSorted(o, d, nil) {
		return stateDifference(db, "KEYS *", "sorted", o, d), nil
	}
	keys := o.Strings()
	const keysAtOnce = 64
	for len(keys) > 0 {
		n := min(keysAtOnce, len(keys))
		diff, err := p.compareKeys(db, keys[:n])
		if diff != nil || err != nil {
			return diff, err
		}
		keys = keys[n:]
	}
	return nil, nil
}

// keyChecks are asked about every key.
var keyChecks = []struct {
	command, options []string // before and behind the key
	rule             *Rule
}{
	{[]string{"TYPE"}, nil, exact},
	{[]string{"OBJECT", "ENCODING"}, nil, exact},
	{[]string{"PEXPIRETIME"}, nil, mustRule("within 2000")},
	{[]string{"DUMP"}, nil, mustRule("dump")},
	{[]string{"XINFO", "STREAM"}, []string{"FULL", "COUNT", "0"}, mustRule("streaminfo")},
}

func (p *Pair) compareKeys(db int, keys []string) (*Difference, error) {
	var out []byte
	for _, k := range keys {
		for _, c := range keyChecks {
			out = testutil.AppendCommand(out, slices.Concat(c.command, []string{k}, c.options)...)
		}
	}
	for _, c := range []*testutil.Conn{p.oracle.admin, p.dozo.admin} {
		c.QueueRaw(out)
		if err := c.Flush(); err != nil {
			return nil, err
		}
	}
	var first *Difference
	for _, k := range keys {
		for _, c := range keyChecks {
			o, err1 := p.oracle.admin.ReadRaw()
			d, err2 := p.dozo.admin.ReadRaw()
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("reading the state of %q: oracle %v, dozo %v", k, err1, err2)
			}
			if first == nil {
				first = p.compareKey(db, k, c.command, c.rule, o, d)
			}
		}
	}
	return first, nil
}

func (p *Pair) compareKey(db int, key string, command []string, rule *Rule, oracle, dozo []byte) *Difference {
	if string(oracle) == string(dozo) {
		return nil
	}
	o, err1 := testutil.Parse(oracle)
	d, err2 := testutil.Parse(dozo)
	what := fmt.Sprintf("%v %s", command, quoteWord(key))
	if err1 != nil || err2 != nil {
		return stateDifference(db, what, "well-formed", o, d)
	}
	if rule.Compare(o, d) == "" || rule.Name == "dump" && p.samePayload(o, d) || p.accept(stateCommand, o, d) {
		return nil
	}
	return stateDifference(db, what, rule.String(), o, d)
}

// stateCommand is what accepted differences of the final state are filed under.
const stateCommand = "(state)"

func stateDifference(db int, what, rule string, o, d Value) *Difference {
	return &Difference{
		Step: -1, What: fmt.Sprintf("db %d: %s", db, what), Rule: rule,
		Oracle: shorten(o.String()), Dozo: shorten(d.String()),
	}
}

// samePayload says whether Dozo's DUMP payload means the same to the oracle as
// its own: a payload may be compressed in more than one way, and lists unordered
// members in the order of a hash table. The oracle restores both and digests them,
// without telling subscribers.
func (p *Pair) samePayload(o, d Value) bool {
	if o.Kind != '$' || d.Kind != '$' || o.Null || d.Null {
		return false
	}
	c, err := p.oracle.server.Dial()
	if err != nil {
		return false
	}
	defer c.Close()
	const events = "notify-keyspace-events"
	defer func() { _, _ = c.DoErr("CONFIG", "SET", events, p.events) }() // a loss would show in the history
	var digests Value
	for _, args := range [][]string{
		{"CONFIG", "SET", events, ""}, {"SELECT", strconv.Itoa(scratchDB)},
		{"RESTORE", "oracle", "0", o.Str, "REPLACE"}, {"RESTORE", "dozo", "0", d.Str, "REPLACE"},
		{"DEBUG", "DIGEST-VALUE", "oracle", "dozo"},
	} {
		if digests, err = c.DoErr(args...); err != nil || digests.IsError() {
			return false
		}
	}
	if v, err := c.DoErr("DEL", "oracle", "dozo"); err != nil || v.Int() != 2 {
		return false
	}
	if digests.Elems[0].Str != digests.Elems[1].Str {
		return false
	}
	p.accepted["DUMP of the same value in other bytes (compression, order of a set)"]++
	return true
}
