package replication

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// FailoverState is how far a handing over is.
type FailoverState uint8

// The states of a handing over.
const (
	FailoverNone FailoverState = iota
	FailoverWaits
	FailoverUnderWay
)

func (s FailoverState) String() string {
	return [...]string{"no-failover", "waiting-for-sync", "failover-in-progress"}[s]
}

// What a Failover wants done, besides Reply, Refuse and Log.
type (
	// PauseWrites: hold the commands that write, and whatever else appends to the log.
	PauseWrites struct{}
	// AskReplicas: append GetAck to the log, twice.
	AskReplicas struct{}
	// ResumeWrites: go on with them, as what this server is by then.
	ResumeWrites struct{}
	// HandOver: become a replica of this address (Follow.Failover); HandedOver is to
	// follow, and goes to Ended.
	HandOver struct {
		Host string
		Port int
	}
	// TakeBack: become a primary again.
	TakeBack struct{}
)

// GetAck in the log has replicas say how far they are.
const GetAck = "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"

func (PauseWrites) order()  {}
func (AskReplicas) order()  {}
func (ResumeWrites) order() {}
func (HandOver) order()     {}
func (TakeBack) order()     {}

// Failover hands a primary's duty to one of its replicas: writes are held until a replica
// has all of them, then this server becomes its replica and tells it by PSYNC FAILOVER
// to take over.
//
//	f.Command(...)  on FAILOVER
//	f.Tick(...)     soon after that, each second, and whenever a replica has acknowledged
//	f.Ended(...)    when the Link says HandedOver,
//	f.InDoubt()     when that is in doubt
//
// Nothing that is acknowledged to a client is lost unless FORCE is given: the target is
// asked only when it has acknowledged the last byte, and nothing is appended after the
// pause but the question how far the replicas are, which a genuine server tells only once a
// second by itself. It answers while it executes the question, without counting that one, so
// there are two: who answers the second has executed all before it, and the rest has left
// for it long before it is told to take over.
type Failover struct {
	out   []Order
	state FailoverState
	host  string // empty: any replica
	port  int
	until time.Duration // when to stop waiting; 0 = never
	force bool
	asked uint64 // the log's end when replicas had been asked how far they are
}

// State is what INFO tells.
func (f *Failover) State() FailoverState { return f.state }

func (f *Failover) do(o Order) { f.out = append(f.out, o) }

func (f *Failover) log(format string, args ...any) { f.do(Log{Text: fmt.Sprintf(format, args...)}) }

// Command is FAILOVER, without its name, of a client.
func (f *Failover) Command(client uint64, args []string, p *Primary, v View, now time.Duration) []Order {
	f.out = f.out[:0]
	if len(args) == 1 && strings.EqualFold(args[0], "abort") {
		if f.state == FailoverNone {
			return f.refuse(client, "No failover in progress.")
		}
		f.abort("Failover manually aborted")
		f.do(Reply{client, "+OK"})
		return f.out
	}
	plan, timeout, why := parseFailover(args)
	if why == "" {
		why = f.impossible(plan, timeout, p, v)
	}
	if why != "" {
		return f.refuse(client, why)
	}
	f.begin(plan, timeout, now)
	f.do(Reply{client, "+OK"})
	return f.out
}

func (f *Failover) refuse(client uint64, why string) []Order {
	f.do(Refuse{Replica: client, Text: "ERR " + why})
	return f.out
}

// parseFailover reads [TO host port [FORCE]] [TIMEOUT ms], in any order.
func parseFailover(args []string) (plan Failover, timeout time.Duration, why string) {
	for i := 0; i < len(args); i++ {
		left := len(args) - i - 1
		switch word := strings.ToLower(args[i]); {
		case word == "timeout" && left >= 1 && timeout == 0:
			ms, err := parseInt(args[i+1])
			if err != nil {
				return plan, 0, err.Error()
			}
			if ms <= 0 {
				return plan, 0, "FAILOVER timeout must be greater than 0"
			}
			timeout = time.Duration(min(ms, int(Never/time.Millisecond)/2)) * time.Millisecond
			i++
		case word == "to" && left >= 2 && plan.host == "":
			port, err := parseInt(args[i+2])
			if err != nil {
				return plan, 0, err.Error()
			}
			plan.host, plan.port = args[i+1], port
			i += 2
		case word == "force" && !plan.force:
			plan.force = true
		default:
			return plan, 0, "syntax error"
		}
	}
	return plan, timeout, ""
}

