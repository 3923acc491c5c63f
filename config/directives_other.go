package config

// noCluster is why the directives of Redis Cluster have no effect.
const noCluster = "Dozo has no cluster mode"

// Cluster.
var (
	ClusterEnabled = cluster.declare(row{name: "cluster-enabled", kind: &boolKind{refuse: noCluster + ": set cluster-enabled to no"}, def: "no", flags: Immutable,
		unused: noCluster + ", so yes is refused", doc: "Be a node of a cluster."})
	ClusterConfigFile = cluster.declare(row{name: "cluster-config-file", kind: anyString(), def: "nodes.conf", flags: Immutable,
		unused: noCluster, doc: "File in which a node keeps its state."})
	ClusterNodeTimeout = cluster.declare(row{name: "cluster-node-timeout", kind: integer(0, maxInt64), def: "15000",
		unused: noCluster, doc: "Milliseconds after which a node counts as failed."})
	ClusterPingInterval = cluster.declare(row{name: "cluster-ping-interval", kind: integer(0, maxInt64), def: "0", flags: Hidden,
		unused: noCluster, doc: "Milliseconds between pings of nodes, for tests."})
	ClusterPort = cluster.declare(row{name: "cluster-port", kind: integer(0, 65535), def: "0", flags: Immutable,
		unused: noCluster, doc: "The port of the cluster bus; 0 is the client port and 10000."})
	ClusterAnnounceIP = cluster.declare(row{name: "cluster-announce-ip", kind: optional(),
		unused: noCluster, doc: "Address that other nodes should see."})
	ClusterAnnouncePort = cluster.declare(row{name: "cluster-announce-port", kind: integer(0, 65535), def: "0",
		unused: noCluster, doc: "Client port that other nodes should see."})
	ClusterAnnounceTLSPort = cluster.declare(row{name: "cluster-announce-tls-port", kind: integer(0, 65535), def: "0",
		unused: noCluster, doc: "TLS port that other nodes should see."})
	ClusterAnnounceBusPort = cluster.declare(row{name: "cluster-announce-bus-port", kind: integer(0, 65535), def: "0",
		unused: noCluster, doc: "Bus port that other nodes should see."})
	ClusterAnnounceHostname = cluster.declare(row{name: "cluster-announce-hostname", kind: &stringKind{unset: true, check: checkHostname},
		unused: noCluster, doc: "Host name that clients should see."})
	ClusterAnnounceHumanNodename = cluster.declare(row{name: "cluster-announce-human-nodename", kind: &stringKind{unset: true, check: checkNodeName},
		unused: noCluster, doc: "Name of the node in logs."})
	ClusterPreferredEndpointType = cluster.declare(row{name: "cluster-preferred-endpoint-type", kind: oneOf("ip", "hostname", "unknown-endpoint"), def: "ip",
		unused: noCluster, doc: "How clients are told where a node is."})
	ClusterRequireFullCoverage = cluster.declare(row{name: "cluster-require-full-coverage", kind: yesNo(), def: "yes",
		unused: noCluster, doc: "Refuse commands while some slots have no node."})
	ClusterReplicaNoFailover = cluster.declare(row{name: "cluster-replica-no-failover", alias: "cluster-slave-no-failover", kind: yesNo(), def: "no",
		unused: noCluster, doc: "Never take over from the primary."})
	ClusterReplicaValidityFactor = cluster.declare(row{name: "cluster-replica-validity-factor", alias: "cluster-slave-validity-factor", kind: integer(0, maxInt32), def: "10",
		unused: noCluster, doc: "How old a replica's data may be for a failover."})
	ClusterMigrationBarrier = cluster.declare(row{name: "cluster-migration-barrier", kind: integer(0, maxInt32), def: "1",
		unused: noCluster, doc: "Replicas that a primary keeps when one moves to another."})
	ClusterAllowReplicaMigration = cluster.declare(row{name: "cluster-allow-replica-migration", kind: yesNo(), def: "yes",
		unused: noCluster, doc: "Let replicas move to primaries that have none."})
	ClusterAllowReadsWhenDown = cluster.declare(row{name: "cluster-allow-reads-when-down", kind: yesNo(), def: "no",
		unused: noCluster, doc: "Answer reads while the cluster is down."})
	ClusterAllowPubSubShardWhenDown = cluster.declare(row{name: "cluster-allow-pubsubshard-when-down", kind: yesNo(), def: "yes",
		unused: noCluster, doc: "Serve shard channels while the cluster is down."})
	ClusterLinkSendbufLimit = cluster.declare(row{name: "cluster-link-sendbuf-limit", kind: wideBytesize(), def: "0",
		unused: noCluster, doc: "Unsent bytes at which a link between nodes is closed."})
)

