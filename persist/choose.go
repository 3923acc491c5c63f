package persist

import (
	"fmt"
	"strings"
)

// source is what the data is loaded from.
type source uint8

const (
	fromNothing source = iota
	fromRDB
	fromAOF
)

// RefusedError says why the server does not start with what lies in its folder.
type RefusedError struct{ found, meaning, remedy string }

func (e *RefusedError) Error() string {
	return fmt.Sprintf("the data in the folder is not what the configuration would load. %s %s %s Nothing was changed. "+
		"`startup-data-check no` starts as the configuration says all the same.", e.found, e.meaning, e.remedy)
}

// choose says what is loaded, by the configuration and by what there is. The error is a
// *RefusedError: then the first result is what would be loaded without the check.
//
// With both kinds of file there, which of them is the newer one is known by the marker of
// the last run, if it has left one, else by their times. In a run that writes the append
// only file that is always complete, whereas a snapshot that is younger may hold just the
// same: so with appendonly yes only a marker speaks against it.
func choose(f *findings, appendOnly bool) (source, error) {
	want := f.wanted(appendOnly)
	if k := f.marker; k != nil && k.MovedTo != "" {
		return want, &RefusedError{
			"The last run has moved its data to " + k.MovedTo + " (CONFIG SET dir).", "What lies here is older.",
			"Set `dir` to that folder.",
		}
	}
	switch want {
	case fromNothing:
		return want, f.refuseEmpty()
	case fromAOF:
		if k := f.marker; k != nil && !k.AOF && f.rdb != nil && f.rdb.at > f.aof.at {
			return want, &RefusedError{
				fmt.Sprintf("There are %v and %v, and the last run did not write the append only file.", f.rdb, f.aof),
				"With appendonly yes the older data would be loaded.",
				"Start with appendonly no, and turn it on with CONFIG SET once the snapshot is loaded.",
			}
		}
	case fromRDB:
		if !appendOnly && f.aof != nil && f.hasMore() {
			return want, f.refuseStaleRDB()
		}
		if k := f.marker; k != nil && !appendOnly && k.RDB != "" && f.elsewhere(k.RDB) {
			return want, &RefusedError{
				fmt.Sprintf("The last run has saved to %s, and `dbfilename` names another file.", k.RDB),
				"What it names is older.", "Set `dbfilename` to that file, or move it away.",
			}
		}
	}
	return want, nil
}

// wanted is what the configuration loads. Without an append only file a snapshot is
// taken for it, which Redis does not do: there turning it on loses the data.
func (f *findings) wanted(appendOnly bool) source {
	switch {
	case appendOnly && f.aof != nil:
		return fromAOF
	case f.rdb != nil:
		return fromRDB
	}
	return fromNothing
}

// hasMore tells whether the append only file may have writes that the snapshot, which
// says when it was taken, has not. Times are seconds: of the same one only a run that
// wrote the append only file makes that likely.
func (f *findings) hasMore() bool {
	return f.aof.at > f.rdb.at || f.aof.at == f.rdb.at && f.marker != nil && f.marker.AOF
}

// refuseStaleRDB is for appendonly no beside an append only file that is newer.
func (f *findings) refuseStaleRDB() error {
	return &RefusedError{
		fmt.Sprintf("There are %v and %v, which was written to after that.", f.rdb, f.aof),
		"With appendonly no the older data would be loaded: a run with appendonly yes (by CONFIG SET, perhaps) has not been written to the configuration.",
		"Set appendonly yes, or move the append only file away if it is not wanted.",
	}
}

// refuseEmpty is for a start without data beside data.
func (f *findings) refuseEmpty() error {
	var names []string
	if f.aof != nil {
		names = append(names, f.aof.String())
	}
	for i := range f.others {
		names = append(names, f.others[i].String())
	}
	if len(names) == 0 {
		return nil
	}
	return &RefusedError{
		"There are: " + strings.Join(names, ", ") + ".",
		"The server would start empty beside them, since `appendonly`, `dbfilename`, `appenddirname` and `appendfilename` name none of them.",
		"Correct these, or move the files away if they are not wanted.",
	}
}

// elsewhere tells whether a name is among the other files.
func (f *findings) elsewhere(name string) bool {
	for i := range f.others {
		if f.others[i].name == name && f.others[i].at > f.rdb.at {
			return true
		}
	}
	return false
}
