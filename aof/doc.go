// Package aof keeps the append only file: Redis 7's folder of a base, of incr
// files with the writes since, and of a manifest that says which of them are the
// data. It writes them from the log (oplog), survives the disk's failures, makes
// a new base take the place of the old files, and reads all of it back.
//
//	place := aof.Place{FS: env.FS, Dir: dir, Folder: "appendonlydir", Name: "appendonly.aof"}
//	store, err := aof.Open(place)            // locked; store.Set() says what is there
//	store.Tidy(false)
//	err = store.Upgrade()                    // if there is an old single file
//	err = store.Load(aof.LoadOptions{Truncated: true, Preamble: loadRDB, Command: execute})
//
//	log.Activate(0)                          // nobody appends yet
//	w := aof.NewWriter(aof.Options{Store: store, Log: log, Gate: gate, ...}, settings)
//	err = w.Resume()                         // On; if the set was empty: BeginRewrite instead
//	go w.Run()
//	... every 100 ms:                  w.Tick()
//	... before each write command:      if err := w.Fault(); err != nil { refuse, -MISCONF }
//
//	// BGREWRITEAOF, and CONFIG SET appendonly yes, with all executors stopped:
//	rw, err := w.BeginRewrite(preamble)      // the snapshot's epoch begins here too
//	... a goroutine writes the snapshot to rw.Path(), syncs it, and
//	err = rw.Publish()                       // or rw.Abort(err); give up early on <-rw.Done()
//
//	// CONFIG SET appendonly no:  err := w.TurnOff()
//	// SHUTDOWN:                  err := w.Flush(); w.Stop(); (Run returns) store.Close()
//
// To look at what is there without locking or changing anything: Inspect. To read
// a single file: NewReader.
//
// Units. Offsets of the log are bytes of the history; offsets in a file are bytes
// of the file, which has annotations and SELECTs that the log has not. A unit is a
// command, or what stands from MULTI to EXEC.
//
// Errors. Reading gives *ManifestError, *FormatError, *TornError; opening wraps
// env.ErrLocked. What the writer meets is its Fault until it is over, and is
// logged; nothing is lost by it as long as the process lives, except with
// appendfsync no, or where syncing is suspended.
//
// Invariants:
//   - The gate passes an offset when all before it is durable in files that the
//     durable manifest names. (Not so while syncing is suspended, and with
//     appendfsync no: there it passes what is written.)
//   - A manifest names only files whose names are durable, and all but the last
//     of them that is not empty are durable to their end, which is a unit's.
//   - An fsync that failed is never repeated in the hope of a better answer. The
//     file is cut where the last good one left it, what came after is written
//     again, from the log, to a new file.
//   - A new base and the first incr file after it meet at the offset at which the
//     snapshot was taken.
//   - The log is kept from the last durable offset on, not from the last written.
//   - A file with bytes in it that the manifest does not know is never overwritten
//     or removed, unless its name says that it is temporary.
//
// The writer reads and writes on one goroutine, and with appendfsync always it
// syncs there too: what is there is written and synced, the gate advances, and what
// has gathered meanwhile is the next group. With everysec an fsync is made beside
// it, and writing goes on (flight.go). It has no timer: Tick wakes it.
//
// LIMITATIONS
//   - Every end of the log that others can see is taken for the end of a unit.
//     What is appended raw (oplog.AppendRaw) must therefore be whole units.
//   - With everysec and no, kill -9 loses what was not written yet: nothing that
//     was answered where replies wait for the gate Taken. That waits for a slow disk
//     if the system has a write wait for an fsync of the same file, or the file is
//     changed: at the beginning and the end of a rewrite, and after a failure, what is
//     in the old files is synced first.
//   - What a file system keeps of unsynced data after a power failure is expected
//     to be a beginning of it, or zeros; a file with a hole in its last part is
//     refused, and dozo check aof --fix cuts it there.
//   - A length that was damaged to say more than the file has looks like a torn
//     end. The log says how many bytes are cut off for it.
//   - That somebody removes a file of the set, or the manifest, is noticed within a
//     second; that somebody puts others in their place is not.
//   - A process that is killed between a rewrite's rename and its manifest leaves
//     a base that no manifest names. It is reported (Set.Extra), not removed.
package aof
