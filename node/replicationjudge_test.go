package node_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"dozo/rescue"
)

// What must be so in the end of a run of the randomised test of replication.

// settle mends all, and has everybody follow one primary in the end.
func (s *sim) settle() {
	s.say("all is mended")
	s.mend()
	for _, n := range s.nodes {
		n.do("CLIENT", "UNPAUSE")
	}
	if !s.gentle {
		order := s.rnd.Perm(len(s.nodes))
		s.lead(s.nodes[order[0]])
		for i, at := range order[1:] {
			s.followAt(s.nodes[at], order[s.rnd.IntN(i+1)])
		}
	}
	s.agree()
}

// agree waits until all have the same.
func (s *sim) agree() {
	var differ string
	for end := time.Now().Add(simPatience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if differ = s.difference(); differ == "" {
			if differ = s.different(); differ == "" {
				return
			}
		}
	}
	s.fail("%s\n%s", differ, s.different())
}

// different are the keys that are not the same everywhere, with their deadlines.
func (s *sim) different() string {
	had := map[string][]string{}
	for i, n := range s.nodes {
		for key, value := range n.survey() {
			if had[key] == nil {
				had[key] = make([]string, len(s.nodes))
			}
			had[key][i] = value
		}
	}
	maps.DeleteFunc(had, func(_ string, of []string) bool { return len(slices.Compact(slices.Clone(of))) == 1 })
	if len(had) == 0 {
		return ""
	}
	return fmt.Sprintf("%q", had)
}

// survey is all that a client can see of a node's data.
func (n *simNode) survey() map[string]string {
	all := map[string]string{}
	fields := []string{"FIELDS", "20"}
	for i := range 20 {
		fields = append(fields, fmt.Sprint("f", i))
	}
	for db := range simDBs {
		n.do("SELECT", strconv.Itoa(db))
		keys := n.do("KEYS", "*").Strings()
		var asked [][]string
		for _, key := range keys {
			asked = append(asked, []string{"DEBUG", "DIGEST-VALUE", key}, []string{"PEXPIRETIME", key},
				append([]string{"HPEXPIRETIME", key}, fields...))
		}
		replies := n.doAll(asked)
		for i, key := range keys {
			all[fmt.Sprintf("%d %q", db, key)] = strings.Join(replies[3*i:3*i+3], " ")
		}
	}
	return all
}

// doAll sends many commands at once, on the connection of the driver.
func (n *simNode) doAll(asked [][]string) (replies []string) {
	c := n.conns[connForDriver]
	for _, words := range asked {
		c.Queue(words...)
	}
	noError(n.sim.t, c.Flush())
	for range asked {
		raw, err := c.ReadRaw()
		if err != nil {
			n.sim.hung(fmt.Sprintf("%s: what is asked of its keys: %v", n.name(), err))
		}
		replies = append(replies, string(raw))
	}
	return replies
}

// difference is what is not the same everywhere, "" if all is.
func (s *sim) difference() string {
	var all [4]string
	for i, what := range []func(n *simNode) string{
		func(n *simNode) string { return n.info("replication", "master_replid") },
		func(n *simNode) string { return n.info("replication", "master_repl_offset") },
		func(n *simNode) string { return n.do("DEBUG", "DIGEST").Str },
		(*simNode).counts,
	} {
		for _, n := range s.nodes {
			if n.of >= 0 && n.info("replication", "master_link_status") != "up" {
				s.insist(n)
				return "the link of " + n.name() + " is down"
			}
			all[i] += " " + what(n)
		}
		if parts := strings.Fields(all[i]); len(slices.Compact(parts)) != 1 {
			return fmt.Sprintf("they differ: %q", all)
		}
	}
	return ""
}

// counts are how many keys the databases have, hidden ones too. What clients wrote to a
// replica may lie hidden on those that had a snapshot of it.
func (n *simNode) counts() string {
	if n.sim.strays {
		return "0"
	}
	counts := "0"
	for line := range strings.Lines(n.do("INFO", "keyspace").Str) {
		number, _, _ := strings.Cut(line, ",avg_ttl")
		counts += ";" + strings.TrimSpace(number)
	}
	return strings.ReplaceAll(counts, " ", "")
}

