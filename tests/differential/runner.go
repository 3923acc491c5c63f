package differential

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// batchBytesMax keeps what is sent before replies are read below what socket
// buffers take, so that a server that stops reading while its output waits
// cannot lock both ends.
const batchBytesMax = 64 << 10

// slowReply is how much later than the oracle Dozo may answer, machine permitting.
const slowReply = time.Second

// Difference is the first thing that was not the same.
type Difference struct {
	Step   int    // index in the history, -1 for the final state
	What   string // the command, or the part of the state
	Rule   string
	Oracle string
	Dozo   string
}

func (d *Difference) String() string {
	where := fmt.Sprintf("step %d", d.Step)
	if d.Step < 0 {
		where = "final state"
	}
	return fmt.Sprintf("%s: %s\n  rule:   %s\n  oracle: %s\n  dozo:   %s", where, d.What, d.Rule, d.Oracle, d.Dozo)
}

// Pair runs histories against both servers.
type Pair struct {
	oracle, dozo *side
	defaults     map[string]string // configuration to put back
	events       string            // notify-keyspace-events of the history
	list         []acceptance
	accepted     map[string]int // how often each accepted difference was met
	commands     int
	tokens       int
	outcomes     map[string]*outcome // by command
	slow         []string            // replies that came long after the oracle's
	survey       survey              // not nil: differences of replies are only collected
}

// NewPair starts both servers.
func NewPair(oracle, dozo testutil.Options) (*Pair, error) {
	list, err := compileAcceptances(acceptances)
	if err != nil {
		return nil, err
	}
	o, err := startSide("redis", oracle)
	if err != nil {
		return nil, err
	}
	d, err := startSide("dozo", dozo)
	if err != nil {
		o.stop()
		return nil, err
	}
	return &Pair{oracle: o, dozo: d, list: list, defaults: map[string]string{}, accepted: map[string]int{}, outcomes: map[string]*outcome{}}, nil
}

// outcome counts what the oracle said to a command, to see that the generator
// does not only make errors.
type outcome struct{ replies, errors int }

func (p *Pair) count(command string, oracle []byte) {
	o := p.outcomes[command]
	if o == nil {
		o = &outcome{}
		p.outcomes[command] = o
	}
	o.replies++
	if len(oracle) > 0 && oracle[0] == '-' {
		o.errors++
	}
}

// outcomesOf sums up a command with its subcommands.
func (p *Pair) outcomesOf(name string) (sum outcome) {
	for command, o := range p.outcomes {
		if command == name || strings.HasPrefix(command, name+"|") {
			sum.replies += o.replies
			sum.errors += o.errors
		}
	}
	return sum
}

// Close stops both servers.
func (p *Pair) Close() {
	p.oracle.stop()
	p.dozo.stop()
}

// Fault is what Dozo's log has of crashes and races.
func (p *Pair) Fault() string { return p.dozo.server.Fault() }

// Run runs a history on flushed servers, then compares the data. The error is
// for what makes the comparison impossible.
func (p *Pair) Run(h *History) (*Difference, error) {
	if err := p.reset(h); err != nil {
		return nil, err
	}
	r := run{Pair: p, h: h, queued: map[int][]queuedCall{}}
	for i := 0; i < len(h.Steps); {
		next, diff := r.step(i)
		if diff != nil {
			return diff, nil
		}
		i = next
	}
	return p.compareState()
}

func (p *Pair) reset(h *History) error {
	config := map[string]string{}
	for name, value := range p.defaults {
		config[name] = value
	}
	for name, value := range h.Config {
		if _, known := p.defaults[name]; !known {
			v, err := p.oracle.admin.DoErr("CONFIG", "GET", name)
			if err != nil || len(v.Elems) != 2 {
				return fmt.Errorf("CONFIG GET %s at the oracle: %v %v", name, v, err)
			}
			p.defaults[name] = v.Elems[1].Str
		}
		config[name] = value
	}
	p.events = h.Config["notify-keyspace-events"]
	if err := p.oracle.reset(h.Proto, config); err != nil {
		return err
	}
	for name, value := range h.Own {
		// A genuine server in Dozo's place may not know it.
		if v, err := p.dozo.admin.DoErr("CONFIG", "GET", name); err == nil && len(v.Elems) == 2 {
			config[name] = value
		}
	}
	return p.dozo.reset(h.Proto, config)
}

// run is one history on its way.
type run struct {
	*Pair
	h *History
	// queued holds, for each connection in MULTI, the calls of its queue, for
	// the elements of EXEC's reply.
	queued map[int][]queuedCall
}

