package server

import (
	"slices"
	"strconv"
	"strings"

	"dozo/command"
	"dozo/text"
)

// errMonitorReads is what a client in MONITOR gets for commands about keys, in
// the words for a replica, which it is to Redis.
var errMonitorReads error = command.ReplyError("ERR Replica can't interact with the keyspace")

// monitor is MONITOR: from now on the client gets a line for each command.
func monitor(c *command.Context) error {
	cl := clientOf(c)
	w := cl.worker
	if w.inExec {
		return command.ReplyError("ERR MONITOR isn't allowed for DENY BLOCKING client")
	}
	if cl.has(monitoring) {
		return nil
	}
	cl.set(monitoring, true)
	w.local.monitors = append(w.local.monitors, cl)
	w.monitorsHere.Add(1)
	w.srv.monitors++
	w.srv.attend(attnMonitors, true)
	c.Out.OK()
	return nil
}

// stopMonitoring ends what MONITOR began. It is called with or without being
// alone, so the count of all monitors is settled by a message to itself.
func (w *worker) stopMonitoring(cl *Client) {
	if !cl.has(monitoring) {
		return
	}
	cl.set(monitoring, false)
	i := slices.Index(w.local.monitors, cl)
	w.local.monitors = slices.Delete(w.local.monitors, i, i+1)
	w.monitorsHere.Add(-1)
	w.call(func(w *worker) {
		w.gated(func() {
			w.alone(func() {
				w.srv.monitors--
				w.srv.attend(attnMonitors, w.srv.monitors > 0)
			})
		})
	})
}

// redactedFrom is the first argument that a log of commands must not show, for
// commands that carry passwords; 0 = none.
func redactedFrom(cmd *command.Command, args [][]byte) (from, to int) {
	switch cmd.FullName {
	case "auth":
		return 1, len(args)
	case "hello":
		for i := 2; i < len(args); i++ {
			if text.EqualFold(args[i], "AUTH") {
				return i + 1, min(i+3, len(args))
			}
		}
	case "config|set":
		return redactedConfig(args)
	}
	return 0, 0
}

// feedMonitors shows a command to everyone in MONITOR.
func (w *worker) feedMonitors(cl *Client, cmd *command.Command, args [][]byte) {
	if cmd.Flags&(command.SkipMonitor|command.Admin) != 0 {
		return
	}
	line := w.monitorLine(cl, cmd, args)
	for _, other := range w.srv.workers {
		if other.monitorsHere.Load() != 0 {
			w.tell(other, note{line: line})
		}
	}
}

// monitorLine is one line of MONITOR, as a simple string.
func (w *worker) monitorLine(cl *Client, cmd *command.Command, args [][]byte) []byte {
	micros := int64(w.srv.clock.Wall() / 1000)
	b := strconv.AppendInt([]byte("+"), micros/1e6, 10)
	b = append(b, '.')
	frac := strconv.Itoa(int(micros%1e6) + 1e6)
	b = append(append(append(b, frac[1:]...), " ["...), strconv.Itoa(cl.db)...)
	b = append(b, ' ')
	if cl.isUnix {
		b = append(append(b, "unix:"...), strings.TrimSuffix(cl.remote, ":0")...)
	} else {
		b = append(b, cl.remote...)
	}
	b = append(b, ']')
	from, to := redactedFrom(cmd, args)
	for i, a := range args {
		b = append(b, ' ')
		if from > 0 && i >= from && i < to {
			b = append(b, `"(redacted)"`...)
			continue
		}
		b = text.AppendQuote(b, a)
	}
	return append(b, "\r\n"...)
}

// deliverMonitor writes a line to the clients of this loop that are in MONITOR.
func (w *worker) deliverMonitor(line []byte) {
	for _, cl := range w.local.monitors {
		if !cl.has(replyOff) {
			w.push(cl, line)
		}
	}
}
