package check

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"dozo/aof"
)

// keyBits is the size of the bitmap that distinct keys are counted with: exact
// to a percent or so up to ten million.
const keyBits = 1 << 23

// aofStats counts what the commands are.
type aofStats struct {
	commands map[string]*commandStats
	units    int64
	keys     []uint64 // a bit for each hash
	first    int64    // times of annotations
	last     int64
}

type commandStats struct{ calls, bytes int64 }

func newAOFStats() *aofStats {
	return &aofStats{commands: map[string]*commandStats{}, keys: make([]uint64, keyBits/64)}
}

// namesMax bounds the table for files that hold no real commands.
const namesMax = 1000

func (s *aofStats) add(c *aof.Command) {
	if c.Time != 0 {
		if s.last = c.Time; s.first == 0 {
			s.first = c.Time
		}
	}
	name := strings.ToUpper(string(c.Args[0][:min(len(c.Args[0]), 64)]))
	if s.commands[name] == nil && len(s.commands) >= namesMax {
		name = "(others)"
	}
	if s.commands[name] == nil {
		s.commands[name] = &commandStats{}
	}
	s.commands[name].calls++
	s.commands[name].bytes += c.End - c.Offset
	switch {
	case name == "MULTI":
		s.units++
	case name != "SELECT" && len(c.Args) > 1:
		h := hash(c.Args[1]) % keyBits
		s.keys[h/64] |= 1 << (h % 64)
	}
}

// hash is FNV-1a with the bits mixed once more.
func hash(p []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range p {
		h = (h ^ uint64(b)) * 1099511628211
	}
	h ^= h >> 32
	return h * 0x9e3779b97f4a7c15 >> 20
}

// distinct estimates how many keys set the bits: linear counting.
func (s *aofStats) distinct() int64 {
	set := 0
	for _, word := range s.keys {
		set += bits.OnesCount64(word)
	}
	return int64(math.Round(-keyBits * math.Log1p(-float64(min(set, keyBits-1))/keyBits)))
}

// print tells what was found, in the form of redis-check-rdb's last lines.
func (s *aofStats) print(w io.Writer) {
	var calls, bytes int64
	names := slices.SortedFunc(maps.Keys(s.commands), func(a, b string) int {
		return cmp.Or(cmp.Compare(s.commands[b].bytes, s.commands[a].bytes), cmp.Compare(a, b))
	})
	for _, c := range s.commands {
		calls += c.calls
		bytes += c.bytes
	}
	fmt.Fprintf(w, "[info] %d commands of %d bytes read\n", calls, bytes)
	fmt.Fprintf(w, "[info] %d transactions\n", s.units)
	fmt.Fprintf(w, "[info] about %d keys named\n", s.distinct())
	if s.first != 0 {
		fmt.Fprintf(w, "[info] timestamps from %d to %d\n", s.first, s.last)
	}
	for _, name := range names {
		fmt.Fprintf(w, "[info] %s: %d, %d bytes\n", printable(name), s.commands[name].calls, s.commands[name].bytes)
	}
}

// printable is a command's name as it may be printed: files hold anything.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return strconv.QuoteToASCII(name)
	}
	return name
}
