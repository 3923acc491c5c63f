package config

// The word of `maxmemory-policy`.
const (
	PolicyVolatileLRU int64 = iota
	PolicyVolatileLFU
	PolicyVolatileRandom
	PolicyVolatileTTL
	PolicyAllKeysLRU
	PolicyAllKeysLFU
	PolicyAllKeysRandom
	PolicyNoEviction
)

// Memory.
var (
	MaxMemory = memory.declare(row{name: "maxmemory", kind: wideBytesize(), def: "0",
		doc: "Bytes of data at which keys are evicted or writes refused; 0 is no limit."})
	MaxMemoryPolicy = memory.declare(row{name: "maxmemory-policy", def: "noeviction",
		kind: oneOf("volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl",
			"allkeys-lru", "allkeys-lfu", "allkeys-random", "noeviction"),
		doc: "Which keys go when maxmemory is reached."})
	MaxMemorySamples = memory.declare(row{name: "maxmemory-samples", kind: integer(1, maxInt32), def: "5",
		doc: "Keys looked at to find one to evict; more is fairer and slower."})
	MaxMemoryEvictionTenacity = memory.declare(row{name: "maxmemory-eviction-tenacity", kind: integer(0, 100), def: "10",
		doc: "How long a command may wait for evictions; 100 is without bound."})
	LFULogFactor = memory.declare(row{name: "lfu-log-factor", kind: integer(0, maxInt32), def: "10",
		doc: "How much harder each step of the access counter is than the one before."})
	LFUDecayTime = memory.declare(row{name: "lfu-decay-time", kind: integer(0, maxInt32), def: "1",
		doc: "Minutes after which the access counter falls by one; 0 is at every look."})
	ActiveExpireEffort = memory.declare(row{name: "active-expire-effort", kind: integer(1, 10), def: "1",
		unused: "expiry is exact: every key due is deleted, without sampling",
		doc:    "How hard to look for expired keys."})
)

// Lazy freeing.
var (
	LazyfreeLazyEviction = lazyFreeing.declare(row{name: "lazyfree-lazy-eviction", kind: yesNo(), def: "no", flags: Debug,
		doc: "Free evicted values in the background."})
	LazyfreeLazyExpire = lazyFreeing.declare(row{name: "lazyfree-lazy-expire", kind: yesNo(), def: "no", flags: Debug,
		doc: "Free expired values in the background."})
	LazyfreeLazyServerDel = lazyFreeing.declare(row{name: "lazyfree-lazy-server-del", kind: yesNo(), def: "no", flags: Debug,
		doc: "Free values that a command replaces in the background."})
	LazyfreeLazyUserDel = lazyFreeing.declare(row{name: "lazyfree-lazy-user-del", kind: yesNo(), def: "no", flags: Debug,
		doc: "Make DEL do what UNLINK does."})
	LazyfreeLazyUserFlush = lazyFreeing.declare(row{name: "lazyfree-lazy-user-flush", kind: yesNo(), def: "no", flags: Debug,
		doc: "Make FLUSHALL and FLUSHDB free in the background unless they say SYNC."})
)

// Scripting.
var BusyReplyThreshold = scripting.declare(row{name: "busy-reply-threshold", alias: "lua-time-limit", kind: integer(0, maxInt64), def: "5000",
	doc: "Milliseconds after which other clients are told that a script is running; 0 is never."})

// Monitoring.
var (
	SlowlogLogSlowerThan = monitoring.declare(row{name: "slowlog-log-slower-than", kind: integer(-1, maxInt64), def: "10000",
		doc: "Microseconds at which a command goes to the slow log; 0 is every command, -1 none."})
	SlowlogMaxLen = monitoring.declare(row{name: "slowlog-max-len", kind: integer(0, maxInt64), def: "128",
		doc: "Entries that the slow log keeps."})
	LatencyMonitorThreshold = monitoring.declare(row{name: "latency-monitor-threshold", kind: integer(0, maxInt64), def: "0",
		doc: "Milliseconds at which an operation goes to the latency history; 0 is off."})
	LatencyTracking = monitoring.declare(row{name: "latency-tracking", kind: yesNo(), def: "yes",
		doc: "Keep a histogram of the time of every command."})
	LatencyTrackingInfoPercentiles = monitoring.declare(row{name: "latency-tracking-info-percentiles", kind: percentileKind{}, def: "50 99 99.9", flags: MultiArg,
		doc: "Percentiles that INFO latencystats shows."})
	NotifyKeyspaceEvents = monitoring.declare(row{name: "notify-keyspace-events", kind: eventKind{},
		doc: "Changes of keys that are published on channels."})
)

