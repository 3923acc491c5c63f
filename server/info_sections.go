package server

import (
	"fmt"
	"maps"
	"net/netip"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dozo/arena"
	"dozo/command"
	"dozo/config"
	"dozo/pubsub"
	"dozo/replication"
)

func (t *infoText) server() {
	s, now := t.srv, t.srv.clock.Wall()
	up := int64((s.clock.Monotonic() - s.started) / time.Second)
	supervised := s.cfg.String(config.Supervised)
	if supervised != "upstart" && supervised != "systemd" {
		supervised = "no"
	}
	t.addf("redis_version:%s", RedisVersion)
	t.addf("redis_git_sha1:00000000")
	t.addf("redis_git_dirty:0")
	t.addf("redis_build_id:dozo-%s", DozoVersion)
	t.addf("redis_mode:standalone")
	t.addf("os:%s", systemName())
	t.addf("arch_bits:%d", strconv.IntSize)
	t.addf("monotonic_clock:POSIX clock_gettime")
	t.addf("multiplexing_api:%s", s.group.Transport())
	t.addf("atomicvar_api:go-builtin")
	t.addf("gcc_version:0.0.0")
	t.addf("process_id:%d", unix.Getpid())
	t.addf("process_supervised:%s", supervised)
	t.addf("run_id:%s", s.runID)
	t.addf("tcp_port:%d", s.tcpPort())
	t.addf("server_time_usec:%d", now/time.Microsecond)
	t.ints("uptime_in_seconds uptime_in_days hz configured_hz", up, up/86400, int64(s.hz()), s.cfg.Int(config.HZ))
	t.addf("lru_clock:%d", int64(now/time.Second)&(1<<24-1))
	t.addf("executable:%s", s.opts.Executable)
	t.addf("config_file:%s", s.cfg.File())
	drift, broken := s.cfg.KnownDrift()
	unreadable := 0
	if broken != nil {
		unreadable = 1
	}
	t.addf("config_overlay_file:%s", s.cfg.Overlay())
	t.addf("config_drift:%d", len(drift))
	t.addf("config_unreadable:%d", unreadable)
	t.addf("io_threads_active:%d", min(len(s.workers)-1, 1))
	if until := s.endWaits.Load(); until != 0 {
		t.ints("shutdown_in_milliseconds", millis(max(time.Duration(until)-s.clock.Monotonic(), time.Millisecond)))
	}
	for i, l := range s.listeners() {
		t.addf("listener%d:%s", i, l)
	}
}

// tcpPort is the port of the first TCP listener, as configured if there is none.
func (s *Server) tcpPort() int64 {
	for _, a := range s.addrs {
		if a.Network() == "tcp" {
			if at, err := netip.ParseAddrPort(a.String()); err == nil {
				return int64(at.Port())
			}
		}
	}
	return s.cfg.Int(config.Port)
}

// listeners describes the listeners, those of one kind and port together.
func (s *Server) listeners() []string {
	type group struct{ kind, hosts, port string }
	var groups []group
	for _, a := range s.addrs {
		g := group{kind: a.Network(), hosts: ",bind=" + a.String()}
		if at, err := netip.ParseAddrPort(a.String()); err == nil {
			g.hosts, g.port = ",bind="+at.Addr().String(), fmt.Sprintf(",port=%d", at.Port())
		}
		i := slices.IndexFunc(groups, func(o group) bool { return o.kind == g.kind && o.port == g.port })
		if i < 0 {
			groups = append(groups, g)
			continue
		}
		groups[i].hosts += g.hosts
	}
	var list []string
	for _, g := range groups {
		list = append(list, "name="+g.kind+g.hosts+g.port)
	}
	return list
}

func (t *infoText) clients() {
	var clients, blocked, timed int64
	var in, out int
	now := t.srv.clock.Monotonic()
	for _, w := range t.srv.workers {
		for _, cl := range w.clients {
			if !cl.has(isReplica) {
				clients++
			}
		}
		blocked += int64(w.blockedClients + w.holding())
		timed += int64(len(w.timers))
		i, o := w.recent.largest(now)
		in, out = max(in, i), max(out, o)
	}
	t.ints("connected_clients cluster_connections maxclients", clients, 0, t.srv.cfg.Int(config.MaxClients))
	t.ints("client_recent_max_input_buffer client_recent_max_output_buffer", int64(in), int64(out))
	t.ints("blocked_clients tracking_clients clients_in_timeout_table", blocked, 0, timed)
	keys, gone := t.view.WaitedKeys()
	t.ints("total_blocking_keys total_blocking_keys_on_nokey", int64(keys), int64(gone))
}

