//go:build !linux

package eventloop

// nativeTransport is what Auto means here.
const nativeTransport = Portable

func newEpoll() (poller, error) { return nil, ErrNoEpoll }
