package main

import (
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"dozo/internal/testutil"
)

// replicationCase is one workload with some replicas.
type replicationCase struct {
	replicas int
	workload
}

func replicationCases() (list []replicationCase) {
	for _, replicas := range []int{0, 1, 3} {
		for _, pipeline := range []int{1, 16} {
			list = append(list, replicationCase{replicas, workload{
				name: "SET", test: "set", pipeline: pipeline, requests: 200_000 * min(pipeline, 5),
			}})
		}
	}
	return list
}

// replicatedFigures are of a primary with replicas, and of those.
type replicatedFigures struct {
	figures
	apply paired // microseconds of CPU of a replica for each SET
	late  paired // milliseconds from the last SET's reply until all replicas have all
}

// catchUpFigures are of a replica that finds all it needs in the log.
type catchUpFigures struct {
	rate  paired // SETs a second
	speed paired // MB a second
	apply paired // microseconds of CPU of the replica for each SET
	send  paired // nanoseconds of CPU of the primary for each byte
}

const (
	// catchUpSets is how many SETs a replica has missed that catches up.
	catchUpSets = 2_000_000
	// replicationPatience bounds the wait for replicas to have all.
	replicationPatience = 2 * time.Minute
)

// replicationConfig keeps replicas attached however late they are: what is measured is
// the cost of all the writes.
var replicationConfig = []string{"--client-output-buffer-limit", "replica 0 0 0", "--repl-diskless-sync-delay", "0", "--repl-timeout", "300"}

// replication measures what replicas cost their primary, what applying costs them, and
// how fast one catches up.
func (b *bench) replication() error {
	cases := replicationCases()
	all := make([]replicatedFigures, len(cases))
	var late catchUpFigures
	var reads figures
	for round := range b.rounds {
		for _, c := range order(round) {
			for i, w := range cases {
				if err := b.replicated(c, w, &all[i]); err != nil {
					return fmt.Errorf("%v, %d replicas: %w", c, w.replicas, err)
				}
			}
			if err := b.catchUp(c, &late); err != nil {
				return fmt.Errorf("%v, catching up: %w", c, err)
			}
			if err := b.readsBesideStream(c, &reads); err != nil {
				return fmt.Errorf("%v, reads of a replica: %w", c, err)
			}
		}
	}
	b.reportReplicated(cases, all)
	b.print("\nA replica that stood still for %d SETs catches up; and 50 clients read from one to whose primary 50 others write at pipeline 16. It has a core for itself.\n", b.scaled(catchUpSets))
	b.table("figure", "Redis", "Dozo", "ratio")
	b.paired("catching up: SETs a second", &late.rate, "%.0f")
	b.paired("catching up: MB a second", &late.speed, "%.0f")
	b.paired("catching up: CPU of the replica for each, us", &late.apply, "%.3f")
	b.paired("catching up: CPU of the primary for each byte, ns", &late.send, "%.2f")
	b.paired("reading: GETs a second", &reads.rate, "%.0f")
	b.paired("reading: p50, ms", &reads.p50, "%.2f")
	b.paired("reading: p99, ms", &reads.p99, "%.2f")
	b.target("SETs a second of a replica that catches up, ratio", late.rate.ratio(), 2, false)
	return nil
}

func (b *bench) reportReplicated(cases []replicationCase, all []replicatedFigures) {
	b.print("\n## Replicas\n\nSETs of 50 clients, values of %d bytes, while replicas of the same kind follow. The primary has a core; the replicas share that of the client, so that throughput says little: "+
		"read the CPU of the primary for each SET, that of a replica for each SET that it applies, and how long after the last reply all replicas had all.\n", valueBytes)
	b.table("replicas, pipeline", "Redis SET/s", "Dozo SET/s", "ratio", "primary CPU us, Redis", "Dozo", "ratio", "replica CPU us, Redis", "Dozo", "ratio", "late ms R/D", "busy R/D")
	for i, w := range cases {
		f := &all[i]
		b.print("| %d, %d | %.0f | %.0f | **%.2f** | %.2f | %.2f | **%.2f** | %.2f | %.2f | **%.2f** | %.0f / %.0f | %.0f%% / %.0f%% |\n",
			w.replicas, w.pipeline, f.rate.of(redis), f.rate.of(dozo), f.rate.ratio(), f.cpu.of(redis), f.cpu.of(dozo), f.cpu.ratio(),
			f.apply.of(redis), f.apply.of(dozo), f.apply.ratio(), f.late.of(redis), f.late.of(dozo), 100*f.busy.of(redis), 100*f.busy.of(dozo))
		if w.replicas > 0 {
			name := fmt.Sprintf("with %d replicas at pipeline %d, ratio", w.replicas, w.pipeline)
			b.target("CPU of SET "+name, f.cpu.ratio(), 0.88, true)
			b.target("CPU of applying "+name, f.apply.ratio(), 0.88, true)
		}
	}
}

