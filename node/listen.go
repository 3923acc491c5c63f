package node

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"dozo/config"
	"dozo/logger"
)

// listener is an open TCP listener, and the address of `bind` that it is for.
type listener struct {
	address
	at net.Addr
}

// address is where to listen. An optional one may be missing on this machine.
type address struct {
	network, host string
	port          int
	optional      bool
}

// addresses are those that the configuration asks for.
func addresses(v *config.Values) (list []address) {
	port := int(v.Int(config.Port))
	if port == 0 {
		return nil
	}
	for _, text := range v.Bind() {
		host, optional := strings.CutPrefix(text, "-")
		a := address{"tcp", host, port, optional}
		switch host {
		case "*":
			a.network, a.host = "tcp4", "0.0.0.0"
		case "::*":
			a.network, a.host = "tcp6", "::"
		}
		list = append(list, a)
	}
	return list
}

// listen opens every address of `bind`, and the unix socket.
func (n *Node) listen() error {
	v := n.opts.Config.Values()
	for _, a := range addresses(v) {
		if err := n.open(a); err != nil {
			n.logger.Logf(logger.Warning, "Failed listening on port %d (tcp), aborting.", a.port)
			return err
		}
	}
	if n.opts.Addr != "" {
		if _, err := n.server.Listen("tcp", n.opts.Addr); err != nil {
			return fmt.Errorf("cannot listen on %s: %w", n.opts.Addr, err)
		}
	}
	for _, path := range []string{v.String(config.UnixSocket), n.opts.UnixSocket} {
		if path == "" {
			continue
		}
		if _, err := n.server.Listen("unix", path); err != nil {
			n.logger.Logf(logger.Warning, "Failed opening Unix socket: bind: %v", err)
			return fmt.Errorf("cannot listen on the unix socket %s: %w", path, err)
		}
	}
	if len(n.server.Addrs()) == 0 {
		n.logger.Logf(logger.Warning, "Configured to not listen anywhere, exiting.")
		return errors.New("nobody could reach this server: it has no port, no address of `bind` that this machine has, and no unix socket; set `port` or `unixsocket`")
	}
	return nil
}

// open listens on one address more.
func (n *Node) open(a address) error {
	at, err := n.listenOn(a)
	if err != nil && a.optional && absent(err) {
		return nil
	}
	if err != nil {
		n.logger.Logf(logger.Warning, "Warning: Could not create server TCP listening socket %s:%d: bind: %v", a.host, a.port, reason(err))
		return fmt.Errorf("cannot listen on %s port %d: %w", a.host, a.port, err)
	}
	n.tcp = append(n.tcp, listener{a, at})
	return nil
}

// refusal is why CONFIG SET is refused, in the words that clients know.
type refusal string

func (r refusal) Error() string { return string(r) }

var errNoAddress = errors.New("not an address")

// listenOn asks the system. What looks like an address but is none is refused
// here, since the system would ask a name server about it.
func (n *Node) listenOn(a address) (net.Addr, error) {
	if strings.Trim(a.host, "0123456789.") == "" && net.ParseIP(a.host) == nil {
		return nil, errNoAddress
	}
	return n.server.Listen(a.network, net.JoinHostPort(a.host, strconv.Itoa(a.port)))
}

// listenAgain follows a change of `bind` or `port`: what is new is opened before
// what is not wanted any more is closed, and if that fails nothing has changed.
// Connections stay.
func (n *Node) listenAgain(old, now *config.Values) error {
	wanted, before := addresses(now), slices.Clone(n.tcp)
	for _, a := range wanted {
		if slices.ContainsFunc(before, func(l listener) bool { return l.address == a }) {
			continue
		}
		if err := n.open(a); err != nil {
			n.closeUnless(func(l listener) bool { return slices.Contains(before, l) })
			if old.Int(config.Port) != now.Int(config.Port) {
				return refusal("Unable to listen on this port. Check server logs.")
			}
			return refusal("Failed to bind to specified addresses.")
		}
	}
	n.closeUnless(func(l listener) bool { return slices.Contains(wanted, l.address) })
	return nil
}

// closeUnless closes the listeners that are not to be kept.
func (n *Node) closeUnless(keep func(listener) bool) {
	n.tcp = slices.DeleteFunc(n.tcp, func(l listener) bool {
		if keep(l) {
			return false
		}
		if err := n.server.Unlisten(l.at); err != nil {
			n.logger.Logf(logger.Warning, "Could not close a listener: %v", err)
		}
		return true
	})
}

// absent tells whether an address could not be bound because this machine does
// not have it.
func absent(err error) bool {
	return errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) ||
		errors.Is(err, syscall.EPROTONOSUPPORT)
}

// reason is an error in the words that tools look for.
func reason(err error) string {
	if errors.Is(err, syscall.EADDRINUSE) {
		return "Address already in use"
	}
	if errors.Is(err, fs.ErrPermission) {
		return "Permission denied"
	}
	return err.Error()
}
