package config

import (
	"fmt"
	"slices"
	"strings"
)

// Pair is a directive's name and a value.
type Pair struct{ Name, Value string }

// Caller is what Set needs to know of who asks.
type Caller struct {
	Loading bool // the server is loading its data set
	Local   bool // the connection is from this machine
}

// ErrLoading is the reply while a data set is loading.
var ErrLoading error = refusal("LOADING Redis is loading the dataset in memory")

// Set is CONFIG SET: all the pairs, or none of them. Hooks of what changed run
// in the order of the pairs. An error's text is the reply, code included.
func (c *Config) Set(pairs []Pair, who Caller) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.running.Load()
	ds, err := admit(old, pairs, who)
	if err != nil {
		return err
	}
	next, err := c.assign(old, ds, pairs)
	if err != nil {
		return err
	}
	c.running.Store(next)
	done, at, err := c.runHooks(old, next, ds)
	if err == nil {
		at, err = 0, c.writeThrough(old, next, ds)
	}
	if err != nil {
		c.running.Store(old)
		c.rollBack(old, next, done)
		return setFailed(strings.ToLower(pairs[at].Name), err)
	}
	return nil
}

func setFailed(name string, why error) error {
	return fmt.Errorf("ERR CONFIG SET failed (possibly related to argument '%s') - %w", name, why)
}

// admit finds the directives and refuses what may not be set now, as the first
// pair that is wrong has it.
func admit(v *Values, pairs []Pair, who Caller) ([]*Directive, error) {
	ds := make([]*Directive, len(pairs))
	for i, p := range pairs {
		d := Lookup(p.Name)
		if d == nil {
			return nil, fmt.Errorf("ERR Unknown option or number of arguments for CONFIG SET - '%s'", p.Name)
		}
		switch {
		case d.Has(Immutable):
			return nil, setFailed(p.Name, refusal("can't set immutable config"))
		case d.Has(Protected) && !allows(v.Int(EnableProtectedConfigs), who.Local):
			return nil, setFailed(p.Name, refusal("can't set protected config"))
		case d.Has(DenyLoading) && who.Loading:
			return nil, ErrLoading
		case slices.ContainsFunc(pairs[:i], func(q Pair) bool { return strings.EqualFold(p.Name, q.Name) }):
			return nil, setFailed(p.Name, refusal("duplicate parameter"))
		}
		ds[i] = d
	}
	return ds, nil
}

// allows tells whether a setting of the enable-... directives lets a connection
// do what they guard.
func allows(setting int64, local bool) bool {
	return setting == GuardYes || setting == GuardLocal && local
}

// Allows tells whether an enable-... directive (such as EnableDebugCommand) lets
// a connection use what it guards.
func (v *Values) Allows(guard *Directive, local bool) bool { return allows(v.Int(guard), local) }

// assign is the values with the pairs set.
func (c *Config) assign(old *Values, ds []*Directive, pairs []Pair) (*Values, error) {
	next := old.clone()
	for i, d := range ds {
		v, err := c.parse(next, d, splitWords(d, pairs[i].Value))
		if err != nil {
			return nil, setFailed(strings.ToLower(pairs[i].Name), err)
		}
		next.all[d.index] = v
	}
	return next, nil
}

// runHooks runs what waits for a change of ds. It returns the hooks that ran, the
// last of which failed if err is set, and then the pair it belongs to.
func (c *Config) runHooks(old, next *Values, ds []*Directive) (done []*hook, at int, err error) {
	for i, d := range ds {
		if old.all[d.index].same(next.all[d.index]) && !d.Has(Volatile) {
			continue
		}
		for _, h := range c.hooks {
			if !slices.Contains(h.on, d) || slices.Contains(done, h) {
				continue
			}
			done = append(done, h)
			if err := h.run(old, next); err != nil {
				return done, i, err
			}
		}
	}
	return done, 0, nil
}

// rollBack takes the hooks back in reverse. The one that failed is among them.
func (c *Config) rollBack(old, next *Values, done []*hook) {
	for _, h := range slices.Backward(done) {
		if err := h.run(next, old); err != nil {
			c.warn("CONFIG SET failed, and so did going back to the old settings: " + err.Error())
		}
	}
}

// writeThrough writes what changed to the file if that is asked for, before the
// change or after it (so that turning it off is written too).
func (c *Config) writeThrough(old, next *Values, ds []*Directive) error {
	if !old.Bool(WriteThrough) && !next.Bool(WriteThrough) {
		return nil
	}
	if c.File() == "" {
		return refusal("config-write-through is on, but the server runs without a config file to write to")
	}
	if err := c.rewrite(next, ds, false); err != nil {
		return fmt.Errorf("config-write-through is on, but the config file cannot be written: %w", err)
	}
	return nil
}

// IsSensitive tells whether name is a directive whose value is a secret, so that
// logs must not show the argument after it.
func IsSensitive(name string) bool {
	d := Lookup(name)
	return d != nil && d.Has(Sensitive)
}
