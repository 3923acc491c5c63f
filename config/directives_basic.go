package config

import "math"

// Limits that many rows share.
const (
	maxInt32  = math.MaxInt32
	maxUint32 = math.MaxUint32
	maxInt64  = math.MaxInt64
)

// maxIOThreads is Redis' bound for io-threads, and so the most loops of a server.
const maxIOThreads = 128

// Network.
var (
	Bind = network.declare(row{name: "bind", kind: bindKind{}, def: "* -::*", flags: MultiArg,
		doc: "Addresses to listen on; one with a dash before it may be missing from the machine."})
	BindSourceAddr = network.declare(row{name: "bind-source-addr", kind: optional(),
		doc: "Address that outgoing connections come from."})
	Port = network.declare(row{name: "port", kind: integer(0, 65535), def: "6379",
		doc: "TCP port for clients; 0 listens on none."})
	ProtectedMode = network.declare(row{name: "protected-mode", kind: yesNo(), def: "yes",
		doc: "Refuse clients from other machines while the default user has no password."})
	TCPBacklog = network.declare(row{name: "tcp-backlog", kind: integer(0, maxInt32), def: "511", flags: Immutable,
		doc: "Connections that may wait to be accepted."})
	TCPKeepalive = network.declare(row{name: "tcp-keepalive", kind: integer(0, maxInt32), def: "300",
		doc: "Seconds of silence after which the system asks whether a client is still there; 0 never asks."})
	UnixSocket = network.declare(row{name: "unixsocket", kind: optional(), flags: Immutable,
		doc: "File name of a unix socket to listen on."})
	UnixSocketPerm = network.declare(row{name: "unixsocketperm", kind: &numberKind{hi: 0o777, form: octal}, def: "0", flags: Immutable,
		doc: "Access rights of the unix socket; 0 leaves them to the umask."})
	SocketMarkID = network.declare(row{name: "socket-mark-id", kind: integer(0, maxUint32), def: "0", flags: Immutable,
		doc: "Mark on the packets of listening sockets, for routing and firewalls; 0 sets none."})
	Timeout = network.declare(row{name: "timeout", kind: integer(0, maxInt32), def: "0",
		doc: "Seconds after which an idle client is disconnected; 0 is never."})
)

// The word of `supervised`.
const (
	SupervisedUpstart int64 = iota
	SupervisedSystemd
	SupervisedAuto
	SupervisedNo
)

// The word of `loglevel`, from the most talkative.
const (
	LogDebug int64 = iota
	LogVerbose
	LogNotice
	LogWarning
	LogNothing
)

// The bits of shutdown-on-sigint and shutdown-on-sigterm; 0 is the default.
const (
	ShutdownSave int64 = 1 << iota
	ShutdownNoSave
	ShutdownNow
	ShutdownForce
)

