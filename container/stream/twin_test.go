package stream

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// twin is the dumb second implementation: slices and maps. It keeps nodes too,
// since trimming depends on them; only limits of entries make it begin another.
type twin struct {
	state  State
	nodes  []*twinNode
	groups map[string]*twinGroup
}

type twinNode struct{ entries []*twinEntry }

type twinEntry struct {
	id      ID
	args    []string
	deleted bool
}

type twinGroup struct {
	last      ID
	read      int64
	pending   map[ID]*twinPending
	consumers map[string]*twinConsumer
}

type twinPending struct {
	delivered int64
	count     uint64
	owner     string
}

type twinConsumer struct{ seen, active int64 }

func (n *twinNode) live() (live int) {
	for _, e := range n.entries {
		if !e.deleted {
			live++
		}
	}
	return live
}

func (w *twin) all() (out []*twinEntry) {
	for _, n := range w.nodes {
		for _, e := range n.entries {
			if !e.deleted {
				out = append(out, e)
			}
		}
	}
	return out
}

func (w *twin) first() ID {
	if all := w.all(); len(all) > 0 {
		return all[0].id
	}
	return ID{}
}

func (w *twin) add(id ID, nodeEntries int64, args []string) {
	n := len(w.nodes)
	if n == 0 || nodeEntries > 0 && int64(len(w.nodes[n-1].entries)) >= nodeEntries {
		w.nodes = append(w.nodes, new(twinNode))
	}
	tail := w.nodes[len(w.nodes)-1]
	tail.entries = append(tail.entries, &twinEntry{id: id, args: args})
	w.state.Length++
	w.state.Added++
	w.state.Last = id
	w.state.First = w.first()
}

func (w *twin) delete(id ID) bool {
	for i, n := range w.nodes {
		for _, e := range n.entries {
			if e.id != id || e.deleted {
				continue
			}
			e.deleted = true
			if n.live() == 0 {
				w.nodes = slices.Delete(w.nodes, i, i+1)
			}
			w.state.Length--
			if w.state.MaxDeletedID.Less(id) {
				w.state.MaxDeletedID = id
			}
			w.state.First = w.first()
			return true
		}
	}
	return false
}

// trim takes whole nodes as long as that is right, and then entries one by one.
func (w *twin) trim(t Trim) (deleted int64) {
	goes := func(e *twinEntry) bool {
		if t.ByID {
			return e.id.Less(t.MinID)
		}
		return w.state.Length > t.MaxLen
	}
	for len(w.nodes) > 0 {
		n := w.nodes[0]
		live := n.live()
		if !t.ByID && w.state.Length <= t.MaxLen || t.Limit > 0 && deleted+int64(live) > t.Limit {
			break
		}
		whole := w.state.Length-uint64(live) >= t.MaxLen
		if t.ByID {
			whole = n.entries[len(n.entries)-1].id.Less(t.MinID)
		}
		if whole {
			w.nodes = w.nodes[1:]
			w.state.Length -= uint64(live)
			deleted += int64(live)
			continue
		}
		if t.Approx {
			break
		}
		for _, e := range n.entries {
			if goes(e) && !e.deleted {
				e.deleted = true
				w.state.Length--
				deleted++
			}
		}
		break
	}
	w.state.First = w.first()
	return deleted
}

func (w *twin) between(start, end ID, reverse bool) (out []*twinEntry) {
	for _, e := range w.all() {
		if !e.id.Less(start) && !end.Less(e.id) {
			out = append(out, e)
		}
	}
	if reverse {
		slices.Reverse(out)
	}
	return out
}

// known is the number of entries up to id, for the cases in which it is known.
func (w *twin) known(id ID) int64 {
	s := w.state
	fragmented := !s.MaxDeletedID.IsZero() && s.First.Compare(s.MaxDeletedID) <= 0
	if s.Added == 0 {
		return 0
	}
	if id == s.Last || s.Length == 0 && id.Compare(s.Last) <= 0 {
		return int64(s.Added)
	}
	if id.Compare(s.Last) > 0 || fragmented {
		return NoEntriesRead
	}
	if id == s.First {
		return int64(s.Added-s.Length) + 1
	}
	if id.Less(s.First) {
		return int64(s.Added - s.Length)
	}
	return NoEntriesRead
}

