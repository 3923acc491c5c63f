package replication

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"dozo/env"
	"dozo/oplog"
)

// PrimarySettings are what an operator chooses. They count from the next call on.
type PrimarySettings struct {
	Diskless            bool          // repl-diskless-sync: snapshots with a mark
	DisklessDelay       time.Duration // repl-diskless-sync-delay
	DisklessMaxReplicas int           // repl-diskless-sync-max-replicas
	MaxFullSyncs        int           // repl-max-full-syncs: replicas at once; 0 = any number
	JoinWindow          time.Duration // how long a snapshot may be joined at most when it is whole
	Timeout             time.Duration // repl-timeout
	PingPeriod          time.Duration // repl-ping-replica-period
	LogTTL              time.Duration // repl-backlog-ttl; 0 = for ever
	Backlog             uint64        // what the log keeps: no limit is below it
	LagHard, LagSoft    uint64        // client-output-buffer-limit replica; 0 = none
	LagSoftTime         time.Duration
	LagSync             uint64 // the limit while a replica gets a snapshot; 0 = none
	MinReplicas         int    // min-replicas-to-write
	MinReplicasMaxLag   time.Duration
}

// View is what the machine must know of the server at the moment of a call.
type View struct {
	Lineage     Lineage
	Logging     bool   // the log is written
	First, End  uint64 // what of it is kept
	Sum         Summer // of that; nil = nothing is compared
	Follows     bool   // this server is a replica itself
	LinkUp      bool   // and connected
	FailingOver bool
	Paused      bool // writes wait for a failover or the end: nothing may be appended
}

// PrimaryStats count since the start, or CONFIG RESETSTAT.
type PrimaryStats struct{ Full, PartialOK, PartialErr int64 }

// Primary is the server's side of its replicas; see the package's comment.
type Primary struct {
	settings PrimarySettings
	rand     env.Rand
	out      []Order

	replicas []*Replica // in the order in which they came
	stats    PrimaryStats
	shot     shot
	penalty  map[string]penalty // by name

	pinged    time.Duration // when there last was a PING, or nobody to send one to
	nextBeat  time.Duration
	noneSince time.Duration // when the last replica went
}

// penalty is for a replica that was cut since it lagged.
type penalty struct {
	cuts  int
	until time.Duration // no snapshot for it before
	why   string
}

const (
	penaltyFirst = time.Second
	penaltyMax   = time.Minute
	penaltiesMax = 1000 // replicas that are remembered
)

// NewPrimary is one without replicas.
func NewPrimary(s PrimarySettings, r env.Rand, now time.Duration) *Primary {
	return &Primary{settings: s, rand: r, penalty: map[string]penalty{}, noneSince: now, pinged: now}
}

// Set changes the settings.
func (p *Primary) Set(s PrimarySettings) { p.settings = s }

// Stats are the counters, which the caller may set to zero.
func (p *Primary) Stats() *PrimaryStats { return &p.stats }

func (p *Primary) do(o Order) { p.out = append(p.out, o) }

func (p *Primary) log(format string, args ...any) { p.do(Log{Text: fmt.Sprintf(format, args...)}) }

func (p *Primary) warn(format string, args ...any) {
	p.do(Log{Text: fmt.Sprintf(format, args...), Warning: true})
}

// refuse answers with an error; its first word is the code if it is one (NOMASTERLINK).
func (p *Primary) refuse(r *Replica, format string, args ...any) []Order {
	why := fmt.Sprintf(format, args...)
	if !strings.HasPrefix(why, "NOMASTERLINK ") {
		why = "ERR " + why
	}
	p.do(Refuse{Replica: r.id, Text: why})
	return p.out
}

