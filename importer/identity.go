package importer

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"dozo/client"
)

// A state says how far an import came from one source into one target. It is worth
// nothing when either is not what it was: a target that was restarted may have lost what
// it was given last, the cursors of a source that was restarted mean other keys, and a
// file of the same name may be another file. Each of these would leave keys out, without
// an error. So the state has what the three are known by.

// runID is by what a server that was restarted is known; "" if it does not say.
func runID(c *client.Conn) string { return infoField(c, "server", "run_id") }

// infoField is what INFO says; "" if it does not say it. A server that refuses INFO refuses
// more, and says why then.
func infoField(c *client.Conn, section, field string) string {
	v, err := c.Do("INFO", section)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(v.Str, "\r\n"+field+":")
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}

// evictions is how many keys the target has evicted since it was started. One that evicts
// takes everything and says OK.
func (r *run) evictions() int64 {
	n, _ := strconv.ParseInt(infoField(r.p.Conn, "stats", "evicted_keys"), 10, 64) // else none is known
	return n
}

// noteEvictions lists those of this run. What was sent is answered, or the connection is lost.
func (r *run) noteEvictions() {
	before := r.evicted
	r.evicted = r.evictions()
	if n := r.evicted - before; n > 0 {
		r.Summary.failed("the target has evicted %d keys meanwhile, of these or of its own: give it more memory (maxmemory), or a maxmemory-policy of noeviction", n)
	}
}

// another tells whether two run ids are of two runs.
func another(was, is string) bool { return was != "" && is != "" && was != is }

// meetTarget compares the target with that of the state.
func (r *run) meetTarget(resumed bool) {
	id := runID(r.p.Conn)
	r.restarted = resumed && another(r.st.Target, id)
	r.st.Target = id
	r.evicted = r.evictions()
}

// meetSource compares the source with that of the state, and with the target.
func (r *run) meetSource(src *client.Conn) (restarted bool, err error) {
	id := runID(src)
	if id != "" && id == r.st.Target {
		return false, errors.New("the source and the target are the same server: give the target with -h and -p, or --to")
	}
	restarted = another(r.st.SourceRun, id)
	r.st.SourceRun = id
	return restarted, nil
}

// again has everything read from the beginning: what the target has already is compared.
func (r *run) again(why string) {
	r.say("%s: the import begins again, and compares what is there", why)
	r.next, r.Summary = position{}, Summary{}
}

// fileMark is by what a file is known.
type fileMark struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
	Time int64  `json:"time"` // of its last change, Unix milliseconds
}

// knowFiles compares the files with those of the state. An append only file may have
// grown where the import was, and behind that anything may be.
func (r *run) knowFiles(withCommands bool) error {
	var marks []fileMark
	for _, p := range r.parts {
		marks = append(marks, fileMark{filepath.Base(p.path), p.size, p.changed})
	}
	for i, was := range r.st.Files {
		if i > r.next.Part {
			break
		}
		grown := withCommands && i == r.next.Part && r.next.Commands
		if i >= len(marks) || marks[i].Name != was.Name || marks[i].Size < was.Size || !grown && marks[i] != was {
			return fmt.Errorf("%s is not what it was when the import was interrupted: empty the target, or say --replace, and begin anew with --restart", was.Name)
		}
	}
	r.st.Files = marks
	return nil
}
