package arena

// Peeking is reading memory that one does not hold, for hints: what is read may be
// half written, freed, or something else altogether by now, and whoever peeks can
// only do with it what does no harm whatever it is, which prefetching is. The
// arena promises that memory once accessible stays so until Close, and the bound
// keeps a wrong Ref from leading out of it. A load of an aligned word is one
// access on the machines that Dozo runs on, so it reads a value that was there.

// peekMax is how far behind a Ref that may be peeked at one may read.
const peekMax = 64

// Peekable tells whether peekMax bytes at r, whatever it is, can be read.
func (a *Arena) Peekable(r Ref) bool { return uint64(r)+peekMax <= a.reach.Load() }

// Prefetch asks for the cache line at r without waiting for it. Unlike a load that
// is done early, it does not hold up the instructions behind it until the line is
// there, and r may be anything.
func (a *Arena) Prefetch(r Ref) { prefetch(a.Ptr(r)) }

// PrefetchBlock asks for the first two lines of the block at r: most entries have
// no more.
func (a *Arena) PrefetchBlock(r Ref) { prefetch2(a.Ptr(r)) }
