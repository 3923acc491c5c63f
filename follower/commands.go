package follower

import (
	"fmt"
	"strings"

	"dozo/command"
	"dozo/config"
	"dozo/logger"
	"dozo/replication"
	"dozo/text"
)

// Commands are those by which a server is made a replica, or a primary.
func (m *Manager) Commands() []command.Spec {
	const flags = command.NoAsyncLoading | command.Admin | command.NoScript | command.Stale | command.Exclusive
	syntax := "args=<host-port=<host port> | no-one=<NO ONE>>"
	return []command.Spec{
		{
			Name: "REPLICAOF", Handler: m.replicaof, Group: command.Server, Since: "5.0.0", Complexity: "O(1)",
			Syntax: syntax, Flags: flags,
			Summary: "Makes the server a replica of another one, or a primary.",
		},
		{
			Name: "SLAVEOF", Handler: m.replicaof, Group: command.Server, Since: "1.0.0", Complexity: "O(1)",
			Syntax: syntax, Flags: flags, Deprecated: "5.0.0", Replaced: "`REPLICAOF`",
			Summary: "Makes the server a replica of another one, or a primary.",
		},
	}
}

const (
	errFailingOver command.ReplyError = "ERR REPLICAOF not allowed while failing over."

	errPort    command.ReplyError = "ERR Invalid master port"
	errReplica command.ReplyError = "ERR Command is not valid when client is a replica."
)

// replicaof is REPLICAOF host port, or NO ONE.
func (m *Manager) replicaof(c *command.Context) error {
	noOne := text.EqualFold(c.Args[1], "NO") && text.EqualFold(c.Args[2], "ONE")
	switch {
	case noOne && m.host.FailingOver() && m.inDoubt():
		m.host.HandedOver("REPLICAOF NO ONE was given, although the replica may have taken over")
		c.Out.OK()
		return nil
	case m.host.FailingOver():
		return errFailingOver
	case noOne:
		if m.primary.Host != "" {
			m.unfollow()
			m.remember("no one")
			m.logger.Logf(logger.Notice, "MASTER MODE enabled (user request from '%s')", strings.TrimSpace(m.host.DescribeCaller(c)))
		}
		c.Out.OK()
		return nil
	case m.host.CallerFollows(c):
		return errReplica
	}
	port, ok := text.ParseInt(c.Args[2])
	if !ok || port < 0 || port > 65535 {
		return errPort
	}
	host := string(c.Args[1])
	same := strings.EqualFold(m.primary.Host, host) && m.primary.Port == int(port)
	if same && m.Status().KeepsData == "" { // else it is the operator's word that the data is right
		m.logger.Logf(logger.Notice, "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed.")
		c.Out.SimpleString("OK Already connected to specified master")
		return nil
	}
	m.follow(replication.Follow{Host: host, Port: int(port)})
	m.remember(fmt.Sprintf("%s %d", host, port))
	m.logger.Logf(logger.Notice, "REPLICAOF %s:%d enabled (user request from '%s')", host, port, strings.TrimSpace(m.host.DescribeCaller(c)))
	c.Out.OK()
	return nil
}

// remember has the configuration say whom the server follows.
func (m *Manager) remember(primary string) {
	if err := m.cfg.Update(config.ReplicaOf, primary); err != nil {
		m.logger.Logf(logger.Warning, "replicaof cannot be kept in the configuration: %v", err)
	}
}
