package replication

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"syscall"
	"testing"
	"time"

	"dozo/env"
	"dozo/eventloop"
	"dozo/internal/faultfs"
)

const testBlock = 64

var _ eventloop.Source = (*SpoolReader)(nil)

func spoolOn(fs env.FS, blocks, disk int64) *Spool {
	return NewSpool(SpoolOptions{Memory: blocks * testBlock, Disk: disk, FS: fs, Path: "/spool", block: testBlock})
}

// body is text in which every place is told from every other.
func body(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// drain reads all that is there, in pieces.
func drain(t *testing.T, r *SpoolReader) (got []byte, err error) {
	t.Helper()
	for {
		b, err := r.Peek()
		if err != nil || len(b) == 0 {
			return got, err
		}
		n := min(len(b), 1+len(b)/2)
		got = append(got, b[:n]...)
		r.Advance(n)
	}
}

// drainAll waits for what the disk brings.
func drainAll(t *testing.T, r *SpoolReader, woken chan bool) ([]byte, error) {
	t.Helper()
	var all []byte
	for {
		got, err := drain(t, r)
		if all = append(all, got...); err != nil {
			return all, err
		}
		if r.Arm() {
			select {
			case <-woken:
			case <-time.After(10 * time.Second):
				t.Fatalf("nobody woke the reader after %d bytes", len(all))
			}
		}
	}
}

func newReader(t *testing.T, s *Spool) (*SpoolReader, chan bool) {
	t.Helper()
	woken := make(chan bool, 1)
	r, err := s.NewReader(func() { woken <- true })
	if err != nil {
		t.Fatal(err)
	}
	return r, woken
}

func write(t *testing.T, s *Spool, b []byte) {
	t.Helper()
	if n, err := s.Write(b); n != len(b) || err != nil {
		t.Fatalf("wrote %d of %d: %v", n, len(b), err)
	}
}

// empty checks that a spool that all have left holds nothing.
func empty(t *testing.T, s *Spool, disk *faultfs.Mem) {
	t.Helper()
	for range 200 {
		s.mu.Lock()
		left, file := s.inMemory, s.file
		s.mu.Unlock()
		if left == 0 && file == nil && (disk == nil || disk.Used() == 0) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d blocks are in memory, and a file %v", s.inMemory, s.file)
}

func TestSpoolFrames(t *testing.T) {
	for _, size := range []int{0, 1, testBlock - 1, testBlock, testBlock + 1, 3 * testBlock} {
		s := spoolOn(nil, 10, 0)
		marked, _ := newReader(t, s)
		whole, woken := newReader(t, s)
		marked.Begin("$EOF:m\r\n", "m")
		data := body(rand.New(rand.NewPCG(1, uint64(size))), size)
		write(t, s, data)
		got, err := drain(t, marked)
		if want := append([]byte("$EOF:m\r\n"), data...); !bytes.Equal(got, want) || err != nil {
			t.Errorf("%d bytes: before the end %q, %v", size, got, err)
		}
		if b, err := whole.Peek(); len(b) != 0 || err != nil || !whole.Arm() {
			t.Errorf("%d bytes: something comes before Begin", size)
		}
		s.Finish()
		if got, err = drain(t, marked); string(got) != "m" || err != io.EOF {
			t.Errorf("%d bytes: at the end %q, %v", size, got, err)
		}
		whole.Begin("$7\r\n", "")
		<-woken
		if got, err = drain(t, whole); !bytes.Equal(got, append([]byte("$7\r\n"), data...)) || err != io.EOF {
			t.Errorf("%d bytes: by length %q, %v", size, got, err)
		}
		if n, more := whole.Sent(); n != uint64(4+size) || more {
			t.Errorf("%d bytes: sent %d, more %v", size, n, more)
		}
		s.Release()
		if _, err := s.NewReader(nil); !errors.Is(err, ErrReleased) {
			t.Errorf("a reader comes after Release: %v", err)
		}
		marked.Close()
		whole.Close()
		empty(t, s, nil)
	}
}

// TestSpoolFile: much more than memory, and readers who come late.
func TestSpoolFile(t *testing.T) {
	disk := faultfs.New()
	s := spoolOn(disk, 4, 1<<20)
	data := body(rand.New(rand.NewPCG(1, 2)), 100*testBlock+7)
	first, woken := newReader(t, s)
	first.Begin("", "")
	write(t, s, data[:50*testBlock])
	if s.inMemory > 6 {
		t.Errorf("%d blocks are in memory", s.inMemory)
	}
	late, lateWoken := newReader(t, s)
	late.Begin("", "")
	write(t, s, data[50*testBlock:])
	s.Finish()
	for _, r := range []struct {
		r *SpoolReader
		c chan bool
	}{{first, woken}, {late, lateWoken}} {
		if got, err := drainAll(t, r.r, r.c); err != io.EOF || !bytes.Equal(got, data) {
			t.Errorf("%d bytes of %d came: %v", len(got), len(data), err)
		}
		r.r.Close()
	}
	if s.inMemory > 6 {
		t.Errorf("%d blocks are in memory at the end", s.inMemory)
	}
	s.Release()
	empty(t, s, disk)
}

// TestSpoolBounds: no file, or one that is full or fails. Then the writer waits for one
// reader, but not for the slowest of two, nor for one that waits for the end.
func TestSpoolBounds(t *testing.T) {
	full := faultfs.Wrap(faultfs.New())
	full.Inject(faultfs.Fault{Op: faultfs.Write, Skip: 7, Err: syscall.ENOSPC})
	broken := faultfs.Wrap(faultfs.New())
	broken.Inject(faultfs.Fault{Op: faultfs.Write, Skip: 3, Err: syscall.EIO})
	for name, s := range map[string]*Spool{
		"no file": spoolOn(nil, 4, 0), "small file": spoolOn(faultfs.New(), 4, 10*testBlock), "full": spoolOn(full, 4, 1<<20), "broken": spoolOn(broken, 4, 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			data := body(rand.New(rand.NewPCG(1, 2)), 100*testBlock)
			fast, woken := newReader(t, s)
			slow, _ := newReader(t, s)
			unbegun, _ := newReader(t, s)
			fast.Begin("", "")
			slow.Begin("", "")
			go func() {
				s.Write(data)
				s.Finish()
			}()
			if got, err := drainAll(t, fast, woken); err != io.EOF || !bytes.Equal(got, data) {
				t.Errorf("%d bytes came: %v", len(got), err)
			}
			_, err := slow.Peek()
			if full := errors.Is(err, syscall.ENOSPC); !errors.Is(err, ErrSlow) || full != (name == "full") {
				t.Errorf("the slow one: %v", err)
			}
			if _, err := unbegun.Peek(); !errors.Is(err, ErrNoRoom) {
				t.Errorf("the one that waits for the end: %v", err)
			}
			if _, err := s.NewReader(nil); err == nil {
				t.Error("another reader may come")
			}
			if failed := s.FileError() != nil; failed != (name == "full" || name == "broken") {
				t.Errorf("the file: %v", s.FileError())
			}
			fast.Close()
			empty(t, s, nil)
		})
	}
}

// TestSpoolWaits: a single reader slows the writer.
func TestSpoolWaits(t *testing.T) {
	s := spoolOn(nil, 4, 0)
	r, woken := newReader(t, s)
	r.Begin("", "")
	data := body(rand.New(rand.NewPCG(1, 2)), 100*testBlock)
	done := make(chan bool)
	go func() {
		s.Write(data)
		s.Finish()
		close(done)
	}()
	select {
	case <-done:
		t.Error("the writer did not wait")
	case <-time.After(50 * time.Millisecond):
	}
	if s.Size() > 10*testBlock {
		t.Errorf("%d bytes are kept", s.Size())
	}
	if got, err := drainAll(t, r, woken); err != io.EOF || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came: %v", len(got), err)
	}
	<-done
	r.Close()
	empty(t, s, nil)
}

