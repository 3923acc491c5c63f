package text

import (
	"fmt"
	"testing"

	"dozo/internal/testutil"
)

func dial(t *testing.T, addr string) *testutil.Conn {
	t.Helper()
	c, err := testutil.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLCS(t *testing.T) {
	common, runs := LCS([]byte("ohmytext"), []byte("mynewtext"))
	if string(common) != "mytext" || len(runs) != 2 || runs[0] != (LCSRange{4, 7, 5, 8}) || runs[1] != (LCSRange{2, 3, 0, 1}) {
		t.Errorf("%q %v", common, runs)
	}
	for _, pair := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"a", "b"}} {
		if common, runs := LCS([]byte(pair[0]), []byte(pair[1])); len(common)+len(runs) != 0 || LCSLen([]byte(pair[0]), []byte(pair[1])) != 0 {
			t.Errorf("%q: %q %v", pair, common, runs)
		}
	}
	if LCSCost(3, 4) != 80 {
		t.Error(LCSCost(3, 4))
	}
}

func TestLCSAgainstRedis(t *testing.T) {
	r, c := random(t), oracle(t)
	for range 1500 {
		a, b := pick(r, "abcd", 40), pick(r, "abcd", 40)
		c.MustOK("MSET", "{x}a", a, "{x}b", b)
		common, runs := LCS([]byte(a), []byte(b))
		if got := c.MustOK("LCS", "{x}a", "{x}b").Str; got != string(common) || len(got) != LCSLen([]byte(a), []byte(b)) {
			t.Fatalf("%s %s: %s, here %s (%d)", a, b, got, common, LCSLen([]byte(a), []byte(b)))
		}
		want := ""
		for _, m := range c.MustOK("LCS", "{x}a", "{x}b", "IDX", "WITHMATCHLEN").Elems[1].Elems {
			x, y := m.Elems[0].Strings(), m.Elems[1].Strings()
			want += fmt.Sprintln(x, y, m.Elems[2].Str)
		}
		got := ""
		for _, run := range runs {
			got += fmt.Sprintln([]int{run.AFirst, run.ALast}, []int{run.BFirst, run.BLast}, run.Len())
		}
		if got != want {
			t.Fatalf("%s %s: %s, here %s", a, b, want, got)
		}
	}
}

func BenchmarkLCS(b *testing.B) {
	x, y := make([]byte, 1000), make([]byte, 1000)
	for i := range x {
		x[i], y[i] = byte(i*7%11), byte(i*5%13)
	}
	b.ReportAllocs()
	for b.Loop() {
		LCS(x, y)
	}
}
