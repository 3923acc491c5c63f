package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"dozo/internal/testutil"
)

// heading describes the machine and the programs.
func (b *bench) heading() error {
	if runtime.NumCPU() < 2 {
		return fmt.Errorf("two cores are needed, one for the server and one for the client: there is %d", runtime.NumCPU())
	}
	oracle, err := testutil.Oracle()
	if err != nil {
		return err
	}
	version, err := exec.Command(oracle, "--version").Output()
	if err != nil {
		return err
	}
	fields := strings.Fields(string(version))
	b.print("Measured %s: %s, %d cores seen, %s of memory, Linux %s; %s; Redis %s (Debian's, %s); medians of %d rounds.\n",
		time.Now().Format("2006-01-02"), fieldOf("/proc/cpuinfo", "model name"), runtime.NumCPU(),
		fieldOf("/proc/meminfo", "MemTotal"), firstWord("/proc/sys/kernel/osrelease"), runtime.Version(),
		strings.TrimPrefix(fields[2], "v="), strings.Join(fields[4:5], ""), b.rounds)
	b.print("Server on core %s, client on core %s. Ratios are Dozo over Redis.\n", b.serverCPU, b.clientCPU)
	const quiet = 0.5
	if load, err := strconv.ParseFloat(firstWord("/proc/loadavg"), 64); err == nil && load > quiet {
		b.print("\n**The machine was not quiet** (load average %.1f at the start): read CPU for each operation, not throughput or latency.\n", load)
	}
	return nil
}

// fieldOf finds "name : value" in a file of /proc.
func fieldOf(file, name string) string {
	f, err := os.Open(file)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

func firstWord(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	word := strings.Fields(string(b) + " unknown")[0]
	word, _, _ = strings.Cut(word, "-") // the distributor's suffix says nothing
	return word
}
