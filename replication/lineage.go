package replication

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dozo/env"
	"dozo/text"
)

// IDLength is how many characters the name of a history has.
const IDLength = 40

// NoID is what stands for a name where there is none.
const NoID = "0000000000000000000000000000000000000000"

// periodsMax is how many periods a lineage remembers. A replica that was away for
// more promotions than these starts from a snapshot.
const periodsMax = 8

// What a position can have against it. Errors of Lineage.Check wrap one of these.
var (
	// ErrOtherHistory: nothing is known of the history's name.
	ErrOtherHistory = errors.New("it is of a history that is not known here")
	// ErrBeyondSwitch: the histories were one up to a point, and it is behind that.
	ErrBeyondSwitch = errors.New("it has writes that were made in the former history after this one began")
)

// Position is a point in a history: its name, and how many bytes precede the point
// (package oplog, offset.go). No name says that nobody knows.
type Position struct {
	ID     string
	Offset uint64
}

func (p Position) String() string { return p.ID + ":" + strconv.FormatUint(p.Offset, 10) }

// Known tells whether it is a position at all.
func (p Position) Known() bool { return p.ID != "" }

// Lineage is whose history the bytes of the log are: a row of periods, of which each
// promotion begins another. The bytes of a period carry its name for those who follow
// it, and who has been told the name of a later one has all bytes before it in common.
// INFO's master_replid and master_replid2 are the last two names.
//
// A Lineage is a value that does not change, so it can be handed to other goroutines.
type Lineage struct {
	periods []period // the oldest first
}

// period is a name, and the offset that its first byte follows.
type period struct {
	id   string
	from uint64
}

// NewID draws the name of a history.
func NewID(r env.Rand) string {
	const digits = "0123456789abcdef"
	id := make([]byte, IDLength)
	for i := range id {
		if i%16 == 0 { // one number has 16 digits
			bits := r.Uint64()
			for j := i; j < min(i+16, IDLength); j++ {
				id[j] = digits[bits&15]
				bits >>= 4
			}
		}
	}
	return string(id)
}

// NewLineage is a history with nothing before it.
func NewLineage(id string) Lineage { return Lineage{[]period{{id: id}}} }

// Shift begins another period at an offset. A replica that is promoted does so with a
// new name at its own offset, and so does a primary that starts with the data of a
// position; a replica whose primary answers CONTINUE with a new name does so with that
// name at its own offset, which may precede the switch and then promises less than
// there is. Periods that began behind the offset are forgotten with their bytes.
func (l Lineage) Shift(id string, at uint64) Lineage {
	n := len(l.periods)
	for n > 0 && l.periods[n-1].from > at {
		n--
	}
	kept := l.periods[max(0, n+1-periodsMax):n]
	return Lineage{append(slices.Clip(kept), period{id, at})}
}

// ID is the name of the period that is being written.
func (l Lineage) ID() string { return l.periods[len(l.periods)-1].id }

// ID2 is the name of the period before, or zeros.
func (l Lineage) ID2() string {
	if n := len(l.periods); n > 1 {
		return l.periods[n-2].id
	}
	return NoID
}

// SecondOffset is INFO's second_repl_offset: the number of the first byte that ID2
// does not have, or -1.
func (l Lineage) SecondOffset() int64 {
	if n := len(l.periods); n > 1 {
		return int64(l.periods[n-1].from) + 1
	}
	return -1
}

// Earliest is the position at an offset, the end, by the oldest name that it has: the names
// since which nothing was written are left out. A server that has gone on under a new name
// (a primary that was restarted, a replica that was promoted) and has written nothing since is
// still where the former name says, and whoever has taken its place knows only that one.
func (l Lineage) Earliest(end uint64) Position {
	i := len(l.periods) - 1
	for i > 0 && l.periods[i].from == end {
		i--
	}
	return Position{l.periods[i].id, end}
}

// Check tells whether all bytes up to a position are of this history, so that whoever
// has them can go on here. It does not know how many bytes there are, nor which are
// kept: the log does.
func (l Lineage) Check(p Position) error {
	i := l.find(p.ID)
	if i < 0 {
		return fmt.Errorf("%w: asked for '%s', the names are '%s' and '%s'", ErrOtherHistory, p.ID, l.ID(), l.ID2())
	}
	if i+1 < len(l.periods) && p.Offset > l.periods[i+1].from {
		return fmt.Errorf("%w: asked for offset %d of '%s', which is shared up to %d", ErrBeyondSwitch, p.Offset, p.ID, l.periods[i+1].from)
	}
	return nil
}

// find is the index of the latest period of a name.
func (l Lineage) find(id string) int {
	for i, p := range slices.Backward(l.periods) {
		if text.EqualFold(p.id, id) {
			return i
		}
	}
	return -1
}

// Fork is up to which offset two histories are one, given where each ends; false if
// they have no name in common. What lies behind it was written by one of them only.
func (l Lineage) Fork(end uint64, other Lineage, otherEnd uint64) (at uint64, ok bool) {
	for i, p := range l.periods {
		if j := other.find(p.id); j >= 0 {
			at, ok = max(at, min(l.upto(i, end), other.upto(j, otherEnd))), true
		}
	}
	return at, ok
}

// upto is where a period ends.
func (l Lineage) upto(i int, end uint64) uint64 {
	if i+1 < len(l.periods) {
		return min(end, l.periods[i+1].from)
	}
	return end
}

// String is how a lineage is kept and announced: name:offset for each period, the
// oldest first, with commas between them.
func (l Lineage) String() string {
	words := make([]string, len(l.periods))
	for i, p := range l.periods {
		words[i] = Position{p.id, p.from}.String()
	}
	return strings.Join(words, ",")
}

// ParseLineage reads what String gave.
func ParseLineage(s string) (Lineage, error) {
	var l Lineage
	from := uint64(0)
	for word := range strings.SplitSeq(s, ",") {
		id, number, _ := strings.Cut(word, ":")
		at, err := strconv.ParseUint(number, 10, 63)
		if err != nil || len(id) != IDLength || at < from || len(l.periods) == periodsMax {
			return Lineage{}, fmt.Errorf("replication: %q is no lineage (at %q): treat the data as of no known history", s, word)
		}
		from = at
		l.periods = append(l.periods, period{id, at})
	}
	return l, nil
}
