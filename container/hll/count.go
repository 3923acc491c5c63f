package hll

import (
	"encoding/binary"
	"math"
)

// histogram counts the registers by value.
type histogram [registerMax + 1]int32

// Count is the estimate of a checked value, computed from the registers. See
// Cached for the one that is stored.
func Count(b []byte) (uint64, error) {
	var h histogram
	if EncodingOf(b) == Dense {
		h.addDense(b)
	} else if !h.addSparse(b) {
		return 0, ErrCorrupt
	}
	return h.estimate(), nil
}

// addDense takes eight registers from six bytes at a time, and counts in several
// histograms, so that the increments of equal registers in a row need not wait for
// each other.
func (h *histogram) addDense(b []byte) {
	var h1, h2, h3 histogram
	p := b[HeaderSize:DenseSize]
	for ; len(p) >= 8; p = p[6:] {
		v := binary.LittleEndian.Uint64(p)
		h[v&registerMax]++
		h1[v>>6&registerMax]++
		h2[v>>12&registerMax]++
		h3[v>>18&registerMax]++
		h[v>>24&registerMax]++
		h1[v>>30&registerMax]++
		h2[v>>36&registerMax]++
		h3[v>>42&registerMax]++
	}
	for i := Registers - len(p)*8/registerBits; i < Registers; i++ {
		h[denseGet(b, i)]++
	}
	for i := range h {
		h[i] += h1[i] + h2[i] + h3[i]
	}
}

func (h *histogram) addSparse(b []byte) bool {
	left := Registers
	for p := b[HeaderSize:]; len(p) > 0; {
		op := readOpcode(p)
		if op.size == 0 || op.run > left {
			return false
		}
		h[op.value] += int32(op.run)
		left -= op.run
		p = p[op.size:]
	}
	return left == 0
}

// estimate is Ertl's estimator. The conversions to float64 keep the compiler from
// fusing a product with the sum around it, which some processors can and which
// would round differently.
func (h *histogram) estimate() uint64 {
	const (
		m        = float64(Registers)
		alphaInf = 0.721347520444481703680 // 1 / (2 ln 2)
	)
	z := m * tau((m-float64(h[rankBits+1]))/m)
	for j := rankBits; j >= 1; j-- {
		z = (z + float64(h[j])) * 0.5
	}
	z += float64(m * sigma(float64(h[0])/m))
	if e := math.Round(alphaInf * m * m / z); e < math.MaxInt64 {
		return uint64(e)
	}
	return 1 << 63 // registers that no hash gives; C converts infinity to this
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		last := z
		z += float64(x * y)
		y += y
		if z == last {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		last := z
		y *= 0.5
		z -= float64(float64((1-x)*(1-x)) * y)
		if z == last {
			return z / 3
		}
	}
}
