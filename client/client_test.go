package client

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"dozo/env"
	"dozo/internal/testutil"
	"dozo/resp"
)

// scripted is a server that answers every command with the next of its lines,
// then closes. It returns the client's side and what it will have read.
func scripted(t *testing.T, o Options, replies ...string) (*Conn, <-chan string) {
	t.Helper()
	here, there := net.Pipe()
	heard := make(chan string, 1)
	go func() {
		var all strings.Builder
		buf := make([]byte, 4096)
		for _, r := range replies {
			n, err := there.Read(buf)
			if err != nil {
				break
			}
			all.Write(buf[:n])
			_, _ = there.Write([]byte(r))
		}
		there.Close()
		heard <- all.String()
	}()
	c := New(here, o)
	t.Cleanup(c.Close)
	return c, heard
}

func TestDo(t *testing.T) {
	c, heard := scripted(t, Options{}, "$1\r\nv\r\n", "-ERR no\r\n", ">1\r\n+p\r\n:1\r\n")
	var pushed []resp.Value
	c.OnPush = func(v resp.Value) { pushed = append(pushed, v) }
	if v, err := c.Do("GET", "k"); err != nil || v.Str != "v" {
		t.Error(v, err)
	}
	v, err := c.Do("X")
	var refused resp.ReplyError
	if !errors.As(err, &refused) || refused.Code() != "ERR" || !v.IsError() {
		t.Error(v, err)
	}
	if v, err := c.Do("Y"); err != nil || v.Int != 1 || len(pushed) != 1 {
		t.Error(v, err, pushed)
	}
	if _, err := c.Do("Z"); err == nil {
		t.Error("no error after the end")
	}
	if got := <-heard; got != "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$1\r\nX\r\n*1\r\n$1\r\nY\r\n" {
		t.Errorf("%q", got)
	}
}

func TestHandshake(t *testing.T) {
	c, heard := scripted(t, Options{User: "u", Password: "p", Proto: 3, DB: 2}, "+OK\r\n", "%0\r\n", "-ERR index\r\n")
	err := c.Handshake()
	var refused *HandshakeError
	if !errors.As(err, &refused) || refused.Step != "SELECT" || err.Error() != "SELECT failed: ERR index" {
		t.Error(err)
	}
	if got := <-heard; got != "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n" {
		t.Errorf("%q", got)
	}
	c, _ = scripted(t, Options{Password: "p"}, "-WRONGPASS no\r\n")
	if err := c.Handshake(); !errors.As(err, &refused) || refused.Step != "AUTH" {
		t.Error(err)
	}
}

func TestPipeline(t *testing.T) {
	c, _ := scripted(t, Options{}, ":1\r\n:2\r\n:3\r\n")
	c.Send("A")
	c.SendBytes([]byte("B"))
	c.SendRaw([]byte("C\r\n"))
	if c.Queued() == 0 {
		t.Error("nothing queued")
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	for i := int64(1); i <= 3; i++ {
		if v, err := c.Receive(); err != nil || v.Int != i {
			t.Error(v, err)
		}
	}
	if _, err := c.Receive(); err != io.EOF && err != io.ErrClosedPipe { // as far as the other end has come
		t.Error(err)
	}
}

func TestTimeoutAndInterrupt(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	c := New(here, Options{ReadTimeout: 10 * time.Millisecond, WriteTimeout: 10 * time.Millisecond})
	defer c.Close()
	if _, err := c.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if _, err := c.Do("PING"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	done := make(chan error)
	go func() { done <- c.Wait() }()
	time.Sleep(10 * time.Millisecond)
	c.Interrupt()
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	if err := c.Wait(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	c.Resume()
	go func() { _, _ = there.Write([]byte("+OK\r\n")) }()
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	if v, err := c.Receive(); err != nil || v.Str != "OK" {
		t.Error(v, err)
	}
}

func TestDialRefusals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// The listener never answers, so the handshake has to give up in time.
	o := Options{Dialer: env.Real().Dialer, Address: l.Addr().String(), DB: 1, DialTimeout: 30 * time.Millisecond}
	if _, err := Dial(context.Background(), o); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	l.Close()
	if _, err := Dial(context.Background(), o); err == nil {
		t.Error("connected to a closed port")
	}
}

func TestAgainstRedis(t *testing.T) {
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	s := testutil.StartRedis(t, "--requirepass", "secret")
	o := Options{Dialer: env.Real().Dialer, Address: s.Addr(), Password: "secret", DB: 3, Proto: 3, DialTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second}
	c, err := Dial(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	big := strings.Repeat("x", 3<<20)
	if _, err := c.Do("SET", "k", big); err != nil {
		t.Error(err)
	}
	if v, err := c.Do("GET", "k"); err != nil || v.Str != big {
		t.Error(len(v.Str), err)
	}
	v, err := c.Do("CLIENT", "INFO")
	if err != nil || !strings.Contains(v.Str, " db=3 ") || !strings.Contains(v.Str, " resp=3") {
		t.Error(v.Str, err)
	}
	subscribe(t, c, o)
	o.Password = "wrong"
	var refused *HandshakeError
	if _, err := Dial(context.Background(), o); !errors.As(err, &refused) {
		t.Error(err)
	}
}

func subscribe(t *testing.T, c *Conn, o Options) {
	t.Helper()
	sub, err := Dial(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	sub.Send("SUBSCRIBE", "ch")
	if err := sub.Flush(); err != nil {
		t.Fatal(err)
	}
	if v, err := sub.Receive(); err != nil || v.Kind != resp.KindPush || v.Elems[0].Str != "subscribe" {
		t.Error(v, err)
	}
	if v, err := c.Do("PUBLISH", "ch", "hello"); err != nil || v.Int != 1 {
		t.Error(v, err)
	}
	if v, err := sub.Receive(); err != nil || v.Elems[2].Str != "hello" {
		t.Error(v, err)
	}
}
