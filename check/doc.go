// Package check looks at data files without a server: `dozo check`, and what
// redis-check-rdb does.
//
//	status := check.RDB(args, env.Real(), os.Stdout, os.Stderr)
//
// A check prints a verdict in the words of the original tool, which scripts look
// for, and then what is in the file; its result is the exit status. Nothing is
// changed.
//
// Units: sizes and offsets are bytes. Memory does not grow with the files, but for the
// largest value of a database file.
package check
