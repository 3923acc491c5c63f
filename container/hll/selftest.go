package hll

import (
	"encoding/binary"
	"fmt"
	"math"
)

// SelfTestElements is what PFSELFTEST gives to SelfTest.
const SelfTestElements = 10_000_000

// SelfTest is PFSELFTEST: it writes and reads registers, then adds the given number
// of elements to a dense and to a sparse value, which must agree with each other
// and with the truth. The error begins with TESTFAILED. random is a source of
// random numbers. With 10 million elements it takes a few seconds.
func SelfTest(random func() uint64, elements, sparseMax int) error {
	dense, _, err := ToDense(AppendEmpty(nil))
	if err != nil {
		return err
	}
	for range 1000 {
		if err := testRegisters(dense, random); err != nil {
			return err
		}
	}
	clear(dense[HeaderSize:])
	t := selfTest{dense: dense, other: AppendEmpty(nil), sparseMax: sparseMax}
	seed, checkpoint := random(), 1
	for i := 1; i <= elements; i++ {
		if err := t.add(uint64(i) ^ seed); err != nil {
			return err
		}
		if i == checkpoint {
			if err := t.check(i); err != nil {
				return err
			}
			checkpoint *= 10
		}
	}
	return nil
}

func testRegisters(b []byte, random func() uint64) error {
	var want [Registers]uint8
	for i := range want {
		want[i] = uint8(random()) & registerMax
		densePut(b, i, want[i])
	}
	for i, v := range want {
		if got := denseGet(b, i); got != v {
			return fmt.Errorf("TESTFAILED Register %d should be %d but is %d", i, v, got)
		}
	}
	return nil
}

// selfTest is a value that is dense from the start, and one that becomes so.
type selfTest struct {
	dense, other []byte
	sparseMax    int
}

func (t *selfTest) add(n uint64) (err error) {
	var element [8]byte
	binary.LittleEndian.PutUint64(element[:], n)
	if t.dense, _, err = Add(t.dense, element[:], t.sparseMax); err == nil {
		t.other, _, err = Add(t.other, element[:], t.sparseMax)
	}
	return err
}

func (t *selfTest) check(n int) error {
	if n < t.sparseMax/2 && EncodingOf(t.other) != Sparse {
		return fmt.Errorf("TESTFAILED sparse encoding not used")
	}
	a, err := Count(t.dense)
	if err != nil {
		return err
	}
	b, err := Count(t.other)
	if err != nil || a != b {
		return fmt.Errorf("TESTFAILED dense/sparse disagree")
	}
	relative := 1.04 / math.Sqrt(Registers)
	allowed := int64(math.Ceil(relative * 6 * float64(n)))
	if n == 10 { // one collision is not unlikely
		allowed = 1
	}
	if off := max(int64(a)-int64(n), int64(n)-int64(a)); off > allowed {
		return fmt.Errorf("TESTFAILED Too big error. card:%d abserr:%d", n, off)
	}
	return nil
}
