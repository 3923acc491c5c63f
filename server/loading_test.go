package server

import (
	"testing"
	"time"
)

// TestYoungLoad: commands that come early in a load wait for its end; of one that lasts
// they are told. What needs no data does not wait.
func TestYoungLoad(t *testing.T) {
	eachGated(t, func(t *testing.T, g *gated) {
		g.everysec()
		a, b := g.dial(), g.dial()
		g.do(a, "SET k 1")
		g.alone(func() {
			g.SetLoading(true)
			g.loadTold += time.Hour
		})
		g.send(a, "GET k", "PING")
		g.waits(a, "GET during a load that has just begun")
		g.blocked("1")
		g.alone(func() { g.SetLoading(false) })
		g.gets(a, "$1 1", "+PONG")
		g.alone(func() { g.SetLoading(true) })
		g.send(a, "GET k", "CLIENT GETNAME")
		g.send(b, "MULTI")
		g.gets(a, "-LOADING Redis is loading the dataset in memory", "$-1")
		g.gets(b, "+OK")
		g.alone(func() { g.SetLoading(false) })
		g.send(a, "GET k")
		g.gets(a, "$1 1")
	})
}