func TestSpoolFails(t *testing.T) {
	disk := faultfs.New()
	s := spoolOn(disk, 4, 1<<20)
	r, woken := newReader(t, s)
	other, _ := newReader(t, s)
	r.Begin("", "")
	write(t, s, make([]byte, 20*testBlock))
	for {
		if _, err := drain(t, r); err != nil {
			t.Fatal(err)
		}
		if !r.Arm() {
			continue
		}
		if n, _ := r.Sent(); n == 20*testBlock {
			break
		}
		<-woken
	}
	boom := errors.New("boom")
	s.Fail(boom)
	<-woken
	for _, r := range []*SpoolReader{r, other} {
		if _, err := r.Peek(); err != boom {
			t.Errorf("the reader got %v", err)
		}
		r.Advance(0)
		r.Close()
	}
	if _, err := s.Write([]byte("x")); err != boom {
		t.Errorf("the writer got %v", err)
	}
	if _, err := s.NewReader(nil); err != boom {
		t.Errorf("a new reader got %v", err)
	}
	empty(t, s, disk)
}

// hungFile does not answer until it is let go: reads if reads is set, or writes.
type hungFile struct {
	env.File
	reads, writes chan bool
}

func (h hungFile) Write(p []byte) (int, error) {
	if h.writes != nil {
		<-h.writes
	}
	return h.File.Write(p)
}

