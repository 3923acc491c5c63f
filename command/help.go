package command

import (
	"fmt"
	"strings"
)

// Help is the handler of every container's HELP subcommand: its lines come from
// the rows of the other subcommands.
func Help(c *Context) error {
	container := c.Cmd.Parent
	lines := []string{container.Name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}
	if container.Handler != nil {
		lines = append(lines, "(no subcommand)", "    "+container.Summary)
	}
	for _, sub := range container.inRow {
		if sub.Name != "HELP" {
			lines = append(lines, strings.TrimSpace(sub.Name+" "+sub.Usage), "    "+sub.Summary)
		}
	}
	lines = append(lines, "HELP", "    Print this help.")
	c.Out.Array(len(lines))
	for _, l := range lines {
		c.Out.SimpleString(l)
	}
	return nil
}

// WrongArgs is the error for a call of a subcommand whose number of words is wrong
// in a way that the arity does not tell, or of one that is not in the table.
func WrongArgs(c *Context) error {
	return ReplyError(fmt.Sprintf("ERR unknown subcommand or wrong number of arguments for '%.128s'. Try %s HELP.",
		c.Args[1], strings.ToUpper(string(c.Args[0]))))
}
