package clients

//lint:file-ignore SA1019 applications go on to use the old forms, too

import (
	"fmt"

	"github.com/redis/go-redis/v9"
)

// cities are true places; the grid around them makes a large sorted set.
var cities = []*redis.GeoLocation{
	{Name: "Palermo", Longitude: 13.361389, Latitude: 38.115556},
	{Name: "Catania", Longitude: 15.087269, Latitude: 37.502669},
	{Name: "Agrigento", Longitude: 13.583333, Latitude: 37.316667},
	{Name: "Berlin", Longitude: 13.405, Latitude: 52.52},
	{Name: "Hamburg", Longitude: 9.993682, Latitude: 53.551086},
	{Name: "Suva", Longitude: 178.441895, Latitude: -18.141600},
	{Name: "Apia", Longitude: -171.760448, Latitude: -13.833333},
	{Name: "Quito", Longitude: -78.467834, Latitude: -0.180653},
	{Name: "Longyearbyen", Longitude: 15.63333, Latitude: 78.21667},
}

// geoSearch finds what is near, in a small set and in a large one.
func geoSearch(s *scene) {
	do(s, s.c.GeoAdd(s.ctx, "places", cities...))
	searches(s)
	for x := range 20 {
		for y := range 20 {
			doQuiet(s, s.c.GeoAdd(s.ctx, "places", &redis.GeoLocation{
				Name: fmt.Sprintf("stop:%d:%d", x, y), Longitude: 13 + float64(x)/40, Latitude: 52 + float64(y)/40,
			}))
		}
	}
	searches(s)
	do(s, s.c.ZRem(s.ctx, "places", "Berlin", "stop:3:3"))
	do(s, s.c.GeoSearch(s.ctx, "places", &redis.GeoSearchQuery{Longitude: 13.4, Latitude: 52.5, Radius: 3, RadiusUnit: "km", Sort: "ASC"}))
	do(s, s.c.ObjectEncoding(s.ctx, "places"))
	do(s, s.c.Type(s.ctx, "places"))
}

func searches(s *scene) {
	do(s, s.c.GeoDist(s.ctx, "places", "Palermo", "Catania", "km"))
	do(s, s.c.GeoDist(s.ctx, "places", "Suva", "Apia", "mi"))
	do(s, s.c.GeoDist(s.ctx, "places", "Palermo", "Nowhere", "m"))
	do(s, s.c.GeoHash(s.ctx, "places", "Palermo", "Nowhere", "Longyearbyen"))
	do(s, s.c.GeoPos(s.ctx, "places", "Catania", "Nowhere", "Apia"))
	do(s, s.c.GeoSearch(s.ctx, "places", &redis.GeoSearchQuery{Longitude: 15, Latitude: 37, Radius: 200, RadiusUnit: "km", Sort: "ASC"}))
	do(s, s.c.GeoSearch(s.ctx, "places", &redis.GeoSearchQuery{Member: "Berlin", BoxWidth: 30, BoxHeight: 12, BoxUnit: "mi", Sort: "DESC", Count: 6}))
	do(s, s.c.GeoSearch(s.ctx, "places", &redis.GeoSearchQuery{Member: "Suva", Radius: 1500, RadiusUnit: "km", Sort: "ASC"}))
	do(s, s.c.GeoSearch(s.ctx, "places", &redis.GeoSearchQuery{Member: "Nowhere", Radius: 15, RadiusUnit: "km"}))
	doSorted(s, s.c.GeoSearch(s.ctx, "places", &redis.GeoSearchQuery{Longitude: 13.4, Latitude: 52.5, Radius: 4, RadiusUnit: "km"}))
	found := doQuiet(s, s.c.GeoSearch(s.ctx, "places", &redis.GeoSearchQuery{Longitude: 13.4, Latitude: 52.5, Radius: 400, RadiusUnit: "km", Count: 2, CountAny: true}))
	s.tell("any two: %d", len(found))
	do(s, s.c.GeoSearchLocation(s.ctx, "places", &redis.GeoSearchLocationQuery{
		GeoSearchQuery: redis.GeoSearchQuery{Longitude: 13.4, Latitude: 52.5, Radius: 5, RadiusUnit: "km", Sort: "ASC"},
		WithCoord:      true, WithDist: true, WithHash: true,
	}))
	do(s, s.c.GeoSearchStore(s.ctx, "places", "near", &redis.GeoSearchStoreQuery{
		GeoSearchQuery: redis.GeoSearchQuery{Member: "Palermo", Radius: 300, RadiusUnit: "km", Sort: "ASC"}, StoreDist: true,
	}))
	do(s, s.c.ZRangeWithScores(s.ctx, "near", 0, -1))
	do(s, s.c.GeoRadius(s.ctx, "places", 13, 38, &redis.GeoRadiusQuery{Radius: 250, Unit: "km", WithDist: true, WithCoord: true, Sort: "DESC"}))
	do(s, s.c.GeoRadiusByMember(s.ctx, "places", "Berlin", &redis.GeoRadiusQuery{Radius: 2, Unit: "km", WithGeoHash: true, Sort: "ASC", Count: 5}))
	do(s, s.c.GeoRadiusStore(s.ctx, "places", 13, 38, &redis.GeoRadiusQuery{Radius: 250, Unit: "km", Store: "stored"}))
	do(s, s.c.ZRangeWithScores(s.ctx, "stored", 0, -1))
}
