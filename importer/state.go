package importer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"dozo/env"
)

// position is how far a source was read.
type position struct {
	// Of files: which one, and where in it. Commands says that it is in the part with
	// commands; before that, all records that begin before Offset are done.
	Part     int   `json:"part"`
	Offset   int64 `json:"offset"`
	Commands bool  `json:"commands"`
	DB       int   `json:"db"` // of the source
	// Of SCAN: the cursor to go on with in DB.
	Cursor string `json:"cursor,omitempty"`
}

// state is what the state file has.
type state struct {
	Source  string   `json:"source"`
	ID      string   `json:"id"` // of the names of keys that the import needs for itself
	At      position `json:"at"`
	Parked  int64    `json:"parked"`
	Summary *Summary `json:"summary"`
	// Of a primary's stream: the history, where in it the spooled part begins, and whether the
	// snapshot is here in full.
	History string `json:"history,omitempty"`
	Begin   int64  `json:"begin,omitempty"`
	Whole   bool   `json:"whole,omitempty"`
	// See identity.go.
	Target    string     `json:"target,omitempty"`
	SourceRun string     `json:"source_run,omitempty"`
	Files     []fileMark `json:"files,omitempty"`
}

// stateEvery is how often the state is saved.
const stateEvery = time.Second

// loadState reads the state file; false if there is none.
func (r *run) loadState() (bool, error) {
	b, err := r.Env.FS.ReadFile(r.State)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var st state
	if err := json.Unmarshal(b, &st); err != nil {
		return false, fmt.Errorf("%s is not the state of an import (%w): give another name with --state, or begin anew with --restart", r.State, err)
	}
	if st.Source != r.source() {
		return false, fmt.Errorf("%s is the state of an import from %s, not from %s: give another name with --state, or begin anew with --restart", r.State, st.Source, r.source())
	}
	r.st, r.next = st, st.At
	r.Summary = *st.Summary
	return true, nil
}

// saveState writes the state file, in one go.
func (r *run) saveState() error {
	r.saved = r.Env.Clock.Monotonic()
	r.st.Summary = &r.Summary
	b, err := json.MarshalIndent(&r.st, "", "  ")
	if err != nil {
		return err
	}
	err = env.Replace(r.Env.FS, r.State, env.Replacement{Temp: r.State + ".tmp", Perm: 0o600, Fill: env.Content(b)})
	if err != nil {
		return fmt.Errorf("the state of the import cannot be saved: %w", err)
	}
	return nil
}
