package env

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
)

// NoSpace tells whether an error of a write says that the disk or a quota is
// full: what was written before stays good, and the same write may succeed later.
func NoSpace(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		errors.Is(err, io.ErrShortWrite)
}

// NeverWritable tells whether the error of writing or renaming a file says that it
// cannot be replaced where it is, rather than not now: it is on a read-only file
// system, in a folder of somebody else, or mounted over another file.
func NeverWritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EBUSY) || errors.Is(err, syscall.EXDEV)
}

// Cause is what the system said, without the call and the path that stand before it,
// for messages that name the file themselves.
func Cause(err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		return number
	}
	for inner := err; inner != nil; inner = errors.Unwrap(inner) {
		err = inner
	}
	return err
}

// Reason is the text of Cause as strerror has it, with a capital, which is what
// replies and lines of the log show to Redis' users.
func Reason(err error) string {
	s := Cause(err).Error()
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
