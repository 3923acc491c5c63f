// Package importer brings data into a running server: from a database file, from an
// append only file, or from another server, by the protocol of replicas or key by key.
//
// A source gives two things. Records are keys with their values as RESTORE takes them; they
// go out in pipelines, and each stands for itself, so doing one twice does no harm. Commands
// are what an append only file or a primary's stream has; doing one twice would count
// twice, so they go out in transactions that write down, in a key of the target, how far
// they came. What a target cannot RESTORE, because the payload is too new or too large for
// it, is taken apart and sent as commands to a key of another name, which takes the right
// one when it is whole.
//
// State. How far the import came is in a file (state.go), which an import that is run again
// finds. It is removed when all is done. What it is about is compared first (identity.go).
//
// Time. What commands do depends on when keys expire, and the commands of a file are of the
// past: a key that was to expire yesterday, and was given another hour an hour later, must
// live to see that. So a deadline that is over, or soon will be, is moved far into the
// future while there are commands to come, and back at the end (park.go), also when an import
// that follows its source is ended: it may go on later, but mostly does not.
//
// Units: bytes, and Unix milliseconds for deadlines. Errors: what concerns a key is
// counted and listed in the Summary, and the import goes on; an error that Run returns has
// ended it, and says what to do.
//
// LIMITATIONS
//   - A value that is longer than a buffer (16 MiB) in a database file is sent as commands:
//     it loses its idle time and frequency, and large ones are in memory once.
//   - By SCAN, keys that are changed meanwhile come as they are when it is their turn, and
//     functions do not come.
//   - Deadlines of fields of hashes are not moved.
//   - Sharded targets that answer MOVED are refused.
package importer
