package node_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dozo/config"
	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/faultfs"
	"dozo/internal/testutil"
	"dozo/node"
)

// slowSnapshot is a disk with a snapshot whose loading takes seconds, of which the third
// read is told to began.
func slowSnapshot(t *testing.T, began func()) (disk *faultfs.Mem, files *faultfs.FS) {
	t.Helper()
	disk = newDisk(t)
	m := started(t, disk, "rdbcompression no")
	for i := range 40 {
		m.do(fmt.Sprintf("SET big%d %s", i, strings.Repeat("v", 300_000)))
	}
	m.do("SAVE")
	disk = disk.KeepAll()
	files = faultfs.Wrap(disk)
	var reads atomic.Int32
	files.Inject(faultfs.Fault{Op: faultfs.Read, Path: "dump.rdb", Wait: func() {
		if reads.Add(1) == 3 {
			began()
		}
		time.Sleep(100 * time.Millisecond)
	}})
	return disk, files
}

// TestInterrupt: the end is asked for while a snapshot is loaded, by who started the node
// or by a client. The start ends soon, and says why; the snapshot stays as it is, whatever
// is to be saved.
func TestInterrupt(t *testing.T) {
	for name, interrupt := range map[string]func(cancel func(), at string){
		"Interrupt": func(cancel func(), _ string) { cancel() },
		"SHUTDOWN SAVE": func(_ func(), at string) {
			if c, err := testutil.Dial(at); err == nil {
				defer c.Close()
				_, _ = c.DoErr("SHUTDOWN", "SAVE") // which has no reply
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := make(chan struct{})
			disk, files := slowSnapshot(t, func() { close(began) })
			before, _ := disk.ReadFile("/data/dump.rdb")
			cfg := config.New(config.Options{FS: files, WorkDir: "/data", Cores: 2})
			noError(t, cfg.Load(config.Sources{Options: "port 0\ndir /data"}))
			world := env.Real()
			world.FS = files
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			noError(t, err)
			at := l.Addr().String()
			noError(t, l.Close())
			go func() {
				<-began
				interrupt(cancel, at)
			}()
			from := time.Now()
			n, err := node.Start(node.Options{Env: world, Config: cfg, Log: &testutil.Journal{}, Transport: eventloop.Auto, Addr: at, Interrupt: ctx})
			if err == nil {
				noError(t, n.Close())
			}
			if took := time.Since(from); !errors.Is(err, node.ErrInterrupted) || took > 3*time.Second {
				t.Errorf("after %v: %v", took, err)
			}
			if after, _ := disk.ReadFile("/data/dump.rdb"); string(after) != string(before) {
				t.Errorf("the snapshot has %d bytes, and had %d", len(after), len(before))
			}
		})
	}
}
