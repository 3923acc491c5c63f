package differential

import "strings"

// groupWeights say how often the commands of a group are chosen. A group that is
// not named is not chosen: its line comes with the work that adds the family to
// Dozo, together with what its arguments need in arguments.go.
var groupWeights = map[string]float64{
	"string": 10, "bitmap": 7, "hyperloglog": 4, "generic": 6, "connection": 0.6, "server": 0.3, "transactions": 2,
	"pubsub": 0.5, "set": 8, "hash": 8, "list": 8, "sorted-set": 10, "geo": 8, "stream": 3,
}

// commandWeights overrule the group's weight.
var commandWeights = map[string]float64{
	"flushall": 0.1, "flushdb": 0.2, "swapdb": 0.3, "select": 0.5, "move": 2, "randomkey": 1, "keys": 1,
	"pfdebug": 1, "quit": 0.05, "reset": 0.1, "hello": 0.2, "lcs": 1.5, "auth": 0.2, "restore": 1, "wait": 0.2,
	"memory|usage": 1, "command|getkeys": 1, "command|getkeysandflags": 1, "exec": 0.4, "discard": 0.2,
	"debug": 1, "scan": 1, "sort": 4, "sort_ro": 1.5, "object|freq": 0.5, "object|encoding": 4, "dump": 3, "zadd": 3, "geoadd": 3, "bzpopmin": 0.1, "bzpopmax": 0.1, "bzmpop": 0.1,
	"xadd": 30, "xreadgroup": 15, "xgroup|create": 15, "xgroup|destroy": 0.5, "xgroup|delconsumer": 0.5, "xgroup|setid": 1,
	"xsetid": 0.5, "xtrim": 1, "xdel": 2,
}

// excluded are the commands that the generator never sends, with the reason. The
// curated histories test those that the reason does not put out of reach.
var excluded = map[string]string{
	"shutdown": "ends the server", "monitor": "turns the connection into a log",
	"sync": "a replication stream", "psync": "a replication stream", "replconf": "a replication stream",
	"replicaof": "makes a replica", "slaveof": "makes a replica", "failover": "needs replicas", "migrate": "needs a third server",
	"restore-asking": "for clusters", "asking": "for clusters", "readonly": "for clusters", "readwrite": "for clusters",
	"bgsave": "files", "save": "files", "bgrewriteaof": "files", "lastsave": "files", "role": "names ports",
	"config|set": "outlives the history", "config|rewrite": "files", "config|resetstat": "outlives the history",
	"client|kill": "names addresses", "client|pause": "takes time", "client|reply": "takes replies away",
	"client|unblock": "names clients", "client|tracking": "not in scope", "client|caching": "not in scope",
	"client|trackinginfo": "not in scope", "client|getredir": "not in scope",
	"pfselftest": "takes seconds", "command|info": "7.2 describes commands otherwise", "command|docs": "7.2 describes commands otherwise",
	"command|list": "7.2 has other commands", "command|count": "7.2 has other commands", "command": "7.2 describes commands otherwise",
	"latency|graph": "nothing to draw", "latency|histogram": "times",
	"subscribe": "only in histories of their own", "psubscribe": "only in histories of their own", "ssubscribe": "only in histories of their own",
	"unsubscribe": "only in histories of their own", "punsubscribe": "only in histories of their own", "sunsubscribe": "only in histories of their own",
	"acl": "not in scope", "module": "not in scope",
}

// required are the commands that Dozo must have by now; the others of the
// oracle's table are tested as soon as Dozo's own table names them.
var required = strings.Fields(`
	auth client|getname client|id client|info client|kill client|list client|no-evict client|pause client|reply
	client|setname client|unblock client|unpause echo hello ping quit reset select
	copy del dump exists expire expireat expiretime keys move object|encoding object|freq object|idletime object|refcount
	persist pexpire pexpireat pexpiretime pttl randomkey rename renamenx restore scan sort sort_ro touch ttl type unlink wait
	append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx psetex set setex
	setnx setrange strlen substr
	bitcount bitfield bitfield_ro bitop bitpos getbit setbit
	pfadd pfcount pfdebug pfmerge pfselftest
	command|count command|docs command|getkeys command|getkeysandflags command|info command|list
	config|get config|resetstat config|set dbsize debug flushall flushdb info lolwut memory|doctor memory|stats memory|usage
	monitor shutdown slowlog|get slowlog|len slowlog|reset swapdb time latency|latest latency|reset
	discard exec multi unwatch watch
	hdel hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan hset hsetnx hstrlen hvals
	blmove blmpop blpop brpop brpoplpush lindex linsert llen lmove lmpop lpop lpos lpush lpushx lrange lrem lset ltrim rpop rpoplpush rpush rpushx
	sadd scard sdiff sdiffstore sinter sintercard sinterstore sismember smembers smismember smove spop srandmember
	srem sscan sunion sunionstore
	bzmpop bzpopmax bzpopmin zadd zcard zcount zdiff zdiffstore zincrby zinter zintercard zinterstore zlexcount zmpop
	zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem zremrangebylex
	zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion zunionstore
	geoadd geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore
	xack xadd xautoclaim xclaim xdel xgroup|create xgroup|createconsumer xgroup|delconsumer xgroup|destroy xgroup|setid
	xinfo|consumers xinfo|groups xinfo|stream xlen xpending xrange xread xreadgroup xrevrange xsetid xtrim
	psubscribe publish pubsub|channels pubsub|numpat pubsub|numsub pubsub|shardchannels pubsub|shardnumsub
	punsubscribe spublish ssubscribe subscribe sunsubscribe unsubscribe
`)

// unmutated commands are sent as the grammar has them: the generator follows the
// state that they change.
var unmutated = map[string]bool{
	"exec": true, "discard": true, "multi": true, "quit": true, "reset": true, "wait": true, "debug": true,
	"hello": true, "client|no-evict": true, "config|get": true, "spop": true, "srandmember": true, "hrandfield": true,
	"sort": true, "sort_ro": true, "bzpopmin": true, "bzpopmax": true, "bzmpop": true, "zrandmember": true,
	"zrank": true, "zrevrank": true, // a third argument is of 7.2
	"blpop": true, "brpop": true, "blmove": true, "brpoplpush": true, "blmpop": true,
}

// weight is how often a command of the grammar is chosen, 0 for never.
func (s *spec) weight() float64 {
	name := s.key()
	if excluded[name] != "" || excluded[s.words[0]] != "" || strings.HasSuffix(name, "|help") {
		return 0
	}
	if w, ok := commandWeights[name]; ok {
		return w
	}
	return groupWeights[s.group]
}
