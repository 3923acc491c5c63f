package config

import (
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dozo/env"
)

// Options are what a Config needs to know of the world around it.
type Options struct {
	// FS reads configuration files and writes them in Rewrite.
	FS env.FS
	// WorkDir is the process' working folder, absolute: `dir` until something sets
	// it, and what relative names start from.
	WorkDir string
	// Cores is the number of loops when `io-threads` is not given; 0 means 1.
	Cores int
	// Sentinel allows `sentinel` lines, and makes 26379 the default port and
	// protected mode off.
	Sentinel bool
}

// Config holds the running values of one server. All methods are safe for
// concurrent use; Load and the registration of hooks belong to the start.
//
// Locks are taken in the order in which they stand here. What is done under mu
// takes no time; under files, files are read and written, which may take for ever
// when they are not on a disk of this machine.
type Config struct {
	options  Options
	defaults *Values
	running  atomic.Pointer[Values]
	loaded   atomic.Pointer[loaded] // replaced under mu

	changing sync.Mutex    // one CONFIG SET at a time, from Begin to End
	looking  sync.Mutex    // one look at the files at a time, by Drift
	files    chan struct{} // holds something while files are written

	mu        sync.Mutex
	hooks     []*hook
	settled   []*hook
	prepares  []*hook // under mu
	rewriters map[string]func() []string
	changes   map[int]Changed // who set what since Load, by the directive's index
	adjusted  map[int]adjusted
	writes    int // of files, counted when they begin and when they end
	warnTo    func(message string)
	warnings  []string // until there is somebody to tell
}

// loaded is what reading the sources has left beside the values. It never changes.
type loaded struct {
	sources Sources  // the file's name made absolute
	base    *reading // what the server started with, or has written since
	disk    *reading // what a restart would read, when it was looked at last
	broken  error    // why a restart would fail, as of then
}

// Changed is how a directive came to its running value.
type Changed struct {
	At time.Duration // since the Unix epoch; 0 = not known
	By Caller
}

// adjusted is a value that the machine does not allow, and the one in its place.
type adjusted struct{ asked, given value }

// inForce is what a source's value comes to on this machine.
func (a adjusted) inForce(v value) value {
	if v.same(a.asked) {
		return a.given
	}
	return v
}

// hook is a function to run when one of its directives changes.
type hook struct {
	on  []*Directive
	run func(old, new *Values) error
}

// sentinelPort is the default port of a Sentinel.
const sentinelPort = 26379

// New gives a Config in which everything has its default.
func New(o Options) *Config {
	c := &Config{options: o, rewriters: make(map[string]func() []string), changes: make(map[int]Changed), adjusted: make(map[int]adjusted), files: make(chan struct{}, 1)}
	c.defaults = c.makeDefaults()
	c.running.Store(c.defaults)
	r, _ := c.read(Sources{}, readMode{}) // of nothing, which is never wrong
	c.loaded.Store(&loaded{base: r, disk: r})
	return c
}

// makeDefaults parses the defaults in the table and puts those in place that
// depend on the machine and on the mode.
func (c *Config) makeDefaults() *Values {
	v := &Values{all: make([]value, len(directives.rows))}
	for _, d := range directives.rows {
		if d.def == "" {
			continue // the zero value of every kind
		}
		args := []string{d.def}
		if d.Has(MultiArg) {
			args = strings.Split(d.def, " ")
		}
		// The table's test proves that every default parses.
		v.all[d.index], _ = d.kind.parse(input{args: args})
	}
	v.all[IOThreads.index].num = int64(min(max(c.options.Cores, 1), maxIOThreads))
	v.all[Dir.index].str = c.options.WorkDir
	if c.options.Sentinel {
		v.all[Port.index].num, v.all[ProtectedMode.index].num = sentinelPort, 0
	}
	return v
}

// Default is the value of d when nothing sets it, as CONFIG GET shows it.
func (c *Config) Default(d *Directive) string { return c.defaults.String(d) }

// Given tells whether somebody has said what d is to be: it has another value than the
// default, or a source names it. A CONFIG SET to the default, where no source names it, is
// no such word, since a restart would not know of it either.
func (c *Config) Given(d *Directive) bool {
	return !c.running.Load().all[d.index].same(c.defaults.all[d.index]) ||
		c.loaded.Load().base.origins[d.index].Source != fromDefault
}

// Values are the running values. A caller that reads several in one go takes
// them from one Values.
func (c *Config) Values() *Values { return c.running.Load() }

// Int is Values().Int(d).
func (c *Config) Int(d *Directive) int64 { return c.running.Load().Int(d) }

// Bool is Values().Bool(d).
func (c *Config) Bool(d *Directive) bool { return c.running.Load().Bool(d) }

// String is Values().String(d).
func (c *Config) String(d *Directive) string { return c.running.Load().String(d) }

// Path is Values().Path(d).
func (c *Config) Path(d *Directive) string { return c.running.Load().Path(d) }

