package replication

import (
	"fmt"
	"hash/crc64"
	"strconv"
	"strings"
)

// What a replica has, proved.
//
// A name and an offset say what a replica has as long as everybody who writes a history does
// so under a name of his own. What is on a disk does not always hold to that: a genuine server
// that was started on the append only file of a Dozo, or somebody with an editor, appends to
// it without a word, and what is appended is taken for the history's when a Dozo loads the
// file again. Then two servers would agree on an offset that follows different bytes, and
// differ from there on without anybody hearing of it.
//
// So a replica says the sums of the last bytes that it has of the history, among its
// capabilities, which others pass over; and a primary that has these bytes compares before it
// lets the replica go on. Several lengths are told, since the primary may keep less than the
// replica; it goes by the longest that it can check. Whoever tells nothing (a genuine replica,
// one that has begun with a snapshot at its very offset) is believed, as by Redis.
//
// LIMITATIONS: the sums are of the end only. A change further back is not noticed.

// proofWord begins the capability.
const proofWord = "dozo-tail"

// proofLengths are how many bytes are summed up.
var proofLengths = [...]uint64{64, 1 << 10, 16 << 10}

var proofTable = crc64.MakeTable(crc64.ECMA)

// Summer gives the sum of bytes of a history, false if they are not kept.
type Summer func(from, to uint64) (sum uint64, ok bool)

// Sum is the sum of bytes, given in pieces: former is of those before, 0 for none.
func Sum(former uint64, p []byte) uint64 { return crc64.Update(former, proofTable, p) }

// Prove gives the proof of who stands at an offset, empty if nothing can be proved.
func Prove(at uint64, sum Summer) string {
	var b strings.Builder
	for _, n := range proofLengths {
		if n > at {
			break
		}
		s, ok := sum(at-n, at)
		if !ok {
			break
		}
		if b.Len() == 0 {
			b.WriteString(proofWord)
		}
		fmt.Fprintf(&b, ":%d=%016x", n, s)
	}
	return b.String()
}

// disproved tells what is wrong with a proof, nil if it holds as far as it can be checked.
func disproved(proof string, at uint64, sum Summer) error {
	word, rest, _ := strings.Cut(proof, ":")
	if word != proofWord || sum == nil {
		return nil
	}
	for one := range strings.SplitSeq(rest, ":") {
		length, want, _ := strings.Cut(one, "=")
		n, err := strconv.ParseUint(length, 10, 32)
		told, err2 := strconv.ParseUint(want, 16, 64)
		if err != nil || err2 != nil || n > proofLengths[len(proofLengths)-1] || n > at {
			return fmt.Errorf("what it says of its last bytes makes no sense: %q", one)
		}
		switch s, ok := sum(at-n, at); {
		case !ok:
			return nil
		case s != told:
			return fmt.Errorf("its last %d bytes before offset %d are not those of this history: something else has written to its append only file, or to this server's", n, at)
		}
	}
	return nil
}
