package command

import (
	"testing"
	"time"
)

func TestTimeouts(t *testing.T) {
	const century = 100 * 365 * 24 * time.Hour
	for _, c := range []struct {
		arg  string
		want time.Duration
		err  error
	}{
		{"0", 0, nil}, {"1", time.Second, nil}, {"0.001", time.Millisecond, nil}, {"0.0001", time.Millisecond, nil},
		{"1.5", 1500 * time.Millisecond, nil}, {"1e3", 1000 * time.Second, nil}, {"0x10", 16 * time.Second, nil},
		{"9000000000000", century, nil}, {"-0.0001", 0, nil}, {"-1", 0, errTimeoutNegative},
		{"0x7FFFFFFFFFFFFF", 0, errTimeoutRange}, {"inf", 0, errTimeoutRange}, {"1e400", 0, errTimeoutFloat},
		{"", 0, errTimeoutFloat}, {"nan", 0, errTimeoutFloat}, {"1 ", 0, errTimeoutFloat}, {"x", 0, errTimeoutFloat},
	} {
		if got, err := SecondsTimeout([]byte(c.arg)); got != c.want || err != c.err {
			t.Errorf("%q seconds: %v, %v; want %v, %v", c.arg, got, err, c.want, c.err)
		}
	}
	for _, c := range []struct {
		arg  string
		want time.Duration
		err  error
	}{
		{"0", 0, nil}, {"15", 15 * time.Millisecond, nil}, {"9000000000000000000", century, nil},
		{"9223372036854775807", 0, errTimeoutRange}, {"-1", 0, errTimeoutNegative}, {"1.5", 0, errTimeoutInteger}, {"9223372036854775808", 0, errTimeoutInteger},
	} {
		if got, err := MillisTimeout([]byte(c.arg)); got != c.want || err != c.err {
			t.Errorf("%q ms: %v, %v; want %v, %v", c.arg, got, err, c.want, c.err)
		}
	}
}
