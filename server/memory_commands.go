package server

import (
	"fmt"
	"runtime/debug"
	"strings"

	"dozo/arena"
	"dozo/command"
	"dozo/resp"
	"dozo/text"
)

// memoryCommands is the MEMORY family.
var memoryCommands = []command.Spec{{
	Name: "MEMORY", Group: command.Server, Since: "4.0.0",
	Summary: "Commands about the use of memory.",
	Subs: []command.Spec{
		{
			Name: "DOCTOR", Handler: memoryDoctor, Group: command.Server, Since: "4.0.0", Complexity: "O(1)",
			Flags:   command.Exclusive,
			Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
			Summary: "Explains in words what is odd about the use of memory.",
		},
		{
			Name: "HELP", Handler: command.Help, Group: command.Server, Since: "4.0.0", Complexity: "O(1)",
			Flags:   command.Loading | command.Stale,
			Summary: "Lists the subcommands.",
		},
		{
			Name: "MALLOC-STATS", Handler: memoryMallocStats, Group: command.Server, Since: "4.0.0", Complexity: "O(N) in the allocated memory",
			Flags:   command.Exclusive,
			Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
			Summary: "Shows the inside of the allocator.",
		},
		{
			Name: "PURGE", Handler: memoryPurge, Group: command.Server, Since: "4.0.0", Complexity: "O(N) in the allocated memory",
			Tips:    []string{"request_policy:all_shards", "response_policy:all_succeeded"},
			Summary: "Gives unused memory back to the system.",
		},
		{
			Name: "STATS", Handler: memoryStats, Group: command.Server, Since: "4.0.0", Complexity: "O(1)",
			Flags:   command.Exclusive,
			Tips:    []string{"nondeterministic_output", "request_policy:all_shards", "response_policy:special"},
			Summary: "Tells what the memory is used for.",
		},
		{
			Name: "USAGE", Handler: memoryUsage, Group: command.Server, Since: "4.0.0", Complexity: "O(N) for N samples",
			Syntax:  "key [SAMPLES count]",
			Flags:   command.ReadOnly,
			Keys:    []command.KeySpec{command.At(2, command.RO)},
			Summary: "Estimates the bytes that a key and its value take.",
		},
	},
}}

const (
	// slotBytes is a key's share of its table: a word, at the usual load.
	slotBytes = 10
	// wheelBytes is a record in the timing wheel, with its share of a chunk.
	wheelBytes = 10
)

// usageSamples is how many elements of a large value MEMORY USAGE measures unless it
// is told otherwise.
const usageSamples = 5

// memoryUsage is MEMORY USAGE key [SAMPLES count].
func memoryUsage(c *command.Context) error {
	samples := int64(usageSamples)
	for i := 3; i < len(c.Args); i += 2 {
		if !text.EqualFold(c.Args[i], "SAMPLES") || i+1 == len(c.Args) {
			return command.ErrSyntax
		}
		n, err := argInt(c.Args[i+1])
		if err != nil {
			return err
		}
		if n < 0 {
			return command.ErrSyntax
		}
		samples = n
	}
	cell := c.Peek(c.Args[2])
	if !cell.Ok() {
		c.Out.Null()
		return nil
	}
	n := cell.MemoryUsage(int(samples)) + slotBytes
	if cell.Entry.HasDeadline() {
		n += wheelBytes
	}
	c.Out.Int(int64(n))
	return nil
}

// memoryPurge gives free memory back: the arena's at once, the Go heap's soon,
// since that takes a collection.
func memoryPurge(c *command.Context) error {
	serverOf(c).ks.Arena().Purge()
	go debug.FreeOSMemory()
	c.Out.OK()
	return nil
}

// statsWriter writes the map of MEMORY STATS.
type statsWriter struct {
	out *resp.Writer
	n   int
}

func (w *statsWriter) int(name string, v int64) {
	w.out.BulkString(name)
	w.out.Int(v)
	w.n++
}

func (w *statsWriter) double(name string, v float64) {
	w.out.BulkString(name)
	w.out.Double(v)
	w.n++
}

func memoryStats(c *command.Context) error {
	s := serverOf(c)
	m := s.memoryUse(c.View)
	mark := c.Out.DeferLen()
	w := &statsWriter{out: c.Out}
	w.int("peak.allocated", m.peak)
	w.int("total.allocated", m.used)
	w.int("startup.allocated", m.startup)
	w.int("replication.backlog", m.backlog())
	w.int("clients.slaves", m.replicas)
	w.int("clients.normal", m.clients)
	w.int("cluster.links", 0)
	w.int("aof.buffer", m.file)
	w.int("lua.caches", 0)
	w.int("functions.caches", 0)
	w.databases(&m)
	w.int("overhead.total", m.overhead)
	w.int("keys.count", m.keys)
	w.int("keys.bytes-per-key", m.net()/max(m.keys, 1)*min(m.keys, 1))
	w.int("dataset.bytes", m.dataset)
	w.double("dataset.percentage", m.datasetPercent())
	w.double("peak.percentage", m.peakPercent())
	w.allocator(&m)
	for p, bytes := range s.purposes() {
		w.int("arena."+arena.Purpose(p).String(), bytes)
	}
	c.Out.EndMap(mark, w.n)
	return nil
}

