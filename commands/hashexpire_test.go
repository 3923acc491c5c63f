package commands

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dozo/container/listpack"
	"dozo/internal/invariants"
	"dozo/object"
	"dozo/text"
)

// modelField is a field as the dumb model of hashes has it.
type modelField struct {
	value string
	at    int64 // deadline, 0 = none
}

// modelHash is a hash of the model.
type modelHash struct {
	fields map[string]modelField
	at     int64 // the key's own deadline
}

// hashHistory sends random commands to a harness, computes their replies by the
// model, and applies what is logged to another harness, as a replica does.
type hashHistory struct {
	t       *testing.T
	r       *rand.Rand
	h       *harness
	replica *harness
	keys    map[string]*modelHash
	names   int // how many names fields can have
	most    int // and how many one command names
}

func newHashHistory(t *testing.T, r *rand.Rand) *hashHistory {
	m := &hashHistory{t: t, r: r, h: newHarness(t), replica: newHarness(t), keys: map[string]*modelHash{}}
	s := *defaultSettings()
	s.Limits.Hash = object.HashLimits{Listpack: []int{0, 1, 5, 20, 128}[r.IntN(5)], Value: 1 + r.IntN(20)}
	m.h.ctx.Set, m.replica.ctx.Set = &s, &s
	if m.names, m.most = 2+r.IntN(200), 40; r.IntN(3) == 0 { // more are due at once than a lookup removes
		m.names, m.most = 600, 400
	}
	// A replica takes everything for alive that it was not told to delete.
	m.replica.ctx.Now, m.replica.ctx.KeepDead = 1, true
	return m
}

func (m *hashHistory) now() int64 { return m.h.ctx.Now }

func (m *hashHistory) over(at int64) bool { return at != 0 && at <= m.now() }

// find is a key with its living fields, which is what a model without expiry would
// have; nil if there are none.
func (m *hashHistory) find(key string) *modelHash {
	k := m.keys[key]
	if k == nil {
		return nil
	}
	maps.DeleteFunc(k.fields, func(_ string, f modelField) bool { return m.over(f.at) })
	if len(k.fields) == 0 || m.over(k.at) {
		delete(m.keys, key)
		return nil
	}
	return k
}

// edit is find for a key that is made if need be.
func (m *hashHistory) edit(key string) *modelHash {
	if k := m.find(key); k != nil {
		return k
	}
	m.keys[key] = &modelHash{fields: map[string]modelField{}}
	return m.keys[key]
}

// send sends a command, replays what is logged, and returns the reply.
func (m *hashHistory) send(words ...string) string {
	reply := show(m.h.call(words...))
	m.replay()
	return reply
}

// replay gives the replica what the last command has logged.
func (m *hashHistory) replay() {
	for _, line := range m.h.logged {
		args, ok := text.SplitArgs([]byte(line))
		if !ok {
			m.t.Fatalf("unbalanced: %s", line)
		}
		if reply := parsed(m.t, m.replica.do(args[1:])); reply.IsError() {
			m.t.Fatalf("the replica answers %v to %s", reply, line)
		}
	}
}

// want sends a command and compares its reply with the model's.
func (m *hashHistory) want(reply string, words ...string) {
	m.t.Helper()
	if got := m.send(words...); got != reply {
		m.t.Fatalf("%q: %s, the model says %s", words, got, reply)
	}
}

func (m *hashHistory) key() string { return fmt.Sprint("k", m.r.IntN(6)) }

func (m *hashHistory) field() string {
	if m.r.IntN(10) == 0 {
		return fmt.Sprint("a long name ", m.r.IntN(m.names))
	}
	return strconv.Itoa(m.r.IntN(m.names))
}

// fields are some fields, not all different.
func (m *hashHistory) fields() (list []string) {
	for range 1 + m.r.IntN(1+m.r.IntN(m.most)) {
		list = append(list, m.field())
	}
	return list
}

