package config

import (
	"strings"

	"dozo/internal/invariants"
)

// Flags say how a directive may be set and shown.
type Flags uint16

// The flags of a directive. Without Immutable it can be changed by CONFIG SET.
const (
	Immutable   Flags = 1 << iota // only a file or the command line can set it
	Sensitive                     // a secret: logs, MONITOR and reports must not show it
	Protected                     // CONFIG SET needs enable-protected-configs
	MultiArg                      // several words make its value
	Hidden                        // CONFIG GET shows it by its exact name only
	Debug                         // shown in crash reports
	DenyLoading                   // CONFIG SET refuses it while a data set is loading
	Volatile                      // hooks run even when the value is the same (files may have changed)
)

// Meaning says what Dozo does with a directive.
type Meaning uint8

// The meanings.
const (
	Real      Meaning = iota // Dozo acts on it
	NoMeaning                // accepted and reported only; Reason says why
)

// Section groups directives that belong together, as in redis.conf.
type Section uint8

// The sections, in the order of the default document.
const (
	network Section = iota
	general
	security
	clients
	memory
	snapshots
	appendOnly
	replication
	lazyFreeing
	scripting
	cluster
	monitoring
	encodings
	defragmentation
	tlsSection
	system
	forTests
	numSections
)

// String is the section's title.
func (s Section) String() string {
	return [numSections]string{
		"network", "general", "security", "clients", "memory", "snapshots",
		"append only file", "replication", "lazy freeing", "scripting", "cluster",
		"monitoring", "encodings and data types", "defragmentation", "TLS",
		"operating system", "for tests",
	}[s]
}

// Directive is one row of the table. It never changes.
type Directive struct {
	index   int
	section Section
	row
}

// row is what is written down about a directive; see the files directives_*.go.
type row struct {
	name   string
	alias  string
	kind   kind
	def    string // the default, as CONFIG GET shows it
	flags  Flags
	unused string // why Dozo does nothing with it; empty when it does
	doc    string
}

// Name is the directive's own name.
func (d *Directive) Name() string { return d.name }

// Alias is its other name, or "".
func (d *Directive) Alias() string { return d.alias }

// Default is Redis 7.2's default value as CONFIG GET shows it. The default in
// force can differ: see Config.Default.
func (d *Directive) Default() string { return d.def }

// Flags are the directive's flags.
func (d *Directive) Flags() Flags { return d.flags }

// Has tells whether the directive has all the given flags.
func (d *Directive) Has(f Flags) bool { return d.flags&f == f }

// Doc is one line about what the directive does.
func (d *Directive) Doc() string { return d.doc }

// Kind says in words what values are accepted.
func (d *Directive) Kind() string { return d.kind.describe() }

// Section is where the directive belongs.
func (d *Directive) Section() Section { return d.section }

// Meaning says whether Dozo acts on the directive.
func (d *Directive) Meaning() Meaning {
	if d.unused != "" {
		return NoMeaning
	}
	return Real
}

// Reason says why Dozo does not act on a directive whose Meaning is NoMeaning.
func (d *Directive) Reason() string { return d.unused }

// table is every directive by position and by lower-case name. It is filled
// while the package's variables are initialised and only read after that.
type table struct {
	rows  []*Directive
	names map[string]*Directive
}

var directives table

// declare makes a row part of the table.
func (s Section) declare(r row) *Directive {
	d := &Directive{index: len(directives.rows), section: s, row: r}
	directives.rows = append(directives.rows, d)
	directives.name(r.name, d)
	if r.alias != "" {
		directives.name(r.alias, d)
	}
	return d
}

func (t *table) name(name string, d *Directive) {
	if t.names == nil {
		t.names = make(map[string]*Directive)
	}
	if invariants.Enabled && t.names[name] != nil {
		invariants.Failf("directive %q is declared twice", name)
	}
	t.names[name] = d
}

// All are the directives in the order of the table. The caller must not change
// the slice.
func All() []*Directive { return directives.rows }

// Lookup finds a directive by its name or alias, in any case; nil when there is
// none.
func Lookup(name string) *Directive {
	if d := directives.names[name]; d != nil {
		return d
	}
	return directives.names[strings.ToLower(name)]
}
