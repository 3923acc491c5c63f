package commands

import (
	"cmp"
	"slices"

	"dozo/command"
	"dozo/container/geohash"
	"dozo/container/listpack"
	"dozo/object"
	"dozo/text"
)

var (
	errRadius      error = command.ReplyError("ERR need numeric radius")
	errRadiusBelow error = command.ReplyError("ERR radius cannot be negative")
	errWidth       error = command.ReplyError("ERR need numeric width")
	errHeight      error = command.ReplyError("ERR need numeric height")
	errBoxBelow    error = command.ReplyError("ERR height or width cannot be negative")
	errCountBelow1 error = command.ReplyError("ERR COUNT must be > 0")
	errAnyOfAll    error = command.ReplyError("ERR the ANY argument requires COUNT argument")
	errRadiusWith  error = command.ReplyError("ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
	errSearchWith  error = command.ReplyError("ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
)

// What the syntax of searches has in common.
const (
	unitSyntax   = "unit=<'m' | 'km' | 'ft' | 'mi'>"
	withSyntax   = " [WITHCOORD] [WITHDIST] [WITHHASH]"
	orderSyntax  = " order=[ASC | DESC]"
	countSyntax  = " count-block=[COUNT count [ANY]]"
	intoSyntax   = " store=[STORE storekey=key:key | STOREDIST storedistkey=key:key]"
	centerSyntax = "from=<FROMMEMBER member | FROMLONLAT fromlonlat=<longitude latitude>>"
	shapeSyntax  = " by=<circle=<BYRADIUS radius " + unitSyntax + "> | box=<BYBOX width height " + unitSyntax + ">>"
)

// Their complexities, where N is what lies in the cells that are searched.
const (
	radiusComplexity = "O(N+log(M)) for N members of about the circle, and M of the sorted set"
	searchComplexity = "O(N+log(M)) for N members of about the shape, and M of the sorted set"
)

// geoSearchCommands look for the members in an area.
var geoSearchCommands = []command.Spec{
	{
		Name: "GEORADIUS", Handler: georadius, Group: command.Geo, Since: "3.2.0", Complexity: radiusComplexity,
		Syntax:   "key longitude latitude radius " + unitSyntax + withSyntax + " count-block=[COUNT count [ANY]@6.2.0]" + orderSyntax + intoSyntax,
		Flags:    command.Write | command.DenyOOM,
		Keys:     radiusKeySpecs(6),
		FindKeys: radiusKeys(6),
		History: []command.Change{
			{"6.2.0", "The option `ANY` of `COUNT`."},
			{"7.0.0", "Units may be in upper case."},
		},
		Deprecated: "6.2.0", Replaced: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
		Summary: "Lists or stores the members within a distance of a position.",
	},
	{
		Name: "GEORADIUS_RO", Handler: georadiusRO, Group: command.Geo, Since: "3.2.10", Complexity: radiusComplexity,
		Syntax:     "key longitude latitude radius " + unitSyntax + withSyntax + " count-block=[COUNT count [ANY]@6.2.0]" + orderSyntax,
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		History:    []command.Change{{"6.2.0", "The option `ANY` of `COUNT`."}},
		Deprecated: "6.2.0", Replaced: "`GEOSEARCH` with the `BYRADIUS` argument",
		Summary: "Lists the members within a distance of a position.",
	},
	{
		Name: "GEORADIUSBYMEMBER", Handler: georadiusbymember, Group: command.Geo, Since: "3.2.0", Complexity: radiusComplexity,
		Syntax:   "key member radius " + unitSyntax + withSyntax + countSyntax + orderSyntax + intoSyntax,
		Flags:    command.Write | command.DenyOOM,
		Keys:     radiusKeySpecs(5),
		FindKeys: radiusKeys(5),
		History: []command.Change{
			{"7.0.0", "Units may be in upper case."},
		},
		Deprecated: "6.2.0", Replaced: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
		Summary: "Lists or stores the members within a distance of a member.",
	},
	{
		Name: "GEORADIUSBYMEMBER_RO", Handler: georadiusbymemberRO, Group: command.Geo, Since: "3.2.10", Complexity: radiusComplexity,
		Syntax:     "key member radius " + unitSyntax + withSyntax + countSyntax + orderSyntax,
		Flags:      command.ReadOnly,
		Keys:       []command.KeySpec{command.At(1, command.RO|command.Access)},
		Deprecated: "6.2.0", Replaced: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
		Summary: "Lists the members within a distance of a member.",
	},
	{
		Name: "GEOSEARCH", Handler: geosearch, Group: command.Geo, Since: "6.2.0", Complexity: searchComplexity,
		Syntax:  "key " + centerSyntax + shapeSyntax + orderSyntax + countSyntax + withSyntax,
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		History: []command.Change{{"7.0.0", "Units may be in upper case."}},
		Summary: "Lists the members in a circle or a box.",
	},
	{
		Name: "GEOSEARCHSTORE", Handler: geosearchstore, Group: command.Geo, Since: "6.2.0", Complexity: searchComplexity,
		Syntax: "destination source " + centerSyntax + shapeSyntax + orderSyntax + countSyntax + " [STOREDIST]",
		Flags:  command.Write | command.DenyOOM,
		Keys: []command.KeySpec{
			command.At(1, command.OW|command.Update),
			command.At(2, command.RO|command.Access),
		},
		History: []command.Change{{"7.0.0", "Units may be in upper case."}},
		Summary: "Stores the members in a circle or a box as a sorted set.",
	},
}

// radiusKeySpecs are the keys of a command whose options begin at an argument.
func radiusKeySpecs(from int) []command.KeySpec {
	return []command.KeySpec{
		command.At(1, command.RO|command.Access),
		command.After("STORE", from, 0, 1, 0, command.OW|command.Update),
		command.After("STOREDIST", from, 0, 1, 0, command.OW|command.Update),
	}
}

// radiusKeys finds the keys of radiusKeySpecs, which are what Redis shows. The one
// that is stored to is the last, should there be several; it is among them here.
func radiusKeys(from int) func(dst []command.KeyRef, args [][]byte) ([]command.KeyRef, bool) {
	return func(dst []command.KeyRef, args [][]byte) ([]command.KeyRef, bool) {
		const flags = command.OW | command.Update
		dst = append(dst, command.KeyRef{Index: 1, Flags: command.RO | command.Access})
		shown := len(dst)
		for _, word := range []string{"STORE", "STOREDIST"} {
			i := from
			for i < len(args)-1 && !text.EqualFold(args[i], word) {
				i++
			}
			if i < len(args)-1 {
				dst = append(dst, command.KeyRef{Index: i + 1, Flags: flags})
			}
		}
		last := command.KeyRef{Flags: flags}
		for i := from; i < len(args)-1; i++ {
			if is(args[i], "STORE") || is(args[i], "STOREDIST") {
				i++
				last.Index = i
			}
		}
		if last.Index != 0 && !slices.Contains(dst[shown:], last) {
			dst = append(dst, last)
		}
		return dst, true
	}
}

// geoForm is which arguments a search has.
type geoForm uint8

const (
	geoAround   geoForm = 1 << iota // a position and a radius stand before the options
	geoAroundBy                     // a member and a radius do
	geoNoStore                      // STORE and STOREDIST are no options
	geoOptions                      // centre and shape are options
	geoInto                         // it has a destination
)

// geoOrder is how what was found is sorted.
type geoOrder uint8

const (
	geoUnsorted geoOrder = iota
	geoNearest           // the nearest first
	geoFarthest
)

// geoSearch is a call of one of the searches.
type geoSearch struct {
	form              geoForm
	cell              object.Cell // of the source
	shape             geohash.Shape
	center, around    bool // FROMMEMBER, FROMLONLAT
	circle            bool // BYRADIUS; BYBOX is in the shape
	coord, dist, hash bool
	order             geoOrder
	any               bool
	count             int64  // 0 = all
	into              []byte // the destination, or nil
	intoDist          bool
}

// parse reads the arguments behind the keys that stand first. (As in Redis, they
// are looked at when the source is known, and mean less if it is missing.)
func (s *geoSearch) parse(words [][]byte) (err error) {
	switch {
	case s.form&geoAround != 0:
		if s.shape.Center, err = pointArg(words[0], words[1]); err == nil {
			err = s.radiusArg(words[2:])
		}
		words = words[4:]
	case s.form&geoAroundBy != 0:
		if s.cell.Ok() {
			if err = s.memberArg(words[0]); err == nil {
				err = s.radiusArg(words[1:])
			}
		}
		words = words[3:]
	}
	for len(words) > 0 && err == nil {
		var n int
		if n, err = s.option(words); err == nil {
			words = words[n:]
		}
	}
	return err
}

// option reads one option and says how many words it took.
func (s *geoSearch) option(words [][]byte) (n int, err error) {
	switch w := words[0]; {
	case is(w, "WITHDIST"):
		s.dist = true
	case is(w, "WITHHASH"):
		s.hash = true
	case is(w, "WITHCOORD"):
		s.coord = true
	case is(w, "ANY"):
		s.any = true
	case is(w, "ASC"):
		s.order = geoNearest
	case is(w, "DESC"):
		s.order = geoFarthest
	case is(w, "COUNT") && len(words) > 1:
		return 2, s.countArg(words[1])
	case s.form&geoOptions == 0:
		return s.storeOption(words)
	case is(w, "STOREDIST") && s.form&geoInto != 0:
		s.intoDist = true
	default:
		return s.shapeOption(words)
	}
	return 1, nil
}

// storeOption reads an option of GEORADIUS and GEORADIUSBYMEMBER.
func (s *geoSearch) storeOption(words [][]byte) (n int, err error) {
	distances := is(words[0], "STOREDIST")
	if s.form&geoNoStore != 0 || len(words) < 2 || !distances && !is(words[0], "STORE") {
		return 0, command.ErrSyntax
	}
	s.into, s.intoDist = words[1], distances
	return 2, nil
}

// shapeOption reads one of the options that say where to search. Others than the
// first of each kind must be the same option.
func (s *geoSearch) shapeOption(words [][]byte) (n int, err error) {
	switch w := words[0]; {
	case is(w, "FROMMEMBER") && len(words) > 1 && !s.around:
		s.center = true
		if s.cell.Ok() {
			err = s.memberArg(words[1])
		}
		return 2, err
	case is(w, "FROMLONLAT") && len(words) > 2 && !s.center:
		s.around = true
		s.shape.Center, err = pointArg(words[1], words[2])
		return 3, err
	case is(w, "BYRADIUS") && len(words) > 2 && !s.shape.Box:
		s.circle = true
		return 3, s.radiusArg(words[1:])
	case is(w, "BYBOX") && len(words) > 3 && !s.circle:
		s.shape.Box = true
		return 4, s.boxArg(words[1:])
	}
	return 0, command.ErrSyntax
}

// memberArg takes the position of a member as the centre.
func (s *geoSearch) memberArg(member []byte) error {
	p, ok := position(&s.cell, member)
	if !ok {
		return errNoMember
	}
	s.shape.Center = p
	return nil
}

// radiusArg reads a radius and its unit.
func (s *geoSearch) radiusArg(words [][]byte) (err error) {
	radius, ok := text.ParseFloat(words[0])
	switch {
	case !ok:
		return errRadius
	case radius < 0:
		return errRadiusBelow
	}
	s.shape.Radius = radius
	s.shape.Unit, err = unitArg(words[1])
	return err
}

// boxArg reads a width, a height and their unit.
func (s *geoSearch) boxArg(words [][]byte) (err error) {
	width, ok1 := text.ParseFloat(words[0])
	height, ok2 := text.ParseFloat(words[1])
	switch {
	case !ok1:
		return errWidth
	case !ok2:
		return errHeight
	case width < 0 || height < 0:
		return errBoxBelow
	}
	s.shape.Width, s.shape.Height = width, height
	s.shape.Unit, err = unitArg(words[2])
	return err
}

func (s *geoSearch) countArg(arg []byte) (err error) {
	if s.count, err = intArg(arg); err == nil && s.count <= 0 {
		err = errCountBelow1
	}
	return err
}

// check refuses what does not go together, or is not enough.
func (s *geoSearch) check(name []byte) error {
	with, options := s.dist || s.hash || s.coord, s.form&geoOptions != 0
	switch {
	case s.into != nil && with && options:
		return errSearchWith
	case s.into != nil && with:
		return errRadiusWith
	case options && !s.center && !s.around:
		return command.ReplyError("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + string(name))
	case options && !s.circle && !s.shape.Box:
		return command.ReplyError("ERR exactly one of BYRADIUS and BYBOX can be specified for " + string(name))
	case s.any && s.count == 0:
		return errAnyOfAll
	}
	return nil
}

// geoFound is a member that was found.
type geoFound struct {
	member   listpack.Value
	score    float64
	distance float64 // in metres
}

// geoRank is the place of a member among those found: by its distance, or against it.
type geoRank struct {
	distance float64
	at       int
}

func byDistance(a, b geoRank) int {
	switch {
	case a.distance < b.distance:
		return -1
	case a.distance > b.distance:
		return 1
	}
	return 0
}

// find gathers the members in the shape, cell by cell; with ANY until there are as
// many as are wanted.
func (s *geoSearch) find(found []geoFound) []geoFound {
	limit := object.ZSetValue{Cell: &s.cell}.Len()
	if s.any {
		limit = int(min(s.count, int64(limit)))
	}
	z, filter := object.ZSetValue{Cell: &s.cell}, s.shape.Filter()
	var room [geohash.RangesMax]geohash.Range
	for _, r := range s.shape.Ranges(room[:0]) {
		if len(found) == limit {
			break
		}
		from, to := z.ScoreRanks(&object.ScoreRange{Min: r.Min, Max: r.Max, MaxEx: true})
		z.Walk(from, to-from, false, func(m object.Scored) bool {
			score := m.Score()
			if d, ok := filter.Contains(geohash.Decode(score)); ok {
				found = append(found, geoFound{m.Member, score, d})
			}
			return len(found) < limit
		})
	}
	return found
}

// ranked is what was found in order, as much of it as is wanted. Equal distances stay
// in the order in which they were found, unless only some are wanted.
func (s *geoSearch) ranked(found []geoFound, ranks []geoRank) []geoRank {
	n := len(found)
	if s.count != 0 {
		n = int(min(int64(n), s.count))
		if s.order == geoUnsorted && !s.any {
			s.order = geoNearest
		}
	}
	sign := 1.0
	if s.order == geoFarthest {
		sign = -1
	}
	for i := range found {
		ranks = append(ranks, geoRank{sign * found[i].distance, i})
	}
	switch {
	case s.order == geoUnsorted:
	case n < len(found):
		sortPart(ranks, 0, n-1, byDistance)
	default:
		slices.SortFunc(ranks, func(a, b geoRank) int {
			return cmp.Or(byDistance(a, b), a.at-b.at)
		})
	}
	return ranks[:n]
}

// reply lists what was found.
func (s *geoSearch) reply(c *command.Context, found []geoFound, ranks []geoRank) {
	extras := 0
	for _, with := range [...]bool{s.dist, s.hash, s.coord} {
		if with {
			extras++
		}
	}
	c.Out.Array(len(ranks))
	for _, r := range ranks {
		f := &found[r.at]
		if extras > 0 {
			c.Out.Array(1 + extras)
		}
		replyValue(c, f.member)
		if s.dist {
			replyDistance(c, f.distance/s.shape.Unit)
		}
		if s.hash {
			c.Out.Int(geohash.Hash(f.score))
		}
		if s.coord {
			replyPoint(c, geohash.Decode(f.score))
		}
	}
}

// store makes what was found the value of the destination.
func (s *geoSearch) store(c *command.Context, found []geoFound, ranks []geoRank) {
	var d object.Draft
	at, l := c.Place(s.into), &c.Set.Limits.ZSet
	d.Begin(at, at.NewZSet(len(ranks), 0, l))
	z := object.ZSetValue{Cell: &d.Cell}
	var buf digits
	for _, r := range ranks {
		f := &found[r.at]
		score := f.score
		if s.intoDist {
			score = f.distance / s.shape.Unit
		}
		z.Add(f.member.Text(buf[:0]), score, 0, l)
	}
	event := "georadiusstore"
	if s.form&geoOptions != 0 {
		event = "geosearchstore"
	}
	storeDraft(c, s.into, &d, len(ranks), command.EventZSet, event)
	if len(ranks) > 0 {
		c.Effects.Dirty += int64(len(ranks)) - 1
	}
}

// searchPositions is a call of the form given; the source is the argument at index key.
func searchPositions(c *command.Context, form geoForm, key int) (err error) {
	s := geoSearch{form: form}
	if form&geoInto != 0 {
		s.into = c.Args[1]
	}
	if s.cell, err = c.Lookup(c.Args[key], object.ZSet); err != nil {
		return err
	}
	if err := s.parse(c.Args[key+1:]); err != nil {
		return err
	}
	if err := s.check(c.Args[0]); err != nil {
		return err
	}
	var foundRoom [8]geoFound
	var rankRoom [8]geoRank
	found := foundRoom[:0]
	if s.cell.Ok() {
		found = s.find(found)
	}
	ranks := s.ranked(found, rankRoom[:0])
	if s.into != nil {
		s.store(c, found, ranks)
		return nil
	}
	s.reply(c, found, ranks)
	return nil
}

func georadius(c *command.Context) error { return searchPositions(c, geoAround, 1) }

func georadiusRO(c *command.Context) error { return searchPositions(c, geoAround|geoNoStore, 1) }

func georadiusbymember(c *command.Context) error { return searchPositions(c, geoAroundBy, 1) }

func georadiusbymemberRO(c *command.Context) error {
	return searchPositions(c, geoAroundBy|geoNoStore, 1)
}

func geosearch(c *command.Context) error { return searchPositions(c, geoOptions, 1) }

func geosearchstore(c *command.Context) error { return searchPositions(c, geoOptions|geoInto, 2) }
