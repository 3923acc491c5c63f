package node

import "dozo/command"

// KeysOf tells which keys a call of a data command names, for tools that read logs.
func KeysOf() (func(args [][]byte) [][]byte, error) {
	table, err := command.NewTable(families()...)
	if err != nil {
		return nil, err
	}
	return table.KeysOf, nil
}