func (m *hashHistory) value() string {
	switch m.r.IntN(8) {
	case 0:
		return "text"
	case 1:
		return strings.Repeat("v", 1+m.r.IntN(100))
	}
	return strconv.Itoa(m.r.IntN(1 << m.r.IntN(30)))
}

// after is some milliseconds.
func (m *hashHistory) after() int64 { return int64(m.r.IntN(1 + m.r.IntN(2000))) }

func bulk(f modelField, ok bool) string {
	if !ok {
		return "(nil)"
	}
	return text.Quote([]byte(f.value))
}

func list(parts []string) string { return "*[" + strings.Join(parts, " ") + "]" }

func (m *hashHistory) step() {
	steps := []func(){
		m.stepSet, m.stepSet, m.stepSetEx, m.stepSetEx, m.stepAdd, m.stepRead, m.stepRead, m.stepWhole, m.stepExpire, m.stepExpire,
		m.stepExpire, m.stepTimes, m.stepPersist, m.stepGetEx, m.stepDelete, m.stepPlace,
		func() { m.h.ctx.Now += m.after() / 4 }, m.stepActive,
	}
	steps[m.r.IntN(len(steps))]()
}

// stepActive lets a round of expiry run.
func (m *hashHistory) stepActive() {
	m.h.logged = m.h.logged[:0]
	m.h.ctx.Effects.Reset()
	m.h.ctx.Expire(0, 1, 1+m.r.IntN(100))
	m.h.collect(nil)
	m.replay()
}

func (m *hashHistory) stepSet() {
	key, name := m.key(), m.field()
	if m.r.IntN(3) == 0 {
		k := m.edit(key)
		v := m.value()
		if _, ok := k.fields[name]; ok {
			m.want(":0", "HSETNX", key, name, v)
			return
		}
		k.fields[name] = modelField{value: v}
		m.want(":1", "HSETNX", key, name, v)
		return
	}
	words, added := []string{"HSET", key}, 0
	k := m.edit(key)
	for _, f := range m.fields() {
		v := m.value()
		if _, ok := k.fields[f]; !ok {
			added++
		}
		k.fields[f] = modelField{value: v}
		words = append(words, f, v)
	}
	if m.r.IntN(2) == 0 {
		words[0] = "HMSET"
		m.want("+OK", words...)
		return
	}
	m.want(fmt.Sprint(":", added), words...)
}

// expiry is the options that say when something expires, and what they mean.
func (m *hashHistory) expiry(or string) (words []string, at int64) {
	ms := m.after()
	switch m.r.IntN(6) {
	case 0:
		return []string{"EX", strconv.FormatInt(ms/1000, 10)}, m.now() + ms/1000*1000
	case 1:
		return []string{"PX", strconv.FormatInt(ms, 10)}, m.now() + ms
	case 2:
		at = (m.now() + ms) / 1000
		return []string{"EXAT", strconv.FormatInt(at, 10)}, at * 1000
	case 3:
		at = m.now() + ms - 20
		return []string{"PXAT", strconv.FormatInt(at, 10)}, at
	case 4:
		return []string{or}, -1
	}
	return nil, 0
}

func (m *hashHistory) stepSetEx() {
	key := m.key()
	names := m.fields()
	words, at := m.expiry("KEEPTTL")
	there := 0
	if k := m.find(key); k != nil {
		for _, f := range names {
			if _, ok := k.fields[f]; ok {
				there++
			}
		}
	}
	refused := false
	switch m.r.IntN(4) {
	case 0:
		words, refused = append(words, "FNX"), there > 0
	case 1:
		words, refused = append([]string{"FXX"}, words...), there < len(names)
	}
	words = append(append([]string{"HSETEX", key}, words...), "FIELDS", strconv.Itoa(len(names)))
	var values []string
	for _, f := range names {
		values = append(values, m.value())
		words = append(words, f, values[len(values)-1])
	}
	if refused {
		m.want(":0", words...)
		return
	}
	k := m.edit(key)
	for i, f := range names {
		old := k.fields[f].at
		switch {
		case at < 0:
			k.fields[f] = modelField{values[i], old}
		case at > 0 && m.over(at):
			delete(k.fields, f)
		default:
			k.fields[f] = modelField{values[i], at}
		}
	}
	m.want(":1", words...)
}

