package disk

import (
	"path"
	"strings"
	"testing"
)

// TestFilesRemoved: somebody removes files of the append only file while the server
// writes them, which the system lets happen without a word. It is noticed, writes are
// refused, and a new append only file is made without anybody's help.
func TestFilesRemoved(t *testing.T) {
	for what, remove := range map[string]func(m *machine){
		"the file":     func(m *machine) { must(m.T, m.disk.Remove(path.Join(data, incr))) },
		"the base":     func(m *machine) { must(m.T, m.disk.Remove(path.Join(data, base))) },
		"the manifest": func(m *machine) { must(m.T, m.disk.Remove(path.Join(data, manifest))) },
		"the folder": func(m *machine) {
			for _, name := range m.names() {
				_ = m.disk.Remove(path.Join(data, "appendonlydir", name)) // some are elsewhere
			}
			must(m.T, m.disk.Remove(path.Join(data, "appendonlydir")))
		},
	} {
		for _, policy := range []string{"always", "everysec"} {
			t.Run(what+", "+policy, func(t *testing.T) {
				t.Parallel()
				m := boot(t, nil, "appendonly yes", "appendfsync "+policy, "auto-aof-rewrite-percentage 0")
				n := m.count(4)
				n.awaitMore()
				remove(m)
				m.await("the fault", func() bool { return m.logged("# .* is not in /data/appendonlydir any more") })
				m.awaitInfo("aof_last_write_status", "ok")
				n.awaitMore()
				n.halt()
				m.settle()
				m.wantLog("Background AOF rewrite terminated with success(?s:.*)any more(?s:.*)Background AOF rewrite terminated with success")
				if err := machineOn(t, m.disk).start("appendonly yes"); err == nil || !strings.Contains(err.Error(), "in use by another server") {
					t.Errorf("the folder is not locked: %v", err)
				}
				n.wantAll(t, m, "the server")
				n.wantAll(t, m.after("appendonly yes"), "a restart")
			})
		}
	}
}
