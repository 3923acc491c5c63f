//go:build linux && !race

package arena

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// resident adds up the Rss of the mappings that lie in the arena.
func resident(t testing.TB, a *Arena) int64 {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	defer f.Close()
	base := uint64(uintptr(a.base))
	inside, sum := false, int64(0)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uint64
		var kib int64
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x", &from, &to); n == 2 {
			inside = from >= base && from < base+uint64(a.data.reserved)
		} else if n, _ := fmt.Sscanf(lines.Text(), "Rss: %d kB", &kib); n == 1 && inside {
			sum += kib << 10
		}
	}
	return sum
}

// touch writes to every page of a block.
func touch(a *Arena, r Ref, n int) Ref {
	for b := a.Bytes(r, n); len(b) > 0; b = b[min(len(b), 512):] {
		b[0] = 1
	}
	return r
}

func TestMemoryFalls(t *testing.T) {
	for _, n := range []int{40, 88, 1000, 3000, 12000, 32000, 3 << 20} {
		a := newArena(t, Options{})
		h := a.NewHeap()
		const total = 32 << 20
		refs := make([]Ref, total/n)
		for i := range refs {
			refs[i] = touch(a, h.Alloc(PurposeValue, n), n)
		}
		full := resident(t, a)
		if full < total*9/10 || full > total*105/100+1<<20 {
			t.Errorf("%d MiB of %d bytes: %d resident", total>>20, n, full)
		}
		for _, r := range refs {
			h.Free(PurposeValue, r, n)
		}
		a.Trim(total)
		if rest := resident(t, a); rest > 5<<20 {
			t.Errorf("%d bytes: %d resident after freeing all and Trim", n, rest)
		}
		h.Trim()
		a.Purge()
		if rest := resident(t, a); rest > 0 {
			t.Errorf("%d bytes: %d resident after Purge", n, rest)
		}
		if s := a.Stats(); s.Mapped != 0 || s.Free != 0 || s.Purged < total*9/10 {
			t.Errorf("%d bytes: %+v", n, s)
		}
	}
}

// TestFallsByItself frees most blocks in random slabs, and calls nothing.
func TestFallsByItself(t *testing.T) {
	a := newArena(t, Options{})
	h := a.NewHeap()
	var refs []Ref
	for range 400000 {
		refs = append(refs, touch(a, h.Alloc(PurposeValue, 200), 200))
	}
	full := resident(t, a)
	for _, r := range refs[:380000] {
		h.Free(PurposeValue, r, 200)
	}
	if rest := resident(t, a); rest > full/20+6<<20 {
		t.Errorf("%d resident before, %d after 95%% were freed", full, rest)
	}
	h.Close()
}

func TestHugePagesFall(t *testing.T) {
	a := newArena(t, Options{Reserve: 256 << 20, HugePages: true})
	a.data.hugeFrom = 0
	a.data.committed = 0
	h := a.NewHeap()
	var refs []Ref
	for range 1000 {
		refs = append(refs, touch(a, h.Alloc(PurposeValue, 60000), 60000))
	}
	full := resident(t, a)
	for i, r := range refs {
		if i%3 != 0 {
			h.Free(PurposeValue, r, 60000)
		}
	}
	a.Purge()
	if rest := resident(t, a); rest > full*2/5 {
		t.Errorf("%d resident before, %d after two thirds were purged", full, rest)
	}
	h.Close()
}

// TestNearlyEmpty has many heaps with a few small blocks each.
func TestNearlyEmpty(t *testing.T) {
	a := newArena(t, Options{})
	var heaps []*Heap
	for range 32 {
		h := a.NewHeap()
		heaps = append(heaps, h)
		for n := 16; n <= 512; n *= 2 {
			touch(a, h.Alloc(PurposeValue, n), n)
			touch(a, h.Alloc(PurposeEntry, n+24), n+24)
		}
	}
	rss := resident(t, a)
	t.Logf("32 heaps with a block in each of 12 classes: %d KiB", rss>>10)
	if rss > 1<<20 {
		t.Errorf("32 nearly empty heaps take %d bytes", rss)
	}
	for _, h := range heaps {
		h.Close()
	}
}

// TestUnderLimits runs TestLimited in a process with little address space, and
// in one that may have little writable memory, as a system with
// vm.overcommit_memory=2 has.
func TestUnderLimits(t *testing.T) {
	for _, limit := range []string{"-v 3000000", "-v 6000000", "-d 300000"} {
		script := "ulimit " + limit + " && exec " + os.Args[0] + " -test.run '^TestLimited$' -test.v"
		cmd := exec.Command("sh", "-c", script)
		cmd.Env = append(os.Environ(), "ARENA_LIMITED=1")
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "PASS") {
			t.Errorf("ulimit %s: %v\n%s", limit, err, out)
		}
		t.Logf("ulimit %s: %s", limit, strings.TrimSpace(string(out)))
	}
}

func TestLimited(t *testing.T) {
	if os.Getenv("ARENA_LIMITED") == "" {
		t.Skip("runs as a child of TestUnderLimits")
	}
	a := newArena(t, Options{})
	h := a.NewHeap()
	for range 50 {
		touch(a, h.Alloc(PurposeValue, 1<<20), 1<<20)
	}
	t.Log("reserved " + strconv.FormatInt(a.Stats().Reserved>>20, 10) + " MiB")
	goHeap := make([]byte, 100<<20)
	for i := range goHeap {
		goHeap[i] = 1
	}
	h.Close()
}
