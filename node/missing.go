package node

import (
	"dozo/config"
	"dozo/logger"
)

// promises are what a configuration may ask for that Dozo does not have. It is
// accepted, since files of Redis are, but nobody shall find out by losing data or
// by an open door: the log says so at the start.
var promises = []struct {
	asked func(*config.Config) bool
	line  string
}{
	{
		func(c *config.Config) bool { return c.String(config.ACLFile) != "" || len(c.Lines("user")) != 0 },
		"ACL users are configured, but Dozo has only the default user yet: only requirepass keeps strangers out.",
	},
	{
		func(c *config.Config) bool { return c.Int(config.TLSPort) != 0 },
		"tls-port is set, but Dozo does not speak TLS yet: nothing listens there.",
	},
	{
		func(c *config.Config) bool { return len(c.Lines("loadmodule")) != 0 },
		"loadmodule is used, but Dozo loads no modules: their commands are unknown.",
	},
}

// Missing is what a configuration asks for that is not there, a line each.
func Missing(c *config.Config) (lines []string) {
	for _, p := range promises {
		if p.asked(c) {
			lines = append(lines, p.line)
		}
	}
	return lines
}

// warnOfMissing logs what was asked for and is not there.
func (n *Node) warnOfMissing() {
	for _, line := range Missing(n.opts.Config) {
		n.logger.Logf(logger.Warning, "%s", line)
	}
}
