// Package hashtable finds entries by key: extendible hashing over blocks of
// package entry, in memory that the garbage collector does not see. It is the
// keyspace of a shard, and the inside of big hashes and sets.
//
// The caller hashes. A table uses the top bits of what it is given, at most 56
// of them, so a shard that is itself chosen by the top bits of a hash passes
// the hash shifted left. The caller also guards: a table is not safe for
// concurrent use. Sizes are bytes; a position is a point in the space of 64-bit
// hashes. There are no errors: only the arena can fail, and it says so itself.
//
// # Layout
//
//	Root -> directory: 2^depth words, indexed by the top bits of the hash
//	          |  (with one segment there is none: the Root holds its word)
//	          v
//	        segment: a header line and 1 to 63 buckets of one cache line
//	          +--------+------+------------------------------+
//	          | homes  | meta | six stash slots              | header
//	          +--------+------+------------------------------+
//	          | eight slots                                  | bucket 0
//	          | ...                                          |
//	          +----------------------------------------------+
//	        slot: 24 bits of the hash, the tag | 40 bits of address; 0 = empty
//	        directory word: 40 bits of address | buckets | depth | base
//
// All that a look-up needs to know of a segment is in its directory word, so a
// look-up touches the directory (8 bytes for some 200 keys: it stays in the
// cache), one line of the segment and one line of the entry.
//
// A segment serves the hashes with one prefix; `depth` is the length of that
// prefix. The 16 bits after the prefix, scaled to the number of buckets, choose
// the home bucket. So buckets, in order, hold ascending ranges of hashes: the
// whole table is in hash order up to the bucket, whatever the sizes of its
// segments. An entry lies
//
//	in its home bucket; or else
//	in the next one (the last one's next is the first); or else
//	in the stash; or else, only when the segment cannot grow, in the chain.
//
// Invariants, which Check recounts:
//
//	I1  A bucket's slots are filled from the front.
//	I2  While a home bucket has a free slot, no entry of it lies elsewhere. So a
//	    miss ends at the home bucket unless that is full.
//	I3  While the next bucket has a free slot, no entry of the home lies in the
//	    stash or the chain.
//	I4  Bit b of `homes` is set if and only if an entry of home b lies in the
//	    stash or the chain.
//	I5  There is a chain only while the stash is full.
//
// Insert restores them by moving an entry one bucket on, which makes room for
// the new one where that may lie; Delete by pulling entries back home.
//
// # Growth
//
// A segment that has no room for an entry is rebuilt with up to a third more
// buckets, and when it has 63 it is split in two with 39 each. Either is a copy
// of some 420 words at the most, within a few kilobytes: a few microseconds. The
// only other thing that ever happens at once is the doubling of the directory,
// which has a word for some 200 keys. There is no pause that grows with the
// table. That segments come in many sizes keeps the load between 65% and 85%
// at all times (measured: 10.3 to 11.5 bytes a key), where segments of one size
// would swing between 41% and 82%, all of them together, because a good hash
// fills them alike.
//
// Deletion goes the same way back: a segment at less than 40% is merged with
// its sibling when both fit in one at half its load, or else rebuilt smaller;
// and the directory is halved when its last two bits tell nothing apart.
//
// # Why tags spare the rehash
//
// A split must know one more bit of the hash of each entry, and rebuilding must
// know the home bucket. To ask the entries for that would cost one cache miss
// an entry and a hash of each key: forty microseconds a split, instead of one.
// The tag has the answer. It holds the 24 bits of the hash from bit `base` on,
// where base <= depth: the first depth-base of them are part of the prefix (all
// alike in the segment), the next 16 give the home bucket, the first of which
// is the next split's. As long as depth-base is at most 8 nothing else is
// needed. Splits make depth larger; when the difference would exceed 8, the
// hashes are computed from the keys and base is set to depth, which happens
// once in eight splits of a line of segments: once while a table grows 256
// fold. A merge makes depth smaller, and never needs the keys: when base has to
// go below the new depth, the bit that is missing at the front of the tag is
// the one that told the two siblings apart.
//
// What is left of a tag filters look-ups: a wrong entry is looked at with a
// probability of 8 in 2^18 when base equals depth, 8 in 2^10 just before base
// is moved.
//
// LIMITATIONS. When base is moved, a split costs a hash of each of its 420
// keys. An entry whose key hashes otherwise than it did at Insert is lost: the
// hash function must be constant for the life of the table.
//
// # Hashes that do not spread
//
// A table stays correct with any hash, but only a hash whose top bits are
// spread makes it fast. Two bounds keep a bad one from harm: a prefix has at
// most 32 bits, and the directory is doubled only while it stays below 1024
// words or one byte for each entry. A segment that may not be split puts what
// has no room into its chain, a list of blocks of 62 slots, searched one by
// one. So equal hashes cost what a list costs, and no split is tried without
// end. Once the directory may be longer, the next Insert into such a segment
// splits it, and the chain goes where its entries belong.
//
// LIMITATIONS. Whoever can choose keys with equal top 48 bits of the hash gets
// a list: the hash must be keyed with a secret. A chain is copied as a whole
// when its segment is split, so the bound on the time of one Insert does not
// hold for such a table.
//
// # What SCAN guarantees
//
// A cursor is a position: what lies below it has been returned. Scan(c) finds
// the bucket whose range of hashes holds c, returns the entries of that home
// (wherever they lie) with a hash of c or more, and answers with the end of the
// range, which is the next cursor; 0 is the start, and the end.
//
// Let a key be in the table from before the first call to after the last. The
// cursors c0 = 0 < c1 < ... < cn = 2^64 cut the space of hashes in intervals;
// its hash lies in exactly one, [ci, ci+1). That interval lies within the range
// that the one bucket had at the time of the call, so the key's home was that
// bucket then, and by I2 to I4 the call saw it there, in the next bucket, in the
// stash or in the chain. In the other calls its hash was below the cursor, or
// its home was another bucket. So it is returned exactly once, however much the
// table has grown and shrunk between the calls: the argument asks nothing of
// the cursors but that they ascend. (Redis promises at least once.) A key that
// comes or goes meanwhile is returned once or not at all: its hash stays what it
// was, so deleting it and inserting it anew does not bring it back either.
//
// The same argument makes a cursor a snapshot's progress: an entry has been
// visited if and only if its hash is below the cursor.
//
// The cursor stays aligned to the buckets unless the segment has been rebuilt
// since the last call. Only then do entries of one bucket lie on both sides of
// it, and only then are their hashes computed from the keys to tell.
//
// LIMITATIONS. A call returns one bucket, no fewer than none and no more than
// its entries (about six, more only with a chain). The low 16 bits of a cursor
// are always zero and others are accepted. The hash of a table must not change
// between calls: a cursor of one server's run means nothing to another.
package hashtable
