package server

import (
	"math"
	"strconv"
	"time"

	"dozo/command"
	"dozo/config"
	"dozo/keyspace"
	"dozo/logger"
	"dozo/object"
)

// liveSettings are configuration values that workers read often, put together
// again whenever one of them changes.
type liveSettings struct {
	timeout    time.Duration // of idle clients; 0 = none
	hz         int
	maxClients int
	protected  bool
	password   string
	output     config.OutputLimits
	lazyExpire bool
	lazyEvict  bool
	// clientLimit is how much memory all clients may take together; 0 = no limit.
	clientLimit int64
	evictBudget time.Duration // how long a command may evict
	// What a node that follows refuses, and whether it has no limit of memory.
	replicaReadOnly, replicaIgnoresMemory bool
}

// bindConfig takes the values over, now and whenever they change.
func (s *Server) bindConfig() error {
	v := s.cfg.Values()
	s.applyLive(v)
	s.applyHandlers(v)
	s.applyMemory(v)
	s.applyMeasuring(v)
	s.applyDefrag(v)
	c := s.cfg
	c.OnChangeOf([]*config.Directive{
		config.Timeout, config.HZ, config.MaxClients, config.ProtectedMode, config.RequirePass,
		config.ClientOutputBufferLimit, config.LazyfreeLazyExpire, config.LazyfreeLazyEviction,
		config.TCPKeepalive, config.LogLevel, config.MaxMemory, config.MaxMemoryClients, config.MaxMemoryEvictionTenacity,
		config.ReplicaReadOnly, config.ReplicaIgnoreMaxMemory,
	}, s.hook(s.applyLive))
	c.OnChangeOf([]*config.Directive{
		config.ProtoMaxBulkLen, config.HLLSparseMaxBytes, config.RDBCompression, config.RDBChecksum,
		config.MaxMemoryPolicy, config.MaxMemory, config.LazyfreeLazyUserDel,
		config.LazyfreeLazyUserFlush, config.LazyfreeLazyServerDel, config.LazyfreeLazyExpire, config.RDBVersion,
		config.SetMaxIntsetEntries, config.SetMaxListpackEntries, config.SetMaxListpackValue,
		config.HashMaxListpackEntries, config.HashMaxListpackValue, config.ListMaxListpackSize,
		config.StreamNodeMaxBytes, config.StreamNodeMaxEntries,
		config.ZSetMaxListpackEntries, config.ZSetMaxListpackValue,
	}, s.hook(s.applyHandlers))
	c.OnChangeOf([]*config.Directive{
		config.MaxMemory, config.MaxMemoryPolicy, config.MaxMemorySamples, config.LFULogFactor,
		config.LFUDecayTime,
	}, s.hook(s.applyMemory))
	c.OnChangeOf([]*config.Directive{
		config.SlowlogLogSlowerThan, config.LatencyMonitorThreshold, config.LatencyTracking,
		config.NotifyKeyspaceEvents, config.ClientQueryBufferLimit,
	}, s.hook(s.applyMeasuring))
	c.OnChangeOf([]*config.Directive{
		config.MinReplicasToWrite, config.MinReplicasMaxLag, config.ReplicaServeStaleData, config.ReplDisklessSync, config.ReplDisklessSyncDelay,
		config.ReplDisklessSyncMaxReplicas, config.ReplMaxFullSyncs, config.ReplTimeout, config.ReplPingReplicaPeriod, config.ReplBacklogTTL,
		config.ReplBacklogSize, config.ReplBacklogTime, config.ClientOutputBufferLimit, config.ReplicaReadOnly,
	}, s.hook(s.applyReplication))
	c.OnChangeOf([]*config.Directive{
		config.ActiveDefrag, config.ActiveDefragIgnoreBytes, config.ActiveDefragThresholdLower,
		config.ActiveDefragThresholdUpper, config.ActiveDefragCycleMin, config.ActiveDefragCycleMax,
		config.ActiveDefragMaxScanFields,
	}, s.hook(s.applyDefrag))
	return nil
}

// hook makes an OnChange function of one that only looks at the new values.
func (s *Server) hook(apply func(*config.Values)) func(old, new *config.Values) error {
	return func(_, new *config.Values) error {
		apply(new)
		return nil
	}
}

func (s *Server) applyLive(v *config.Values) {
	live := &liveSettings{
		timeout:    time.Duration(v.Int(config.Timeout)) * time.Second,
		hz:         int(v.Int(config.HZ)),
		maxClients: int(v.Int(config.MaxClients)),
		protected:  v.Bool(config.ProtectedMode),
		password:   v.String(config.RequirePass),
		output:     v.OutputLimits(),
		lazyExpire: v.Bool(config.LazyfreeLazyExpire),
		lazyEvict:  v.Bool(config.LazyfreeLazyEviction),

		clientLimit: clientLimit(v),
		evictBudget: evictBudget(v),

		replicaReadOnly:      v.Bool(config.ReplicaReadOnly),
		replicaIgnoresMemory: v.Bool(config.ReplicaIgnoreMaxMemory),
	}
	s.live.Store(live)
	s.boundLog(v)
	s.attend(attnClients, live.clientLimit != 0)
	if level, ok := logger.ParseLevel(v.String(config.LogLevel)); ok {
		s.logger.SetLevel(level)
	}
	if s.group != nil {
		s.group.SetHz(live.hz)
		s.group.SetKeepAlive(time.Duration(v.Int(config.TCPKeepalive)) * time.Second)
	}
}

