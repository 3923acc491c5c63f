package testutil

import (
	"io"
	"net"
	"testing"
	"time"
)

// echo is a server that answers what it is sent.
func echo(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

// TestProxy: bytes pass, late, slowly, or not at all, as it was told.
func TestProxy(t *testing.T) {
	p := StartProxy(t, echo(t))
	var c net.Conn
	dial := func() error {
		var err error
		c, err = net.Dial("tcp", p.Addr())
		return err
	}
	say := func(n int, patience time.Duration) (time.Duration, error) {
		from := time.Now()
		if err := c.SetDeadline(from.Add(patience)); err != nil {
			return 0, err
		}
		if _, err := c.Write(make([]byte, n)); err != nil {
			return 0, err
		}
		_, err := io.ReadFull(c, make([]byte, n))
		return time.Since(from), err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	if _, err := say(100_000, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Delay(Up, 50*time.Millisecond)
	if took, err := say(10, 10*time.Second); err != nil || took < 50*time.Millisecond {
		t.Errorf("a delay of 50 ms: %v, %v", took, err)
	}
	p.Restore()
	p.Throttle(Down, 100_000)
	if took, err := say(20_000, 10*time.Second); err != nil || took < 100*time.Millisecond {
		t.Errorf("20 KB at 100 KB a second: %v, %v", took, err)
	}
	p.Restore()
	p.Still(Down)
	if _, err := say(10, 100*time.Millisecond); err == nil {
		t.Error("an answer came though the way back was closed")
	}
	p.Restore()
	if _, err := io.ReadFull(c, make([]byte, 0)); err != nil {
		t.Error(err)
	}
	p.Down()
	if _, err := say(10, time.Second); err == nil {
		t.Error("a connection outlived the cut")
	}
	if err := dial(); err == nil {
		if _, err = say(10, time.Second); err == nil {
			t.Error("a new connection was served while the network is down")
		}
	}
	p.Restore()
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	if _, err := say(10, 10*time.Second); err != nil {
		t.Error(err)
	}
	if up := p.Passed(Up); up < 120_000 {
		t.Errorf("%d bytes were counted up", up)
	}
}
