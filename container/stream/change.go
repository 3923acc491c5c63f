package stream

import "dozo/arena"

// insert adds a pair; false if there is one with the key.
func (x *index) insert(k ID, value uint64) bool {
	if x.root.top == 0 {
		r, _ := x.newPage(0)
		x.setTop(r, 0)
	}
	var p path
	at := 0
	if x.page(x.top()).count > 0 {
		x.descend(&p, k)
		if at = p[0].i + 1; at > 0 && x.page(p[0].ref).pairs()[at-1].key == k {
			return false
		}
	} else {
		p[0].ref = x.top()
	}
	x.root.count++
	x.put(&p, 0, at, pair{k, value})
	return true
}

// put makes v the at-th pair of the page of level l.
func (x *index) put(p *path, l, at int, v pair) {
	g := x.page(p[l].ref)
	if g.full() {
		if pageSteps[g.step] == pairsMax {
			x.split(p, l, at, v)
			return
		}
		g = x.resize(p, l, g.step+1)
	}
	g.put(at, v)
}

func (g *page) put(at int, v pair) {
	g.count++
	ps := g.pairs()
	copy(ps[at+1:], ps[at:])
	ps[at] = v
}

// split makes two pages of a full one, and puts v in its place.
func (x *index) split(p *path, l, at int, v pair) {
	g := x.page(p[l].ref)
	n := int(g.count)
	keep := n / 2
	if at == n {
		keep = n
	}
	r, right := x.newPage(max(stepFor(n-keep+1), stepBehind))
	right.count = uint16(copy(right.room(), g.pairs()[keep:]))
	g.count = uint16(keep)
	if at > keep || keep == n {
		right.put(at-keep, v)
	} else {
		g.put(at, v)
	}
	x.hang(p, l, pair{right.pairs()[0].key, uint64(r)})
}

// hang puts a new page of level l behind the one of the path.
func (x *index) hang(p *path, l int, v pair) {
	h := x.height()
	if l < h {
		x.put(p, l+1, p[l+1].i+1, v)
		return
	}
	r, g := x.newPage(stepBehind)
	g.count = 2
	ps := g.pairs()
	ps[0], ps[1] = pair{x.page(p[l].ref).pairs()[0].key, uint64(p[l].ref)}, v
	x.setTop(r, h+1)
}

// resize moves the page of level l to a block of another size, or of the same.
func (x *index) resize(p *path, l int, step uint16) *page {
	old := p[l].ref
	r, g := x.newPage(step)
	g.count = uint16(copy(g.room(), x.page(old).pairs()))
	x.freePage(old)
	p[l].ref = r
	if h := x.height(); l == h {
		x.setTop(r, h)
	} else {
		x.page(p[l+1].ref).pairs()[p[l+1].i].value = uint64(r)
	}
	return g
}

// remove takes the pair of k out, and tells its value; false if there is none.
func (x *index) remove(k ID) (value uint64, ok bool) {
	if x.root.top == 0 {
		return 0, false
	}
	var p path
	x.descend(&p, k)
	if p[0].i < 0 {
		return 0, false
	}
	v := x.spot(&p).pair()
	if v.key != k {
		return 0, false
	}
	value = v.value
	x.root.count--
	x.cut(&p, 0, p[0].i)
	return value, true
}

// cut takes the at-th pair out of the page of level l.
func (x *index) cut(p *path, l, at int) {
	g := x.page(p[l].ref)
	ps := g.pairs()
	copy(ps[at:], ps[at+1:])
	g.count--
	switch h := x.height(); {
	case g.count == 0:
		x.drop(p, l)
	case l == h:
		x.settle(p, l)
	case g.count > pairsLow || !x.join(p, l):
		x.settle(p, l)
	}
}

// drop frees the page of level l, which is empty.
func (x *index) drop(p *path, l int) {
	x.freePage(p[l].ref)
	if l == x.height() {
		x.root.top = 0
		return
	}
	x.cut(p, l+1, p[l+1].i)
}

// settle gives back room that the page of level l will hardly need, and makes an
// only child the first page.
func (x *index) settle(p *path, l int) {
	g := x.page(p[l].ref)
	if g.step > 1 && g.count <= pageSteps[g.step-2] {
		g = x.resize(p, l, g.step-1)
	}
	for l == x.height() && l > 0 && g.count == 1 {
		child := arena.Ref(g.pairs()[0].value)
		x.freePage(p[l].ref)
		l--
		x.setTop(child, l)
		p[l].ref, g = child, x.page(child)
	}
}

// join puts the pairs of the page of level l and of a neighbour into one page, if
// they are few.
func (x *index) join(p *path, l int) bool {
	up := x.page(p[l+1].ref)
	for _, i := range [...]int{p[l+1].i, p[l+1].i - 1} {
		if i < 0 || i+1 >= int(up.count) {
			continue
		}
		left, right := arena.Ref(up.pairs()[i].value), arena.Ref(up.pairs()[i+1].value)
		a, b := x.page(left), x.page(right)
		n := int(a.count + b.count)
		if n > pairsJoined {
			continue
		}
		p[l].ref, p[l+1].i = left, i
		if int(pageSteps[a.step]) < n {
			a = x.resize(p, l, stepFor(n))
		}
		at := a.count
		a.count = uint16(n)
		copy(a.pairs()[at:], b.pairs())
		if l > 0 {
			a.pairs()[at].key = up.pairs()[i+1].key
		}
		x.freePage(right)
		x.cut(p, l+1, i+1)
		return true
	}
	return false
}

// dropLeaf takes the last leaf away after visit has seen its pairs, and tells how
// many they were.
func (x *index) dropLeaf(visit func(v *pair)) int {
	var p path
	if !x.lastPath(&p) {
		return 0
	}
	g := x.page(p[0].ref)
	n := int(g.count)
	if visit != nil {
		for i := range g.pairs() {
			visit(&g.pairs()[i])
		}
	}
	x.root.count -= uint64(n)
	g.count = 0
	x.drop(&p, 0)
	return n
}

// moveSparse moves the pages on the way to k that lie in sparse slabs.
func (x *index) moveSparse(k ID) (moved int) {
	if x.root.top == 0 {
		return 0
	}
	var p path
	x.descend(&p, k)
	for l := x.height(); l >= 0; l-- {
		if g := x.page(p[l].ref); x.heap.Sparse(p[l].ref, pageBytes(g.step)) {
			x.resize(&p, l, g.step)
			moved++
		}
	}
	return moved
}