// Sync is the commands SYNC and PSYNC, with the name first. pending says that the client
// was not sent all replies yet. The orders are valid until the next call.
func (p *Primary) Sync(r *Replica, args []string, pending bool, v View, now time.Duration) []Order {
	p.out = p.out[:0]
	psync := strings.EqualFold(args[0], "psync")
	if r.IsReplica() {
		return nil
	}
	if psync && len(args) > 3 && strings.EqualFold(args[3], "failover") {
		return p.takeOver(r, args, v)
	}
	if why := p.notNow(r, pending, v); why != "" {
		return p.refuse(r, "%s", why)
	}
	p.log("Replica %s asks for synchronization", r.name())
	if !psync {
		return p.full(r, "", v, now)
	}
	number, err := parseInt(args[2])
	if err != nil {
		p.warn("Replica %s asks for synchronization but with a wrong offset", r.name())
		return p.refuse(r, "%s", err.Error())
	}
	if p.partial(r, args[1], int64(number), v, now) {
		return p.out
	}
	return p.full(r, args[1], v, now)
}

// notNow is what keeps a server from having another replica at the moment.
func (p *Primary) notNow(r *Replica, pending bool, v View) string {
	switch {
	case v.FailingOver:
		return "NOMASTERLINK Can't SYNC while failing over"
	case v.Follows && !v.LinkUp:
		return "NOMASTERLINK Can't SYNC while not connected with my master"
	case pending:
		return "SYNC and PSYNC are invalid with pending output"
	case r.filter != 0 && !r.eof:
		return "Filtered replica requires EOF capability"
	}
	return ""
}

// takeOver is what a primary asks for that hands over to this server.
func (p *Primary) takeOver(r *Replica, args []string, v View) []Order {
	p.log("Failover request received for replid %s.", args[1])
	switch {
	case !v.Follows:
		return p.refuse(r, "PSYNC FAILOVER can't be sent to a master.")
	case !strings.EqualFold(args[1], v.Lineage.ID()):
		return p.refuse(r, "PSYNC FAILOVER replid must match my replid.")
	}
	p.do(Promote{r.id, args[:3]})
	return p.out
}

// partial lets a replica go on where it is, if it can. number is that of the byte it
// wants.
func (p *Primary) partial(r *Replica, id string, number int64, v View, now time.Duration) bool {
	if strings.HasPrefix(id, "?") {
		p.log("Full resync requested by replica %s", r.name())
		return false
	}
	at, err := oplog.FromWire(number)
	if err == nil {
		err = v.Lineage.Check(Position{id, at})
	}
	if err == nil && (!v.Logging || at < v.First || at > v.End) {
		err = fmt.Errorf("lack of backlog (Replica request was: %d, kept are %d to %d)", number, oplog.ToWire(v.First), oplog.ToWire(v.End))
	}
	if err == nil {
		err = disproved(r.proof, at, v.Sum)
	}
	if err != nil {
		p.log("Partial resynchronization not accepted for replica %s: %v", r.name(), err)
		return false
	}
	p.stats.PartialOK++
	line := "+CONTINUE"
	if r.psync2 {
		line += " " + v.Lineage.ID()
	}
	p.add(r)
	p.online(r, now)
	p.do(Reply{r.id, line})
	p.do(Continue{r.id, at})
	p.log("Partial resynchronization request from %s accepted. Sending %d bytes of backlog starting from offset %d.", r.name(), v.End-at, number)
	return true
}

// add makes a client a replica.
func (p *Primary) add(r *Replica) { p.replicas = append(p.replicas, r) }

// online is the state in which a replica gets the log.
func (p *Primary) online(r *Replica, now time.Duration) {
	r.become(ReplicaOnline, now)
	r.ackTime = now // it has had no time to acknowledge
}

// full takes a replica in that needs a snapshot. id is PSYNC's, empty for SYNC.
func (p *Primary) full(r *Replica, id string, v View, now time.Duration) []Order {
	if why := p.unwelcome(r, now); why != "" {
		return p.refuse(r, "%s", why)
	}
	if id != "" && id[0] != '?' {
		p.stats.PartialErr++
	}
	p.stats.Full++
	r.plain = id == ""
	r.marked = r.eof && (p.settings.Diskless || r.filter != 0)
	p.add(r)
	r.become(ReplicaWaits, now)
	if !v.Logging {
		p.do(KeepLog{})
		p.release() // it is of the history before
	}
	switch {
	case p.joinable(r, v, now):
		p.log("Replica %s joins the snapshot under way", r.name())
		p.attach(r, now)
	case p.shot.making():
		p.log("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")
	case p.settings.Diskless && r.eof && p.settings.DisklessDelay > 0:
		p.log("Delay next BGSAVE for diskless SYNC")
	default:
		p.begin(r.filter)
	}
	return p.out
}

