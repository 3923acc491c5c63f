package commands

import (
	"bytes"
	"testing"

	"dozo/text"
)

// FuzzCalls runs lines of commands: whatever they are, each gets one whole
// reply, and the harness finds faults of what is told to others.
func FuzzCalls(f *testing.F) {
	for _, line := range templates {
		f.Add([]byte(line))
	}
	f.Add([]byte("SET K 1\nEXPIRE K 10 NX\nGETEX K PXAT 5\nSCAN 0 COUNT 5\nKEYS *"))
	f.Add([]byte("PFADD K a\nPFDEBUG GETREG K\nDUMP K\nRESTORE K 0 \"\\x00\\x01\" REPLACE"))
	f.Add([]byte("XADD K 1-* f v\nXADD K MAXLEN ~ 3 * f v g w\nXRANGE K (1-0 +\nXDEL K 1-0\nXTRIM K MINID 5\nXREAD COUNT 2 STREAMS K 0"))
	f.Add([]byte("XGROUP CREATE K g 0 MKSTREAM\nXADD K 1-1 f v\nXREADGROUP GROUP g c STREAMS K >\nXCLAIM K g d 0 1-1 FORCE LASTID 7\n" +
		"XAUTOCLAIM K g e 0 - COUNT 3\nXPENDING K g - + 9\nXINFO STREAM K FULL\nDUMP K\nXACK K g 1-1\nXGROUP DESTROY K g\nXSETID K 9"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		h := newHarness(t)
		s := *h.ctx.Set
		s.MaxBulk = 1 << 16
		h.ctx.Set = &s
		h.guard = &guard{h: h}
		for line := range bytes.Lines(lines) {
			args, ok := text.SplitArgs(line)
			if !ok || len(args) == 0 || text.EqualFold(args[0], "PFSELFTEST") {
				continue
			}
			parsed(t, h.do(args))
		}
	})
}