// General.
var (
	Daemonize = general.declare(row{name: "daemonize", kind: yesNo(), def: "no", flags: Immutable,
		doc: "Go to the background after the start."})
	Supervised = general.declare(row{name: "supervised", kind: oneOf("upstart", "systemd", "auto", "no"), def: "no", flags: Immutable,
		doc: "Who watches over the process, and is told when it is ready."})
	PidFile = general.declare(row{name: "pidfile", kind: optional(), flags: Immutable,
		doc: "File that holds the process number while the server runs."})
	LogLevel = general.declare(row{name: "loglevel", kind: oneOf("debug", "verbose", "notice", "warning", "nothing"), def: "notice",
		doc: "How much is logged."})
	LogFile = general.declare(row{name: "logfile", kind: anyString(), flags: Immutable,
		doc: "File that the log is appended to; empty is standard output."})
	SyslogEnabled = general.declare(row{name: "syslog-enabled", kind: yesNo(), def: "no", flags: Immutable,
		doc: "Log to syslog too."})
	SyslogIdent = general.declare(row{name: "syslog-ident", kind: anyString(), def: "redis", flags: Immutable,
		doc: "Name of the server in syslog."})
	SyslogFacility = general.declare(row{name: "syslog-facility", def: "local0", flags: Immutable,
		kind: oneOf("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
		doc:  "Syslog facility."})
	CrashLogEnabled = general.declare(row{name: "crash-log-enabled", kind: yesNo(), def: "yes",
		doc: "Write a bug report to the log when the server crashes."})
	CrashMemcheckEnabled = general.declare(row{name: "crash-memcheck-enabled", kind: yesNo(), def: "yes",
		unused: "the memory test of a crash report walks the C heap, which Dozo does not have",
		doc:    "Test the memory when the server crashes."})
	Databases = general.declare(row{name: "databases", kind: integer(1, maxInt32), def: "16", flags: Immutable,
		doc: "Number of databases; clients choose with SELECT."})
	AlwaysShowLogo = general.declare(row{name: "always-show-logo", kind: yesNo(), def: "no", flags: Immutable,
		doc: "Show the start banner even when the log is no terminal."})
	SetProcTitle = general.declare(row{name: "set-proc-title", kind: yesNo(), def: "yes", flags: Immutable,
		doc: "Show the server's address and role in the process list."})
	ProcTitleTemplate = general.declare(row{name: "proc-title-template", kind: &stringKind{check: checkTitle},
		def: "{title} {listen-addr} {server-mode}",
		doc: "Form of the process title; the variables are title, listen-addr, server-mode, port, tls-port, unixsocket and config-file."})
	LocaleCollate = general.declare(row{name: "locale-collate", kind: anyString(),
		unused: "strings are ordered by their bytes, as in the C locale",
		doc:    "Locale by which strings are ordered."})
	IgnoreWarnings = general.declare(row{name: "ignore-warnings", kind: anyString(),
		unused: "the only warning it names is about fork on ARM64, and Dozo does not fork",
		doc:    "Start in spite of these system warnings."})
	HZ = general.declare(row{name: "hz", kind: &numberKind{hi: maxInt32, hold: holdHZ}, def: "10",
		doc: "Rounds of background work a second, from 1 to 500."})
	DynamicHZ = general.declare(row{name: "dynamic-hz", kind: yesNo(), def: "yes",
		unused: "background work is driven by what is due, not by the number of clients",
		doc:    "Do more rounds of background work when there are many clients."})
	IOThreads = general.declare(row{name: "io-threads", kind: integer(1, maxIOThreads), def: "1", flags: Immutable | Debug,
		doc: "Number of event loops, each of which runs commands; the default in Dozo is one a core."})
	IOThreadsDoReads = general.declare(row{name: "io-threads-do-reads", kind: yesNo(), def: "no", flags: Immutable | Debug,
		unused: "every loop reads and writes for its own clients",
		doc:    "Let the threads read too."})
	ActiveRehashing = general.declare(row{name: "activerehashing", kind: yesNo(), def: "yes",
		unused: "tables grow one segment at a time, so there is no rehashing to help along",
		doc:    "Spend time on the rehashing of tables."})
	ShutdownTimeout = general.declare(row{name: "shutdown-timeout", kind: integer(0, maxInt32), def: "10",
		doc: "Seconds to wait for replicas that lag behind before the server ends."})
	ShutdownOnSigint = general.declare(row{name: "shutdown-on-sigint", kind: shutdownKind(), def: "default", flags: MultiArg,
		doc: "What SIGINT does with the data set."})
	ShutdownOnSigterm = general.declare(row{name: "shutdown-on-sigterm", kind: shutdownKind(), def: "default", flags: MultiArg,
		doc: "What SIGTERM does with the data set."})
	ConfigSetPersist = general.declare(row{name: "config-set-persist", kind: yesNo(), def: "no",
		doc: "Write what CONFIG SET changes to disk before it is answered, or refuse the change: to the configuration file, or where that cannot take it, to an overlay file in dir."})
	ConfigDriftWarnAfter = general.declare(row{name: "config-drift-warn-after", kind: integer(0, maxInt32), def: "300",
		doc: "Seconds after which a running value that a restart would not load is worth a warning in the log; 0 never warns."})
)

// The word of the enable-... directives.
const (
	GuardNo int64 = iota
	GuardYes
	GuardLocal // for connections from this machine
)

// The word of `acl-pubsub-default`.
const (
	PubSubAllChannels int64 = iota
	PubSubResetChannels
)

// Security.
var (
	RequirePass = security.declare(row{name: "requirepass", kind: optional(), flags: Sensitive,
		doc: "Password of the default user."})
	ACLFile = security.declare(row{name: "aclfile", kind: anyString(), flags: Immutable,
		doc: "File with the users; it and user lines exclude each other."})
	ACLLogMaxLen = security.declare(row{name: "acllog-max-len", kind: integer(0, maxInt64), def: "128",
		doc: "Entries that the log of refused access keeps."})
	ACLPubSubDefault = security.declare(row{name: "acl-pubsub-default", kind: oneOf("allchannels", "resetchannels"), def: "resetchannels",
		doc: "What a new user may do with channels."})
	EnableProtectedConfigs = security.declare(row{name: "enable-protected-configs", kind: guardKind(), def: "no", flags: Immutable,
		doc: "Who may change protected directives, such as dir."})
	EnableDebugCommand = security.declare(row{name: "enable-debug-command", kind: guardKind(), def: "no", flags: Immutable,
		doc: "Who may use DEBUG."})
	EnableModuleCommand = security.declare(row{name: "enable-module-command", kind: guardKind(), def: "no", flags: Immutable,
		doc: "Who may use MODULE."})
)

// Clients.
var (
	MaxClients = clients.declare(row{name: "maxclients", kind: integer(1, maxUint32), def: "10000",
		doc: "Connections that may be open at the same time."})
	ClientOutputBufferLimit = clients.declare(row{name: "client-output-buffer-limit", kind: outputLimitKind{}, flags: MultiArg,
		def: "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
		doc: "Unsent bytes at which a client is disconnected: at once, or after so many seconds."})
	ClientQueryBufferLimit = clients.declare(row{name: "client-query-buffer-limit", kind: bytesize(1<<20, maxInt64), def: "1073741824", flags: Debug,
		doc: "Bytes of unfinished commands that a client may have."})
	ProtoMaxBulkLen = clients.declare(row{name: "proto-max-bulk-len", kind: bytesize(1<<20, maxInt64), def: "536870912", flags: Debug,
		doc: "Largest argument of a command, and so the largest string."})
	MaxMemoryClients = clients.declare(row{name: "maxmemory-clients", kind: &numberKind{lo: -100, hi: maxInt64, form: memoryOrPercent}, def: "0",
		doc: "Memory of all clients together at which the largest are disconnected; a percentage is one of maxmemory; 0 is no limit."})
	TrackingTableMaxKeys = clients.declare(row{name: "tracking-table-max-keys", kind: integer(0, maxInt64), def: "1000000",
		doc: "Keys remembered for client side caching; 0 is no limit."})
)
