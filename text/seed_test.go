package text

import (
	"flag"
	"math/rand/v2"
	"testing"

	"dozo/internal/testutil"
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

// pick makes a string of up to n symbols of the alphabet.
func pick(r *rand.Rand, alphabet string, n int) string {
	b := make([]byte, r.IntN(n+1))
	for i := range b {
		b[i] = alphabet[r.IntN(len(alphabet))]
	}
	return string(b)
}