// Encodings and data types.
var (
	HashMaxListpackEntries = encodings.declare(row{name: "hash-max-listpack-entries", alias: "hash-max-ziplist-entries", kind: integer(0, maxInt64), def: "512",
		doc: "Fields up to which a hash is a listpack."})
	HashMaxListpackValue = encodings.declare(row{name: "hash-max-listpack-value", alias: "hash-max-ziplist-value", kind: bytesize(0, maxInt64), def: "64",
		doc: "Bytes of a field or value up to which a hash is a listpack."})
	ListMaxListpackSize = encodings.declare(row{name: "list-max-listpack-size", alias: "list-max-ziplist-size", kind: integer(-1<<31, maxInt32), def: "-2",
		doc: "Elements in one chunk of a list; -1 to -5 are 4, 8, 16, 32 and 64 KiB."})
	ListCompressDepth = encodings.declare(row{name: "list-compress-depth", kind: integer(0, maxInt32), def: "0", flags: Debug,
		doc: "Accepted; lists are not compressed in memory, and payloads only by rdbcompression."})
	SetMaxIntsetEntries = encodings.declare(row{name: "set-max-intset-entries", kind: integer(0, maxInt64), def: "512",
		doc: "Members up to which a set of integers is an intset."})
	SetMaxListpackEntries = encodings.declare(row{name: "set-max-listpack-entries", kind: integer(0, maxInt64), def: "128",
		doc: "Members up to which a set is a listpack."})
	SetMaxListpackValue = encodings.declare(row{name: "set-max-listpack-value", kind: integer(0, maxInt64), def: "64",
		doc: "Bytes of a member up to which a set is a listpack."})
	ZSetMaxListpackEntries = encodings.declare(row{name: "zset-max-listpack-entries", alias: "zset-max-ziplist-entries", kind: integer(0, maxInt64), def: "128",
		doc: "Members up to which a sorted set is a listpack."})
	ZSetMaxListpackValue = encodings.declare(row{name: "zset-max-listpack-value", alias: "zset-max-ziplist-value", kind: bytesize(0, maxInt64), def: "64",
		doc: "Bytes of a member up to which a sorted set is a listpack."})
	HLLSparseMaxBytes = encodings.declare(row{name: "hll-sparse-max-bytes", kind: bytesize(0, maxInt64), def: "3000",
		doc: "Bytes up to which a HyperLogLog is sparse."})
	StreamNodeMaxBytes = encodings.declare(row{name: "stream-node-max-bytes", kind: bytesize(0, maxInt64), def: "4096",
		doc: "Bytes of one node of a stream; 0 is no limit."})
	StreamNodeMaxEntries = encodings.declare(row{name: "stream-node-max-entries", kind: integer(0, maxInt64), def: "100",
		doc: "Entries of one node of a stream; 0 is no limit."})
)

// Defragmentation.
var (
	ActiveDefrag = defragmentation.declare(row{name: "activedefrag", kind: yesNo(), def: "no", flags: Debug,
		doc: "Move data together so that memory goes back to the system."})
	ActiveDefragIgnoreBytes = defragmentation.declare(row{name: "active-defrag-ignore-bytes", kind: bytesize(1, maxInt64), def: "104857600",
		doc: "Bytes of waste below which nothing is moved."})
	ActiveDefragThresholdLower = defragmentation.declare(row{name: "active-defrag-threshold-lower", kind: integer(0, 1000), def: "10",
		doc: "Waste below which nothing is moved, in percent of what is in use."})
	ActiveDefragThresholdUpper = defragmentation.declare(row{name: "active-defrag-threshold-upper", kind: integer(0, 1000), def: "100",
		doc: "Waste from which the most effort is made, in percent of what is in use."})
	ActiveDefragCycleMin = defragmentation.declare(row{name: "active-defrag-cycle-min", kind: integer(1, 99), def: "1",
		doc: "Percentage of each loop's time spent at the lower threshold."})
	ActiveDefragCycleMax = defragmentation.declare(row{name: "active-defrag-cycle-max", kind: integer(1, 99), def: "25",
		doc: "Percentage of each loop's time spent at the upper threshold."})
	ActiveDefragMaxScanFields = defragmentation.declare(row{name: "active-defrag-max-scan-fields", kind: integer(1, maxInt64), def: "1000",
		doc: "Elements from which a value is handled in several rounds."})
	JemallocBGThread = defragmentation.declare(row{name: "jemalloc-bg-thread", kind: yesNo(), def: "yes",
		unused: "Dozo has its own allocator",
		doc:    "Let the allocator give memory back in a thread of its own."})
)
