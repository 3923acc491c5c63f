package config

import (
	"slices"
	"strings"

	"dozo/text"
)

// Difference is a directive whose running value is not what a restart would load.
type Difference struct {
	Name    string
	Running string // as CONFIG GET shows it
	Restart string
	From    Origin // of Restart

	// Set: the running value was changed since the start, and not kept.
	Set bool
	// Edited: what the sources say was changed since the start, and not loaded.
	Edited bool
	Changed
	Secret bool // reports for others than administrators must not show the values
}

// show is a value as the log may have it.
func (d Difference) show(value string) string {
	if d.Secret {
		return secret
	}
	return text.Quote(text.Shorten(value))
}

// secret stands for a value that reports must not show.
const secret = "(secret)"

// String says in one line what differs, for the log: secrets are not shown.
func (d Difference) String() string {
	s := d.Name + " is " + d.show(d.Running) + ", a restart would load " + d.show(d.Restart) + " (" + d.From.String() + ")"
	if d.Set && d.At != 0 {
		s += ", set " + utc(d.At) + " by " + d.By.describe()
	}
	if d.Edited {
		s += ", edited since the start"
	}
	return s
}

// Drift reads the sources again and tells what differs from the running values:
// what a restart with the same command line would silently undo, or what somebody
// edited in the file and never loaded. It waits for the disk. The error says why
// the sources cannot be read, which is what a restart would die of.
//
// LIMITATIONS: of directives that only occur in files, what is compared is what
// the sources said at the start and say now.
func (c *Config) Drift() ([]Difference, error) {
	c.looking.Lock()
	defer c.looking.Unlock()
	for !c.look() {
	}
	list, err := c.KnownDrift()
	if err != nil {
		return nil, err
	}
	return list, nil
}

// look reads what a restart would read. It is in nobody's way; done is false when
// the files were written meanwhile, so that it is to be done again.
func (c *Config) look() (done bool) {
	c.mu.Lock()
	before := c.writes
	c.mu.Unlock()
	r, err := c.read(c.loaded.Load().sources, readMode{})
	c.mu.Lock()
	defer c.mu.Unlock()
	if done = c.writes == before; done {
		c.found(r, err)
	}
	return done
}

// KnownDrift is Drift by what the sources said when they were read last, by any of
// the methods of Config: it asks no file.
func (c *Config) KnownDrift() ([]Difference, error) {
	now := c.loaded.Load()
	return c.differences(c.running.Load(), now), now.broken
}

// refresh is look for those who write.
func (c *Config) refresh() error {
	r, err := c.read(c.loaded.Load().sources, readMode{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.found(r, err)
	return err
}

// found keeps what was read. It is called under mu.
func (c *Config) found(r *reading, err error) {
	next := *c.loaded.Load()
	if next.broken = err; err == nil {
		next.disk = r
	}
	c.loaded.Store(&next)
}

// rebase makes what the sources say what the server counts as having started
// with: for ds, or for all if there are none.
func (c *Config) rebase(ds ...*Directive) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := *c.loaded.Load()
	if len(ds) == 0 {
		next.base = next.disk
	} else {
		base := *next.base
		base.values = base.values.clone()
		for _, d := range ds {
			base.values.all[d.index] = next.disk.values.all[d.index]
		}
		next.base = &base
	}
	c.loaded.Store(&next)
}

// differences compares v with what a restart would load.
func (c *Config) differences(v *Values, now *loaded) (list []Difference) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range directives.rows {
		run, restart, base := v.all[d.index], now.disk.values.all[d.index], now.base.values.all[d.index]
		if a, is := c.adjusted[d.index]; is {
			restart, base = a.inForce(restart), a.inForce(base)
		}
		if run.same(restart) {
			continue
		}
		diff := Difference{
			Name: d.name, Running: d.kind.text(run), Restart: d.kind.text(restart), From: now.disk.origins[d.index],
			Set: !run.same(base), Edited: !restart.same(base), Secret: d.Has(Sensitive),
		}
		if diff.Set {
			diff.Changed = c.changes[d.index]
		}
		list = append(list, diff)
	}
	return append(list, differentLines(now.base, now.disk)...)
}

// differentLines compares the directives that only occur in files.
func differentLines(base, disk *reading) (list []Difference) {
	for _, name := range fileOnlyNames() {
		was, is := base.lines[name], disk.lines[name]
		if slices.EqualFunc(was, is, func(a, b FileLine) bool { return slices.Equal(a.Args, b.Args) }) {
			continue
		}
		from := Origin{Source: fromDefault}
		if len(is) > 0 {
			from = is[0].origin()
		}
		list = append(list, Difference{
			Name: name, Running: textOf(was), Restart: textOf(is), From: from, Edited: true, Secret: name == "user" || name == "sentinel",
		})
	}
	return list
}

func textOf(lines []FileLine) string {
	var texts []string
	for _, l := range lines {
		texts = append(texts, strings.TrimSpace(strings.TrimPrefix(l.Text, strings.Fields(l.Text)[0])))
	}
	return strings.Join(texts, "\n")
}

// edited are the differences that come from the file alone: they were never
// running. It compares with what refresh has found.
func (c *Config) edited() (list []Difference) {
	diffs, _ := c.KnownDrift()
	for _, d := range diffs {
		if d.Edited && Lookup(d.Name) != nil {
			list = append(list, d)
		}
	}
	return list
}
