package config

// What Dozo has and Redis 7.2 has not.
var (
	RDBVersion = snapshots.declare(row{name: "rdb-version", kind: integer(10, 11), def: "11",
		doc: "Version of the RDB format that DUMP and snapshots are written in; 10 can be read by Redis 7.0."})
	StartupDataCheck = snapshots.declare(row{name: "startup-data-check", kind: yesNo(), def: "yes",
		doc: "Refuse to start from data that is older than other data in dir, or empty beside some."})
)