// applyHandlers makes the settings that handlers of data commands read.
func (s *Server) applyHandlers(v *config.Values) {
	policy := policies[v.Int(config.MaxMemoryPolicy)]
	lfu := policy == keyspace.AllKeysLFU || policy == keyspace.VolatileLFU
	lru := policy == keyspace.AllKeysLRU || policy == keyspace.VolatileLRU
	next := &command.Settings{
		MaxBulk:        v.Int(config.ProtoMaxBulkLen),
		HLLSparseMax:   int(v.Int(config.HLLSparseMaxBytes)),
		Limits:         encodingLimits(v),
		RDBVersion:     int(v.Int(config.RDBVersion)),
		RDBCompression: v.Bool(config.RDBCompression),
		RDBChecksum:    v.Bool(config.RDBChecksum),
		LFUPolicy:      lfu,
		SharedIntegers: v.Int(config.MaxMemory) == 0 || !lfu && !lru,
		LazyUserDel:    v.Bool(config.LazyfreeLazyUserDel),
		LazyUserFlush:  v.Bool(config.LazyfreeLazyUserFlush),
		LazyServerDel:  v.Bool(config.LazyfreeLazyServerDel),
		LazyExpire:     v.Bool(config.LazyfreeLazyExpire),
	}
	if old := s.settings.Load(); old != nil {
		next.SkipChecksum, next.ActiveExpireStop = old.SkipChecksum, old.ActiveExpireStop
		next.Limits.List.PlainFrom = old.Limits.List.PlainFrom
	}
	s.settings.Store(next)
}

// encodingLimits are where values change their encodings.
func encodingLimits(v *config.Values) object.Limits {
	n := func(d *config.Directive) int { return int(v.Int(d)) }
	return object.Limits{
		Set: object.SetLimits{
			Intset: n(config.SetMaxIntsetEntries), Listpack: n(config.SetMaxListpackEntries), Value: n(config.SetMaxListpackValue),
		},
		Hash: object.HashLimits{Listpack: n(config.HashMaxListpackEntries), Value: n(config.HashMaxListpackValue)},
		ZSet: object.ZSetLimits{Listpack: n(config.ZSetMaxListpackEntries), Value: n(config.ZSetMaxListpackValue)},
		List: object.ListLimits{Fill: n(config.ListMaxListpackSize)},
		Stream: object.StreamLimits{
			NodeBytes: v.Int(config.StreamNodeMaxBytes), NodeEntries: v.Int(config.StreamNodeMaxEntries),
		},
	}
}

// policies are the eviction policies by their number in the configuration.
var policies = [...]keyspace.Policy{
	config.PolicyVolatileLRU: keyspace.VolatileLRU, config.PolicyVolatileLFU: keyspace.VolatileLFU,
	config.PolicyVolatileRandom: keyspace.VolatileRandom, config.PolicyVolatileTTL: keyspace.VolatileTTL,
	config.PolicyAllKeysLRU: keyspace.AllKeysLRU, config.PolicyAllKeysLFU: keyspace.AllKeysLFU,
	config.PolicyAllKeysRandom: keyspace.AllKeysRandom, config.PolicyNoEviction: keyspace.NoEviction,
}

func (s *Server) applyMemory(v *config.Values) {
	l := keyspace.Limits{
		MaxMemory: v.Int(config.MaxMemory), Policy: policies[v.Int(config.MaxMemoryPolicy)],
		Samples:      int(v.Int(config.MaxMemorySamples)),
		LFULogFactor: int(v.Int(config.LFULogFactor)), LFUDecayMins: int(v.Int(config.LFUDecayTime)),
		CountedBeside: func() int64 { return s.countedBeside() - s.log.Beyond() },
	}
	s.ks.SetLimits(l)
	s.attend(attnMaxMemory, l.MaxMemory > 0)
}

func (s *Server) applyMeasuring(v *config.Values) {
	slow := threshold(v.Int(config.SlowlogLogSlowerThan), time.Microsecond)
	spike := int64(math.MaxInt64)
	if ms := v.Int(config.LatencyMonitorThreshold); ms != 0 { // 0 turns the monitor off
		spike = threshold(ms, time.Millisecond)
	}
	s.slowNanos.Store(slow)
	s.spikeNanos.Store(spike)
	s.noticeNanos.Store(min(slow, spike))
	s.trackLatency.Store(v.Bool(config.LatencyTracking))
	s.queryBufferMax.Store(v.Int(config.ClientQueryBufferLimit))
	s.notifyMask.Store(notifyMask(v.Int(config.NotifyKeyspaceEvents)))
}

// threshold is a duration in nanoseconds above which something is noted; a
// negative n, like one beyond all durations, means never.
func threshold(n int64, unit time.Duration) int64 {
	if n < 0 || n > math.MaxInt64/int64(unit) {
		return math.MaxInt64
	}
	return n * int64(unit)
}

// notifyMask drops the classes when neither K nor E says where events go.
func notifyMask(flags int64) uint32 {
	if flags&(config.NotifyKeyspace|config.NotifyKeyevent) == 0 {
		return 0
	}
	return uint32(flags)
}

// attend sets or clears one reason for the slow path of dispatch.
func (s *Server) attend(a attention, on bool) {
	for {
		old := s.attention.Load()
		next := old &^ uint32(a)
		if on {
			next = old | uint32(a)
		}
		if s.attention.CompareAndSwap(old, next) {
			return
		}
	}
}

// attends tells whether a reason for the slow path of dispatch is set.
func (s *Server) attends(a attention) bool { return attention(s.attention.Load())&a != 0 }

func (s *Server) hz() int { return s.live.Load().hz }

// needsPassword tells whether new connections must authenticate.
func (s *Server) needsPassword() bool { return s.live.Load().password != "" }

// lazyRemoval tells whether removals of a kind are logged as UNLINK.
func (s *Server) lazyRemoval(why keyspace.Reason) bool {
	live := s.live.Load()
	if why == keyspace.Evicted {
		return live.lazyEvict
	}
	return live.lazyExpire
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
