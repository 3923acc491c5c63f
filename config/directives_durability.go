package config

// The word of `sanitize-dump-payload`.
const (
	SanitizeNo int64 = iota
	SanitizeYes
	SanitizeClients // what clients send by RESTORE, unless they may skip it
)

// Snapshots.
var (
	Save = snapshots.declare(row{name: "save", kind: saveKind{}, def: "3600 1 300 100 60 10000", flags: MultiArg,
		doc: "When to save: after so many seconds, if there were at least so many writes."})
	Dir = snapshots.declare(row{name: "dir", kind: dirKind{}, flags: Protected | DenyLoading,
		doc: "Folder of the data files; names in other directives are relative to it."})
	DBFilename = snapshots.declare(row{name: "dbfilename", def: "dump.rdb", flags: Protected,
		kind: &stringKind{check: baseName("dbfilename can't be a path, just a filename")},
		doc:  "Name of the snapshot file."})
	StopWritesOnBgsaveError = snapshots.declare(row{name: "stop-writes-on-bgsave-error", kind: yesNo(), def: "yes",
		doc: "Refuse writes after a save failed, until one succeeds."})
	RDBCompression = snapshots.declare(row{name: "rdbcompression", kind: yesNo(), def: "yes",
		doc: "Compress strings in snapshots."})
	RDBChecksum = snapshots.declare(row{name: "rdbchecksum", kind: yesNo(), def: "yes", flags: Immutable,
		doc: "Write and check a checksum at the end of snapshots."})
	RDBDelSyncFiles = snapshots.declare(row{name: "rdb-del-sync-files", kind: yesNo(), def: "no",
		doc: "Delete snapshots that were only made for a replica, where nothing else is saved."})
	RDBSaveIncrementalFsync = snapshots.declare(row{name: "rdb-save-incremental-fsync", kind: yesNo(), def: "yes",
		doc: "Sync a snapshot to disk bit by bit while it is written."})
	SanitizeDumpPayload = snapshots.declare(row{name: "sanitize-dump-payload", kind: oneOf("no", "yes", "clients"), def: "no", flags: Debug,
		doc: "Check values of files in full as they are loaded; what RESTORE brings always is."})
)

// The words of `repl-rescue`.
const (
	RescueYes int64 = iota
	RescueBestEffort
	RescueNo
)

// The word of `appendfsync`.
const (
	FsyncEverySec int64 = iota
	FsyncAlways
	FsyncNo
)

// Append only file.
var (
	AppendOnly = appendOnly.declare(row{name: "appendonly", kind: yesNo(), def: "no", flags: DenyLoading,
		doc: "Write every change to the append only file."})
	AppendFilename = appendOnly.declare(row{name: "appendfilename", def: "appendonly.aof", flags: Immutable,
		kind: &stringKind{check: filledBaseName("appendfilename can't be empty", "appendfilename can't be a path, just a filename")},
		doc:  "First part of the names of the append only files."})
	AppendDirname = appendOnly.declare(row{name: "appenddirname", def: "appendonlydir", flags: Immutable,
		kind: &stringKind{check: filledBaseName("appenddirname can't be empty", "appenddirname can't be a path, just a dirname")},
		doc:  "Folder of the append only files, inside dir."})
	AppendFsync = appendOnly.declare(row{name: "appendfsync", kind: oneOf("everysec", "always", "no"), def: "everysec",
		doc: "When changes are synced to disk; with always, before the reply."})
	NoAppendFsyncOnRewrite = appendOnly.declare(row{name: "no-appendfsync-on-rewrite", kind: yesNo(), def: "no",
		doc: "Do not sync while a snapshot or a rewrite is being written."})
	AutoAOFRewritePercentage = appendOnly.declare(row{name: "auto-aof-rewrite-percentage", kind: integer(0, maxInt32), def: "100",
		doc: "Growth in percent since the last rewrite that starts a new one; 0 is never."})
	AutoAOFRewriteMinSize = appendOnly.declare(row{name: "auto-aof-rewrite-min-size", kind: bytesize(0, maxInt64), def: "67108864",
		doc: "Size below which growth starts no rewrite."})
	AOFLoadTruncated = appendOnly.declare(row{name: "aof-load-truncated", kind: yesNo(), def: "yes",
		doc: "Start with what is readable when the last file breaks off in the middle of a command."})
	AOFUseRDBPreamble = appendOnly.declare(row{name: "aof-use-rdb-preamble", kind: yesNo(), def: "yes",
		doc: "Write the base of the append only file as a snapshot."})
	AOFTimestampEnabled = appendOnly.declare(row{name: "aof-timestamp-enabled", kind: yesNo(), def: "no",
		doc: "Put times in the append only file, so that it can be cut at one."})
	AOFRewriteIncrementalFsync = appendOnly.declare(row{name: "aof-rewrite-incremental-fsync", kind: yesNo(), def: "yes",
		doc: "Sync a rewritten file to disk bit by bit while it is written."})
)

