package main

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"dozo/command"
	"dozo/config"
	"dozo/logger"
	"dozo/server"
)

// oomScoreFile holds how readily Linux ends this process when memory runs out.
const oomScoreFile = "/proc/self/oom_score_adj"

// The bounds of the score.
const oomScoreMin, oomScoreMax = -1000, 1000

// oomScore keeps the score at what `oom-score-adj` says.
type oomScore struct {
	mu       sync.Mutex
	adjusted bool  // the score is the configuration's, not the system's
	base     int64 // the system's
	replica  bool
	cfg      *config.Config
	log      *logger.Logger // nil before it is kept
}

// roleChanged sets the score of a replica, or of a primary.
func (o *oomScore) roleChanged(replica bool) {
	o.mu.Lock()
	o.replica = replica
	kept := o.log != nil
	o.mu.Unlock()
	if kept {
		_ = o.apply(o.cfg.Values()) // the log has it
	}
}

// keep sets the score, now and whenever its directives change.
func (o *oomScore) keep(log *logger.Logger) {
	o.mu.Lock()
	o.log = log
	o.mu.Unlock()
	_ = o.apply(o.cfg.Values()) // the log has it; a server without it is better than none
	o.cfg.OnChangeOf([]*config.Directive{config.OOMScoreAdj, config.OOMScoreAdjValues}, func(_, next *config.Values) error {
		if o.apply(next) != nil {
			return command.ReplyError("Failed to set current oom_score_adj. Check server logs.")
		}
		return nil
	})
}

// apply sets the score of the present role, or gives the system's back.
func (o *oomScore) apply(v *config.Values) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	mode := v.Int(config.OOMScoreAdj)
	if mode == config.OOMScoreNo {
		if !o.adjusted {
			return nil
		}
		o.adjusted = false
		return o.write(o.base)
	}
	if !o.adjusted {
		base, err := readOOMScore()
		if err != nil {
			o.log.Logf(server.Warning, "Unable to read oom_score_adj: %v", err)
			return err
		}
		o.adjusted, o.base = true, base
	}
	score := int64(v.OOMScores()[number(o.replica)])
	if mode == config.OOMScoreRelative {
		score += o.base
	}
	return o.write(min(max(score, oomScoreMin), oomScoreMax))
}

// number is the position of a role among the scores.
func number(replica bool) int {
	if replica {
		return 1
	}
	return 0
}

func (o *oomScore) write(score int64) error {
	err := os.WriteFile(oomScoreFile, strconv.AppendInt(nil, score, 10), 0o644)
	if err != nil {
		o.log.Logf(server.Warning, "Unable to write oom_score_adj: %v", err)
	}
	return err
}

func readOOMScore() (int64, error) {
	b, err := os.ReadFile(oomScoreFile)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}
