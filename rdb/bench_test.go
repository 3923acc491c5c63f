package rdb

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func BenchmarkCRC64(b *testing.B) {
	p := make([]byte, 128<<10)
	for i := range p {
		p[i] = byte(i * i)
	}
	b.SetBytes(int64(len(p)))
	for b.Loop() {
		CRC64(0, p)
	}
}

// sampleText is text as values have it: JSON with words and numbers.
func sampleText(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := []string{"name", "address", "total", "currency", "EUR", "customer", "order", "status", "shipped", "pending", "created_at"}
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, `{"%s":"%s %d","%s":%d},`, words[r.IntN(len(words))], words[r.IntN(len(words))], r.IntN(1000), words[r.IntN(len(words))], r.Int32())
	}
	return b.Bytes()[:n]
}

func BenchmarkCompress(b *testing.B) {
	random := make([]byte, 16<<10)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for _, c := range []struct {
		name string
		in   []byte
	}{
		{"64B", sampleText(64)}, {"200B", sampleText(200)}, {"1KB", sampleText(1000)}, {"64KB", sampleText(64 << 10)}, {"random16KB", random}, {"zeros16KB", make([]byte, 16<<10)},
	} {
		b.Run(c.name, func(b *testing.B) {
			e := NewEncoder(0, true)
			var out []byte
			b.SetBytes(int64(len(c.in)))
			for b.Loop() {
				out = e.AppendString(out[:0], c.in)
			}
			b.ReportMetric(float64(len(out))/float64(len(c.in)), "ratio")
		})
		packed := NewEncoder(0, true).AppendString(nil, c.in)
		b.Run("back/"+c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.in)))
			var buf []byte
			for b.Loop() {
				d := NewDecoder(packed)
				out, err := d.String(buf)
				if err != nil {
					b.Fatal(err)
				}
				if d.inBuffer {
					buf = out
				}
			}
		})
	}
}

// BenchmarkPack and BenchmarkSkim go through records of short strings.
func BenchmarkPack(b *testing.B) {
	plain := shortRecords()
	for _, compress := range []bool{false, true} {
		b.Run(fmt.Sprint("compress=", compress), func(b *testing.B) {
			p := NewPacker(NewEncoder(0, compress))
			var out []byte
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				out, _ = p.Pack(out[:0], plain)
			}
		})
	}
}

func shortRecords() (plain []byte) {
	for i := range 1000 {
		name := fmt.Sprintf("key:%012d", i)
		plain = append(AppendLen(append(plain, byte(TypeString)), uint64(len(name))), name...)
		value := sampleText(64)
		plain = append(AppendLen(plain, uint64(len(value))), value...)
	}
	return plain
}

func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	w := NewWriter(&file, WriterOptions{})
	if err := w.Header(&Info{}); err != nil {
		b.Fatal(err)
	}
	plain := shortRecords()
	for range 100 {
		if err := w.Records(plain); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		r := NewReader(bytes.NewReader(file.Bytes()), ReaderOptions{Size: math.MaxInt32, SkipChecksum: true})
		n := 0
		for it := (Item{Kind: Key}); it.Kind != End; n++ {
			if err := r.Next(&it); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n*b.N), "ns/record")
	}
}
