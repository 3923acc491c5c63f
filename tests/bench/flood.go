package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"time"

	"dozo/internal/testutil"
)

// The load that had a genuine primary give 45 full resyncs in 90 s (redis#15447): long
// pipelines of many clients, faster than the replica gets its share.
const (
	floodTime     = 90 * time.Second
	floodClients  = 400
	floodPipeline = 50
	floodValue    = 500
	floodKeys     = 200_000
	// floodCut is when the replica's connection is cut, under load: it has to go on where it was.
	floodCut  = 5 * time.Second
	floodPoll = 100 * time.Millisecond
)

// floodFigures are of that.
type floodFigures struct {
	rate, fulls, partials, cuts, lag, back, resident paired
}

func (f *floodFigures) report(b *bench) {
	b.print("\nSETs of %d bytes as fast as they go for %v (%d clients, pipeline %d), to a primary with one replica on the client's core; all limits are the defaults. The replica's connection is cut once after %v.\n",
		floodValue, b.floodTime(), floodClients, floodPipeline, floodCut)
	b.table("figure", "Redis", "Dozo", "ratio")
	b.paired("SETs a second", &f.rate, "%.0f")
	b.paired("full resyncs after the first", &f.fulls, "%.0f")
	b.paired("partial resyncs", &f.partials, "%.0f")
	b.paired("connections cut for their lag", &f.cuts, "%.0f")
	b.paired("most that the replica was behind, MiB", &f.lag, "%.1f")
	b.paired("in step after the load, s", &f.back, "%.2f")
	b.paired("most resident memory of the primary, MiB", &f.resident, "%.0f")
	b.target("full resyncs under the load of redis#15447", f.fulls.of(dozo), 0, true)
}

func (b *bench) floodTime() time.Duration {
	return max(time.Duration(float64(floodTime)*b.scale), 3*floodCut).Round(time.Second)
}

func (b *bench) flooding(f *floodFigures) error {
	return b.alone(func() error {
		for round := range b.rounds {
			for _, c := range order(round) {
				if err := b.floodOf(c, f); err != nil {
					return fmt.Errorf("%v under a flood: %w", c, err)
				}
			}
		}
		return nil
	})
}

func (b *bench) floodOf(c candidate, to *floodFigures) error {
	f, err := b.newFleet(c, "--repl-diskless-sync-delay", "0")
	if err != nil {
		return err
	}
	defer f.stop()
	if err := load(f.primary, floodKeys, 0); err != nil {
		return err
	}
	if err := f.add(1, false); err != nil {
		return err
	}
	from, err := f.info()
	if err != nil {
		return err
	}
	cmd := exec.Command("taskset", "-c", b.clientCPU, "redis-benchmark", "-p", strconv.Itoa(f.primary.Port), "-n", "2000000000", "-c", strconv.Itoa(floodClients),
		"-P", strconv.Itoa(floodPipeline), "-d", strconv.Itoa(floodValue), "-r", strconv.Itoa(floodKeys), "-t", "set")
	testutil.Tie(cmd)
	if err := cmd.Start(); err != nil {
		return err
	}
	lag, err := f.flood()
	info, e := f.info()
	_ = cmd.Process.Kill() // it has not come to its end
	_ = cmd.Wait()
	if err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return f.afterFlood(from, info, lag, to)
}

// flood watches until the time is over; it returns the largest lag.
func (f *fleet) flood() (lag float64, err error) {
	cut := false
	for began := time.Now(); time.Since(began) < f.b.floodTime(); time.Sleep(floodPoll) {
		info, err := f.info()
		if err != nil {
			return 0, err
		}
		if at, online := acked(info, 0); online {
			lag = max(lag, number(info, "master_repl_offset")-at)
		}
		if !cut && time.Since(began) > floodCut {
			cut = true
			if err := must(f.control, "CLIENT", "KILL", "TYPE", "replica"); err != nil {
				return 0, err
			}
		}
	}
	return lag, nil
}

func (f *fleet) afterFlood(from, info string, lag float64, to *floodFigures) error {
	began := time.Now()
	if err := f.awaitAll(); err != nil {
		return err
	}
	back := time.Since(began)
	most, _, err := testutil.Peaks(f.primary.Pid)
	if err != nil {
		return err
	}
	to.rate.add(f.c, (number(info, "total_commands_processed")-number(from, "total_commands_processed"))/f.b.floodTime().Seconds())
	if info, err = f.info(); err != nil {
		return err
	}
	for _, n := range []struct {
		field string
		to    *paired
	}{{"sync_full", &to.fulls}, {"sync_partial_ok", &to.partials}} {
		n.to.add(f.c, number(info, n.field)-number(from, n.field))
	}
	to.cuts.add(f.c, cutOffs(f.primary.Log()))
	to.lag.add(f.c, lag/(1<<20))
	to.back.add(f.c, back.Seconds())
	to.resident.add(f.c, float64(most)/(1<<20))
	return nil
}

// renice has all threads of a process give way to others on its core.
func renice(pid int) error {
	out, err := exec.Command("sh", "-c", fmt.Sprintf("renice -n 10 -p $(ls /proc/%d/task)", pid)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("renice: %w\n%s", err, out)
	}
	return nil
}