// stepAdd is HINCRBY and HINCRBYFLOAT, which keep the deadline.
func (m *hashHistory) stepAdd() {
	key, name, by := m.key(), m.field(), m.r.IntN(1000)
	verb, fault := "HINCRBY", "(error) ERR hash value is not an integer"
	if m.r.IntN(2) == 0 {
		verb, fault = "HINCRBYFLOAT", "(error) ERR hash value is not a float"
	}
	f := modelField{value: "0"}
	if k := m.find(key); k != nil {
		if old, ok := k.fields[name]; ok {
			f = old
		}
	}
	n, err := strconv.Atoi(f.value)
	if err != nil {
		m.want(fault, verb, key, name, strconv.Itoa(by))
		return
	}
	f.value = strconv.Itoa(n + by)
	m.edit(key).fields[name] = f
	if verb == "HINCRBY" {
		m.want(":"+f.value, verb, key, name, strconv.Itoa(by))
	} else {
		m.want(text.Quote([]byte(f.value)), verb, key, name, strconv.Itoa(by))
	}
}

func (m *hashHistory) stepRead() {
	key, name := m.key(), m.field()
	var f modelField
	ok, n := false, 0
	k := m.find(key)
	if k != nil {
		f, ok = k.fields[name]
		n = len(k.fields)
	}
	there := map[bool]string{true: ":1", false: ":0"}
	switch m.r.IntN(8) {
	case 0:
		m.want(bulk(f, ok), "HGET", key, name)
	case 1:
		m.want(there[ok], "HEXISTS", key, name)
	case 2:
		m.want(fmt.Sprint(":", len(f.value)), "HSTRLEN", key, name)
	case 3:
		m.want(fmt.Sprint(":", n), "HLEN", key)
	case 4:
		m.want(there[k != nil], "EXISTS", key)
	case 6:
		for _, name := range m.strings("HRANDFIELD", key, "-3") {
			if _, ok := k.fields[name]; !ok {
				m.t.Fatalf("HRANDFIELD of %s gives %q, which is not there", key, name)
			}
		}
	case 5:
		m.want(map[bool]string{true: "+hash", false: "+none"}[k != nil], "TYPE", key)
	default:
		words, parts := []string{"HMGET", key}, []string{}
		for _, name := range m.fields() {
			words = append(words, name)
			if k != nil {
				f, ok = k.fields[name]
			}
			parts = append(parts, bulk(f, ok && k != nil))
		}
		m.want(list(parts), words...)
	}
}

// stepWhole reads all fields, in one of the ways to do so.
func (m *hashHistory) stepWhole() {
	key := m.key()
	var names, values, both []string
	if k := m.find(key); k != nil {
		for name, f := range k.fields {
			names, values, both = append(names, name), append(values, f.value), append(both, name, f.value)
		}
	}
	got, want := []string{}, names
	switch m.r.IntN(5) {
	case 0:
		got = m.strings("HKEYS", key)
	case 1:
		got, want = m.strings("HVALS", key), values
	case 2:
		got, want = m.strings("HGETALL", key), both
	case 3:
		got = m.strings("HRANDFIELD", key, "100000")
	default:
		cursor := "0"
		for first := true; first || cursor != "0"; first = false {
			reply := m.h.call("HSCAN", key, cursor, "COUNT", "20")
			m.replay()
			cursor = string(reply.Elems[0].Str)
			got = append(got, reply.Elems[1].Strings()...)
		}
		want = both
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		m.t.Fatalf("%s has %q, the model %q", key, got, want)
	}
}

