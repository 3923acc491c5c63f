package e2e

import (
	"strconv"
	"strings"
	"testing"

	"dozo/internal/testutil"
)

func TestRedisBenchmark(t *testing.T) {
	s := testutil.StartDozo(t)
	port := strconv.Itoa(s.Port)
	for _, args := range [][]string{
		{"-n", "20000", "-q", "-t", "ping,set,get,incr,mset"},
		{"-n", "50000", "-q", "-P", "16", "-r", "10000", "-t", "set,get,incr,mset"},
		{"-n", "20000", "-q", "-c", "200", "--threads", "2", "-t", "set,get"},
		{"-n", "20000", "-q", "-3", "-t", "set,get"},
		{"-n", "20000", "-q", "-d", "10000", "-t", "set,get"},
		{"-n", "10000", "-q", "-k", "0", "-c", "20", "-t", "get"},
		{"-n", "20000", "--csv", "-r", "1000", "APPEND", "key:__rand_int__", "x"},
	} {
		r := runProgram(t, "", "redis-benchmark", append([]string{"-p", port}, args...)...)
		if r.code != 0 || strings.Contains(strings.ToLower(r.out), "error") {
			t.Errorf("redis-benchmark %v: %+v", args, r)
		}
		if !strings.Contains(r.out, "requests per second") && !strings.Contains(r.out, `"rps"`) {
			t.Errorf("redis-benchmark %v printed no result: %s", args, r.out)
		}
	}
	c := s.Conn(t, 2)
	if got := c.Do("DBSIZE").Int(); got < 10_000 {
		t.Errorf("DBSIZE after the benchmarks: %d", got)
	}
}
