package server

import (
	"time"

	"dozo/command"
	"dozo/keyspace"
	"dozo/resp"
)

// Persistence is what makes the data outlive the process (package persist). A server
// without one keeps it in memory only.
type Persistence interface {
	// Walking tells whether Step has anything to do. It is asked in each round.
	Walking() bool
	// Step does some of it, about n bytes, in the shards of one executor (every step-th
	// from first), and tells whether there is more to do at once. No shard is held.
	Step(v *keyspace.View, first, step, n int) (more bool)
	// BeginStream has a snapshot begin, now or when what is being written has ended;
	// ForgetStream takes back one that has not begun, and tells whether it had not. Both
	// alone.
	BeginStream(v *keyspace.View, o *SnapshotStream)
	ForgetStream(o *SnapshotStream) bool
	// Tick is called some times a second, and Status when somebody asks, both with no
	// other executor inside.
	Tick(v *keyspace.View)
	Status() PersistenceStatus
	// Reload is DEBUG RELOAD, ReloadAOF is DEBUG LOADAOF, both with no other executor
	// inside until they are through.
	Reload(v *keyspace.View, o ReloadOptions) error
	ReloadAOF(v *keyspace.View) error
	// SlowAOF is DEBUG AOF-FLUSH-SLEEP: pause is called before each write to the append
	// only file, by who writes it; nil = no more. With no other executor inside.
	SlowAOF(pause func())
	// KeepLibrary does what a FUNCTION command says with the libraries that are kept, and
	// tells whether it is one that changes them. args are the words behind the name. With
	// no other executor inside.
	KeepLibrary(args [][]byte) (changes bool)
	// NoteHistory is called whenever the log begins to be of another history, or becomes one
	// that others may follow; alone.
	NoteHistory()
	// AbortShutdown ends the save with which a shutdown has begun.
	AbortShutdown()
	// ResetStats is CONFIG RESETSTAT.
	ResetStats()
}

// ReloadOptions are those of DEBUG RELOAD.
type ReloadOptions struct{ Merge, NoFlush, NoSave bool }

// PersistenceStatus is what INFO says of persistence. Times of day are Unix seconds,
// durations seconds, -1 = none so far.
type PersistenceStatus struct {
	Loading                      bool // clients are refused
	Receiving                    bool // a primary's snapshot is loaded beside what is served
	SaveKeysDone, SaveKeysTotal  int64
	SaveElapsed                  float64 // of the save or rewrite that runs, 0 = none does
	SaveHeld, SaveHeldPeak       int64   // bytes that wait for their writer, and the most that did
	LastSavePeak                 int64
	LastRewritePeak              int64
	Changes                      int64 // since the last save
	Saving                       bool
	SavedAt                      int64
	SaveFailed                   bool
	LastSaveSeconds, SaveSeconds int64
	Saves                        int64

	AOF, AOFStarting, AOFFault         bool
	AOFSize, AOFBaseSize, AOFPending   int64 // bytes
	AOFDelayed                         int64 // fsyncs
	Rewriting, RewriteScheduled        bool
	RewriteFailed                      bool // the last one
	LastRewriteSeconds, RewriteSeconds int64
	Rewrites, RewriteFailures          int64

	LoadStarted, LoadTotal, LoadDone int64 // a time of day; bytes
	LoadUsedMemory                   int64 // bytes, when the file was written
	LoadSeconds                      float64
	LastLoadKeys, LastLoadExpired    int64
}

// walkSlice is how many bytes of records a loop makes for a snapshot in one round: some
// 60 us of short strings, less of longer ones.
const walkSlice = 16 << 10

// walkPoll is how often a loop looks whether a snapshot that waits for its writer can
// go on.
const walkPoll = time.Millisecond

// walkSnapshot does this loop's part of a snapshot between two rounds.
func (w *worker) walkSnapshot(p Persistence) {
	var more bool
	w.gated(func() { more = p.Step(w.view, w.index, len(w.srv.workers), walkSlice) })
	switch now := w.srv.clock.Monotonic(); {
	case more:
		w.loop.WakeBy(w.loop.Now())
	case p.Walking():
		w.loop.WakeBy(now + walkPoll)
	}
}

