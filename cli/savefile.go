package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"dozo/client"
	"dozo/env"
	"dozo/rdb"
)

// saveSnapshot saves what comes, and returns when all of it is on disk. It is looked at as
// it comes, and a file gets its name only when it is whole and sound: what was there before
// stays otherwise.
func (s *session) saveSnapshot(p client.Snapshot) (int64, error) {
	if s.rdbFile == "-" {
		return s.download(p, s.out)
	}
	name := s.rdbFile
	if real, err := s.env.FS.Resolve(name); err == nil {
		name = real // the link stays one
	}
	if info, err := s.env.FS.Stat(name); err == nil && !info.Mode().IsRegular() {
		return s.saveTo(p, name) // a device or a pipe, which has no other name
	}
	var n int64
	err := env.Replace(s.env.FS, name, env.Replacement{
		Temp: fmt.Sprintf("%s.tmp-%d", name, os.Getpid()), Perm: 0o644,
		Fill: func(f env.File) (err error) {
			n, err = s.download(p, f)
			s.disconnect() // writing to the disk can take long
			return err
		},
	})
	return n, err
}

// saveTo writes to what is no file.
func (s *session) saveTo(p client.Snapshot, name string) (int64, error) {
	f, err := s.env.FS.OpenFile(name, os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	n, err := s.download(p, f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return n, err
}

// download passes the snapshot on to w, and checks it.
func (s *session) download(p client.Snapshot, w io.Writer) (int64, error) {
	r, tee := io.Pipe()
	verdict := make(chan error, 1)
	go func() {
		verdict <- s.checkSnapshot(r)
		_, _ = io.Copy(io.Discard, r) // whoever writes shall not wait for a reader who has given up
	}()
	n, err := p.Copy(io.MultiWriter(w, tee), s.conn.Reader())
	_ = tee.CloseWithError(err) // never fails; io.EOF if err is nil
	if unsound := <-verdict; err == nil {
		err = unsound
	}
	return n, err
}

// errBehind tells of a snapshot that goes on behind its end.
var errBehind = errors.New("there are bytes behind the end of the snapshot")

// checkSnapshot reads a snapshot to its end. One of a version that is too new to be read
// here is left to those who know it.
func (s *session) checkSnapshot(src io.Reader) error {
	const magic, digits = 5, 4
	in := bufio.NewReader(src)
	head, _ := in.Peek(magic + digits) // too little is found out below
	if version, err := strconv.Atoi(string(head[min(magic, len(head)):])); err == nil && version > rdb.VersionMax {
		fmt.Fprintf(s.errout, "The snapshot is of version %d of the format, and the newest that can be read here is %d: it was not checked\n", version, rdb.VersionMax)
		return nil
	}
	r := rdb.NewReader(in, rdb.ReaderOptions{})
	for it := (rdb.Item{}); ; {
		if err := r.Next(&it); err != nil {
			return err
		}
		if it.Kind == rdb.End {
			break
		}
	}
	if _, err := in.ReadByte(); err == nil || len(r.Rest()) > 0 {
		return errBehind
	}
	return nil
}
