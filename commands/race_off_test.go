//go:build !race

package commands

// raceEnabled tells that the race detector is built in.
const raceEnabled = false
