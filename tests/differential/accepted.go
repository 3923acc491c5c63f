package differential

import (
	"fmt"
	"regexp"
	"strings"
)

// Acceptance is a difference between Dozo and the oracle that is meant. The
// expressions match the whole reply as Value.String shows it.
type Acceptance struct {
	Name    string
	Command string // as Step.command gives it; "" is every command
	Oracle  string
	Dozo    string
	Reason  string
}

// acceptances is the written list. It holds only what was met in a run and is
// right in Dozo; anything else is a bug there.
var acceptances = []Acceptance{}

type acceptance struct {
	Acceptance
	oracle, dozo *regexp.Regexp
}

func compileAcceptances(list []Acceptance) ([]acceptance, error) {
	var out []acceptance
	for _, a := range list {
		if a.Name == "" || a.Reason == "" {
			return nil, fmt.Errorf("the accepted difference %+v needs a name and a reason", a)
		}
		o, err1 := regexp.Compile(`(?s)^(?:` + a.Oracle + `)$`)
		d, err2 := regexp.Compile(`(?s)^(?:` + a.Dozo + `)$`)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("accepted difference %q: %v %v", a.Name, err1, err2)
		}
		out = append(out, acceptance{a, o, d})
	}
	return out, nil
}

// accept says whether the difference is in the list, and counts it.
func (p *Pair) accept(command string, o, d Value) bool {
	for i := range p.list {
		a := &p.list[i]
		if a.Command != "" && a.Command != command && !strings.HasPrefix(command, a.Command+"|") {
			continue
		}
		if a.oracle.MatchString(o.String()) && a.dozo.MatchString(d.String()) {
			p.accepted[a.Name]++
			return true
		}
	}
	return false
}