func (m *hashHistory) strings(words ...string) []string {
	reply := m.h.call(words...)
	m.replay()
	return reply.Strings()
}

func (m *hashHistory) stepExpire() {
	key, names, ms := m.key(), m.fields(), m.after()
	var words []string
	at := m.now() + ms
	switch m.r.IntN(4) {
	case 0:
		words, at = []string{"HEXPIRE", key, strconv.FormatInt(ms/1000, 10)}, m.now()+ms/1000*1000
	case 1:
		words = []string{"HPEXPIRE", key, strconv.FormatInt(ms, 10)}
	case 2:
		at = at / 1000 * 1000
		words = []string{"HEXPIREAT", key, strconv.FormatInt(at/1000, 10)}
	default:
		at -= 20
		words = []string{"HPEXPIREAT", key, strconv.FormatInt(at, 10)}
	}
	only := []string{"", "", "NX", "XX", "GT", "LT"}[m.r.IntN(6)]
	if only != "" {
		words = append(words, only)
	}
	words = append(append(words, "FIELDS", strconv.Itoa(len(names))), names...)
	k, parts := m.find(key), []string{}
	for _, name := range names {
		parts = append(parts, fmt.Sprint(":", m.expire(k, name, only, at)))
	}
	m.want(list(parts), words...)
}

// expire gives a field of the model a deadline.
func (m *hashHistory) expire(k *modelHash, name, only string, at int64) int {
	if k == nil {
		return -2
	}
	f, ok := k.fields[name]
	never := f.at == 0
	switch {
	case !ok:
		return -2
	case only == "NX" && !never, only == "XX" && never, only == "GT" && (never || at <= f.at), only == "LT" && !never && at >= f.at:
		return 0
	case m.over(at):
		delete(k.fields, name)
		return 2
	}
	k.fields[name] = modelField{f.value, at}
	return 1
}

func (m *hashHistory) stepTimes() {
	key, names := m.key(), m.fields()
	verb := []string{"HTTL", "HPTTL", "HEXPIRETIME", "HPEXPIRETIME"}[m.r.IntN(4)]
	k, parts := m.find(key), []string{}
	for _, name := range names {
		n := int64(-2)
		if k != nil {
			if f, ok := k.fields[name]; ok {
				n = map[string]int64{"HTTL": f.at - m.now(), "HPTTL": f.at - m.now()}[verb]
				if strings.HasSuffix(verb, "TIME") {
					n = f.at
				}
				if verb == "HTTL" || verb == "HEXPIRETIME" {
					n = (n + 999) / 1000
				}
				if f.at == 0 {
					n = -1
				}
			}
		}
		parts = append(parts, fmt.Sprint(":", n))
	}
	m.want(list(parts), append([]string{verb, key, "FIELDS", strconv.Itoa(len(names))}, names...)...)
}

func (m *hashHistory) stepPersist() {
	key, names := m.key(), m.fields()
	k, parts := m.find(key), []string{}
	for _, name := range names {
		answer := ":-2"
		if k != nil {
			if f, ok := k.fields[name]; ok && f.at == 0 {
				answer = ":-1"
			} else if ok {
				answer = ":1"
				k.fields[name] = modelField{f.value, 0}
			}
		}
		parts = append(parts, answer)
	}
	m.want(list(parts), append([]string{"HPERSIST", key, "FIELDS", strconv.Itoa(len(names))}, names...)...)
}

func (m *hashHistory) stepGetEx() {
	key, names := m.key(), m.fields()
	options, at := m.expiry("PERSIST")
	k, parts := m.find(key), []string{}
	for _, name := range names {
		var f modelField
		ok := false
		if k != nil {
			f, ok = k.fields[name]
		}
		parts = append(parts, bulk(f, ok))
		switch {
		case !ok || at == 0:
		case at < 0:
			k.fields[name] = modelField{f.value, 0}
		default:
			m.expire(k, name, "", at)
		}
	}
	words := append(append([]string{"HGETEX", key}, options...), "FIELDS", strconv.Itoa(len(names)))
	m.want(list(parts), append(words, names...)...)
}

