package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"dozo/internal/testutil"
)

// randomNumber is what redis-benchmark replaces by twelve digits, below its -r.
const randomNumber = "__rand_int__"

// element names the i-th element of any value: 16 bytes, as redis-benchmark makes
// them of "elem__rand_int__".
func element(i int) string { return fmt.Sprintf("elem%012d", i) }

// shortElement is the same in 8 bytes, for i below ten thousand.
func shortElement(i int) string { return fmt.Sprintf("elem%04d", i) }

// scoreOf spreads scores, so that sorted sets are not filled in order.
func scoreOf(i int) int { return int(uint32(i) * 2654435761) }

// kind is a type of value that the parts about collections build.
type kind struct {
	name string
	each int // how many elements one command adds
	verb string
	// one appends what adds the i-th element, whose name is e.
	one     func(args []string, i int, e string) []string
	element func(i int) string
}

var kinds = []kind{
	{"list", 100, "RPUSH", func(args []string, _ int, e string) []string { return append(args, e) }, element},
	{"hash", 100, "HSET", func(args []string, _ int, e string) []string { return append(args, e, e) }, element},
	{"set", 100, "SADD", func(args []string, _ int, e string) []string { return append(args, e) }, element},
	{"zset", 100, "ZADD", func(args []string, i int, e string) []string {
		return append(args, strconv.Itoa(scoreOf(i)), e)
	}, element},
	{"stream", 1, "XADD", func(args []string, i int, e string) []string {
		return append(args, entryID(i), "field", e)
	}, element},
	{"intset", 100, "SADD", func(args []string, _ int, e string) []string { return append(args, e) }, strconv.Itoa},
}

// entryID is the identifier of the i-th entry of a stream.
func entryID(i int) string { return strconv.Itoa(i+1) + "-1" }

// largeKinds are those of which there are giant values.
var largeKinds = kinds[:5]

// add is the n-th command that fills a value of this size.
func (k kind) add(key string, n, size int) []string {
	args := []string{k.verb, key}
	for i := n * k.each; i < min(size, (n+1)*k.each); i++ {
		args = k.one(args, i, k.element(i))
	}
	return args
}

// fill makes one value.
func (k kind) fill(s *testutil.Server, key string, size int) error {
	return pipeline(s, (size+k.each-1)/k.each, func(i int) []string { return k.add(key, i, size) })
}

// kindOf finds a kind by its name.
func kindOf(name string) kind {
	for _, k := range kinds {
		if k.name == name {
			return k
		}
	}
	panic("no kind of value is named " + name)
}

// scaled is a number of things at the scale of this run.
func (b *bench) scaled(n int) int { return max(1000, int(float64(n)*b.scale)) }

// alone runs something while this process keeps off the server's core, for parts
// whose client is this process itself.
func (b *bench) alone(f func() error) error {
	if err := pinSelf(b.clientCPU); err != nil {
		return err
	}
	err := f()
	if again := pinSelf("0-" + strconv.Itoa(runtime.NumCPU()-1)); err == nil {
		err = again
	}
	return err
}

// pinSelf moves all threads of this process.
func pinSelf(cpus string) error { return pin(os.Getpid(), cpus) }

// pin moves all threads of a process.
func pin(pid int, cpus string) error {
	cmd := exec.Command("taskset", "-a", "-p", "-c", cpus, strconv.Itoa(pid))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}
