package commands

import (
	"slices"
	"strconv"

	"dozo/command"
	"dozo/container/geohash"
	"dozo/object"
	"dozo/text"
)

// Geo is the family of positions. They are kept in sorted sets, whose scores are
// their hashes.
var Geo = slices.Concat(geoCommands, geoSearchCommands)

var (
	errUnit     error = command.ReplyError("ERR unsupported unit provided. please use M, KM, FT, MI")
	errNoMember error = command.ReplyError("ERR could not decode requested zset member")
)

var wordZAdd = []byte("zadd")

// geoCommands write and read positions.
var geoCommands = []command.Spec{
	{
		Name: "GEOADD", Handler: geoadd, Group: command.Geo, Since: "3.2.0", Complexity: "O(log(N)) a position for N members",
		Syntax:  "key condition=[NX | XX]@6.2.0 [change=CH]@6.2.0 data=<longitude latitude member> [longitude latitude member ...]",
		Flags:   command.Write | command.DenyOOM,
		Keys:    []command.KeySpec{command.At(1, command.RW|command.Update)},
		History: []command.Change{{"6.2.0", "The options `CH`, `NX` and `XX`."}},
		Summary: "Gives members of a sorted set their positions, making it if need be.",
	},
	{
		Name: "GEODIST", Handler: geodist, Group: command.Geo, Since: "3.2.0", Complexity: "O(1)",
		Syntax:  "key member1 member2 unit=['m' | 'km' | 'ft' | 'mi']",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells the distance between two members.",
	},
	{
		Name: "GEOHASH", Handler: geohashes, Group: command.Geo, Since: "3.2.0", Complexity: "O(1) a member",
		Syntax:  "key [member [member ...]]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells the geohashes of members as text.",
	},
	{
		Name: "GEOPOS", Handler: geopos, Group: command.Geo, Since: "3.2.0", Complexity: "O(1) a member",
		Syntax:  "key [member [member ...]]",
		Flags:   command.ReadOnly,
		Keys:    []command.KeySpec{command.At(1, command.RO|command.Access)},
		Summary: "Tells the positions of members.",
	},
}

// pointArg reads a longitude and a latitude.
func pointArg(lon, lat []byte) (p geohash.Point, err error) {
	var ok1, ok2 bool
	p.Lon, ok1 = text.ParseFloat(lon)
	p.Lat, ok2 = text.ParseFloat(lat)
	switch {
	case !ok1 || !ok2:
		return p, command.ErrNotFloat
	case !p.Valid():
		return p, command.ReplyError("ERR invalid longitude,latitude pair " + degreesText(p.Lon) + "," + degreesText(p.Lat))
	}
	return p, nil
}

// degreesText is a number of degrees for an error.
func degreesText(v float64) string {
	if v-v != 0 { // infinite
		return string(text.AppendDouble(nil, v))
	}
	return strconv.FormatFloat(v, 'f', 6, 64)
}

// unitArg reads a unit of length, in metres.
func unitArg(arg []byte) (float64, error) {
	switch {
	case is(arg, "M"):
		return 1, nil
	case is(arg, "KM"):
		return 1000, nil
	case is(arg, "FT"):
		return 0.3048, nil
	case is(arg, "MI"):
		return 1609.34, nil
	}
	return 0, errUnit
}

// parsePlaces reads the options of GEOADD, which are some of ZADD's.
func (o *zaddOpts) parsePlaces(words [][]byte) error {
	o.triples = true
	o.pairs = o.options(words)
	if len(o.pairs) == 0 || len(o.pairs)%3 != 0 || o.has(object.ZAddNX|object.ZAddXX) {
		return command.ErrSyntax
	}
	return nil
}

// hashes reads the positions.
func (o *zaddOpts) hashes(out []float64) ([]float64, error) {
	for words := o.pairs; len(words) > 0; words = words[3:] {
		p, err := pointArg(words[0], words[1])
		if err != nil {
			return nil, err
		}
		out = append(out, geohash.Score(p))
	}
	return out, nil
}

// geoadd is logged as the ZADD that it is.
func geoadd(c *command.Context) error {
	var o zaddOpts
	if err := o.parsePlaces(c.Args[2:]); err != nil {
		return err
	}
	var room [16]float64
	scores, err := o.hashes(room[:0])
	if err != nil {
		return err
	}
	if err := o.apply(c, scores); err != nil {
		return err
	}
	if c.Effects.Enabled && c.Effects.Dirty > 0 {
		o.log(c, scores)
	}
	return nil
}

// log records the call.
func (o *zaddOpts) log(c *command.Context, scores []float64) {
	var room [32][]byte
	words := append(append(room[:0], wordZAdd), c.Args[1:len(c.Args)-len(o.pairs)]...)
	texts := slices.Grow(c.Scratch[:0], len(scores)*len(digits{}))
	for i, score := range scores {
		word := text.AppendInt(texts[len(texts):], int64(score))
		texts = texts[:len(texts)+len(word)]
		words = append(words, word, o.member(i))
	}
	c.Scratch = texts
	c.Propagate(words...)
}

// position is where a member is; a cell that is not Ok has none.
func position(cell *object.Cell, member []byte) (p geohash.Point, ok bool) {
	if !cell.Ok() {
		return p, false
	}
	score, ok := object.ZSetValue{Cell: cell}.Score(member)
	return geohash.Decode(score), ok
}

func geodist(c *command.Context) (err error) {
	unit := 1.0
	switch len(c.Args) {
	case 4:
	case 5:
		if unit, err = unitArg(c.Args[4]); err != nil {
			return err
		}
	default:
		return command.ErrSyntax
	}
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	from, ok1 := position(&cell, c.Args[2])
	to, ok2 := position(&cell, c.Args[3])
	if !ok1 || !ok2 {
		c.Out.Null()
		return nil
	}
	replyDistance(c, geohash.Distance(from, to)/unit)
	return nil
}

// replyDistance writes a distance: text, with four digits behind the point.
func replyDistance(c *command.Context, d float64) {
	var room [32]byte
	c.Out.Bulk(text.AppendFixed(room[:0], d, 4))
}

// replyPoint writes a position.
func replyPoint(c *command.Context, p geohash.Point) {
	c.Out.Array(2)
	c.Out.HumanDouble(p.Lon)
	c.Out.HumanDouble(p.Lat)
}

func geohashes(c *command.Context) error {
	return eachPosition(c, c.Out.Null, func(p geohash.Point) {
		var room [geohash.TextLen]byte
		c.Out.Bulk(geohash.AppendText(room[:0], p))
	})
}

func geopos(c *command.Context) error {
	return eachPosition(c, c.Out.NullArray, func(p geohash.Point) { replyPoint(c, p) })
}

// eachPosition replies something for each member that is asked for.
func eachPosition(c *command.Context, missing func(), reply func(p geohash.Point)) error {
	cell, err := c.Lookup(c.Args[1], object.ZSet)
	if err != nil {
		return err
	}
	c.Out.Array(len(c.Args) - 2)
	for _, member := range c.Args[2:] {
		if p, ok := position(&cell, member); ok {
			reply(p)
		} else {
			missing()
		}
	}
	return nil
}
