// Package quicklist is a sequence of strings of any length: big lists, as nodes of
// Redis' own listpacks with a counted index above them, in memory that the garbage
// collector does not see.
//
// The caller guards: a list is not safe for concurrent use. Sizes are bytes, an
// index counts elements from 0. There are no errors: only the arena can fail, and it
// says so itself; what comes from outside is for the caller to look at, with
// listpack.Validate. Elements are shorter than 4 GiB.
//
//	l := quicklist.Attach(heap, &root)
//	l.PushTail(s)
//	for c := l.Seek(start); c.Ok() && c.Index() <= stop; {
//		write(c.Read())
//	}
//
// # Layout
//
//	Root -> first node                     80 bytes, held by the owner
//	     -> last node
//	     -> index -> ... -> inner nodes    a B+tree: blocks of up to 63 items
//
//	item   16 bytes: address | plain | room of the block | elements | bytes in use
//	node   a listpack, or, plain, one large element as it is
//
// The first and the last node hang on the Root itself, so that pushing and popping
// touch nothing but the Root and the node: the index hears of a node only when it
// stops being an end, or becomes one. A list of one node has no last, one of two no
// index.
//
// The index has no keys. An item above the leaves says how many elements are below
// it, so a position is found by subtracting counts on the way down; an item of a
// leaf is the node's own. Blocks are split and merged as in any B+tree, but a full
// block at either end is left full and a new one begun. The index takes 16 bytes for
// each node, 0.2% with nodes of 8 KiB.
//
// # Room
//
// An inner node has the smallest block that fits (arena.UsableSize), and keeps that
// while it is edited: some 3% are lost. An end node has room to grow, and a lead:
// the listpack may begin anywhere in its block. So PushHead writes into the free
// bytes before it, DropHead leaves some behind, and either moves only the six bytes of
// header; Redis moves the whole listpack. Growing by a fourth (in lists of some
// length to the double, at the most to the node's limit), moving within the block
// only to where half of what is free is at either side, and shrinking what is less
// than half used, costs a constant number of copied bytes for each pushed or popped
// one. When an end node becomes an inner one its lead goes, and the room that it
// does not need.
//
// # Nodes as Redis makes them
//
// A dump of a list has its nodes one by one. After the same operations, nodes here
// have the same elements as in Redis 7.2: the limits of list-max-listpack-size (bytes
// as the text is long, with eight more for each new element; a count with 8 KiB at
// most), where an insertion into a full node goes, where nodes are split and which
// neighbours are merged then, and that nothing is merged when elements go. A test
// compares the dumps with those of a genuine server after random operations. The fill
// is that of the time when the list was made, as in Redis: it is part of the Root. An
// element is large from 1 GiB on (SetPlainFrom), and has a plain node.
//
// That a list is a quicklist at all, and not a single listpack, is the owner's choice:
// Exceeds says when to go over, Listpack when to go back.
//
// # Walking while the list changes
//
// A walk in pieces (DUMP in the background, a snapshot, defragmentation) holds an
// index, not a node: nodes are merged, split and moved, but merging, splitting and
// moving change no element's index. NodeAt gives the node with that element and the
// index of the node's first; the walk takes the elements from its own index on, and
// goes on at First + Count. Whoever changes the list meanwhile tells the walk, by the
// indexes that its operation has anyway:
//
//   - n elements come or go before the walk's index: the index moves by n. Those have
//     been seen.
//   - n elements come behind it: a walk that wants the list as it was keeps two
//     numbers, from where to where the old elements lie. Pushing at the tail is beyond
//     the second; an insertion between them cuts the range in two, around what is new.
//   - n elements at or behind the index go, or one is set: a walk that wants the list
//     as it was takes a copy of their node first (Node.Bytes: 8 KiB, or as large as an
//     element), and cuts the range in two, around that node.
//
// So what is not yet seen is a sequence of ranges of indexes and of kept nodes, and
// no more is ever kept than the nodes that were changed.
//
// # Invariants
//
// Check recounts them:
//
//   - There is no last node without a first, no index without a last, and no node
//     without elements.
//   - What an item says of elements and bytes is what is found there; the Root's counts
//     of elements, nodes and bytes are the sums.
//   - An inner node has no lead, and the smallest block that fits.
//   - Blocks have items; all but the top one have room for 63, and of two neighbours
//     below one parent one has more than 15.
//   - Cursors and paths are good until the list changes: they hold addresses.
//
// # LIMITATIONS
//
// Nodes are not compressed in memory: list-compress-depth has no effect here, and a
// dump has its nodes compressed by rdbcompression only. (Redis would save memory in
// the middle of long lists, and pay for it in LINDEX and LRANGE.)
//
// Within a node an element is found by walking, from the nearer end: in nodes of
// 8 KiB some hundred steps.
//
// Set makes a node larger than its limit, as in Redis, but not larger than 1 GiB
// (there 4 GiB): the element gets a node of its own then.
//
// DropHead and DropTail cost a step for each node that goes, also if these are most of
// a giant list; only FreeSome is bounded.
package quicklist
