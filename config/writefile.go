package config

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
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

// replaceFile writes beside the file, makes that durable, and renames it over
// the file. The new file is no more open than the old: Redis makes it readable
// for all, passwords and everything. After an error the file is what it was.
func (c *Config) replaceFile(name, content string, mode fs.FileMode) error {
	old, missing := c.options.FS.ReadFile(name)
	if err := c.swapIn(name, content, mode); err != nil {
		return err
	}
	err := c.options.FS.SyncDir(filepath.Dir(name))
	switch {
	case err == nil:
	case missing != nil:
		_ = c.options.FS.Remove(name) // the first error is the one to tell
	default:
		_ = c.swapIn(name, string(old), mode)
	}
	return err
}

// swapIn is replaceFile, durable only when the folder is.
func (c *Config) swapIn(name, content string, mode fs.FileMode) error {
	temp := name + ".rewrite"
	err := c.writeTemp(temp, content)
	if err == nil {
		err = c.likeTheOld(temp, name, mode)
	}
	if err == nil {
		err = c.options.FS.Rename(temp, name)
	}
	if err != nil {
		_ = c.options.FS.Remove(temp)
	}
	return err
}

func (c *Config) writeTemp(name, content string) error {
	// One left by a crash may be more open than it should.
	if err := c.options.FS.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := c.options.FS.OpenFile(name, env.CreateNew, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(content))
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
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
