package replication

import (
	"strconv"
	"strings"
	"time"

	"dozo/oplog"
)

// reply is what a line of the handshake answers.
type reply uint8

const (
	replyPing reply = iota
	replyAuth
	replyPort
	replyIP
	replyCapa
	replyVersion
	replyPsync
)

// name is how a reply that may be refused is called in the log.
func (r reply) name() string {
	return [...]string{replyPort: "listening-port", replyIP: "ip-address", replyCapa: "capa", replyVersion: "version"}[r]
}

// answered takes the answer to the first thing that is awaited.
func (l *Link) answered(line string, now time.Duration) {
	what := l.awaited[0]
	if what == replyPsync {
		l.psynced(line, now)
		return
	}
	l.awaited = l.awaited[1:]
	switch {
	case what == replyPing:
		l.ponged(line, now)
		return
	case !strings.HasPrefix(line, "-"):
	case what == replyAuth:
		l.fail(now, "Unable to AUTH to MASTER: %s", line)
		return
	default: // older servers do not know all of these
		l.log("(Non critical) Master does not understand REPLCONF %s: %s", what.name(), line)
	}
	if len(l.awaited) == 0 {
		l.psync(now)
	}
}

// ponged takes the answer to PING. That a password is wanted is an answer, too.
func (l *Link) ponged(line string, now time.Duration) {
	for _, fine := range []string{"+", "-NOAUTH", "-NOPERM", "-ERR operation not permitted"} {
		if strings.HasPrefix(line, fine) {
			l.log("Master replied to PING, replication can continue...")
			l.introduce()
			return
		}
	}
	l.fail(now, "Error reply to PING from master: '%s'", line)
}

// introduce sends who we are, all at once.
func (l *Link) introduce() {
	s := &l.settings
	switch {
	case s.Password != "" && s.User != "":
		l.tell(replyAuth, "AUTH", s.User, s.Password)
	case s.Password != "":
		l.tell(replyAuth, "AUTH", s.Password)
	}
	l.tell(replyPort, "REPLCONF", "listening-port", strconv.Itoa(s.Port))
	if s.IP != "" {
		l.tell(replyIP, "REPLCONF", "ip-address", s.IP)
	}
	capa := []string{"REPLCONF", "capa", "eof", "capa", "psync2", "capa", "dozo1"}
	if l.proof != "" {
		capa = append(capa, "capa", l.proof)
	}
	l.tell(replyCapa, capa...)
	if s.Version != "" {
		l.tell(replyVersion, "REPLCONF", "version", s.Version)
	}
}

func (l *Link) tell(r reply, args ...string) {
	l.awaited = append(l.awaited, r)
	l.send(args...)
}

// psync asks for what follows the data that we have.
func (l *Link) psync(now time.Duration) {
	args := []string{"PSYNC", "?", "-1"}
	if l.have.Known() {
		args[1], args[2] = l.have.ID, strconv.FormatInt(oplog.ToWire(l.have.Offset), 10)
		l.log("Trying a partial resynchronization (request %s:%s).", args[1], args[2])
	} else {
		l.log("Partial resynchronization not possible (no cached master)")
	}
	l.awaited = append(l.awaited, replyPsync)
	if l.failover {
		args = append(args, "FAILOVER")
		if l.doubt = l.asked; !l.doubt {
			l.asked, l.askedAt = true, now
		}
	}
	l.do(Send{Args: args, Failover: l.failover})
}

// psynced takes PSYNC's answer; empty lines before it say that the primary lives.
func (l *Link) psynced(line string, now time.Duration) {
	if line == "" {
		return
	}
	l.awaited = l.awaited[1:]
	isFull, partial := strings.HasPrefix(line, "+FULLRESYNC"), strings.HasPrefix(line, "+CONTINUE")
	switch handing := l.failover; {
	case handing && l.doubt && !isFull && !partial:
		l.refusedAgain(line, now)
		return
	case handing && !isFull && !partial:
		l.handedOver("Failover target rejected psync request: " + line)
		l.fail(now, "The failover's target did not take over: %s", line)
		return
	case handing:
		l.handedOver("")
	}
	switch {
	case isFull:
		l.fullResync(line, now)
	case partial && !l.have.Known(): // nothing that could be gone on from
		l.fail(now, "Unexpected reply to PSYNC from master: %s", line)
	case partial:
		l.partialResync(line, now)
	case strings.HasPrefix(line, "-NOMASTERLINK"), strings.HasPrefix(line, "-LOADING"):
		l.fail(now, "Master is currently unable to PSYNC but should be in the future: %s", line)
	default:
		l.log("Master does not support PSYNC or is in error state (reply: %s)", line)
		l.log("Retrying with SYNC...")
		l.send("SYNC")
		l.awaitSnapshot(Position{}, now)
	}
}

// refusedAgain takes a refusal to take over that need not be the first answer: who has
// taken over refuses to do it again, as a primary or as somebody else's replica.
func (l *Link) refusedAgain(line string, now time.Duration) {
	if !strings.HasPrefix(line, "-ERR PSYNC FAILOVER ") {
		l.fail(now, "The failover's target did not say whether it has taken over: %s", line)
		return
	}
	l.log("The failover's target has taken over before, and its answer was lost")
	l.handedOver("")
	l.guard.proven, l.guard.heard = true, l.askedAt // it had our data then
	l.psync(now)
}

// handedOver tells whoever hands over what became of it.
func (l *Link) handedOver(why string) {
	l.failover = false
	l.do(HandedOver{Why: why})
}

func (l *Link) fullResync(line string, now time.Duration) {
	at, ok := parseFull(line)
	if !ok {
		l.warn("Master replied with wrong +FULLRESYNC syntax.")
	} else {
		l.log("Full resync from master: %s", at)
	}
	if ok && l.suspicious(at) {
		l.log("That is of another history than the data here: the primary is asked for the reason first")
		l.askFirst()
	}
	l.awaitSnapshot(at, now)
}

// awaitSnapshot is between the answer and the snapshot.
func (l *Link) awaitSnapshot(at Position, now time.Duration) {
	l.state, l.full, l.acks = LinkSync, at, at.Known()
	l.fulls++
	l.fails = 0
	l.beat = now + beatPeriod
}

// partialResync goes on where the data stands, under the name that the primary gives.
func (l *Link) partialResync(line string, now time.Duration) {
	l.log("Successful partial resynchronization with master.")
	at := l.have
	if words := strings.Fields(line); len(words) == 2 && len(words[1]) == IDLength && words[1] != at.ID {
		at.ID = words[1]
		l.log("Master replication ID changed to %s", at.ID)
	}
	l.log("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.")
	l.acks = true
	l.stream(Stream{At: at}, now)
}
