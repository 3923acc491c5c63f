package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"dozo/client"
	"dozo/env"
	"dozo/rescue"
	"dozo/resp"
)

// appliedSuffix is what the name of the file ends with that says what was applied.
const appliedSuffix = ".applied"

// apply sends what is chosen of a file to a server.
func (t *rescueTool) apply(rest []string) (int, error) {
	switch {
	case len(rest) != 1:
		return rescueFailed, usageError("apply takes one file, behind the options")
	case t.all == (len(t.patterns) > 0):
		return rescueFailed, usageError("say what to apply: --all, or --key PATTERN")
	case !t.dryRun && !t.server:
		return rescueFailed, usageError("say which server to apply it to: -h and -p, -s or -u")
	}
	r, err := rescue.Open(t.env.FS, rest[0])
	if err != nil {
		return rescueFailed, err
	}
	defer r.Close()
	a := &applier{t: t, db: -1}
	if !t.dryRun {
		if a.conn, err = t.dial(); err != nil {
			return rescueFailed, err
		}
		defer a.conn.Close()
		if err := t.begin(rest[0]); err != nil {
			return rescueFailed, err
		}
	}
	if err := a.run(r); err != nil {
		return rescueFailed, fmt.Errorf("%d commands were applied, and then: %w", a.done, err)
	}
	if t.dryRun {
		fmt.Fprintf(t.out, "%d commands would be applied\n", a.done)
		return rescueDone, nil
	}
	fmt.Fprintf(t.out, "%d commands were applied, %d refused\n", a.done-a.refused, a.refused)
	if err := t.mark(rest[0], fmt.Sprintf("done: %d commands, %d refused", a.done-a.refused, a.refused)); err != nil {
		return rescueFailed, err
	}
	if a.refused > 0 {
		return rescueRefused, nil
	}
	return rescueDone, nil
}

// begin takes note that something is applied, unless something was before.
func (t *rescueTool) begin(path string) error {
	before, err := t.env.FS.ReadFile(path + appliedSuffix)
	switch {
	case err == nil && !t.again:
		return fmt.Errorf("of this file something was applied already; what cannot be applied twice would be wrong then. --again does it all the same. %s has:\n%s",
			path+appliedSuffix, bytes.TrimSpace(before))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	what := "--all"
	if !t.all {
		what = "--key " + strings.Join(t.patterns, " --key ")
	}
	_, address := t.address()
	return t.mark(path, fmt.Sprintf("begun: %s to %s", what, address))
}

// mark adds a line to the note beside the file, durably.
func (t *rescueTool) mark(path, line string) error {
	at := time.Unix(0, int64(t.env.Clock.Wall())).UTC().Format(time.RFC3339)
	f, err := t.env.FS.OpenFile(path+appliedSuffix, env.AppendNew, 0o600)
	if errors.Is(err, fs.ErrExist) {
		f, err = t.env.FS.OpenFile(path+appliedSuffix, env.Append, 0)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%s %s\n", at, line)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// applier sends commands, each with its reply before the next: what the server says of one
// decides whether to go on.
type applier struct {
	t       *rescueTool
	conn    *client.Conn
	db      int        // of the connection; -1 = not selected yet
	unit    [][]string // what is chosen of a transaction, with its SELECTs
	chosen  int        // commands in unit
	unitDB  int        // database in force in unit
	done    int
	refused int
}

func (a *applier) run(r *rescue.Reader) error {
	db := 0
	for {
		cmd, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !frames(cmd.Args, &db) {
			if name := strings.ToUpper(string(cmd.Args[0])); name != "PUBLISH" && name != "SPUBLISH" && a.t.chooses(a.t.keysOf(cmd.Args)) {
				a.take(db, cmd.Args)
			}
		}
		if !cmd.InUnit || bytes.EqualFold(cmd.Args[0], []byte("EXEC")) {
			if err := a.send(); err != nil {
				return err
			}
		}
	}
}

// take adds a command to what is sent next.
func (a *applier) take(db int, args [][]byte) {
	if len(a.unit) == 0 {
		a.unitDB = a.db
	}
	if db != a.unitDB {
		a.unit, a.unitDB = append(a.unit, []string{"SELECT", strconv.Itoa(db)}), db
	}
	words := make([]string, len(args))
	for i, w := range args {
		words[i] = string(w)
	}
	a.unit = append(a.unit, words)
	a.chosen++
}

// send sends what was taken, several commands as a transaction.
func (a *applier) send() error {
	unit, chosen := a.unit, a.chosen
	a.unit, a.chosen = nil, 0
	if chosen == 0 {
		return nil
	}
	a.db = a.unitDB
	if chosen > 1 {
		unit = append(append([][]string{{"MULTI"}}, unit...), []string{"EXEC"})
	}
	for _, words := range unit {
		if a.t.dryRun {
			fmt.Fprintln(a.t.out, shownWords(words))
			continue
		}
		v, err := a.conn.Do(words...)
		if err != nil && !v.IsError() {
			return err
		}
		if err := a.judge(words, v); err != nil {
			return err
		}
	}
	a.done += chosen
	return nil
}

// judge takes a reply. One that would be the same for all that follows ends it.
func (a *applier) judge(words []string, v resp.Value) error {
	replies := []resp.Value{v}
	if words[0] == "EXEC" && !v.IsError() {
		replies = v.Elems
	}
	for _, r := range replies {
		if !r.IsError() {
			continue
		}
		code, _, _ := strings.Cut(r.Str, " ")
		switch code {
		case "READONLY", "LOADING", "NOAUTH", "NOPERM", "OOM", "MISCONF", "MASTERDOWN", "NOREPLICAS", "EXECABORT":
			return fmt.Errorf("the server refuses %s: %s", shownWords(words), r.Str)
		}
		a.refused++
		fmt.Fprintf(a.t.errout, "refused: %s: %s\n", shownWords(words), r.Str)
	}
	if words[0] == "SELECT" && v.IsError() {
		return errors.New("what follows is for a database that the server does not have")
	}
	return nil
}

func shownWords(words []string) string {
	args := make([][]byte, len(words))
	for i, w := range words {
		args[i] = []byte(w)
	}
	return shownCall(args)
}