// unwelcome is what keeps a replica from getting a snapshot at the moment: it may ask
// again, which costs nobody anything.
func (p *Primary) unwelcome(r *Replica, now time.Duration) string {
	if c := p.penalty[r.name()]; now < c.until {
		return fmt.Sprintf("NOMASTERLINK %s; a full resync is possible again in %s", c.why, (c.until - now).Round(time.Millisecond))
	}
	if most := p.settings.MaxFullSyncs; most > 0 && p.syncing() >= most {
		return fmt.Sprintf("NOMASTERLINK %d replicas are in a full resync already, as many as repl-max-full-syncs allows: try again later", most)
	}
	return ""
}

// syncing is how many replicas have, or wait for, a snapshot.
func (p *Primary) syncing() (n int) {
	for _, r := range p.replicas {
		if r.state != ReplicaOnline {
			n++
		}
	}
	return n
}

// Gone: the connection has ended, and why if that was not the replica's own doing. One that
// was disconnected for a reason has been told of.
func (p *Primary) Gone(r *Replica, why error, now time.Duration) []Order {
	p.out = p.out[:0]
	switch {
	case !slices.Contains(p.replicas, r):
	case why != nil:
		p.warn("Connection with replica %s lost: %v", r.name(), why)
	default:
		p.log("Connection with replica %s lost.", r.name())
	}
	p.remove(r, now)
	return p.out
}

// remove takes a replica off the table; what was for it alone ends.
func (p *Primary) remove(r *Replica, now time.Duration) {
	i := slices.Index(p.replicas, r)
	if i < 0 {
		return
	}
	p.replicas = slices.Delete(p.replicas, i, i+1)
	r.become(ReplicaNone, now)
	if len(p.replicas) == 0 {
		p.noneSince = now
	}
	p.cancelUnwanted()
}

// disconnect ends a replica for a reason.
func (p *Primary) disconnect(r *Replica, now time.Duration, format string, args ...any) {
	why := fmt.Sprintf(format, args...)
	p.warn("%s", why)
	p.do(Disconnect{r.id, why})
	p.remove(r, now)
}

// Renamed: the name of the history has changed, so that all replicas have to ask anew. A
// snapshot under way is of the former one.
func (p *Primary) Renamed(why string, now time.Duration) []Order {
	p.out = p.out[:0]
	for len(p.replicas) != 0 {
		p.disconnect(p.replicas[0], now, "Disconnecting replica %s: %s", p.replicas[0].name(), why)
	}
	p.release()
	p.shot.lost = true
	return p.out
}

// Replicas are all, in the order in which they came.
func (p *Primary) Replicas(now time.Duration) []ReplicaStatus {
	all := make([]ReplicaStatus, len(p.replicas))
	for i, r := range p.replicas {
		all[i] = r.status(now)
	}
	return all
}

// Holding is how many replicas have applied everything up to an offset, and how many have
// it on their disks: what WAIT and WAITAOF ask.
func (p *Primary) Holding(offset uint64) (applied, synced int) {
	for _, r := range p.replicas {
		if r.state != ReplicaOnline {
			continue
		}
		if r.ack >= offset {
			applied++
		}
		if r.fack >= offset {
			synced++
		}
	}
	return applied, synced
}

// Good is how many replicas min-replicas-to-write counts.
func (p *Primary) Good(now time.Duration) (n int) {
	for _, r := range p.replicas {
		if r.state == ReplicaOnline && (now-r.ackTime).Truncate(time.Second) <= p.settings.MinReplicasMaxLag {
			n++
		}
	}
	return n
}

// Writable tells whether enough replicas are good for a primary to take writes.
func (p *Primary) Writable(now time.Duration) bool {
	s := &p.settings
	return s.MinReplicas == 0 || s.MinReplicasMaxLag == 0 || p.Good(now) >= s.MinReplicas
}

// find is the replica that announced an address.
func (p *Primary) find(host string, port int) *Replica {
	for _, r := range p.replicas {
		if strings.EqualFold(r.host(), host) && r.port == port {
			return r
		}
	}
	return nil
}
