package server_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"dozo"
	"dozo/internal/testutil"
)

// fieldsOf are the names of all fields of an INFO text, by section, with the
// variable part of names cut off.
func fieldsOf(text string) map[string][]string {
	out := map[string][]string{}
	section := ""
	for line := range strings.SplitSeq(text, "\r\n") {
		if title, ok := strings.CutPrefix(line, "# "); ok {
			section = title
			out[section] = nil
			continue
		}
		if name, _, ok := strings.Cut(line, ":"); ok {
			out[section] = append(out[section], name)
		}
	}
	return out
}

// notThere are fields that a genuine 7.0 has and Dozo has not, with the reason.
var notThere = map[string]string{}

// TestInfoFields: Dozo has every section and every field of a genuine server, in
// the same order.
func TestInfoFields(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	dozoText := dial(t, serve(t, dozo.Options{}).Addr()).must("INFO everything").Str
	redisText := dial(t, testutil.StartRedis(t).Addr()).must("INFO everything").Str
	ours := fieldsOf(dozoText)
	for section, fields := range fieldsOf(redisText) {
		have, ok := ours[section]
		if !ok {
			t.Errorf("no section %s", section)
		}
		last := -1
		for _, f := range fields {
			at := slices.Index(have, f)
			if at < 0 && notThere[f] == "" && !strings.HasPrefix(f, "cmdstat_") && !strings.HasPrefix(f, "latency_percentiles") {
				t.Errorf("section %s: no field %s", section, f)
			}
			if at >= 0 && at < last {
				t.Errorf("section %s: %s is out of order", section, f)
			}
			last = max(last, at)
		}
	}
	for _, f := range []string{
		"total_blocking_keys", "total_blocking_keys_on_nokey", "eventloop_cycles", "eventloop_duration_sum",
		"eventloop_duration_cmd_sum", "instantaneous_eventloop_cycles_per_sec", "instantaneous_eventloop_duration_usec",
		"acl_access_denied_auth", "acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel", "listener0",
	} {
		if testutil.InfoField(dozoText, f) == "" {
			t.Errorf("no field %s of 7.2", f)
		}
	}
}

// TestInfoValues compares what a fresh server says about features that Dozo does
// not have, or that nothing has been done with, with a genuine one.
func TestInfoValues(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	ours := dial(t, serve(t, dozo.Options{}).Addr()).must("INFO all").Str
	theirs := dial(t, testutil.StartRedis(t).Addr()).must("INFO all").Str
	for _, pattern := range []string{
		"^(redis_mode|arch_bits|hz|configured_hz|process_supervised)$", "^(connected|blocked|tracking)_clients$", "^maxmemory", "^mem_(not|repl|cluster|aof)",
		"^(async_)?loading$", "^current_", "^rdb_(changes|bgsave|last_bgsave|current|saves|last_load)", "^aof_", "^module_",
		"^(sync|expired|evicted|keyspace|pubsub|active_defrag|tracking|slave_expires|migrate|io_threaded|unexpected|dump|total_err)",
		"^(role|connected_slaves|master_failover_state|master_replid2|second_repl_offset|master_repl_offset|repl_backlog)", "^cluster_",
	} {
		re := regexp.MustCompile(pattern)
		for _, names := range fieldsOf(theirs) {
			for _, name := range names {
				if !re.MatchString(name) {
					continue
				}
				if got, want := testutil.InfoField(ours, name), testutil.InfoField(theirs, name); got != want {
					t.Errorf("%s: %s, a genuine server has %s", name, got, want)
				}
			}
		}
	}
}

func TestInfoSections(t *testing.T) {
	c := dial(t, serve(t, dozo.Options{}).Addr())
	sections := func(line string) string {
		var titles []string
		for line := range strings.SplitSeq(c.must(line).Str, "\r\n") {
			if title, ok := strings.CutPrefix(line, "# "); ok {
				titles = append(titles, title)
			}
		}
		return strings.Join(titles, " ")
	}
	const def = "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Dozo Keyspace"
	const all = "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats Errorstats Latencystats Cluster Dozo Keyspace"
	for line, want := range map[string]string{
		"INFO": def, "INFO default": def, "INFO DEFAULT": def, "INFO all": all, "INFO everything": all,
		"INFO cpu": "CPU", "INFO keyspace server": "Server Keyspace", "INFO nosuch": "", "INFO modules": "Modules",
		"INFO commandstats default": strings.Replace(def, "Errorstats", "Commandstats Errorstats", 1),
		"INFO debug":                "Debug", "INFO dozo": "Dozo", "INFO cpu nosuch CPU": "CPU",
	} {
		if got := sections(line); got != want {
			t.Errorf("%s shows %s, want %s", line, got, want)
		}
	}
	c.must("HELLO 3")
	if v := c.must("INFO server"); v.Kind != '=' || !strings.HasPrefix(v.Str, "txt:# Server\r\nredis_version:7.2") {
		t.Errorf("INFO in RESP3: %c %.40q", v.Kind, v.Str)
	}
}

