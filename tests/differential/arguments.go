package differential

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// word is one generated argument. A fixed one is left alone by mutations: it is
// a time, or decides how long the server works.
type word struct {
	text  string
	fixed bool
}

// writer makes the arguments of one command.
type writer struct {
	r     *rand.Rand
	spec  *spec
	keys  []string
	big   bool
	clock *int // number of times to live given out in this history
	// entries is the number of IDs of new entries given out.
	entries *int
	fail    bool // BITFIELD may say OVERFLOW FAIL
	count   int  // of the keys to come, after numkeys; 0 = any
	out     []word
}

func (w *writer) add(text string)   { w.out = append(w.out, word{text: text}) }
func (w *writer) fixed(text string) { w.out = append(w.out, word{text: text, fixed: true}) }

// command writes the name and all arguments.
func (w *writer) command() []word {
	for _, name := range w.spec.words {
		w.add(w.spell(name))
	}
	for _, table := range []map[string]func(*writer){specialArguments, streamArguments} {
		if special := table[w.spec.key()]; special != nil {
			special(w)
			return w.out
		}
	}
	w.arguments(w.spec.args)
	return w.out
}

// spell changes the case of a name or token now and then.
func (w *writer) spell(name string) string {
	switch w.r.IntN(10) {
	case 0:
		return strings.ToLower(name)
	case 1:
		if name != "" {
			return strings.ToUpper(name[:1]) + strings.ToLower(name[1:])
		}
	}
	return strings.ToUpper(name)
}

// arguments writes the list in its order, but the optional ones at its end in any
// order, and now and then one of them twice.
func (w *writer) arguments(args []argument) {
	tail := len(args)
	for tail > 0 && args[tail-1].optional {
		tail--
	}
	for i := range args[:tail] {
		w.argument(&args[i])
	}
	options := slices.Clone(args[tail:])
	if chance(w.r, 0.4) {
		w.r.Shuffle(len(options), func(i, j int) { options[i], options[j] = options[j], options[i] })
	}
	if len(options) > 0 && chance(w.r, 0.03) {
		options = append(options, pick(w.r, options))
	}
	for i := range options {
		w.argument(&options[i])
	}
}

func (w *writer) argument(a *argument) {
	if a.optional && !chance(w.r, 0.4) {
		return
	}
	count := 1
	if a.multiple {
		for count < 8 && chance(w.r, 0.5) {
			count++
		}
		if w.count > 0 && (a.kind == "key" || a.name == "weight") {
			count = w.count
		}
	}
	for i := range count {
		if a.token != "" && a.kind != "pure-token" && (i == 0 || a.multipleToken) {
			w.add(w.spell(a.token))
		}
		w.once(a)
	}
}

func (w *writer) once(a *argument) {
	switch a.kind {
	case "oneof":
		w.argument(required1(pick(w.r, a.args)))
	case "block":
		for i := range a.args {
			w.argument(&a.args[i])
		}
	case "pure-token":
		w.add(w.spell(a.token))
	case "key":
		w.add(w.key())
	case "integer":
		w.integer(a)
	case "unix-time":
		w.unixTime(strings.HasSuffix(a.name, "milliseconds"))
	case "double":
		w.double(a)
	case "pattern":
		w.add(pick(w.r, patterns))
	default:
		w.text(a)
	}
}

// keyClasses are the groups whose commands mostly keep to keys of their own, so that
// not every other reply says that the key holds something else.
// Positions are sorted sets.
var keyClasses = map[string]int{"set": 1, "hash": 2, "list": 3, "sorted-set": 4, "geo": 4, "stream": 5, "hyperloglog": 6}

// keysApart is how many classes there are, with that of all other groups.
const keysApart = 7

// key chooses a key.
func (w *writer) key() string {
	i := w.r.IntN(len(w.keys))
	switch w.spec.group {
	case "generic", "transactions":
	default:
		if class := keyClasses[w.spec.group]; chance(w.r, 0.9) && len(w.keys) > keysApart {
			if i = i/keysApart*keysApart + class; i >= len(w.keys) {
				i = class
			}
		}
	}
	return w.keys[i]
}

