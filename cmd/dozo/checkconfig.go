package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"dozo/client"
	"dozo/config"
	"dozo/env"
	"dozo/node"
)

// The exit statuses of --check-config.
const (
	configSame    = 0
	configDiffers = 1
	configInvalid = 2
)

// askTimeout is how long a server may take to connect, and for each reply.
const askTimeout = 10 * time.Second

// configCheck is what --check-config is to do.
type configCheck struct {
	file, against string
	user, pass    string
	options       []string // of the start
}

// checkConfig is `dozo server --check-config`, for those who deploy files.
func checkConfig(args []string, out, errout io.Writer) int {
	ch, err := parseCheck(args)
	if err != nil {
		fmt.Fprintln(errout, "dozo server --check-config:", err)
		return configInvalid
	}
	cfg, faults := ch.read()
	for _, f := range faults {
		fmt.Fprintln(errout, f)
	}
	if len(faults) > 0 {
		fmt.Fprintf(errout, "%s is not valid; mistakes: %d\n", ch.file, len(faults))
		return configInvalid
	}
	for _, line := range node.Missing(cfg) {
		fmt.Fprintln(errout, "warning:", line)
	}
	if ch.against == "" {
		fmt.Fprintf(out, "%s is valid\n", ch.file)
		return configSame
	}
	return ch.compare(cfg, out, errout)
}

func parseCheck(args []string) (ch configCheck, err error) {
	ch.pass = os.Getenv("REDISCLI_AUTH")
	for len(args) > 0 {
		var to *string
		switch name := args[0]; {
		case name == "--":
			ch.options, args = args[1:], nil
			continue
		case name == "--against":
			to = &ch.against
		case name == "--user":
			to = &ch.user
		case name == "--pass" || name == "-a":
			to = &ch.pass
		case ch.file == "" && !strings.HasPrefix(name, "-"):
			ch.file, args = name, args[1:]
			continue
		default:
			return ch, fmt.Errorf("%q is not understood; options of the start come behind --", name)
		}
		if len(args) < 2 {
			return ch, fmt.Errorf("%s needs a value", args[0])
		}
		*to, args = args[1], args[2:]
	}
	if ch.file == "" {
		return ch, errors.New("the file is missing: --check-config FILE [--against HOST:PORT|SOCKET]")
	}
	return ch, nil
}

// read reads the configuration, and lists what is wrong with it. What a server has
// put into an overlay is none of the file's business.
func (ch configCheck) read() (cfg *config.Config, faults []string) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, []string{err.Error()}
	}
	cfg = config.New(config.Options{FS: env.Real().FS, WorkDir: dir, Cores: runtime.GOMAXPROCS(0)})
	src := config.Sources{File: ch.file, Options: config.ParseArgs(ch.options).Options, NoOverlay: true}
	for _, e := range cfg.Check(src) {
		faults = append(faults, e.Locate())
	}
	for _, err := range node.Check(cfg) {
		var e *config.Error
		if errors.As(err, &e) {
			faults = append(faults, e.Locate())
		} else {
			faults = append(faults, err.Error())
		}
	}
	return cfg, faults
}

// compare asks the server and lists what differs.
func (ch configCheck) compare(cfg *config.Config, out, errout io.Writer) int {
	pairs, err := ch.ask(cfg)
	if err != nil {
		fmt.Fprintf(errout, "%s cannot be asked for its configuration: %v\n", ch.against, err)
		return configInvalid
	}
	diffs := cfg.Compare(pairs)
	for _, d := range diffs {
		fmt.Fprintln(out, d.Describe(ch.against))
	}
	if len(diffs) > 0 {
		return configDiffers
	}
	fmt.Fprintf(out, "%s runs what %s says\n", ch.against, ch.file)
	return configSame
}

// ask gets all directives of the server, those too that only their names show.
func (ch configCheck) ask(cfg *config.Config) (pairs []config.Pair, err error) {
	network, err := networkOf(ch.against)
	if err != nil {
		return nil, err
	}
	conn, err := client.Dial(context.Background(), client.Options{
		Dialer: env.Real().Dialer, Network: network, Address: ch.against, User: ch.user, Password: ch.pass,
		DialTimeout: askTimeout, ReadTimeout: askTimeout, WriteTimeout: askTimeout,
	})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	names := []string{"*"}
	for _, d := range cfg.SetHidden() {
		names = append(names, d.Name())
	}
	for _, name := range names {
		v, err := conn.Do("CONFIG", "GET", name)
		if err != nil {
			return nil, err
		}
		for list := v.Elems; len(list) > 1; list = list[2:] {
			pairs = append(pairs, config.Pair{Name: string(list[0].Str), Value: string(list[1].Str)})
		}
	}
	return pairs, nil
}

// networkOf is the network of an address, which is that of a unix socket if it looks
// like a path.
func networkOf(address string) (network string, err error) {
	if strings.Contains(address, "/") {
		return "unix", nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return "", errors.New("HOST:PORT or the path of a unix socket is expected")
	}
	return "tcp", nil
}
