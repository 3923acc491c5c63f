// Package btree keeps big sorted sets in order: a counted B+tree (one whose
// inner nodes know how many items lie below each child, so that a rank is found
// as fast as a key), in memory that the garbage collector does not see. It
// stands beside a hash table of the same members (package hashtable), which
// answers what a member's score is; both point at one block of package entry.
//
// An item is a score and the block of an entry, whose key is the member. Items
// are in the order of their scores, and those of one score in the order of their
// members' bytes. 0 and -0 are equal, infinities are scores like others, NaN is
// none. Ranks count from 0. A tree is not safe for concurrent use. There are no
// errors: only the arena can fail, and it says so itself; misuse (an item
// inserted twice, one appended that is not the last, NaN) goes unseen in
// ordinary builds and stops those tagged `invariants`.
//
// # Layout
//
//	Root -> inner node: up to 44 children         1024 bytes
//	          +--------+------------+----------+-------------+-----------+
//	          | header | score  8 B | ref  5 B | child  5 B  | total 5 B |  x 44
//	          +--------+------------+----------+-------------+-----------+
//	                     the first item below     its node      items below
//	          v
//	        leaf: up to 78 items                  1024 bytes
//	          +--------+------------+----------+
//	          | header | score  8 B | ref  5 B |  x 78
//	          +--------+------------+----------+
//
// Each column is an array of its own, so that a search runs through scores only:
// it looks at entries where scores are equal, and nowhere else. A score lies
// there as an integer of the same order, which compares without a branch; the
// sign of a zero is kept. A Ref divided by 8 takes five bytes.
//
// Leaves do not know their neighbours. A cursor that comes to the end of its
// leaf finds the next one by rank from the top, once in some 60 items, through
// nodes that are in the cache; in return no change has to mend links, and moving
// a node changes one word of its parent.
//
// Invariants, which Check recounts:
//
//	I1  All leaves are at one depth, and items ascend strictly.
//	I2  An inner node says of each child the first item below it, score and
//	    block, and the number of items below it. So no separator outlives its
//	    entry: a member that goes or moves is replaced in the nodes above.
//	I3  A leaf has at least one item, and an inner node two children. Those that
//	    are not at the left or right edge of the tree are full to a third.
//	I4  An empty tree is the zero Root, and takes no memory.
//
// # Growth
//
// A node that is full gives to a neighbour that has room, both being equally
// full then; only two full ones are split, into three. So a tree filled in random
// order is full to 85% (two halves of one full node would make it 69%). At the
// edges it is otherwise: an item before the first or behind the last of a full
// leaf gets a new leaf, and the full one stays full, so times as scores, rising
// or falling, leave full leaves behind, and so does Append.
//
// A node that has fallen below five eighths joins a neighbour when both fill one
// to nine tenths at the most, and takes from it when it is below a third. After
// each score has changed five times at random, the leaves are full to 77%.
//
// An operation touches two nodes beside the path at each level at the most, and
// copies at most three nodes there. There is no pause that grows with the tree;
// DeleteRange costs a step for each leaf and a call for each item.
//
// # What an element costs
//
// 5M members of 16 bytes with random scores, inserted in random order, bytes an
// element, measured (BenchmarkMemoryOfSet):
//
//	slot of the hash table        10.9
//	entry: header 8, member 16,
//	       score 8                32.0
//	tree: 13 / 0.85, and 3% for
//	       inner nodes            15.8   in order 13.4; scores changed 17.4
//	together                      58.7
//	Redis 7.0.15, same data      137.5   growth of used_memory; its MEMORY
//	                                     USAGE of the key says 129.5
//
// which is 0.43 of Redis (0.45 by MEMORY USAGE), and 0.60 is the aim. The score
// is in the entry as well as in the tree. ZSCORE and ZINCRBY come from the hash
// table with the entry in hand: without a score there they could not find the
// item, for the tree is searched by score; and a leaf without scores would read
// an entry, one cache miss, at each step of each search. It costs 8 of the 58.7
// bytes.
//
// # Why 1 KiB
//
// Nanoseconds of processor time, least of three runs on a machine that was busy
// with other things, so good for comparison only; bytes an item of the tree as
// filled at random and after changes (with an earlier rule for sharing):
//
//	leaf  inner   insert 10^4  10^6   delete+insert 10^4  10^6   rank 10^6   bytes
//	 512    512           148   417                  410  1446        1181   17.0 19.4
//	 512   1024           166   388                  369  1438         997   16.9 19.1
//	1024   1024           146   248                  433  1399         985   16.1 18.2
//
// 256 bytes were slower by a third and larger. By size of the set, 1024 and 1024:
//
//	items                   10^3   10^4   10^5   10^6   5*10^6
//	insert, random            84    118    141    257      374
//	append                    40     44     43     50       62
//	delete and insert        339    407    797   1384     2099
//	update, anywhere         377    489    774   1600     3103
//	update, a little         134    181    369    934     1626
//	rank of a member         116    206    416   1012     1697
//	item of a rank            29     60     80    121      215
//	seek by score             81    129    271    779     1314
//	read 100 items           538    491    584   1250     1768
//
// (insert takes entries in the order in which they lie in memory; all the others
// wait for a random entry as well.)
//
// # Walks that go on after changes
//
// A Cursor is good until the next change. What outlasts changes is the item that
// a walk has come to, score and member, copied: Seek(AfterItem(score, member))
// goes on behind it, whether it is still there or not. Let an item be in the tree
// with one score from before the first step to after the last. The places where
// the steps stop ascend and cut the order into intervals; the item lies in one of
// them, and the step that walks this interval meets it. So it is met exactly
// once. An item that comes, goes, or changes its score meanwhile may be met at
// both scores, at one, or not at all.
//
// For a snapshot that is what tells saved from unsaved: an item has been saved if
// and only if it is not greater than the place. Before a change of an item beyond
// the place (its old score is what counts) the writer saves the item as it was
// and makes a note of the member; one that comes to lie beyond the place, from
// nowhere or from below it, gets a note and nothing is saved. The walk passes over members noted. So the
// cost of a change is that of one item, however large the set, the notes grow
// with the changes and not with the set, and a step is as long as its caller
// wants. A range that is deleted hands each item to DeleteRange's visit, which is
// where its pre-image is taken.
//
// # Freeing and moving
//
// FreeSome takes items from the end, each with a call for its owner, and leaves a
// whole tree: so many items fit a time slice (1000 with their entries take some
// 150 us), and the Root may rest between two of them. Leaves fall off the right
// edge one by one.
//
// Active defragmentation moves two things. A node: MoveNodes walks by rank, and
// gives those that it is asked to another block. An entry: its owner copies the
// block, calls Replace, which finds the item by score and member while the old
// block is still there, and corrects the slot of the hash table.
//
// LIMITATIONS. A tree of a few items takes a leaf of 1 KiB all the same: small
// sets are listpacks, so that is a set of few and long members. Among equal
// scores a search reads entries, about one for each halving of what is equal: a
// set for ranges by member costs some 20 cache misses a search with a million
// members. FromMember and AfterMember mean nothing among different scores. A
// rank that MoveNodes went on from is somewhere else when items before it came
// or went: some nodes wait for the next pass then.
package btree
