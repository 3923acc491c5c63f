//go:build unix

package env

import (
	"io/fs"
	"os"
	"syscall"
)

func (realFS) CopyOwner(name string, info fs.FileInfo) error {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return os.Chown(name, int(st.Uid), int(st.Gid))
	}
	return nil
}
