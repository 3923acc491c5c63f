package replication

import (
	"strconv"
	"strings"

	"dozo/oplog"
)

// ForkFrom is up to which offset the history here is the primary's, too, given where it
// ends, the position of the snapshot that the primary offers, and what its INFO says ("" =
// it does not tell). What lies behind it, up to the end, is what the primary never saw. It
// is false if the two have no name in common: nobody knows then.
//
// A Dozo primary tells its lineage; a genuine one the last two names. A name in the reply to
// PSYNC counts more than INFO, which may be of a moment later.
func ForkFrom(ours Lineage, end uint64, offered Position, info string) (at uint64, known bool) {
	if !offered.Known() {
		return 0, false
	}
	theirs, ok := infoLineage(info)
	if !ok || theirs.find(offered.ID) < 0 {
		theirs = NewLineage(offered.ID)
	}
	return ours.Fork(end, theirs, offered.Offset)
}

// infoLineage reads a lineage in INFO.
func infoLineage(info string) (l Lineage, ok bool) {
	var id, former string
	formerEnd := int64(0)
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch name {
		case "dozo_lineage":
			if l, err := ParseLineage(value); err == nil {
				return l, true
			}
		case "master_replid":
			id = value
		case "master_replid2":
			former = value
		case "second_repl_offset":
			formerEnd, _ = strconv.ParseInt(value, 10, 64) // 0 is none
		}
	}
	switch from, err := oplog.FromWire(formerEnd); {
	case len(id) != IDLength:
		return Lineage{}, false
	case err == nil && len(former) == IDLength:
		return NewLineage(former).Shift(id, from), true
	}
	return NewLineage(id), true
}
