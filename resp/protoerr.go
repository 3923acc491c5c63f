package resp

// ProtocolError is malformed input from a client. The server sends Text as an
// error reply with code ERR and closes the connection.
type ProtocolError struct {
	Text  string // for the client, as Redis words it
	Cause string // for the log
}

func (e *ProtocolError) Error() string { return e.Text }

var (
	errBigInline   = &ProtocolError{"Protocol error: too big inline request", "too big inline request"}
	errBigCount    = &ProtocolError{"Protocol error: too big mbulk count string", "too big mbulk count string"}
	errBigBulk     = &ProtocolError{"Protocol error: too big bulk count string", "too big bulk count string"}
	errBadCount    = &ProtocolError{"Protocol error: invalid multibulk length", "invalid mbulk count"}
	errBadBulk     = &ProtocolError{"Protocol error: invalid bulk length", "invalid bulk length"}
	errUnauthCount = &ProtocolError{"Protocol error: unauthenticated multibulk length", "unauth mbulk count"}
	errUnauthBulk  = &ProtocolError{"Protocol error: unauthenticated bulk length", "unauth bulk length"}
	errQuotes      = &ProtocolError{"Protocol error: unbalanced quotes in request", "unbalanced quotes in inline request"}
)

// expectedDollar names the byte that stood where a bulk header had to begin. A
// NUL ends the text there, as it does in Redis.
func expectedDollar(got byte) *ProtocolError {
	text := "Protocol error: expected '$', got '"
	if got != 0 {
		text = string(append([]byte(text), got, '\''))
	}
	return &ProtocolError{text, "expected $ but got something else"}
}
