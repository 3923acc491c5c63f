package server

import "dozo/command"

// clusterCommands are the commands of a cluster's node. This server is none: they
// are here because clients ask, and wait for the answer in these words.
var clusterCommands = []command.Spec{
	{
		Name: "ASKING", Handler: noCluster, Group: command.Cluster, Since: "3.0.0", Complexity: "O(1)",
		Flags: command.Fast, Categories: command.CatConnection,
		Summary: "Lets the next command in although its slot is still being moved here.",
	},
	{
		Name: "CLUSTER", Group: command.Cluster, Since: "3.0.0",
		Summary: "Commands about the cluster.",
		Subs: []command.Spec{
			clusterSub("ADDSLOTS", "3.0.0", "slot [slot ...]", clusterAdmin, "Makes this node the owner of slots."),
			clusterSub("ADDSLOTSRANGE", "7.0.0", "range=<start-slot end-slot> [start-slot end-slot ...]", clusterAdmin, "Makes this node the owner of ranges of slots."),
			clusterSub("BUMPEPOCH", "3.0.0", "", clusterAdmin, "Raises the configuration epoch of the cluster.", "nondeterministic_output"),
			clusterSub("COUNT-FAILURE-REPORTS", "3.0.0", "node-id", command.Admin|command.Stale, "Counts the nodes that report another one as failed.", "nondeterministic_output"),
			clusterSub("COUNTKEYSINSLOT", "3.0.0", "slot", command.Stale, "Counts the keys in a slot."),
			clusterSub("DELSLOTS", "3.0.0", "slot [slot ...]", clusterAdmin, "Gives up slots of this node."),
			clusterSub("DELSLOTSRANGE", "7.0.0", "range=<start-slot end-slot> [start-slot end-slot ...]", clusterAdmin, "Gives up ranges of slots of this node."),
			clusterSub("FAILOVER", "3.0.0", "options=[FORCE | TAKEOVER]", clusterAdmin, "Makes this replica take its master's place."),
			clusterSub("FLUSHSLOTS", "3.0.0", "", clusterAdmin, "Gives up all slots of this node."),
			clusterSub("FORGET", "3.0.0", "node-id", clusterAdmin, "Takes a node out of this one's view of the cluster."),
			clusterSub("GETKEYSINSLOT", "3.0.0", "slot count", command.Stale, "Lists keys in a slot.", "nondeterministic_output"),
			clusterSub("HELP", "5.0.0", "", command.Loading|command.Stale, "Lists the subcommands."),
			clusterSub("INFO", "3.0.0", "", command.Stale, "Tells the state of the cluster.", "nondeterministic_output"),
			clusterSub("KEYSLOT", "3.0.0", "key:string", command.Stale, "Tells the slot of a key."),
			clusterSub("LINKS", "7.0.0", "", command.Stale, "Lists the links to other nodes.", "nondeterministic_output"),
			changed(clusterSub("MEET", "3.0.0", "ip port [cluster-bus-port]@4.0.0", clusterAdmin, "Makes this node join another one's cluster."),
				command.Change{"4.0.0", "The optional `cluster-bus-port`."}),
			clusterSub("MYID", "3.0.0", "", command.Stale, "Tells the ID of this node."),
			clusterSub("MYSHARDID", "7.2.0", "", command.Stale, "Tells the ID of this node's shard.", "nondeterministic_output"),
			clusterSub("NODES", "3.0.0", "", command.Stale, "Lists the nodes of the cluster.", "nondeterministic_output"),
			clusterSub("REPLICAS", "5.0.0", "node-id", command.Admin|command.Stale, "Lists the replicas of a master.", "nondeterministic_output"),
			clusterSub("REPLICATE", "3.0.0", "node-id", clusterAdmin, "Makes this node a replica of another one."),
			clusterSub("RESET", "3.0.0", "reset-type=[HARD | SOFT]", command.Admin|command.Stale|command.NoScript, "Makes this node leave its cluster."),
			clusterSub("SAVECONFIG", "3.0.0", "", clusterAdmin, "Writes the state of the cluster to its file."),
			clusterSub("SET-CONFIG-EPOCH", "3.0.0", "config-epoch", clusterAdmin, "Sets the configuration epoch of a new node."),
			clusterSub("SETSLOT", "3.0.0", "slot subcommand=<IMPORTING importing=node-id | MIGRATING migrating=node-id | NODE node=node-id | STABLE>", clusterAdmin, "Sets the state of a slot."),
			clusterSub("SHARDS", "7.0.0", "", command.Loading|command.Stale, "Lists the shards with their slots and nodes.", "nondeterministic_output"),
			deprecated("5.0.0", "`CLUSTER REPLICAS`", clusterSub("SLAVES", "3.0.0", "node-id", command.Admin|command.Stale, "Lists the replicas of a master.", "nondeterministic_output")),
			changed(deprecated("7.0.0", "`CLUSTER SHARDS`", clusterSub("SLOTS", "3.0.0", "", command.Loading|command.Stale, "Lists the slots with their nodes.", "nondeterministic_output")),
				command.Change{"4.0.0", "The IDs of nodes."}, command.Change{"7.0.0", "More about the network of nodes."}),
		},
	},
	{
		Name: "READONLY", Handler: noCluster, Group: command.Cluster, Since: "3.0.0", Complexity: "O(1)",
		Flags: command.Fast | command.Loading | command.Stale, Categories: command.CatConnection,
		Summary: "Lets this connection read from a replica in a cluster.",
	},
	{
		Name: "READWRITE", Handler: noCluster, Group: command.Cluster, Since: "3.0.0", Complexity: "O(1)",
		Flags: command.Fast | command.Loading | command.Stale, Categories: command.CatConnection,
		Summary: "Ends what READONLY began.",
	},
}

// clusterAdmin are the flags of subcommands that change the cluster.
const clusterAdmin = command.NoAsyncLoading | command.Admin | command.Stale

// clusterSub is a row of CLUSTER; they differ in little.
func clusterSub(name, since, syntax string, flags command.Flags, summary string, tips ...string) command.Spec {
	return command.Spec{
		Name: name, Handler: noCluster, Group: command.Cluster, Since: since, Complexity: "O(1)",
		Syntax: syntax, Flags: flags, Tips: tips, Summary: summary,
	}
}

// changed gives a row its history.
func changed(s command.Spec, history ...command.Change) command.Spec {
	s.History = history
	return s
}

// deprecated marks a row as superseded since a version.
func deprecated(since, by string, s command.Spec) command.Spec {
	s.Deprecated, s.Replaced = since, by
	return s
}

func noCluster(*command.Context) error { return command.ErrClusterDisabled }
