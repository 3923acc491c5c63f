package listpack

import (
	"bytes"
	"testing"
)

func TestAppendSmall(t *testing.T) {
	a, b := build("x"), build("x")
	for i := range SmallMax + 1 {
		e := Int(int64(i))
		a = Append(a, &e)
	}
	for i := 0; i <= SmallMax; i += 2 {
		b = AppendSmall(b, byte(i), byte(i+1))
	}
	if !bytes.Equal(a, b) || !bytes.Equal(AppendSmall(b), b) {
		t.Errorf("%x\n%x", a, b)
	}
}