func (t *infoText) memory() {
	s := t.srv
	m := s.memoryUse(t.view)
	human := func(name string, n int64) {
		t.addf("%s:%d", name, n)
		t.addf("%s_human:%s", name, humanBytes(n))
	}
	human("used_memory", m.used)
	human("used_memory_rss", m.resident)
	human("used_memory_peak", m.peak)
	t.addf("used_memory_peak_perc:%.2f%%", m.peakPercent())
	t.ints("used_memory_overhead used_memory_startup used_memory_dataset", m.overhead, m.startup, m.dataset)
	t.addf("used_memory_dataset_perc:%.2f%%", m.datasetPercent())
	t.ints("allocator_allocated allocator_active allocator_resident", m.arena.Used, m.active(), m.allocatorResident())
	human("total_system_memory", systemMemory())
	t.zeros("used_memory_lua used_memory_vm_eval")
	t.addf("used_memory_lua_human:0B")
	t.zeros("used_memory_scripts_eval number_of_cached_scripts number_of_functions number_of_libraries")
	t.zeros("used_memory_vm_functions used_memory_vm_total")
	t.addf("used_memory_vm_total_human:0B")
	t.zeros("used_memory_functions used_memory_scripts")
	t.addf("used_memory_scripts_human:0B")
	human("maxmemory", s.cfg.Int(config.MaxMemory))
	t.addf("maxmemory_policy:%s", s.cfg.String(config.MaxMemoryPolicy))
	t.fragmentation(&m)
	t.ints("mem_not_counted_for_evict", s.ks.Apart()+s.log.Beyond())
	t.ints("mem_replication_backlog mem_total_replication_buffers", m.backlog(), m.log)
	t.ints("mem_clients_slaves mem_clients_normal mem_cluster_links mem_aof_buffer", m.replicas, m.clients, 0, m.file)
	t.addf("mem_allocator:dozo-arena")
	t.ints("active_defrag_running", int64(s.defrag.share.Load()))
	t.addf("lazyfree_pending_objects:%d", s.ks.Graves())
	t.addf("lazyfreed_objects:%d", s.totals().keys.LazyFreed)
}

// fragmentation compares what is in use with what is held for it, layer by layer.
func (t *infoText) fragmentation(m *memoryUse) {
	for _, l := range []struct {
		ratio, bytes string
		outer, inner int64
	}{
		{"allocator_frag_ratio", "allocator_frag_bytes", m.active(), m.arena.Used},
		{"allocator_rss_ratio", "allocator_rss_bytes", m.allocatorResident(), m.active()},
		{"rss_overhead_ratio", "rss_overhead_bytes", m.resident, m.allocatorResident()},
		{"mem_fragmentation_ratio", "mem_fragmentation_bytes", m.resident, m.used},
	} {
		t.addf("%s:%.2f", l.ratio, ratio(l.outer, l.inner))
		t.addf("%s:%d", l.bytes, l.outer-l.inner)
	}
}

// persistenceStatus is all zero for a server that keeps nothing.
func (s *Server) persistenceStatus() (p PersistenceStatus) {
	if s.opts.Persistence != nil {
		p = s.opts.Persistence.Status()
	}
	return p
}

