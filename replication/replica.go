package replication

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"dozo/text"
)

// ReplicaState is how far a replica is on the primary's side.
type ReplicaState uint8

// The states of a replica.
const (
	// ReplicaNone: an ordinary client, which may have sent REPLCONF.
	ReplicaNone ReplicaState = iota
	// ReplicaWaits for a snapshot to begin.
	ReplicaWaits
	// ReplicaAttached has its place in a snapshot whose length is not known yet, which
	// it needs.
	ReplicaAttached
	// ReplicaTransfer gets the snapshot.
	ReplicaTransfer
	// ReplicaOnline gets the log.
	ReplicaOnline
)

// Filter says what a snapshot leaves out.
type Filter uint8

// What can be left out.
const (
	WithoutData Filter = 1 << iota
	WithoutFunctions
)

// Replica is what a primary knows of one. The server makes one for a connection when it
// sends its first REPLCONF, SYNC or PSYNC, and keeps it with the connection. It is only
// looked at and changed under the lock that the Primary is called under.
type Replica struct {
	id   uint64
	addr string // where it connects from

	// What it said of itself.
	ip, version        string
	port               int
	eof, psync2, dozo1 bool
	proof              string // of what it has
	snapshotOnly       bool
	filter             Filter
	plain              bool // it came by SYNC: it acknowledges nothing

	state       ReplicaState
	since       time.Duration // of the state
	number      uint64        // of its snapshot
	marked      bool          // and how its end is told
	acked       bool          // it acknowledged before we knew that all was sent
	awaitsAck   bool          // online, but the log starts with its first acknowledgement
	catchesUp   bool          // online, but behind by what was written since its snapshot
	ack, fack   uint64
	ackTime     time.Duration
	sent        uint64        // of the snapshot
	stuckSince  time.Duration // ReplicaTransfer: it takes nothing, or -1
	laggedSince time.Duration // the soft limit is passed, or -1
}

// NewReplica is a client by its ID, and the address that it connects from.
func NewReplica(id uint64, addr string) *Replica {
	return &Replica{id: id, addr: addr, stuckSince: -1, laggedSince: -1}
}

// ID is the client's.
func (r *Replica) ID() uint64 { return r.id }

// IsReplica tells whether it is more than a client.
func (r *Replica) IsReplica() bool { return r.state != ReplicaNone }

// Dozo tells whether it understands what genuine servers do not.
func (r *Replica) Dozo() bool { return r.dozo1 }

// name is how the log calls a replica.
func (r *Replica) name() string {
	host := r.host()
	switch {
	case host == "":
		return "client id #" + strconv.FormatUint(r.id, 10)
	case r.port == 0:
		return host + ":<unknown-replica-port>"
	}
	return net.JoinHostPort(host, strconv.Itoa(r.port))
}

// host is the address to show: what it announced, or where it comes from.
func (r *Replica) host() string {
	if r.ip != "" {
		return r.ip
	}
	return r.addr
}

// become changes the state.
func (r *Replica) become(s ReplicaState, now time.Duration) { r.state, r.since = s, now }

// hostLengthMax is the longest address that is believed.
const hostLengthMax = 255

// Replconf is the command REPLCONF, without its name. What an option changes stays
// changed if a later one is refused, as in Redis.
func (p *Primary) Replconf(r *Replica, args []string, now time.Duration) []Order {
	p.out = p.out[:0]
	if len(args)%2 != 0 {
		return p.refuse(r, "syntax error")
	}
	for i := 0; i < len(args); i += 2 {
		option, value := strings.ToLower(args[i]), args[i+1]
		switch option {
		case "ack": // the only ones without a reply
			p.acked(r, value, args[i+2:], now)
			return p.out
		case "getack":
			p.do(SendAck{})
			return p.out
		}
		if why := r.configure(option, args[i], value); why != "" {
			return p.refuse(r, "%s", why)
		}
	}
	p.do(Reply{r.id, "+OK"})
	return p.out
}