// required1 is a chosen alternative, which is there whatever its flags say.
func required1(a argument) *argument {
	a.optional = false
	return &a
}

func (w *writer) double(a *argument) {
	switch {
	case a.name == "timeout":
		w.fixed(pick(w.r, timeouts))
	case w.spec.group != "sorted-set":
		w.add(w.float())
	case a.name == "min" || a.name == "max":
		w.fixed(pick(w.r, []string{"", "", "("}) + score(w.r))
	default:
		w.fixed(score(w.r))
	}
}

// timeouts are of calls that block: nearly all end at once, so that a history goes
// on, and a few take long enough for what happens to a client that waits.
var timeouts = []string{
	"0.001", "0.001", "0.001", "0.001", "0.001", "0.001", "0.001", "0.001", "0.001", "0.001", "0.001", "0.001", "0.001",
	"0.0001", "1e-3", "0.01", "0.02", "-1", "-0.5", "abc", "", "nan",
}

func (w *writer) float() string {
	if chance(w.r, 0.5) {
		return pick(w.r, floats)
	}
	return strconv.FormatFloat(w.r.NormFloat64()*100, 'f', w.r.IntN(18), 64)
}

// integer chooses by the name of the argument.
func (w *writer) integer(a *argument) {
	switch a.name {
	case "seconds", "milliseconds", "ttl":
		w.timeToLive(a.name != "seconds")
		return
	case "weight": // of another, a zero may become negative; see score
		w.fixed(pick(w.r, []string{"1", "2", "3", "0.5", "inf", "1", "2", "x", "nan"}))
		return
	}
	if chance(w.r, 0.06) {
		w.add(pick(w.r, weirdNumbers))
		return
	}
	switch a.name {
	case "numkeys":
		w.count = 1 + w.r.IntN(3)
		w.fixed(strconv.Itoa(w.count))
	case "increment", "decrement":
		w.add(w.increment())
	case "offset":
		w.offset()
	case "start", "end", "stop", "index", "min", "max":
		w.add(strconv.Itoa(w.r.IntN(60) - 30))
	case "bit":
		w.add(strconv.Itoa(w.r.IntN(2)))
	case "db", "destination-db", "index1", "index2":
		w.add(strconv.Itoa(w.r.IntN(databases)))
	case "cursor":
		w.add("0")
	case "value":
		w.add(w.increment())
	default:
		w.add(strconv.Itoa(w.r.IntN(20)))
	}
}

func (w *writer) increment() string {
	if chance(w.r, 0.3) {
		return pick(w.r, increments)
	}
	return strconv.Itoa(w.r.IntN(500) - 250)
}

// timeToLive gives each relative deadline of a history a value of its own, 20 s
// from all others: then neither GT and LT nor a comparison of replies can depend
// on the milliseconds between two commands.
func (w *writer) timeToLive(milliseconds bool) {
	if chance(w.r, 0.1) {
		w.fixed(pick(w.r, weirdTimes))
		return
	}
	const first, apart = 2000, 20
	*w.clock++
	seconds := first + apart**w.clock
	if milliseconds {
		seconds *= 1000
	}
	w.fixed(strconv.Itoa(seconds))
}

// unixTime is far away or long past. SET with a past deadline is left to the
// curated histories: the oracle keeps such a key until it is looked up.
func (w *writer) unixTime(milliseconds bool) {
	const year2100, apart = 4102444800, 1000
	at := year2100 + apart*w.r.IntN(40)
	set := w.spec.words[0] == "set"
	switch {
	case !set && chance(w.r, 0.15):
		w.fixed(pick(w.r, []string{"1", "1000", "1500000000"}))
		return
	case chance(w.r, 0.08):
		w.fixed(pick(w.r, []string{"0", "-1", "abc", "", "9223372036854775807", "-9223372036854775808", "9223372036854775808"}))
		return
	}
	if milliseconds {
		at = at*1000 + 7
	}
	w.fixed(strconv.Itoa(at))
}

