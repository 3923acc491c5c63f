package persist

import (
	"fmt"
	"strings"
	"time"
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
	for _, refuse := range []func(source, bool) *RefusedError{f.moved, f.formerAOF, f.lostManifest, f.refuseEmpty, f.olderAOF, f.restored, f.olderRDB, f.otherRDB, f.lostAOF} {
		if err := refuse(want, appendOnly); err != nil {
			return want, err
		}
	}
	return want, nil
}

// moved is for a folder which the last run has left by CONFIG SET dir.
func (f *findings) moved(source, bool) *RefusedError {
	k := f.marker
	if k == nil || k.MovedTo == "" {
		return nil
	}
	return &RefusedError{
		"The last run has moved its data to " + k.MovedTo + " (CONFIG SET dir).", "What lies here is older.",
		"Set `dir` to that folder.",
	}
}

// formerAOF is for an append only file that the configuration does not name any more.
func (f *findings) formerAOF(source, bool) *RefusedError {
	if f.former == nil {
		return nil
	}
	return &RefusedError{
		fmt.Sprintf("The last run has kept its data in %v.", f.former),
		"`dir`, `appenddirname` and `appendfilename` name another place, and what lies there is older.",
		"Correct these, or move the append only file to where they say.",
	}
}

// olderAOF is for an append only file that the last run did not write. Of the same second
// the run has left word which of the two is the newer one.
func (f *findings) olderAOF(want source, _ bool) *RefusedError {
	k := f.marker
	if want != fromAOF || k == nil || k.AOF || f.rdb == nil {
		return nil
	}
	older := f.rdb.at > f.aof.at || f.rdb.at == f.aof.at && !k.AOFNewer
	if !older && f.aof.at <= f.now+clockSlack {
		return nil
	}
	return &RefusedError{
		fmt.Sprintf("There are %v and %v, and the last run did not write the append only file, or has not finished making it.", f.rdb, f.aof),
		"With appendonly yes the older data would be loaded.",
		"Start with appendonly no, and turn it on with CONFIG SET once the snapshot is loaded.",
	}
}

// restored is for a snapshot that was put in the place of the last run's, which nobody
// would look at. One that was put back together with its append only file is not meant:
// that has an older base.
func (f *findings) restored(want source, _ bool) *RefusedError {
	k := f.marker
	if want != fromAOF || k == nil || !k.AOF || f.rdb == nil || f.rdb.bytes == 0 || k.RDB != f.rdb.name {
		return nil
	}
	if f.rdb.at >= k.SavedAt && (k.SavedAt != 0 || f.rdb.at >= k.At) || f.baseSeq() < k.AOFBase {
		return nil
	}
	return &RefusedError{
		fmt.Sprintf("There is %v, which is not the snapshot that the last run has left: it was put there since. There is also %v.", f.rdb, f.aof),
		"With appendonly yes the append only file would be loaded, and the snapshot ignored.",
		"To go back to the snapshot move the append only file away; else move the snapshot away.",
	}
}

// baseSeq is the number of the base of the append only file that is there; 0 = it has none.
func (f *findings) baseSeq() int64 {
	if f.set == nil || f.set.Manifest.Base == nil {
		return 0
	}
	return f.set.Manifest.Base.Seq
}

// olderRDB is for appendonly no beside an append only file that is newer.
func (f *findings) olderRDB(want source, appendOnly bool) *RefusedError {
	if want != fromRDB || appendOnly || f.aof == nil || !f.hasMore() {
		return nil
	}
	return &RefusedError{
		fmt.Sprintf("There are %v and %v, which was written to after that.", f.rdb, f.aof),
		"With appendonly no the older data would be loaded: a run with appendonly yes (by CONFIG SET, perhaps) has not been written to the configuration.",
		"Set appendonly yes, or move the append only file away if it is not wanted.",
	}
}

// otherRDB is for a snapshot of another name.
func (f *findings) otherRDB(want source, _ bool) *RefusedError {
	k := f.marker
	if want != fromRDB || k == nil || k.RDB == "" || !f.elsewhere(k.RDB) {
		return nil
	}
	return &RefusedError{
		fmt.Sprintf("The last run has saved to %s, and `dbfilename` names another file.", k.RDB),
		"What it names is older.", "Set `dbfilename` to that file, or move it away.",
	}
}

// lostAOF is for the snapshot of a run whose append only file is gone. A snapshot that
// was put there since is meant.
func (f *findings) lostAOF(want source, appendOnly bool) *RefusedError {
	k := f.marker
	if want != fromRDB || f.aof != nil || k == nil || !k.AOF || k.Final || k.RDB != f.rdb.name || k.SavedAt != f.rdb.at {
		return nil
	}
	return &RefusedError{
		fmt.Sprintf("There is %v, and the last run has kept its data in the append only file %s, which is not there.", f.rdb, k.AOFName),
		"The snapshot is older.",
		fmt.Sprintf("Put the append only file back; to go on with the snapshot, remove %s.", markerName(k.RDB)),
	}
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

// wiped says what the last run has left of which nothing is there, "" = it is, or there was
// nothing. Who removes the data means it, mostly; so that is no reason not to start.
func (f *findings) wiped() string {
	k := f.marker
	switch {
	case k == nil || f.rdb != nil || f.aof != nil:
		return ""
	case k.AOF:
		return "its data in the append only file " + k.AOFName
	case k.SavedAt != 0:
		return "a snapshot of " + time.Unix(k.SavedAt, 0).UTC().Format(time.RFC3339) + " in " + k.RDB
	}
	return ""
}

// hasMore tells whether the append only file may have writes that the snapshot, which
// says when it was taken, has not. Times are seconds: of the same one that is what the
// last run has left word of. A time that is not yet was taken from a clock that was wrong,
// and says nothing.
func (f *findings) hasMore() bool {
	k := f.marker
	switch {
	case f.aof.empty:
		return false
	case k != nil && k.Final && k.RDB == f.rdb.name && k.SavedAt == f.rdb.at && f.aof.at <= k.At:
		return false // the run has saved when nobody wrote any more
	case f.rdb.at > f.now+clockSlack:
		return true
	}
	return f.aof.at > f.rdb.at || f.aof.at == f.rdb.at && k != nil && (k.AOF || k.AOFNewer)
}

// clockSlack is how many seconds the clocks of two machines may be apart.
const clockSlack = 60

// lostManifest is for an append only file of which everything is there but the manifest. A
// run that was killed while it made its first one leaves the same, and has said that it
// keeps its data elsewhere, or has none.
func (f *findings) lostManifest(want source, _ bool) *RefusedError {
	if k := f.marker; want != fromNothing || len(f.orphans) == 0 || k != nil && !k.AOF {
		return nil
	}
	return &RefusedError{
		"There are files of an append only file, " + strings.Join(f.orphans, ", ") + ", and no manifest that names them.",
		"The server would start empty beside them.",
		"Put the manifest back, or write it by hand from the names of the files; or move the files away if they are not wanted.",
	}
}

// refuseEmpty is for a start without data beside data.
func (f *findings) refuseEmpty(want source, _ bool) *RefusedError {
	if want != fromNothing {
		return nil
	}
	var names []string
	if f.aof != nil && !f.aof.empty {
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

// elsewhere tells whether a name is among the other files, with newer data.
func (f *findings) elsewhere(name string) bool {
	for i := range f.others {
		if f.others[i].name == name && f.others[i].at > f.rdb.at {
			return true
		}
	}
	return false
}
