package importer

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"dozo/aof"
	"dozo/env"
	"dozo/object"
	"dozo/rdb"
	"dozo/resp"
)

// part is a file of the source.
type part struct {
	path    string
	size    int64
	changed int64 // Unix milliseconds
}

// readFiles imports the files that the path stands for.
func (r *run) readFiles(resumed bool) (err error) {
	if r.parts, err = r.findParts(); err != nil {
		return err
	}
	for _, p := range r.parts {
		r.total += p.size
	}
	withCommands, err := r.haveCommands()
	if err != nil {
		return err
	}
	if withCommands {
		if err := r.prepareCommands(resumed, hourMs); err != nil {
			return err
		}
	} else if r.restarted {
		r.again("the target was restarted")
	}
	if err := r.knowFiles(withCommands); err != nil {
		return err
	}
	for i := r.next.Part; i < len(r.parts); i++ {
		if r.next.Part != i {
			r.next = position{Part: i, DB: r.next.DB}
		}
		if err := r.readPart(i); err != nil {
			return err
		}
		r.base0 += r.parts[i].size
	}
	return nil
}

// findParts finds the file, or the files of the manifest in a folder.
func (r *run) findParts() ([]part, error) {
	info, err := r.Env.FS.Stat(r.Path)
	if err != nil {
		return nil, err
	}
	manifest := r.Path
	if info.IsDir() {
		if manifest, err = aof.ManifestIn(r.Env.FS, r.Path); err != nil {
			return nil, err
		}
	}
	name, ok := strings.CutSuffix(filepath.Base(manifest), ".manifest")
	switch {
	case !ok && info.Size() == 0:
		return nil, fmt.Errorf("%s is empty: there is nothing to import", r.Path)
	case !ok:
		return []part{{r.Path, info.Size(), info.ModTime().UnixMilli()}}, nil
	}
	folder, err := filepath.Abs(filepath.Dir(manifest))
	if err != nil {
		return nil, err
	}
	set, err := aof.Inspect(aof.Place{FS: r.Env.FS, Dir: filepath.Dir(folder), Folder: filepath.Base(folder), Name: name})
	if err != nil {
		return nil, err
	}
	if len(set.Missing) > 0 {
		return nil, fmt.Errorf("the manifest %s names files that are not there: %q; a set without them is not the data", manifest, set.Missing)
	}
	var parts []part
	for _, p := range set.Parts {
		info, err := r.Env.FS.Stat(p.Path)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{p.Path, p.Size, info.ModTime().UnixMilli()})
	}
	return parts, nil
}

// haveCommands tells whether the source is more than a snapshot.
func (r *run) haveCommands() (bool, error) {
	if len(r.parts) != 1 {
		return len(r.parts) > 0, nil
	}
	f, err := r.Env.FS.OpenFile(r.parts[0].path, env.ReadOnly, 0)
	if err != nil {
		return false, err
	}
	defer f.Close()
	preamble, err := aof.BeginsWithRDB(f)
	if err != nil || !preamble {
		return true, err
	}
	reader := rdb.NewReader(f, rdb.ReaderOptions{Size: r.parts[0].size})
	for it := (rdb.Item{}); ; { // a base of an AOF says so at its beginning
		if err := reader.Next(&it); err != nil || it.Kind != rdb.Aux {
			return false, err
		}
		if name := string(it.Name); (name == "aof-preamble" || name == "aof-base") && string(it.Value) == "1" {
			return true, nil
		}
	}
}

