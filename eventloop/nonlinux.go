//go:build !linux

package eventloop

import "net"

// nativeTransport is what Auto means here.
const nativeTransport = Portable

func newEpoll() (poller, error) { return nil, ErrNoEpoll }

// takeSocket never makes anything else of conn here.
func (g *Group) takeSocket(net.Conn) *Conn { return nil }
