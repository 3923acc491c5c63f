// Package eventloop moves bytes between sockets and one Handler per loop.
package eventloop
