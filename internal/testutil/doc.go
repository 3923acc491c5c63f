// Package testutil is what the tests above the unit tests stand on: it starts
// real servers (Dozo, or a genuine redis-server as the oracle) on loopback ports,
// waits until they answer, ends them with the test, and talks to them byte by
// byte.
//
// A test that wants a pair writes
//
//	oracle := testutil.StartRedis(t, "--maxmemory", "10mb")
//	dozo := testutil.StartDozo(t, "--maxmemory", "10mb")
//	reply := dozo.Conn(t, 2).Do("PING")
//
// Start is the same without a testing.TB, for programs such as the bench.
//
// Three environment variables choose what is run:
//
//   - DOZO_SERVER: a program that takes redis-server's arguments and is run in
//     place of a freshly built Dozo. With DOZO_SERVER=redis-server every test of
//     a pair runs the oracle against itself, which tests the test.
//   - DOZO_ORACLE: the genuine redis-server, if it is not the one in PATH.
//   - DOZO_TEST_LOG=1: show the servers' logs even when the test passes.
//
// Invariants: a server never outlives the process that started it (on Linux even
// if that process is killed); only processes started here are ever signalled,
// by process id; sockets are bound to loopback.
package testutil