// The word of `tls-auth-clients`.
const (
	TLSAuthNo int64 = iota
	TLSAuthYes
	TLSAuthOptional
)

// TLS.
var (
	TLSPort = tlsSection.declare(row{name: "tls-port", kind: integer(0, 65535), def: "0",
		doc: "TCP port for clients with TLS; 0 is none."})
	TLSCertFile = tlsSection.declare(row{name: "tls-cert-file", kind: optional(), flags: Volatile,
		doc: "The server's certificate."})
	TLSKeyFile = tlsSection.declare(row{name: "tls-key-file", kind: optional(), flags: Volatile,
		doc: "The key of the server's certificate."})
	TLSKeyFilePass = tlsSection.declare(row{name: "tls-key-file-pass", kind: optional(), flags: Sensitive,
		doc: "Password of the key."})
	TLSClientCertFile = tlsSection.declare(row{name: "tls-client-cert-file", kind: optional(), flags: Volatile,
		doc: "The certificate for outgoing connections; without one the server's is used."})
	TLSClientKeyFile = tlsSection.declare(row{name: "tls-client-key-file", kind: optional(), flags: Volatile,
		doc: "The key of the certificate for outgoing connections."})
	TLSClientKeyFilePass = tlsSection.declare(row{name: "tls-client-key-file-pass", kind: optional(), flags: Sensitive,
		doc: "Password of the key for outgoing connections."})
	TLSCACertFile = tlsSection.declare(row{name: "tls-ca-cert-file", kind: optional(), flags: Volatile,
		doc: "Certificates that others are checked against."})
	TLSCACertDir = tlsSection.declare(row{name: "tls-ca-cert-dir", kind: optional(), flags: Volatile,
		doc: "Folder of certificates that others are checked against."})
	TLSAuthClients = tlsSection.declare(row{name: "tls-auth-clients", kind: oneOf("no", "yes", "optional"), def: "yes",
		doc: "Whether clients must show a certificate."})
	TLSReplication = tlsSection.declare(row{name: "tls-replication", kind: yesNo(), def: "no",
		doc: "Connect to the primary with TLS."})
	TLSCluster = tlsSection.declare(row{name: "tls-cluster", kind: yesNo(), def: "no",
		unused: noCluster, doc: "Connect to other nodes with TLS."})
	TLSProtocols = tlsSection.declare(row{name: "tls-protocols", kind: optional(),
		doc: "Versions of TLS that are allowed, such as \"TLSv1.2 TLSv1.3\"."})
	TLSCiphers = tlsSection.declare(row{name: "tls-ciphers", kind: optional(),
		doc: "Ciphers for TLS 1.2 and before, in OpenSSL's names."})
	TLSCiphersuites = tlsSection.declare(row{name: "tls-ciphersuites", kind: optional(),
		unused: "Go's TLS chooses the ciphers of TLS 1.3 itself, all of them good",
		doc:    "Ciphers for TLS 1.3."})
	TLSPreferServerCiphers = tlsSection.declare(row{name: "tls-prefer-server-ciphers", kind: yesNo(), def: "no",
		unused: "Go's TLS orders the ciphers itself",
		doc:    "Prefer the server's order of ciphers to the client's."})
	TLSDHParamsFile = tlsSection.declare(row{name: "tls-dh-params-file", kind: optional(), flags: Volatile,
		unused: "Go's TLS has no key exchange that uses such parameters",
		doc:    "Parameters for Diffie-Hellman."})
	TLSSessionCaching = tlsSection.declare(row{name: "tls-session-caching", kind: yesNo(), def: "yes",
		doc: "Let clients resume sessions."})
	TLSSessionCacheSize = tlsSection.declare(row{name: "tls-session-cache-size", kind: integer(0, maxInt32), def: "20480",
		unused: "sessions are kept by the clients, in tickets",
		doc:    "Sessions that are kept."})
	TLSSessionCacheTimeout = tlsSection.declare(row{name: "tls-session-cache-timeout", kind: integer(0, maxInt32), def: "300",
		unused: "sessions are kept by the clients, in tickets",
		doc:    "Seconds for which a session is kept."})
)

