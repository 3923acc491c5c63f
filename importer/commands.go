package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dozo/aof"
	"dozo/resp"
)

// orders are commands that go out in one transaction, with how far it brings the import:
// after a failure the target knows what was done, and nothing is done twice.
type orders struct {
	list  []order
	bytes int
	db    int // of the source, by the last SELECT
	to    int // of the target, at the end of the list
}

// order is a command of a transaction.
type order struct {
	name   string
	raw    []byte
	offset int64
	fault  string // why the target did not queue it
}

// The size of a transaction, but for a unit that is larger: while it runs the target does
// nothing else.
const (
	ordersMax     = 64
	orderBytesMax = 256 << 10
)

// prepareCommands is for a source with commands. What was done last is in the target, if
// the import had come that far.
func (r *run) prepareCommands(resumed bool, margin int64) error {
	if r.SkipExisting || r.Match != "" || r.Type != "" {
		return errors.New("the source has commands, of which --skip-existing, --match and --type cannot leave any out: use --scan on a running server, or a database file")
	}
	r.margin = margin
	if !resumed {
		return r.demandEmpty()
	}
	r.st.Parked = max(r.st.Parked, 1) // some may have been since the state was written
	known := false
	r.p.use(r.dbOf(0))
	r.p.ask(func(v resp.Value) error {
		if v.IsError() || v.IsNull() {
			return mustBeOK("GET")(v)
		}
		known, r.next.Commands = true, true
		return json.Unmarshal([]byte(v.Str), &r.next)
	}, []byte("GET"), []byte(r.ownName()))
	err := r.p.flush()
	if err == nil && !known {
		err = r.targetForgot()
	}
	r.orders.db = r.next.DB
	return err
}

// targetForgot is for a target that does not say how far it is. That is as it should be
// before the first command; what was restored until then can be restored once more.
func (r *run) targetForgot() error {
	switch {
	case r.Commands == 0 && r.restarted:
		r.again("the target was restarted")
	case r.Commands > 0:
		there, err := databases(r.p.Conn)
		if err != nil || len(there) == 0 {
			r.again("the target has lost everything")
			return err
		}
		return fmt.Errorf("the target has lost the key %s, which says how far the import came, and maybe more: empty it and begin anew, with --restart", r.ownName())
	}
	return nil
}

// commands imports the commands of a file from r.next on. The error is that of aof.Reader
// if the file is to blame.
func (r *run) commands(name string, file io.ReaderAt, size int64) error {
	reader := aof.NewReader(name, file, r.next.Offset, size)
	for {
		c, err := reader.Next()
		if err != nil {
			if done := r.transact(); done != nil {
				return done
			}
			if err == io.EOF {
				return nil
			}
			return err
		}
		if err := r.command(&c); err != nil {
			return err
		}
		whole := !c.InUnit || strings.EqualFold(string(c.Args[0]), "exec")
		if !whole {
			continue
		}
		r.next.Offset, r.next.DB = c.End, r.orders.db
		r.at(c.End)
		if len(r.orders.list) >= ordersMax || r.orders.bytes >= orderBytesMax {
			if err := r.transact(); err != nil {
				return err
			}
		}
		if err := r.stopped(); err != nil {
			return err
		}
	}
}

// command adds a command to the transaction.
func (r *run) command(c *aof.Command) error {
	o := &r.orders
	name := strings.ToUpper(string(c.Args[0]))
	switch name {
	case "SELECT":
		if len(c.Args) > 1 {
			o.db, _ = strconv.Atoi(string(c.Args[1])) // the source has checked it
		}
		return nil
	case "MULTI", "EXEC", "PING", "REPLCONF":
		return nil
	}
	if !r.wantsDB(o.db) {
		r.Unwanted++
		return nil
	}
	if !r.keepsAll() && crossesDatabases(name, c.Args) {
		r.Summary.failed("offset %d: %s concerns more than one database, and with --db or --db-map cannot be run", c.Offset, name)
		return nil
	}
	to := r.dbOf(o.db)
	if err := r.checkDB(to); err != nil {
		return err
	}
	if len(o.list) == 0 || o.to != to {
		o.add("SELECT", c.Offset, []byte("SELECT"), number(int64(to)))
		o.to = to
	}
	o.add(name, c.Offset, r.parkCommand(name, c.Args)...)
	return nil
}

