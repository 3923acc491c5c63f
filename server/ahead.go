package server

import "dozo/keyspace"

const (
	// aheadMax is how many commands are parsed before the first is executed.
	aheadMax = 16
	// aheadArgsMax bounds the words of a command that is parsed ahead.
	aheadArgsMax = 8
)

// readAhead is a few commands of a pipeline, parsed but not executed yet, so that
// what they will look up is loaded while that which comes before is executed.
type readAhead struct {
	commands [aheadMax]parsed
	n        int
	words    [aheadMax * aheadArgsMax][]byte // of all commands
	warm     keyspace.Warm
}

// parsed is one command: its words, and where it ends in the input.
type parsed struct {
	args [][]byte
	end  int
}

// batchAhead executes the command that was just parsed and those that follow it
// whole in the input, some at a time. done means that the batch ends here.
func (w *worker) batchAhead(cl *Client, in []byte, from int, args [][]byte, n int) (consumed int, done bool) {
	if len(args) > aheadArgsMax {
		return w.stepAlone(cl, in, from, args, n)
	}
	a := &w.ahead
	w.view.DB = cl.db
	w.collect(cl, in, from+n, args)
	w.view.Warm(&a.warm)
	consumed = from
	for i := range a.n {
		c := &a.commands[i]
		switch w.step(cl, c.args) {
		case stepDone:
			consumed = c.end
		case stepHeld:
			cl.parser.Reset() // it was further
			return consumed, true
		case stepLast:
			cl.parser.Reset()
			return c.end, true
		case stepEnd:
			return len(in), true
		}
	}
	return consumed, false
}

// stepAlone executes a command that is too long to be kept with others.
func (w *worker) stepAlone(cl *Client, in []byte, from int, args [][]byte, n int) (consumed int, done bool) {
	switch w.step(cl, args) {
	case stepHeld:
		return from, true
	case stepLast:
		return from + n, true
	case stepEnd:
		return len(in), true
	}
	return from + n, false
}

// collect takes the command args, which ends at end, and parses on. A command in
// parts, a long one, or an error is left for later.
func (w *worker) collect(cl *Client, in []byte, end int, args [][]byte) {
	a := &w.ahead
	a.n = 0
	words := a.words[:0]
	for {
		from := len(words)
		words = append(words, args...)
		a.commands[a.n] = parsed{words[from:len(words):len(words)], end}
		a.n++
		w.addWarm(args)
		if a.n == aheadMax || end == len(in) {
			return
		}
		next, n, err := cl.parser.Next(in[end:])
		if err != nil || len(next) > aheadArgsMax {
			cl.parser.Reset() // it is parsed again when its turn comes
			return
		}
		if n == 0 {
			return
		}
		args, end = next, end+n
	}
}

// addWarm notes the key of a command that has just one.
func (w *worker) addWarm(args [][]byte) {
	if len(args) < 2 {
		return
	}
	if cmd := w.table.Lookup(args[0]); cmd != nil && cmd.OneKey != 0 && cmd.OneKey < len(args) {
		w.view.AddWarm(&w.ahead.warm, args[cmd.OneKey])
	}
}

// warmHeld loads what a command with several keys will look up. Its shards are
// held.
func (w *worker) warmHeld(cl *Client, args [][]byte) {
	w.view.DB = cl.db
	for _, r := range w.refs {
		if w.ahead.warm.Full() {
			w.view.Warm(&w.ahead.warm)
		}
		w.view.AddWarm(&w.ahead.warm, args[r.Index])
	}
	w.view.Warm(&w.ahead.warm)
}
