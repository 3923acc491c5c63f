package config

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"dozo/env"
)

// write has fn write files while nobody else does. It waits for those who do, for
// no longer than patience: then the error is ErrBusy.
func (c *Config) write(patience context.Context, fn func() error) error {
	select {
	case c.files <- struct{}{}:
	case <-patience.Done():
		return ErrBusy
	}
	c.countWrite()
	defer func() {
		c.countWrite()
		<-c.files
	}()
	return fn()
}

// writeSoon is write for those who keep others waiting, and so have little
// patience.
func (c *Config) writeSoon(fn func() error) error {
	patience, enough := context.WithTimeout(context.Background(), loopPatience)
	defer enough()
	return c.write(patience, fn)
}

// loopPatience is how long a server may stand still for a file that another call
// is writing. That takes a few milliseconds on a disk that works.
const loopPatience = 500 * time.Millisecond

// countWrite makes what others read meanwhile count for nothing.
func (c *Config) countWrite() {
	c.mu.Lock()
	c.writes++
	c.mu.Unlock()
}

// target is the file that the configuration file's name leads to.
func (c *Config) target() string {
	if name, err := c.options.FS.Resolve(c.File()); err == nil {
		return name
	}
	return c.File()
}

// replaceFile gives a file new content as one step. The new file is no more open than the
// old: Redis makes it readable for all, passwords and everything. After an error the file
// is what it was.
func (c *Config) replaceFile(name, content string, mode fs.FileMode) error {
	old, missing := c.options.FS.ReadFile(name)
	err := c.swapIn(name, []byte(content), mode)
	unsettled := (*env.UnsettledError)(nil)
	if !errors.As(err, &unsettled) {
		return err
	}
	if missing != nil {
		_ = c.options.FS.Remove(name) // the first error is the one to tell
	} else {
		_ = c.swapIn(name, old, mode)
	}
	return unsettled.Cause
}

func (c *Config) swapIn(name string, content []byte, mode fs.FileMode) error {
	temp := name + ".rewrite"
	return env.Replace(c.options.FS, name, env.Replacement{
		Temp: temp, Perm: 0o600, Fill: env.Content(content),
		Ready: func() error { return c.likeTheOld(temp, name, mode) },
	})
}

// The rights of files that were not there before.
const (
	newFileMode    fs.FileMode = 0o644
	newOverlayMode fs.FileMode = 0o600
)

// likeTheOld gives temp the owner and the rights of the file that it replaces. If
// the owner cannot be kept, neither is what the group was allowed, since it would
// be another group. A file that is new gets mode.
func (c *Config) likeTheOld(temp, name string, mode fs.FileMode) error {
	info, err := c.options.FS.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return c.options.FS.Chmod(temp, mode)
	}
	if err != nil {
		return err
	}
	mode = info.Mode().Perm()
	if c.options.FS.CopyOwner(temp, info) != nil {
		mode &^= 0o070
	}
	return c.options.FS.Chmod(temp, mode)
}

// managed tells whether the file is none that a server should write to: a link,
// as those that a deployment has put there, or one that nobody may write to.
func (c *Config) managed() bool {
	info, err := c.options.FS.Lstat(c.File())
	if err != nil {
		return false // then writing to it says what is wrong
	}
	return info.Mode()&fs.ModeSymlink != 0 || info.Mode().Perm()&0o222 == 0
}
