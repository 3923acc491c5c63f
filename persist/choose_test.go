package persist

import (
	"errors"
	"strings"
	"testing"
)

// What lies in the folder, in the words of the cases: a file and the hour of its last
// write.
func snapshotOf(at int64) *dataFile { return &dataFile{name: "dump.rdb", bytes: 1000, at: at} }
func aofOf(at int64) *dataFile {
	return &dataFile{name: "append only file appendonly.aof", bytes: 2000, at: at}
}

// TestChoose: what would be lost without a word is refused with words, and nothing else
// is.
func TestChoose(t *testing.T) {
	with := &marker{Version: markerVersion, RDB: "dump.rdb", AOF: true}
	without := &marker{Version: markerVersion, RDB: "dump.rdb"}
	final := &marker{At: 9, RDB: "dump.rdb", SavedAt: 9, Final: true, AOF: true}
	const future = 9 + clockSlack + 1
	for _, c := range []struct {
		name       string
		found      findings
		appendOnly bool
		want       source
		refused    string // a part of the message; "" = it starts
	}{
		{"an empty folder", findings{}, false, fromNothing, ""},
		{"an empty folder, AOF", findings{}, true, fromNothing, ""},
		{"a snapshot", findings{rdb: snapshotOf(5)}, false, fromRDB, ""},
		{"an AOF", findings{aof: aofOf(5)}, true, fromAOF, ""},
		{"both, saved at the end within the second", findings{rdb: snapshotOf(9), aof: aofOf(9), marker: final}, false, fromRDB, ""},
		{"the same, and another server has written the AOF since", findings{rdb: snapshotOf(9), aof: aofOf(12), marker: final}, false, fromRDB, "older data would be loaded"},
		{"the clock was ahead when the snapshot was taken", findings{rdb: snapshotOf(future), aof: aofOf(9), now: 9}, false, fromRDB, "older data would be loaded"},
		{"the clock was ahead when the AOF was written, which is off since", findings{rdb: snapshotOf(9), aof: aofOf(future), marker: without, now: 9}, true, fromAOF, "last run did not write"},
		{"the clock was ahead all the time, AOF on", findings{rdb: snapshotOf(future), aof: aofOf(future), marker: &marker{RDB: "dump.rdb", AOF: true, SavedAt: future}, now: 9}, true, fromAOF, ""},
		{"AOF turned off within the second of the snapshot", findings{rdb: snapshotOf(9), aof: aofOf(9), marker: &marker{RDB: "dump.rdb", AOFNewer: true}}, false, fromRDB, "older data would be loaded"},
		{"the same, with appendonly yes", findings{rdb: snapshotOf(9), aof: aofOf(9), marker: &marker{RDB: "dump.rdb", AOFNewer: true}}, true, fromAOF, ""},
		{"AOF turned off and saved within the second", findings{rdb: snapshotOf(9), aof: aofOf(9), marker: without}, true, fromAOF, "last run did not write"},
		{"the same, with appendonly no", findings{rdb: snapshotOf(9), aof: aofOf(9), marker: without}, false, fromRDB, ""},
		{"an AOF without keys beside an old snapshot", findings{rdb: snapshotOf(5), aof: &dataFile{at: 9, empty: true}}, false, fromRDB, ""},
		{"redis#837: appendonly yes with a snapshot and no AOF", findings{rdb: snapshotOf(5)}, true, fromRDB, ""},
		{"both, AOF on", findings{rdb: snapshotOf(9), aof: aofOf(5), marker: &marker{RDB: "dump.rdb", AOF: true, SavedAt: 9}}, true, fromAOF, ""},
		{"both, AOF on, of a genuine server", findings{rdb: snapshotOf(9), aof: aofOf(5)}, true, fromAOF, ""},
		{"the forgotten CONFIG SET appendonly yes", findings{rdb: snapshotOf(5), aof: aofOf(9)}, false, fromRDB, "older data would be loaded"},
		{"the same in one second", findings{rdb: snapshotOf(9), aof: aofOf(9), marker: with}, false, fromRDB, "older data would be loaded"},
		{"the same, saved at the end", findings{rdb: snapshotOf(9), aof: aofOf(5), marker: with}, false, fromRDB, ""},
		{"the same without a snapshot", findings{aof: aofOf(9)}, false, fromNothing, "start empty"},
		{"AOF turned off, saved since", findings{rdb: snapshotOf(9), aof: aofOf(5), marker: without}, false, fromRDB, ""},
		{"AOF turned off, saved since, turned on in the file", findings{rdb: snapshotOf(9), aof: aofOf(5), marker: without}, true, fromAOF, "last run did not write the append only file"},
		{"a snapshot of another name", findings{others: []dataFile{*snapshotOf(5)}}, false, fromNothing, "start empty"},
		{"a snapshot of another name, AOF", findings{others: []dataFile{*snapshotOf(5)}}, true, fromNothing, "start empty"},
		{"a manifest that is gone", findings{orphans: []string{"a.1.incr.aof"}, marker: with}, true, fromNothing, "no manifest that names them"},
		{"the same, of a genuine server", findings{orphans: []string{"a.1.incr.aof"}}, true, fromNothing, "no manifest that names them"},
		{"a first AOF that was not finished", findings{orphans: []string{"a.1.base.rdb"}, marker: without}, true, fromNothing, ""},
		{"a backup beside the data", findings{rdb: snapshotOf(9), others: []dataFile{{name: "old.rdb", at: 5}}}, false, fromRDB, ""},
		{
			"the forgotten CONFIG SET dbfilename",
			findings{rdb: &dataFile{name: "dump.rdb", at: 5}, others: []dataFile{{name: "new.rdb", at: 9}}, marker: &marker{RDB: "new.rdb"}},
			false, fromRDB, "`dbfilename` names another file",
		},
		{"the forgotten CONFIG SET dir", findings{rdb: snapshotOf(5), marker: &marker{MovedTo: "/data"}}, false, fromRDB, "Set `dir`"},
		{"the same, with an empty folder", findings{marker: &marker{MovedTo: "/data"}}, true, fromNothing, "/data"},
	} {
		got, err := choose(&c.found, c.appendOnly)
		var refused *RefusedError
		switch {
		case got != c.want:
			t.Errorf("%s: from %d, want %d", c.name, got, c.want)
		case c.refused == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.refused != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: the error is %v, want one with %q", c.name, err, c.refused)
		}
	}
}
