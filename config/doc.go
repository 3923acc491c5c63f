// Package config holds every directive of redis.conf, as Redis 7.2 has them and
// as Dozo understands them, and the running values of one server.
//
// A directive is one row (the files directives_*.go): its name, alias, kind,
// default, flags, what Dozo does with it, and a line of documentation. All else
// is derived from the row: parsing of files and command lines, CONFIG GET, SET
// and REWRITE, the drift report, the default document. So a new directive is one
// row, and the test that walks the table covers it.
//
// # Use
//
//	cfg := config.New(config.Options{FS: env.FS, WorkDir: cwd, Cores: n})
//	args, err := config.ParseArgs(os.Args[1:])
//	err = cfg.Load(config.Sources{File: args.File, Options: args.Options})
//	cfg.OnChange(config.MaxMemory, func(old, new *config.Values) error { ... })
//	limit := cfg.Int(config.MaxMemory)
//
// # Units
//
// Numbers are what CONFIG GET shows: memory in bytes, times in the unit that the
// row's documentation names. A memory value given as a percentage is stored as a
// negative number (-5 is 5%), as Redis does, since no size is negative.
//
// # Errors
//
// Load and ParseArgs return *Error, which knows the file, the line and the
// reason, and prints the report that Redis prints; Check returns all of them. Set
// and Rewrite return errors whose text is the whole reply after the '-', code
// included.
//
// # Invariants
//
//   - The rows are complete when the package is initialised and never change.
//   - A Values is never changed once it is published: readers load one pointer
//     and see the values of one moment.
//   - Nothing is global but the rows: any number of Configs live in one process.
//   - Set is all or nothing: when a value is refused, or a change hook fails, or
//     config-set-persist cannot write, values and files are what they were before.
//   - No method reads or writes a file while it holds what readers of values, or
//     Begin, need: a disk that does not answer stops those who ask for files.
//   - What Persist and Rewrite write is read as a restart would read it before it
//     replaces anything.
//
// The idea of one table with typed rows is that of Redis 7's config.c.
package config
