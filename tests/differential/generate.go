package differential

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Generator makes histories from a grammar. The same seed and number give the
// same history, as long as the grammar is the same.
type Generator struct {
	seed    uint64
	specs   []*spec
	weights []float64 // running sums
	total   float64
}

// NewGenerator takes the commands of the grammar that Dozo has too.
func NewGenerator(seed uint64, grammar map[string]*spec, dozo map[string]bool) *Generator {
	g := &Generator{seed: seed}
	for _, name := range sortedKeys(grammar) {
		s := grammar[name]
		w := s.weight()
		if w == 0 || !dozo[name] {
			continue
		}
		g.total += w
		g.specs = append(g.specs, s)
		g.weights = append(g.weights, g.total)
	}
	return g
}

// Commands are the names that the generator uses.
func (g *Generator) Commands() []string {
	var out []string
	for _, s := range g.specs {
		out = append(out, s.key())
	}
	return out
}

// eventClasses are the classes of key events that are compared: all but those of
// streams, where 7.2 makes consumers, and tells so, that 7.0 does not make.
const eventClasses = "g$lshzxed"

// chapter is a history in the making.
type chapter struct {
	*Generator
	r       *rand.Rand
	h       *History
	keys    []string
	conns   int // ordinary connections
	subs    int // subscribers, numbered after them
	conn    int // the current one
	inMulti map[int]bool
	clock   int
	entries int
	watches bool // WATCH may be sent; see bitfieldArguments
}

// History makes the history with this number and about that many commands.
func (g *Generator) History(number, commands int) *History {
	r := rand.New(rand.NewPCG(g.seed, uint64(number)))
	c := &chapter{
		Generator: g, r: r, keys: keyNames(2 + r.IntN(25)), conns: 1 + r.IntN(4), inMulti: map[int]bool{},
		watches: r.IntN(3) > 0,
	}
	c.h = &History{
		Name:  fmt.Sprintf("seed %d history %d", g.seed, number),
		Proto: 2 + r.IntN(2),
		Batch: pick(r, []int{1, 4, 20, 100, 400}),
		Config: map[string]string{
			"proto-max-bulk-len":   "1048576",
			"hll-sparse-max-bytes": pick(r, []string{"0", "60", "3000", "16000"}),
		},
	}
	// More than one SADD or HSET sets: 7.2 looks at the number of words beforehand, 7.0 at
	// the number of members or fields afterwards, which are fewer if one comes twice.
	c.h.Config["set-max-intset-entries"] = pick(r, []string{"0", "12", "512"})
	c.h.Config["hash-max-listpack-entries"] = pick(r, []string{"0", "12", "128"})
	c.h.Config["hash-max-listpack-value"] = pick(r, []string{"4", "64"})
	c.h.Config["list-max-listpack-size"] = pick(r, []string{"-2", "-1", "1", "3", "8", "40"})
	// No ZADD has more than twelve pairs, for the same reason.
	c.h.Config["zset-max-listpack-entries"] = pick(r, []string{"0", "12", "128"})
	c.h.Config["zset-max-listpack-value"] = pick(r, []string{"4", "64"})
	c.h.Config["stream-node-max-entries"] = pick(r, []string{"0", "1", "3", "100"})
	c.h.Config["stream-node-max-bytes"] = pick(r, []string{"0", "60", "4096"})
	c.h.Own = map[string]string{
		"set-max-listpack-entries": pick(r, []string{"0", "0", "4", "128"}), "set-max-listpack-value": pick(r, []string{"3", "64"}),
	}
	if number%5 == 4 {
		c.subs = 2
		c.h.Config["notify-keyspace-events"] = pick(r, []string{"KE" + eventClasses, "Kg$x", "E$", "KEn", "KEnm" + eventClasses, ""})
	}
	for len(c.h.Steps) < commands {
		c.next()
	}
	c.drainSubscribers()
	return c.h
}

func (c *chapter) add(s Step) {
	s.Conn = c.conn
	c.h.Steps = append(c.h.Steps, s)
}

func (c *chapter) next() {
	switch {
	case chance(c.r, 0.04):
		c.drainSubscribers()
		if c.subs > 0 && chance(c.r, 0.5) {
			c.subscriberStep()
		}
		c.conn = c.r.IntN(c.conns)
	case chance(c.r, 0.004):
		c.add(Step{Kind: Scan, Args: c.scanOptions(), Replies: auto})
	case chance(c.r, 0.01):
		c.add(Step{Kind: Restore, Args: c.restoreWords(), Replies: auto})
	case c.inMulti[c.conn] && chance(c.r, 0.15):
		c.inMulti[c.conn] = false
		c.command(pick(c.r, []string{"EXEC", "EXEC", "EXEC", "EXEC", "exec", "DISCARD"}))
	case c.subs > 0 && chance(c.r, 0.15):
		c.command(pick(c.r, []string{"PUBLISH", "PUBLISH", "SPUBLISH"}), pick(c.r, channels), value(c.r))
	case chance(c.r, 0.001):
		c.command(pick(c.r, []string{"NOSUCH", "", "get\x00", "CLIENTS", strings.Repeat("long", 50)}), value(c.r), value(c.r))
	default:
		c.fromGrammar()
	}
}

