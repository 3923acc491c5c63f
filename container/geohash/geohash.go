// Package geohash turns positions on the earth into numbers that a sorted set can
// hold, and searches on the earth into ranges of such numbers, as Redis' GEO
// commands do.
//
// A hash is made by halving: the longitude from west to east and the latitude from
// south to north, steps times each, the bits of both interleaved with the
// longitude's first. So all positions of a cell (a rectangle that so many steps lead
// to) have hashes with one prefix, which makes them a range of numbers. A score is a
// hash of 26 steps, which a float64 holds exactly.
//
// Longitudes and latitudes are in degrees, distances in metres. Latitudes end short
// of the poles, where the square map of the web ends, and the earth is a ball.
//
// Everything here computes what Redis computes on a machine of IEEE arithmetic, in
// the same order of operations, since clients see the last digits: positions and
// scores are the same bit for bit.
//
// # LIMITATIONS
//
// Sines and their like are those of trig.go, the same on every machine, whereas
// Redis takes the C library's. Both are within a little over half a unit of the last
// place, so some distances differ in the last of their 17 digits. Replies, which have
// four digits behind the point, hardly ever show it.
package geohash

import "math"

// The positions that have a hash.
const (
	LonMin, LonMax = -180.0, 180.0
	LatMin, LatMax = -85.05112878, 85.05112878
)

// StepsMax is how many steps the hash of a position has.
const StepsMax = 26

// Point is a position.
type Point struct{ Lon, Lat float64 }

// Valid tells whether a position has a hash.
func (p Point) Valid() bool {
	return p.Lon >= LonMin && p.Lon <= LonMax && p.Lat >= LatMin && p.Lat <= LatMax
}

// span is a range of degrees.
type span struct{ min, max float64 }

func (s span) width() float64 { return s.max - s.min }

// grid is what is halved.
type grid struct{ lon, lat span }

var (
	mapGrid = grid{span{LonMin, LonMax}, span{LatMin, LatMax}}
	// wholeGrid is that of the geohashes that people write, which go up to the poles.
	wholeGrid = grid{span{-180, 180}, span{-90, 90}}
)

// cell is a rectangle of a grid. That of no steps is none at all.
type cell struct {
	bits  uint64
	steps uint8
}

// cellOf is the cell of a position. The eastern and the northern edge belong to
// cells of their own, outside the grid.
func (g *grid) cellOf(p Point, steps uint8) cell {
	n := float64(uint64(1) << (steps & 63))
	lat := (p.Lat - g.lat.min) / g.lat.width() * n
	lon := (p.Lon - g.lon.min) / g.lon.width() * n
	return cell{interleave(uint32(lat), uint32(lon)), steps}
}

// area is the cell's rectangle.
func (c cell) area() grid {
	lat, lon := deinterleave(c.bits)
	return grid{mapGrid.lon.part(lon, c.steps), mapGrid.lat.part(lat, c.steps)}
}

// part is the i-th of 2^steps parts of a span.
func (s span) part(i uint32, steps uint8) span {
	n := float64(uint64(1) << (steps & 63))
	return span{
		s.min + float64(float64(i)/n*s.width()),
		s.min + float64(float64(i+1)/n*s.width()),
	}
}

// middle is the middle of a span, if it lies between limits.
func (s span) middle(within span) float64 {
	return max(within.min, min(within.max, (s.min+s.max)/2))
}

// Score is the hash of a position.
func Score(p Point) float64 { return float64(mapGrid.cellOf(p, StepsMax).bits) }

// Decode is the position of a score: the middle of its cell. Any number means some
// position, though only those of positions mean the right one.
func Decode(score float64) Point {
	a := cell{scoreBits(score), StepsMax}.area()
	return Point{a.lon.middle(mapGrid.lon), a.lat.middle(mapGrid.lat)}
}

// scoreBits is a score as an integer. What is no such integer becomes what it does
// in Redis on common processors.
func scoreBits(score float64) uint64 {
	const half = 1 << 63
	switch {
	case score >= 2*half:
		return 0
	case score >= half:
		return uint64(score-half) + half
	case score > -half:
		return uint64(int64(score))
	}
	return half
}

// Hash is the score as an integer, as it is replied. (Beyond the range of integers
// it is the least one.)
func Hash(score float64) int64 {
	if score >= 1<<63 || score < -1<<63 {
		return math.MinInt64
	}
	return int64(score)
}

// TextLen is the length of a text of AppendText.
const TextLen = 11

// AppendText appends the geohash that people write for a position: as many digits
// of five bits as 26 steps have, and a 0.
func AppendText(dst []byte, p Point) []byte {
	const digits = "0123456789bcdefghjkmnpqrstuvwxyz"
	bits := wholeGrid.cellOf(p, StepsMax).bits
	for i := 1; i < TextLen; i++ {
		dst = append(dst, digits[bits>>(2*StepsMax-5*i)&31])
	}
	return append(dst, '0')
}

// interleave spreads the bits of the latitude to the even places and those of the
// longitude to the odd ones.
func interleave(lat, lon uint32) uint64 { return spread(lat) | spread(lon)<<1 }

func deinterleave(bits uint64) (lat, lon uint32) { return gather(bits), gather(bits >> 1) }

// The places that remain occupied while bits are spread, in groups of 16, 8, 4, 2
// and 1.
const (
	by16 = 0x0000ffff0000ffff
	by8  = 0x00ff00ff00ff00ff
	by4  = 0x0f0f0f0f0f0f0f0f
	by2  = 0x3333333333333333
	by1  = 0x5555555555555555
)

// spread puts a zero above each bit.
func spread(v uint32) uint64 {
	x := uint64(v)
	x = (x | x<<16) & by16
	x = (x | x<<8) & by8
	x = (x | x<<4) & by4
	x = (x | x<<2) & by2
	return (x | x<<1) & by1
}

// gather takes every second bit, the reverse of spread.
func gather(x uint64) uint32 {
	x &= by1
	x = (x | x>>1) & by2
	x = (x | x>>2) & by4
	x = (x | x>>4) & by8
	x = (x | x>>8) & by16
	return uint32(x | x>>16)
}

// moved is the cell so many cells (at most one) to the east and to the north, around
// the edge of the map if need be.
func (c cell) moved(east, north int) cell {
	mask := ^uint64(0) >> (64 - 2*c.steps)
	lon, lat := c.bits&^by1, c.bits&by1
	if east != 0 {
		lon = stepped(lon, by1&mask, east) & (mask &^ by1)
	}
	if north != 0 {
		lat = stepped(lat, mask&^by1, north) & (by1 & mask)
	}
	return cell{lon | lat, c.steps}
}

// stepped adds one to a number whose bits are spread, or takes one off. The gaps
// between them are filled so that a carry, or a borrow, gets across.
func stepped(x, gaps uint64, by int) uint64 {
	if by > 0 {
		return x + gaps + 1
	}
	return (x | gaps) - (gaps + 1)
}
