package differential

import (
	"fmt"
	"strconv"
)

// The arguments of streams. IDs are given, since the clocks of two servers differ;
// those of new entries mostly rise through a history, lest all be refused. Times are
// so far away that milliseconds do not matter.

// streamArguments join specialArguments.
var streamArguments = map[string]func(*writer){
	"xadd": (*writer).xaddArguments, "xdel": (*writer).xdelArguments, "xack": (*writer).xackArguments,
	"xtrim": (*writer).xtrimArguments, "xsetid": (*writer).xsetidArguments,
	"xrange": (*writer).xrangeArguments, "xrevrange": (*writer).xrevrangeArguments,
	"xread": (*writer).xreadArguments, "xreadgroup": (*writer).xreadgroupArguments,
	"xgroup|create": (*writer).xgroupCreateArguments, "xgroup|setid": (*writer).xgroupSetIDArguments,
	"xgroup|destroy": (*writer).groupArguments, "xgroup|createconsumer": (*writer).consumerArguments,
	"xgroup|delconsumer": (*writer).consumerArguments,
	"xclaim":             (*writer).xclaimArguments, "xautoclaim": (*writer).xautoclaimArguments,
	"xinfo|stream": (*writer).xinfoStreamArguments, "xinfo|groups": (*writer).stream,
	"xpending": (*writer).xpendingArguments, "xinfo|consumers": (*writer).groupArguments,
}

func (w *writer) few(most int) string { return strconv.Itoa(w.r.IntN(most)) }

// stream adds a key. Most calls have the same few, so that there are groups with
// something pending.
func (w *writer) stream() {
	at := keyClasses["stream"]
	if w.big || at >= len(w.keys) || chance(w.r, 0.2) {
		w.keyOnly()
		return
	}
	w.add(w.keys[at])
}

// newID is the ID of an entry that is added.
func (w *writer) newID() string {
	*w.entries++
	ms := *w.entries / 4
	switch w.r.IntN(12) {
	case 0:
		return fmt.Sprintf("%d-*", ms)
	case 1:
		return strconv.Itoa(ms)
	case 2:
		return w.entryID()
	}
	return fmt.Sprintf("%d-%d", ms, *w.entries)
}

// entryID is an ID that may be that of an entry.
func (w *writer) entryID() string {
	seq := max(*w.entries-w.r.IntN(60), 0)
	switch w.r.IntN(40) {
	case 0:
		return pick(w.r, []string{"x", "", "-", "+", "$", ">", "1-", "-1", "1-x", "18446744073709551616", "5-*", "(1"})
	case 1:
		return pick(w.r, []string{"0", "0-0", "18446744073709551615", "18446744073709551615-18446744073709551615"})
	case 2, 3:
		return strconv.Itoa(seq / 4)
	}
	return fmt.Sprintf("%d-%d", seq/4, seq)
}

// bound is an end of an interval.
func (w *writer) bound(edge string) string {
	switch w.r.IntN(4) {
	case 0:
		return w.entryID()
	case 1:
		return "(" + w.entryID()
	}
	return edge
}

func (w *writer) group() string { return pick(w.r, []string{"g0", "g0", "g0", "g1", "7"}) }

func (w *writer) consumer() string { return pick(w.r, []string{"c0", "c1", "c2", "12"}) }

func (w *writer) groupArguments() {
	w.stream()
	w.add(w.group())
}

func (w *writer) consumerArguments() {
	w.groupArguments()
	w.add(w.consumer())
}

func (w *writer) ids() {
	for range 1 + w.r.IntN(4) {
		w.add(w.entryID())
	}
}

func (w *writer) xdelArguments() {
	w.stream()
	w.ids()
}

func (w *writer) xackArguments() {
	w.groupArguments()
	w.ids()
}

// trim is MAXLEN or MINID. Without ~ it may take away all there is, so it leaves more.
func (w *writer) trim() {
	approx := chance(w.r, 0.5)
	by, to := "MAXLEN", w.few(30)
	if chance(w.r, 0.5) {
		by, to = "MINID", w.entryID()
	}
	w.add(w.spell(by))
	switch {
	case approx:
		w.add("~")
	case chance(w.r, 0.3):
		w.add("=")
	}
	w.add(to)
	if approx || chance(w.r, 0.03) {
		w.perhaps(0.3, "LIMIT", w.few(12))
	}
}

func (w *writer) xtrimArguments() {
	w.stream()
	w.trim()
}

