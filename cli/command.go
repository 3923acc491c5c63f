package cli

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"dozo/resp"
)

// issue sends a command repeat times (for ever if negative) and shows the replies,
// connecting first if need be. errExit ends the program; any other error has been
// shown and ends only this command.
func (s *session) issue(args []string, repeat int64) error {
	if isWord(args[0], "help", "?") {
		s.showHelp(args[1:])
		return nil
	}
	for {
		if s.redirected {
			s.disconnect()
		}
		s.redirected = false
		if s.conn == nil {
			if err := s.reconnect(); err != nil {
				return err
			}
		}
		if s.asking {
			s.asking = false
			if err := s.step("ASKING failed: ", "ASKING"); err != nil {
				return err
			}
		}
		if err := s.send(args, repeat); err != nil || !s.redirected {
			return err
		}
	}
}

// isWord compares a word with others in any case.
func isWord(word string, others ...string) bool {
	for _, o := range others {
		if strings.EqualFold(word, o) {
			return true
		}
	}
	return false
}

// verbatimCommands answer with a text for people, whatever the output mode.
// Two words mean a subcommand; want is the number of words, 0 for any.
var verbatimCommands = []struct {
	name, sub string
	words     int
}{
	{"info", "", 0}, {"lolwut", "", 0}, {"debug", "htstats", 0}, {"debug", "htstats-key", 0}, {"debug", "client-eviction", 0},
	{"memory", "malloc-stats", 0}, {"memory", "doctor", 0}, {"cluster", "nodes", 2}, {"cluster", "info", 2},
	{"client", "list", 0}, {"client", "info", 0}, {"latency", "graph", 3}, {"latency", "doctor", 2}, {"proxy", "info", 0},
}

func isVerbatim(args []string) bool {
	for _, c := range verbatimCommands {
		if !isWord(args[0], c.name) || c.words != 0 && c.words != len(args) {
			continue
		}
		if c.sub == "" || len(args) > 1 && isWord(args[1], c.sub) {
			return true
		}
	}
	return false
}

// send sends a command on the connection and shows the replies.
func (s *session) send(args []string, repeat int64) error {
	if isWord(args[0], "shutdown") {
		s.shutdown = true
	}
	if isWord(args[0], "sync", "psync") {
		fmt.Fprintln(s.out, "Entering replica output mode...  (press Ctrl-C to quit)")
		s.flush()
		return s.stream(args...)
	}
	verbatim := isVerbatim(args)
	for ; repeat != 0 && !s.redirected; repeat-- {
		s.conn.Send(args...)
		if err := s.replies(args, verbatim); err != nil {
			return err
		}
		if s.conn == nil {
			return nil // SHUTDOWN did what it should
		}
		time.Sleep(s.interval)
	}
	return nil
}

// replies reads and shows all that a command is answered with.
func (s *session) replies(args []string, verbatim bool) error {
	if isWord(args[0], "monitor") {
		return s.monitor(verbatim)
	}
	if isWord(args[0], "subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe") {
		return s.subscription(args, verbatim)
	}
	for {
		if err := s.readReply(verbatim); err != nil || s.conn == nil {
			return err
		}
		if !s.inPubsub || !s.isMessage(s.last) && s.last.Kind != resp.KindPush {
			break // else a message that came before the reply
		}
	}
	s.track(args)
	return nil
}

// monitor shows what MONITOR streams until Ctrl-C or the end of the connection.
func (s *session) monitor(verbatim bool) error {
	s.inMonitor = true
	s.streaming.Store(true)
	defer s.streaming.Store(false)
	for s.inMonitor {
		if err := s.readReply(verbatim); err != nil {
			s.inMonitor = false
			return err
		}
		if s.last.IsError() {
			s.inMonitor = false
		}
	}
	return nil
}

// subscription reads the confirmations of SUBSCRIBE and its kin: one for each
// channel, or for the lack of any.
func (s *session) subscription(args []string, verbatim bool) error {
	s.pushes = pushReturn // confirmations are pushes in RESP3
	for left := max(len(args)-1, 1); left > 0; {
		if err := s.readReply(verbatim); err != nil || s.conn == nil {
			return err
		}
		if !s.isMessage(s.last) {
			if s.last.Kind == resp.KindPush {
				continue
			}
			break // an error
		}
		if isWord(s.last.Elems[0].Str, args[0]) {
			left--
			s.inPubsub = s.inPubsub || !strings.Contains(strings.ToLower(args[0]), "unsub")
		}
	}
	if !s.inPubsub {
		s.setPushes()
	}
	return nil
}

