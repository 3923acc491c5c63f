//go:build race

package server_test

// slowness is how much longer than usual things may take in this build.
const slowness = 2