// impossible says what keeps a plan from being carried out.
func (f *Failover) impossible(plan Failover, timeout time.Duration, p *Primary, v View) string {
	switch {
	case f.state != FailoverNone:
		return "FAILOVER already in progress."
	case v.Follows:
		return "FAILOVER is not valid when server is a replica."
	case len(p.replicas) == 0:
		return "FAILOVER requires connected replicas."
	case plan.force && (timeout == 0 || plan.host == ""):
		return "FAILOVER with force option requires both a timeout and target HOST and IP."
	case plan.host == "":
		return ""
	}
	target := p.find(plan.host, plan.port)
	switch {
	case target == nil:
		return "FAILOVER target HOST and PORT is not a replica."
	case target.state != ReplicaOnline:
		return "FAILOVER target replica is not online."
	}
	return ""
}

func (f *Failover) begin(plan Failover, timeout, now time.Duration) {
	f.host, f.port, f.force, f.until, f.asked = plan.host, plan.port, plan.force, 0, 0
	if timeout != 0 {
		f.until = now + timeout
	}
	f.state = FailoverWaits
	f.log("FAILOVER requested to %s.", f.target())
	f.do(PauseWrites{})
}

// target is the target as the log calls it.
func (f *Failover) target() string {
	if f.host == "" {
		return "any replica"
	}
	return net.JoinHostPort(f.host, strconv.Itoa(f.port))
}

// Tick looks whether a replica is ready, or the time is over.
func (f *Failover) Tick(p *Primary, v View, now time.Duration) []Order {
	f.out = f.out[:0]
	if f.state != FailoverWaits {
		return nil
	}
	if f.until != 0 && f.until <= now {
		if !f.force {
			f.abort("Replica never caught up before timeout")
			return f.out
		}
		f.log("FAILOVER to %s time out exceeded, failing over.", f.target())
		f.handOver()
		return f.out
	}
	if !f.force && !f.hopes(p) {
		f.abort("The replica is not connected any more")
		return f.out
	}
	if r := f.ready(p, v); r != nil {
		f.host, f.port = r.host(), r.port
		f.log("Failover target %s is synced, failing over.", f.target())
		f.handOver()
	} else if v.End != f.asked { // or something was appended since
		f.asked = v.End + 2*uint64(len(GetAck))
		f.do(AskReplicas{})
	}
	return f.out
}

// hopes tells whether a replica is there that can get ready. One that has gone cannot come
// back, since none is let in meanwhile.
func (f *Failover) hopes(p *Primary) bool {
	if f.host == "" {
		return len(p.replicas) != 0
	}
	return p.find(f.host, f.port) != nil
}

// ready is a replica that has everything, if the plan allows it.
func (f *Failover) ready(p *Primary, v View) *Replica {
	for _, r := range p.replicas {
		answered := v.End == f.asked && r.ack == v.End-uint64(len(GetAck)) && !r.dozo1 // which counts what it has executed
		if r.state != ReplicaOnline || r.ack != v.End && !answered {
			continue
		}
		if f.host == "" || (strings.EqualFold(r.host(), f.host) && r.port == f.port) {
			return r
		}
	}
	return nil
}

func (f *Failover) handOver() {
	f.state = FailoverUnderWay
	f.do(HandOver{f.host, f.port})
}

// Ended: what HandedOver said.
func (f *Failover) Ended(why string) []Order {
	f.out = f.out[:0]
	switch {
	case f.state != FailoverUnderWay:
	case why != "":
		f.abort(why)
	default:
		f.end()
	}
	return f.out
}

// InDoubt: HandedOver was in doubt. Who waits is told that this is a replica, since it is not
// going to be anything else by itself.
func (f *Failover) InDoubt() []Order {
	f.out = f.out[:0]
	if f.state == FailoverUnderWay {
		f.do(ResumeWrites{})
	}
	return f.out
}

// abort gives up, in any state but none.
func (f *Failover) abort(why string) {
	f.log("FAILOVER to %s aborted: %s", f.target(), why)
	if f.state == FailoverUnderWay {
		f.do(TakeBack{})
	}
	f.end()
}

func (f *Failover) end() {
	out := f.out
	*f = Failover{out: out}
	f.do(ResumeWrites{})
}
