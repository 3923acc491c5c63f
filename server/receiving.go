package server

import (
	"dozo/command"
	"dozo/config"
	"dozo/keyspace"
	"dozo/oplog"
)

// What clients see while a primary's snapshot is loaded.
//
// The data of before is served until the new is whole (persist.Receive). Where there is not
// memory enough for both, it is flushed first, and clients are told LOADING until the new is
// there, as by a Redis with repl-diskless-load disabled. The shards are empty then, but they
// are nobody else's: what a flush has left is freed, and counted, as ever.

// SetReceiving says that a primary's snapshot is being loaded beside the data, and whether
// that was flushed for it. Only alone.
func (s *Server) SetReceiving(on, emptied bool) {
	s.attend(attnReceiving, on)
	if was := s.attends(attnLoading); was == emptied {
		return
	}
	s.loadTold = s.clock.Monotonic() + loadGrace
	s.attend(attnLoading, emptied)
	if !emptied {
		for _, w := range s.workers {
			w.call((*worker).releaseHeld)
		}
	}
}

// loadsInPlace tells whether somebody else than the loops is at the keys: the data that is
// served is being loaded.
func (s *Server) loadsInPlace() bool {
	return attention(s.attention.Load())&(attnLoading|attnReceiving) == attnLoading
}

// refusesLoading tells what cannot be done while data is being loaded, in place or beside.
//
// REPLICAOF can be while a primary's comes, unless somebody has asked for Redis' swapdb: by
// default Redis is loading for a small part of a full resync only, and who promotes this
// server, since its primary hangs, is not to wait for the end of that.
func (s *Server) refusesLoading(cl *Client, cmd *command.Command) bool {
	beside := s.attends(attnReceiving)
	if beside && (cmd.FullName == "replicaof" || cmd.FullName == "slaveof") {
		return s.cfg.Int(config.ReplDisklessLoad) == config.DisklessLoadSwapDB
	}
	if beside && cl.mayChange(cmd)&command.NoAsyncLoading != 0 {
		return true
	}
	return s.attends(attnLoading) && !cl.allOf(cmd, allowedLoading)
}

// SpareMemory is how much more there is for data: below maxmemory, replica-ignore-maxmemory
// or not, and of what the machine has available. Of limits of containers it knows nothing:
// there maxmemory says how much there is. Only alone.
func (s *Server) SpareMemory() int64 {
	a := s.ks.Arena().Stats()
	spare := availableMemory(s.env.FS) + a.Free
	if limit := s.cfg.Int(config.MaxMemory); limit != 0 {
		spare = min(spare, limit-a.Used-s.countedBeside())
	}
	return max(spare, 0)
}

// EmptyForSync flushes the data to make room for a primary's. From then on it is no part of
// any history that somebody could go on in. Only alone.
func (s *Server) EmptyForSync(v *keyspace.View) {
	v.Flush(-1)
	s.renameHistory()
	s.replicas.renamed("the data was flushed to make room for the primary's")
	s.SetReceiving(true, true)
}

// LogEmptied has whoever reads the log learn of EmptyForSync: nothing has taken the place of
// what was flushed, and this server is a primary now. Only alone.
func (s *Server) LogEmptied() {
	s.log.Append(0, oplog.AppendCommand(nil, []byte("FLUSHALL")))
}