func (w *writer) xaddArguments() {
	w.stream()
	w.perhaps(0.05, "NOMKSTREAM")
	if chance(w.r, 0.2) {
		w.trim()
	}
	w.fixed(w.newID())
	for range 1 + w.r.IntN(3)*w.r.IntN(2) {
		w.add(pick(w.r, []string{"a", "a", "b", "1", member(w.r)}))
		w.add(member(w.r))
	}
}

func (w *writer) xsetidArguments() {
	w.stream()
	w.fixed(w.newID())
	w.perhaps(0.3, "ENTRIESADDED", w.few(1000))
	w.perhaps(0.3, "MAXDELETEDID", w.entryID())
}

func (w *writer) interval(first, second string) {
	w.stream()
	w.add(w.bound(first))
	w.add(w.bound(second))
	w.perhaps(0.3, "COUNT", strconv.Itoa(w.r.IntN(20)-1))
}

func (w *writer) xrangeArguments() { w.interval("-", "+") }

func (w *writer) xrevrangeArguments() { w.interval("+", "-") }

// streams are the keys of a read, and what is read of each. A wait is over at once.
func (w *writer) streams(newest string) {
	w.perhaps(0.4, "COUNT", w.few(6))
	if chance(w.r, 0.02) {
		w.fixed(w.spell("BLOCK"))
		w.fixed("1")
	}
	w.fixed(w.spell("STREAMS"))
	n := 1 + w.r.IntN(3)*w.r.IntN(2)
	for range n {
		w.stream()
	}
	for range n {
		id := newest
		if chance(w.r, 0.4) {
			id = w.entryID()
		}
		w.add(id)
	}
}

func (w *writer) xreadArguments() { w.streams(pick(w.r, []string{"0", "0", "$"})) }

func (w *writer) xreadgroupArguments() {
	w.fixed(w.spell("GROUP"))
	w.add(w.group())
	w.add(w.consumer())
	w.perhaps(0.1, "NOACK")
	w.streams(">")
}

func (w *writer) xgroupCreateArguments() {
	w.groupArguments()
	w.add(pick(w.r, []string{"0", "0", "$", w.entryID()}))
	w.perhaps(0.9, "MKSTREAM")
	w.perhaps(0.2, "ENTRIESREAD", strconv.Itoa(w.r.IntN(40)-1))
}

func (w *writer) xgroupSetIDArguments() {
	w.groupArguments()
	w.add(pick(w.r, []string{"0", "$", w.entryID(), w.entryID()}))
	w.perhaps(0.2, "ENTRIESREAD", strconv.Itoa(w.r.IntN(40)-1))
}

// Entries have been idle for ages, or not at all.
const (
	ages    = "1000000000"
	halfAge = "500000000"
)

func (w *writer) idle() string { return pick(w.r, []string{"0", "0", "0", "-1", halfAge}) }

func (w *writer) xclaimArguments() {
	w.consumerArguments()
	w.fixed(w.idle())
	w.ids()
	w.perhaps(0.2, "IDLE", ages)
	w.perhaps(0.1, "TIME", "1")
	w.perhaps(0.2, "RETRYCOUNT", w.few(9))
	w.perhaps(0.3, "FORCE")
	w.perhaps(0.2, "JUSTID")
	w.perhaps(0.1, "LASTID", w.entryID())
}

func (w *writer) xautoclaimArguments() {
	w.consumerArguments()
	w.fixed(w.idle())
	w.add(pick(w.r, []string{"0", "-", w.bound("0")}))
	w.perhaps(0.4, "COUNT", strconv.Itoa(1+w.r.IntN(5)))
	w.perhaps(0.2, "JUSTID")
}

func (w *writer) xpendingArguments() {
	w.groupArguments()
	if chance(w.r, 0.4) {
		return
	}
	if chance(w.r, 0.3) {
		w.fixed(w.spell("IDLE"))
		w.fixed(pick(w.r, []string{"0", halfAge}))
	}
	w.add(w.bound("-"))
	w.add(w.bound("+"))
	w.add(w.few(20))
	if chance(w.r, 0.3) {
		w.add(w.consumer())
	}
}

func (w *writer) xinfoStreamArguments() {
	w.stream()
	if chance(w.r, 0.5) {
		w.add(w.spell("FULL"))
		w.perhaps(0.5, "COUNT", strconv.Itoa(w.r.IntN(5)-1))
	}
}
