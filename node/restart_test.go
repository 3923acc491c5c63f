package node_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dozo/env"
	"dozo/internal/faultfs"
)

// again starts a node on a machine's disk and port, when the machine's own has ended.
func (m *machine) again(disk *faultfs.Mem, directives ...string) *machine {
	m.t.Helper()
	_, port, _ := net.SplitHostPort(m.node.Addrs()[0].String())
	return started(m.t, disk, append(directives, "repl-diskless-sync-delay 0", "bind 127.0.0.1", "port "+port)...)
}

// of is the directive that has a node follow another one.
func of(primary *machine) string {
	_, port, _ := net.SplitHostPort(primary.node.Addrs()[0].String())
	return "replicaof 127.0.0.1 " + port
}

// kinds are the ways in which data outlives the process.
var kinds = map[string]string{"snapshot": "save 3600 1000000", "append only file": "appendonly yes"}

// fill writes something of some types, all of which is in the log.
func (m *machine) fill() {
	for i := range 300 {
		m.do(fmt.Sprintf("SET key:%d value-%d", i, i))
		m.do(fmt.Sprintf("RPUSH longlist %d", i))
	}
	m.do("HSET hash f v g w")
	m.do("XADD stream 1-1 f v")
}

// settled waits until the append only file is complete, if there is one.
func (m *machine) settled() {
	m.until("the append only file is complete", func() bool { return m.info("aof_starting") != "1" })
}

// syncs checks how many replicas have got a snapshot, and that one has gone on, if there
// was to be none.
func (m *machine) syncs(full string) {
	m.t.Helper()
	if got := m.stat("sync_full"); got != full {
		m.t.Errorf("%s snapshots were sent, want %s\n%s", got, full, m.log)
	}
}

// TestReplicaGoesOn: a replica that ends in good order goes on where it was, in the database
// that was in force.
func TestReplicaGoesOn(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := started(t, newDisk(t), "repl-diskless-sync-delay 0")
			primary.fill()
			replica := started(t, newDisk(t), kind, of(primary))
			replica.catchesUp(primary)
			replica.settled()
			for i := range 3 {
				primary.write(5)
				primary.do("SELECT 7")
				primary.do(fmt.Sprintf("SET before %d", i))
				replica.catchesUp(primary)
				disk := replica.stop("SHUTDOWN")
				primary.do(fmt.Sprintf("SET behind %d", i)) // without a SELECT of its own
				primary.do("SELECT 0")
				replica = replica.again(disk, kind, of(primary))
				replica.catchesUp(primary)
			}
			primary.syncs("1")
		})
	}
}

// TestPrimaryGoesOn: the replicas of a primary that ends in good order go on under its new
// name; what expired meanwhile is removed from them, too.
func TestPrimaryGoesOn(t *testing.T) {
	t.Parallel()
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", kind)
			primary.fill()
			primary.settled()
			replica := started(t, newDisk(t), of(primary))
			replica.catchesUp(primary)
			for i := range 3 {
				primary.write(5)
				primary.do("SET soon over PX 150")
				former := primary.replication("master_replid")
				primary = primary.again(primary.stop("SHUTDOWN"), kind)
				primary.do(fmt.Sprintf("SET i %d", i))
				for range 3 { // before anything else happens to the log
					primary.do("SET long " + strings.Repeat("x", 100_000))
				}
				time.Sleep(150 * time.Millisecond)
				primary.until("the key is over", func() bool {
					v, err := primary.DoErr("EXISTS", "soon")
					return err == nil && v.Int() == 0
				})
				replica.catchesUp(primary)
				primary.syncs("0")
				if got := primary.replication("master_replid2"); got != former {
					t.Errorf("master_replid2 is %s, want %s", got, former)
				}
			}
		})
	}
}

// TestMiddleGoesOn: the replicas of a replica that ends in good order go on when it is back,
// however much its primary has to tell meanwhile.
func TestMiddleGoesOn(t *testing.T) {
	t.Parallel()
	primary := started(t, newDisk(t), "repl-diskless-sync-delay 0")
	middle := started(t, newDisk(t), kinds["snapshot"], of(primary), "repl-diskless-sync-delay 0")
	last := started(t, newDisk(t), of(middle))
	last.catchesUp(primary)
	var load sync.WaitGroup
	stop := make(chan struct{})
	c := primary.dial()
	load.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				for range 100 {
					c.Queue("INCR", "counter")
				}
				_ = c.Flush() // reading finds it
				for range 100 {
					if _, err := c.ReadRaw(); err != nil {
						t.Error(err)
						return
					}
				}
			}
		}
	})
	for range 2 {
		middle = middle.again(middle.stop("SHUTDOWN"), kinds["snapshot"], of(primary))
		last.until("the link is up", func() bool { return last.replication("master_link_status") == "up" })
		middle.syncs("0")
	}
	close(stop)
	load.Wait()
	last.catchesUp(primary)
}

