package config

// Difference is a directive whose running value would not survive a restart.
type Difference struct {
	Name    string
	File    string // what a restart would give it
	Running string // what it is
}

// secret stands for a value that reports must not show.
const secret = "(secret)"

// Drift reads the sources of the last Load again and tells what differs from the
// running values: what a restart with the same command line would silently
// undo, or what somebody edited in the file and never loaded. Secrets are listed
// without their values. The error says why the file cannot be read, which is what
// a restart would die of.
func (c *Config) Drift() ([]Difference, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, err := c.read(c.loaded.Load().sources)
	if err != nil {
		return nil, err
	}
	running := c.running.Load()
	var out []Difference
	for _, d := range directives.rows {
		if running.all[d.index].same(l.values.all[d.index]) {
			continue
		}
		diff := Difference{d.name, l.values.String(d), running.String(d)}
		if d.Has(Sensitive) {
			diff.File, diff.Running = secret, secret
		}
		out = append(out, diff)
	}
	return out, nil
}
