package replication

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"dozo/client"
	"dozo/env"
)

// LinkState is how far a link is, in ROLE's words.
type LinkState uint8

// The states of a link.
const (
	LinkNone       LinkState = iota // follows nobody
	LinkConnect                     // waits for the time of the next try
	LinkConnecting                  // a connection was asked for
	LinkHandshake                   // introduces itself, or waits for PSYNC's answer
	LinkSync                        // waits for a snapshot, receives or loads it
	LinkConnected                   // receives writes
)

func (s LinkState) String() string {
	return [...]string{"none", "connect", "connecting", "handshake", "sync", "connected"}[s]
}

// How long a link waits before it tries again: a random part of the first, which doubles
// with each failure up to the limit. Replicas that were cut off together therefore do not
// come back together. A primary that does not answer costs nothing to ask, and every
// second counts when it is back; one that must make a snapshot each time has to be spared.
const (
	retryFirst    = 200 * time.Millisecond
	retryMax      = time.Second
	retryFullMax  = 10 * time.Second // after a failure that cost the primary a snapshot
	retryGuardMin = time.Second      // between questions to a primary without its data
	retryGuardMax = 5 * time.Second

	// stableAfter is how long a link must be up for the snapshots before to be forgotten.
	stableAfter = 30 * time.Second
	beatPeriod  = time.Second // of Ack and Newline
	doublingMax = 10          // no wait doubles more often, so that it cannot overflow
)

// Never is a time that does not come.
const Never = time.Duration(1<<63 - 1)

// LinkSettings are what an operator chooses. They count from the next step on.
type LinkSettings struct {
	User, Password string        // masteruser, masterauth
	Port           int           // where this server listens, as the primary shall show it
	IP             string        // replica-announce-ip; may be empty
	Version        string        // told to primaries that ask for it; may be empty
	Timeout        time.Duration // repl-timeout
	KeepData       bool          // replica-refuse-older-primary
}

// Link is the connection of a replica to its primary; see the package's comment.
type Link struct {
	settings LinkSettings
	rand     env.Rand
	out      []Effect

	state LinkState
	host  string
	port  int
	try   uint64

	// The connection's.
	awaited  []reply // handshake: the replies that are still to come
	have     Position
	kept     uint64
	proof    string // of have
	keys     int
	full     Position // LinkSync
	acks     bool     // the primary knows of offsets
	size     int64    // of the snapshot; 0 = not known, -1 = not announced yet
	read     int64
	whole    bool          // all of it came
	lastIO   time.Duration // when the primary was heard
	upSince  time.Duration
	fullSync bool // it began with a snapshot

	// The row of tries'.
	due       time.Duration // LinkConnect: of the next try
	beat      time.Duration // of the next Ack or Newline
	fails     int           // tries that ended without an answer to PSYNC
	fulls     int           // snapshots since the link was last stable
	downSince time.Duration // -1 = never up
	failover  bool
	asked     bool          // PSYNC FAILOVER was sent, by this try or a former one
	askedAt   time.Duration // the first time
	doubt     bool          // by a former one, and never answered: the primary may have taken over
	trouble   string        // why the last connection ended
	guard     guard
}

// NewLink is a link that follows nobody.
func NewLink(s LinkSettings, r env.Rand) *Link {
	return &Link{settings: s, rand: r, downSince: -1, size: -1}
}

// Set changes the settings.
func (l *Link) Set(s LinkSettings) { l.settings = s }

// Step takes what happened, and when on a clock that never goes back, and gives what is
// to be done, valid until the next step.
func (l *Link) Step(e Event, now time.Duration) []Effect {
	l.out = l.out[:0]
	if try := e.try(); try != 0 && try != l.try {
		return nil
	}
	l.handle(e, now)
	return l.out
}

func (l *Link) handle(e Event, now time.Duration) {
	switch e := e.(type) {
	case Follow:
		l.follow(e, now)
	case Unfollow:
		l.unfollow()
	case Connected:
		l.connected(e, now)
	case Line:
		l.line(e.Text, now)
	case Received:
		l.received(e, now)
	case Loaded:
		l.loaded(now)
	case Heard:
		l.lastIO = now
	case Lost:
		l.lost(e.Err, now)
	case Told:
		l.told(e, now)
	case Tick:
		l.tick(now)
	}
}

func (l *Link) do(e Effect) { l.out = append(l.out, e) }

func (l *Link) log(format string, args ...any) { l.do(Log{Text: fmt.Sprintf(format, args...)}) }

func (l *Link) warn(format string, args ...any) {
	l.do(Log{Text: fmt.Sprintf(format, args...), Warning: true})
}