func (t *infoText) persistence() {
	p := t.srv.persistenceStatus()
	t.ints("loading async_loading", number(p.Loading), number(p.Receiving))
	t.ints("current_cow_peak current_cow_size current_cow_size_age", p.SaveHeldPeak, p.SaveHeld, 0)
	t.addf("current_fork_perc:%.2f", 100*ratio(p.SaveKeysDone, p.SaveKeysTotal))
	t.ints("current_save_keys_processed current_save_keys_total", p.SaveKeysDone, p.SaveKeysTotal)
	if p.Saving || p.Rewriting {
		t.ints("current_save_eta_seconds", secondsLeft(p.SaveElapsed, p.SaveKeysDone, p.SaveKeysTotal, -1))
	}
	t.ints("rdb_changes_since_last_save rdb_bgsave_in_progress rdb_last_save_time", p.Changes, number(p.Saving), p.SavedAt)
	t.addf("rdb_last_bgsave_status:%s", okOrErr(!p.SaveFailed))
	t.ints("rdb_last_bgsave_time_sec rdb_current_bgsave_time_sec", p.LastSaveSeconds, p.SaveSeconds)
	t.ints("rdb_saves", p.Saves)
	t.ints("rdb_last_cow_size rdb_last_load_keys_expired rdb_last_load_keys_loaded", p.LastSavePeak, p.LastLoadExpired, p.LastLoadKeys)
	t.ints("aof_enabled aof_rewrite_in_progress aof_rewrite_scheduled", number(p.AOF), number(p.Rewriting), number(p.RewriteScheduled))
	t.ints("aof_last_rewrite_time_sec aof_current_rewrite_time_sec", p.LastRewriteSeconds, p.RewriteSeconds)
	t.addf("aof_last_bgrewrite_status:%s", okOrErr(!p.RewriteFailed))
	t.ints("aof_rewrites aof_rewrites_consecutive_failures", p.Rewrites, p.RewriteFailures)
	t.addf("aof_last_write_status:%s", okOrErr(!p.AOFFault))
	t.ints("aof_last_cow_size module_fork_in_progress module_fork_last_cow_size", p.LastRewritePeak, 0, 0)
	if p.AOF {
		t.ints("aof_current_size aof_base_size aof_pending_rewrite", p.AOFSize, p.AOFBaseSize, number(p.RewriteScheduled))
		t.ints("aof_buffer_length aof_pending_bio_fsync aof_delayed_fsync", p.AOFPending, 0, p.AOFDelayed)
		t.ints("aof_starting", number(p.AOFStarting))
		t.ints("aof_writes_held aof_writes_held_count", number(t.srv.attends(attnLogFull)), t.srv.logHold.times)
		t.ints("aof_unsynced_memory aof_unsynced_memory_max", t.srv.unkept(), t.srv.logMax.Load())
	}
	if p.Loading || p.Receiving {
		t.loading(&p)
	}
}

// loading is how far a load has come. How long a stream with a mark at its end will be is
// guessed, as in Redis, by the memory that the primary has in use.
func (t *infoText) loading(p *PersistenceStatus) {
	whole := p.LoadTotal
	if whole == 0 {
		whole = max(p.LoadUsedMemory, p.LoadDone)
	}
	t.ints("loading_start_time loading_total_bytes loading_rdb_used_mem loading_loaded_bytes", p.LoadStarted, p.LoadTotal, p.LoadUsedMemory, p.LoadDone)
	t.addf("loading_loaded_perc:%.2f", 100*ratio(p.LoadDone, whole))
	t.ints("loading_eta_seconds", secondsLeft(p.LoadSeconds, p.LoadDone, whole, 1))
}

// secondsLeft is how long something may still take of which so much was done in some
// seconds; unknown while nothing is.
func secondsLeft(elapsed float64, done, total, unknown int64) int64 {
	if done == 0 {
		return unknown
	}
	return max(0, int64(elapsed*float64(total-done)/float64(done)))
}

// number is a truth value in INFO.
func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func okOrErr(ok bool) string {
	if ok {
		return "ok"
	}
	return "err"
}