// step runs the step at i, or the batch that begins there, and returns the index
// of the next.
func (r *run) step(i int) (next int, diff *Difference) {
	s := &r.h.Steps[i]
	switch s.Kind {
	case Command:
		return r.batch(i)
	case Read:
		diff = r.compare(i, r.oracle.read(s.Conn, oracleTimeout), r.dozo.read(s.Conn, pushTimeout))
	case Drain:
		diff = r.drain(i)
	case Sleep:
		d, _ := time.ParseDuration(s.Args[0]) // Parse has checked it
		time.Sleep(d)
	case Raw:
		r.send(s.Conn, []byte(s.Args[0]))
		diff = r.replies(i)
	case Close:
		r.oracle.drop(s.Conn)
		r.dozo.drop(s.Conn)
		delete(r.queued, s.Conn)
	case Scan:
		diff = r.values(i, r.oracle.scanAll(s.Conn, s.Args), r.dozo.scanAll(s.Conn, s.Args))
	case Restore:
		diff = r.restore(i)
	}
	return i + 1, diff
}

func (r *run) send(conn int, b []byte) {
	r.oracle.send(conn, b)
	r.dozo.send(conn, b)
}

// batch sends the commands from i on that are for the same connection, as one
// write, then reads and compares their replies.
func (r *run) batch(i int) (next int, diff *Difference) {
	var out []byte
	steps := r.h.Steps
	conn := steps[i].Conn
	for next = i; next < len(steps) && next-i < max(1, r.h.Batch) && len(out) < batchBytesMax; next++ {
		if steps[next].Conn != conn || steps[next].Kind != Command {
			break
		}
		out = testutil.AppendCommand(out, steps[next].Args...)
	}
	r.send(conn, out)
	r.commands += next - i
	for k := i; k < next && diff == nil; k++ {
		diff = r.replies(k)
	}
	return next, diff
}

// replies reads and compares the frames that answer step i.
func (r *run) replies(i int) (diff *Difference) {
	s := &r.h.Steps[i]
	for n := s.frames(); n > 0 && diff == nil; n-- {
		o := r.oracle.read(s.Conn, oracleTimeout)
		r.count(s.command(), o)
		asked := time.Now()
		d := r.dozo.read(s.Conn, replyTimeout)
		if waited := time.Since(asked); waited > slowReply {
			r.slow = append(r.slow, fmt.Sprintf("%v after the oracle: %s, step %d: %s", waited.Round(time.Millisecond), r.h.Name, i, shorten(s.String())))
		}
		diff = r.compare(i, o, d)
	}
	return diff
}

func (r *run) drain(i int) *Difference {
	id := r.h.Steps[i].Conn
	r.tokens++
	token := drainToken(r.tokens)
	want := r.oracle.drain(id, -1, token)
	got := r.dozo.drain(id, len(want), token)
	orderMessages(want)
	orderMessages(got)
	for k := range max(len(want), len(got)) {
		o, d := brokenFrame("has no more messages"), brokenFrame("has no more messages")
		if k < len(want) {
			o = want[k]
		}
		if k < len(got) {
			d = got[k]
		}
		if diff := r.compare(i, o, d); diff != nil {
			return diff
		}
	}
	return nil
}

// orderMessages puts what Redis sends in the order of a hash table into a fixed
// one: the same message to several patterns of one client, and the confirmations
// of an UNSUBSCRIBE from everything. In RESP3 replies come before pushes: since
// Redis 7.2 what a command makes its own client hear comes after its reply.
func orderMessages(frames [][]byte) {
	slices.SortStableFunc(frames, func(a, b []byte) int { return pushed(a) - pushed(b) })
	group := func(raw []byte) string {
		v, err := testutil.Parse(raw)
		if err != nil || len(v.Elems) == 0 {
			return ""
		}
		switch kind := v.Elems[0].Str; {
		case kind == "pmessage" && len(v.Elems) == 4:
			return kind + quoteWord(v.Elems[2].Str) + quoteWord(v.Elems[3].Str)
		case strings.HasSuffix(kind, "unsubscribe") && len(v.Elems) == 3:
			return kind
		}
		return ""
	}
	for i := 0; i < len(frames); {
		name, end := group(frames[i]), i+1
		for name != "" && end < len(frames) && group(frames[end]) == name {
			end++
		}
		if strings.HasSuffix(name, "unsubscribe") {
			sortNames(frames[i:end])
		} else {
			slices.SortFunc(frames[i:end], bytes.Compare)
		}
		i = end
	}
}

func pushed(frame []byte) int {
	if frame[0] == '>' {
		return 1
	}
	return 0
}

// sortNames sorts the names in a run of confirmations but leaves their counts,
// which go down, in place.
func sortNames(frames [][]byte) {
	var names [][]byte
	rests := make([][]byte, len(frames))
	for i, raw := range frames {
		at := bytes.LastIndexByte(raw, ':') // the count is the last element
		names = append(names, raw[:at])
		rests[i] = raw[at:]
	}
	slices.SortFunc(names, bytes.Compare)
	for i := range frames {
		frames[i] = slices.Concat(names[i], rests[i])
	}
}