// gap tells whether an entry behind or at id was deleted, with entries before it.
func (w *twin) gap(id ID) bool {
	s := w.state
	return s.Length > 0 && !s.MaxDeletedID.IsZero() && s.First.Compare(s.MaxDeletedID) <= 0 && id.Compare(s.MaxDeletedID) <= 0
}

func (w *twin) advance(g *twinGroup, id ID) {
	if id.Compare(g.last) <= 0 {
		return
	}
	if g.read != NoEntriesRead && !w.gap(id) {
		g.read++
	} else if w.state.Added > 0 {
		g.read = w.known(id)
	}
	g.last = id
}

func (w *twin) lag(g *twinGroup) string {
	read := g.read
	switch {
	case w.state.Added == 0:
		return "0"
	case read == NoEntriesRead || w.gap(g.last):
		if read = w.known(g.last); read == NoEntriesRead {
			return "unknown"
		}
	}
	return fmt.Sprint(int64(w.state.Added) - read)
}

func (g *twinGroup) ids(owner string) (out []ID) {
	for id, n := range g.pending {
		if owner == "" || n.owner == owner {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, ID.Compare)
	return out
}

// text is everything that the twin holds.
func (w *twin) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", w.state)
	for _, e := range w.all() {
		fmt.Fprintf(&b, "%v %q\n", e.id, e.args)
	}
	for _, name := range slices.Sorted(maps.Keys(w.groups)) {
		g := w.groups[name]
		fmt.Fprintf(&b, "group %s %v %d lag %s\n", name, g.last, g.read, w.lag(g))
		for _, id := range g.ids("") {
			n := g.pending[id]
			fmt.Fprintf(&b, " %v %s %d %d\n", id, n.owner, n.delivered, n.count)
		}
		for _, name := range slices.Sorted(maps.Keys(g.consumers)) {
			c := g.consumers[name]
			fmt.Fprintf(&b, " consumer %s %d %d %v\n", name, c.seen, c.active, g.ids(name))
		}
	}
	return b.String()
}

// textOf is the same of a stream.
func textOf(s *Stream) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v\n", s.State())
	for it := s.Range(ID{}, MaxID, false); it.Next(); {
		fmt.Fprintf(&b, "%v %q\n", it.ID, args(&it))
	}
	for i := range s.Groups() {
		g := s.GroupAt(i)
		lag := "unknown"
		if n, ok := s.Lag(&g); ok {
			lag = fmt.Sprint(n)
		}
		fmt.Fprintf(&b, "group %s %v %d lag %s\n", g.Name(), g.LastID(), g.EntriesRead(), lag)
		for it := g.PendingFrom(ID{}); it.Next(); {
			c := it.Pending.Consumer()
			fmt.Fprintf(&b, " %v %s %d %d\n", it.Pending.ID, c.Name(), it.Pending.DeliveredMs(), it.Pending.Deliveries())
		}
		for i := range g.Consumers() {
			c := g.ConsumerAt(i)
			ids := []ID(nil)
			for it := g.PendingOf(&c, ID{}); it.Next(); {
				ids = append(ids, it.Pending.ID)
			}
			fmt.Fprintf(&b, " consumer %s %d %d %v\n", c.Name(), c.SeenMs(), c.ActiveMs(), ids)
		}
	}
	return b.String()
}

// args is the rest of the present entry.
func args(it *Iterator) (out []string) {
	for it.Fields > 0 {
		f, v := it.Field()
		out = append(out, string(f.Append(nil)), string(v.Append(nil)))
	}
	return out
}

func same(t *testing.T, s *Stream, w *twin) {
	t.Helper()
	check(t, s)
	if got, want := textOf(s), w.text(); got != want {
		t.Fatalf("the stream holds\n%s\nwant\n%s", clip(got, want), clip(want, got))
	}
	if s.Nodes() != len(w.nodes) {
		t.Fatalf("%d nodes, want %d", s.Nodes(), len(w.nodes))
	}
}

// clip is a from its first difference to b on.
func clip(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	i = max(strings.LastIndexByte(a[:i], '\n'), 0)
	return a[i:min(len(a), i+400)]
}
