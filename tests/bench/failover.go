package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"dozo/internal/testutil"
)

const (
	failoverClients = 50
	// failoverWindow is how long clients write before a primary hands over, and after.
	failoverWindow = time.Second
	// failoverPatience bounds the wait for servers to agree.
	failoverPatience = 30 * time.Second
)

// failoverFigures are the medians' raw material, in milliseconds.
type failoverFigures struct {
	quiet, pause paired // the longest time without an acknowledged write, before and during
	took         paired // from the command until it says that it is over
	written      paired // writes that were acknowledged in all
	lost         paired // of those, the ones that are not there in the end
}

// failover has a primary hand over to its replica, and that one back, while clients write to
// whom they may.
func (b *bench) failover() error {
	var f failoverFigures
	err := b.alone(func() error {
		for round := range b.rounds {
			for _, c := range order(round) {
				if err := b.failoverOf(c, &f); err != nil {
					return fmt.Errorf("%v: %w", c, err)
				}
			}
		}
		return nil
	})
	b.print("\n## Handing over\n\nFAILOVER TO a replica, and back, while %d clients write all sorts of things, each going to the other server when it is told READONLY. "+
		"A pause is the longest time in which no write of any client was acknowledged. Both servers share a core.\n", failoverClients)
	b.table("figure", "Redis", "Dozo", "ratio")
	b.paired("longest pause before, ms", &f.quiet, "%.1f")
	b.paired("pause by FAILOVER, median, ms", &f.pause, "%.1f")
	b.print("| pause by FAILOVER, longest, ms | %.1f | %.1f | |\n", f.pause.worst(redis), f.pause.worst(dozo))
	b.paired("until it says that it is over, ms", &f.took, "%.1f")
	b.paired("writes acknowledged a round", &f.written, "%.0f")
	b.print("| acknowledged writes lost, of all rounds | %.0f | %.0f | |\n", sum(f.lost[redis]), sum(f.lost[dozo]))
	b.target("FAILOVER with 50 writing clients: pause, ms", f.pause.of(dozo), 100, true)
	b.target("FAILOVER with 50 writing clients: acknowledged writes lost", sum(f.lost[dozo]), 0, true)
	return err
}

func sum(list []float64) (all float64) {
	for _, v := range list {
		all += v
	}
	return all
}

// worst is the largest.
func (p *paired) worst(c candidate) float64 {
	if len(p[c]) == 0 {
		return 0
	}
	return slices.Max(p[c])
}

// failoverPair is two servers that change places.
type failoverPair [2]*testutil.Server

func (b *bench) failoverOf(c candidate, f *failoverFigures) error {
	var pair failoverPair
	for i := range pair {
		s, err := b.start(c, b.serverCPU, nil, "--repl-diskless-sync-delay", "0")
		if err != nil {
			return err
		}
		defer s.Stop()
		pair[i] = s
	}
	if err := orders(pair[1], "REPLICAOF", "127.0.0.1", strconv.Itoa(pair[0].Port)); err != nil {
		return err
	}
	if err := pair.agree(); err != nil {
		return err
	}
	ledger := testutil.NewLedger(failoverClients)
	end, err := ledger.Begin(pair[0].Addr(), pair[1].Addr())
	if err != nil {
		return err
	}
	for range 2 {
		if err = pair.handOver(c, ledger, f); err != nil {
			break
		}
		slices.Reverse(pair[:])
	}
	if e := end(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return pair.count(c, ledger, f)
}

// orders sends a command that is answered OK.
func orders(s *testutil.Server, words ...string) error {
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	if v, err := c.DoErr(words...); err != nil || v.Str != "OK" {
		return fmt.Errorf("%q: %v, %w", words, v, err)
	}
	return nil
}

// untilInfo waits for INFO to say something.
func untilInfo(s *testutil.Server, field string, right func(value string) bool) error {
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	for deadline := time.Now().Add(failoverPatience); ; time.Sleep(2 * time.Millisecond) {
		v, err := c.DoErr("INFO", "replication")
		if err != nil {
			return err
		}
		got := testutil.InfoField(v.Str, field)
		if right(got) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s of port %d is %q", field, s.Port, got)
		}
	}
}

func is(want string) func(string) bool { return func(got string) bool { return got == want } }

// agree waits until the second is in step with the first, which is not written to.
func (p failoverPair) agree() error {
	if err := untilInfo(p[1], "master_link_status", is("up")); err != nil {
		return err
	}
	offset := ""
	if err := untilInfo(p[0], "master_repl_offset", func(got string) bool { offset = got; return true }); err != nil {
		return err
	}
	least, err := strconv.Atoi(offset)
	if err != nil {
		return err
	}
	return untilInfo(p[1], "master_repl_offset", func(got string) bool { n, err := strconv.Atoi(got); return err == nil && n >= least })
}

// handOver has the first hand over to the second.
func (p failoverPair) handOver(c candidate, ledger *testutil.Ledger, f *failoverFigures) error {
	from := time.Now()
	time.Sleep(failoverWindow)
	f.quiet.add(c, milliseconds(ledger.LongestGap(from)))
	from = time.Now()
	if err := orders(p[0], "FAILOVER", "TO", "127.0.0.1", strconv.Itoa(p[1].Port)); err != nil {
		return err
	}
	if err := untilInfo(p[0], "master_failover_state", is("no-failover")); err != nil {
		return err
	}
	f.took.add(c, milliseconds(time.Since(from)))
	for s, role := range map[*testutil.Server]string{p[0]: "slave", p[1]: "master"} {
		if err := untilInfo(s, "role", is(role)); err != nil {
			return fmt.Errorf("after FAILOVER: %w", err)
		}
	}
	time.Sleep(failoverWindow)
	f.pause.add(c, milliseconds(ledger.LongestGap(from)))
	return untilInfo(p[0], "master_link_status", is("up"))
}

// count looks for what was acknowledged, at both.
func (p failoverPair) count(c candidate, ledger *testutil.Ledger, f *failoverFigures) error {
	if err := p.agree(); err != nil {
		return err
	}
	acked := ledger.Acked()
	written, lost := 0, 0
	for _, s := range p {
		found, err := ledger.Check(s.Addr(), make([]int, len(acked)), ledger.Sent())
		if err != nil {
			return err
		}
		for i, n := range acked {
			written += n
			lost += max(0, n-found[i])
		}
	}
	f.written.add(c, float64(written)/2)
	f.lost.add(c, float64(lost))
	return nil
}