// offset is an index of bytes or bits. Far ones are errors, but for the big keys.
func (w *writer) offset() {
	small, most := 200, 1<<20
	if w.spec.words[0] != "setrange" && w.spec.words[0] != "getrange" {
		small, most = 1600, 8<<20
	}
	prefix := ""
	if strings.HasPrefix(w.spec.words[0], "bitfield") && chance(w.r, 0.4) {
		prefix, small, most = "#", 60, most/64
	}
	switch n := w.r.IntN(100); {
	case w.big && n < 40:
		w.fixed(prefix + strconv.Itoa(w.r.IntN(most)))
	case n < 4:
		w.fixed(prefix + pick(w.r, []string{strconv.Itoa(most * 64), "536870912", "4294967295", "4294967296", "9223372036854775807", "-1"}))
	default:
		w.fixed(prefix + strconv.Itoa(w.r.IntN(small)))
	}
}

func (w *writer) value() string {
	if w.big {
		return bigValue(w.r)
	}
	return value(w.r)
}

// text chooses a string by the name of the argument.
func (w *writer) text(a *argument) {
	r := w.r
	switch a.name {
	case "encoding":
		if chance(r, 0.05) {
			w.add(pick(r, badBitTypes))
			return
		}
		w.add(pick(r, bitTypes))
	case "member", "field", "element", "pivot":
		w.add(member(r))
	case "channel", "shardchannel":
		w.add(pick(r, channels))
	case "type":
		w.add(pick(r, []string{"string", "hash", "list", "none", "STRING", "zset", ""}))
	case "parameter":
		w.add(pick(r, []string{"maxmemory", "MAXMEMORY", "databases", "hll-sparse-max-bytes", "no-such", "proto-max-bulk-len"}))
	case "username", "password", "clientname", "connection-name":
		w.add(pick(r, []string{"default", "alice", "bob", "with space", "", "a\nb"}))
	case "operation":
		w.add(w.spell(pick(r, []string{"and", "or", "xor", "not", "nand"})))
	default:
		w.add(w.value())
	}
}

var channels = []string{"c0", "c1", "c2", "news", "", "\x00\xff", "{t}c"}

// specialArguments write the arguments of commands whose description in COMMAND
// DOCS says too little.
var specialArguments map[string]func(*writer) = map[string]func(*writer){
	"wait":                    (*writer).waitArguments,
	"spop":                    (*writer).spopArguments,
	"srandmember":             (*writer).drawArguments,
	"hrandfield":              (*writer).drawArguments,
	"debug":                   (*writer).debugArguments,
	"pfdebug":                 (*writer).pfdebugArguments,
	"restore":                 (*writer).restoreArguments,
	"pfadd":                   (*writer).pfaddArguments,
	"hello":                   (*writer).helloArguments,
	"lcs":                     (*writer).lcsArguments,
	"ping":                    (*writer).pingArguments,
	"object|freq":             (*writer).keyOnly,
	"object|encoding":         (*writer).keyOnly,
	"object|idletime":         (*writer).keyOnly,
	"object|refcount":         (*writer).keyOnly,
	"command|getkeys":         (*writer).getkeysArguments,
	"command|getkeysandflags": (*writer).getkeysArguments,
	"bitfield":                (*writer).bitfieldArguments,
	"bitpos":                  (*writer).bitposArguments,
	"sort":                    (*writer).sortArguments,
	"sort_ro":                 (*writer).sortArguments,
	"zadd":                    (*writer).zaddArguments,
	"zincrby":                 (*writer).zincrbyArguments,
	"zrandmember":             (*writer).drawArguments,
	"zrange":                  (*writer).zrangeArguments,
	"zrangestore":             (*writer).zrangeArguments,
	"zrangebylex":             (*writer).lexArguments,
	"zrevrangebylex":          (*writer).lexArguments,
	"zlexcount":               (*writer).lexArguments,
	"zremrangebylex":          (*writer).lexArguments,
	"geoadd":                  (*writer).geoaddArguments,
	"geodist":                 (*writer).geoReadArguments,
	"geohash":                 (*writer).geoReadArguments,
	"geopos":                  (*writer).geoReadArguments,
	"georadius":               (*writer).georadiusArguments,
	"georadius_ro":            (*writer).georadiusArguments,
	"georadiusbymember":       (*writer).georadiusArguments,
	"georadiusbymember_ro":    (*writer).georadiusArguments,
	"geosearch":               (*writer).geosearchArguments,
	"geosearchstore":          (*writer).geosearchArguments,
}

