// Package clients has applications, not commands, for its subject: what people
// build on a Redis with go-redis and ioredis. A leaderboard, a stream whose
// consumers die and whose work others claim, a reliable queue with a reaper, a
// search by place, a market with optimistic transactions, sessions, tags, a feed
// of keyspace notifications, and iterators over every type.
//
// Each scenario runs against a genuine redis-server and against Dozo, over RESP2
// and over RESP3, and writes down what its client library made of the replies. The
// transcripts must be equal, so nothing is written down here from memory. What
// depends on time or chance (which worker got a job, random members) is summed up
// in what must hold for every run.
//
// ioredis comes from a lock file in the folder of that name; scripts/peers
// installs it, and nodejs if that is missing.
//
//	go test ./tests/clients -run Go/leaderboard -v
package clients
