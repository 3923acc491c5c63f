package snapshot

import "testing"

// BenchmarkLoad loads short strings. The time of an operation is that of a key.
func BenchmarkLoad(b *testing.B) {
	const keys = 200_000
	file := smallFile(b, keys)
	for _, workers := range []int{1, 2} {
		b.Run(map[int]string{1: "workers=1", 2: "workers=2"}[workers], func(b *testing.B) {
			for n := 0; n < b.N; n += keys {
				b.StopTimer()
				s := newStore(b, 2)
				b.StartTimer()
				if _, err := s.load(file, LoadOptions{Workers: workers, Now: 1}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				s.close()
				b.StartTimer()
			}
		})
	}
}
