package command

// Help is the handler of every container's HELP subcommand: its lines come from
// the rows of the other subcommands.
func Help(c *Context) error {
	container := c.Cmd.Parent
	lines := []string{container.Name + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}
	for i := range container.Subs {
		sub := &container.Subs[i]
		if sub.Name == "HELP" {
			continue
		}
		call := sub.Name
		if sub.Syntax != "" {
			call += " " + sub.Syntax
		}
		lines = append(lines, call, "    "+sub.Summary)
	}
	lines = append(lines, "HELP", "    Print this help.")
	c.Out.Array(len(lines))
	for _, l := range lines {
		c.Out.SimpleString(l)
	}
	return nil
}
