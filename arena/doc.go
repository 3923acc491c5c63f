// Package arena is the memory that the data set lives in: one reserved range of
// addresses outside the Go heap, where blocks are named by their offset.
//
//	a, err := arena.New(arena.Options{})
//	h := a.NewHeap()                        // one for each shard
//	r := h.Alloc(arena.PurposeEntry, n)
//	copy(a.Bytes(r, n), data)
//	h.Free(arena.PurposeEntry, r, n)
//
// Sizes are bytes. A Ref is 0 for no block. Only New and Close return errors;
// Alloc panics when the reserve is exhausted or the system has no memory, since
// no caller could go on: maxmemory has to be below that. Misuse (a block freed
// twice, with another size or purpose, or by another heap; a write to a freed
// block) goes unseen in ordinary builds and stops the program in those tagged
// `invariants`.
//
// # Why not the Go heap
//
// A collector that marks 10 M keys takes seconds of CPU each cycle, and a Go
// object costs a header in nobody's table but a pointer of 8 bytes at each of
// its users. Here the collector sees nothing: the range holds no Go pointers.
// An offset of a multiple of 8 below 1<<43 fits 40 bits, which leaves a slot of
// a hash table 24 for a tag. And memory can be counted exactly and given back,
// which is what maxmemory and `MEMORY PURGE` are about.
//
// # Granules, runs, slabs, blocks
//
//	arena    the range. The part below `top` was used at some time.
//	granule  16 KiB, the unit in which the arena gives memory to heaps.
//	run      neighbouring granules with one state: a slab, a large block, free
//	         and dirty (may have pages), free and clean (has none).
//	slab     a run of 1, 2, 4 or 8 granules, aligned to its size, cut into blocks
//	         of one size class.
//	block    what Alloc returns; beyond 16 KiB it is a run of its own.
//
// Each granule has a descriptor of 32 bytes (0.2%) in a second range. That is
// where a slab's counters and the head of its list of free blocks are; the list
// itself goes through the free blocks. A slab is aligned, so Free finds the
// descriptor by masking the Ref; no block has a header.
//
// The size classes go in steps of 8 bytes to 256, and from there eight to a
// doubling: 288, 320 ... 512, 576 ... So a block beyond 256 wastes 6% on average and
// 12.5% at most, and for sizes as caches have them (log-normal, median 120) it is
// 4.0%. A multiple of 64 stays one and lies on a cache line.
//
// # Why Free is told the size
//
// Whoever frees a block has just looked at it and knows how long it is. Asking
// for the size saves a header, or the walk to a table of pages; it gives the
// class, hence the slab size, hence the descriptor, in a few instructions that
// do not depend on memory. And it makes the counters exact without reading
// anything: they count UsableSize(n) at Alloc and the same at Free.
//
// # Why a heap for each shard
//
// A heap is used by whoever holds its shard's lock, so Alloc and Free need no
// lock and no atomic operation: about 5 ns each with a hot cache, 9 to 12 for
// the pair. Blocks of a shard share its slabs, so dropping a heap (FLUSHALL)
// costs a step for each slab, not for each key. Only runs come from the arena
// under its mutex, once in some hundred blocks. The price is that each heap has
// its own partly filled slabs. It is kept small in three ways: slabs are small
// where classes are many; nothing is touched before it is handed out, so an
// empty part of a slab is address space only; and the first four blocks of a
// class without a slab are lent by a larger class (64, 256 or 1024 bytes), so
// that a nearly empty heap touches three pages instead of one for each class.
// 32 heaps with blocks in 12 classes take 384 KiB.
//
// # Heaps within heaps
//
// Blocks that come and go together, those inside one large value, can have a part of
// a heap to themselves (Heap.NewPart). A part is a heap with slabs of its own, and a
// block of some 2.6 KiB of the heap that it belongs to, so a million of them cost the
// collector nothing and are in no list of the arena's. It can be given to another heap
// (AdoptPart) or forgotten with all that is in it (AbandonPart) at once, and gives its
// memory back with a step for each slab (ClosePart). Its heap counts what it takes
// (account, hold), so that a shard, a purpose or a flush need not ask the parts, and
// has them in a list, so that whoever abandons the heap abandons them.
//
// What a part costs is its partly filled slabs, one or two for each class in use. That
// is kept small: slabs of parts are a quarter as large where they would have several
// granules; no empty ones are kept; and as long as a part is small its slabs are taken
// from memory without pages, so that those parts of them that are never handed out stay
// so. Measured by resident memory over what is in use, free memory apart: a set or a hash
// costs some 35 KiB more than it uses, which is 9 to 12% of one of 8300 elements, where
// the common heap wasted 2 to 6%; lists and streams of a MiB cost 3%. It is the same
// after all were replaced three times.
//
// Used in the arena is the sum of what the heaps have published, so that
// maxmemory is one atomic load; SetPublishStep trades its accuracy for speed.
//
// # How slabs get empty
//
// A slab that is not full and not the one blocks are taken from is on one of
// four lists, by quarters of its capacity. When a heap needs another slab it
// takes the fullest, so the emptier ones have a chance to run out; an empty slab
// goes back to the arena (a heap keeps four, so that a block that comes and goes
// does not take and give a slab each time). All this costs Free one compare:
// `low` is where the slab has to change lists, and it is set so that a full
// slab, one that crosses a quarter and one that is empty all fall below it.
//
// Random deletes leave slabs thinly filled all the same. For active
// defragmentation MarkSparse chooses, in each class, as many of the emptiest slabs
// as can be spared, and Sparse tells whether a block lies in one of them: those
// are moved, and fill the fullest slabs first. The choice stands until the slabs
// are empty, for a rule that looked at each block's slab when the block is met
// would drain some slabs halfway and move blocks twice. Marked slabs are on a
// fifth list, from which a block is only taken where a new slab would be needed
// otherwise. Measured, bytes taken for each byte asked for, blocks of 16 to 8000
// bytes around 120 in one heap:
//
//	filled to 24 MiB                    1.09
//	a quarter replaced, four times      1.09
//	the same with values 1.7 x larger   1.30
//	then 60% freed at random            3.26
//	then one pass over the Sparse ones  1.13
//
// Waste is what freed blocks take in slabs that have others in use. What was never
// handed out (the rest of the slab at hand, what lies behind the end of a large
// block) has no pages as a rule, and is Untouched.
//
// # Giving memory back
//
// A freed run stays dirty for the next taker, who then needs no page fault.
// Beyond 4 MiB or 1/64 of what is in use, pages go back to the system, longest
// runs first: a little with each freed run, so that no Free takes long (16 calls
// or 1 MiB, some 60 us), the rest when a timer calls Trim. On Linux that is
// MADV_DONTNEED: resident memory falls at once, and the range reads as zero.
// Dirty and clean runs are joined each with their like only; an arena that runs
// out of addresses purges all, which joins the rest.
//
// # Reserving
//
// The range is mapped without access (MAP_NORESERVE, PROT_NONE), which costs
// nothing even where the system promises no more than it has
// (vm.overcommit_memory=2), and made accessible in steps of 16 MiB. If so much
// address space is not to be had (ulimit -v), half is tried, and so on; the rest
// of the process is left at least a quarter of what the arena takes.
//
// # Huge pages
//
// They are declined (MADV_NOHUGEPAGE) unless Options.HugePages asks for them.
// Measured on a virtual machine: dependent reads at random places took 300 ns
// instead of 195 ns at 1 GiB and 380 instead of 240 at 2 GiB with small pages,
// so a large data set gains; below 256 MiB there is little to gain. But the
// first touch of a huge page stopped a loop for 1 to 6 ms, where one of a small
// page takes 2 us, and rewriting small pages to a huge one (MADV_COLLAPSE, what
// khugepaged does) stops whoever touches them for as long. Purging 16 KiB of a
// huge page splits it, and the kernel frees such pieces only when memory gets
// short. So they are for stores that are large and have been filled before
// latency matters, and are asked for only beyond the first 256 MiB.
//
// # Life of a Ref
//
// A Ref, and the pointer that Ptr makes of it, are good until the block is freed
// or given to Realloc, or its heap or the arena is closed. The range never
// moves, so a pointer may be kept as long as the Ref. Nothing holds a block
// back: whoever unlocks the shard and locks it again must look its Refs up
// again. The block may be read by anyone who holds the shard; a reader without
// the lock (a snapshot) needs an agreement of its own with the writers.
//
// # Other builds
//
// Under the race detector, and where there is no mmap, a region is a piece of
// Go memory of 256 MiB, since the detector watches no other; nothing is given
// back then. With the tag `invariants` a third range notes the purpose of each
// block in use, freed blocks are filled with 0xdb and looked at when handed out
// again, new ones are filled with 0xcd, and Close names what is still in use.
//
// # Invariants
//
//   - Runs tile the range from granule 1 to top; no two free runs of one kind
//     are neighbours (Arena.Audit).
//   - A run's kind is written under the arena's mutex, the rest of a slab's
//     descriptor by the heap that owns the slab.
//   - carved = used + blocks on the free list, for each slab (Heap.Audit).
//   - A slab is on the list that its filling says, or marked as sparse, or is the
//     one blocks are taken from; low is the border below which that is no longer
//     true.
//   - held counts the slabs and large blocks of a heap and its parts, handed what of
//     that was handed out at some time.
//   - A part is on the list of the heap that books names, which counts all that it has
//     in use, or nothing once it is abandoned.
//   - The sum over purposes is Used, and no purpose is ever below zero.
//
// # LIMITATIONS
//
// A block never moves by itself, and one block keeps its slab: without
// defragmentation a store that shrinks at random keeps most of its slabs.
// Classes share no slabs, so a store whose sizes change slowly from one class to
// another has both for a while.
//
// Blocks of several MiB that come and go one at a time pay for page faults each
// time, for they are beyond what stays dirty.
//
// Memory of the system that was made accessible stays so: with
// vm.overcommit_memory=2 the process remains charged for its peak.
//
// Where pages are larger than a granule (64 KiB on some arm64 systems), only
// whole free pages go back, so an empty small slab may have to wait for its
// neighbours.
//
// UsableSize rounds large blocks to 4 KiB, while they take whole granules: the
// rest of the last granule is not counted, nor touched unless the run was dirty.
// Likewise a lent block is counted as its own class, not as the lender's.
package arena
