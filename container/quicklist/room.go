package quicklist

import "dozo/arena"

// How the blocks of the end nodes grow and shrink. Growing by a quarter, and moving
// within the block only when an eighth of it is free, costs a constant number of
// bytes copied for each byte pushed, whatever the order of pushes and pops.

const (
	growthParts = 4 // a block grows by a fourth,
	longNodes   = 8 // or that of a list of so many nodes to the double
	slackParts  = 8 // an eighth of a node's bytes is worth a move within the block
	slimParts   = 2 // a block shrinks when less than half of it is used
	slimMin     = 64
)

// roomBehind makes room for n bytes behind the last node e, and returns its bytes.
func (l *List) roomBehind(e *end, n int) []byte {
	b := l.bytes(*e)
	if cap(b)-len(b) >= n {
		return b
	}
	room, free := l.roomFor(e, n)
	lead := 0
	if l.root.nodes == 1 {
		lead = free / 2
	}
	l.place(e, room, lead)
	return l.bytes(*e)
}

// roomInFront makes room for n bytes before the first node e, and returns its block
// up to where its bytes end.
func (l *List) roomInFront(e *end, n int) []byte {
	if int(e.lead) < n {
		room, free := l.roomFor(e, n)
		lead := free + n
		if l.root.nodes == 1 {
			lead -= free / 2
		}
		l.place(e, room, lead)
	}
	return l.heap.Arena().Bytes(e.ref(), e.room())[:int(e.lead)+e.size()]
}

// roomFor says how large the block of e should be for n bytes more, and how much of
// it will be free then. A list of one node has pushes at both sides, so its callers
// leave half of that at either.
func (l *List) roomFor(e *end, n int) (room, free int) {
	need := e.size() + n
	roomMax := arena.UsableSize(max(need, l.limits().size))
	room = e.room()
	if need+need/slackParts > room && room < roomMax {
		more := need / growthParts
		if l.root.nodes >= longNodes {
			more = need
		}
		room = min(arena.UsableSize(need+more), roomMax)
	}
	return room, room - need
}

// place moves the node's bytes to lead in a block of room bytes, or in its own if
// that has so many.
func (l *List) place(e *end, room, lead int) {
	if room != e.room() {
		*e = l.moved(*e, room, lead)
		return
	}
	from := l.bytes(*e)
	e.lead = uint32(lead)
	copy(l.bytes(*e), from)
}

// slim gives an end node a smaller block when it uses less than half of its own.
func (l *List) slim(e *end) {
	if e.room() <= slimMin || e.size()*slimParts >= e.room() {
		return
	}
	if room := arena.UsableSize(e.size() + e.size()/growthParts); room < e.room() {
		*e = l.moved(*e, room, 0)
	}
}