// replicated runs a workload with replicas.
func (b *bench) replicated(c candidate, w replicationCase, f *replicatedFigures) error {
	s, replicas, stop, err := b.replicaSet(c, w.replicas, b.serverCPU, b.clientCPU)
	if err != nil {
		return err
	}
	defer stop()
	before, err := cpuOfAll(replicas)
	if err != nil {
		return err
	}
	got, err := b.measure(s, w.workload, b.clientCPU)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := awaitReplicas(s, w.replicas); err != nil {
		return err
	}
	late := time.Since(began)
	f.add(c, got)
	if w.replicas == 0 {
		return nil
	}
	after, err := cpuOfAll(replicas)
	if err != nil {
		return err
	}
	f.late.add(c, milliseconds(late))
	f.apply.add(c, (after-before).Seconds()*1e6/float64(b.scaled(w.requests))/float64(w.replicas))
	return nil
}

// catchUp stops a replica while its primary is written to. The clients then have the
// replica's core.
func (b *bench) catchUp(c candidate, f *catchUpFigures) error {
	s, replicas, stop, err := b.replicaSet(c, 1, b.clientCPU, b.serverCPU)
	if err != nil {
		return err
	}
	defer stop()
	r := replicas[0]
	if err := syscall.Kill(r.Pid, syscall.SIGSTOP); err != nil {
		return err
	}
	sets := b.scaled(catchUpSets)
	before, err := streamLength(s)
	if err != nil {
		return err
	}
	if _, err := b.measure(s, workload{name: "SET", test: "set", pipeline: 16, requests: catchUpSets}, b.serverCPU); err != nil {
		return err
	}
	bytes, err := streamLength(s)
	if err != nil {
		return err
	}
	bytes -= before
	sent, err := cpuOf(s)
	if err != nil {
		return err
	}
	applied, err := cpuOf(r)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := syscall.Kill(r.Pid, syscall.SIGCONT); err != nil {
		return err
	}
	if err := awaitReplicas(s, 1); err != nil {
		return err
	}
	took := time.Since(began).Seconds()
	sentAfter, err := cpuOf(s)
	if err != nil {
		return err
	}
	appliedAfter, err := cpuOf(r)
	f.rate.add(c, float64(sets)/took)
	f.speed.add(c, bytes/took/1e6)
	f.apply.add(c, (appliedAfter-applied).Seconds()*1e6/float64(sets))
	f.send.add(c, (sentAfter-sent).Seconds()*1e9/bytes)
	return err
}

// readsBesideStream reads from a replica while its primary is written to as fast as it goes.
func (b *bench) readsBesideStream(c candidate, f *figures) error {
	s, replicas, stop, err := b.replicaSet(c, 1, b.clientCPU, b.serverCPU)
	if err != nil {
		return err
	}
	defer stop()
	endless := workload{test: "set", pipeline: 16}
	writes := exec.Command("taskset", append([]string{"-c", b.clientCPU, "redis-benchmark", "-p", strconv.Itoa(s.Port), "-n", "2000000000"}, endless.arguments()...)...)
	testutil.Tie(writes)
	if err := writes.Start(); err != nil {
		return err
	}
	got, err := b.measure(replicas[0], workload{name: "GET", test: "get", pipeline: 1, requests: 100_000}, b.clientCPU)
	_ = writes.Process.Kill()
	_ = writes.Wait() // it says that it was killed
	f.add(c, got)
	return err
}

// replicaSet starts a primary with data, and replicas of it that have that.
func (b *bench) replicaSet(c candidate, n int, cpu, replicaCPU string) (s *testutil.Server, replicas []*testutil.Server, stop func(), err error) {
	stop = func() {
		for _, r := range append(replicas, s) {
			r.Stop()
		}
	}
	if s, err = b.start(c, cpu, nil, replicationConfig...); err != nil {
		return nil, nil, nil, err
	}
	err = load(s, keySpace, 0)
	for range n {
		if err != nil {
			break
		}
		var r *testutil.Server
		if r, err = b.start(c, replicaCPU, nil, append(replicationConfig, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Port))...); err == nil {
			replicas = append(replicas, r)
			err = untilInfo(r, "master_link_status", is("up"))
		}
	}
	if err == nil {
		err = awaitReplicas(s, n)
	}
	if err != nil {
		stop()
	}
	return s, replicas, stop, err
}

// awaitReplicas writes once more and waits until n replicas have that.
func awaitReplicas(s *testutil.Server, n int) error {
	if n == 0 {
		return nil
	}
	c, err := s.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetTimeout(2 * replicationPatience)
	// One that is not online yet is not counted, so it is waited for again.
	for deadline := time.Now().Add(replicationPatience); ; time.Sleep(5 * time.Millisecond) {
		if v, err := c.DoErr("SET", "the last", "of all"); err != nil || v.IsError() {
			return fmt.Errorf("SET: %v, %w", v, err)
		}
		v, err := c.DoErr("WAIT", strconv.Itoa(n), "20000")
		if err != nil || v.IsError() {
			return fmt.Errorf("WAIT: %v, %w", v, err)
		}
		if int(v.Int()) >= n {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d of %d replicas have all after %v", v.Int(), n, replicationPatience)
		}
	}
}

// streamLength is how many bytes of writes a server has sent to its replicas.
func streamLength(s *testutil.Server) (float64, error) {
	c, err := s.Dial()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	v, err := c.DoErr("INFO", "replication")
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(testutil.InfoField(v.Str, "master_repl_offset"), 64)
}

func cpuOfAll(list []*testutil.Server) (all time.Duration, err error) {
	for _, s := range list {
		used, err := cpuOf(s)
		if err != nil {
			return 0, err
		}
		all += used
	}
	return all, nil
}