// The word of `oom-score-adj`. Yes is the same as relative.
const (
	OOMScoreNo int64 = iota
	OOMScoreRelative
	OOMScoreAbsolute
)

// oneProcess is why affinities of Redis' children and threads have no effect.
const oneProcess = "saves and rewrites run in the server's own threads, without a process to pin"

// Operating system.
var (
	OOMScoreAdj = system.declare(row{name: "oom-score-adj", def: "no",
		kind: &choiceKind{choices: []choice{{"no", OOMScoreNo}, {"yes", OOMScoreRelative}, {"relative", OOMScoreRelative}, {"absolute", OOMScoreAbsolute}}},
		doc:  "Tell the system which process to end first when memory runs out."})
	OOMScoreAdjValues = system.declare(row{name: "oom-score-adj-values", kind: oomScoreKind{}, def: "0 200 800", flags: MultiArg,
		doc: "Scores of a primary, a replica and a background child."})
	DisableTHP = system.declare(row{name: "disable-thp", kind: yesNo(), def: "yes", flags: Immutable,
		unused: "huge pages hurt where a forked child shares them, and Dozo does not fork",
		doc:    "Do without transparent huge pages."})
	ServerCPUList = system.declare(row{name: "server_cpulist", kind: optional(), flags: Immutable,
		doc: "Cores that the server may run on, such as 0-7:2."})
	BIOCPUList = system.declare(row{name: "bio_cpulist", kind: optional(), flags: Immutable,
		unused: oneProcess, doc: "Cores of the background threads."})
	AOFRewriteCPUList = system.declare(row{name: "aof_rewrite_cpulist", kind: optional(), flags: Immutable,
		unused: oneProcess, doc: "Cores of a rewrite of the append only file."})
	BgsaveCPUList = system.declare(row{name: "bgsave_cpulist", kind: optional(), flags: Immutable,
		unused: oneProcess, doc: "Cores of a save."})
)

// For tests. All are hidden.
var (
	RDBKeySaveDelay = forTests.declare(row{name: "rdb-key-save-delay", kind: integer(-1<<31, maxInt32), def: "0", flags: Hidden,
		doc: "Microseconds to wait after each key of a save; a negative number waits one after so many keys."})
	KeyLoadDelay = forTests.declare(row{name: "key-load-delay", kind: integer(-1<<31, maxInt32), def: "0", flags: Hidden,
		doc: "Microseconds to wait after each key of a load; a negative number waits one after so many keys."})
	LoadingProcessEventsIntervalBytes = forTests.declare(row{name: "loading-process-events-interval-bytes", kind: integer(1024, maxInt32), def: "2097152", flags: Hidden,
		doc: "Bytes of a load after which clients are served."})
	AOFDisableAutoGC = forTests.declare(row{name: "aof-disable-auto-gc", kind: yesNo(), def: "no", flags: Hidden,
		doc: "Keep old append only files."})
	UseExitOnPanic = forTests.declare(row{name: "use-exit-on-panic", kind: yesNo(), def: "no", flags: Hidden,
		doc: "End with exit and not with abort after a crash."})
	WatchdogPeriod = forTests.declare(row{name: "watchdog-period", kind: &numberKind{hi: maxInt32, hold: holdWatchdog}, def: "0", flags: Hidden,
		unused: "it needs a signal that interrupts the code, which Go's run time keeps for itself",
		doc:    "Milliseconds after which a stalled loop logs its stack."})
)