// isMessage reports what pub/sub sends: messages and confirmations.
func (s *session) isMessage(v resp.Value) bool {
	kind := resp.KindArray
	if s.resp3Now {
		kind = resp.KindPush
	}
	if v.Kind != kind || len(v.Elems) < 3 || v.Elems[0].Kind != resp.KindBulk {
		return false
	}
	return strings.HasSuffix(v.Elems[0].Str, "message") || strings.HasSuffix(v.Elems[0].Str, "subscribe")
}

// track follows what a command that has been answered did to the connection.
func (s *session) track(args []string) {
	ok := !s.last.IsError()
	switch name := strings.ToLower(args[0]); {
	case name == "select" && len(args) == 2 && ok:
		s.dbNow = leadingInt(args[1])
		s.db = s.dbNow
	case name == "auth" && (len(args) == 2 || len(args) == 3):
		_ = s.selectDB() // a refusal has been shown
	case name == "multi" && len(args) == 1 && ok:
		s.inMulti, s.dbBefore = true, s.dbNow
	case name == "exec" && len(args) == 1 && s.inMulti:
		s.inMulti = false
		if !ok || s.last.IsNull() {
			s.dbNow, s.db = s.dbBefore, s.dbBefore
		}
	case name == "discard" && len(args) == 1 && ok:
		s.inMulti = false
		s.dbNow, s.db = s.dbBefore, s.dbBefore
	case name == "reset" && len(args) == 1 && ok:
		s.inMulti, s.inPubsub, s.resp3Now = false, false, false
		s.dbNow, s.db = 0, 0
		s.setPushes()
	case name == "hello" && s.last.Kind == resp.KindMap:
		s.resp3Now = true
	case name == "hello" && s.last.Kind == resp.KindArray:
		s.resp3Now = false
	}
}

// readReply reads one reply into last and shows it. After SHUTDOWN, or an abort
// by Ctrl-C, the end of the connection is no error.
func (s *session) readReply(verbatim bool) error {
	v, err := s.receive()
	if err != nil {
		return s.lost(err)
	}
	s.last = v
	if s.cluster && v.IsError() && s.redirect(v.Str) {
		return nil
	}
	if s.exitCode && !s.interactive && v.IsError() {
		fmt.Fprintln(s.errout, v.Str)
		return errExit
	}
	s.show(v, verbatim)
	return nil
}

// receive reads a reply, or a push if those are waited for.
func (s *session) receive() (resp.Value, error) {
	if err := s.conn.Flush(); err != nil {
		return resp.Value{}, err
	}
	for {
		v, err := s.conn.Receive()
		if err != nil || v.Kind != resp.KindPush || s.pushes == pushReturn {
			return v, err
		}
		if s.pushes == pushShow {
			s.showPush(v)
		}
	}
}

// showPush prints a message that came by itself.
func (s *session) showPush(v resp.Value) {
	if s.output != outputStandard || len(v.Elems) != 2 || v.Elems[0].Str != "invalidate" || v.Elems[1].Kind != resp.KindArray {
		s.show(v, false)
		return
	}
	keys := v.Elems[1].Strings()
	for i, k := range keys {
		keys[i] = "'" + k + "'"
	}
	fmt.Fprintf(s.out, "-> invalidate: %s\n", strings.Join(keys, ", "))
	s.flush()
}

// lost deals with a connection that failed.
func (s *session) lost(err error) error {
	switch {
	case s.killed.Load():
		return errExit
	case s.aborted.Swap(false):
		s.inMonitor, s.inPubsub = false, false
		return s.reconnect()
	case s.shutdown:
		s.disconnect()
		return nil
	}
	s.complain(err)
	s.disconnect()
	ended := failure(err) == "Server closed the connection" || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	if s.interactive && ended {
		return errLost
	}
	return errExit
}

// redirect takes "MOVED slot host:port" or "ASK slot host:port".
func (s *session) redirect(reply string) bool {
	words := strings.Fields(reply)
	if len(words) != 3 || words[0] != "MOVED" && words[0] != "ASK" {
		return false
	}
	colon := strings.LastIndexByte(words[2], ':')
	if colon < 0 {
		return false
	}
	if colon > 0 {
		s.host = words[2][:colon]
	}
	s.port = leadingInt(words[2][colon+1:])
	s.redirected, s.asking = true, words[0] == "ASK"
	if s.interactive {
		fmt.Fprintf(s.out, "-> Redirected to slot [%s] located at %s\n", words[1], joinHostPort(s.host, s.port))
		s.flush()
	}
	return true
}
