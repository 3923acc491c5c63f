package config

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"dozo/text"
)

// maxIncludeDepth bounds files that include files, so that a file that includes
// itself is an error and not an endless loop.
const maxIncludeDepth = 16

// Sources are where the values of a start come from, weakest first.
type Sources struct {
	File    string // file name, "" for none
	Stdin   []byte // what came on standard input, nil for nothing
	Options string // lines made of the command line; see Args.Options
	// NoOverlay leaves out what CONFIG SET has put into an overlay file.
	NoOverlay bool
}

// FileLine is a line of a directive that is no row of the table.
type FileLine struct {
	Source string   // as in Error
	Line   int      // from 1
	Text   string   // the line without surrounding blanks
	Args   []string // its words, the directive's lower-case name first
}

// Wrong makes an error about the line, for the one who understands it.
func (l FileLine) Wrong(reason string) *Error {
	return &Error{Source: l.Source, Line: l.Line, Text: l.Text, Reason: reason}
}

func (l FileLine) origin() Origin {
	if l.Source == fromStdin || l.Source == fromCommandLine {
		return Origin{Source: l.Source}
	}
	return Origin{l.Source, l.Line}
}

// Origin is where a value comes from.
type Origin struct {
	Source string // as in Error, or "default"
	Line   int    // from 1; 0 where there are no lines to count
}

// The sources that are no files.
const (
	fromDefault     = "default"
	fromStdin       = "standard input"
	fromCommandLine = "command line"
)

// String is file:line, or what it is instead of a file.
func (o Origin) String() string {
	if o.Line == 0 {
		return o.Source
	}
	return fmt.Sprintf("%s:%d", o.Source, o.Line)
}

// OverFile tells whether the value wins over what the configuration file says, so that
// CONFIG REWRITE changes nothing for a restart.
func (o Origin) OverFile() bool { return o.Source == fromStdin || o.Source == fromCommandLine }

// reading is what the sources say at one moment. It never changes.
type reading struct {
	values  *Values
	origins []Origin // by the directive's index
	lines   map[string][]FileLine
	overlay overlay
}

// Load reads the sources over the defaults and makes the result the running
// values. Hooks do not run. After an error nothing has changed; it is an *Error.
func (c *Config) Load(s Sources) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	s = s.absolute(c.options.WorkDir)
	r, err := c.read(s, readMode{})
	if err != nil {
		return err
	}
	c.loaded.Store(&loaded{sources: s, base: r, disk: r})
	c.running.Store(r.values)
	c.changes = make(map[int]Changed)
	for _, what := range r.overlay.aside {
		c.warn(what)
	}
	return nil
}

func (s Sources) absolute(dir string) Sources {
	if s.File != "" && !filepath.IsAbs(s.File) {
		s.File = filepath.Join(dir, s.File)
	}
	return s
}

// readMode changes what read does.
type readMode struct {
	instead map[string]string // contents of files that are not written yet
	faults  *[]*Error         // goes on after mistakes, and puts them here
}

// read is Load without its effects.
func (c *Config) read(s Sources, m readMode) (*reading, error) {
	l := &loader{c: c, readMode: m, reading: &reading{
		values: c.defaults.clone(), lines: make(map[string][]FileLine), origins: make([]Origin, len(directives.rows)),
	}}
	for i := range l.origins {
		l.origins[i].Source = fromDefault
	}
	if s.File != "" {
		if err := l.readFile(s.File, Origin{}); err != nil {
			return nil, err
		}
	}
	if err := l.readText(fromStdin, string(s.Stdin)); err != nil {
		return nil, err
	}
	// Redis puts the options behind a line break, which is why its message about
	// the first of them names line 2.
	if err := l.readText(fromCommandLine, "\n"+s.Options); err != nil {
		return nil, err
	}
	if err := l.readOverlay(s); err != nil {
		return nil, err
	}
	return l.reading, nil
}

// loader is the state of one read.
type loader struct {
	*reading
	readMode
	c     *Config
	depth int  // of includes
	saved bool // a save line replaced the default points, so the next adds to them
}

// fault is how a mistake ends the reading, or is noted.
func (l *loader) fault(e *Error) *Error {
	if e != nil && l.faults != nil {
		*l.faults = append(*l.faults, e)
		return nil
	}
	return e
}

// asError keeps a nil *Error from becoming a non-nil error.
func asError(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// readFile reads a file that is included at by, if that is a line.
func (l *loader) readFile(name string, by Origin) *Error {
	if content, planned := l.instead[name]; planned {
		return l.readText(name, content)
	}
	content, err := l.c.options.FS.ReadFile(name)
	if err != nil {
		return l.fault(&Error{Source: name, Reason: systemError(err).Error(), opened: true, by: by})
	}
	return l.readText(name, string(content))
}

func (l *loader) readText(source, content string) *Error {
	for i, line := range strings.Split(content, "\n") {
		fl := FileLine{Source: source, Line: i + 1, Text: strings.Trim(line, " \t\r\n")}
		err := l.readLine(fl)
		if err == nil {
			continue
		}
		var inner *Error
		if errors.As(err, &inner) { // from an included file
			return inner
		}
		if e := l.fault(fl.Wrong(err.Error())); e != nil {
			return e
		}
	}
	return nil
}

func (l *loader) readLine(fl FileLine) error {
	if fl.Text == "" || fl.Text[0] == '#' {
		return nil
	}
	words, ok := splitLine(fl.Text)
	if !ok {
		return refusal("Unbalanced quotes in configuration line")
	}
	if len(words) == 0 {
		return nil
	}
	words[0] = strings.ToLower(words[0])
	if d := Lookup(words[0]); d != nil {
		return l.set(d, words[1:], fl.origin())
	}
	fl.Args = words
	return l.fileOnly(fl)
}

// splitLine cuts a line into words by the rules of quoting.
func splitLine(line string) ([]string, bool) {
	parts, ok := text.SplitArgs([]byte(line))
	if !ok {
		return nil, false
	}
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = string(p)
	}
	return words, true
}

