package hashtable

// filler fills a new segment. What comes first goes home, and what finds its
// home full waits until all that can be at home is there; so no more than must
// lies elsewhere, and the fast path has to count only.
type filler struct {
	t       *Table
	to      segment
	used    [maxBuckets + 1]uint8 // slots in use, while nothing but homes is filled
	waiting [128]word
	n       int  // words waiting
	late    bool // used is no longer kept: the waiting were too many
}

// add puts one entry into the segment.
func (f *filler) add(w word) {
	home := f.to.homeOf(w)
	k := &f.used[home&maxBuckets]
	if *k < lineSlots && !f.late {
		f.to.bucket(home)[*k] = w
		*k++
		return
	}
	f.wait(w)
}

func (f *filler) wait(w word) {
	if f.n == len(f.waiting) {
		f.finish()
		f.late = true
	}
	if f.late {
		f.t.put(f.to, w)
		return
	}
	f.waiting[f.n] = w
	f.n++
}

// finish puts down what waits. It must be called after the last add.
func (f *filler) finish() {
	if f.late {
		return
	}
	var n uint64
	for _, k := range f.used {
		n += uint64(k)
	}
	f.to.header().meta += n * metaOne
	for _, w := range f.waiting[:f.n] {
		f.t.put(f.to, w)
	}
}

// put places w, and never fails.
func (t *Table) put(s segment, w word) {
	if home := s.homeOf(w); !s.place(home, w) {
		t.chainPush(s, home, w)
	}
}

// fillBoth splits the entries of v between two segments.
func (t *Table) fillBoth(v, low, high segment) {
	l, h := filler{t: t, to: low}, filler{t: t, to: high}
	t.pour(v, &l, &h)
	l.finish()
	h.finish()
}

// pour gives the entries of v to low or high, by the first bit after the prefix
// of v. low and high may be the same.
func (t *Table) pour(v segment, low, high *filler) {
	pourWords(v.words(), v.lag(), low, high)
	for c := t.chainOf(v); c != nil; c = t.nextLink(c) {
		pourWords(c.words[:c.used()], v.lag(), low, high)
	}
}

func pourWords(words []word, lag uint, low, high *filler) {
	for _, w := range words {
		if w == 0 {
			continue
		}
		to := low
		if w<<lag>>63 != 0 {
			to = high
		}
		to.add(w)
	}
}

// pourSibling takes the entries of v, one of two siblings that become one; pos
// is any hash that belongs to v. Where the tags of the new segment begin
// earlier, the bits in front come from the prefix of v, and the last ones are
// dropped. Neither sibling has a chain.
func (f *filler) pourSibling(v segment, pos uint64) {
	front := v.start(pos) << f.to.base() &^ refMask
	shift := v.base() - f.to.base()
	for _, w := range v.words() {
		if w == 0 {
			continue
		}
		if shift != 0 {
			w = front | w>>shift&^refMask | w&refMask
		}
		f.add(w)
	}
}
