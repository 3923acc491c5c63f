package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"dozo/internal/testutil"
)

const (
	// snapshotKeys is how many keys the part about snapshots has besides the giant: with it
	// some 2 GiB in Redis.
	snapshotKeys = 2_400_000
	// stringShare of ten keys are strings; the others take turns.
	stringShare = 6
	// smallString and largeString are the sizes of strings, evenly spread between.
	smallString, largeString = 16, 1000
	// smallElements is how many elements the other values have.
	smallElements = 8
)

// mixedData is what a server is filled with before it saves.
type mixedData struct {
	keys int
	text string // that the values are cut from
	rng  *rand.Rand
}

func (b *bench) mixedData() *mixedData {
	d := &mixedData{keys: b.scaled(snapshotKeys), rng: rand.New(rand.NewPCG(1, 1))}
	d.text = wordText(d.rng, 64<<10)
	return d
}

// wordText is text with about as much in it that repeats as prose or JSON has.
func wordText(rng *rand.Rand, n int) string {
	words := make([]string, 2000)
	for i := range words {
		words[i] = strconv.FormatUint(rng.Uint64()>>(8+rng.IntN(48)), 36)
	}
	var b []byte
	for len(b) < n {
		b = append(append(b, words[rng.IntN(len(words))]...), ' ')
	}
	return string(b)
}

// value is some text of between min and max bytes.
func (d *mixedData) value(least, most int) string {
	n := least + d.rng.IntN(most-least+1)
	at := d.rng.IntN(len(d.text) - n)
	return d.text[at : at+n]
}

// strings is how many of the keys are strings: those named as redis-benchmark does.
func (d *mixedData) strings() int { return d.keys * stringShare / 10 }

func stringKey(i int) string { return fmt.Sprintf("key:%012d", i) }

// add is the command that makes the i-th key.
func (d *mixedData) add(i int) []string {
	if i < d.strings() {
		return []string{"SET", stringKey(i), d.value(smallString, largeString)}
	}
	k := largeKinds[i%len(largeKinds)]
	args := []string{k.verb, k.name + ":" + strconv.Itoa(i)}
	if k.name == "stream" {
		args = append(args, entryID(i))
	}
	for n := range smallElements {
		e := d.value(4, 24) + strconv.Itoa(n)
		switch k.name {
		case "hash", "stream":
			args = append(args, "field"+strconv.Itoa(n), e)
		case "zset":
			args = append(args, strconv.Itoa(d.rng.IntN(1<<20)), e)
		default:
			args = append(args, e)
		}
	}
	return args
}

// fill gives a server all of it, and the giant.
func (d *mixedData) fill(s *testutil.Server, members int) error {
	if err := pipeline(s, d.keys, d.add); err != nil {
		return err
	}
	return kindOf("zset").fill(s, giant, members)
}
