package server

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"dozo/command"
	"dozo/oplog"
	"dozo/text"
)

// DEBUG is for tests and for finding faults. Programs that test Redis use it much,
// so what makes sense here answers as they expect; what is about the inside of
// another program (JMAP, MALLCTL, STRUCTSIZE) is an unknown subcommand.

// debugSwitches are set by DEBUG. They are read by the loops at any time.
type debugSwitches struct {
	pauseCron atomic.Bool // no periodic work
	// denyScripts: whether commands that scripts may not call are allowed to them.
	scriptsMayAll bool
}

// debugCommand is one subcommand of DEBUG.
type debugCommand struct {
	name, syntax, summary string
	min, max              int // words of the call, DEBUG included
	run                   command.Handler
}

// debugAny is the number of words of subcommands that take any number.
const debugAny = 1 << 20

// debugTable is not a plain variable since HELP refers to it.
func debugTable() []debugCommand {
	return []debugCommand{
		{"AOF-FLUSH-SLEEP", "<microsec>", "Pause before each write to the append only file.", 3, 3, debugSlowAOF},
		{"ASSERT", "", "Crash as a broken invariant does.", 2, 2, debugAssert},
		{"CHANGE-REPL-ID", "", "Change the replication ID of the server.", 2, 2, debugChangeReplID},
		{"CLIENT-EVICTION", "", "Show how the memory of clients is distributed.", 2, 2, debugClientEviction},
		{"CONFIG-REWRITE-FORCE-ALL", "", "Like CONFIG REWRITE, with directives at their defaults too.", 2, 2, debugRewriteAll},
		{"DICT-RESIZING", "<0|1>", "Accepted: tables have no resizing that could be stopped.", 3, 3, debugAccept},
		{"DIGEST", "", "Show a sum of the whole data set.", 2, 2, debugDigest},
		{"DIGEST-VALUE", "<key> [<key> ...]", "Show a sum of each value.", 2, debugAny, debugDigestValue},
		{"ERROR", "<string>", "Reply an error with this text.", 3, 3, debugError},
		{"HELP", "", "Print this help.", 2, 2, debugHelp},
		{"HTSTATS", "<dbid> [full]", "Show figures of a database's tables.", 3, 4, debugTableStats},
		{"HTSTATS-KEY", "<key> [full]", "Show figures of a value's table.", 3, 4, debugTableStatsKey},
		{"LISTPACK", "<key>", "Write a listpack's bytes to the log.", 3, 3, debugListpack},
		{"LOADAOF", "", "Empty the data set and load the append only file.", 2, 2, debugLoadAOF},
		{"LOG", "<message>", "Write a message to the log.", 3, 3, debugLog},
		{"OBJECT", "<key> [fast]", "Show how a value is stored.", 3, 4, debugObject},
		{"OOM", "", "Crash as when memory runs out.", 2, 2, debugOOM},
		{"PANIC", "", "Crash as a bug does.", 2, 2, debugPanic},
		{"PAUSE-CRON", "<0|1>", "Stop periodic work, or go on with it.", 3, 3, debugPauseCron},
		{"POPULATE", "<count> [<prefix>] [<size>]", "Make keys without telling replicas.", 3, 5, debugPopulate},
		{"PROTOCOL", "<type>", "Reply a value of this type of the protocol.", 3, 3, debugProtocol},
		{"QUICKLIST", "<key> [<0|1>]", "Write a quicklist's shape to the log.", 3, 4, debugQuicklist},
		{"QUICKLIST-PACKED-THRESHOLD", "<size>", "Set the size from which on an element of a list has a node of its own.", 3, 3, debugPackedThreshold},
		{"RELOAD", "[MERGE] [NOFLUSH] [NOSAVE]", "Save the data set and load it again.", 2, 5, debugReload},
		{"REPLICATE", "<command> [<arg> ...]", "Send replicas a command that is not executed here.", 3, debugAny, debugReplicate},
		{"REPLYBUFFER", "<PEAK-RESET-TIME|RESIZING> <value>", "Accepted: reply buffers belong to the loop and are not resized by time.", 4, 4, debugReplyBuffer},
		{"SEGFAULT", "", "Crash by a bad access to memory.", 2, 2, debugSegfault},
		{"SET-ACTIVE-EXPIRE", "<0|1>", "Stop removing keys when their time is over, or go on with it.", 3, 3, debugActiveExpire},
		{"SET-DISABLE-DENY-SCRIPTS", "<0|1>", "Let scripts call what they may not.", 3, 3, debugDenyScripts},
		{"SET-SKIP-CHECKSUM-VALIDATION", "<0|1>", "Skip the checks of checksums of RDB files and RESTORE.", 3, 3, debugSkipChecksum},
		{"SLEEP", "<seconds>", "Stop the whole server for a time.", 3, 3, debugSleep},
		{"STRINGMATCH-LEN", "<pattern> <string>", "Tell whether a glob pattern matches.", 4, 4, debugStringMatch},
	}
}