func (w *statsWriter) databases(m *memoryUse) {
	for _, d := range m.databases {
		w.out.BulkString(fmt.Sprintf("db.%d", d.db))
		w.n++
		w.out.Map(3)
		inner := statsWriter{out: w.out}
		inner.int("overhead.hashtable.main", d.TableBytes)
		inner.int("overhead.hashtable.expires", d.WheelBytes)
		inner.int("overhead.hashtable.slot-to-keys", 0)
	}
}

func (w *statsWriter) allocator(m *memoryUse) {
	allocated, active, resident := m.arena.Used, m.active(), m.allocatorResident()
	w.int("allocator.allocated", allocated)
	w.int("allocator.active", active)
	w.int("allocator.resident", resident)
	w.double("allocator-fragmentation.ratio", ratio(active, allocated))
	w.int("allocator-fragmentation.bytes", active-allocated)
	w.double("allocator-rss.ratio", ratio(resident, active))
	w.int("allocator-rss.bytes", resident-active)
	w.double("rss-overhead.ratio", ratio(m.resident, resident))
	w.int("rss-overhead.bytes", m.resident-resident)
	w.double("fragmentation", ratio(m.resident, m.used))
	w.int("fragmentation.bytes", m.resident-m.used)
}

func memoryMallocStats(c *command.Context) error {
	s := serverOf(c)
	s.ks.Publish()
	a, g := s.ks.Arena().Stats(), goRuntime()
	var b strings.Builder
	fmt.Fprintf(&b, "___ Begin arena statistics ___\n")
	fmt.Fprintf(&b, "Reserved: %d, committed: %d, handed out: %d, in use: %d\n", a.Reserved, a.Committed, a.Mapped, a.Used)
	fmt.Fprintf(&b, "Free: %d with pages, %d without; given back so far: %d; descriptors: %d\n", a.Free, a.Clean, a.Purged, a.Meta)
	fmt.Fprintf(&b, "Heaps: %d, slabs: %d, large blocks: %d; handed out, but never touched: %d\n", a.Heaps, a.Slabs, a.Larges, s.ks.Untouched())
	fmt.Fprintf(&b, "In use by purpose:\n")
	for p, bytes := range s.purposes() {
		fmt.Fprintf(&b, "  %-10s %d\n", arena.Purpose(p), bytes)
	}
	fmt.Fprintf(&b, "Go runtime: %d bytes of objects, %d from the system, %d collections, longest pause %v\n", g.objects, g.total, g.cycles, g.pauseMax)
	fmt.Fprintf(&b, "--- End arena statistics ---\n")
	c.Out.Verbatim("txt", b.String())
	return nil
}

const (
	// What MEMORY DOCTOR finds odd.
	doctorLeastUsed    = 5 << 20
	doctorPeakRatio    = 1.5
	doctorTotalRatio   = 1.4
	doctorRatio        = 1.1
	doctorBytes        = 10 << 20
	doctorClientsBytes = 200 << 10
)

// finding is something that MEMORY DOCTOR looks for.
type finding struct {
	odd  bool
	text string
}

func memoryDoctor(c *command.Context) error {
	s := serverOf(c)
	m := s.memoryUse(c.View)
	c.Out.Verbatim("txt", doctorReport(&m, int64(len(s.everyone()))))
	return nil
}

func doctorReport(m *memoryUse, clients int64) string {
	if m.used < doctorLeastUsed {
		return "The data set is empty or very small: there is not enough memory in use to tell anything about it.\n"
	}
	var b strings.Builder
	for _, f := range doctorFindings(m, clients) {
		if f.odd {
			b.WriteString(" * " + f.text + "\n")
		}
	}
	if b.Len() == 0 {
		return "Nothing is odd about the use of memory.\n"
	}
	return "This is worth a look:\n\n" + b.String()
}

func doctorFindings(m *memoryUse, clients int64) []finding {
	tooMuch := func(a, b int64, limit float64) bool { return ratio(a, b) > limit && a-b > doctorBytes }
	resident := m.allocatorResident()
	return []finding{
		{ratio(m.peak, m.used) > doctorPeakRatio,
			"Peak memory: much more was in use at some time than is now. The free part goes back to the system bit by bit; MEMORY PURGE does it at once."},
		{tooMuch(m.resident, m.used, doctorTotalRatio),
			"High total RSS: the process has far more memory resident than is in use. The following points say where it is."},
		{tooMuch(m.active(), m.arena.Used, doctorRatio),
			"High allocator fragmentation: slabs are partly empty, as after many deletions of mixed sizes. New keys of such sizes fill them again; CONFIG SET activedefrag yes empties them."},
		{tooMuch(resident, m.active(), doctorRatio),
			"High allocator RSS overhead: free memory has not gone back to the system yet. MEMORY PURGE gives it back."},
		{tooMuch(m.resident, resident, doctorRatio),
			"High process RSS overhead: memory outside the arena is large. INFO dozo shows what the Go runtime takes; buffers of connections are in it."},
		{clients > 0 && m.clients/clients > doctorClientsBytes,
			"Big client buffers: connections take more than 200 KiB on average. CLIENT LIST shows which (qbuf, omem); maxmemory-clients limits them."},
	}
}
