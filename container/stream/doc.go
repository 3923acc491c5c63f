// Package stream is an append-only log of entries, each a list of fields and values
// under a 128-bit ID, with groups of consumers who share the reading: the value of
// Redis' stream type, in memory that the garbage collector does not see.
//
//	s := stream.New(heap)
//	id, _ := s.NextID(nowMs)
//	err := s.Append(id, limits, [][]byte{field, value})
//	for it := s.Range(start, end, false); it.Next(); { ... it.Field() ... }
//	root := s.Root()              // one word, for the owner to keep
//	s = stream.Attach(heap, root)
//
// Times are milliseconds since the epoch and come from the caller, as IDs do: there
// is no clock here. A stream is used by whoever holds its shard. Errors are those of
// Append and of loading; everything else answers with what it found. Nothing on the
// way of Append, Range or a delivery takes Go memory.
//
// # Layout
//
//	header     the Root's block: numbers and IDs, and the roots of all below
//	node       a listpack of neighbouring entries, up to some 4 KiB
//	page       of an index: up to 42 pairs of an ID and a word (index.go)
//	group      a block with its name, its own index of what is pending, and its
//	           directory of consumers
//	consumer   a block with its name, and its index of what is pending for it
//	pending    24 bytes: time and number of deliveries, and the consumer
//	directory  Refs of groups or consumers in the order of their names
//
// A node is Redis' own bytes, so that snapshots are written and read by copying, and
// equal histories are equal bytes: the limits of a node are looked at in the very
// places where Redis does. A node begins with a master entry,
//
//	live entries, deleted entries, number of fields, the fields, 0
//
// whose ID is the node's key in the index; then come entries,
//
//	flags, ms and seq above the master ID, [fields,] [field,] value ..., elements
//
// where the fields are left out if they are the master's (flag 2), as they nearly
// always are. The last element is the number of those before it, by which a reader
// goes backwards. A deleted entry is marked (flag 1) and stays until its node goes.
//
// A node's block has the size that follows from the node's length (nodeBlock), so
// nothing says how large it is, and there is no room to give back when the node is
// full.
//
// What is pending is one block with two ways to it, the group's index and the
// consumer's, as in Redis. One index serves these and the nodes. Redis has radix
// trees; a B+tree is denser where keys come in order, and reads eight neighbours
// from three cache lines.
//
// # Memory
//
// With the ordinary limits (4096 bytes, 100 entries), entries of one field with a
// value of 20 bytes take 31 bytes each, of which 22 are the value as a listpack has
// it, 8 the rest of the entry, and a quarter of a byte the index. A pending entry
// takes 74 bytes: its block of 24, and two pairs of 24. (redis-server 7.0, for the
// same: 31 and 84.)
//
// # How a walk resumes
//
// IDs are the only cursors that there are. Whatever happens to a stream, a node's
// key stays what it is for as long as there is the node, and nodes begin at the right
// end; so NodeFrom(the ID behind the last key seen) goes on where a walk was,
// after any change, without a record of the change. The same holds for entries
// (Range), for what is pending (PendingFrom, PendingOf) and for Defrag.
//
// So nodes are the chunks in which a snapshot saves a giant stream. One that has
// come to the key k has saved the nodes up to k: a writer need not care about them,
// nor about nodes that are later than the last one at the snapshot's moment. A
// change of another node, which Append does to the last one, Delete to one and Trim
// to the first, must be preceded by saving that node's bytes under its key; the
// walk skips keys that were saved so. State is small and is saved at the
// beginning. What is pending goes by ID in the same way, a group at a time.
//
// # Invariants
//
// Check recounts them:
//
//   - Length is the sum of the live entries of the nodes, First the first of them.
//   - No entry of a node comes before its key.
//   - Pages have pairs, in order, and those of an index are its count.
//   - Each pending entry has one consumer, in whose index it is as well; and there
//     is nothing else in the consumers' indexes.
//   - Names are in order.
//   - used is the sum of all blocks: of the stream's, and for each group of its own.
//
// # LIMITATIONS
//
// A node is searched from its beginning (or from its end, for the last entries), so
// finding an entry costs up to a node. Deleted entries keep their memory until their
// node goes.
//
// No entry may take more than 1 GiB as it is stored; Redis counts fields and
// values alone. A limit of 0 bytes means 1 GiB, and a node that would become larger
// is ended some bytes earlier than in Redis.
//
// DeleteConsumer of one who has half of what is pending, or less, and Trim that leaves
// anything do all their work at once, as in Redis: some 0.2 us for an entry that was
// pending, 0.4 us for a node. Only DestroyGroup, FreeSome, and what is left in a rest
// (rest.go) go in steps.
//
// Headers, groups and consumers are never moved: they are few, and Refs and the
// owner's Root know them. A new name moves the Refs of those behind it, 8 bytes
// each: with 100,000 consumers in one group a new one may cost tens of microseconds.
package stream