func (o *orders) add(name string, offset int64, args ...[]byte) {
	w := resp.Writer{Proto: 2}
	w.Command(args...)
	o.list = append(o.list, order{name: name, raw: w.Buf, offset: offset})
	o.bytes += len(w.Buf)
}

// crossesDatabases tells whether a command concerns databases by number, or all.
func crossesDatabases(name string, args [][]byte) bool {
	switch name {
	case "FLUSHALL", "SWAPDB", "MOVE":
		return true
	case "COPY":
		for _, a := range args[min(3, len(args)):] {
			if strings.EqualFold(string(a), "db") {
				return true
			}
		}
	}
	return false
}

// checkDB sees to it that the target has a database: within a transaction it would be too
// late to find out.
func (r *run) checkDB(db int) error {
	if r.checked[db] {
		return nil
	}
	r.checked[db] = true
	r.p.use(db)
	return r.p.flush()
}

// transact runs the orders. Those that the target does not know, or finds wrong before it
// begins, are left out and listed.
func (r *run) transact() error {
	for len(r.orders.list) > 0 {
		aborted, err := r.tryTransact()
		if err != nil {
			return err
		}
		if !aborted {
			break
		}
		var good []order
		for _, o := range r.orders.list {
			if o.fault != "" {
				r.order(&o, o.fault)
				continue
			}
			good = append(good, o)
		}
		if len(good) == len(r.orders.list) {
			return errors.New("the target aborts a transaction without saying why: run the import again")
		}
		r.orders.list = good
	}
	r.orders.list, r.orders.bytes = r.orders.list[:0], 0
	return r.reached()
}

// order lists the error of a command.
func (r *run) order(o *order, fault string) {
	r.Summary.failed("offset %d, %s: %s", o.offset, o.name, fault)
}

func (r *run) tryTransact() (aborted bool, err error) {
	at, err := json.Marshal(r.next)
	if err != nil {
		return false, err
	}
	list := r.orders.list
	r.p.ask(mustBeOK("MULTI"), []byte("MULTI"))
	for i := range list {
		r.p.raw([]func(resp.Value) error{func(v resp.Value) error { list[i].fault = firstError(v); return nil }}, list[i].raw)
	}
	r.p.ask(mustBeOK("SELECT"), []byte("SELECT"), number(int64(r.dbOf(0))))
	r.p.ask(mustBeOK("SET"), []byte("SET"), []byte(r.ownName()), at)
	r.p.ask(func(v resp.Value) error {
		if aborted = strings.HasPrefix(firstError(v), "EXECABORT"); aborted {
			return nil
		}
		if len(v.Elems) < len(list) {
			return targetError(v, "the import needs transactions")
		}
		r.executed(list, v.Elems)
		return nil
	}, []byte("EXEC"))
	err = r.p.flush()
	r.p.selected = -1
	return aborted, err
}

// executed counts what the commands were answered.
func (r *run) executed(list []order, answers []resp.Value) {
	for i := range list {
		if fault := firstError(answers[i]); fault != "" {
			r.order(&list[i], fault)
		} else if answers[i].Int == 0 && (list[i].name == "PEXPIREAT" || list[i].name == "PERSIST") {
			r.order(&list[i], errKeyGone) // at the source it has had an effect
		} else if list[i].name != "SELECT" {
			r.Commands++
		}
	}
}

// errKeyGone is of a command that was to make a key live longer.
const errKeyGone = "its key is not in the target, or has no deadline there: if the import was stopped, its time was over meanwhile, as the target has it"

var errSourceGone = errors.New("the source has closed the connection: when it is back, run the import again, and it goes on from here")

func sourceError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errSourceGone
	}
	return fmt.Errorf("the source cannot be read (%w): run the import again, and it goes on from here", err)
}
