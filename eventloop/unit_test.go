package eventloop

import (
	"bytes"
	"testing"
	"time"
)

func TestPool(t *testing.T) {
	var p pool
	for _, n := range []int{0, 1, 1023, 1024, 1025, 65536, 1 << 20} {
		b := p.get(n)
		if len(b) != 0 || cap(b) < n || cap(b) > max(2*n, 1024) {
			t.Errorf("get(%d): len %d, cap %d", n, len(b), cap(b))
		}
		p.put(b)
		if again := p.get(n); cap(again) != cap(b) || p.bytes < 0 {
			t.Errorf("get(%d) again: cap %d", n, cap(again))
		} else {
			p.put(again)
		}
	}
	if b := p.get(5 << 20); cap(b) != 5<<20 {
		t.Errorf("a big buffer has capacity %d", cap(b))
	}
	p.put(make([]byte, 0, 3000)) // keeps a promise of 2048
	if b := p.get(2048); cap(b) < 2048 {
		t.Errorf("get(2048): cap %d", cap(b))
	}
	for range 20 {
		p.put(make([]byte, 0, 1<<20))
	}
	if p.bytes > poolMaxBytes {
		t.Errorf("%d bytes are kept", p.bytes)
	}
	p.put(make([]byte, 0, 100)) // too small, too big
	p.put(make([]byte, 0, 2<<20))
}

// Buffers that nobody asks for go after a while; those that are in use stay.
func TestPoolTrim(t *testing.T) {
	var p pool
	for range 8 {
		p.put(make([]byte, 0, 64<<10))
	}
	p.trim()
	before := p.bytes
	busy := p.get(64 << 10)
	p.put(busy)
	p.trim()
	if p.bytes >= before || p.bytes == 0 {
		t.Errorf("%d of %d bytes are left after one trim", p.bytes, before)
	}
	for range 20 {
		p.trim()
	}
	if p.bytes != 0 {
		t.Errorf("%d bytes are left in an idle pool", p.bytes)
	}
}

// outQueue against a plain slice.
func TestOutQueueModel(t *testing.T) {
	r := newRand(t)
	var spare pool
	for range 50 {
		var q outQueue
		var twin []byte
		next := byte(0)
		fill := func(n int) []byte {
			p := make([]byte, n)
			for i := range p {
				p[i] = next
				next++
			}
			return p
		}
		for range 200 {
			switch r.IntN(5) {
			case 0:
				p := fill(r.IntN(40_000))
				q.add(p, &spare)
				twin = append(twin, p...)
			case 1:
				p := fill(1 + r.IntN(1000))
				off := r.IntN(len(p))
				q.steal(p, off)
				twin = append(twin, p[off:]...)
			case 2:
				p := fill(1 + r.IntN(1000))
				q.unshift(p)
				twin = append(bytes.Clone(p), twin...)
			default:
				n := r.IntN(len(twin) + 1)
				q.advance(n, &spare)
				twin = twin[n:]
			}
			checkQueue(t, &q, twin, r.IntN(100_000))
		}
		q.drop(&spare)
		if q.size != 0 || q.memory != 0 {
			t.Fatal("drop leaves something")
		}
	}
}

func checkQueue(t *testing.T, q *outQueue, twin []byte, limit int) {
	t.Helper()
	if q.size != len(twin) {
		t.Fatalf("size %d, want %d", q.size, len(twin))
	}
	var list [8][]byte
	got := bytes.Join(q.view(list[:0], limit), nil)
	if len(got) > limit || !bytes.HasPrefix(twin, got) {
		t.Fatalf("view(%d) shows %d wrong bytes", limit, len(got))
	}
	if limit > 0 && len(twin) > 0 && len(got) == 0 {
		t.Fatal("view shows nothing")
	}
	memory := 0
	for _, c := range q.chunks[q.head:] {
		memory += cap(c.buf)
	}
	if memory != q.memory {
		t.Fatalf("memory %d, want %d", q.memory, memory)
	}
}

// Taking a long queue byte by byte takes linear time.
func TestOutQueueIsLinear(t *testing.T) {
	var q outQueue
	var spare pool
	const count = 200_000
	begin := time.Now()
	for range count {
		q.add(make([]byte, 100), &spare)
	}
	for range count / 10 {
		q.advance(1000, &spare)
	}
	if took := time.Since(begin); took > 2*time.Second || q.size != 0 {
		t.Errorf("%v for 20 MB, %d left", took, q.size)
	}
}

// inBuffer against a plain slice.
func TestInBufferModel(t *testing.T) {
	r := newRand(t)
	var spare pool
	for range 50 {
		var b inBuffer
		var twin []byte
		for i := range 300 {
			switch r.IntN(4) {
			case 0:
				n := r.IntN(5000)
				b.room(n, &spare)
				p := bytes.Repeat([]byte{byte(i)}, n)
				b.buf = append(b.buf, p...)
				twin = append(twin, p...)
			case 1:
				n := r.IntN(len(twin) + 1)
				b.start += n
				twin = twin[n:]
			case 2:
				tail := bytes.Repeat([]byte{byte(i)}, 1+r.IntN(3000))
				more := r.IntN(100_000)
				b.keep(tail, more, &spare)
				twin = append([]byte(nil), tail...)
				if cap(b.buf) < len(tail)+more {
					t.Fatal("no room was kept")
				}
			default:
				if len(twin) == 0 {
					b.drop(&spare)
				}
			}
			if !bytes.Equal(b.bytes(), twin) {
				t.Fatalf("%d bytes, want %d", b.len(), len(twin))
			}
		}
	}
}

// Gates against the rule: byte i may leave when every gate at or before i is open.
func TestGateModel(t *testing.T) {
	r := newRand(t)
	for range 200 {
		l := &Loop{}
		l.inside.Store(true)
		c := &Conn{Loop: l}
		var offsets []uint64 // for each byte, the highest offset that it waits for
		highest, sent := uint64(0), 0
		for range 60 {
			switch r.IntN(3) {
			case 0:
				o := uint64(r.IntN(100))
				c.Hold(o)
				highest = max(highest, o)
			case 1:
				for range r.IntN(5) {
					c.Out = append(c.Out, 'x')
					offsets = append(offsets, highest)
				}
				c.queue.add(c.Out, &l.spare)
				c.Out = c.Out[:0]
			default:
				l.Release(uint64(r.IntN(100)))
				c.openGates(l.released.Load())
			}
			want := 0
			for sent+want < len(offsets) && offsets[sent+want] <= l.released.Load() {
				want++
			}
			if got := c.passable(); got != want {
				t.Fatalf("%d bytes may pass, want %d", got, want)
			}
			n := r.IntN(want + 1)
			c.queue.advance(n, &l.spare)
			c.sent += uint64(n)
			sent += n
		}
	}
}