// debugCall is DEBUG subcommand [argument ...].
func debugCall(c *command.Context) error {
	for _, d := range debugTable() {
		if text.EqualFold(c.Args[1], d.name) && d.min <= len(c.Args) && len(c.Args) <= d.max {
			if serverOf(c).attends(attnLoading) && slices.Contains(debugOfData, d.name) {
				return command.ErrLoading
			}
			return d.run(c)
		}
	}
	return command.WrongArgs(c)
}

// debugOfData are the subcommands that look at keys.
var debugOfData = []string{
	"DIGEST", "DIGEST-VALUE", "HTSTATS", "HTSTATS-KEY", "LISTPACK", "LOADAOF", "OBJECT", "POPULATE", "QUICKLIST", "RELOAD",
}

func debugHelp(c *command.Context) error {
	lines := []string{"DEBUG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"}
	for _, d := range debugTable() {
		lines = append(lines, strings.TrimSpace(d.name+" "+d.syntax), "    "+d.summary)
	}
	c.Out.Array(len(lines))
	for _, l := range lines {
		c.Out.SimpleString(l)
	}
	return nil
}

// debugReplicate sends replicas what tests want to see them do with it.
func debugReplicate(c *command.Context) error {
	s := serverOf(c)
	switch {
	case s.logUsers&LogFile != 0:
		return command.ReplyError("ERR the append only file would have the command, too, and no start could execute it")
	case s.records():
		s.log.Append(oplog.NoDB, oplog.AppendCommand(nil, c.Args[2:]...))
	}
	c.Out.OK()
	return nil
}

// debugAccept is for switches of things that are not here to be switched.
func debugAccept(c *command.Context) error {
	c.Out.OK()
	return nil
}

// flag is an argument that is 0, or something else.
func flag(arg []byte) bool {
	n, _ := text.ParseInt(arg)
	return n != 0
}

func debugError(c *command.Context) error {
	return command.ReplyError(c.Args[2])
}

func debugLog(c *command.Context) error {
	serverOf(c).logf(Warning, "DEBUG LOG: %s", c.Args[2])
	c.Out.OK()
	return nil
}

// debugSleep stops everything: DEBUG runs alone.
func debugSleep(c *command.Context) error {
	seconds, _ := text.ParseFloat(c.Args[2])
	if seconds > 0 {
		Sleep(time.Duration(seconds * float64(time.Second)))
	}
	c.Out.OK()
	return nil
}

func debugPauseCron(c *command.Context) error {
	serverOf(c).debug.pauseCron.Store(flag(c.Args[2]))
	c.Out.OK()
	return nil
}

func debugDenyScripts(c *command.Context) error {
	serverOf(c).debug.scriptsMayAll = flag(c.Args[2])
	c.Out.OK()
	return nil
}

// changeSettings replaces the handlers' settings by changed ones.
func (s *Server) changeSettings(change func(*command.Settings)) {
	next := *s.settings.Load()
	change(&next)
	s.settings.Store(&next)
}