// configure takes one option, or says why not.
func (r *Replica) configure(option, asGiven, value string) (why string) {
	switch option {
	case "listening-port":
		port, err := parseInt(value)
		if err != nil {
			return err.Error()
		}
		r.port = port
	case "ip-address":
		if len(value) > hostLengthMax {
			return fmt.Sprintf("REPLCONF ip-address provided by replica instance is too long: %d bytes", len(value))
		}
		r.ip = value
	case "capa":
		r.can(value)
	case "version":
		r.version = value
	case "rdb-only":
		return r.setSnapshotOnly(value)
	case "rdb-filter-only":
		return r.setFilter(value)
	default:
		return "Unrecognized REPLCONF option: " + asGiven
	}
	return ""
}

// errNoInteger is Redis' words.
var errNoInteger = errors.New("value is not an integer or out of range")

func parseInt(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s { // no sign or zeros before it
		return 0, errNoInteger
	}
	return n, nil
}

// can takes one capability; those that are not known are for other servers.
func (r *Replica) can(capability string) {
	if strings.HasPrefix(capability, proofWord) {
		r.proof = capability
	}
	switch strings.ToLower(capability) {
	case "eof":
		r.eof = true
	case "psync2":
		r.psync2 = true
	case "dozo1":
		r.dozo1 = true
	}
}

func (r *Replica) setSnapshotOnly(value string) (why string) {
	n, err := parseInt(value)
	if err != nil {
		return err.Error()
	}
	if n != 0 && n != 1 {
		return "value is out of range, value must between 0 and 1"
	}
	r.snapshotOnly = n == 1
	return ""
}

// setFilter takes a list of what is wanted.
func (r *Replica) setFilter(value string) (why string) {
	words, ok := text.SplitArgs([]byte(value))
	if !ok {
		return "Missing rdb-filter-only values"
	}
	r.filter |= WithoutData | WithoutFunctions
	for _, w := range words {
		if !strings.EqualFold(string(w), "functions") {
			return "Unsupported rdb-filter-only option: " + string(w)
		}
		r.filter &^= WithoutFunctions
	}
	return ""
}

// acked takes REPLCONF ACK offset [FACK offset].
func (p *Primary) acked(r *Replica, offset string, more []string, now time.Duration) {
	if !r.IsReplica() {
		return
	}
	at, err := strconv.ParseUint(offset, 10, 63)
	if err != nil {
		return
	}
	r.ack = max(r.ack, at)
	if len(more) >= 2 && strings.EqualFold(more[0], "fack") {
		synced, err := strconv.ParseUint(more[1], 10, 63)
		if err != nil {
			return
		}
		r.fack = max(r.fack, synced)
	}
	r.ackTime, r.acked = now, true
	p.startIfAcked(r)
}

// startIfAcked starts the log behind a snapshot with a mark. The replica finds the mark
// because nothing follows it, so nothing may before it says that it has all.
func (p *Primary) startIfAcked(r *Replica) {
	if r.state == ReplicaOnline && r.awaitsAck && r.acked {
		r.awaitsAck = false
		p.do(Start{r.id})
	}
}

// Alive: the replica sent an empty line, as it does while it loads.
func (p *Primary) Alive(r *Replica, now time.Duration) { r.ackTime = now }

// ReplicaStatus is what INFO, ROLE and others tell of a replica.
type ReplicaStatus struct {
	ID      uint64
	IP      string
	Port    int
	State   string // wait_bgsave, send_bulk or online
	Online  bool
	Ack     uint64
	Fack    uint64
	Lag     time.Duration // since it acknowledged, if it is online
	Version string
	Dozo    bool
}

func (r *Replica) status(now time.Duration) ReplicaStatus {
	s := ReplicaStatus{
		ID: r.id, IP: r.host(), Port: r.port, Online: r.state == ReplicaOnline,
		Ack: r.ack, Fack: r.fack, Version: r.version, Dozo: r.dozo1,
	}
	switch {
	case s.Online:
		s.State, s.Lag = "online", now-r.ackTime
	case r.state == ReplicaTransfer && !r.marked:
		s.State = "send_bulk"
	default:
		s.State = "wait_bgsave"
	}
	return s
}