func (h hungFile) ReadAt(p []byte, at int64) (int, error) {
	if h.reads != nil {
		<-h.reads
	}
	return h.File.ReadAt(p, at)
}

// TestSpoolHungDisk: a reader whose block the disk does not give only sleeps, and the
// others and the writer go on.
func TestSpoolHungDisk(t *testing.T) {
	disk := faultfs.New()
	s := spoolOn(disk, 4, 1<<20)
	data := body(rand.New(rand.NewPCG(1, 2)), 20*testBlock)
	fast, woken := newReader(t, s)
	fast.Begin("", "")
	write(t, s, data)
	hung := make(chan bool)
	s.mu.Lock()
	s.file = hungFile{s.file, hung, nil}
	s.mu.Unlock()
	late, lateWoken := newReader(t, s)
	late.Begin("", "")
	if got, err := drain(t, late); len(got) != 2*testBlock || err != nil || !late.Arm() { // those that the fast one holds
		t.Fatalf("%d bytes from a disk that hangs: %v", len(got), err)
	}
	write(t, s, data)
	if _, more := late.Sent(); more {
		t.Error("there is more for the late one")
	}
	close(hung)
	s.Finish()
	data = append(data, data...)
	for _, c := range []struct {
		r    *SpoolReader
		c    chan bool
		want []byte
	}{{late, lateWoken, data[2*testBlock:]}, {fast, woken, data}} {
		if got, err := drainAll(t, c.r, c.c); err != io.EOF || !bytes.Equal(got, c.want) {
			t.Errorf("%d bytes came: %v", len(got), err)
		}
		c.r.Close()
	}
	s.Release()
	empty(t, s, disk)
}

// TestSpoolReleaseWhileWriting: what the disk is still writing is not given to others.
func TestSpoolReleaseWhileWriting(t *testing.T) {
	disk := faultfs.New()
	s := spoolOn(disk, 4, 1<<20)
	r, woken := newReader(t, s)
	r.Begin("", "")
	data := body(rand.New(rand.NewPCG(1, 2)), 10*testBlock)
	write(t, s, data[:6*testBlock])
	hung := make(chan bool)
	s.mu.Lock()
	s.file = hungFile{s.file, nil, hung}
	s.mu.Unlock()
	go func() {
		s.Write(data[6*testBlock:])
		s.Finish()
	}()
	for busy := false; !busy; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		busy = s.spills != nil
		s.mu.Unlock()
	}
	got := 0
	for got < 6*testBlock {
		b, err := drain(t, r)
		if got += len(b); err != nil {
			t.Fatal(err)
		}
		if got < 6*testBlock && r.Arm() {
			<-woken
		}
	}
	s.Release()
	s.mu.Lock()
	if s.spills == nil || s.spills.data == nil {
		t.Error("the block that is being written is gone")
	}
	s.mu.Unlock()
	close(hung)
	if rest, err := drainAll(t, r, woken); err != io.EOF || got+len(rest) != len(data) {
		t.Errorf("%d bytes came: %v", got+len(rest), err)
	}
	r.Close()
	empty(t, s, disk)
}

