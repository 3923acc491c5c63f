package rdb

import (
	"flag"
	"math/rand/v2"
	"testing"

	"dozo/internal/testutil"
	"dozo/text"
)

var seedFlag = flag.Uint64("seed", 1, "seed of the random tests")

func random(t testing.TB) *rand.Rand {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("run again with -seed %d", *seedFlag)
		}
	})
	return rand.New(rand.NewPCG(*seedFlag, 0))
}

// oracle connects to a genuine server, or skips the test.
func oracle(t *testing.T, config ...string) *testutil.Peer {
	t.Helper()
	if _, err := testutil.Oracle(); err != nil {
		t.Skip(err)
	}
	return testutil.StartRedis(t, config...).Conn(t, 2)
}

func fmtInt(dst []byte, v int64) []byte { return text.AppendInt(dst, v) }

// randomString is a string of up to n bytes, in one of several degrees of
// repetition.
func randomString(r *rand.Rand, n int) []byte {
	b := make([]byte, r.IntN(n+1))
	symbols := []int{1, 2, 3, 5, 20, 256}[r.IntN(6)]
	for i := 0; i < len(b); {
		if i > 0 && r.IntN(4) == 0 { // repeat something from before
			from, length := r.IntN(i), r.IntN(400)
			for ; length > 0 && i < len(b); length-- {
				b[i] = b[from]
				i, from = i+1, from+1
			}
			continue
		}
		for k := r.IntN(40); k >= 0 && i < len(b); k-- {
			b[i] = byte(r.IntN(symbols))
			i++
		}
	}
	return b
}