func (t *infoText) stats() {
	s, sum := t.srv, &t.sum
	now := s.clock.Monotonic()
	t.ints("total_connections_received total_commands_processed instantaneous_ops_per_sec",
		sum.connections, sum.commands, s.sampled.ops.perSecond())
	received := s.receivedBytes.Load() - s.statsBase.receivedBytes
	t.ints("total_net_input_bytes total_net_output_bytes", int64(sum.loops.BytesIn)+received, int64(sum.loops.BytesOut))
	t.ints("total_net_repl_input_bytes total_net_repl_output_bytes", sum.appliedBytes+received, int64(sum.loops.BytesFed))
	t.addf("instantaneous_input_kbps:%.2f", ratio(s.sampled.in.perSecond(), 1024))
	t.addf("instantaneous_output_kbps:%.2f", ratio(s.sampled.out.perSecond(), 1024))
	t.addf("instantaneous_input_repl_kbps:%.2f", ratio(s.sampled.replIn.perSecond(), 1024))
	t.addf("instantaneous_output_repl_kbps:%.2f", ratio(s.sampled.replOut.perSecond(), 1024))
	t.ints("rejected_connections", sum.rejectedConns)
	t.syncs()
	t.ints("expired_subkeys expired_keys", sum.keys.ExpiredFields, sum.keys.Expired)
	t.addf("expired_stale_perc:0.00")
	t.ints("expired_time_cap_reached_count expire_cycle_cpu_milliseconds", sum.expireCapped, sum.keys.ActiveExpireNanos/1e6)
	t.ints("evicted_keys evicted_clients", sum.keys.Evicted, sum.evictedConns)
	current := s.shortage.current(now)
	t.ints("total_eviction_exceeded_time current_eviction_exceeded_time", millis(s.shortage.total+current), millis(current))
	t.ints("keyspace_hits keyspace_misses", sum.keys.Hits, sum.keys.Misses)
	t.pubsubStats()
	p := s.persistenceStatus()
	t.zeros("latest_fork_usec")
	t.ints("total_forks", p.Saves+p.Rewrites) // what is written in the background; nothing forks
	t.ints("migrate_cached_sockets slave_expires_tracked_keys", 0, t.ownKeys())
	t.ints("active_defrag_hits active_defrag_misses active_defrag_key_hits active_defrag_key_misses",
		sum.keys.DefragHits, sum.keys.DefragMisses, sum.keys.DefragKeyHits, sum.keys.DefragKeyMisses)
	currently, total := s.defragTimes()
	t.ints("total_active_defrag_time current_active_defrag_time", millis(total), millis(currently))
	t.zeros("tracking_total_keys tracking_total_items tracking_total_prefixes")
	t.ints("unexpected_error_replies", s.applyErrors.Load())
	t.ints("total_error_replies", sum.errorReplies)
	t.zeros("dump_payload_sanitizations")
	t.ints("total_reads_processed total_writes_processed", int64(sum.loops.Reads), int64(sum.loops.Writes))
	t.zeros("io_threaded_reads_processed io_threaded_writes_processed reply_buffer_shrinks reply_buffer_expands")
	t.loopStats()
	t.ints("acl_access_denied_auth", sum.authFailures)
	t.zeros("acl_access_denied_cmd acl_access_denied_key acl_access_denied_channel")
}

// ownKeys is how many keys a replica that clients write to removes itself.
func (t *infoText) ownKeys() int64 {
	if t.srv.loadsInPlace() {
		return 0 // somebody else is at the keys
	}
	return int64(t.view.OwnKeys())
}

// loopStats tells what the event loops do. Their time is that of rounds from the
// wake-up to the end of the last command: waiting for work does not count, nor
// do the writes at the end.
func (t *infoText) loopStats() {
	sampled := &t.srv.sampled
	rounds := sampled.rounds.perSecond() / int64(len(t.srv.workers)) // of one loop
	t.ints("eventloop_cycles eventloop_duration_sum eventloop_duration_cmd_sum",
		int64(t.sum.loops.Rounds), int64(t.sum.loopTime/time.Microsecond), int64(t.sum.commandTime/time.Microsecond))
	t.ints("instantaneous_eventloop_cycles_per_sec instantaneous_eventloop_duration_usec",
		rounds, sampled.micros.perSecond()/max(sampled.rounds.perSecond(), 1))
}

func (t *infoText) replication() {
	log := t.srv.log.Stats()
	offset := int64(t.srv.log.Offset())
	t.role()
	t.replicas()
	t.addf("master_failover_state:%s", t.srv.replicas.handing.State())
	t.addf("master_replid:%s", t.srv.lineage.ID())
	t.addf("master_replid2:%s", t.srv.lineage.ID2())
	t.ints("master_repl_offset second_repl_offset", offset, t.srv.lineage.SecondOffset())
	active, first, length := int64(0), int64(0), int64(0)
	if t.srv.log.Active() {
		active, first, length = 1, int64(log.First)+1, int64(log.End-log.First)
	}
	t.ints("repl_backlog_active repl_backlog_size repl_backlog_first_byte_offset repl_backlog_histlen",
		active, int64(t.srv.backlogSize()), first, length)
	t.addf("dozo_lineage:%s", t.srv.lineage)
	t.addf("dozo_resumed_from:%s", t.srv.resumedFrom)
	t.rescues()
}

