package replication

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// primaryStory plays a Primary and a Failover.
type primaryStory struct {
	story
	primary  *Primary
	failover Failover
	view     View
	conns    map[uint64]*Replica
}

func TestPrimaryStories(t *testing.T) {
	var s *primaryStory
	stories(t, "primary", func(t *testing.T, d *datadriven.TestData) string {
		if d.Cmd == "primary" {
			s.settings(t, d)
			return ""
		}
		return s.play(d.Input, s.event)
	}, func() { s = &primaryStory{conns: map[uint64]*Replica{}} })
}

// settings makes or changes the primary.
func (s *primaryStory) settings(t *testing.T, d *datadriven.TestData) {
	o := PrimarySettings{Diskless: !d.HasArg("disk"), Timeout: time.Minute, PingPeriod: 10 * time.Second, JoinWindow: 10 * time.Second, LagSoftTime: 10 * time.Second, MinReplicasMaxLag: 10 * time.Second}
	seconds := func(name string, to *time.Duration) {
		n := 0
		if d.MaybeScanArgs(t, name, &n) {
			*to = time.Duration(n) * time.Second
		}
	}
	seconds("delay", &o.DisklessDelay)
	seconds("ttl", &o.LogTTL)
	d.MaybeScanArgs(t, "max-replicas", &o.DisklessMaxReplicas)
	d.MaybeScanArgs(t, "max-full", &o.MaxFullSyncs)
	d.MaybeScanArgs(t, "min-replicas", &o.MinReplicas)
	d.MaybeScanArgs(t, "hard", &o.LagHard)
	d.MaybeScanArgs(t, "soft", &o.LagSoft)
	d.MaybeScanArgs(t, "lag-sync", &o.LagSync)
	d.MaybeScanArgs(t, "backlog", &o.Backlog)
	if s.primary == nil {
		s.primary = NewPrimary(o, rand.New(rand.NewPCG(1, 2)), s.now)
		s.view = View{Lineage: NewLineage(long("a")).Shift(long("b"), 50), Logging: true, First: 20, End: 100}
	}
	s.primary.Set(o)
}

func (s *primaryStory) event(word string, args []string) {
	if s.look(word, args) {
		return
	}
	id := uint64(0)
	if len(args) != 0 {
		id, _ = strconv.ParseUint(args[0], 10, 64)
	}
	s.orders(s.act(word, args, id, s.conns[id]))
}

// look shows things, or sets the scene.
func (s *primaryStory) look(word string, args []string) bool {
	switch word {
	case "view":
		s.setView(args)
	case "conn":
		id, _ := strconv.ParseUint(args[0], 10, 64)
		s.conns[id] = NewReplica(id, args[1])
	case "show":
		for _, r := range s.primary.Replicas(s.now) {
			s.say("%d %s:%d %s ack=%d fack=%d lag=%s version=%s dozo=%v", r.ID, r.IP, r.Port, r.State, r.Ack, r.Fack, r.Lag, r.Version, r.Dozo)
		}
		s.say("%+v, good %d, writable %v", *s.primary.Stats(), s.primary.Good(s.now), s.primary.Writable(s.now))
	case "holding":
		offset, _ := strconv.ParseUint(args[0], 10, 64)
		applied, synced := s.primary.Holding(offset)
		s.say("%d applied, %d synced", applied, synced)
	case "lagmax":
		id, _ := strconv.ParseUint(args[0], 10, 64)
		s.say("%d", s.primary.LagMax(s.conns[id]))
	case "progress":
		id, _ := strconv.ParseUint(args[0], 10, 64)
		_, more := option(args, "more")
		s.primary.Progress(s.conns[id], uint64(number(args, "sent")), more, s.now)
	case "alive":
		id, _ := strconv.ParseUint(args[0], 10, 64)
		s.primary.Alive(s.conns[id], s.now)
	default:
		return false
	}
	return true
}

func (s *primaryStory) setView(args []string) {
	for _, w := range args {
		name, value, _ := strings.Cut(w, "=")
		n, _ := strconv.ParseUint(value, 10, 64)
		on := value != "no"
		switch name {
		case "first":
			s.view.First = n
		case "end":
			s.view.End = n
		case "logging":
			s.view.Logging = on
		case "follows":
			s.view.Follows = on
		case "linkup":
			s.view.LinkUp = on
		case "failing":
			s.view.FailingOver = on
		case "paused":
			s.view.Paused = on
		case "id":
			s.view.Lineage = NewLineage(long(value))
		}
	}
}

// act is what makes the machine give orders.
func (s *primaryStory) act(word string, args []string, id uint64, r *Replica) []Order {
	p, v, now := s.primary, s.view, s.now
	var err error
	for i, w := range args {
		if w == "error" {
			err = errors.New(strings.Join(args[i+1:], " "))
		}
	}
	_, pending := option(args, "pending")
	_, cut := option(args, "cut")
	switch word {
	case "replconf":
		return p.Replconf(r, args[1:], now)
	case "empty-filter":
		return p.Replconf(r, []string{"rdb-filter-only", ""}, now)
	case "sync":
		return p.Sync(r, []string{"SYNC"}, pending, v, now)
	case "psync":
		at := strings.SplitN(args[1], ":", 2)
		if at[0] != "?" {
			at[0] = long(at[0])
		}
		return p.Sync(r, append([]string{"PSYNC", at[0], at[1]}, args[2:]...), pending, v, now)
	case "began":
		at := Position{}
		if err == nil {
			at = position(args[1])
		}
		return p.SnapshotBegan(id, at, err, now)
	case "ended":
		return p.SnapshotEnded(id, int64(number(args, "size")), err, now)
	case "dont-join":
		return p.DontJoin(id)
	case "sent":
		return p.Sent(r, now)
	case "gone":
		return p.Gone(r, nil, now)
	case "renamed":
		return p.Renamed(strings.Join(args, " "), now)
	case "lagging":
		return p.Lagging(r, uint64(number(args, "lag")), cut, now)
	case "tick":
		return append(p.Tick(v, now), s.failover.Tick(p, v, now)...)
	case "failover":
		return s.failover.Command(99, args, p, v, now)
	case "in-doubt":
		return s.failover.InDoubt()
	case "handed-over":
		return s.failover.Ended(strings.Join(args, " "))
	}
	panic("no event: " + word)
}

func (s *primaryStory) orders(list []Order) {
	for _, o := range list {
		switch o := o.(type) {
		case Log:
			s.say("%s", showEffect(o))
		case Reply:
			s.say("%d <- %s", o.Replica, o.Line)
		case Refuse:
			s.say("%d <- -%s%s", o.Replica, o.Text, map[bool]string{true: " (and ends)"}[o.Close])
		case Transfer:
			s.say("transfer %d of %d, %q ... %q", o.Replica, o.Number, short(o.Preamble), short(o.Trailer))
		default:
			s.say("%s %+v", strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", o), "replication.")), o)
		}
	}
}

// short leaves away what is random.
func short(s string) string {
	if len(s) > IDLength {
		return s[:len("$EOF:")] + "(mark)" + s[len("$EOF:")+IDLength:]
	}
	if len(s) == IDLength {
		return "(mark)"
	}
	return s
}
