package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"dozo/env"
)

// Persists tells whether the change must reach the disk: config-set-persist is on
// before it or after it (so that turning it off is kept, too).
func (ch *Change) Persists() bool {
	return ch.old.Bool(ConfigSetPersist) || ch.next.Bool(ConfigSetPersist)
}

// Persist writes the change where a restart will find it: to the configuration
// file if that can be written and a restart would then read these values, else all
// of it to the overlay. One file is written, in one step, so that a crash leaves
// the change whole or not at all. It waits for the disk.
func (ch *Change) Persist() error { return ch.c.write(context.Background(), ch.persist) }

// PersistSoon is Persist for callers that keep others waiting: when somebody else
// is writing, and does not get done, it fails with ErrBusy.
func (ch *Change) PersistSoon() error { return ch.c.writeSoon(ch.persist) }

func (ch *Change) persist() error {
	c := ch.c
	if err := c.refresh(); err != nil {
		return fmt.Errorf("config-set-persist is on, but a restart would fail, so nothing can be kept for it: %w", err)
	}
	done, err := ch.toFile()
	if err == nil && !done {
		err = ch.toOverlay()
	}
	if err != nil {
		return fmt.Errorf("config-set-persist is on, but the change cannot be kept: %w", err)
	}
	if c.refresh() == nil { // or the drift report says why not
		c.rebase(ch.ds...)
	}
	return nil
}

// toFile writes to the configuration file. It is not done where the file cannot be
// written or would not be enough.
func (ch *Change) toFile() (done bool, err error) {
	c := ch.c
	if c.File() == "" || c.managed() || ch.overlaid() {
		return false, nil
	}
	old, err := c.readOld()
	if err != nil {
		return false, systemError(err)
	}
	f := parseOld(old)
	c.fill(f, ch.next, ch.ds)
	f.dropLeftOver()
	held, err := c.sayAgain(f, ch.next, ch.ds)
	if err != nil || len(held) > 0 {
		return false, err
	}
	if _, err := c.overlayBeside(f); err != nil {
		return false, err
	}
	err = c.replaceFile(c.target(), f.text(), newFileMode)
	switch {
	case err == nil:
		return true, nil
	case env.NeverWritable(err):
		return false, nil
	}
	return false, fmt.Errorf("%s: %w", c.target(), systemError(err))
}

// overlaid tells whether the overlay says something about what changes, or would no
// longer be found: it is looked for where the file says that `dir` is.
func (ch *Change) overlaid() bool {
	o := ch.c.loaded.Load().disk.overlay
	for _, d := range ch.ds {
		if o.has(d) || d == Dir && len(o.lines) > 0 {
			return true
		}
	}
	return false
}

// toOverlay writes to the overlay.
func (ch *Change) toOverlay() error {
	c := ch.c
	now := c.loaded.Load()
	o := now.disk.overlay
	if o.name == "" {
		return refusal("the server runs without a config file to write to, and config-set-persist is not on its command line, " +
			"so that a restart would look for nothing")
	}
	s := now.sources
	s.NoOverlay = true
	below, err := c.read(s, readMode{})
	if err != nil {
		return err
	}
	for _, d := range ch.ds {
		o = o.with(d, ch.next, below, utc(ch.who.At)+" by "+ch.who.describe())
	}
	if err := c.writeOverlay(o); err != nil {
		return fmt.Errorf("%s: %w", o.name, systemError(err))
	}
	return nil
}

// overlayBeside is the overlay that a restart would look for if the file said what f
// says. The error says why the server would not start over what it finds there.
func (c *Config) overlayBeside(f *oldFile) (name string, err error) {
	now := c.loaded.Load()
	s := now.sources
	s.NoOverlay = true
	r, err := c.read(s, readMode{instead: map[string]string{s.File: f.text()}})
	if err != nil {
		return "", err
	}
	name = r.overlayName()
	if name == now.disk.overlay.name {
		return name, nil
	}
	content, err := c.options.FS.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	if err == nil {
		_, wrong := parseOverlay(name, s.File, string(content))
		err = asError(wrong)
	}
	return name, err
}

// carryOverlay puts the overlay where a restart will look for it when f is written: a
// crash in between leaves one in each place. The old one stays until trimOverlay.
func (c *Config) carryOverlay(f *oldFile) error {
	name, err := c.overlayBeside(f)
	o := c.loaded.Load().disk.overlay
	if err != nil || name == o.name || len(o.lines) == 0 {
		return err
	}
	o.name = name
	return c.writeOverlay(o)
}

// trimOverlay drops what a restart with v as its aim does not need the overlay
// for, and renews what the other lines lie over.
func (c *Config) trimOverlay(v *Values) error {
	now := c.loaded.Load()
	o := now.disk.overlay
	if o.name == "" {
		return nil
	}
	if _, err := c.options.FS.Stat(o.name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	s := now.sources
	s.NoOverlay = true
	below, err := c.read(s, readMode{})
	if err != nil {
		return err
	}
	for _, l := range now.disk.overlay.lines {
		o = o.with(l.d, v, below, l.set)
	}
	if o.name = below.overlayName(); o.name != now.disk.overlay.name {
		defer func() { _ = c.options.FS.Remove(now.disk.overlay.name) }() // nobody looks for it any more
	}
	return c.writeOverlay(o)
}
