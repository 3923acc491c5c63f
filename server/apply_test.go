package server

import (
	"testing"

	"dozo/resp"
)

// TestUnknownWithinATransaction: a command of the stream that this server does not know is
// counted, and keeps its place among the bytes, also within a transaction: else a replica
// of this server would get other bytes at the same offsets.
func TestUnknownWithinATransaction(t *testing.T) {
	const stream = "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n" +
		"*2\r\n$6\r\nNOSUCH\r\n$1\r\nx\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n*1\r\n$4\r\nEXEC\r\n"
	p := newFollower(t, 0)
	cl := newReplayer(p.w)
	cl.flags, cl.upstream = fromPrimary, &Upstream{client: cl}
	cl.parser.Limits = resp.Limits{MaxArgs: argsMax, MaxBulk: bulkMax}
	from := p.log.Offset()
	p.w.enter()
	if n := p.w.applyBatch(cl, []byte(stream)); n != len(stream) {
		t.Errorf("%d bytes of %d were dealt with", n, len(stream))
	}
	p.w.leave()
	reader, err := p.log.NewReader(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	got, err := reader.Peek()
	if string(got) != stream {
		t.Errorf("the log has %q, %v\nwant %q", got, err, stream)
	}
	reader.Advance(len(got))
	if n := p.applyErrors.Load(); n != 1 {
		t.Errorf("%d errors were counted", n)
	}
}
