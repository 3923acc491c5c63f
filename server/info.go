package server

import (
	"fmt"
	"strings"

	"dozo/command"
	"dozo/keyspace"
)

// INFO is text in sections. Names of sections and fields, their order and their
// units are those of Redis 7.2, since exporters and clients read them by name;
// what has no counterpart here (fork, copy on write) reports what a server that
// never uses it reports. What only Dozo has is in the section dozo.
//
// The numbers of all loops are summed up while they stand still (INFO is
// declared Exclusive), so they fit together.

// infoSection is one section.
type infoSection struct {
	name, title string
	when        infoWhen
	write       func(*infoText)
}

// infoWhen tells when a section is shown without being named.
type infoWhen uint8

const (
	inDefault infoWhen = iota // INFO without arguments, and `default`
	inAll                     // `all` and `everything`
	byName                    // never
)

// infoSections are the sections in the order in which they are shown.
var infoSections = []infoSection{
	{"server", "Server", inDefault, (*infoText).server},
	{"clients", "Clients", inDefault, (*infoText).clients},
	{"memory", "Memory", inDefault, (*infoText).memory},
	{"persistence", "Persistence", inDefault, (*infoText).persistence},
	{"stats", "Stats", inDefault, (*infoText).stats},
	{"replication", "Replication", inDefault, (*infoText).replication},
	{"cpu", "CPU", inDefault, (*infoText).cpu},
	{"modules", "Modules", inDefault, func(*infoText) {}},
	{"commandstats", "Commandstats", inAll, (*infoText).commandStats},
	{"errorstats", "Errorstats", inDefault, (*infoText).errorStats},
	{"latencystats", "Latencystats", inAll, (*infoText).latencyStats},
	{"cluster", "Cluster", inDefault, (*infoText).cluster},
	{"dozo", "Dozo", inDefault, (*infoText).dozo},
	{"keyspace", "Keyspace", inDefault, (*infoText).keyspace},
	{"debug", "Debug", byName, (*infoText).debug},
}

// infoText is an INFO that is being written.
type infoText struct {
	strings.Builder
	srv  *Server
	view *keyspace.View
	sum  totals
}

// addf adds one field, name and value.
func (t *infoText) addf(format string, args ...any) {
	fmt.Fprintf(t, format+"\r\n", args...)
}

// ints adds fields that are whole numbers: names and values in turn.
func (t *infoText) ints(names string, values ...int64) {
	for i, name := range strings.Fields(names) {
		t.addf("%s:%d", name, values[i])
	}
}

// zeros adds fields for what this server does not have.
func (t *infoText) zeros(names string) {
	for name := range strings.FieldsSeq(names) {
		t.WriteString(name + ":0\r\n")
	}
}

func info(c *command.Context) error {
	var names []string
	for _, a := range c.Args[1:] {
		names = append(names, lower(a))
	}
	c.Out.Verbatim("txt", serverOf(c).info(c.View, names))
	return nil
}

// info is the text of INFO for the given names of sections. Only in exclusive
// mode.
func (s *Server) info(v *keyspace.View, names []string) string {
	shown := infoWhen(inDefault)
	wanted := make(map[string]bool)
	for _, name := range names {
		switch name {
		case "all", "everything":
			shown = inAll
		case "module_list":
			wanted["modules"] = true
		default:
			wanted[name] = true
		}
	}
	everyDefault := len(names) == 0 || wanted["default"] || shown == inAll
	t := &infoText{srv: s, view: v, sum: s.totals()}
	for _, section := range infoSections {
		if !wanted[section.name] && !(everyDefault && section.when <= shown) {
			continue
		}
		if t.Len() > 0 {
			t.WriteString("\r\n")
		}
		t.addf("# %s", section.title)
		section.write(t)
	}
	return t.String()
}
