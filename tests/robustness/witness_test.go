package robustness

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// The bounds of what others may notice. They are for a machine that has other
// things to do as well: they tell a server that is stuck from one that is busy.
const (
	worstMax  = 3 * time.Second
	medianMax = 300 * time.Millisecond
	// residentMaxMB is what a server may hold when its clients have not left it
	// more than some 100 MB: the collector lets garbage pile up to 256 MB or half of what lives.
	residentMaxMB = 400
)

// witness are clients that behave while others do not. Each must get the right
// replies all along, and soon.
type witness struct {
	t    *testing.T
	stop atomic.Bool
	wg   sync.WaitGroup
	mu   sync.Mutex
	took []time.Duration
}

// watch starts n witnesses.
func watch(t *testing.T, s *testutil.Server, n int) *witness {
	t.Helper()
	w := &witness{t: t}
	for i := range n {
		c := s.Conn(t, 2)
		w.wg.Go(func() {
			defer c.Close()
			if err := w.look(c, "witness:"+strconv.Itoa(i)); err != nil {
				t.Errorf("witness %d: %v", i, err)
			}
		})
	}
	t.Cleanup(w.end)
	return w
}

func (w *witness) end() {
	w.stop.Store(true)
	w.wg.Wait()
}

// look writes and reads in one transaction, which is whole whatever happens to the
// key before and after it.
func (w *witness) look(c *testutil.Peer, key string) error {
	var took []time.Duration
	defer func() {
		w.mu.Lock()
		w.took = append(w.took, took...)
		w.mu.Unlock()
	}()
	for n := 0; !w.stop.Load(); n++ {
		began, value := time.Now(), strconv.Itoa(n)
		c.Queue("MULTI")
		c.Queue("SET", key, value)
		c.Queue("GET", key)
		c.Queue("EXEC")
		if err := c.Flush(); err != nil {
			return err
		}
		want := fmt.Sprintf("+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n$%d\r\n%s\r\n", len(value), value)
		if err := expect(c.Conn, want); err != nil {
			return fmt.Errorf("after %v: %w", time.Since(began), err)
		}
		took = append(took, time.Since(began))
		time.Sleep(time.Millisecond)
	}
	return nil
}

// expect reads replies that must be just these.
func expect(c *testutil.Conn, want string) error {
	got := ""
	for len(got) < len(want) {
		raw, err := c.ReadRaw()
		if err != nil {
			return fmt.Errorf("%w behind %q", err, got)
		}
		got += string(raw)
	}
	if got != want {
		return fmt.Errorf("replies %q, want %q", got, want)
	}
	return nil
}

// verdict ends the witnesses and judges how long they waited.
func (w *witness) verdict() {
	w.t.Helper()
	w.end()
	if len(w.took) == 0 {
		w.t.Error("the witnesses were not served at all")
		return
	}
	slices.Sort(w.took)
	median, worst := w.took[len(w.took)/2], w.took[len(w.took)-1]
	w.t.Logf("%d requests of witnesses: median %v, 99%% %v, worst %v", len(w.took), median, w.took[len(w.took)*99/100], worst)
	if !slow() && (median > medianMax || worst > worstMax) {
		w.t.Errorf("others waited too long: median %v (limit %v), worst %v (limit %v)", median, medianMax, worst, worstMax)
	}
}

func checkResident(t *testing.T, megabytes int64) {
	t.Helper()
	t.Logf("%d MB resident at most", megabytes)
	if !slow() && megabytes > residentMaxMB {
		t.Errorf("%d MB resident, limit %d", megabytes, residentMaxMB)
	}
}

// residence follows the resident memory of a server and tells the most there was.
func residence(t *testing.T, s *testutil.Server) (most func() int64) {
	t.Helper()
	var peak int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if n, err := testutil.RSS(s.Pid); err == nil { // it may have ended
				peak = max(peak, n>>20)
			}
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	end := sync.OnceFunc(func() { close(done); <-ended })
	t.Cleanup(end)
	return func() int64 { end(); return peak }
}
