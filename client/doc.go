// Package client is a small RESP client: what the command line, the benchmark,
// replication and the sentinels need of one.
//
//	c, err := client.Dial(ctx, client.Options{Dialer: env.Dialer, Address: "127.0.0.1:6379"})
//	v, err := c.Do("GET", "key")
//
// For a pipeline call Send as often as you like, then Flush, then Receive once
// for each command. For pub/sub Send SUBSCRIBE, Flush and Receive for ever.
//
// A Conn may be used by one goroutine that writes (Send, Flush) and one that
// reads (Receive) at a time; Do is both. Close and Interrupt may be called by any.
//
// Errors are of two kinds. An error reply is a resp.ReplyError from Do and a
// plain value from Receive: the connection is fine. Any other error means that
// the connection is of no further use: close it and dial anew. There is no
// pooling and no retrying here, since whether a command may be sent twice is for
// the caller to say.
package client
