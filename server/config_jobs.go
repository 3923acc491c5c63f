package server

import (
	"time"

	"dozo/command"
	"dozo/resp"
)

// What CONFIG does with files is done off the loops: a disk may be slow, and one
// of another machine may never answer, which concerns the client that asked and
// nobody else. The client waits as in a blocking command.
//
// Changes of the configuration are made one at a time, in the order in which they
// came: a CONFIG SET that is being written to disk holds the next ones back, on
// whatever loop their clients are. All of this is touched in exclusive mode only.
//
// LIMITATIONS: in a transaction nobody can wait. There CONFIG REWRITE (which is how
// Sentinel sends it) and CONFIG SET with config-set-persist work on the spot, and
// stall the server while the disk does; when others are writing they give up after
// half a second. CONFIG DRIFT answers by what was read last.

// fileJob is a call of CONFIG that needs files.
type fileJob struct {
	// begin decides, alone, what is to be done; an error is the reply.
	begin func() error
	// work is done off the loops.
	work func()
	// finish is done alone again, and replies.
	finish func(out *resp.Writer) error
	// change tells that no other change may begin until finish.
	change bool

	client *Client
	began  time.Duration
}

// fileJobs are the changes of the configuration that wait for each other.
type fileJobs struct {
	changing bool
	waiting  []*fileJob
}

// runJob does a job for the present call, which waits for it. The caller is alone.
func (s *Server) runJob(c *command.Context, j *fileJob) error {
	j.client, j.began = clientOf(c), s.clock.Monotonic()
	if j.change && s.jobs.changing {
		s.jobs.waiting = append(s.jobs.waiting, j)
		j.wait()
		return nil
	}
	if err := j.begin(); err != nil {
		return err
	}
	j.wait()
	s.startJob(j)
	return nil
}

// wait makes the client wait. Nobody can end that but the job.
func (j *fileJob) wait() {
	j.client.worker.block(j.client, 0, nil)
	j.client.block.over = true
}

// startJob works on a job that has begun.
func (s *Server) startJob(j *fileJob) {
	s.jobs.changing = s.jobs.changing || j.change
	go func() {
		j.work()
		j.client.worker.call(func(w *worker) { w.alone(func() { w.endJob(j) }) })
	}()
}

// endJob replies, and begins the next change that waits.
func (w *worker) endJob(j *fileJob) {
	w.reply(j, j.finish)
	s := w.srv
	if !j.change {
		return
	}
	s.jobs.changing = false
	for len(s.jobs.waiting) > 0 && !s.jobs.changing {
		next := s.jobs.waiting[0]
		s.jobs.waiting = s.jobs.waiting[1:]
		next.client.worker.tryJob(next)
	}
}

// tryJob begins a change that has waited. A client that has gone meanwhile has
// sent its command all the same.
func (w *worker) tryJob(j *fileJob) {
	if err := j.begin(); err != nil {
		// This may be another loop's client: replies are written by its own.
		w.call(func(w *worker) { w.reply(j, func(*resp.Writer) error { return err }) })
		return
	}
	w.srv.startJob(j)
}

// reply ends the wait of a job's client.
func (w *worker) reply(j *fileJob, write func(out *resp.Writer) error) {
	cl := j.client
	out := resp.Writer{Proto: cl.proto}
	err := write(&out)
	if cl.freed {
		return
	}
	if err != nil {
		w.stats.countError(err.Error())
		out.Error(err.Error())
	}
	if !cl.block.muted {
		w.push(cl, out.Buf)
	}
	w.endBlock(cl)
	w.accountWait(cl, nil, w.srv.clock.Monotonic()-j.began, err != nil)
	cl.conn.Kick()
}
