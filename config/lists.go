package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"dozo/text"
)

// The kinds in this file have values of several words. Each keeps the parsed
// parts in value.list and their canonical text in value.str.

// errWords is Redis' complaint about too few or too many words.
const errWords = refusal("wrong number of arguments")

// noWords tells whether the words mean "none": none at all, or one empty word.
func noWords(args []string) bool { return len(args) == 0 || len(args) == 1 && args[0] == "" }

// SavePoint asks for a snapshot when at least Changes writes happened and
// Seconds have passed since the last one.
type SavePoint struct {
	Seconds int64
	Changes int64
}

type saveKind struct{}

func (saveKind) describe() string { return "pairs of seconds and changes; empty means never" }

func (k saveKind) parse(in input) (value, error) {
	var points []SavePoint
	if in.grow && !(len(in.args) == 1 && in.args[0] == "") {
		points, _ = in.old.list.([]SavePoint)
		points = slices.Clone(points)
	}
	if noWords(in.args) {
		return k.value(points), nil
	}
	bad := refusal("Invalid save parameters")
	if len(in.args)%2 != 0 {
		return value{}, bad
	}
	for i := 0; i < len(in.args); i += 2 {
		seconds, ok1 := leadingInt(in.args[i])
		changes, ok2 := leadingInt(in.args[i+1])
		if !ok1 || !ok2 || seconds < 1 || changes < 0 || changes > math.MaxInt32 {
			return value{}, bad
		}
		points = append(points, SavePoint{seconds, changes})
	}
	return k.value(points), nil
}

func (saveKind) value(points []SavePoint) value {
	words := make([]string, len(points))
	for i, p := range points {
		words[i] = fmt.Sprintf("%d %d", p.Seconds, p.Changes)
	}
	return value{str: strings.Join(words, " "), list: points}
}

func (saveKind) text(v value) string { return v.str }

// lines are always forced: a file without any means the default points.
func (saveKind) lines(name string, v, _ value) []line {
	points, _ := v.list.([]SavePoint)
	if len(points) == 0 {
		return oneLine(name, `""`, true)
	}
	var ls []line
	for _, p := range points {
		ls = append(ls, line{fmt.Sprintf("%s %d %d", name, p.Seconds, p.Changes), true})
	}
	return ls
}

// ClientClass tells clients apart by what limits their output buffers.
type ClientClass int

// The classes that have limits.
const (
	NormalClient ClientClass = iota
	ReplicaClient
	PubSubClient
	NumClientClasses
)

// OutputLimit disconnects a client whose unsent replies exceed Hard bytes, or
// exceed Soft bytes for SoftSeconds; 0 is no limit.
type OutputLimit struct {
	Hard, Soft  int64
	SoftSeconds int64
}

// OutputLimits are the limits by class.
type OutputLimits [NumClientClasses]OutputLimit

type outputLimitKind struct{}

func (outputLimitKind) describe() string {
	return "groups of: class (normal, replica, pubsub), hard limit, soft limit, soft seconds"
}