// rescues tells of writes that are in files because no primary has them.
func (t *infoText) rescues() {
	f := t.srv.opts.Following
	if f == nil {
		return
	}
	r := f.Rescues()
	t.ints("dozo_rescue_files dozo_rescue_bytes dozo_rescue_incomplete dozo_rescue_last_time", int64(r.Files), r.Bytes, r.Incomplete, r.LastTime)
	t.addf("dozo_rescue_last_name:%s", r.LastName)
	t.addf("dozo_rescue_trouble:%s", r.Trouble)
}

// role tells what a replica says of its primary and the link to it.
func (t *infoText) role() {
	s := t.srv
	if !s.Follows() {
		t.addf("role:master")
		return
	}
	st, offset := s.opts.Following.Status(), int64(s.log.Offset())
	t.addf("role:slave")
	t.addf("master_host:%s", st.Host)
	t.ints("master_port", int64(st.Port))
	up, lastIO := "down", int64(-1)
	if st.State == replication.LinkConnected {
		up, lastIO = "up", int64(st.LastIO.Seconds())
	}
	t.addf("master_link_status:%s", up)
	t.ints("master_last_io_seconds_ago master_sync_in_progress", lastIO, number(st.State == replication.LinkSync))
	t.ints("slave_read_repl_offset slave_repl_offset", offset+s.unapplied(), offset)
	if st.State == replication.LinkSync {
		t.transfer(st)
	}
	if st.State != replication.LinkConnected {
		down := int64(-1)
		if st.DownFor >= 0 {
			down = int64(st.DownFor.Seconds())
		}
		t.ints("master_link_down_since_seconds", down)
		t.addf("dozo_master_link_trouble:%s", st.Trouble)
	}
	t.ints("dozo_wipe_guard", number(st.KeepsData != ""))
	v := s.cfg.Values()
	t.ints("slave_priority slave_read_only replica_announced",
		v.Int(config.ReplicaPriority), v.Int(config.ReplicaReadOnly), v.Int(config.ReplicaAnnounced))
}

// syncs counts what replicas have asked for.
func (t *infoText) syncs() {
	r := t.srv.replicas
	r.mu.Lock()
	n := *r.machine.Stats()
	r.mu.Unlock()
	t.ints("sync_full sync_partial_ok sync_partial_err", n.Full, n.PartialOK, n.PartialErr)
}

// replicas tells of those that follow this server.
func (t *infoText) replicas() {
	v, list := t.srv.cfg.Values(), t.srv.replicas.status()
	t.ints("connected_slaves", int64(len(list)))
	if v.Int(config.MinReplicasToWrite) != 0 && v.Int(config.MinReplicasMaxLag) != 0 {
		t.ints("min_slaves_good_slaves", int64(t.srv.replicas.good()))
	}
	for i, r := range list {
		t.addf("slave%d:ip=%s,port=%d,state=%s,offset=%d,lag=%d", i, r.IP, r.Port, r.State, r.Ack, int64(r.Lag.Seconds()))
	}
}

// transfer tells how far a snapshot of the primary has come.
func (t *infoText) transfer(st replication.LinkStatus) {
	size, share := max(st.SyncSize, 0), 0.0
	if size > 0 {
		share = float64(st.SyncRead) / float64(size) * 100
	}
	t.ints("master_sync_total_bytes master_sync_read_bytes master_sync_left_bytes", size, st.SyncRead, size-st.SyncRead)
	t.addf("master_sync_perc:%.2f", share)
	t.ints("master_sync_last_io_seconds_ago", int64(st.LastIO.Seconds()))
}

func (t *infoText) cpu() {
	t.times("", processTimes(unix.RUSAGE_SELF))
	t.times("_children", processTimes(unix.RUSAGE_CHILDREN))
	t.times("_main_thread", t.srv.workers[0].thread)
}

func (t *infoText) times(suffix string, c cpuTimes) {
	t.addf("used_cpu_sys%s:%.6f", suffix, c.system.Seconds())
	t.addf("used_cpu_user%s:%.6f", suffix, c.user.Seconds())
}

// eachCommand calls fn for all commands, each container before its subcommands.
func (s *Server) eachCommand(fn func(*command.Command)) {
	for _, cmd := range s.table.Commands() {
		fn(cmd)
		for _, sub := range cmd.Subcommands() {
			fn(sub)
		}
	}
}

