package geohash

import "math"

// Shape is what a search looks for: all within a distance of a place, or within a
// box around it, whose width is measured along the latitude of each position. Width is
// the diameter of a circle.
type Shape struct {
	Center        Point
	Box           bool
	Radius        float64 // of a circle, in units
	Width, Height float64 // of a box, in units
	Unit          float64 // metres
}

const (
	earthRadius = 6372797.560856
	// equatorHalf is half the length of the equator on the map.
	equatorHalf = 20037726.37
)

// degree is a degree as an angle, by the division that Redis does.
const degree = 0x1.1df46a2529d39p-6

func angle(degrees float64) float64     { return float64(degrees * degree) }
func degrees(angle float64) float64     { return angle / degree }
func latitudes(a, b float64) float64    { return earthRadius * math.Abs(angle(b)-angle(a)) }
func within(d, limit float64) bool      { return !(d > limit) }
func halfSine(from, to float64) float64 { return sine((to - from) / 2) }

// origin is a position to measure from.
type origin struct {
	Point
	lat, lon, cosine float64 // as angles, and that of the latitude
}

func originAt(p Point) origin {
	lat := angle(p.Lat)
	return origin{p, lat, angle(p.Lon), cosine(lat)}
}

// haversine is the square of the sine of half the way to another position. On one
// meridian, where flat is true, no sine is needed to tell the way.
func (o *origin) haversine(p Point) (h float64, flat bool) {
	v := halfSine(o.lon, angle(p.Lon))
	if v == 0 {
		return 0, true
	}
	lat := angle(p.Lat)
	u := halfSine(o.lat, lat)
	return float64(u*u) + float64(o.cosine*cosine(lat)*v*v), false
}

// distance is the way to a position of which haversine said so much.
func (o *origin) distance(p Point, h float64, flat bool) float64 {
	if flat {
		return latitudes(o.Lat, p.Lat)
	}
	return 2 * earthRadius * arcsine(math.Sqrt(h))
}

// Distance is the way from one position to another on the ball, by haversines.
func Distance(a, b Point) float64 {
	o := originAt(a)
	h, flat := o.haversine(b)
	return o.distance(b, h, flat)
}

// Filter tells what is within a shape.
type Filter struct {
	shape    *Shape
	center   origin
	limit    float64 // of distances from the centre of a circle
	highest  float64 // no haversine above it is within the limit
	halfHigh float64 // of a box
	halfWide float64
}

// slack is more than all that rounding does to a distance or a haversine.
const slack = 1e-9

// Filter prepares for asking about many positions.
func (s *Shape) Filter() Filter {
	f := Filter{shape: s, center: originAt(s.Center), limit: s.Radius * s.Unit, highest: 2}
	f.halfHigh, f.halfWide = s.Height*s.Unit/2, s.Width*s.Unit/2
	if half := f.limit / (2 * earthRadius); half < 1.5 {
		y := sine(half)
		f.highest = y * y * (1 + slack)
	}
	return f
}

// Contains tells whether a position is within the shape, and its distance from the
// centre if so.
func (f *Filter) Contains(p Point) (distance float64, ok bool) {
	north := latitudes(p.Lat, f.shape.Center.Lat)
	if f.shape.Box {
		if !within(north, f.halfHigh) || !within(Distance(p, Point{f.shape.Center.Lon, p.Lat}), f.halfWide) {
			return 0, false
		}
		h, flat := f.center.haversine(p)
		return f.center.distance(p, h, flat), true
	}
	// No way is shorter than the way north or south.
	if north*(1-slack) > f.limit {
		return 0, false
	}
	h, flat := f.center.haversine(p)
	if h > f.highest {
		return 0, false
	}
	distance = f.center.distance(p, h, flat)
	return distance, within(distance, f.limit)
}

// reach is how far the shape reaches from its centre.
func (s *Shape) reach() float64 {
	if !s.Box {
		return s.Radius * s.Unit
	}
	w, h := s.Width/2, s.Height/2
	return math.Sqrt(float64(w*w)+float64(h*h)) * s.Unit
}

// bounds is a rectangle around the shape. Its sides are where the shape is, or seems
// to be, widest: on the side of the nearer pole.
func (s *Shape) bounds() grid {
	height, width := s.Unit*s.Radius, s.Unit*s.Radius
	if s.Box {
		height, width = s.Unit*(s.Height/2), s.Unit*(s.Width/2)
	}
	c := s.Center
	lat := degrees(height / earthRadius)
	widest := c.Lat + lat
	if c.Lat < 0 {
		widest = c.Lat - lat
	}
	lon := degrees(width / earthRadius / cosine(angle(widest)))
	return grid{span{c.Lon - lon, c.Lon + lon}, span{c.Lat - lat, c.Lat + lat}}
}

// stepsFor estimates of how many steps the cells must be so that a cell and its
// neighbours hold everything within a distance.
func stepsFor(distance, lat float64) uint8 {
	if distance == 0 {
		return StepsMax
	}
	steps := -1
	for ; distance < equatorHalf; steps++ {
		distance *= 2
	}
	if lat = math.Abs(lat); lat > 66 { // a degree of longitude is shorter here
		steps--
		if lat > 80 {
			steps--
		}
	}
	return uint8(max(1, min(StepsMax, steps)))
}

// Range is the scores from Min up to but not including Max.
type Range struct{ Min, Max float64 }

// RangesMax is how many cells a search takes: one and its neighbours.
const RangesMax = 9

// compass is where they are, in the order in which they are searched.
var compass = [RangesMax]struct{ east, north int }{
	{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1},
}

// Ranges appends the ranges of scores in which all positions of the shape are, in the
// order in which a search goes through them. No score is in two of them.
func (s *Shape) Ranges(out []Range) []Range {
	bounds := s.bounds()
	steps := stepsFor(s.reach(), s.Center.Lat)
	if steps > 1 && !mapGrid.cellOf(s.Center, steps).covers(&bounds) {
		steps--
	}
	c := mapGrid.cellOf(s.Center, steps)
	inside := c.area()
	var last cell
	for _, to := range compass {
		if steps >= 2 && beside(&inside, &bounds, to.east, to.north) {
			continue
		}
		next := c.moved(to.east, to.north)
		if next == last { // large cells have the same neighbour on either side
			continue
		}
		if to.east != 0 || to.north != 0 {
			last = next
		}
		out = append(out, next.scores())
	}
	return out
}

// covers tells whether the cells around one reach as far as the bounds.
func (c cell) covers(bounds *grid) bool {
	return !(c.moved(0, 1).area().lat.max < bounds.lat.max) &&
		!(c.moved(0, -1).area().lat.min > bounds.lat.min) &&
		!(c.moved(1, 0).area().lon.max < bounds.lon.max) &&
		!(c.moved(-1, 0).area().lon.min > bounds.lon.min)
}

// beside tells whether the neighbour of a cell in a direction is of no use, since
// the cell itself reaches beyond the bounds there.
func beside(cell, bounds *grid, east, north int) bool {
	return north < 0 && cell.lat.min < bounds.lat.min ||
		north > 0 && cell.lat.max > bounds.lat.max ||
		east < 0 && cell.lon.min < bounds.lon.min ||
		east > 0 && cell.lon.max > bounds.lon.max
}

// scores is the scores whose hashes begin with the cell's.
func (c cell) scores() Range {
	shift := 2 * (StepsMax - c.steps)
	return Range{float64(c.bits << (shift & 63)), float64((c.bits + 1) << (shift & 63))}
}
