package config

import "strings"

// Check reads the sources as a start would, but goes on after a mistake: it
// returns all of them in the order in which they were read. What was read is the
// running configuration afterwards, as far as it makes sense.
func (c *Config) Check(s Sources) (faults []*Error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s = s.absolute(c.options.WorkDir)
	r, _ := c.read(s, readMode{faults: &faults}) // the errors are among the faults
	c.loaded.Store(&loaded{sources: s, base: r, disk: r})
	c.running.Store(r.values)
	return faults
}

// SetHidden are the directives that CONFIG GET * does not show, and that the
// sources set.
func (c *Config) SetHidden() (list []*Directive) {
	for _, d := range directives.rows {
		if d.Has(Hidden) && c.loaded.Load().disk.origins[d.index].Source != fromDefault {
			list = append(list, d)
		}
	}
	return list
}

// hereOnly are directives whose defaults depend on the machine: where the file
// does not say them, another server's value says nothing.
func hereOnly(d *Directive) bool { return d == Dir || d == IOThreads }

// Compare tells how another server, which has answered CONFIG GET * with pairs,
// differs from this configuration: Running is what that server has. Of directives
// that it does not know, those are listed that the sources set.
func (c *Config) Compare(pairs []Pair) (list []Difference) {
	theirs := make(map[string]string, len(pairs))
	for _, p := range pairs {
		theirs[strings.ToLower(p.Name)] = p.Value
	}
	now := c.loaded.Load()
	for _, d := range directives.rows {
		from := now.disk.origins[d.index]
		silent := from.Source == fromDefault
		text, known := theirs[d.name]
		if !known {
			text, known = theirs[d.alias]
		}
		switch {
		case !known && silent, silent && hereOnly(d), known && c.means(d, text, now.disk.values):
			continue
		case !known:
			text = "(unknown to that server)"
		}
		list = append(list, Difference{
			Name: d.name, Running: text, Restart: now.disk.values.String(d), From: from, Secret: d.Has(Sensitive) && known,
		})
	}
	return list
}

// means tells whether text, which another server shows, is the value that v has.
func (c *Config) means(d *Directive, text string, v *Values) bool {
	if text == v.String(d) {
		return true
	}
	theirs, err := d.kind.parse(input{
		args: splitWords(d, text), old: c.defaults.all[d.index],
		place: func(_, to string) (string, error) { return to, nil },
	})
	return err == nil && theirs.same(v.all[d.index])
}

// Describe says in one line how another server differs, for Compare's callers.
func (d Difference) Describe(server string) string {
	return d.Name + ": " + server + " has " + d.show(d.Running) + ", the configuration says " + d.show(d.Restart) + " (" + d.From.String() + ")"
}