// insist says to a replica that keeps its data that its primary's is right.
func (s *sim) insist(n *simNode) {
	if !s.gentle && n.info("replication", "dozo_wipe_guard") == "1" {
		s.followAt(n, n.of)
	}
}

// sent is how many snapshots there were.
func (s *sim) sent() (all int) {
	for _, n := range s.nodes {
		all += n.full + n.sent()
	}
	return all
}

// simMemory is what a node without data may need: the log of replicas, and buffers.
const simMemory = 24 << 20

// judge looks at what must be so in the end.
func (s *sim) judge() {
	for _, n := range s.nodes {
		n.do("SELECT", "0")
		for key, want := range s.promised {
			if v := n.do("GET", key); v.Str != want {
				s.fail("%s is %v at %s, and all had %q", key, v, n.name(), want)
			}
		}
		if strings.Contains(n.log.String(), "CRITICAL") {
			s.fail("%s could not obey", n.name())
		}
	}
	s.account()
	if got := s.sent(); s.gentle && got != s.fulls {
		s.fail("%d snapshots were sent while histories were one", got-s.fulls)
	}
	if !s.strays && s.chance(2) {
		s.startAnew()
	}
	for _, n := range s.nodes {
		if n.of < 0 {
			n.do("FLUSHALL")
		}
	}
	s.agree()
	for _, n := range s.nodes {
		for end := time.Now().Add(simPatience); n.number("memory", "used_memory") > simMemory; time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				s.fail("%s has %d bytes of memory and no data", n.name(), n.number("memory", "used_memory"))
			}
		}
	}
}

// account looks for all that clients were told to be done.
func (s *sim) account() {
	var missing []string
	n := s.nodes[0]
	n.do("SELECT", "0")
	for key := range s.acked {
		if n.do("GET", key).Str != key {
			missing = append(missing, key)
		}
	}
	kept := s.rescued()
	missing = slices.DeleteFunc(missing, func(key string) bool { return strings.Contains(kept, key) })
	if len(missing) == 0 || s.incomplete() {
		s.t.Logf("%d writes were acknowledged; %d are in no file", len(s.acked), len(missing))
		return
	}
	slices.Sort(missing)
	s.fail("of %d writes that were acknowledged %d are neither there nor in a rescue file: %s (of node %d)",
		len(s.acked), len(missing), missing, s.acked[missing[0]])
}

// rescued is what all rescue files have.
func (s *sim) rescued() string {
	var b strings.Builder
	for _, n := range s.nodes {
		list, faults, err := rescue.List(n.disk, "/data")
		noError(s.t, err)
		if len(faults) != 0 {
			s.fail("%s: %v", n.name(), faults)
		}
		for _, f := range list {
			data, err := n.disk.ReadFile("/data/" + f.Name)
			noError(s.t, err)
			b.Write(data)
		}
	}
	return b.String()
}

// incomplete tells whether a node has said that it dropped what is in no file.
func (s *sim) incomplete() bool {
	return slices.ContainsFunc(s.nodes, func(n *simNode) bool {
		log := n.log.String()
		return strings.Contains(log, "are lost (a larger repl-backlog-size") || strings.Contains(log, "nobody knows what of them it has")
	})
}

// dated is in the survey of what has a deadline, or has fields that do.
var dated = regexp.MustCompile(`:[0-9]{13}`)

// startAnew has all that keep their data end in good order and go on.
func (s *sim) startAnew() {
	s.say("all start anew")
	fulls := s.sent()
	want := s.nodes[0].survey()
	for _, n := range s.nodes {
		if n.kind != keepsNothing {
			s.agree()
			n.again()
		}
	}
	s.agree()
	got := s.nodes[0].survey()
	for key, value := range want {
		if got[key] != value && got[key] != "" && !dated.MatchString(value) { // else its time may be over
			s.fail("after all started anew %s is %q, and before it was %q", key, got[key], value)
		}
	}
	if len(got) > len(want) {
		s.fail("after all started anew there are keys that were gone: %q, and before %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
	if s.sent() != fulls {
		s.fail("%d snapshots were sent when all started anew", s.sent()-fulls)
	}
}