// readPart imports a file.
func (r *run) readPart(i int) error {
	p := r.parts[i]
	f, err := r.Env.FS.OpenFile(p.path, env.ReadOnly, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	preamble, err := aof.BeginsWithRDB(f)
	if err != nil {
		return err
	}
	if !r.next.Commands {
		end := int64(0)
		if preamble {
			if end, err = r.snapshot(f, p.size); err != nil {
				return fmt.Errorf("%s: %w", p.path, err)
			}
		}
		r.next.Commands, r.next.Offset = true, end
	}
	if r.next.Offset == p.size {
		return nil
	}
	err = r.commands(p.path, f, p.size)
	var torn *aof.TornError
	if errors.As(err, &torn) && r.lastWithData(i) {
		r.Notes = append(r.Notes, fmt.Sprintf("%s ends in the middle of a command: its last %d bytes were left out", p.path, torn.Size-torn.Offset))
		return r.transact()
	}
	return err
}

// lastWithData tells whether no file after this one has anything in it.
func (r *run) lastWithData(i int) bool {
	for _, p := range r.parts[i+1:] {
		if p.size > 0 {
			return false
		}
	}
	return true
}

// snapshot imports a database file, but for what was done before, and tells where it ends.
func (r *run) snapshot(src io.Reader, size int64) (end int64, err error) {
	reader := rdb.NewReader(src, rdb.ReaderOptions{Size: size, BufferSize: recordMax})
	done := r.next.Offset
	for it := (rdb.Item{}); ; {
		if err := reader.Next(&it); err != nil {
			return 0, errors.Join(r.flush(), err)
		}
		if it.Offset >= done {
			if err := r.item(reader, &it); err != nil {
				return 0, err
			}
			r.next.Offset = it.Offset + 1
		}
		r.at(reader.Offset())
		if it.Kind == rdb.End {
			return reader.Offset(), r.flush()
		}
		if err := r.stopped(); err != nil {
			return 0, err
		}
	}
}

// at says how far in the file it is.
func (r *run) at(offset int64) {
	r.done = r.base0 + offset
	r.Bytes = max(r.Bytes, r.done)
}

// item imports a part of a database file.
func (r *run) item(reader *rdb.Reader, it *rdb.Item) error {
	switch it.Kind {
	case rdb.Key:
		return r.key(reader, it)
	case rdb.ModuleAux:
		r.Notes = append(r.Notes, fmt.Sprintf("data of the module that has the type %q, besides its keys, was left out", it.Name))
	case rdb.Function:
		args := [][]byte{[]byte("FUNCTION"), []byte("LOAD"), it.Value}
		if r.Replace {
			args = [][]byte{[]byte("FUNCTION"), []byte("LOAD"), []byte("REPLACE"), it.Value}
		}
		r.p.ask(func(v resp.Value) error {
			if v.IsError() {
				r.Summary.failed("a library of functions: %s", v.Str)
			}
			return nil
		}, args...)
	}
	return nil
}

// key imports a key of a database file.
func (r *run) key(reader *rdb.Reader, it *rdb.Item) error {
	typeName := "module"
	if it.Type != rdb.TypeModule {
		typeName = it.Type.Object().String()
	}
	if !r.wants(it.DB, it.Name, typeName) {
		r.Unwanted++
		return nil
	}
	rec := &record{db: r.dbOf(it.DB), key: append([]byte(nil), it.Name...), typeName: typeName, idle: it.Idle, freq: it.Freq}
	if it.Dated {
		rec.deadline = r.park(max(it.Deadline, 1))
		if rec.deadline <= r.Env.Clock.Wall().Milliseconds() {
			r.Expired++
			return nil
		}
	}
	if it.Record == nil {
		if err := r.flush(); err != nil {
			return err
		}
		return r.noted(rec, r.conv.value(rec.key, func(at object.Place, d *object.Draft) error {
			return reader.ReadRecord(&r.conv.builder, at, d)
		}, func(c *object.Cell) error { return r.writeCell(rec, c) }))
	}
	d := rdb.NewDecoder(it.Record)
	if _, err := d.String(nil); err != nil {
		return err
	}
	body := append([]byte{byte(it.Type)}, it.Record[len(it.Record)-d.Left():]...)
	rec.payload = payload(body)
	return r.write(rec)
}
