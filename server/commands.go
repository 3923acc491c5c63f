package server

import "dozo/command"

// commands are the families that this package brings along.
func (s *Server) commands() [][]command.Spec {
	return [][]command.Spec{
		command.Introspection, connectionCommands, transactionCommands, pubsubCommands,
		serverCommands, configCommands, latencyCommands, memoryCommands, moduleCommands, slowlogCommands, clusterCommands,
	}
}