func (c *chapter) command(args ...string) { c.add(Step{Args: args, Replies: auto}) }

// drainSubscribers reads what was published before another connection speaks.
func (c *chapter) drainSubscribers() {
	here := c.conn
	for i := range c.subs {
		c.conn = c.conns + i
		c.add(Step{Kind: Drain, Replies: auto})
	}
	c.conn = here
}

// subscriberStep sends something on a subscriber's connection. Its replies are
// read as what they are there: part of one stream with the messages.
func (c *chapter) subscriberStep() {
	c.conn = c.conns + c.r.IntN(c.subs)
	args := pick(c.r, [][]string{
		{"SUBSCRIBE", pick(c.r, channels)},
		{"SUBSCRIBE", pick(c.r, channels), pick(c.r, channels)},
		{"SUBSCRIBE", "__keyevent@0__:" + pick(c.r, []string{"set", "del", "expire", "incrby", "append"})},
		{"PSUBSCRIBE", pick(c.r, []string{"c*", "c?", "n*", "*", "__key*", "__keyspace@*:k?"})},
		{"SSUBSCRIBE", pick(c.r, channels)},
		{"UNSUBSCRIBE", pick(c.r, channels)},
		{"PUNSUBSCRIBE", pick(c.r, []string{"c*", "c?", "*"})},
		{"SUNSUBSCRIBE", pick(c.r, channels)},
		{"UNSUBSCRIBE"}, {"PUNSUBSCRIBE"}, {"SUNSUBSCRIBE"}, {"RESET"}, {"SUBSCRIBE"},
		{"PING"}, {"PING", "hello"}, {"GET", "k0"}, {"ECHO", "x"},
	})
	c.add(Step{Args: args, Replies: 0})
	c.add(Step{Kind: Drain, Replies: auto})
}

func (c *chapter) scanOptions() []string {
	var out []string
	if chance(c.r, 0.5) {
		out = append(out, "COUNT", strconv.Itoa(1+c.r.IntN(30)))
	}
	if chance(c.r, 0.3) {
		out = append(out, "MATCH", pick(c.r, patterns))
	}
	if chance(c.r, 0.2) {
		out = append(out, "TYPE", "string")
	}
	return out
}

func (c *chapter) restoreWords() []string {
	keys := c.keys
	if chance(c.r, 0.1) {
		keys = bigKeys
	}
	w := writer{r: c.r, clock: &c.clock}
	w.timeToLive(true)
	ttl := w.out[0].text
	if chance(c.r, 0.5) {
		ttl = "0"
	}
	out := []string{pick(c.r, keys), pick(c.r, keys), ttl}
	if chance(c.r, 0.2) {
		out = append(out, "damage:"+strconv.Itoa(c.r.IntN(1000)))
	}
	for _, option := range [][]string{{"REPLACE"}, {"ABSTTL"}, {"IDLETIME", "5"}, {"FREQ", "3"}} {
		if chance(c.r, 0.4) {
			out = append(out, option...)
		}
	}
	return out
}

// fromGrammar adds a command of the grammar, sometimes spoilt.
func (c *chapter) fromGrammar() {
	at, _ := slices.BinarySearch(c.weights, c.r.Float64()*c.total)
	s := c.specs[min(at, len(c.specs)-1)]
	if s.key() == "watch" && !c.watches {
		return
	}
	w := writer{r: c.r, spec: s, keys: c.keys, clock: &c.clock, entries: &c.entries, fail: !c.watches}
	if chance(c.r, 0.015) {
		w.keys, w.big = bigKeys, true
	}
	words := w.command()
	if !unmutated[s.key()] && chance(c.r, 0.07) {
		words = c.spoil(words)
	}
	switch s.key() {
	case "multi":
		c.inMulti[c.conn] = true
	case "exec", "discard", "reset", "quit":
		c.inMulti[c.conn] = false
	}
	args := make([]string, len(words))
	for i := range words {
		args[i] = words[i].text
	}
	c.command(args...)
}

// spoil drops, adds or replaces one argument.
func (c *chapter) spoil(words []word) []word {
	if len(words) == 1 {
		return append(words, word{text: value(c.r)})
	}
	at := 1 + c.r.IntN(len(words)-1)
	switch c.r.IntN(4) {
	case 0:
		return words[:len(words)-1]
	case 1:
		return append(words, word{text: pick(c.r, weirdNumbers)})
	case 2:
		return slices.Delete(words, at, at+1)
	}
	if !words[at].fixed {
		words[at].text = pick(c.r, weirdNumbers)
	}
	return words
}