// TestInfoCounts does known things and looks for them.
func TestInfoCounts(t *testing.T) {
	eachVariant(t, func(t *testing.T, start func(...string) *dozo.Server) {
		srv := start()
		a, b := dial(t, srv.Addr()), dial(t, srv.Addr())
		a.must("SET k 1")
		b.must("SET volatile 1 PX 1000000")
		a.must("GET k")
		b.must("GET k")
		a.do("GET")
		b.do("NOSUCH")
		a.do("INCR volatile x")
		b.must("SET s text")
		a.do("INCR s")
		b.must("SUBSCRIBE ch")
		want := map[string]string{
			"connected_clients": "2", "total_connections_received": "2", "keyspace_hits": "2", "keyspace_misses": "0",
			"rdb_changes_since_last_save": "3", "pubsub_channels": "1", "total_error_replies": "4", "errorstat_ERR": "count=4",
			"role": "master", "blocked_clients": "0", "tcp_port": srv.Addr()[strings.LastIndex(srv.Addr(), ":")+1:],
		}
		text := a.must("INFO everything").Str
		for field, value := range want {
			if got := testutil.InfoField(text, field); got != value {
				t.Errorf("%s: %s, want %s", field, got, value)
			}
		}
		if db0 := testutil.InfoField(text, "db0"); !regexp.MustCompile(`^keys=3,expires=1,avg_ttl=(99\d{4}|1000000),subexpiry=0$`).MatchString(db0) {
			t.Errorf("db0: %s", db0)
		}
		for field, pattern := range map[string]string{
			"cmdstat_set": `^calls=3,usec=\d+,usec_per_call=\d+\.\d\d,rejected_calls=0,failed_calls=0$`,
			"cmdstat_get": `^calls=2,.*,rejected_calls=1,failed_calls=0$`, "cmdstat_incr": `^calls=1,.*,rejected_calls=1,failed_calls=1$`,
			"latency_percentiles_usec_set": `^p50=\d+\.\d{3},p99=\d+\.\d{3},p99\.9=\d+\.\d{3}$`,
		} {
			if got := testutil.InfoField(text, field); !regexp.MustCompile(pattern).MatchString(got) {
				t.Errorf("%s: %s", field, got)
			}
		}
		a.must("CONFIG RESETSTAT")
		text = a.must("INFO everything").Str
		for field, value := range map[string]string{
			"keyspace_hits": "0", "total_error_replies": "0", "errorstat_ERR": "", "cmdstat_set": "", "total_connections_received": "0",
			"connected_clients": "2", "rdb_changes_since_last_save": "3", "total_commands_processed": "1",
		} {
			if got := testutil.InfoField(text, field); got != value {
				t.Errorf("after RESETSTAT %s: %s, want %s", field, got, value)
			}
		}
	})
}

// TestInfoPurposes: the bytes by purpose add up to what the allocator says.
func TestInfoPurposes(t *testing.T) {
	c := dial(t, serve(t, dozo.Options{}, "io-threads", "2").Addr())
	c.must("DEBUG POPULATE 20000 key 50")
	text := c.must("INFO everything").Str
	sum := int64(0)
	for _, name := range []string{
		"entry", "value", "table", "expiry", "log", "listpack", "intset", "quicklist", "btree", "stream", "snapshot",
	} {
		sum += atoi(t, testutil.InfoField(text, "arena_"+name+"_bytes"))
	}
	if allocated := atoi(t, testutil.InfoField(text, "allocator_allocated")); sum != allocated || allocated < 20000*60 {
		t.Errorf("purposes add up to %d, allocator_allocated is %d", sum, allocated)
	}
	// Of one reply: they change between two.
	memory := func(field string) int64 { return atoi(t, testutil.InfoField(text, field)) }
	used, dataset, overhead := memory("used_memory"), memory("used_memory_dataset"), memory("used_memory_overhead")
	if dataset+overhead != used || memory("used_memory_peak") < used || memory("used_memory_rss") < used {
		t.Errorf("used %d = dataset %d + overhead %d?", used, dataset, overhead)
	}
}
