package testutil

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Ledger is clients that write without end, and a book of what they have sent and of
// what was acknowledged. What a server has after a crash is compared with it: a write
// that was promised must be there, and one that was never sent must not.
//
// Each client numbers its writes, and each leaves its number, so that what is there says
// how many of them it holds, and that it holds all of those, once.
type Ledger struct {
	mu    sync.Mutex
	lines []*line
	quiet bool  // what is acknowledged now is no promise
	fault error // the first reply that was an error
}

// line is what one client writes.
type line struct {
	writeKind
	key   string
	sent  int
	acked int
	acks  []ack // of writes that were promised, in order
	kept  int   // the last one that is on the disk, as somebody has said
}

type ack struct {
	n  int
	at time.Time
}

// writeKind is a way to write numbers.
type writeKind struct {
	name string
	// write is the n-th write; what its last command replies acknowledges it.
	write func(key string, n int) [][]string
	// read tells how many writes are there. The error says that what is there was left by
	// no number of them.
	read func(c *Conn, key string) (int, error)
	// waits says that WAITAOF follows each write.
	waits bool
}

// NewLedger is the book of some clients, which write in different ways.
func NewLedger(clients int) *Ledger {
	l := &Ledger{}
	for i := range clients {
		kind := writeKinds[i%len(writeKinds)]
		l.lines = append(l.lines, &line{writeKind: kind, key: fmt.Sprintf("%s:%d:", kind.name, i)})
	}
	return l
}

// Keys is, for each client, what the keys and members begin with that it writes.
func (l *Ledger) Keys() (keys []string) {
	for _, line := range l.lines {
		keys = append(keys, line.key)
	}
	return keys
}

// Begin has the clients write to a server, until the connections end or until end is
// called, which waits for them and gives the first error that a write was answered. If there
// are more addresses, a client that is told READONLY sends the same to the next one.
func (l *Ledger) Begin(addrs ...string) (end func() error, err error) {
	var all []*writer
	var writers sync.WaitGroup
	end = func() error {
		for _, w := range all {
			w.close()
		}
		writers.Wait()
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.fault
	}
	for _, line := range l.lines {
		w := &writer{line: line, addrs: addrs}
		if err := w.dial(); err != nil {
			return nil, errors.Join(err, end())
		}
		all = append(all, w)
	}
	for _, w := range all {
		writers.Go(func() {
			for l.writeOne(w) {
			}
		})
	}
	return end, nil
}

// writer is a client at work.
type writer struct {
	*line
	addrs []string
	at    int // where it writes

	mu    sync.Mutex
	conn  *Conn // changed by the client itself
	ended bool
}

var errEnded = errors.New("the clients were ended")

func (w *writer) dial() error {
	c, err := Dial(w.addrs[w.at])
	w.mu.Lock()
	defer w.mu.Unlock()
	if err == nil && w.ended {
		c.Close()
		err = errEnded
	}
	if err == nil {
		w.conn = c
	}
	return err
}

func (w *writer) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
	w.conn.Close()
}

// move goes to the next address.
func (w *writer) move() error {
	w.conn.Close()
	w.at = (w.at + 1) % len(w.addrs)
	if w.at == 0 {
		time.Sleep(time.Millisecond) // none of them takes writes at the moment
	}
	return w.dial()
}

// writeOne does one write; false = the connection has ended, or there was an error.
func (l *Ledger) writeOne(w *writer) bool {
	l.mu.Lock()
	w.sent++
	n := w.sent
	l.mu.Unlock()
	refusal, err := w.try(n)
	for err == nil && strings.Contains(refusal, "READONLY") && len(w.addrs) > 1 {
		if err = w.move(); err == nil {
			refusal, err = w.try(n)
		}
	}
	switch {
	case err != nil:
		return false
	case refusal != "":
		l.failed(errors.New(refusal))
		return false
	}
	l.acknowledged(w.line, n)
	if !w.waits || l.await(w.conn, w.line, n) {
		return true
	}
	return len(w.addrs) > 1 && w.move() == nil // the write is there, whoever takes the next
}

