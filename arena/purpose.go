package arena

// Purpose says what a block is for. Every block has one: MEMORY STATS is made
// of these counters, and a counter that does not come back to zero names the
// part of the program that leaks.
type Purpose uint8

// The purposes. PurposeEntry is the block of a key, PurposeValue a value that
// has a block of its own, PurposeTable hash directories and segments,
// PurposeLog the blocks of the log of writes, PurposeHeap the parts of heaps; the
// others say what they hold.
const (
	PurposeEntry Purpose = iota
	PurposeValue
	PurposeTable
	PurposeExpiry
	PurposeLog
	PurposeListpack
	PurposeIntset
	PurposeQuicklist
	PurposeBTree
	PurposeStream
	PurposeSnapshot
	PurposeHeap
	// NumPurposes is how many purposes there are.
	NumPurposes
)

// purposeSlots is NumPurposes rounded up to a power of two, so that a masked
// purpose indexes the counters without a bounds check.
const purposeSlots = 16

// String is the purpose in lower case, as reports print it.
func (p Purpose) String() string {
	switch p {
	case PurposeEntry:
		return "entry"
	case PurposeValue:
		return "value"
	case PurposeTable:
		return "table"
	case PurposeExpiry:
		return "expiry"
	case PurposeLog:
		return "log"
	case PurposeListpack:
		return "listpack"
	case PurposeIntset:
		return "intset"
	case PurposeQuicklist:
		return "quicklist"
	case PurposeBTree:
		return "btree"
	case PurposeStream:
		return "stream"
	case PurposeSnapshot:
		return "snapshot"
	case PurposeHeap:
		return "heap"
	}
	return "unknown"
}
