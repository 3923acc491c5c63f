package robustness

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

// phrase is a valid command whose reply depends on nothing but the commands of the
// same conversation before it.
func phrase(r *rand.Rand, prefix string) []string {
	k, j := prefix+strconv.Itoa(r.IntN(4)), prefix+strconv.Itoa(r.IntN(4))
	n := strconv.Itoa(r.IntN(50))
	switch r.IntN(12) {
	case 0:
		return []string{"SET", k, "a\r\n$3\r\nb" + n}
	case 1:
		return []string{"MSET", k, n, j, ""}
	case 2:
		return []string{"APPEND", k, strings.Repeat("x", r.IntN(60))}
	case 3:
		return []string{"SETRANGE", k, n, "y"}
	case 4:
		return []string{"MGET", k, j, prefix + "none"}
	case 5:
		return []string{"INCR", k} // an error, more often than not
	case 6:
		return []string{"DEL", k, j}
	case 7:
		return []string{"ECHO", strings.Repeat("\x00\r\n", r.IntN(9))}
	case 8:
		return []string{"GETRANGE", k, "1", n}
	case 9:
		return []string{"NOSUCH", k}
	case 10:
		return []string{"BITCOUNT", k}
	}
	return []string{"GET", k}
}

// phraseBytes writes a command, now and then as a line of words.
func phraseBytes(r *rand.Rand, prefix string) []byte {
	if r.IntN(5) == 0 {
		return []byte("EXISTS " + prefix + "1  \"" + prefix + "\\x32\"\r\n")
	}
	return testutil.AppendCommand(nil, phrase(r, prefix)...)
}

// conversation is n commands.
func conversation(r *rand.Rand, prefix string, n int) (stream []byte) {
	for range n {
		stream = append(stream, phraseBytes(r, prefix)...)
	}
	return stream
}

// script is a conversation with the replies that it gets, and the places where
// each command and each reply ends.
type script struct {
	stream, replies      []byte
	streamEnds, replyEnd []int
}

// rehearse finds the replies by sending one command at a time.
func rehearse(c *testutil.Peer, r *rand.Rand, prefix string, n int) (sc script, err error) {
	forget(c, prefix)
	for range n {
		one := phraseBytes(r, prefix)
		c.QueueRaw(one)
		if err := c.Flush(); err != nil {
			return sc, err
		}
		raw, err := c.ReadRaw()
		if err != nil {
			return sc, fmt.Errorf("%q: %w", one, err)
		}
		sc.stream, sc.replies = append(sc.stream, one...), append(sc.replies, raw...)
		sc.streamEnds, sc.replyEnd = append(sc.streamEnds, len(sc.stream)), append(sc.replyEnd, len(sc.replies))
	}
	forget(c, prefix)
	return sc, nil
}

// forget removes the keys of a conversation.
func forget(c *testutil.Peer, prefix string) {
	c.MustOK("DEL", prefix+"0", prefix+"1", prefix+"2", prefix+"3")
}

// repliesUpTo are the replies to the commands that are whole in stream[:n].
func (sc *script) repliesUpTo(n int) []byte {
	whole := 0
	for i, end := range sc.streamEnds {
		if end <= n {
			whole = sc.replyEnd[i]
		}
	}
	return sc.replies[:whole]
}

// TestOneByteAtATime: commands that trickle in are just commands.
func TestOneByteAtATime(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "2")
	w := watch(t, s, 1)
	const tricklers = 4
	peers, random := make([]*testutil.Peer, tricklers), sources(seed, tricklers)
	for i := range peers {
		peers[i] = s.Conn(t, 2)
	}
	until(t, tricklers, func(i int) error {
		sc, err := rehearse(peers[i], random[i], fmt.Sprintf("trickle%d:", i), 20)
		if err != nil {
			return err
		}
		for _, b := range sc.stream {
			if _, err := peers[i].Net().Write([]byte{b}); err != nil {
				return err
			}
		}
		return expect(peers[i].Conn, string(sc.replies))
	})
	w.verdict()
}

// TestCutEverywhere cuts a conversation at every place: what comes later makes it
// whole, and when nothing comes any more, exactly the whole commands were
// executed.
func TestCutEverywhere(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "1")
	c, other := s.Conn(t, 2), s.Conn(t, 2)
	r := source(seed, 0)
	until(t, 1, func(int) error {
		sc, err := rehearse(c, r, "cut:", 10)
		for at := 0; at <= len(sc.stream) && err == nil; at++ {
			if err = cutOnce(c, other, &sc, at); err != nil {
				err = fmt.Errorf("%q | %q: %w", sc.stream[:at], sc.stream[at:], err)
			}
		}
		return err
	})
}

