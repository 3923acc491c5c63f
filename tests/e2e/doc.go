// Package e2e runs the programs that people use against a real Dozo process:
// redis-cli (with arguments, pipes and at a terminal), redis-benchmark, go-redis,
// the Prometheus exporter; a real data set of a few 100,000 keys; ten thousand
// connections; and the storm, in which 24 connections do everything at once
// against the race and the invariants builds.
//
// Replicas of all kinds are behind networks that delay, cut and throttle, have clocks that
// are wrong, and are killed; the long forms of these tests run without -short.
//
// Where a program's output is to be the same as with a genuine server, the test
// runs it against redis-server too and compares, so that no output is written
// down here from memory.
//
//	go test ./tests/e2e -run Storm -storm 3m
package e2e
