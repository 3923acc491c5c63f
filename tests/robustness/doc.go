// Package robustness holds the tests that are unkind to a running server: clients
// that flood, vanish, never read or send nonsense, limits that are reached under
// load, commands that stop everything in the middle of traffic. With -short each
// is a matter of seconds; `make soak` runs them for as long as -length says.
//
// Every test has a watchdog, prints the seed of its choices, ends by itself, and
// leaves the machine room: a few connections, about one core.
package robustness