// try sends the n-th write. It may be refused; the error is the connection's.
func (w *writer) try(n int) (refusal string, err error) {
	commands := w.write(w.key, n)
	for _, words := range commands {
		w.conn.Queue(words...)
	}
	if err := w.conn.Flush(); err != nil {
		return "", err
	}
	for range commands {
		raw, err := w.conn.ReadRaw()
		if err != nil {
			return "", err
		}
		v, err := Parse(raw)
		if err != nil {
			return err.Error(), nil
		}
		if v.IsError() {
			return fmt.Sprintf("%q: %s", commands, v.Str), nil
		}
	}
	return "", nil
}

// await asks whether a write is on the disk.
func (l *Ledger) await(c *Conn, line *line, n int) bool {
	v, err := c.DoErr("WAITAOF", "1", "0", "0")
	if err != nil || strings.HasPrefix(v.Str, "UNBLOCKED") {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.quiet && len(v.Elems) == 2 && v.Elems[0].Int() == 1 {
		line.kept = n
	}
	return true
}

func (l *Ledger) acknowledged(line *line, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line.acked = n; !l.quiet {
		line.acks = append(line.acks, ack{n, time.Now()})
	}
}

func (l *Ledger) failed(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fault == nil {
		l.fault = err
	}
}

// Quiet says whether acknowledgements are no promises from now on, as they are none
// while nothing is written to disk.
func (l *Ledger) Quiet(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet = on
}

// Promised is, for each client, how many of its writes must be there after a crash now,
// if those must be that were acknowledged at least so long ago.
func (l *Ledger) Promised(ago time.Duration) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := time.Now().Add(-ago)
	least := make([]int, len(l.lines))
	for i, line := range l.lines {
		least[i] = line.kept
		for _, a := range slices.Backward(line.acks) {
			if !a.at.After(until) {
				least[i] = max(least[i], a.n)
				break
			}
		}
	}
	return least
}

// Acked is, for each client, how many writes were acknowledged, promises or not.
func (l *Ledger) Acked() []int {
	return l.count(func(line *line) int { return line.acked })
}

