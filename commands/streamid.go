package commands

import (
	"bytes"
	"math"

	"dozo/command"
	"dozo/container/stream"
	"dozo/text"
)

var (
	errStreamID      error = command.ReplyError("ERR Invalid stream ID specified as stream command argument")
	errIntervalStart error = command.ReplyError("ERR invalid start ID for the interval")
	errIntervalEnd   error = command.ReplyError("ERR invalid end ID for the interval")
)

const (
	// idTextMax is the longest argument that may be an ID.
	idTextMax = 127
	// idDigits is the longest text of one.
	idDigits = 2*20 + 1
)

// idText is room for the text of any ID.
type idText [idDigits]byte

// uint64Arg reads half of an ID as Redis does: first as the integers of all
// commands, and what is none of these as C's strtoull.
func uint64Arg(b []byte) (uint64, bool) {
	if n, ok := text.ParseUint(b); ok {
		return n, true
	}
	if _, negative := text.ParseInt(b); negative {
		return 0, false
	}
	return text.ParseUintLoose(b)
}

// idArg reads an ID; without a sequence number it gets the one given.
func idArg(arg []byte, missingSeq uint64) (id stream.ID, err error) {
	if len(arg) > idTextMax {
		return id, errStreamID
	}
	ms, seq, both := bytes.Cut(upToZero(arg), []byte{'-'})
	var ok bool
	if id.Ms, ok = uint64Arg(ms); !ok {
		return id, errStreamID
	}
	if id.Seq = missingSeq; both {
		if id.Seq, ok = uint64Arg(seq); !ok {
			return id, errStreamID
		}
	}
	return id, nil
}

// edgeArg is idArg for an argument that may be the least or the greatest ID there
// is, - or +.
func edgeArg(arg []byte, missingSeq uint64) (stream.ID, error) {
	switch string(upToZero(arg)) {
	case "-":
		return stream.ID{}, nil
	case "+":
		return stream.MaxID, nil
	}
	return idArg(arg, missingSeq)
}

// boundArg is edgeArg for an end of an interval, which is not part of it if there
// is a parenthesis in front.
func boundArg(arg []byte, missingSeq uint64) (id stream.ID, exclusive bool, err error) {
	if len(arg) > 1 && arg[0] == '(' {
		id, err = idArg(arg[1:], missingSeq)
		return id, true, err
	}
	id, err = edgeArg(arg, missingSeq)
	return id, false, err
}

// startArg reads the first ID of an interval.
func startArg(arg []byte) (stream.ID, error) {
	id, exclusive, err := boundArg(arg, 0)
	if err == nil && exclusive {
		var ok bool
		if id, ok = id.Next(); !ok {
			err = errIntervalStart
		}
	}
	return id, err
}

// endArg reads the last ID of an interval.
func endArg(arg []byte) (stream.ID, error) {
	id, exclusive, err := boundArg(arg, math.MaxUint64)
	if err == nil && exclusive {
		var ok bool
		if id, ok = id.Prev(); !ok {
			err = errIntervalEnd
		}
	}
	return id, err
}

// checkIDs refuses a call with an argument that is no ID, before anything is done
// for those in front of it.
func checkIDs(args [][]byte) error {
	for _, a := range args {
		if _, err := idArg(a, 0); err != nil {
			return err
		}
	}
	return nil
}

// replyID writes an ID.
func replyID(c *command.Context, id stream.ID) {
	var room idText
	c.Out.Bulk(id.Append(room[:0]))
}
