// Package faultfs is a disk for tests: a file system in memory that knows what a
// power loss would leave of it, and a layer over any file system that makes
// chosen calls fail.
//
//	disk := faultfs.New()
//	fs := faultfs.Wrap(disk)
//	fs.Inject(faultfs.Fault{Op: faultfs.Sync, Path: "*.aof", Skip: 3, Times: 1, Err: syscall.EIO, Lose: true})
//	...                                // what is tested runs on fs
//	after := disk.CrashClone(seed)     // what a machine without power finds
//
// What is durable. The bytes of a file are after File.Sync. A name (creation,
// rename, removal) is after SyncDir of its folder; Sync of the file does not make
// its name durable, which is what POSIX promises and less than most systems do.
//
// What a crash leaves of the rest is drawn from a seed. Of the writes and
// truncations of a file since its last sync, a prefix happened; the first write
// that did not may be torn at any byte; and the file may have its full size with
// zeros where the data is missing. Of the changes to names any subset happened,
// a rename always whole.
//
// Capacity. SetCapacity bounds the bytes of all files; a write beyond gives
// ENOSPC after as many bytes as had room, as the kernel does.
//
// Everything is safe for concurrent use. Paths are slash-separated; relative ones
// are below the root. Errors are *fs.PathError with the system's numbers.
//
// LIMITATIONS
//   - Writes of one file happen in order; a disk that loses the first of two
//     unsynced pages and keeps the second is seen only as zeros at the end.
//   - Times do not pass, and ModTime is zero, without SetClock. Permissions are remembered, not obeyed;
//     a folder that refuses changes is a Fault.
package faultfs
