package importer

import (
	"io"

	"dozo/client"
	"dozo/env"
	"dozo/text"
)

// Options say what to bring where.
type Options struct {
	Env    *env.Env
	Target client.Options
	// One of these is the source: a file or a folder, or a server.
	Path   string
	Server *client.Options
	// Scan reads a server by SCAN and DUMP. Otherwise it is asked as a replica asks, and
	// with Follow the import goes on until it is told to stop.
	Scan, Follow bool

	// Replace has values of the source win over those that are there, SkipExisting those
	// that are there over the source's. With neither, keys that are there with another
	// value are errors.
	Replace, SkipExisting bool
	DBs                   map[int]bool // of the source; nil: all
	DBMap                 map[int]int  // from the source's, or AnyDB, to the target's
	Match, Type           string       // "": all
	Rate                  int64        // bytes a second, 0 = no limit

	// State is the name of the file that says how far the import came. Restart leaves it out of
	// account.
	State   string
	Restart bool

	Log      io.Writer // lines for people
	Terminal bool      // Log is one: a bar shows the progress
}

// AnyDB stands in a DBMap for databases that are not in it.
const AnyDB = -1

// dbOf is where a database of the source goes.
func (o *Options) dbOf(db int) int {
	if to, ok := o.DBMap[db]; ok {
		return to
	}
	if to, ok := o.DBMap[AnyDB]; ok {
		return to
	}
	return db
}

// wantsDB tells whether keys of a database of the source are wanted.
func (o *Options) wantsDB(db int) bool { return o.DBs == nil || o.DBs[db] }

// wants tells whether a key is wanted.
func (o *Options) wants(db int, key []byte, typeName string) bool {
	return o.wantsDB(db) && (o.Type == "" || o.Type == typeName) &&
		(o.Match == "" || text.Match([]byte(o.Match), key, false))
}

// keepsAll tells whether every key goes where it comes from.
func (o *Options) keepsAll() bool { return o.DBs == nil && len(o.DBMap) == 0 }
