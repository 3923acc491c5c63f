// Package dozo embeds a Dozo server in a Go program: a real server on real
// sockets, started and ended in a few milliseconds, as many as wanted in one
// process. It is made for other people's tests:
//
//	srv, err := dozo.Start(dozo.Options{})
//	if err != nil { ... }
//	defer srv.Close()
//	rdb := redis.NewClient(&redis.Options{Addr: srv.Addr()})
//
// Everything a redis.conf can say goes into Options.Directives. This package is
// the only promised API of the module; the others may change.
package dozo

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/node"
)

// Options are the settings of an embedded server. The zero value listens on a
// free port of 127.0.0.1, keeps everything in memory and logs nothing; with a `dir` in
// Directives it loads what lies there and saves as they say.
type Options struct {
	// Addr is where to listen, host:port; port 0 takes a free one. Empty means
	// 127.0.0.1:0.
	Addr string
	// UnixSocket is a path to listen on as well.
	UnixSocket string
	// Directives are lines of a redis.conf: name and value.
	Directives [][2]string
	// Log takes the server's log; nil drops it.
	Log io.Writer
	// Portable uses goroutines instead of epoll.
	Portable bool
}

// Server is a running server.
type Server struct {
	node *node.Node
	addr net.Addr
}

// Start runs a server. The caller ends it with Close.
func Start(o Options) (*Server, error) {
	cfg := config.New(config.Options{FS: env.Real().FS, WorkDir: os.TempDir(), Cores: 1})
	lines := []string{`save ""`, "port 0"}
	for _, d := range o.Directives {
		lines = append(lines, d[0]+" "+d[1])
	}
	if err := cfg.Load(config.Sources{Options: strings.Join(lines, "\n")}); err != nil {
		return nil, err
	}
	out := o.Log
	if out == nil {
		out = io.Discard
	}
	transport := eventloop.Auto
	if o.Portable {
		transport = eventloop.Portable
	}
	n, err := node.Start(node.Options{
		Env: env.Real(), Config: cfg, Log: out, PID: os.Getpid(), Transport: transport,
		Addr: orDefault(o.Addr, "127.0.0.1:0"), UnixSocket: o.UnixSocket, InMemory: !o.has("dir"),
	})
	if err != nil {
		return nil, fmt.Errorf("dozo: %w", err)
	}
	return &Server{node: n, addr: n.Addrs()[0]}, nil
}

// has tells whether a directive is given.
func (o *Options) has(name string) bool {
	return slices.ContainsFunc(o.Directives, func(d [2]string) bool { return strings.EqualFold(d[0], name) })
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// Addr is the address that the server listens on, host:port.
func (s *Server) Addr() string { return s.addr.String() }

// Close ends the server and frees everything. Clients lose their connections.
func (s *Server) Close() error { return s.node.Close() }

// Done is closed when a client has asked the server to end (SHUTDOWN). Close is
// still to be called.
func (s *Server) Done() <-chan struct{} { return s.node.Done() }