// LongestGap is the longest time since then in which no write was acknowledged, between the
// first and the last that were.
func (l *Ledger) LongestGap(since time.Time) (gap time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var times []time.Time
	for _, line := range l.lines {
		for _, a := range slices.Backward(line.acks) {
			if a.at.Before(since) {
				break
			}
			times = append(times, a.at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	for i := 1; i < len(times); i++ {
		gap = max(gap, times[i].Sub(times[i-1]))
	}
	return gap
}

// Keep says that so many writes of each client are on the disk.
func (l *Ledger) Keep(kept []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, line := range l.lines {
		line.kept = max(line.kept, kept[i])
	}
}

// Sent is, for each client, how many writes it has sent.
func (l *Ledger) Sent() []int {
	return l.count(func(line *line) int { return line.sent })
}

func (l *Ledger) count(of func(*line) int) []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	counts := make([]int, len(l.lines))
	for i, line := range l.lines {
		counts[i] = of(line)
	}
	return counts
}

// Check compares what a server has with what must, and what can, be there. It tells how
// many writes of each client it has.
func (l *Ledger) Check(addr string, least, most []int) (found []int, err error) {
	c, err := Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	for i, line := range l.lines {
		n, e := line.read(c, line.key)
		switch {
		case e != nil:
			e = fmt.Errorf("%s: %w", line.key, e)
		case n < least[i]:
			e = fmt.Errorf("%s: %d writes are there, and %d were promised: %d are lost", line.key, n, least[i], least[i]-n)
		case n > most[i]:
			e = fmt.Errorf("%s: %d writes are there, and only %d were sent", line.key, n, most[i])
		}
		err = errors.Join(err, e)
		found = append(found, n)
	}
	return found, err
}

// Continue takes what was found after a crash for what was written.
func (l *Ledger) Continue(found []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, line := range l.lines {
		line.sent, line.acked, line.kept, line.acks = found[i], found[i], found[i], nil
	}
}

// ask is the reply to a command, errors of the server included.
func ask(c *Conn, words ...string) (Value, error) {
	v, err := c.DoErr(words...)
	if err == nil && v.IsError() {
		err = errors.New(v.Str)
	}
	return v, err
}

// readNumber reads a string that is the number.
func readNumber(c *Conn, key string) (int, error) {
	v, err := ask(c, "GET", key)
	return int(v.Int()), err
}

func increment(key string, _ int) [][]string { return [][]string{{"INCR", key}} }

// writeKinds differ in what they do to the keyspace, and in how much one of them that is
// executed twice, or in part, would leave.
var writeKinds = []writeKind{
	{name: "counter", write: increment, read: readNumber},
	{name: "list", write: func(key string, n int) [][]string { return [][]string{{"RPUSH", key, strconv.Itoa(n)}} }, read: readList},
	{name: "pair", write: func(key string, _ int) [][]string {
		return [][]string{{"MULTI"}, {"INCR", key}, {"SELECT", "1"}, {"INCR", key}, {"SELECT", "0"}, {"EXEC"}}
	}, read: readPair},
	{name: "waits", write: increment, read: readNumber, waits: true},
	{name: "moving", write: func(key string, n int) [][]string {
		return [][]string{{"MULTI"}, {"SET", key + strconv.Itoa(n), "x", "PX", "100000000"}, {"DEL", key + strconv.Itoa(n-1)}, {"EXEC"}}
	}, read: readMoving},
	{name: "stream", write: func(key string, n int) [][]string { return [][]string{{"XADD", key, strconv.Itoa(n) + "-0", "f", "v"}} }, read: readStream},
	{name: "text", write: func(key string, n int) [][]string { return [][]string{{"APPEND", key, fmt.Sprintf("%08d", n)}} }, read: readText},
	{name: "score", write: func(key string, _ int) [][]string { return [][]string{{"ZINCRBY", "scores", "1", key}} }, read: readScore},
}

// readList: as many elements as the last of them says.
func readList(c *Conn, key string) (int, error) {
	v, err := ask(c, "LLEN", key)
	if err != nil {
		return 0, err
	}
	last, err := ask(c, "LINDEX", key, "-1")
	if err == nil && last.Int() != v.Int() {
		err = fmt.Errorf("%d elements, and the last is %q", v.Int(), last.Str)
	}
	return int(v.Int()), err
}

// readPair: a transaction is there as a whole.
func readPair(c *Conn, key string) (int, error) {
	one, err := ask(c, "GET", key)
	if err == nil {
		_, err = ask(c, "SELECT", "1")
	}
	if err != nil {
		return 0, err
	}
	other, err := ask(c, "GET", key)
	if err == nil && other.Int() != one.Int() {
		err = fmt.Errorf("one half of a transaction has %d, the other %d", one.Int(), other.Int())
	}
	if err == nil {
		_, err = ask(c, "SELECT", "0")
	}
	return int(one.Int()), err
}

// readMoving: of all keys there is one, which has the number.
func readMoving(c *Conn, key string) (int, error) {
	keys, err := ask(c, "KEYS", key+"*")
	if err != nil || len(keys.Elems) == 0 {
		return 0, err
	}
	if len(keys.Elems) > 1 {
		return 0, fmt.Errorf("all of these are there: %q", keys.Strings())
	}
	return strconv.Atoi(keys.Elems[0].Str[len(key):])
}

// readStream: as many entries as the last one's ID says.
func readStream(c *Conn, key string) (int, error) {
	length, err := ask(c, "XLEN", key)
	if err != nil {
		return 0, err
	}
	last, err := ask(c, "XREVRANGE", key, "+", "-", "COUNT", "1")
	if err == nil && length.Int() > 0 && last.Elems[0].Elems[0].Str != fmt.Sprintf("%d-0", length.Int()) {
		err = fmt.Errorf("%d entries, and the last is %v", length.Int(), last)
	}
	return int(length.Int()), err
}

// readText: as many pieces of eight digits as the last one says.
func readText(c *Conn, key string) (int, error) {
	length, err := ask(c, "STRLEN", key)
	if err != nil {
		return 0, err
	}
	last, err := ask(c, "GETRANGE", key, "-8", "-1")
	n := int(length.Int() / 8)
	if err == nil && n > 0 && last.Str != fmt.Sprintf("%08d", n) {
		err = fmt.Errorf("%d bytes, and the last piece is %q", length.Int(), last.Str)
	}
	return n, err
}

// readScore reads from the one sorted set that all clients of this kind have together.
func readScore(c *Conn, key string) (int, error) {
	v, err := ask(c, "ZSCORE", "scores", key)
	return int(v.Int()), err
}
