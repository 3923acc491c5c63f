package server

import (
	"dozo/command"
	"dozo/pubsub"
)

// pubsubCommands are the commands of publishing and subscribing.
var pubsubCommands = []command.Spec{
	{
		Name: "PSUBSCRIBE", Handler: subscribeTo(pubsub.Pattern), Group: command.PubSub, Since: "2.0.0", Complexity: "O(N) for N patterns",
		Syntax:  "pattern [pattern ...]",
		Flags:   command.PubSubFlag | command.NoScript | command.Loading | command.Stale | command.SentinelToo,
		Summary: "Subscribes to all channels whose names match.",
	},
	{
		Name: "PUBLISH", Handler: publishTo(pubsub.Channel), Group: command.PubSub, Since: "2.0.0", Complexity: "O(N+M) for N subscribers of the channel and M patterns of anybody",
		Syntax:  "channel message",
		Flags:   command.PubSubFlag | command.Loading | command.Stale | command.Fast | command.MayReplicate | command.SentinelToo,
		Summary: "Sends a message to a channel.",
	},
	{
		Name: "PUBSUB", Group: command.PubSub, Since: "2.8.0",
		Summary: "Commands that look at channels and their subscribers.",
		Subs: []command.Spec{
			{
				Name: "CHANNELS", Handler: pubsubChannels(pubsub.Channel), Group: command.PubSub, Since: "2.8.0", Complexity: "O(N) for N channels",
				Syntax:  "[pattern]",
				Flags:   command.PubSubFlag | command.Loading | command.Stale,
				Summary: "Lists the channels that have subscribers.",
			},
			{
				Name: "HELP", Handler: command.Help, Group: command.PubSub, Since: "6.2.0", Complexity: "O(1)",
				Flags: command.Loading | command.Stale, NotCategories: command.CatPubSub,
				Summary: "Lists the subcommands.",
			},
			{
				Name: "NUMPAT", Handler: pubsubNumPat, Group: command.PubSub, Since: "2.8.0", Complexity: "O(1)",
				Flags:   command.PubSubFlag | command.Loading | command.Stale,
				Summary: "Counts the different patterns that are subscribed to.",
			},
			{
				Name: "NUMSUB", Handler: pubsubNumSub(pubsub.Channel), Group: command.PubSub, Since: "2.8.0", Complexity: "O(N) for N channels",
				Syntax:  "[channel [channel ...]]",
				Flags:   command.PubSubFlag | command.Loading | command.Stale,
				Summary: "Counts the subscribers of channels.",
			},
			{
				Name: "SHARDCHANNELS", Handler: pubsubChannels(pubsub.Shard), Group: command.PubSub, Since: "7.0.0", Complexity: "O(N) for N shard channels",
				Syntax:  "[pattern]",
				Flags:   command.PubSubFlag | command.Loading | command.Stale,
				Summary: "Lists the shard channels that have subscribers.",
			},
			{
				Name: "SHARDNUMSUB", Handler: pubsubNumSub(pubsub.Shard), Group: command.PubSub, Since: "7.0.0", Complexity: "O(N) for N shard channels",
				Syntax:  "[shardchannel [shardchannel ...]]",
				Flags:   command.PubSubFlag | command.Loading | command.Stale,
				Summary: "Counts the subscribers of shard channels.",
			},
		},
	},
	{
		Name: "PUNSUBSCRIBE", Handler: unsubscribeFrom(pubsub.Pattern), Group: command.PubSub, Since: "2.0.0", Complexity: "O(N) for N patterns",
		Syntax:  "[pattern [pattern ...]]",
		Flags:   command.PubSubFlag | command.NoScript | command.Loading | command.Stale | command.SentinelToo,
		Summary: "Ends subscriptions to patterns, all of them if none is named.",
	},
	{
		Name: "SPUBLISH", Handler: publishTo(pubsub.Shard), Group: command.PubSub, Since: "7.0.0", Complexity: "O(N) for N subscribers",
		Syntax:  "shardchannel message",
		Flags:   command.PubSubFlag | command.Loading | command.Stale | command.Fast | command.MayReplicate,
		Keys:    []command.KeySpec{command.At(1, command.NotKey)},
		Summary: "Sends a message to a shard channel.",
	},
	{
		Name: "SSUBSCRIBE", Handler: subscribeTo(pubsub.Shard), Group: command.PubSub, Since: "7.0.0", Complexity: "O(N) for N shard channels",
		Syntax:  "shardchannel [shardchannel ...]",
		Flags:   command.PubSubFlag | command.NoScript | command.Loading | command.Stale,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.NotKey)},
		Summary: "Subscribes to shard channels.",
	},
	{
		Name: "SUBSCRIBE", Handler: subscribeTo(pubsub.Channel), Group: command.PubSub, Since: "2.0.0", Complexity: "O(N) for N channels",
		Syntax:  "channel [channel ...]",
		Flags:   command.PubSubFlag | command.NoScript | command.Loading | command.Stale | command.SentinelToo,
		Summary: "Subscribes to channels.",
	},
	{
		Name: "SUNSUBSCRIBE", Handler: unsubscribeFrom(pubsub.Shard), Group: command.PubSub, Since: "7.0.0", Complexity: "O(N) for N shard channels",
		Syntax:  "[shardchannel [shardchannel ...]]",
		Flags:   command.PubSubFlag | command.NoScript | command.Loading | command.Stale,
		Keys:    []command.KeySpec{command.Span(1, -1, 1, command.NotKey)},
		Summary: "Ends subscriptions to shard channels, all of them if none is named.",
	},
	{
		Name: "UNSUBSCRIBE", Handler: unsubscribeFrom(pubsub.Channel), Group: command.PubSub, Since: "2.0.0", Complexity: "O(N) for N channels",
		Syntax:  "[channel [channel ...]]",
		Flags:   command.PubSubFlag | command.NoScript | command.Loading | command.Stale | command.SentinelToo,
		Summary: "Ends subscriptions to channels, all of them if none is named.",
	},
}
