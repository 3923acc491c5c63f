package server

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// gate lets any number of loops execute commands at once, or one alone.
//
// Each loop announces in a flag of its own, on its own cache line, that it is
// inside a batch of commands; a loop that wants to be alone raises pending,
// waits for the others' flags to fall, and lowers it when it is done. A loop
// that finds pending raised steps back and waits. In the ordinary case entering
// costs one store and one load of memory that nobody else writes.
//
// Invariants: at most one loop is alone; while one is, no other flag is up
// except for the moment in which its owner notices pending and lowers it.
//
// LIMITATIONS: getting alone takes as long as the longest batch of the others (a
// batch is what one connection sent at once, batchBytesMax or one command at most). Nothing inside the
// gate may wait for another loop.
type gate struct {
	alone   sync.Mutex // held by the loop that runs alone
	pending atomic.Bool
	inside  []insideFlag
}

// insideFlag is alone on its cache line (two, for the adjacent-line prefetch).
type insideFlag struct {
	up     atomic.Bool
	parked atomic.Bool // waits outside for the one that is alone
	_      [126]byte
}

// freeze keeps everybody out for good, for a crash report, and tells whether it
// worked: a loop that hangs is not waited for longer than patient says. Loop i
// is the one that crashed, inside the gate, alone or neither; -1 = none.
func (g *gate) freeze(i int, isAlone bool, patient func() bool) bool {
	if !isAlone {
		for g.pending.Load() {
			if !patient() {
				return false
			}
		}
	}
	g.pending.Store(true)
	for j := range g.inside {
		for j != i && g.inside[j].up.Load() {
			if !patient() {
				return false
			}
		}
	}
	return true
}

// spinsMax is how often a waiting loop looks before it yields its thread.
const spinsMax = 200

func newGate(loops int) *gate { return &gate{inside: make([]insideFlag, loops)} }

// enter begins a batch of loop i.
func (g *gate) enter(i int) {
	for {
		g.inside[i].up.Store(true)
		if !g.pending.Load() {
			return
		}
		g.inside[i].up.Store(false)
		g.inside[i].parked.Store(true)
		g.await()
		g.inside[i].parked.Store(false)
	}
}

// allParked waits until every loop but i, which is alone, waits at the gate, so
// that it does not touch its connections' buffers either. Somebody must have
// given them a reason to enter. False means that patience ended before.
func (g *gate) allParked(i int, patient func() bool) bool {
	for j := range g.inside {
		for j != i && !g.inside[j].parked.Load() {
			if !patient() {
				return false
			}
		}
	}
	return true
}

// await waits until the loop that is alone is done: it holds the lock.
func (g *gate) await() {
	g.alone.Lock()
	defer g.alone.Unlock()
}

// leave ends a batch of loop i.
func (g *gate) leave(i int) { g.inside[i].up.Store(false) }

// exclusively runs fn while no other loop is inside. Loop i is inside, and is so
// again when exclusively returns; between, others may have executed commands.
func (g *gate) exclusively(i int, fn func()) {
	g.inside[i].up.Store(false)
	g.inside[i].parked.Store(true) // while another one is alone, it may wait for that
	g.alone.Lock()
	g.inside[i].parked.Store(false)
	g.pending.Store(true)
	for j := range g.inside {
		for spins := 0; g.inside[j].up.Load(); spins++ {
			if spins > spinsMax {
				runtime.Gosched()
			}
		}
	}
	fn()
	g.inside[i].up.Store(true)
	g.pending.Store(false)
	g.alone.Unlock()
}
