// Package check looks at data files without a server: `dozo check`, and what
// redis-check-rdb and redis-check-aof do.
//
//	status := check.RDB(args, env.Real(), os.Stdout, os.Stderr)
//	status := check.AOF(args, env.Real(), os.Stdin, os.Stdout)
//
// A check prints a verdict in the words of the original tool, which scripts look
// for, and then what is in the file; its result is the exit status. Nothing is
// changed unless an option asks for it, and a file is only ever cut at its end.
//
// Units: sizes and offsets are bytes, times are seconds since the Unix epoch.
// Memory does not grow with the files, but for the largest value of a database file
// and the longest command of an AOF.
package check