func debugActiveExpire(c *command.Context) error {
	serverOf(c).changeSettings(func(set *command.Settings) { set.ActiveExpireStop = !flag(c.Args[2]) })
	c.Out.OK()
	return nil
}

func debugSkipChecksum(c *command.Context) error {
	serverOf(c).changeSettings(func(set *command.Settings) { set.SkipChecksum = flag(c.Args[2]) })
	c.Out.OK()
	return nil
}

func debugChangeReplID(c *command.Context) error {
	s := serverOf(c)
	s.logf(Notice, "Changing replication IDs after receiving DEBUG change-repl-id")
	s.renameHistory()
	s.replicas.renamed("its replication ID was changed by DEBUG")
	c.Out.OK()
	return nil
}

func debugRewriteAll(c *command.Context) error {
	return rewrite(c, true, func(err error) error {
		return command.ReplyError("ERR CONFIG-REWRITE-FORCE-ALL failed: " + dropCode(err.Error()))
	})
}

// packedThresholdMax is the most that a genuine server takes.
const packedThresholdMax = 1<<32 - 1<<20

func debugPackedThreshold(c *command.Context) error {
	n, ok := parseMemory(lower(c.Args[2]))
	if !ok || n > packedThresholdMax {
		return command.ReplyError("ERR argument must be a memory value bigger than 1 and smaller than 4gb")
	}
	serverOf(c).changeSettings(func(set *command.Settings) { set.Limits.List.PlainFrom = int(n) })
	c.Out.OK()
	return nil
}

// parseMemory reads a number of bytes with a unit, in lower case.
func parseMemory(s string) (int64, bool) {
	digits := strings.TrimRight(s, "bkmg")
	n, ok := text.ParseInt([]byte(digits))
	unit, known := map[string]int64{
		"": 1, "b": 1, "k": 1e3, "kb": 1 << 10, "m": 1e6, "mb": 1 << 20, "g": 1e9, "gb": 1 << 30,
	}[s[len(digits):]]
	if !ok || !known || n < 0 || n > packedThresholdMax {
		return 0, false
	}
	return n * unit, true
}

func debugReplyBuffer(c *command.Context) error {
	switch lower(c.Args[2]) {
	case "peak-reset-time":
		if v := lower(c.Args[3]); v != "never" && v != "reset" {
			if _, err := argInt(c.Args[3]); err != nil {
				return err
			}
		}
	case "resizing":
	default:
		return command.WrongArgs(c)
	}
	c.Out.OK()
	return nil
}

func debugStringMatch(c *command.Context) error {
	n := int64(0)
	if text.Match(c.Args[2], c.Args[3], false) {
		n = 1
	}
	c.Out.Int(n)
	return nil
}

// How DEBUG CLIENT-EVICTION sorts clients: by powers of two from the first on.
const (
	evictionFirstPower = 15
	evictionBuckets    = 19
)

func debugClientEviction(c *command.Context) error {
	s := serverOf(c)
	if s.live.Load().clientLimit == 0 {
		return command.ReplyError("ERR maxmemory-clients is disabled.")
	}
	var count, sum [evictionBuckets]int64
	for _, cl := range s.everyone() {
		i := 0
		for cl.counted>>(evictionFirstPower+i) != 0 && i < evictionBuckets-1 {
			i++
		}
		count[i]++
		sum[i] += cl.counted
	}
	var b strings.Builder
	for i := range count {
		low, high := int64(0), fmt.Sprintf(" - %10d: ", int64(1)<<(evictionFirstPower+i)-1)
		if i > 0 {
			low = 1 << (evictionFirstPower + i - 1)
		}
		if i == evictionBuckets-1 {
			high = "+            : "
		}
		fmt.Fprintf(&b, "bucket %10d%stot-mem: %10d, clients: %d\n", low, high, sum[i], count[i])
	}
	c.Out.Verbatim("txt", b.String())
	return nil
}