// spopArguments take all members or none: which ones else is chance, and the two
// servers would not have the same data any more.
func (w *writer) spopArguments() {
	w.keyOnly()
	w.fixed(pick(w.r, []string{"100000", "100000", "0", "-1", "abc"}))
}

// drawArguments ask for few elements: a large negative count is answered with as many,
// by either server.
func (w *writer) drawArguments() {
	w.keyOnly()
	if chance(w.r, 0.8) {
		w.fixed(pick(w.r, []string{"0", "1", "2", "5", "100", "-1", "-3", "-40", "abc", "", "9223372036854775807", "-9223372036854775808"}))
		switch w.spec.words[0] {
		case "hrandfield":
			w.perhaps(0.5, "withvalues")
		case "zrandmember":
			w.perhaps(0.5, "withscores")
		}
	}
}

// perhaps adds an option now and then.
func (w *writer) perhaps(p float64, token string, values ...string) {
	if !chance(w.r, p) {
		return
	}
	w.add(w.spell(token))
	for _, v := range values {
		w.add(v)
	}
}

func (w *writer) keyOnly() { w.add(w.key()) }

// waitArguments never wait long: no replica is there to answer.
func (w *writer) waitArguments() {
	w.fixed(pick(w.r, []string{"0", "0", "1", "-1", "abc"}))
	w.fixed(pick(w.r, []string{"1", "2", "-1", "abc"}))
}

func (w *writer) pingArguments() {
	if chance(w.r, 0.5) {
		w.add(value(w.r))
	}
}

func (w *writer) debugArguments() {
	switch w.r.IntN(4) {
	case 0:
		w.fixed("SLEEP")
		w.fixed("0")
	case 1:
		w.fixed("DIGEST-VALUE")
		for range 1 + w.r.IntN(3) {
			w.fixed(w.key())
		}
	default:
		w.fixed("PROTOCOL")
		w.fixed(pick(w.r, []string{
			"string", "integer", "double", "null", "array", "set", "map", "verbatim", "true", "false", "bignum", "attrib", "nosuch",
		}))
	}
}

func (w *writer) pfdebugArguments() {
	w.add(pick(w.r, []string{"ENCODING", "DECODE", "TODENSE", "ENCODING", "GETREG", "nosuch"}))
	w.keyOnly()
}

func (w *writer) pfaddArguments() {
	w.keyOnly()
	for range w.r.IntN(6) {
		if chance(w.r, 0.7) {
			w.add("e" + strconv.Itoa(w.r.IntN(5000)))
		} else {
			w.add(value(w.r))
		}
	}
}

// restoreArguments make payloads that must be refused; !restore makes good ones.
func (w *writer) restoreArguments() {
	w.keyOnly()
	w.timeToLive(true)
	w.add(pick(w.r, []string{
		"", "x", "\x00\x03foo\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00", "\x00\x03foo\xff\xff12345678", randomBytes(w.r, 20),
	}))
	for _, option := range []string{"REPLACE", "ABSTTL", "IDLETIME", "FREQ"} {
		if chance(w.r, 0.2) {
			w.add(w.spell(option))
			if option == "IDLETIME" || option == "FREQ" {
				w.add(strconv.Itoa(w.r.IntN(300) - 10))
			}
		}
	}
}

func (w *writer) helloArguments() {
	if chance(w.r, 0.2) {
		return
	}
	w.fixed(pick(w.r, []string{"2", "3", "3", "4", "1", "abc", "-1"}))
	if chance(w.r, 0.2) {
		w.fixed("SETNAME")
		w.fixed(pick(w.r, []string{"alice", "b c", ""}))
	}
	if chance(w.r, 0.1) {
		w.fixed("AUTH")
		w.fixed(pick(w.r, []string{"default", "nobody"}))
		w.fixed("secret")
	}
}

