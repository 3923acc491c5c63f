package oplog

import (
	"math"
	"slices"
)

// What is in the log and is not to be executed again.
//
// A replica's log is its primary's stream, byte by byte, so that an offset means the same
// everywhere. What it could not execute of that (a command of a module, a database that it
// does not have) keeps its place, for those who follow and may be able to. A file that is
// executed by the next start must not have it: the start would fail.

// Span is a part of what is appended, from one byte of it to another.
type Span struct{ From, To int }

// leftOut is such a part of the log. Neighbours are one.
type leftOut struct{ from, to uint64 }

// leave notes what of the bytes that are about to be written is left out. Under the mutex.
func (l *Log) leave(spans []Span) {
	if len(spans) == 0 || l.tail == nil {
		return
	}
	if n := len(l.left); n == cap(l.left) {
		gone, _ := slices.BinarySearchFunc(l.left, l.first(), func(s leftOut, at uint64) int {
			if s.to <= at {
				return -1
			}
			return 1
		})
		l.left = slices.Delete(l.left, 0, gone)
	}
	for _, s := range spans {
		from, to := l.next+uint64(s.From), l.next+uint64(s.To)
		if n := len(l.left); n > 0 && l.left[n-1].to == from {
			l.left[n-1].to = to
		} else {
			l.left = append(l.left, leftOut{from, to})
		}
	}
	l.leavesOut.Store(true)
}

// LeftOut tells up to where a retained offset and what follows it is left out, 0 if it is
// not, and where the next such part begins.
func (l *Log) LeftOut(at uint64) (until, next uint64) {
	if !l.leavesOut.Load() {
		return 0, math.MaxUint64
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.left) - 1; i >= 0 && l.left[i].to > at; i-- {
		if next = l.left[i].from; next <= at {
			return l.left[i].to, next
		}
	}
	if next == 0 {
		next = math.MaxUint64
	}
	return 0, next
}
