package command

// ReplyError is an error that a client gets as its reply: the text with its
// code, without the leading dash. Handlers return it having written nothing.
//
// Errors of operating (files, sockets) are ordinary errors and never reach a
// client as they are; broken invariants are internal/invariants' business.
type ReplyError string

func (e ReplyError) Error() string { return string(e) }

// Errors that many commands share, in Redis' words, since clients match on them.
var (
	ErrWrongType       error = ReplyError("WRONGTYPE Operation against a key holding the wrong kind of value")
	ErrSyntax          error = ReplyError("ERR syntax error")
	ErrNotInteger      error = ReplyError("ERR value is not an integer or out of range")
	ErrNotFloat        error = ReplyError("ERR value is not a valid float")
	ErrNoSuchKey       error = ReplyError("ERR no such key")
	ErrSameObject      error = ReplyError("ERR source and destination objects are the same")
	ErrIndexRange      error = ReplyError("ERR index out of range")
	ErrDBRange         error = ReplyError("ERR DB index is out of range")
	ErrOverflow        error = ReplyError("ERR increment or decrement would overflow")
	ErrNaNOrInfinity   error = ReplyError("ERR increment would produce NaN or Infinity")
	ErrStringTooLong   error = ReplyError("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
	ErrBusyKey         error = ReplyError("BUSYKEY Target key name already exists.")
	ErrOOM             error = ReplyError("OOM command not allowed when used memory > 'maxmemory'.")
	ErrNoAuth          error = ReplyError("NOAUTH Authentication required.")
	ErrLoading         error = ReplyError("LOADING Redis is loading the dataset in memory")
	ErrReadOnly        error = ReplyError("READONLY You can't write against a read only replica.")
	ErrMasterDown      error = ReplyError("MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.")
	ErrExecAbort       error = ReplyError("EXECABORT Transaction discarded because of previous errors.")
	ErrOutOfRange      error = ReplyError("ERR value is out of range")
	ErrMustBePositive  error = ReplyError("ERR value is out of range, must be positive")
	ErrOffsetRange     error = ReplyError("ERR offset is out of range")
	ErrInvalidCursor   error = ReplyError("ERR invalid cursor")
	ErrClusterDisabled error = ReplyError("ERR This instance has cluster support disabled")
)
