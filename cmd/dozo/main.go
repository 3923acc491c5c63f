// Command dozo is the server and its tools in one binary.
//
//	dozo server [FILE] [--directive value ...]
//	dozo cli [options] [command ...]
//	dozo import --from SOURCE [options]
//	dozo rescue list|show|apply [options] [FILE]
//	dozo check rdb FILE
//	dozo check aof [options] FILE|MANIFEST
//
// Started under the name redis-server, redis-cli, redis-check-rdb or redis-check-aof
// (a symlink) it behaves as that program.
package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dozo/check"
	"dozo/cli"
	"dozo/env"
	"dozo/node"
	"dozo/server"
)

// programs are the subcommands, and the name under which each can be started
// without one.
var programs = []struct {
	name, alias, about string
	run                func(args []string) int
}{
	{"server", "redis-server", "the data store", serve},
	{"cli", "redis-cli", "the command line client", func(args []string) int {
		return cli.Main(args, os.Stdin, os.Stdout, os.Stderr)
	}},
	{"import", "", "brings data into a running server, from a file or another server", func(args []string) int {
		return cli.Import(args, os.Stdin, os.Stdout, os.Stderr)
	}},
	{"rescue", "", "shows and applies writes that a new primary never saw", func(args []string) int {
		keysOf, err := node.KeysOf()
		if err != nil {
			fmt.Fprintln(os.Stderr, "dozo rescue:", err)
			return 1
		}
		return cli.Rescue(args, keysOf, os.Stdin, os.Stdout, os.Stderr)
	}},
	{"check rdb", "redis-check-rdb", "looks at a database file", func(args []string) int {
		return check.RDB(args, env.Real(), os.Stdout, os.Stderr)
	}},
	{"check aof", "redis-check-aof", "looks at an append only file", func(args []string) int {
		return check.AOF(args, env.Real(), os.Stdin, os.Stdout)
	}},
}

func main() {
	title = claimTitle()
	os.Exit(run(os.Args))
}

// title is where the process list reads what this process is.
var title titleRoom

func run(args []string) int {
	name := filepath.Base(args[0])
	for _, p := range programs {
		if name == p.alias {
			return p.run(args[1:])
		}
	}
	if len(args) < 2 {
		usage(os.Stderr)
		return 1
	}
	for _, p := range programs {
		if words := strings.Fields(p.name); len(args) > len(words) && slices.Equal(args[1:1+len(words)], words) {
			return p.run(args[1+len(words):])
		}
	}
	switch args[1] {
	case "--version", "-v", "version":
		fmt.Printf("dozo %s (compatible with Redis %s)\n", server.DozoVersion, server.RedisVersion)
		return 0
	case "--help", "-h", "help":
		usage(os.Stdout)
		return 0
	}
	fmt.Fprintf(os.Stderr, "dozo: there is no subcommand %q\n\n", args[1])
	usage(os.Stderr)
	return 1
}

func usage(w io.Writer) {
	fmt.Fprintln(w, "usage: dozo SUBCOMMAND [arguments]")
	for _, p := range programs {
		alias := ""
		if p.alias != "" {
			alias = "; also when started as " + p.alias
		}
		fmt.Fprintf(w, "  %-9s %s%s\n", p.name, p.about, alias)
	}
}