func (m *hashHistory) stepDelete() {
	key, names := m.key(), m.fields()
	k, parts, removed := m.find(key), []string{}, 0
	if m.r.IntN(10) == 0 {
		delete(m.keys, key)
		m.want(map[bool]string{true: ":1", false: ":0"}[k != nil], "DEL", key)
		return
	}
	for _, name := range names {
		var f modelField
		ok := false
		if k != nil {
			f, ok = k.fields[name]
			delete(k.fields, name)
		}
		if ok {
			removed++
		}
		parts = append(parts, bulk(f, ok))
	}
	if m.r.IntN(2) == 0 {
		m.want(fmt.Sprint(":", removed), append([]string{"HDEL", key}, names...)...)
		return
	}
	m.want(list(parts), append([]string{"HGETDEL", key, "FIELDS", strconv.Itoa(len(names))}, names...)...)
}

// stepPlace does something to a key as a whole.
func (m *hashHistory) stepPlace() {
	from, to := m.key(), m.key()
	k := m.find(from)
	switch {
	case k == nil || from == to:
	case m.r.IntN(4) == 0:
		ms := m.after()
		k.at = m.now() + ms
		m.want(":1", "PEXPIRE", from, strconv.FormatInt(ms, 10))
	case m.r.IntN(3) == 0:
		m.find(to)
		m.keys[to] = k
		delete(m.keys, from)
		m.want("+OK", "RENAME", from, to)
	case m.r.IntN(2) == 0:
		m.keys[to] = &modelHash{maps.Clone(k.fields), k.at}
		m.want(":1", "COPY", from, to, "REPLACE")
	default:
		payload := string(m.h.call("DUMP", from).Str)
		m.replay()
		m.keys[to] = &modelHash{maps.Clone(k.fields), 0}
		m.want("+OK", "RESTORE", to, "0", payload, "REPLACE")
	}
}

// allFields is all fields that a harness has, hidden ones included, by key and name.
func allFields(h *harness, keys []string) map[string]modelField {
	all := map[string]modelField{}
	now, keep := h.ctx.Now, h.ctx.KeepDead
	h.ctx.Now, h.ctx.KeepDead = math.MinInt64, true
	for _, key := range keys {
		h.held(h.table.Lookup([]byte("HLEN")), [][]byte{nil, []byte(key)}, func() {
			if c := h.ctx.Peek([]byte(key)); c.Ok() {
				object.HashValue{Cell: &c}.EachDated(func(f, v listpack.Value, at int64) bool {
					all[key+" "+string(f.Append(nil))] = modelField{string(v.Append(nil)), at}
					return true
				})
			}
		})
	}
	h.ctx.Now, h.ctx.KeepDead = now, keep
	return all
}

// TestHashHistories compares random histories of commands on hashes whose fields
// expire with a model, in all encodings, and the log's effect with what the
// server has.
func TestHashHistories(t *testing.T) {
	list := []uint64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	if *seedFlag != 0 {
		list = []uint64{*seedFlag}
	}
	n := 6000
	if testing.Short() || invariants.Enabled || raceEnabled {
		n = 1500
	}
	for _, seed := range list {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			m := newHashHistory(t, rand.New(rand.NewPCG(seed, 74)))
			keys := []string{"k0", "k1", "k2", "k3", "k4", "k5"}
			for i := range n {
				m.step()
				if i%100 > 0 {
					continue
				}
				if ours, theirs := allFields(m.h, keys), allFields(m.replica, keys); !maps.Equal(ours, theirs) {
					for name, f := range ours {
						if theirs[name] != f {
							t.Errorf("%s is %+v, %+v at the replica, time %d", name, f, theirs[name], m.now())
						}
					}
					t.Fatalf("step %d: %d fields, %d at the replica", i, len(ours), len(theirs))
				}
			}
		})
	}
}
