package differential

import "time"

// The limits of cutting down a failing history.
const (
	minimiseRunsMax = 600
	minimiseTimeMax = 90 * time.Second
)

// Minimise looks for a short history that still shows a difference. It returns
// nil when the history does not fail again at all.
func (p *Pair) Minimise(h *History, first *Difference) (*History, *Difference, error) {
	short := *h
	if first.Step >= 0 {
		short.Steps = h.Steps[:first.Step+1]
	}
	m := minimiser{p: p, deadline: time.Now().Add(minimiseTimeMax)}
	diff, err := m.run(&short)
	if diff == nil || err != nil {
		return nil, nil, err
	}
	m.best, m.diff = &short, diff
	err = m.reduce()
	return m.best, m.diff, err
}

// MinimiseKind is Minimise for a difference of a kind that a survey found.
func (p *Pair) MinimiseKind(h *History, kind string, step int) (*History, error) {
	short := *h
	short.Steps = h.Steps[:step+1]
	m := minimiser{p: p, kind: kind, deadline: time.Now().Add(minimiseTimeMax / 4), best: &short}
	err := m.reduce()
	return m.best, err
}

type minimiser struct {
	p        *Pair
	kind     string // only differences of this kind count, "" for all
	best     *History
	diff     *Difference
	runs     int
	deadline time.Time
}

func (m *minimiser) run(h *History) (*Difference, error) {
	m.runs++
	if m.kind == "" {
		return m.p.Run(h)
	}
	all := m.p.survey
	defer func() { m.p.survey = all }()
	m.p.survey = survey{}
	if _, err := m.p.Run(h); err != nil {
		return nil, err
	}
	if f := m.p.survey[m.kind]; f != nil {
		return &f.first, nil
	}
	return nil, nil
}

func (m *minimiser) spent() bool { return m.runs >= minimiseRunsMax || time.Now().After(m.deadline) }

// reduce removes pieces, from halves down to single steps, as long as what
// remains still shows a difference.
func (m *minimiser) reduce() error {
	for size := len(m.best.Steps) / 2; size >= 1; {
		removed, err := m.pass(size)
		if err != nil || m.spent() {
			return err
		}
		if size == 1 && !removed {
			return nil
		}
		if size > 1 {
			size /= 2
		}
	}
	return nil
}

// pass tries to remove each piece of that size once, from the end.
func (m *minimiser) pass(size int) (removed bool, err error) {
	for end := len(m.best.Steps); end > 0 && !m.spent(); end -= size {
		from := max(0, end-size)
		if end > len(m.best.Steps) {
			continue
		}
		ok, err := m.try(from, end)
		if err != nil {
			return removed, err
		}
		removed = removed || ok
	}
	return removed, nil
}

func (m *minimiser) try(from, end int) (bool, error) {
	h := *m.best
	h.Steps = append(append([]Step{}, m.best.Steps[:from]...), m.best.Steps[end:]...)
	diff, err := m.run(&h)
	if diff == nil || err != nil {
		return false, err
	}
	if diff.Step >= 0 {
		h.Steps = h.Steps[:diff.Step+1]
	}
	m.best, m.diff = &h, diff
	return true, nil
}
