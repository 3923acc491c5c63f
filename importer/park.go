package importer

import (
	"errors"
	"strconv"
	"strings"

	"dozo/resp"
)

// Deadlines that are over, or will be before the source's next command may move them, are
// moved by parkMs, and back when all commands were run.
const (
	parkMs  = 200 * 365 * 24 * hourMs
	hourMs  = 60 * minute
	minute  = 60 * second
	second  = 1000
	scanMax = 1000 // keys of one SCAN
)

// park gives the deadline that a key gets for now.
func (r *run) park(deadline int64) int64 {
	if r.margin < 0 || deadline > r.Env.Clock.Wall().Milliseconds()+r.margin {
		return deadline
	}
	r.st.Parked++
	return deadline + parkMs
}

// parkCommand does it for a command that sets a deadline. A condition (NX, XX, GT, LT) goes:
// it was met where the command comes from, and would be compared with what is parked here.
func (r *run) parkCommand(name string, args [][]byte) [][]byte {
	at := func(i int, unit int64) {
		if i >= len(args) {
			return
		}
		n, err := strconv.ParseInt(string(args[i]), 10, 64)
		if err == nil && n < parkMs/unit {
			args[i] = number(r.park(n*unit) / unit)
		}
	}
	switch name {
	case "PEXPIREAT", "EXPIREAT":
		unit := int64(1)
		if name == "EXPIREAT" {
			unit = second
		}
		at(2, unit)
		args = args[:min(3, len(args))]
	case "SET", "GETEX", "RESTORE":
		options := 3
		if name == "GETEX" {
			options = 2
		}
		for i := options; i < len(args); i++ {
			switch option := string(args[i]); {
			case strings.EqualFold(option, "PXAT"):
				at(i+1, 1)
			case strings.EqualFold(option, "EXAT"):
				at(i+1, second)
			case name == "RESTORE" && i > 3 && strings.EqualFold(option, "ABSTTL") && string(args[2]) != "0":
				at(2, 1)
			}
		}
	}
	return args
}

// unpark gives the keys their deadlines back, which ends those whose time is over.
func (r *run) unpark() error {
	if r.st.Parked == 0 {
		return nil
	}
	there, err := databases(r.p.Conn)
	if err != nil {
		return err
	}
	for db := range there {
		r.p.use(db)
		if err := r.p.flush(); err != nil {
			return err
		}
		for cursor := "0"; ; {
			v, err := r.p.Do("SCAN", cursor, "COUNT", strconv.Itoa(scanMax))
			if err != nil {
				return lostTarget(err)
			}
			if len(v.Elems) != 2 {
				return targetError(v, "the import needs SCAN")
			}
			if err := r.unparkKeys(v.Elems[1].Strings()); err != nil {
				return err
			}
			if cursor = v.Elems[0].Str; cursor == "0" {
				break
			}
		}
	}
	r.st.Parked = 0
	return nil
}

// release gives the deadlines back when an import ends that follows its source, or has lost
// it, although it can go on later: mostly nobody comes back. why is its end. A key whose time is over before the import goes on is missed then by what
// would have made it live longer, which is listed.
func (r *run) release(why error) error {
	if err := r.unpark(); err != nil {
		return errors.Join(why, err)
	}
	r.say("the deadlines of keys are the source's again. If the import is not to go on, delete %s*, and the key %s in database %d of the target",
		r.State, r.ownName(), r.dbOf(0))
	return why
}

// unparkKeys is a step of unpark.
func (r *run) unparkKeys(keys []string) error {
	now := r.Env.Clock.Wall().Milliseconds()
	verb, since := "PEXPIRETIME", int64(0)
	if r.oldTarget { // older than 7.0: it can only say how long a key has
		verb, since = "PTTL", now
	}
	old := false
	deadlines := map[string]int64{}
	for _, k := range keys {
		r.p.ask(func(v resp.Value) error {
			old = old || v.IsError()
			if at := v.Int + since; at > now+parkMs/2 {
				deadlines[k] = at - parkMs
			}
			return nil
		}, []byte(verb), []byte(k))
	}
	if err := r.p.flush(); err != nil {
		return err
	}
	if old && !r.oldTarget {
		r.oldTarget = true
		return r.unparkKeys(keys)
	}
	for key, deadline := range deadlines {
		if deadline <= now {
			r.Expired++
		}
		r.p.ask(mustBeOK("PEXPIREAT"), []byte("PEXPIREAT"), []byte(key), number(deadline))
	}
	return r.p.flush()
}