// restore dumps a key at both, then restores the oracle's payload at both.
func (r *run) restore(i int) *Difference {
	s := &r.h.Steps[i]
	r.send(s.Conn, testutil.AppendCommand(nil, "DUMP", s.Args[0]))
	o, err1 := testutil.Parse(r.oracle.read(s.Conn, oracleTimeout))
	d, err2 := testutil.Parse(r.dozo.read(s.Conn, replyTimeout))
	if err1 != nil || err2 != nil {
		return &Difference{Step: i, What: s.String(), Rule: "well-formed replies", Oracle: o.String(), Dozo: d.String()}
	}
	diff := r.values(i, o, d)
	if diff != nil || o.Kind != '$' || o.Null {
		return diff // no such key, or in MULTI: there is nothing to restore
	}
	payload, options := o.Str, s.Args[3:]
	if len(options) > 0 && strings.HasPrefix(options[0], "damage:") {
		payload, options = damage(payload, options[0]), options[1:]
	}
	args := append([]string{"RESTORE", s.Args[1], s.Args[2], payload}, options...)
	r.send(s.Conn, testutil.AppendCommand(nil, args...))
	return r.replies(i)
}

// damage changes a payload in a way that the word ("damage:7") decides.
func damage(payload, word string) string {
	b := []byte(payload)
	var seed uint64
	if _, err := fmt.Sscanf(word, "damage:%d", &seed); err != nil || len(b) == 0 {
		return payload
	}
	rng := rand.New(rand.NewPCG(seed, 1))
	if rng.IntN(3) == 0 {
		return string(b[:rng.IntN(len(b))])
	}
	b[rng.IntN(len(b))] ^= byte(1 + rng.IntN(255))
	return string(b)
}

// compare compares two frames as the rules of step i say.
func (r *run) compare(i int, oracle, dozo []byte) *Difference {
	s := &r.h.Steps[i]
	if bytes.Equal(oracle, dozo) && !r.inTransaction(s, oracle) {
		return nil
	}
	o, err1 := testutil.Parse(oracle)
	d, err2 := testutil.Parse(dozo)
	if err1 != nil || err2 != nil {
		return &Difference{Step: i, What: s.String(), Rule: "well-formed replies", Oracle: fmt.Sprintf("%q", oracle), Dozo: fmt.Sprintf("%q", dozo)}
	}
	return r.values(i, o, d)
}

// inTransaction says whether the reply matters for following MULTI.
func (r *run) inTransaction(s *Step, frame []byte) bool {
	return len(r.queued[s.Conn]) > 0 || bytes.HasPrefix(frame, []byte("+QUEUED"))
}

// queuedCall is a call that waits for EXEC: its reply is compared as if it had come
// by itself.
type queuedCall struct {
	command string
	rule    *Rule
}

// values compares two parsed replies to step i.
func (r *run) values(i int, o, d Value) *Difference {
	s := &r.h.Steps[i]
	rule := ruleFor(s)
	queue := r.queued[s.Conn]
	switch {
	case broken(o):
		delete(r.queued, s.Conn)
	case o.Kind == '+' && o.Str == "QUEUED":
		if s.Kind == Scan {
			rule = commandRules["scan"]
		}
		r.queued[s.Conn] = append(queue, queuedCall{s.command(), rule})
		rule = exact
	case s.command() == "exec" && len(o.Elems) == len(queue) && len(d.Elems) == len(queue) && o.Kind == d.Kind:
		delete(r.queued, s.Conn)
		return r.elements(i, o, d, queue)
	case o.Kind != '-' || s.command() == "exec":
		delete(r.queued, s.Conn)
	}
	return r.one(i, s.command(), rule, o, d)
}

func (r *run) elements(i int, o, d Value, queue []queuedCall) *Difference {
	for k, call := range queue {
		if diff := r.one(i, call.command, call.rule, o.Elems[k], d.Elems[k]); diff != nil {
			diff.Rule += fmt.Sprintf(" (element %d)", k)
			return diff
		}
	}
	return nil
}

// one compares a reply by a rule, then asks the list of accepted differences.
func (r *run) one(i int, command string, rule *Rule, o, d Value) *Difference {
	broke := rule.Compare(o, d)
	if broke == "" || rule.Name == "dump" && r.samePayload(o, d) || r.accept(command, o, d) {
		return nil
	}
	diff := &Difference{Step: i, What: shorten(r.h.Steps[i].String()), Rule: broke, Oracle: shorten(o.String()), Dozo: shorten(d.String())}
	if r.survey != nil && !broken(o) && !broken(d) {
		r.survey.add(command, r.h.Name, diff)
		return nil
	}
	return diff
}

// shorten cuts a long reply for the message.
func shorten(text string) string {
	const most = 600
	if len(text) <= most {
		return text
	}
	return fmt.Sprintf("%s ... (%d bytes)", text[:most], len(text))
}