// lcsArguments stay with the small keys: the work grows with both lengths.
func (w *writer) lcsArguments() {
	if w.big {
		w.add("k0")
		w.add("k1")
		return
	}
	w.arguments(w.spec.args)
}

// getkeysArguments is another command's line.
func (w *writer) getkeysArguments() {
	lines := []string{
		"GET k", "SET k v EX 5", "MSET a 1 b 2 c 3", "MSETNX a 1 b", "BITOP AND d a b", "OBJECT ENCODING k", "PING", "GET", "NOSUCH x",
		"PFMERGE d a b", "SORT k STORE d BY w", "COPY a b", "DEL a b c", "EVAL x 2 a b c", "ZUNIONSTORE d 2 a b", "MIGRATE h 1 k 0 5 KEYS a b",
		"XREAD COUNT 2 STREAMS a b 1 2", "GEORADIUS k 1 1 1 m STORE d", "PFCOUNT a b", "RENAME a b", "LMPOP 2 a b LEFT", "EXEC", "CLIENT ID",
		"MEMORY USAGE k", "BITFIELD k GET u8 0", "BITFIELD k SET u8 0 1", "GETEX k PERSIST", "SET k v GET", "XGROUP CREATE s g 0", "EVAL x 0",
	}
	for _, f := range strings.Fields(pick(w.r, lines)) {
		w.add(f)
	}
}

// bitfieldArguments say OVERFLOW FAIL only in histories without WATCH: when every
// write of a BITFIELD fails Redis may still have created the key, and does not
// tell watchers; Dozo does.
func (w *writer) bitfieldArguments() {
	w.keyOnly()
	modes := []string{"wrap", "sat", "nosuch"}
	if w.fail {
		modes = append(modes, "fail", "fail")
	}
	for range w.r.IntN(5) {
		if chance(w.r, 0.3) {
			w.add(w.spell("overflow"))
			w.add(w.spell(pick(w.r, modes)))
		}
		op := pick(w.r, []string{"get", "set", "incrby"})
		w.add(w.spell(op))
		w.text(&argument{name: "encoding"})
		w.offset()
		if op != "get" {
			w.add(w.increment())
		}
	}
}

func (w *writer) bitposArguments() {
	w.keyOnly()
	w.add(strconv.Itoa(w.r.IntN(2)))
	for _, p := range []float64{0.6, 0.7} {
		if !chance(w.r, p) {
			return
		}
		w.add(strconv.Itoa(w.r.IntN(80) - 40))
	}
	if chance(w.r, 0.5) {
		w.add(w.spell(pick(w.r, []string{"byte", "bit", "bits"})))
	}
}

// sortArguments leave nothing to the order in which a server keeps the members of a
// set: with BY, texts are not compared, and what is not sorted is stored.
func (w *writer) sortArguments() {
	w.keyOnly()
	by, store := w.r.IntN(4), w.spec.words[0] == "sort" && chance(w.r, 0.5)
	switch {
	case by == 0:
		w.add("BY")
		w.add(pick(w.r, []string{"k*", "*", "k*->m1", "*->7", "k1*"}))
	case by == 1 && store:
		w.add("BY")
		w.add("nosort")
	default:
		w.perhaps(0.6, "ALPHA")
	}
	if chance(w.r, 0.3) {
		w.add(w.spell("LIMIT"))
		w.add(strconv.Itoa(w.r.IntN(20) - 3))
		w.add(strconv.Itoa(w.r.IntN(20) - 3))
	}
	for chance(w.r, 0.3) {
		w.add("GET")
		w.add(pick(w.r, []string{"#", "k*", "*", "k*->m2", "k1", "k*->", ""}))
	}
	if chance(w.r, 0.5) {
		w.add(w.spell(pick(w.r, []string{"ASC", "DESC"})))
	}
	if store {
		w.add(w.spell("STORE"))
		w.add(w.key())
	}
}
