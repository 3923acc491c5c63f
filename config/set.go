package config

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Pair is a directive's name and a value.
type Pair struct{ Name, Value string }

// Caller is who sets something: what decides whether it may, and what is
// remembered of it.
type Caller struct {
	Loading bool // the server is loading its data set
	Local   bool // the connection is from this machine

	Addr, Name, User string        // of the client
	At               time.Duration // now, since the Unix epoch
}

// ErrLoading is the reply while a data set is loading.
var ErrLoading error = refusal("LOADING Redis is loading the dataset in memory")

// ErrBusy is the reply to who cannot wait while a change is being written to disk.
var ErrBusy error = refusal("BUSY another change of the configuration is being written to disk: try again when it is done")

// Set is CONFIG SET: all the pairs, or none of them. Hooks of what changed run
// in the order of the pairs. An error's text is the reply, code included. It may wait for
// the disk; who cannot wait uses Draft, or Begin.
func (c *Config) Set(pairs []Pair, who Caller) error {
	c.changing.Lock()
	ch, err := c.draft(pairs, who)
	if err != nil {
		return err
	}
	if err := ch.Prepare(); err != nil {
		return ch.End(err)
	}
	if err := ch.Apply(); err != nil {
		return err
	}
	if ch.Persists() {
		err = ch.Persist()
	}
	return ch.End(err)
}

// Change is a CONFIG SET under way. Once it is applied its values are running, and what
// is left is to write them to disk if that is asked for. Until End no other can begin.
type Change struct {
	c         *Config
	old, next *Values
	ds        []*Directive
	pairs     []Pair
	done      []*hook
	before    map[int]Changed // what changes had for ds
	who       Caller
	at        int // the pair that an error is about
	applied   bool
}

// Draft is a change of which nothing has happened. The caller calls Prepare, if Prepares
// says so, from any goroutine, Apply, Persist in the same way, and then End; Apply and End
// from where Draft was called, since they run hooks. After an error nothing but End
// follows. Draft never waits: ErrBusy means that another change has not come to its End.
func (c *Config) Draft(pairs []Pair, who Caller) (*Change, error) {
	if !c.changing.TryLock() {
		return nil, ErrBusy
	}
	return c.draft(pairs, who)
}

// Begin is a Draft that is applied at once, for callers that keep others waiting: it looks
// at no more of the disk than whether a folder is there.
func (c *Config) Begin(pairs []Pair, who Caller) (*Change, error) {
	ch, err := c.Draft(pairs, who)
	if err != nil {
		return nil, err
	}
	if err := ch.findFolders(); err != nil {
		return nil, ch.End(err)
	}
	if err := ch.Apply(); err != nil {
		return nil, err
	}
	return ch, nil
}

// draft is Draft with the lock taken; an error gives it back.
func (c *Config) draft(pairs []Pair, who Caller) (*Change, error) {
	ch, err := c.plan(pairs, who)
	if err != nil {
		c.changing.Unlock()
		return nil, err
	}
	return ch, nil
}

func (c *Config) plan(pairs []Pair, who Caller) (*Change, error) {
	old := c.running.Load()
	ds, err := admit(old, pairs, who)
	if err != nil {
		return nil, err
	}
	next, err := c.assign(old, ds, pairs)
	if err != nil {
		return nil, err
	}
	return &Change{c: c, old: old, next: next, ds: ds, pairs: pairs, who: who}, nil
}

// Prepares tells whether the change needs something from the disk before it is applied.
func (ch *Change) Prepares() bool {
	if slices.Contains(ch.ds, Dir) {
		return true
	}
	return slices.ContainsFunc(ch.preparations(), ch.concerns)
}

// Prepare gets it. It waits for the disk.
func (ch *Change) Prepare() error {
	if err := ch.findFolders(); err != nil {
		return err
	}
	for _, h := range ch.preparations() {
		if !ch.concerns(h) {
			continue
		}
		if err := h.run(ch.old, ch.next); err != nil {
			ch.at = slices.IndexFunc(ch.ds, func(d *Directive) bool { return slices.Contains(h.on, d) })
			return err
		}
	}
	return nil
}

func (ch *Change) preparations() []*hook {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	return ch.c.prepares
}

// findFolders looks whether the folders are there that the change names.
func (ch *Change) findFolders() error {
	if ch.at = max(slices.Index(ch.ds, Dir), 0); !slices.Contains(ch.ds, Dir) {
		return nil
	}
	return ch.c.isFolder(ch.next.String(Dir))
}

