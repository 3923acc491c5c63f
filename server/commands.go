package server

import "dozo/command"

// ownCommands are the families that this package brings along.
func ownCommands() [][]command.Spec {
	return [][]command.Spec{
		command.Introspection, connectionCommands, transactionCommands, pubsubCommands,
		serverCommands, replicationCommands, configCommands, latencyCommands, memoryCommands, moduleCommands, slowlogCommands, clusterCommands,
	}
}
