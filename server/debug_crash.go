package server

import (
	"fmt"

	"dozo/command"
)

// The subcommands of DEBUG that end the server, to see that the crash report is
// as it should be.

func debugPanic(c *command.Context) error {
	panic(fmt.Sprintf("DEBUG PANIC called at Unix time %d", serverOf(c).unixSeconds()))
}

func debugAssert(*command.Context) error {
	panic("ASSERTION FAILED: DEBUG ASSERT called")
}

func debugOOM(*command.Context) error {
	panic("Out Of Memory: DEBUG OOM called")
}

func debugSegfault(*command.Context) error {
	var nowhere *command.Context
	nowhere.DB = 1
	return nil
}
