package arena

import (
	"errors"
	"fmt"
)

// Audit walks everything that the arena knows of its granules, and returns an
// error that says what does not agree. It is for tests: it stops all heaps that
// want memory meanwhile, and no heap may be in use.
func (a *Arena) Audit() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var mapped, dirty, clean int64
	last := kindReserved
	for g := uint32(1); g < a.top; {
		d := a.desc(g)
		end := g + d.length
		if d.length == 0 || end > a.top {
			return fmt.Errorf("arena: run at granule %d (kind %d) has length %d, %d granules in all", g, d.kind, d.length, a.top)
		}
		switch d.kind {
		case kindDirty, kindClean:
			if tail := a.desc(end - 1); d.kind == last || tail.kind != d.kind || tail.length != d.length {
				return fmt.Errorf("arena: free run at granule %d of %d is not joined or has no tail", g, d.length)
			}
			if d.kind == kindDirty {
				dirty += int64(d.length)
			} else {
				clean += int64(d.length)
			}
		case kindSlab, kindLarge:
			mapped += int64(d.length)
		default:
			return fmt.Errorf("arena: granule %d begins a run of kind %d", g, d.kind)
		}
		last, g = d.kind, end
	}
	if mapped != a.mapped || dirty != a.dirty.granules || clean != a.clean.granules {
		return fmt.Errorf("arena: counted %d granules mapped, %d dirty, %d clean; walked %d, %d, %d",
			a.mapped, a.dirty.granules, a.clean.granules, mapped, dirty, clean)
	}
	return errors.Join(a.auditList(&a.dirty), a.auditList(&a.clean))
}

// auditList checks that a list of free runs holds what it counts, in the right
// bins.
func (a *Arena) auditList(l *runList) error {
	var granules int64
	for b := l.nextBin(0); b < numBins; b = l.nextBin(b + 1) {
		for g, prev := l.heads[b], uint32(0); g != 0; g, prev = a.desc(g).next, g {
			d := a.desc(g)
			if d.kind != l.kind || d.prev != prev || binOf(d.length) != b {
				return fmt.Errorf("arena: granule %d (kind %d, length %d) is in bin %d of list %d", g, d.kind, d.length, b, l.kind)
			}
			granules += int64(d.length)
		}
	}
	if granules != l.granules {
		return fmt.Errorf("arena: list %d has %d granules, counts %d", l.kind, granules, l.granules)
	}
	return nil
}

// Audit walks all slabs of the heap and returns an error that says what does
// not agree with the counters. It is for tests, and costs a step a free block.
func (h *Heap) Audit() error {
	var sum holding
	for c := range numClasses {
		k := &h.classes[c]
		if d := h.desc(k.slab); k.slab != 0 {
			if d.low == 0 {
				sum.idle++
			}
			if err := h.auditSlab(c, listNone, k.slab); err != nil {
				return err
			}
			sum.slab(d)
		}
		if err := h.auditLists(c, &sum); err != nil {
			return err
		}
	}
	for g := h.larges; g != 0; g = h.desc(g).next {
		d := h.desc(g)
		if d.kind != kindLarge || d.heap != h.id {
			return fmt.Errorf("arena: granule %d of heap %d (kind %d) is on the list of large blocks of heap %d", g, d.heap, d.kind, h.id)
		}
		n := int64(d.length) << granuleShift
		sum.held += n
		sum.blocks += n
		sum.handed += n - granuleSize
		sum.unsure += granuleSize
	}
	if err := h.auditParts(&sum); err != nil {
		return err
	}
	return h.auditCounts(&sum)
}

// holding is what an audit has found in a heap.
type holding struct {
	held, handed int64
	unsure       int64 // so much more may be handed out of large blocks
	blocks       int64 // bytes in blocks that are in use, or more: the borrowed and the large ones
	idle         int
}

func (s *holding) slab(d *desc) {
	s.held += int64(d.length) << granuleShift
	s.handed += int64(d.carved) << 3
	s.blocks += int64(d.used) * int64(classes[d.class].size)
}

// auditParts audits the parts of a heap and adds them up.
func (h *Heap) auditParts(sum *holding) error {
	for r, prev := h.parts, Ref(0); r != 0; {
		s := h.arena.part(r)
		if s.books != h || s.prev != prev || s.parts != 0 {
			return fmt.Errorf("arena: part %#x of heap %d has predecessor %#x, should have %#x, and parts %#x", r, h.id, s.prev, prev, s.parts)
		}
		if s.held == 0 { // empty, or abandoned
			r, prev = s.next, r
			continue
		}
		if err := s.Audit(); err != nil {
			return fmt.Errorf("in a part of heap %d: %w", h.id, err)
		}
		sum.held += s.held
		sum.handed += s.handed
		sum.blocks += s.held
		r, prev = s.next, r
	}
	return nil
}

// auditCounts compares the counters with each other and with what was found.
func (h *Heap) auditCounts(found *holding) error {
	var sum int64
	for _, n := range h.used {
		if sum += n; n < 0 {
			return fmt.Errorf("arena: a purpose of heap %d counts %v", h.id, h.used)
		}
	}
	if sum != h.Used() || sum > found.blocks || found.idle != h.idle {
		return fmt.Errorf("arena: heap %d counts %d bytes in use, %d by purpose, has blocks of %d; %d idle slabs, counts %d",
			h.id, h.Used(), sum, found.blocks, found.idle, h.idle)
	}
	if more := h.handed - found.handed; h.held != found.held || more < 0 || more > found.unsure || h.Waste() < 0 {
		return fmt.Errorf("arena: heap %d counts %d bytes held, %d of them handed out, waste %d; found %d, %d to %d",
			h.id, h.held, h.handed, h.Waste(), found.held, found.handed, found.handed+found.unsure)
	}
	return nil
}

// auditLists checks the listed slabs of a class and adds them up.
func (h *Heap) auditLists(c int, sum *holding) error {
	for l, g := range h.classes[c].lists {
		for prev := uint32(0); g != 0; g, prev = h.desc(g).next, g {
			if err := h.auditSlab(c, l, g); err != nil {
				return err
			}
			if h.desc(g).prev != prev {
				return fmt.Errorf("arena: slab %d has predecessor %d, should have %d", g, h.desc(g).prev, prev)
			}
			sum.slab(h.desc(g))
		}
	}
	return nil
}

// auditSlab checks one slab that is on list l of class c.
func (h *Heap) auditSlab(c, l int, g uint32) error {
	d, t := h.desc(g), h.class(c)
	if d.kind != kindSlab || int(d.class) != c || d.heap != h.id || int(d.list) != l || d.length != t.granMask+1 {
		return fmt.Errorf("arena: slab %d is not what it should be (class %d, list %d): %+v", g, c, l, *d)
	}
	free, steps := d.free, uint16(0)
	for free != 0 && steps <= t.capacity {
		free = *h.link(Ref(g)<<granuleShift + Ref(free-1)<<3)
		steps++
	}
	if carved := d.carved / uint16(t.size/8); steps+d.used != carved {
		return fmt.Errorf("arena: slab %d has %d blocks carved, %d in use, %d free", g, carved, d.used, steps)
	}
	full := d.used == t.capacity
	if l != listNone && (d.used == 0 || d.used < d.low || full != (l == listFull)) {
		return fmt.Errorf("arena: slab %d is on the wrong list %d: %+v", g, l, *d)
	}
	return nil
}
