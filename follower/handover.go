package follower

import (
	"fmt"
	"strings"

	"dozo/logger"
	"dozo/replication"
)

// Handing over (server/failover.go): the server becomes a replica of what was its replica,
// which is asked to take over.

// How far that is. The request to take over is sent only by who has changed mayAsk to asked,
// or finds it so; what is withdrawn is not sent.
const (
	withdrawn int32 = iota // or nothing is handed over
	mayAsk
	asked
)

// mayAsk tells whether the primary-to-be may be asked, and takes down that it was.
func (m *Manager) mayAsk() bool {
	return m.asked.CompareAndSwap(mayAsk, asked) || m.asked.Load() == asked
}

// answered is how far it is after an answer: only a refusal can be withdrawn from.
func answered(refusal string) int32 {
	if refusal != "" {
		return mayAsk
	}
	return asked
}

// HandOver implements server.Following.
func (m *Manager) HandOver(host string, port int) {
	m.asked.Store(mayAsk)
	m.follow(replication.Follow{Host: host, Port: port, Failover: true})
	m.remember(fmt.Sprintf("%s %d", host, port))
}

// Withdraw implements server.Following.
func (m *Manager) Withdraw() bool { return m.asked.CompareAndSwap(mayAsk, withdrawn) }

// TakeBack implements server.Following.
func (m *Manager) TakeBack() {
	m.asked.Store(withdrawn)
	m.unfollow()
	m.remember("no one")
	m.logger.Logf(logger.Notice, "MASTER MODE enabled (the failover was given up)")
}

// TakeOver implements server.Following.
func (m *Manager) TakeOver(by string) {
	m.unfollow()
	m.remember("no one")
	m.logger.Logf(logger.Notice, "MASTER MODE enabled (failover request from '%s')", strings.TrimSpace(by))
}

// inDoubt tells whether the replica may have taken over without our knowing.
func (m *Manager) inDoubt() bool { return m.asked.Load() == asked }
