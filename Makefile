# Dozo. `make run` builds and starts a server on port 6379; `make test` runs all
# checks and does its own set-up. CONTRIBUTING.md says when to use the others.

GO ?= go
PORT ?= 6379

# Length of the long runs.
FUZZTIME ?= 30s
SOAK_COMMANDS ?= 1000000
SOAK_TIME ?= 3m
UNKIND_TIME ?= 30s
CRASHES ?= 200
LOSSES ?= 100
REPL_SIMS ?= 500
SEED ?= 0

UNITS = $(shell $(GO) list ./... | grep -v -e /tests/differential -e /tests/e2e -e /tests/clients -e /tests/robustness -e /tests/disk -e /internal/lint)

.PHONY: build run test peers lint testrace testinv diff e2e clients robust disk soak fuzz bench generate clean

build:
	$(GO) build -o bin/dozo ./cmd/dozo

run: build
	exec bin/dozo server --port $(PORT)

# Everything a change must pass; under 12 minutes on two cores.
test: peers
	scripts/check

# Installs what the tests run beside Dozo (as root on Debian), or says what is missing.
peers:
	scripts/peers

lint:
	$(GO) test -count=1 ./internal/lint

testrace: peers
	$(GO) test -count=1 -race $(UNITS)

testinv:
	$(GO) test -count=1 -tags invariants -gcflags=dozo/...=-d=checkptr $(UNITS)

# Replies of Dozo and of redis-server, compared. SEED=0 chooses a new seed.
diff: peers
	$(GO) test -count=1 -v ./tests/differential -seed $(SEED)

# Real programs and client libraries against a real server process.
e2e: peers
	$(GO) test -count=1 -v ./tests/e2e

# Applications on go-redis and ioredis, beside redis-server.
clients: peers
	$(GO) test -count=1 -v ./tests/clients

# Clients, limits and signals that are unkind to a server process.
robust:
	$(GO) test -count=1 -v ./tests/robustness

# Disks that are full, slow, read-only or damaged; as root on small real ones.
disk: peers
	$(GO) test -count=1 -v ./tests/disk

# The long versions: a million generated commands, minutes of mixed load on the
# race and the invariants builds, minutes of unkindness to all builds, servers killed
# hundreds of times, thousands of power losses, and hundreds of seeds of replication.
soak: peers
	$(GO) test -count=1 -v -timeout 4h ./tests/differential -commands $(SOAK_COMMANDS) -seed $(SEED)
	$(GO) test -count=1 -v -timeout 2h ./tests/e2e -run Storm -storm $(SOAK_TIME)
	$(GO) test -count=1 -v -timeout 2h ./tests/e2e -run KilledWith -crashes $(CRASHES) -crash-seed $(SEED)
	$(GO) test -count=1 -v -timeout 2h ./tests/e2e -run ReplicationKilled$$ -repl-kills $(CRASHES)
	$(GO) test -count=1 -v -timeout 2h ./node -run PowerLoss -losses $(LOSSES) -loss-seed $(SEED)
	$(GO) test -count=1 -v -timeout 4h ./node -run ReplicationSim -repl-sims $(REPL_SIMS) -repl-seed $(SEED)
	$(GO) test -count=1 -v -timeout 2h ./rdb -run Mutations -mutations 100000 -seed $(SEED)
	$(GO) test -count=1 -v -timeout 2h ./snapshot -run LoadDamaged -mutations 20000 -seed $(SEED)
	$(GO) test -count=1 -v -timeout 2h ./tests/robustness -length $(UNKIND_TIME)
	$(GO) test -count=1 -v -timeout 2h ./tests/robustness -length $(UNKIND_TIME) -variant race
	$(GO) test -count=1 -v -timeout 2h ./tests/robustness -length $(UNKIND_TIME) -variant invariants

fuzz:
	scripts/fuzz $(FUZZTIME)

# Dozo beside redis-server on this machine, one core each; BENCH="-rounds 5 -write docs/benchmarks.md".
bench: peers
	$(GO) run ./tests/bench $(BENCH)

generate:
	$(GO) generate ./...

clean:
	rm -rf bin