// Apply makes the values the running ones. An error ends the change, and is the reply.
func (ch *Change) Apply() error {
	ch.c.publish(ch.next)
	ch.applied = true
	if err := ch.runHooks(); err != nil {
		defer ch.c.changing.Unlock()
		return ch.undo(err)
	}
	ch.remember()
	return nil
}

// publish makes v the running values.
func (c *Config) publish(v *Values) {
	c.mu.Lock()
	c.running.Store(v)
	c.mu.Unlock()
}

// remember notes who has changed what.
func (ch *Change) remember() {
	c := ch.c
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.before = make(map[int]Changed)
	for _, d := range ch.ds {
		if ch.changes(d) {
			ch.before[d.index] = c.changes[d.index]
			c.changes[d.index] = Changed{At: ch.who.At, By: ch.who}
		}
	}
}

func (ch *Change) changes(d *Directive) bool { return !ch.old.all[d.index].same(ch.next.all[d.index]) }

// End ends the change: it stays if err is nil, or else is taken back, and the
// result is the reply.
func (ch *Change) End(err error) error {
	defer ch.c.changing.Unlock()
	if err != nil && ch.applied {
		return ch.undo(err)
	}
	ch.settle()
	if err != nil {
		return ch.refused(err)
	}
	return nil
}

// refused is the reply to a change that is not made.
func (ch *Change) refused(why error) error {
	return setFailed(strings.ToLower(ch.pairs[ch.at].Name), why)
}

// concerns tells whether a hook waits for something that changes.
func (ch *Change) concerns(h *hook) bool {
	return slices.ContainsFunc(h.on, func(d *Directive) bool { return slices.Contains(ch.ds, d) && ch.changes(d) })
}

// settle tells those who wait for the end of a change.
func (ch *Change) settle() {
	c := ch.c
	c.mu.Lock()
	hooks, now := c.settled, c.running.Load()
	c.mu.Unlock()
	for _, h := range hooks {
		if ch.concerns(h) {
			_ = h.run(ch.old, now) // it gives no error
		}
	}
}

// undo takes the values and the hooks back. What others have changed since stays.
func (ch *Change) undo(why error) error {
	c := ch.c
	c.mu.Lock()
	v := ch.old
	if now := c.running.Load(); now != ch.next {
		v = now.clone()
	}
	for _, d := range ch.ds {
		v.all[d.index] = ch.old.all[d.index]
		if was, changed := ch.before[d.index]; changed {
			c.changes[d.index] = was
		}
	}
	c.running.Store(v)
	c.mu.Unlock()
	ch.rollBack(v)
	ch.settle()
	return ch.refused(why)
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
		v, err := d.kind.parse(input{args: splitWords(d, pairs[i].Value), old: next.all[d.index], place: resolved})
		if err != nil {
			return nil, setFailed(strings.ToLower(pairs[i].Name), err)
		}
		next.all[d.index] = v
	}
	return next, nil
}

// runHooks runs what waits for a change of ds. The last that ran has failed if
// there is an error.
func (ch *Change) runHooks() error {
	ch.c.mu.Lock()
	hooks := ch.c.hooks
	ch.c.mu.Unlock()
	for i, d := range ch.ds {
		if !ch.changes(d) && !d.Has(Volatile) {
			continue
		}
		for _, h := range hooks {
			if !slices.Contains(h.on, d) || slices.Contains(ch.done, h) {
				continue
			}
			ch.done = append(ch.done, h)
			if err := h.run(ch.old, ch.next); err != nil {
				ch.at = i
				return err
			}
		}
	}
	return nil
}

// rollBack takes the hooks back in reverse, to v. The one that failed is among
// them.
func (ch *Change) rollBack(v *Values) {
	for _, h := range slices.Backward(ch.done) {
		if err := h.run(ch.next, v); err != nil {
			ch.c.mu.Lock()
			ch.c.warn("CONFIG SET failed, and so did going back to the old settings: " + err.Error())
			ch.c.mu.Unlock()
		}
	}
}

// IsSensitive tells whether name is a directive whose value is a secret, so that
// logs must not show the argument after it.
func IsSensitive(name string) bool {
	d := Lookup(name)
	return d != nil && d.Has(Sensitive)
}
