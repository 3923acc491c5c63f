package text

// LCSRange is a run of bytes that both strings have: a[AFirst..ALast] equals
// b[BFirst..BLast], ends included.
type LCSRange struct {
	AFirst, ALast int
	BFirst, BLast int
}

// Len is the number of bytes in the run.
func (r LCSRange) Len() int { return r.ALast - r.AFirst + 1 }

// LCSCost is the memory in bytes that a genuine server needs for the LCS of
// strings of these lengths; the command refuses what exceeds proto-max-bulk-len.
// Here it takes about a 32nd of it.
func LCSCost(alen, blen int) uint64 { return (uint64(alen) + 1) * (uint64(blen) + 1) * 4 }

// LCSLen is the length of the longest common subsequence of a and b.
func LCSLen(a, b []byte) int {
	if len(b) > len(a) {
		a, b = b, a
	}
	row := make([]uint32, len(b)+1)
	for _, c := range a {
		lcsRow(row, b, c, nil, 0)
	}
	return int(row[len(b)])
}

// lcsRow replaces row, the lengths for a[:i-1] and each prefix of b, by those for
// a[:i], where c is a[i-1]. In up (when given) it sets the bit first+j-1 where the
// way back from (i, j) leads to i-1, not to j-1.
func lcsRow(row []uint32, b []byte, c byte, up []uint64, first int) {
	diagonal, left := uint32(0), uint32(0)
	for j, d := range b {
		above := row[j+1]
		switch {
		case c == d:
			left = diagonal + 1
		case above > left:
			left = above
			if up != nil {
				bit := first + j
				up[bit>>6] |= 1 << (bit & 63)
			}
		}
		diagonal = above
		row[j+1] = left
	}
}

// LCS is a longest common subsequence of a and b, and its runs from the last to
// the first. Of the many subsequences of that length it is the one which the
// usual table gives when walked back from its end preferring to shorten b; Redis
// defines its reply by that walk.
//
// The lengths are needed one row at a time only; of the table one bit a cell
// remains, the direction.
func LCS(a, b []byte) (common []byte, runs []LCSRange) {
	row := make([]uint32, len(b)+1)
	up := make([]uint64, (len(a)*len(b)+63)/64)
	for i, c := range a {
		lcsRow(row, b, c, up, i*len(b))
	}
	w := lcsWalk{common: make([]byte, row[len(b)])}
	left := len(w.common)
	for i, j := len(a), len(b); i > 0 && j > 0; {
		bit := (i-1)*len(b) + j - 1
		switch {
		case a[i-1] == b[j-1]:
			i, j, left = i-1, j-1, left-1
			w.common[left] = a[i]
			w.extend(i, j)
		case up[bit>>6]>>(bit&63)&1 != 0:
			i--
			w.flush()
		default:
			j--
			w.flush()
		}
	}
	w.flush()
	return w.common, w.runs
}

// lcsWalk collects runs while the walk goes backwards.
type lcsWalk struct {
	common []byte
	runs   []LCSRange
	run    LCSRange
	open   bool
}

func (w *lcsWalk) extend(i, j int) {
	if !w.open {
		w.open = true
		w.run = LCSRange{AFirst: i, ALast: i, BFirst: j, BLast: j}
		return
	}
	w.run.AFirst, w.run.BFirst = i, j
}

func (w *lcsWalk) flush() {
	if w.open {
		w.runs = append(w.runs, w.run)
		w.open = false
	}
}