func (l *loader) set(d *Directive, words []string, from Origin) error {
	if !d.Has(MultiArg) && len(words) != 1 {
		return errWords
	}
	if d.Has(MultiArg) && len(words) == 1 && words[0] != "" {
		// One quoted argument may hold all the words: save "900 1".
		var ok bool
		if words, ok = splitLine(words[0]); !ok {
			return refusal("Unbalanced quotes in configuration line")
		}
	}
	v, err := d.kind.parse(input{
		args: words, old: l.values.all[d.index],
		grow: d == Save && l.saved, place: l.c.place,
	})
	if err != nil {
		return err
	}
	l.saved = l.saved || d == Save
	l.values.all[d.index], l.origins[d.index] = v, from
	return nil
}

// fileOnly is a directive that is not in the table: it has no value to show.
type fileOnly struct {
	words int  // with its name
	more  bool // more words are allowed
	doc   string
}

// fileOnlyDirectives are acted upon by those who ask Config.Lines, all but
// include.
var fileOnlyDirectives = map[string]fileOnly{
	"include":        {2, false, "Read another file here; wildcards are allowed, and none matching is no error."},
	"rename-command": {3, false, "Give a command another name, or with an empty name take it away."},
	"user":           {2, true, "Define an ACL user: user NAME RULE..."},
	"loadmodule":     {2, true, "Load a module. Dozo has no modules."},
	"sentinel":       {1, true, "A directive of Sentinel."},
}

// forgotten were directives once; Redis 7.2 takes them without a word.
var forgotten = []string{"list-max-ziplist-entries", "list-max-ziplist-value", "lua-replicate-commands"}

func (l *loader) fileOnly(fl FileLine) error {
	name, n := fl.Args[0], len(fl.Args)
	if n == 2 && slices.Contains(forgotten, name) {
		return nil
	}
	if strings.Contains(name, ".") {
		return fmt.Errorf("'%s' is a directive of a module, and Dozo loads no modules: remove the line", name)
	}
	f, known := fileOnlyDirectives[name]
	if !known || n < f.words || n > f.words && !f.more {
		return refusal("Bad directive or wrong number of arguments")
	}
	switch name {
	case "include":
		return asError(l.include(fl))
	case "sentinel":
		if n == 1 {
			return nil // the bare word only asks for the mode
		}
		if !l.c.options.Sentinel {
			return refusal("sentinel directive while not in sentinel mode")
		}
	}
	l.lines[name] = append(l.lines[name], fl)
	return nil
}

func (l *loader) include(fl FileLine) *Error {
	if l.depth == maxIncludeDepth {
		return l.fault(fl.Wrong(fmt.Sprintf("include goes deeper than %d files: does a file include itself?", maxIncludeDepth)))
	}
	l.depth++
	defer func() { l.depth-- }()
	name := fl.Args[1]
	if !filepath.IsAbs(name) {
		name = filepath.Join(l.values.String(Dir), name)
	}
	if !strings.ContainsAny(name, "*?[") {
		return l.readFile(name, fl.origin())
	}
	for _, match := range l.glob(name) {
		if err := l.readFile(match, fl.origin()); err != nil {
			return err
		}
	}
	return nil
}

// glob lists the files that a pattern matches, in alphabetical order. Wildcards
// do not match a slash, nor a dot at the start of a name.
func (l *loader) glob(pattern string) []string {
	matches := []string{"/"}
	for part := range strings.SplitSeq(filepath.ToSlash(pattern), "/") {
		if part == "" {
			continue
		}
		var next []string
		for _, dir := range matches {
			next = append(next, l.globIn(dir, part)...)
		}
		matches = next
	}
	return matches
}

func (l *loader) globIn(dir, part string) (names []string) {
	if !strings.ContainsAny(part, `*?[\`) {
		name := filepath.Join(dir, part)
		if _, err := l.c.options.FS.Stat(name); err != nil {
			return nil
		}
		return []string{name}
	}
	entries, err := l.c.options.FS.ReadDir(dir)
	if err != nil {
		return nil // not a folder, or none we may see: nothing matches in it
	}
	for _, e := range entries {
		hidden := strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(part, ".")
		if ok, _ := path.Match(part, e.Name()); ok && !hidden {
			names = append(names, filepath.Join(dir, e.Name()))
		}
	}
	slices.Sort(names)
	return names
}
