package replication

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"dozo/client"
)

// Replicas that are not wiped.
//
// A primary that comes back without its data, or with data of long ago, tells its replicas
// to begin anew, and those that obey lose what may be the last copy. So a replica looks
// twice before it takes a snapshot, under all of these conditions: it has keys; they are
// of this very primary (same address, and no REPLICAOF by an operator since); and what is
// offered is of another history, or of an earlier moment of the same. It then reads no
// further and asks the primary on another connection for INFO. (To hang up meanwhile would
// cost each replica of a storm two snapshots.) The data is refused if that says
//
//   - it is a primary itself: that the data of a replica changes is its primary's doing;
//   - the process is younger than the end of the link: what was done by commands since
//     (FLUSHALL, another REPLICAOF and back) was meant;
//   - and it has less than a tenth of our keys, or its former history is ours and stops
//     before the place where we stand. Not if it has gone on from its append only file, and
//     all that we have beyond it is in our log: such a file ends where the process was killed
//     or the machine has failed, and lacks no more than appendfsync lets it; which goes to a
//     rescue file here. What a replica has beyond the file of a process that was killed was
//     not even acknowledged.
//
// If INFO is not to be had (an ACL), or says nothing of this, the snapshot is taken if it
// has a tenth of our keys (Receive.KeysMin): it is counted before it takes the place of
// what is there.
//
// While it refuses, the replica keeps its data and its state is connect. It asks again now
// and then, since the primary may be mended, and goes on by itself when it is.
//
// LIMITATIONS: a replica that was restarted itself does not know when it heard its primary
// last, and takes it for a younger process. A primary that restarted twice names our history no more, so that an old
// file of it is only told by its number of keys. A process that was restored together
// with its clock (a snapshot of a machine) is believed.

// guardShare: a primary with fewer keys than one in so many of ours has lost its data.
const guardShare = 10

// clockSlack is by how much a process may seem too young: INFO counts whole seconds.
const clockSlack = 2 * time.Second

// guard is what a link knows for the decision.
type guard struct {
	proven  bool          // the data is of the primary that is followed
	heard   time.Duration // when it was last heard on a link that was up, or -1
	asking  bool
	offered *client.Snapshot // what comes on the connection when the answer is good
	cleared bool             // INFO had nothing against it: the next answer is believed
	keysMin int
	refusal string
}

// suspicious tells whether to look twice at an offered snapshot.
func (l *Link) suspicious(at Position) bool {
	g := &l.guard
	older := at.ID != l.have.ID || at.Offset < l.have.Offset
	return l.settings.KeepData && g.proven && !g.cleared && l.keys > 0 && l.have.Known() && older
}

// askFirst asks beside the connection on which a snapshot is offered.
func (l *Link) askFirst() {
	l.guard.asking, l.guard.offered = true, nil
	l.do(Ask{l.try, l.host, l.port, l.settings.User, l.settings.Password})
}

// askAgain asks whether what was refused can be taken.
func (l *Link) askAgain() {
	l.try++
	l.askFirst()
}

// told decides by what INFO said.
func (l *Link) told(e Told, now time.Duration) {
	g := &l.guard
	if !g.asking {
		return
	}
	g.asking = false
	if e.Err != nil && g.refusal != "" { // it was refused with a reason, and still is
		l.askLater(now)
		return
	}
	g.keysMin = l.keys/guardShare + 1
	why := ""
	if e.Err == nil {
		why = l.judge(parseInfo(e.Info), now)
	}
	if why == "" {
		l.believe(now)
		return
	}
	if l.state == LinkSync {
		l.hangUp("its data is not taken")
		l.state = LinkConnect
		l.fulls--
	}
	if g.refusal == "" {
		l.warn("The data of %s:%d is not taken, since %s. This replica keeps its own data and goes on answering reads. If the primary's data is right, give REPLICAOF %s %d again; if not, promote this replica with REPLICAOF NO ONE.", l.host, l.port, why, l.host, l.port)
	}
	g.refusal, l.trouble = why, "refused: "+why
	l.askLater(now)
}

// believe takes what was offered, or sees what is offered now.
func (l *Link) believe(now time.Duration) {
	g := &l.guard
	g.refusal = ""
	switch {
	case l.state != LinkSync:
		g.cleared = true
		l.dial(now)
	case g.offered != nil:
		l.receive(*g.offered)
	}
}

func (l *Link) askLater(now time.Duration) {
	l.due = now + retryGuardMin + time.Duration(uniform(l.rand, uint64(retryGuardMax-retryGuardMin)))
}

// judge says what there is against the primary's data.
func (l *Link) judge(i primaryInfo, now time.Duration) string {
	g := &l.guard
	if !i.primary || (g.heard >= 0 && i.uptime > now-g.heard+clockSlack) {
		l.guard.keysMin = 0
		return ""
	}
	if i.keys*guardShare < l.keys {
		return fmt.Sprintf("it was restarted and has %d keys, where this replica has %d of it", i.keys, l.keys)
	}
	if i.former == l.have.ID && i.formerEnd-1 < int64(l.have.Offset) && !(i.fromFile && i.formerEnd-1 >= int64(l.kept)) {
		return fmt.Sprintf("it was restarted with older data: it knows %d bytes of the writes, and this replica has %d", i.formerEnd-1, l.have.Offset)
	}
	return ""
}

// primaryInfo is what a guard reads in INFO.
type primaryInfo struct {
	primary   bool
	uptime    time.Duration
	keys      int
	former    string
	formerEnd int64 // as on the wire
	fromFile  bool  // and is what its append only file had
}

// parseInfo reads INFO. What is missing counts against nobody: no role is no primary.
func parseInfo(text string) primaryInfo {
	var i primaryInfo
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		switch {
		case name == "role":
			i.primary = value == "master"
		case name == "uptime_in_seconds":
			n, _ := strconv.ParseInt(value, 10, 32)
			i.uptime = time.Duration(n) * time.Second
		case name == "master_replid2":
			i.former = value
		case name == "second_repl_offset":
			i.formerEnd, _ = strconv.ParseInt(value, 10, 64)
		case name == "dozo_resumed_from":
			i.fromFile = value == "aof"
		case strings.HasPrefix(name, "db") && strings.HasPrefix(value, "keys="):
			number, _, _ := strings.Cut(value[len("keys="):], ",")
			n, _ := strconv.Atoi(number)
			i.keys += n
		}
	}
	return i
}