// follow begins anew, with another primary or after an operator said the same again.
func (l *Link) follow(e Follow, now time.Duration) {
	l.hangUp("another primary is to be followed")
	if l.state == LinkConnected {
		l.downSince = now
	}
	*l = Link{
		settings: l.settings, rand: l.rand, out: l.out, try: l.try, downSince: l.downSince, size: -1,
		host: e.Host, port: e.Port, failover: e.Failover, guard: guard{proven: e.Known, heard: -1},
	}
	l.log("Connecting to MASTER %s:%d", l.host, l.port)
	l.dial(now)
}

func (l *Link) unfollow() {
	l.hangUp("this server follows no primary any more")
	*l = Link{settings: l.settings, rand: l.rand, out: l.out, try: l.try, downSince: -1, size: -1}
}

// hangUp gives up what there is of a connection; nothing of it is heard any more.
func (l *Link) hangUp(why string) {
	if l.state > LinkConnect || l.guard.asking {
		l.do(Close{l.try, why})
	}
	l.try++
	l.guard.asking = false
}

// dial makes a try.
func (l *Link) dial(now time.Duration) {
	l.try++
	l.state, l.lastIO, l.size, l.read, l.whole = LinkConnecting, now, -1, 0, false
	l.do(Dial{l.try, l.host, l.port})
	l.log("MASTER <-> REPLICA sync started")
}

// connected begins the handshake: PING first, since what comes back says whether there
// is a server that answers at all, and only then what tells it something.
func (l *Link) connected(e Connected, now time.Duration) {
	if l.state != LinkConnecting {
		return
	}
	l.state, l.lastIO = LinkHandshake, now
	l.have, l.kept, l.proof, l.keys = e.Have, e.Kept, e.Proof, e.Keys
	l.awaited = append(l.awaited[:0], replyPing)
	l.send("PING")
}

func (l *Link) send(args ...string) { l.do(Send{Args: args}) }

// line is one line of what the primary says before snapshot or stream.
func (l *Link) line(text string, now time.Duration) {
	l.lastIO = now
	switch {
	case l.state == LinkHandshake && len(l.awaited) != 0:
		l.answered(text, now)
	case l.state == LinkSync && l.size < 0:
		l.announced(text, now)
	}
}

// announced takes the line before the snapshot.
func (l *Link) announced(line string, now time.Duration) {
	if line == "" { // the primary lives, and makes the snapshot
		return
	}
	s, err := client.ParseSnapshot(line)
	switch {
	case err == nil:
	case line[0] == '-':
		l.fail(now, "MASTER aborted replication with an error: %s", line[1:])
		return
	default:
		l.fail(now, "Bad protocol from MASTER, the first byte is not '$' (we received '%s'), are you sure the host and port are right?", line)
		return
	}
	l.size = s.Size
	if l.guard.asking {
		l.guard.offered = &s
		l.do(Hold{})
		return
	}
	l.receive(s)
}

// receive has the snapshot taken that is about to come.
func (l *Link) receive(s client.Snapshot) {
	if s.Mark != nil {
		l.log("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to parser")
	} else {
		l.log("MASTER <-> REPLICA sync: receiving %d bytes from master to parser", s.Size)
	}
	l.do(Receive{At: l.full, Snapshot: s, KeysMin: l.guard.keysMin})
}

func (l *Link) received(e Received, now time.Duration) {
	if l.state != LinkSync {
		return
	}
	l.read += e.Bytes
	l.whole = l.whole || e.Whole
	l.lastIO = now
}

// loaded ends a full resync.
func (l *Link) loaded(now time.Duration) {
	if l.state != LinkSync {
		return
	}
	l.log("MASTER <-> REPLICA sync: Finished with success")
	l.stream(Stream{At: l.full, Full: true}, now)
}

// stream is the begin of what the link is for.
func (l *Link) stream(s Stream, now time.Duration) {
	l.state, l.fullSync, l.whole = LinkConnected, s.Full, false
	l.lastIO, l.upSince, l.downSince, l.fails, l.trouble = now, now, -1, 0, ""
	l.guard = guard{proven: true, heard: now}
	l.do(s)
	l.beat = now + beatPeriod
	if l.acks { // at once: a primary that sent a mark waits for it
		l.do(Ack{})
	}
}

// lost is the end of a connection that nobody here wanted.
func (l *Link) lost(err error, now time.Duration) {
	why := "the connection was closed"
	if err != nil {
		why = err.Error()
	}
	switch l.state {
	case LinkConnecting:
		l.fail(now, "Unable to connect to MASTER: %s", why)
	case LinkHandshake:
		l.fail(now, "Master did not respond to command during SYNC handshake: %s", why)
	case LinkSync:
		l.fail(now, "I/O error trying to sync with MASTER: %s", why)
	case LinkConnected:
		l.fail(now, "Connection with master lost: %s", why)
	}
}