func (t *infoText) commandStats() {
	t.srv.eachCommand(func(cmd *command.Command) {
		var n commandStats
		for _, w := range t.srv.workers {
			o := &w.stats.commands[cmd.ID]
			n.calls += o.calls
			n.nanos += o.nanos
			n.rejected += o.rejected
			n.failed += o.failed
		}
		if n.calls == 0 && n.rejected == 0 && n.failed == 0 {
			return
		}
		t.addf("cmdstat_%s:calls=%d,usec=%d,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d", cmd.FullName,
			n.calls, n.nanos/1000, ratio(n.nanos, n.calls)/1000, n.rejected, n.failed)
	})
}

func (t *infoText) errorStats() {
	sum := make(map[string]int64)
	for _, w := range t.srv.workers {
		for code, n := range w.stats.errors {
			sum[code] += n
		}
	}
	for _, code := range slices.Sorted(maps.Keys(sum)) {
		t.addf("errorstat_%s:count=%d", safeName(code), sum[code])
	}
}

// safeName replaces the signs that would make a line of INFO say something else.
func safeName(s string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("#:\n\r", r) {
			return '_'
		}
		return r
	}, s)
}

func (t *infoText) latencyStats() {
	if !t.srv.cfg.Bool(config.LatencyTracking) {
		return
	}
	percentiles := t.srv.cfg.Values().Percentiles()
	t.srv.eachCommand(func(cmd *command.Command) {
		h := t.srv.histogram(cmd)
		if h == nil {
			return
		}
		var parts []string
		for _, p := range percentiles {
			micros := float64(h.ValueAtPercentile(p)) / 1000
			parts = append(parts, fmt.Sprintf("p%s=%.3f", strconv.FormatFloat(p, 'f', -1, 64), micros))
		}
		t.addf("latency_percentiles_usec_%s:%s", cmd.FullName, strings.Join(parts, ","))
	})
}

func (t *infoText) cluster() { t.addf("cluster_enabled:0") }

func (t *infoText) keyspace() {
	if t.srv.loadsInPlace() {
		return // somebody else is at the keys
	}
	for db := range t.srv.ks.Databases() {
		if d := t.view.DatabaseStats(db); d.Keys > 0 {
			t.addf("db%d:keys=%d,expires=%d,avg_ttl=%d,subexpiry=%d", db, d.Keys, d.Volatile, d.AverageTTL, d.Dated)
		}
	}
}

func (t *infoText) debug() {
	t.zeros("eventloop_duration_aof_sum")
	t.ints("eventloop_duration_cron_sum eventloop_duration_max eventloop_cmd_per_cycle_max",
		int64(t.sum.tickTime/time.Microsecond), int64(t.sum.batchTimeMax/time.Microsecond), t.sum.batchCommandsMax)
}

// dozo is what only this server has.
func (t *infoText) dozo() {
	s, g := t.srv, goRuntime()
	t.addf("dozo_version:%s", DozoVersion)
	t.addf("go_version:%s", runtime.Version())
	t.addf("loops:%d", len(s.workers))
	t.addf("transport:%s", s.group.Transport())
	t.addf("shards:%d", s.ks.Shards())
	t.ints("client_query_buffer_limit_disconnections client_output_buffer_limit_disconnections", t.sum.queryKills, t.sum.outputKills)
	t.ints("gc_cycles gc_pause_max_usec", int64(g.cycles), int64(g.pauseMax/time.Microsecond))
	t.addf("gc_cpu_perc:%.2f", 100*g.gcSeconds/max(g.cpu, 1e-9))
	t.ints("go_heap_bytes go_total_bytes", int64(g.objects), int64(g.total))
	a := s.ks.Arena().Stats()
	t.ints("arena_reserved arena_mapped arena_free arena_purged", a.Reserved, a.Mapped, a.Free, a.Purged)
	for p, bytes := range s.purposes() {
		t.addf("arena_%s_bytes:%d", arena.Purpose(p), bytes)
	}
}

// pubsubStats counts channels and patterns.
func (t *infoText) pubsubStats() {
	hub := t.srv.hub
	t.ints("pubsub_channels pubsub_patterns pubsubshard_channels",
		int64(hub.Len(pubsub.Channel)), int64(hub.Len(pubsub.Pattern)), int64(hub.Len(pubsub.Shard)))
}