// TestSpoolUnreadable: a reader whose block cannot be read back ends.
func TestSpoolUnreadable(t *testing.T) {
	fs := faultfs.Wrap(faultfs.New())
	s := spoolOn(fs, 4, 1<<20)
	r, woken := newReader(t, s)
	r.Begin("", "")
	fs.Inject(faultfs.Fault{Op: faultfs.Read, Err: syscall.EIO})
	write(t, s, make([]byte, 20*testBlock))
	if got, err := drainAll(t, r, woken); !errors.Is(err, syscall.EIO) {
		t.Errorf("%d bytes came: %v", len(got), err)
	}
	r.Close()
	s.Finish()
	s.Release()
	empty(t, s, nil)
}

// TestSpoolRandom: readers come, read as they like, leave early or are cut; who reads to the
// end has read all.
func TestSpoolRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	for i := range uint64(60) {
		randomSpool(t, seed+i)
	}
}

func randomSpool(t *testing.T, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	disk := faultfs.New()
	room := []int64{0, 30 * testBlock, 1 << 20}[r.IntN(3)]
	s := spoolOn(disk, 2+r.Int64N(8), room)
	data := body(r, r.IntN(300*testBlock))
	var all sync.WaitGroup
	begun := 0
	join := func() {
		at := rand.New(rand.NewPCG(seed, uint64(begun)))
		begun++
		woken := make(chan bool, 1)
		reader, err := s.NewReader(func() { woken <- true })
		if err != nil {
			return
		}
		all.Go(func() { readRandomly(t, seed, at, reader, woken, data) })
	}
	for range 1 + r.IntN(3) {
		join()
	}
	for at := 0; at < len(data); {
		n := min(1+r.IntN(3*testBlock), len(data)-at)
		write(t, s, data[at:at+n])
		at += n
		if r.IntN(30) == 0 {
			join()
		}
	}
	if r.IntN(5) == 0 {
		s.Fail(errors.New("given up"))
	}
	s.Finish()
	join()
	s.Release()
	all.Wait()
	empty(t, s, disk)
}

func readRandomly(t *testing.T, seed uint64, r *rand.Rand, s *SpoolReader, woken chan bool, data []byte) {
	defer s.Close()
	s.Begin("<", ">")
	var got []byte
	for {
		b, err := s.Peek()
		switch {
		case err == io.EOF:
			if string(got) != "<"+string(data)+">" {
				t.Errorf("seed %d: %d bytes came, of %d", seed, len(got), len(data))
			}
			return
		case err != nil || r.IntN(2000) == 0:
			return
		case len(b) == 0:
			if s.Arm() {
				<-woken
			}
			continue
		}
		n := r.IntN(len(b) + 1)
		got = append(got, b[:n]...)
		s.Advance(n)
		if r.IntN(20) == 0 {
			time.Sleep(time.Duration(r.IntN(200)) * time.Microsecond)
		}
	}
}

// BenchmarkSpool is one body for three readers.
func BenchmarkSpool(b *testing.B) {
	piece := make([]byte, 128<<10)
	b.SetBytes(int64(len(piece)))
	s := NewSpool(SpoolOptions{Memory: 64 << 20})
	var all sync.WaitGroup
	for range 3 {
		woken := make(chan bool, 1)
		r, err := s.NewReader(func() { woken <- true })
		if err != nil {
			b.Fatal(err)
		}
		r.Begin("<", ">")
		all.Go(func() {
			defer r.Close()
			for {
				p, err := r.Peek()
				if err != nil {
					return
				}
				if r.Advance(len(p)); len(p) == 0 && r.Arm() {
					<-woken
				}
			}
		})
	}
	s.Release()
	for b.Loop() {
		s.Write(piece)
	}
	s.Finish()
	all.Wait()
}

// TestSpoolBehind: the readers are behind when the fastest of them is.
func TestSpoolBehind(t *testing.T) {
	s := spoolOn(nil, 4, 0)
	fast, _ := newReader(t, s)
	slow, _ := newReader(t, s)
	behind := func(when string, want bool) {
		t.Helper()
		if s.Behind() != want {
			t.Errorf("%s: %v", when, !want)
		}
	}
	behind("nothing was written", false)
	write(t, s, body(rand.New(rand.NewPCG(1, 1)), 2*testBlock))
	behind("nobody reads", true)
	fast.Begin("", "")
	slow.Begin("", "")
	if _, err := drain(t, fast); err != nil {
		t.Fatal(err)
	}
	behind("one has all", false)
	fast.Close()
	behind("it is gone", true)
	slow.Close()
	s.Fail(ErrSpoolClosed)
}
