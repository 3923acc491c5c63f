package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"dozo/client"
	"dozo/resp"
)

// startSync sends SYNC or PSYNC and reads up to the snapshot's first byte.
func (s *session) startSync(args ...string) (client.Snapshot, error) {
	p, err := s.conn.StartSync(args...)
	if p.Reply != "" {
		fmt.Fprintf(s.errout, "PSYNC replied +%s\n", p.Reply)
	}
	var why *client.SyncError
	if errors.As(err, &why) {
		return p, usageError(why.Doing + ": " + failure(why.Err) + hintAtSync(why.Err))
	}
	return p, err
}

// hintAtSync says what else there is when a server does not know SYNC at all.
func hintAtSync(err error) string {
	var refused resp.ReplyError
	if !errors.As(err, &refused) || !strings.Contains(strings.ToLower(string(refused)), "unknown command") {
		return ""
	}
	return "\nThis server sends no snapshots to clients: BGSAVE has it write one on its own side, and dozo import --scan copies its keys one by one."
}

// replconf tells a primary about this replica; old ones may not know the option.
func (s *session) replconf(option, value string) bool {
	fmt.Fprintf(s.errout, "sending REPLCONF %s %s\n", option, value)
	v, err := s.conn.Do("REPLCONF", option, value)
	if v.IsError() {
		fmt.Fprintf(s.errout, "REPLCONF %s error: %s\n", option, v.Str)
	}
	return err == nil
}

// rdbMode writes a snapshot to a file, or with "-" to standard output.
func rdbMode(s *session) int {
	s.replconf("capa", "eof")
	s.replconf("rdb-only", "1")
	if s.functionsOnly && !s.replconf("rdb-filter-only", "functions") {
		fmt.Fprintln(s.errout, "Failed requesting functions only RDB from server, aborting")
		return 1
	}
	p, err := s.startSync("SYNC")
	if err != nil {
		fmt.Fprintln(s.errout, err)
		return 1
	}
	if p.Mark != nil {
		fmt.Fprintf(s.errout, "SYNC sent to master, writing bytes of bulk transfer until EOF marker to '%s'\n", s.rdbFile)
	} else {
		fmt.Fprintf(s.errout, "SYNC sent to master, writing %d bytes to '%s'\n", p.Size, s.rdbFile)
	}
	n, err := s.saveSnapshot(p)
	if err != nil {
		fmt.Fprintf(s.errout, "Transfer to '%s' failed, nothing was saved: %s\n", s.rdbFile, failure(err))
		return 1
	}
	if p.Mark != nil {
		fmt.Fprintf(s.errout, "Transfer finished with success after %d bytes\n", n)
	} else {
		fmt.Fprintln(s.errout, "Transfer finished with success.")
	}
	return 0
}

// replicaMode connects like a replica and shows the stream of writes.
func replicaMode(s *session) int {
	s.replconf("capa", "eof")
	_ = s.stream("SYNC") // it has said why it ended
	return 1
}

// stream sends SYNC or PSYNC, drops the snapshot and shows the commands behind it
// as CSV until the connection ends.
func (s *session) stream(args ...string) error {
	p, err := s.startSync(args...)
	if err != nil {
		fmt.Fprintln(s.errout, err)
		return errExit
	}
	if !p.Partial {
		if err := s.dropSnapshot(p); err != nil {
			return err
		}
	}
	before := s.output
	s.output = outputCSV
	defer func() { s.output = before }()
	for {
		if err := s.readReply(false); err != nil || s.conn == nil {
			return err
		}
	}
}

func (s *session) dropSnapshot(p client.Snapshot) error {
	what := fmt.Sprint(p.Size, " bytes of bulk transfer")
	if p.Mark != nil {
		what = "bytes of bulk transfer until EOF marker"
	}
	fmt.Fprintf(s.errout, "Full resync with master, discarding %s...\n", what)
	n, err := p.Copy(io.Discard, s.conn.Reader())
	if err != nil {
		fmt.Fprintf(s.errout, "Error reading RDB payload while Full resyncing: %s\n", failure(err))
		return errExit
	}
	fmt.Fprintf(s.errout, "Full resync done after %d bytes. Logging commands from master.\n", n)
	if p.Mark != nil {
		// The primary counts the replica as online only when it has acknowledged, and
		// answers nothing to that. It may take a moment to notice its child's end.
		s.pause(time.Second)
		s.conn.Send("REPLCONF", "ACK", "0")
	}
	return nil
}