// parse changes the classes named and leaves the others as they are.
func (k outputLimitKind) parse(in input) (value, error) {
	if len(in.args)%4 != 0 {
		return value{}, refusal("Wrong number of arguments in buffer limit configuration.")
	}
	limits, _ := in.old.list.(OutputLimits)
	for args := in.args; len(args) > 0; args = args[4:] {
		class, ok := k.class(args[0])
		if !ok {
			return value{}, refusal("Invalid client class specified in buffer limit configuration.")
		}
		limit, ok := k.limit(args[1], args[2], args[3])
		if !ok {
			return value{}, refusal("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
		}
		limits[class] = limit
	}
	return k.value(limits), nil
}

func (outputLimitKind) class(word string) (ClientClass, bool) {
	switch strings.ToLower(word) {
	case "normal":
		return NormalClient, true
	case "slave", "replica":
		return ReplicaClient, true
	case "pubsub":
		return PubSubClient, true
	}
	return 0, false
}

func (outputLimitKind) limit(hard, soft, seconds string) (OutputLimit, bool) {
	h, ok1 := ParseMemory(hard)
	s, ok2 := ParseMemory(soft)
	n, ok3 := leadingInt(seconds)
	ok := ok1 && ok2 && ok3 && h <= math.MaxInt64 && s <= math.MaxInt64 && n >= 0 && n <= math.MaxInt32
	return OutputLimit{Hard: int64(h), Soft: int64(s), SoftSeconds: n}, ok
}

func (outputLimitKind) value(limits OutputLimits) value {
	words := make([]string, NumClientClasses)
	for i, name := range []string{"normal", "slave", "pubsub"} {
		l := limits[i]
		words[i] = fmt.Sprintf("%s %d %d %d", name, l.Hard, l.Soft, l.SoftSeconds)
	}
	return value{str: strings.Join(words, " "), list: limits}
}

func (outputLimitKind) text(v value) string { return v.str }

func (outputLimitKind) lines(name string, v, def value) []line {
	limits, _ := v.list.(OutputLimits)
	defaults, _ := def.list.(OutputLimits)
	var ls []line
	for i, class := range []string{"normal", "replica", "pubsub"} {
		l := limits[i]
		s := fmt.Sprintf("%s %s %s %s %d", name, class, FormatMemory(l.Hard), FormatMemory(l.Soft), l.SoftSeconds)
		ls = append(ls, line{s, l != defaults[i]})
	}
	return ls
}

type oomScoreKind struct{}

func (oomScoreKind) describe() string { return "three numbers from -2000 to 2000" }

func (oomScoreKind) parse(in input) (value, error) {
	var scores [3]int
	if len(in.args) != len(scores) {
		return value{}, errWords
	}
	words := make([]string, len(scores))
	for i, arg := range in.args {
		n, ok := leadingInt(arg)
		if !ok || n < -2000 || n > 2000 {
			return value{}, refusal("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
		}
		scores[i], words[i] = int(n), strconv.FormatInt(n, 10)
	}
	return value{str: strings.Join(words, " "), list: scores}, nil
}

func (oomScoreKind) text(v value) string { return v.str }

func (oomScoreKind) lines(name string, v, def value) []line {
	return oneLine(name, v.str, !v.same(def))
}

// maxBindAddresses is Redis' limit.
const maxBindAddresses = 16

type bindKind struct{}

func (bindKind) describe() string { return "up to 16 addresses; empty means none" }

func (bindKind) parse(in input) (value, error) {
	if len(in.args) > maxBindAddresses {
		return value{}, refusal("Too many bind addresses specified.")
	}
	if noWords(in.args) {
		return value{}, nil
	}
	if slices.ContainsFunc(in.args, notAName) {
		return value{}, refusal("Failed to bind to specified addresses.")
	}
	return value{str: strings.Join(in.args, " "), list: slices.Clone(in.args)}, nil
}

func (bindKind) text(v value) string { return v.str }

func (bindKind) lines(name string, v, def value) []line {
	switch {
	case v.same(def):
		return nil
	case v.str == "":
		return oneLine(name, `""`, true)
	}
	return oneLine(name, v.str, true)
}

// notAName tells whether s can be no address: it is empty or would need quotes.
// Redis finds out when it listens or connects.
func notAName(s string) bool { return s == "" || text.NeedsQuote(s) || strings.Contains(s, "'") }

// Primary is the server that a replica copies.
type Primary struct {
	Host string
	Port int
}

type replicaOfKind struct{}

func (replicaOfKind) describe() string { return "host and port, or: no one" }

func (replicaOfKind) parse(in input) (value, error) {
	if len(in.args) != 2 {
		return value{}, errWords
	}
	if text.EqualFold(in.args[0], "no") && text.EqualFold(in.args[1], "one") {
		return value{}, nil
	}
	port, ok := leadingInt(in.args[1])
	if !ok || port < 0 || port > 65535 {
		return value{}, refusal("Invalid master port")
	}
	if notAName(in.args[0]) {
		return value{}, refusal("Invalid master host")
	}
	p := Primary{Host: in.args[0], Port: int(port)}
	return value{str: fmt.Sprintf("%s %d", p.Host, p.Port), list: p}, nil
}

func (replicaOfKind) text(v value) string { return v.str }

func (replicaOfKind) lines(name string, v, _ value) []line {
	if v.str == "" {
		return nil
	}
	return oneLine(name, v.str, true)
}

type percentileKind struct{}

func (percentileKind) describe() string { return "numbers from 0 to 100; empty means none" }

func (percentileKind) parse(in input) (value, error) {
	if noWords(in.args) {
		return value{}, nil
	}
	list, words := make([]float64, len(in.args)), make([]string, len(in.args))
	for i, arg := range in.args {
		p, ok := text.ParseFloat([]byte(arg))
		if !ok || math.IsNaN(p) {
			return value{}, refusal("Invalid latency-tracking-info-percentiles parameters")
		}
		if p > 100 || p < 0 {
			return value{}, refusal("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		list[i], words[i] = p, trimZeros(strconv.FormatFloat(p, 'f', 6, 64))
	}
	return value{str: strings.Join(words, " "), list: list}, nil
}

func trimZeros(s string) string { return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") }

func (percentileKind) text(v value) string { return v.str }

// lines are always forced, as for save.
func (percentileKind) lines(name string, v, _ value) []line {
	if v.str == "" {
		return oneLine(name, `""`, true)
	}
	return oneLine(name, v.str, true)
}

// The keyspace events that `notify-keyspace-events` selects, as bits.
const (
	NotifyKeyspace int64 = 1 << iota // K: on __keyspace@db__:key
	NotifyKeyevent                   // E: on __keyevent@db__:event
	NotifyGeneric                    // g
	NotifyString                     // $
	NotifyList                       // l
	NotifySet                        // s
	NotifyHash                       // h
	NotifyZSet                       // z
	NotifyExpired                    // x
	NotifyEvicted                    // e
	NotifyStream                     // t
	NotifyKeyMiss                    // m, not part of A
	_                                // a key loaded from a file: modules only
	NotifyModule                     // d
	NotifyNew                        // n, not part of A

	// NotifyAll is what A stands for.
	NotifyAll = NotifyGeneric | NotifyString | NotifyList | NotifySet | NotifyHash |
		NotifyZSet | NotifyExpired | NotifyEvicted | NotifyStream | NotifyModule
)

// eventLetters are in the order in which CONFIG GET shows them, after A.
var eventLetters = [...]struct {
	letter byte
	flag   int64
}{
	{'g', NotifyGeneric}, {'$', NotifyString}, {'l', NotifyList}, {'s', NotifySet},
	{'h', NotifyHash}, {'z', NotifyZSet}, {'x', NotifyExpired}, {'e', NotifyEvicted},
	{'t', NotifyStream}, {'d', NotifyModule}, {'n', NotifyNew},
	{'K', NotifyKeyspace}, {'E', NotifyKeyevent}, {'m', NotifyKeyMiss},
}

type eventKind struct{}

func (eventKind) describe() string { return "letters of Ag$lshzxeKEtmdn; empty means none" }

func (k eventKind) parse(in input) (value, error) {
	var flags int64
	for i := 0; i < len(in.args[0]); i++ {
		flag := k.flag(in.args[0][i])
		if flag == 0 {
			return value{}, refusal("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		}
		flags |= flag
	}
	return value{num: flags}, nil
}

func (eventKind) flag(letter byte) int64 {
	if letter == 'A' {
		return NotifyAll
	}
	for _, e := range eventLetters {
		if e.letter == letter {
			return e.flag
		}
	}
	return 0
}

// text shows n beside A too. Redis 7.2 leaves it out there, so that a rewritten
// file loses it.
func (eventKind) text(v value) string {
	var b []byte
	shown := int64(0)
	if v.num&NotifyAll == NotifyAll {
		b, shown = append(b, 'A'), NotifyAll
	}
	for _, e := range eventLetters {
		if v.num&e.flag&^shown != 0 {
			b = append(b, e.letter)
		}
	}
	return string(b)
}

func (k eventKind) lines(name string, v, _ value) []line {
	return oneLine(name, text.Quote(k.text(v)), v.num != 0)
}

// dirKind is a folder that exists. It is kept absolute, so that nothing depends
// on the process' own working folder.
type dirKind struct{}

func (dirKind) describe() string { return "an existing folder" }

func (dirKind) parse(in input) (value, error) {
	dir, err := in.place(in.old.str, in.args[0])
	return value{str: dir}, err
}

func (dirKind) text(v value) string { return v.str }

func (dirKind) lines(name string, v, _ value) []line { return oneLine(name, text.Quote(v.str), true) }
