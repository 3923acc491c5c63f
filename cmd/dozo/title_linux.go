package main

import (
	"os"
	"strconv"
	"strings"
	"unsafe"
)

// titleRoom is the memory that Linux shows as the command line of the process: the
// words with which it was started, and its environment right behind them, where a
// longer title goes on. Nothing may refer to that memory when it is written: the
// words are copied before anyone uses them, and of the environment Go's run time
// has made copies.
type titleRoom struct {
	words int // bytes of the words; their last is a NUL while they are shown
	bytes []byte
}

// claimTitle finds the room and replaces os.Args by copies. The room is empty
// where the system does not tell where it is.
func claimTitle() (room titleRoom) {
	words := os.Args
	os.Args = make([]string, len(words))
	for i, w := range words {
		os.Args[i] = strings.Clone(w)
	}
	start, end, environEnd := commandLineAddresses()
	if len(words) == 0 || start == 0 || end <= start || environEnd < end {
		return titleRoom{}
	}
	first := unsafe.StringData(words[0])
	if uint64(uintptr(unsafe.Pointer(first))) != start {
		return titleRoom{}
	}
	return titleRoom{words: int(end - start), bytes: unsafe.Slice(first, environEnd-start)}
}

// commandLineAddresses are where the words begin and end, and where the
// environment ends; zeros if that is not known.
func commandLineAddresses() (start, end, environEnd uint64) {
	const ( // of the fields behind the program's name, which may contain anything
		argStart = 45 + iota
		argEnd
		envStart
		envEnd
		enough
	)
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, 0, 0
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < enough {
		return 0, 0, 0
	}
	number := func(i int) uint64 {
		n, _ := strconv.ParseUint(fields[i], 10, 64) // 0 = not known
		return n
	}
	if number(envStart) != number(argEnd) {
		return number(argStart), number(argEnd), number(argEnd)
	}
	return number(argStart), number(argEnd), number(envEnd)
}

// show makes title the command line that others see, cut to the room.
func (r titleRoom) show(title string) {
	if len(r.bytes) == 0 {
		return
	}
	clear(r.bytes)
	n := copy(r.bytes[:len(r.bytes)-1], title)
	// The system shows a text up to its first NUL, rather than all the words, when the
	// last byte of the words is none.
	switch last := r.words - 1; {
	case n < last:
		r.bytes[last] = '.'
	case n == last && r.words < len(r.bytes):
		r.bytes[last] = ' '
	}
}
