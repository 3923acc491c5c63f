package server

import (
	"dozo/command"
	"dozo/keyspace"
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
// half a second. CONFIG SET dir looks on the spot whether the folder is there. CONFIG DRIFT
// answers by what was read last.

// fileJob is a call of CONFIG that needs files.
type fileJob struct {
	// begin decides, alone, what is to be done; an error is the reply.
	begin func() error
	// work is done off the loops.
	work func()
	// idle tells, alone and after begin, that there is none; nil = there is some.
	idle func() bool
	// goesOn is asked alone, after the work, whether there is more of it; nil = there is not.
	goesOn func() bool
	// end is done alone again; an error is the reply.
	end   func() error
	reply func(out *resp.Writer) error
	// change tells that no other change may begin before the end.
	change bool

	finish func(reply func(out *resp.Writer) error)
}

// fileJobs are the changes of the configuration that wait for each other.
type fileJobs struct {
	changing bool
	waiting  []*fileJob
}

// runJob does a job for the present call, which waits for it. The caller is alone.
func (s *Server) runJob(c *command.Context, j *fileJob) error {
	if j.change && s.jobs.changing {
		j.finish = c.Blocker.Postpone()
		s.jobs.waiting = append(s.jobs.waiting, j)
		return nil
	}
	if err := j.begin(); err != nil {
		return err
	}
	if j.isIdle() {
		if err := j.end(); err != nil {
			return err
		}
		return j.reply(c.Out)
	}
	j.finish = c.Blocker.Postpone()
	s.startJob(j)
	return nil
}

// startJob works on a job that has begun.
func (s *Server) startJob(j *fileJob) {
	s.jobs.changing = s.jobs.changing || j.change
	go func() {
		j.work()
		s.Alone(func(*keyspace.View) {
			if j.goesOn != nil && j.goesOn() {
				s.startJob(j)
			} else {
				s.endJob(j)
			}
		})
	}()
}

// endJob replies, and begins the next change that waits. A client that has gone
// meanwhile has sent its command all the same.
func (s *Server) endJob(j *fileJob) {
	j.answer(j.end())
	if !j.change {
		return
	}
	s.jobs.changing = false
	for len(s.jobs.waiting) > 0 && !s.jobs.changing {
		next := s.jobs.waiting[0]
		s.jobs.waiting = s.jobs.waiting[1:]
		if err := next.begin(); err != nil {
			next.answer(err)
		} else if next.isIdle() {
			next.answer(next.end())
		} else {
			s.startJob(next)
		}
	}
}

func (j *fileJob) isIdle() bool { return j.idle != nil && j.idle() }

// answer ends the wait of the client.
func (j *fileJob) answer(err error) {
	j.finish(func(out *resp.Writer) error {
		if err != nil {
			return err
		}
		return j.reply(out)
	})
}

// nothing is what jobs do alone that change nothing.
func nothing() error { return nil }

// replyOK is a reply.
func replyOK(out *resp.Writer) error {
	out.OK()
	return nil
}