func cutOnce(c, other *testutil.Peer, sc *script, at int) error {
	for _, part := range [][]byte{sc.stream[:at], sc.stream[at:]} {
		if _, err := c.Net().Write(part); err != nil {
			return err
		}
		other.MustOK("PING") // the only loop has read the part by now
	}
	if err := expect(c.Conn, string(sc.replies)); err != nil {
		return err
	}
	forget(c, "cut:")
	last, err := net.Dial("tcp", c.Net().RemoteAddr().String())
	if err != nil {
		return err
	}
	defer reset(last)
	got, err := lastWords(last, sc.stream[:at])
	if want := sc.repliesUpTo(at); err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("ended there: replies %q, want %q", got, want)
	}
	forget(c, "cut:")
	return err
}

// lastWords sends bytes, ends the sending side, and returns all that comes.
func lastWords(c net.Conn, stream []byte) ([]byte, error) {
	if _, err := c.Write(stream); err != nil {
		return nil, err
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return nil, err
	}
	return io.ReadAll(c)
}

// TestMutations sends conversations with random damage. The replies are well
// formed up to where the connection ends, the server lives, others do not notice,
// and no number in the damage makes the server reserve much.
func TestMutations(t *testing.T) {
	seed := seeded(t)
	s := start(t, "--io-threads", "2", "--proto-max-bulk-len", "1mb", "--client-query-buffer-limit", "2mb")
	c := s.Conn(t, 2)
	files := filesOfOne(t, s, c)
	most, w := residence(t, s), watch(t, s, 2)
	const vandals = 4
	random := sources(seed, vandals)
	until(t, vandals, func(i int) error {
		stream := conversation(random[i], "mutation:", 8)
		for range 1 + random[i].IntN(4) {
			stream = mutate(stream, random[i])
		}
		if err := vandalize(s, stream); err != nil {
			return fmt.Errorf("%q: %w", stream, err)
		}
		return nil
	})
	w.verdict()
	checkResident(t, most())
	serverAlone(t, s, c, files)
}

// numbers are those that protocols trip over.
var numbers = []string{"-1", "0", "-0", "+3", "1048576", "1048577", "2147483647", "2147483648", "4294967297", "9223372036854775807", "18446744073709551617", "", " 1", "1e3", "03"}

// mutate damages a stream in one place.
func mutate(b []byte, r *rand.Rand) []byte {
	if len(b) == 0 {
		return []byte("*")
	}
	at, n := r.IntN(len(b)), 1+r.IntN(8)
	end := min(len(b), at+n)
	out := append([]byte{}, b[:at]...)
	switch r.IntN(6) {
	case 0: // another byte
		return append(append(out, byte(r.IntN(256))), b[at+1:]...)
	case 1: // something is missing
		return append(out, b[end:]...)
	case 2: // something comes twice
		return append(append(out, b[at:end]...), b[at:]...)
	case 3: // something comes in between
		return append(append(out, "\r\n*$-+:%>\x00"[r.IntN(10):]...), b[at:]...)
	case 4: // the end is missing
		return out
	}
	// Another number in the next header.
	header := bytes.IndexAny(b[at:], "*$")
	if header < 0 {
		return out
	}
	header += at + 1
	rest := b[header:]
	if line := bytes.IndexByte(rest, '\r'); line >= 0 {
		rest = rest[line:]
	}
	return append(append(append([]byte{}, b[:header]...), numbers[r.IntN(len(numbers))]...), rest...)
}

// vandalize sends damaged bytes and reads replies until the connection ends.
func vandalize(s *testutil.Server, stream []byte) error {
	c, err := dial(s)
	if err != nil {
		return err
	}
	defer reset(c)
	if _, err := c.Write(stream); err != nil {
		return nil // closed at the first bad byte
	}
	_ = c.(*net.TCPConn).CloseWrite() // it may be closed already, too
	for in := bufio.NewReader(c); ; {
		raw, err := testutil.AppendReply(nil, in)
		switch {
		case err == nil:
			if _, err := testutil.Parse(raw); err != nil {
				return fmt.Errorf("a malformed reply %q: %w", raw, err)
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			return err
		case errors.Is(err, io.EOF) && len(raw) == 0, isReset(err):
			return nil
		default:
			return fmt.Errorf("a malformed reply %q: %w", raw, err)
		}
	}
}

// isReset tells whether the other side ended the connection with input unread,
// which may cost the last reply.
func isReset(err error) bool {
	return strings.Contains(err.Error(), "connection reset")
}