// File is the configuration file's absolute name, "" when there is none.
func (c *Config) File() string { return c.loaded.Load().sources.File }

// Lines are the lines of a directive that is no row but only occurs in files:
// user, rename-command, loadmodule, sentinel. They are in the order read.
func (c *Config) Lines(directive string) []FileLine { return c.loaded.Load().base.lines[directive] }

// Overlay is the overlay file's name, "" when no file of that name says anything.
func (c *Config) Overlay() string {
	if o := c.loaded.Load().disk.overlay; len(o.lines) > 0 {
		return o.name
	}
	return ""
}

// OnChange has fn called when d has changed. It runs inside the change, after
// the new values are published; an error refuses the change with that error's
// text. Then the old values are published again, and fn is called once more with
// old and new exchanged, like every hook that ran before it: a hook that fails
// may have done half its work. fn must not change this Config.
func (c *Config) OnChange(d *Directive, fn func(old, new *Values) error) {
	c.OnChangeOf([]*Directive{d}, fn)
}

// OnChangeOf is OnChange for a function that serves several directives: it runs
// once however many of them one CONFIG SET changes.
func (c *Config) OnChangeOf(ds []*Directive, fn func(old, new *Values) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hooks = append(c.hooks, &hook{on: ds, run: fn})
}

// OnPrepare has fn called before a CONFIG SET that changes one of ds: for what must be had
// from the disk first. It is called off the loops (Change.Prepare); an error refuses the
// change. It is not called where nobody can wait: what is missing then is had later.
func (c *Config) OnPrepare(ds []*Directive, fn func(old, next *Values) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.prepares = append(c.prepares, &hook{on: ds, run: fn})
}

// OnSettled has fn called when a CONFIG SET that was to change one of ds has come to
// its end: for what cannot be taken back, and so must not be done while the change
// can still be refused by a hook, or by the disk. fn gets the values of before and
// those that hold now, which are the same of ds after a change that was refused.
func (c *Config) OnSettled(ds []*Directive, fn func(old, now *Values)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.settled = append(c.settled, &hook{on: ds, run: func(old, now *Values) error {
		fn(old, now)
		return nil
	}})
}

// OnRewrite names the function that gives the lines of a file-only directive for
// Rewrite (the words after its name). Without one such lines stay as they are.
func (c *Config) OnRewrite(directive string, lines func() []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rewriters[directive] = lines
}

// Update sets d without regard to its flags and without hooks: for what the
// server itself changes, such as REPLICAOF. The error says why text is no value.
func (c *Config) Update(d *Directive, text string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.running.Load().clone()
	v, err := c.parse(next, d, splitWords(d, text))
	if err != nil {
		return err
	}
	next.all[d.index] = v
	c.running.Store(next)
	c.changes[d.index] = Changed{}
	return nil
}

// Adjust is Update to what the machine allows in the place of what the sources
// ask for. It would come to that after a restart, too, so that it is no drift.
func (c *Config) Adjust(d *Directive, text string) error {
	asked := c.running.Load().all[d.index]
	if err := c.Update(d, text); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.adjusted[d.index] = adjusted{asked, c.running.Load().all[d.index]}
	return nil
}

// parse reads words as a value of d, where v has the values so far.
func (c *Config) parse(v *Values, d *Directive, words []string) (value, error) {
	return d.kind.parse(input{args: words, old: v.all[d.index], place: c.place})
}

// splitWords cuts a CONFIG SET value as Redis does: at every single space, so
// that two spaces make an empty word.
func splitWords(d *Directive, text string) []string {
	switch {
	case !d.Has(MultiArg):
		return []string{text}
	case text == "":
		return nil
	}
	return strings.Split(text, " ")
}

// place resolves a folder name against the current one and checks that it is
// there.
func (c *Config) place(from, to string) (string, error) {
	to, _ = resolved(from, to)
	return to, c.isFolder(to)
}

// resolved is a folder name without a look at the disk.
func resolved(from, to string) (string, error) {
	if !filepath.IsAbs(to) {
		to = filepath.Join(from, to)
	}
	return filepath.Clean(to), nil
}

// isFolder is nil if there is such a folder.
func (c *Config) isFolder(name string) error {
	info, err := c.options.FS.Stat(name)
	if err != nil {
		return systemError(err)
	}
	if !info.IsDir() {
		return errNotDirectory
	}
	return nil
}

// WarnTo names who is told what cannot be returned as an error, and tells what
// there was until now. It may be called from any goroutine.
func (c *Config) WarnTo(tell func(message string)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.warnTo = tell
	for _, w := range c.warnings {
		tell(w)
	}
	c.warnings = nil
}

// warn is called under mu.
func (c *Config) warn(message string) {
	if c.warnTo == nil {
		c.warnings = append(c.warnings, message)
		return
	}
	c.warnTo(message)
}
