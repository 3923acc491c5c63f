package aof

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestSmallDisk fills a real file system of 1 MiB.
func TestSmallDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("no tmpfs can be mounted: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	d := realWorld(t, dir, Settings{Policy: Always})
	t.Cleanup(func() { _ = d.store.Close() })
	must(t, os.WriteFile(dir+"/filler", make([]byte, 600<<10), 0o644))
	for d.w.Fault() == nil {
		d.append(0, 3, strings.Repeat("x", 1000))
		_ = d.w.Flush()
	}
	if err := d.w.Fault(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("fault %v", err)
	}
	passed := d.gate.Passed()
	must(t, os.Remove(dir+"/filler"))
	must(t, d.w.Flush())
	if d.w.Fault() != nil || d.gate.Passed() != d.log.Offset() || passed >= d.log.Offset() {
		t.Errorf("fault %v, gate %d of %d", d.w.Fault(), d.gate.Passed(), d.log.Offset())
	}
	content, err := os.ReadFile(d.place.path("appendonly.aof.1.incr.aof"))
	must(t, err)
	list, _, _ := readAll(string(content))
	if len(list) != 1+5*len(d.units) {
		t.Errorf("%d commands in the file, want %d", len(list), 1+5*len(d.units))
	}
}