// The word of `repl-diskless-load`.
const (
	DisklessLoadDisabled int64 = iota
	DisklessLoadOnEmptyDB
	DisklessLoadSwapDB
)

// The word of `propagation-error-behavior`.
const (
	PropagationIgnore int64 = iota
	PropagationPanic
	PropagationPanicOnReplicas
)

// Replication.
var (
	ReplicaOf = replication.declare(row{name: "replicaof", alias: "slaveof", kind: replicaOfKind{}, flags: Immutable | MultiArg,
		doc: "The primary to be a replica of."})
	MasterAuth = replication.declare(row{name: "masterauth", kind: optional(), flags: Sensitive,
		doc: "Password for the primary."})
	MasterUser = replication.declare(row{name: "masteruser", kind: optional(), flags: Sensitive,
		doc: "User for the primary; without one the password is the default user's."})
	ReplicaServeStaleData = replication.declare(row{name: "replica-serve-stale-data", alias: "slave-serve-stale-data", kind: yesNo(), def: "yes",
		doc: "Answer reads while the primary cannot be reached."})
	ReplicaReadOnly = replication.declare(row{name: "replica-read-only", alias: "slave-read-only", kind: yesNo(), def: "yes", flags: Debug,
		doc: "Refuse writes on a replica."})
	ReplicaIgnoreMaxMemory = replication.declare(row{name: "replica-ignore-maxmemory", alias: "slave-ignore-maxmemory", kind: yesNo(), def: "yes",
		doc: "Let the primary alone decide on evictions."})
	ReplicaIgnoreDiskWriteErrors = replication.declare(row{name: "replica-ignore-disk-write-errors", kind: yesNo(), def: "no",
		doc: "Go on following the primary when the disk fails, instead of ending."})
	ReplicaLazyFlush = replication.declare(row{name: "replica-lazy-flush", alias: "slave-lazy-flush", kind: yesNo(), def: "no",
		doc: "Free the old data set in the background after a full resync."})
	ReplicaRefuseOlderPrimary = replication.declare(row{name: "replica-refuse-older-primary", kind: yesNo(), def: "yes",
		doc: "Keep a replica's data when its primary comes back empty or with older data; REPLICAOF given again takes it."})
	ReplRescue = replication.declare(row{name: "repl-rescue", kind: oneOf("yes", "best-effort", "no"), def: "yes",
		doc: "Write what the new primary never saw to a rescue file before its data is taken; yes: or do not take it. 'dozo rescue' shows them."})
	ReplRescueMaxBytes = replication.declare(row{name: "repl-rescue-max-bytes", kind: bytesize(0, maxInt64), def: "1073741824",
		doc: "How many bytes all rescue files may have together."})
	ReplicaPriority = replication.declare(row{name: "replica-priority", alias: "slave-priority", kind: integer(0, maxInt32), def: "100",
		doc: "Rank in a failover: the lowest is promoted first, 0 never."})
	ReplicaAnnounced = replication.declare(row{name: "replica-announced", kind: yesNo(), def: "yes",
		doc: "Let Sentinel report this replica."})
	ReplicaAnnounceIP = replication.declare(row{name: "replica-announce-ip", alias: "slave-announce-ip", kind: optional(),
		doc: "Address that the primary and Sentinel should see."})
	ReplicaAnnouncePort = replication.declare(row{name: "replica-announce-port", alias: "slave-announce-port", kind: integer(0, 65535), def: "0",
		doc: "The port that the primary and Sentinel should see."})
	ReplDisklessSync = replication.declare(row{name: "repl-diskless-sync", kind: yesNo(), def: "yes", flags: Debug,
		doc: "Send snapshots to replicas without a file."})
	ReplDisklessSyncDelay = replication.declare(row{name: "repl-diskless-sync-delay", kind: integer(0, maxInt32), def: "5",
		doc: "Seconds to wait for more replicas before a snapshot is sent."})
	ReplDisklessSyncMaxReplicas = replication.declare(row{name: "repl-diskless-sync-max-replicas", kind: integer(0, maxInt32), def: "0",
		doc: "Replicas that end the wait; 0 waits the whole time."})
	ReplDisklessLoad = replication.declare(row{name: "repl-diskless-load", kind: oneOf("disabled", "on-empty-db", "swapdb"), def: "disabled", flags: Debug | DenyLoading,
		doc: "What a replica does with its data while a primary's snapshot comes: it is served until the new is whole. Where maxmemory, or the memory that the machine has available, is not enough for both it is flushed first, and clients are told LOADING: so with disabled and with on-empty-db. With swapdb both are kept, whatever it takes, and REPLICAOF is refused meanwhile as in Redis."})
	ReplPingReplicaPeriod = replication.declare(row{name: "repl-ping-replica-period", alias: "repl-ping-slave-period", kind: integer(1, maxInt32), def: "10",
		doc: "Seconds between a primary's signs of life."})
	ReplTimeout = replication.declare(row{name: "repl-timeout", kind: integer(1, maxInt32), def: "60",
		doc: "Seconds of silence after which a replication link counts as broken."})
	ReplDisableTCPNodelay = replication.declare(row{name: "repl-disable-tcp-nodelay", kind: yesNo(), def: "no",
		doc: "Send fewer, larger packets to replicas, at the price of delay."})
	ReplBacklogSize = replication.declare(row{name: "repl-backlog-size", kind: &numberKind{lo: 1, hi: maxInt64, form: memoryForm, hold: atLeast(16 << 10)}, def: "1048576",
		doc: "Bytes of the stream kept for replicas that come back; 16 KiB is the least."})
	ReplMaxFullSyncs = replication.declare(row{name: "repl-max-full-syncs", kind: integer(0, maxInt32), def: "8",
		doc: "Replicas that may have a full resync at once; others are told to ask again. 0 is any number."})
	ReplSyncRateLimit = replication.declare(row{name: "repl-sync-rate-limit", kind: bytesize(0, maxInt64), def: "0",
		doc: "Bytes a second that the snapshots for replicas may take of the network, all of them together; 0 is no limit. What is written meanwhile is kept for them: less than the rate of writes is too little."})
	ReplBacklogTime = replication.declare(row{name: "repl-backlog-time", kind: integer(0, maxInt32), def: "60",
		doc: "Seconds that a replica may be away and go on where it was: the backlog grows with the rate of writes, up to 5% of maxmemory or of the machine's memory. A repl-backlog-size in the configuration ends that, and 0 does."})
	ReplBacklogTTL = replication.declare(row{name: "repl-backlog-ttl", kind: integer(0, maxInt64), def: "3600",
		doc: "Seconds without replicas after which the backlog is freed; 0 is never."})
	MinReplicasToWrite = replication.declare(row{name: "min-replicas-to-write", alias: "min-slaves-to-write", kind: integer(0, maxInt32), def: "0",
		doc: "Replicas that must be up to date for writes to be accepted; 0 is off."})
	MinReplicasMaxLag = replication.declare(row{name: "min-replicas-max-lag", alias: "min-slaves-max-lag", kind: integer(0, maxInt32), def: "10",
		doc: "Seconds since a replica was heard of up to which it counts as up to date; 0 is off."})
	PropagationErrorBehavior = replication.declare(row{name: "propagation-error-behavior", kind: oneOf("ignore", "panic", "panic-on-replicas"), def: "ignore",
		doc: "What to do when a command from the primary or from the append only file fails."})
)
