package rdb

import "fmt"

// Fault is an ErrFormat that tells what is wrong with a value. As a reply it is
// ErrFormat; files that are read say more.
type Fault struct {
	What string
}

func (f *Fault) Error() string { return ErrFormat.Error() }

// Is makes errors.Is(f, ErrFormat) true.
func (f *Fault) Is(target error) bool { return target == ErrFormat }

// The faults. They are constant. Who looks for damage in logs looks for some of these
// words, which are those of Redis.
var (
	errEnds       error = &Fault{"it ends in the middle"}
	errLength     error = &Fault{"there is no length where one should be"}
	errStringKind error = &Fault{"a string has an encoding that does not exist"}
	errLZF        error = &Fault{"a compressed string does not give what it promises"}
	errType       error = &Fault{"its type does not exist"}
	errElementMax error = &Fault{"an element is longer than 4 GiB"}
	errTwice      error = &Fault{"integrity check failed: an element is there twice"}
	errCount      error = &Fault{"integrity check failed: it promises more elements than bytes follow"}
	errZiplist    error = &Fault{"ziplist integrity check failed"}
	errZipmap     error = &Fault{"Zipmap integrity check failed"}
	errListpack   error = &Fault{"listpack integrity check failed"}
	errIntset     error = &Fault{"intset integrity check failed"}
	errGroups     error = &Fault{"listpack integrity check failed: it has half a pair"}
	errNode       error = &Fault{"quicklist integrity check failed"}
	errScore      error = &Fault{"a score is no number"}
	errOrder      error = &Fault{"its listpack is not in order"}
	errDeadline   error = &Fault{"the deadline of a field is out of range"}
	errStream     error = &Fault{"listpack integrity check failed: the parts of the stream do not agree"}
	errConsumer   error = &Fault{"Duplicate stream consumer detected"}
	errModule     error = &Fault{"a release candidate of Redis 4.0 wrote it for a module, and only that can read it"}
	errModuleMark error = &Fault{"what the module wrote has a part of no known kind"}
	errLonger     error = &Fault{"bytes are left behind it"}
)

// ErrEmpty tells of a value without elements, which old versions could write by
// mistake; the key is to be left out.
var ErrEmpty error = &Fault{"it has no elements"}

func whatf(format string, args ...any) error { return &Fault{fmt.Sprintf(format, args...)} }

// FileError is what is wrong with a file.
type FileError struct {
	Offset int64
	Doing  string // in the words of redis-check-rdb
	DB     int
	Name   []byte // of the key that was being read, if HasKey
	Type   Type
	HasKey bool
	What   string
	Err    error // what the stream has said, or ErrEmpty, if that is why
}

func (e *FileError) Error() string {
	if !e.HasKey {
		return fmt.Sprintf("offset %d: %s", e.Offset, e.What)
	}
	return fmt.Sprintf("offset %d, key %.100q of type %s in database %d: %s", e.Offset, e.Name, e.Type, e.DB, e.What)
}

// Unwrap gives the error of the stream.
func (e *FileError) Unwrap() error { return e.Err }

// What was being done, in the words of redis-check-rdb.
const (
	doingStart     = "start"
	doingType      = "read-type"
	doingExpire    = "read-expire"
	doingKey       = "read-key"
	doingValue     = "read-object-value"
	doingChecksum  = "check-sum"
	doingLen       = "read-len"
	doingAux       = "read-aux"
	doingModuleAux = "read-module-aux"
	doingFunctions = "read-functions"
)