// fail ends a try, with its reason.
func (l *Link) fail(now time.Duration, format string, args ...any) {
	l.trouble = fmt.Sprintf(format, args...)
	l.warn("%s", l.trouble)
	switch {
	case l.failover && !l.asked:
		l.handedOver("Failover target cannot be reached: " + l.trouble)
	case l.failover:
		l.warn("The failover's target may have taken over without our knowing. It is asked again.")
		l.do(HandedOver{Doubt: true})
	}
	l.hangUp(l.trouble)
	l.guard.cleared, l.guard.keysMin = false, 0
	limit, row := retryMax, 1
	switch l.state {
	case LinkConnected:
		l.guard.heard = l.lastIO
		l.downSince = now
		if now-l.upSince >= stableAfter {
			l.fulls = 0
		}
		if l.fullSync && l.fulls > 1 {
			limit, row = retryFullMax, l.fulls
		}
	case LinkSync:
		limit, row = retryFullMax, l.fulls
	default:
		l.fails++
		row = l.fails
	}
	l.state = LinkConnect
	l.due = now + l.jitter(limit, row)
}

// jitter is how long to wait before a try that follows a row of failures.
func (l *Link) jitter(limit time.Duration, row int) time.Duration {
	most := min(limit, retryFirst<<min(max(row-1, 0), doublingMax))
	return time.Duration(uniform(l.rand, uint64(most)))
}

// tick does what time asks for.
func (l *Link) tick(now time.Duration) {
	switch {
	case l.state == LinkNone:
	case l.state == LinkConnect:
		l.tickWaiting(now)
	case !l.whole && now-l.lastIO > l.settings.Timeout:
		l.timeout(now)
	case l.state >= LinkSync && now >= l.beat:
		l.beat = now + beatPeriod
		if l.state == LinkSync {
			l.do(Newline{})
		} else if l.acks {
			l.do(Ack{})
		}
	}
}

// tickWaiting tries again when it is time.
func (l *Link) tickWaiting(now time.Duration) {
	if now < l.due || l.guard.asking {
		return
	}
	if l.guard.refusal != "" {
		l.askAgain()
		return
	}
	l.log("Connecting to MASTER %s:%d", l.host, l.port)
	l.dial(now)
}

// timeout ends a connection on which nothing has come.
func (l *Link) timeout(now time.Duration) {
	switch l.state {
	case LinkSync:
		l.fail(now, "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' parameter in redis.conf to a larger value.")
	case LinkConnected:
		l.fail(now, "MASTER timeout: no data nor PING received...")
	default:
		l.fail(now, "Timeout connecting to the MASTER...")
	}
}

// Due is when the next Tick is wanted, or a time that never comes.
func (l *Link) Due() time.Duration {
	switch {
	case l.state == LinkNone, l.state == LinkConnect && l.guard.asking:
		return Never
	case l.state == LinkConnect:
		return l.due
	}
	end := Never
	if !l.whole {
		end = l.lastIO + l.settings.Timeout + 1
	}
	if l.state >= LinkSync {
		end = min(end, l.beat)
	}
	return end
}

// LinkStatus is what INFO and ROLE tell of a link.
type LinkStatus struct {
	State     LinkState
	Host      string
	Port      int
	LastIO    time.Duration // since the primary was heard; LinkSync and LinkConnected
	DownFor   time.Duration // since the link was up, or -1 if it never was
	SyncSize  int64         // of the snapshot: 0 = not known, -1 = not announced yet
	SyncRead  int64
	Trouble   string // why the last connection ended; empty when it is up
	KeepsData string // why the primary's data is refused; empty if it is not
}

// Status is how the link stands.
func (l *Link) Status(now time.Duration) LinkStatus {
	s := LinkStatus{
		State: l.state, Host: l.host, Port: l.port, LastIO: now - l.lastIO, DownFor: -1,
		SyncSize: l.size, SyncRead: l.read, Trouble: l.trouble, KeepsData: l.guard.refusal,
	}
	if l.downSince >= 0 {
		s.DownFor = now - l.downSince
	}
	return s
}

// Try is the number of the connection that the link has or tries to have.
func (l *Link) Try() uint64 { return l.try }

// parseFull reads PSYNC's "+FULLRESYNC id offset". A primary that gives no usable
// position is followed all the same, without one.
func parseFull(line string) (Position, bool) {
	words := strings.Fields(line)
	if len(words) != 3 || len(words[1]) != IDLength {
		return Position{}, false
	}
	offset, err := strconv.ParseInt(words[2], 10, 64)
	if err != nil || offset < 0 {
		return Position{}, false
	}
	return Position{words[1], uint64(offset)}, true
}