// TestWipeGuard: a primary that comes back empty, or with data of before, does not wipe its
// replica, also if that was restarted itself; an operator's word does.
func TestWipeGuard(t *testing.T) {
	t.Parallel()
	for _, older := range []bool{false, true} {
		primary, replica := pairOf(t, kinds["snapshot"])
		disk := newDisk(t)
		if older {
			primary.do("SAVE")
			disk = primary.disk
			primary.write(3)
			replica.catchesUp(primary)
		}
		want := replica.do("DEBUG DIGEST")
		noError(t, primary.node.Close())
		fresh := primary.again(disk)
		guarded := func() {
			t.Helper()
			replica.until("the data is kept", func() bool { return replica.replication("dozo_wipe_guard") == "1" })
			if got := replica.do("DEBUG DIGEST"); got != want {
				t.Fatalf("the data has changed\n%s", replica.log)
			}
		}
		guarded()
		replica = replica.again(replica.stop("SHUTDOWN"), kinds["snapshot"], of(fresh))
		guarded()
		fresh.do("SET fresh 1")
		replica.follows(fresh)
		replica.catchesUp(fresh)
	}
}

// TestKilled: whoever is killed, whenever, and whatever was saved last: both end with the same
// data.
func TestKilled(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(seed, 1))
			primary := started(t, newDisk(t), "repl-diskless-sync-delay 0", "shutdown-timeout 1", kind)
			primary.fill()
			primary.settled()
			replica := started(t, newDisk(t), kind, "replica-refuse-older-primary no", of(primary))
			replica.catchesUp(primary)
			for range 6 {
				primary.write(r.IntN(20))
				if kind == kinds["snapshot"] && r.IntN(2) == 0 {
					[]*machine{primary, replica}[r.IntN(2)].do("SAVE")
				}
				primary.do(fmt.Sprintf("SELECT %d", r.IntN(10)))
				primary.write(r.IntN(3))
				end := func(m *machine) *faultfs.Mem {
					if r.IntN(3) == 0 {
						m.settled() // it would not end before that
						return m.stop("SHUTDOWN")
					}
					noError(t, m.node.Close())
					return m.disk
				}
				if r.IntN(2) == 0 {
					primary = primary.again(end(primary), kind)
				} else {
					disk := end(replica)
					primary.write(r.IntN(3))
					replica = replica.again(disk, kind, "replica-refuse-older-primary no", of(primary))
				}
				primary.do("SET last " + strconv.Itoa(r.IntN(1000)))
				replica.catchesUp(primary)
			}
		})
	}
}

// TestNoClaim: where it is not certain that a file is what the history says, a snapshot is
// sent.
func TestNoClaim(t *testing.T) {
	t.Parallel()
	aof := kinds["append only file"]
	for _, c := range []struct {
		name, kind string
		meanwhile  func(replica *machine)
		off        func(disk *faultfs.Mem)
	}{
		{"loaded again", aof, func(m *machine) {
			m.do("DEBUG LOADAOF")
			m.rewrites()
		}, nil},
		{"writable with a file", aof, func(m *machine) {
			m.do("CONFIG SET replica-read-only no")
			m.do("SET own write")
			m.rewrites()
		}, nil},
		{"reloaded", kinds["snapshot"], func(m *machine) { m.do("DEBUG RELOAD NOSAVE NOFLUSH MERGE") }, nil},
		{"writable", kinds["snapshot"], func(m *machine) {
			m.do("CONFIG SET replica-read-only no")
			m.do("SET own write")
			m.do("CONFIG SET replica-read-only yes")
		}, nil},
		{"edited", aof, nil, func(disk *faultfs.Mem) { edit(t, disk, "*1\r\n$4\r\nPING\r\n") }},
		{"torn", aof, nil, func(disk *faultfs.Mem) { edit(t, disk, "*1\r\n$4\r\nPI") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			primary := started(t, newDisk(t), "repl-diskless-sync-delay 0")
			primary.do("SET a b")
			replica := started(t, newDisk(t), c.kind, of(primary))
			replica.catchesUp(primary)
			replica.settled()
			if c.meanwhile != nil {
				if c.kind != aof {
					replica.do("SAVE")
				}
				c.meanwhile(replica)
			}
			disk := replica.stop("SHUTDOWN")
			if c.off != nil {
				c.off(disk)
			}
			replica = replica.again(disk, c.kind, of(primary))
			replica.catchesUp(primary)
			primary.syncs("2")
		})
	}
}

// edit appends to the last part of the append only file.
func edit(t *testing.T, disk *faultfs.Mem, text string) {
	t.Helper()
	f, err := disk.OpenFile(lastPart(t, disk), env.Append, 0)
	noError(t, err)
	_, err = f.Write([]byte(text))
	noError(t, err)
	noError(t, f.Close())
}

func lastPart(t *testing.T, disk *faultfs.Mem) (path string) {
	t.Helper()
	list, err := disk.ReadDir("/data/appendonlydir")
	noError(t, err)
	for _, e := range list {
		if strings.HasSuffix(e.Name(), ".incr.aof") {
			path = "/data/appendonlydir/" + e.Name()
		}
	}
	return path
}