// Alone has fn run by a loop, soon, while no other executes. It may be called by
// anyone; when the server ends before, fn is forgotten.
func (s *Server) Alone(fn func(v *keyspace.View)) {
	s.workers[0].call(func(w *worker) { w.alone(func() { fn(w.view) }) })
}

// AloneWait is Alone, and waits until fn has been run, or never will be, which it tells. It
// is not called on a loop.
func (s *Server) AloneWait(fn func(v *keyspace.View)) (done bool) {
	ran := make(chan struct{})
	s.Alone(func(v *keyspace.View) {
		defer close(ran)
		fn(v)
	})
	select {
	case <-ran:
		return true
	case <-s.over:
	}
	select {
	case <-ran: // both have happened
		return true
	default:
		return false
	}
}

// AloneView is the view of the loop that runs alone; nil = none does.
func (s *Server) AloneView() *keyspace.View {
	for _, w := range s.workers {
		if w.isAlone {
			return w.view
		}
	}
	return nil
}

// InTransaction tells whether the loop that runs alone is within a transaction, of which
// nothing is in the log before its end. Only alone.
func (s *Server) InTransaction() bool {
	for _, w := range s.workers {
		if w.isAlone {
			return w.inExec
		}
	}
	return false
}

// RunID is INFO's run_id.
func (s *Server) RunID() string { return s.runID }

// Keyspace is the server's data.
func (s *Server) Keyspace() *keyspace.Keyspace { return s.ks }

// Settings are those of commands.
func (s *Server) Settings() *command.Settings { return s.settings.Load() }

// NoteLatency is for what others than loops wait for.
func (s *Server) NoteLatency(event string, took time.Duration) { s.noteLatency(event, took) }

// Record has the loops go by whether the log is active, also in what they are doing.
// Only alone.
func (s *Server) Record() {
	for _, w := range s.workers {
		w.ctx.Effects.Enabled = s.records()
	}
}

// Wake has all loops look for work.
func (s *Server) Wake() {
	for _, w := range s.workers {
		w.call(func(*worker) {})
	}
}

// Changes is how many changes to the data there were since the start. Only alone.
func (s *Server) Changes() (n int64) {
	for _, w := range s.workers {
		n += w.dirty
	}
	return n
}

// RefuseWrites has writes refused with an error from now on, or no more with "".
func (s *Server) RefuseWrites(why command.ReplyError) {
	if why == "" {
		s.attend(attnMisconf, false)
	}
	s.refusal.Store(&why)
	if why != "" {
		s.attend(attnMisconf, true)
	}
}

// permitWrite refuses what changes the data while that could not be kept, and PING,
// which asks whether the server is well.
func (w *worker) permitWrite(cl *Client, cmd *command.Command) error {
	if w.srv.attends(attnMisconf) && (cl.mayChange(cmd)&command.Write != 0 || cmd.FullName == "ping") {
		return *w.srv.refusal.Load()
	}
	return nil
}

// Postpone implements command.Blocker: the present call is answered later.
func (w *worker) Postpone() (finish func(reply func(out *resp.Writer) error)) {
	cl := w.current
	w.block(cl, 0, nil)
	cl.block.over = true // nobody else ends the wait, CLIENT UNBLOCK neither
	return func(reply func(out *resp.Writer) error) {
		w.call(func(w *worker) { w.finish(cl, reply) })
	}
}

// finish answers a call that was postponed.
func (w *worker) finish(cl *Client, reply func(out *resp.Writer) error) {
	if cl.freed {
		return
	}
	out := resp.Writer{Proto: cl.proto}
	err := reply(&out)
	if err != nil {
		w.stats.countError(err.Error())
		out.Error(err.Error())
	}
	if !cl.block.muted {
		mark := len(cl.conn.Out)
		w.push(cl, out.Buf)
		w.holdFrom(cl, mark, cl.lastWrite)
	}
	w.endBlock(cl)
	w.accountWait(cl, nil, 0, err != nil)
	cl.conn.Kick()
}
