package commands

// sortPart puts the elements that belong at the places from first to last of a sorted
// order there; the others are left in no order. It is the quicksort of Bentley and
// McIlroy, which leaves parts alone that have none of these places. Redis sorts so
// when it is asked for some of many, and this one takes the same steps, since the
// order of equal elements, and which of them are among the places, show how it was
// sorted.
func sortPart[T any](s []T, first, last int, cmp func(a, b T) int) {
	for len(s) >= 7 {
		less, greater := partition(s, cmp)
		if less > 1 && first < less {
			sortPart(s[:less], first, last, cmp)
		}
		skip := len(s) - greater
		if greater < 2 || last < skip {
			return
		}
		s, first, last = s[skip:], max(0, first-skip), last-skip
		if first >= len(s) {
			return
		}
	}
	insertionSort(s, cmp)
}

func insertionSort[T any](s []T, cmp func(a, b T) int) {
	for i := range s {
		for j := i; j > 0 && cmp(s[j-1], s[j]) > 0; j-- {
			s[j], s[j-1] = s[j-1], s[j]
		}
	}
}

// partition brings the elements that are less than some one to the front and those
// that are greater to the end, and counts both.
func partition[T any](s []T, cmp func(a, b T) int) (less, greater int) {
	n := len(s)
	p := pivot(s, cmp)
	s[0], s[p] = s[p], s[0]
	// Equal elements gather at both ends: before a, and behind d. Between b and c are
	// those not yet seen.
	a, b, c, d := 1, 1, n-1, n-1
	for {
		for ; b <= c; b++ {
			order := cmp(s[b], s[0])
			if order > 0 {
				break
			}
			if order == 0 {
				s[a], s[b] = s[b], s[a]
				a++
			}
		}
		for ; b <= c; c-- {
			order := cmp(s[c], s[0])
			if order < 0 {
				break
			}
			if order == 0 {
				s[c], s[d] = s[d], s[c]
				d--
			}
		}
		if b > c {
			break
		}
		s[b], s[c] = s[c], s[b]
		b++
		c--
	}
	less, greater = b-a, d-c
	swapEnds(s[:b], min(a, less))
	swapEnds(s[b:], min(greater, n-1-d))
	return less, greater
}

// swapEnds swaps n elements at the front with as many at the end.
func swapEnds[T any](s []T, n int) {
	end := s[len(s)-n:]
	for i := range n {
		s[i], end[i] = end[i], s[i]
	}
}

// pivot is the middle one of a few elements: of three, or of three times three.
func pivot[T any](s []T, cmp func(a, b T) int) int {
	n := len(s)
	low, mid, high := 0, n/2, n-1
	if n == 7 {
		return mid
	}
	if d := n / 8; n > 40 {
		low = middleOf(s, low, low+d, low+2*d, cmp)
		mid = middleOf(s, mid-d, mid, mid+d, cmp)
		high = middleOf(s, high-2*d, high-d, high, cmp)
	}
	return middleOf(s, low, mid, high, cmp)
}

func middleOf[T any](s []T, a, b, c int, cmp func(a, b T) int) int {
	up := cmp(s[a], s[b]) < 0
	if up {
		if cmp(s[b], s[c]) < 0 {
			return b
		}
	} else if cmp(s[b], s[c]) > 0 {
		return b
	}
	// The middle is a or c.
	if (cmp(s[a], s[c]) < 0) == up {
		return c
	}
	return a
}
