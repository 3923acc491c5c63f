package testutil

import (
	"fmt"
	"slices"
	"strings"
)

// Readers has a line for every command that only reads; a test of package server compares
// it with the table of commands. $ with a letter is a key of a type: s string, n number,
// h hash, l list, e set, z sorted set, x stream, p HyperLogLog, g positions, i any type;
// %f is the number of a field.
//
// Of those behind a ~ only presence is compared: what they say beyond that a node has for
// itself (when a key was used last, what it takes); elements of those behind a # come in
// any order. Of one behind a ! it is whether there is an error: consumers that were given
// nothing are not in the stream, nor in Redis'.
func Readers() []string {
	return []string{
		"bitcount $s", "bitfield_ro $s GET u8 0", "bitpos $s 1", "~dump $i", "exists $i $i $i", "expiretime $i", "geodist $g a b",
		"geohash $g a", "geopos $g a", "georadius_ro $g 13 38 500 km ASC", "georadiusbymember_ro $g a 500 km ASC",
		"geosearch $g FROMMEMBER a BYRADIUS 500 km ASC", "get $s", "get $n", "getbit $s 9", "getrange $s 0 -1", "hexists $h f%f",
		"hexpiretime $h FIELDS 2 f%f f%f", "hget $h f%f", "#hgetall $h", "#hkeys $h", "hlen $h", "hmget $h f%f f%f",
		"hpexpiretime $h FIELDS 1 f%f", "hpttl $h FIELDS 1 f%f", "#hrandfield $h 1000", "#hscan $h 0 COUNT 1000", "hstrlen $h f%f",
		"httl $h FIELDS 1 f%f", "#hvals $h", "#keys *", "lcs $s $s", "lindex $l 0", "llen $l", "lpos $l a", "lrange $l 0 -1",
		"~memory|usage $i", "mget $s $n $s $h", "~object|encoding $i", "~object|freq $i", "~object|idletime $i",
		"~object|refcount $i", "pexpiretime $i", "pfcount $p", "pfcount $p $p", "pttl $i", "#scan 0 COUNT 100000",
		"#scan 0 COUNT 100000 TYPE hash", "scard $e", "#sdiff $e $e", "#sinter $e $e", "sintercard 2 $e $e", "sismember $e 1",
		"#smembers $e", "smismember $e 1 2", "sort_ro $l ALPHA", "sort_ro $e ALPHA BY s* GET s1 GET h*->f1 GET #",
		"#srandmember $e 1000", "#sscan $e 0 COUNT 1000", "strlen $s", "substr $s 0 3", "#sunion $e $e", "touch $i $i", "ttl $i",
		"type $i", "!xinfo|consumers $x g", "~xinfo|groups $x", "~xinfo|stream $x", "xlen $x", "xpending $x g",
		"~xpending $x g - + 10", "xrange $x - +", "xread COUNT 3 STREAMS $x 0", "xrevrange $x + -", "zcard $z", "zcount $z -inf +inf",
		"zdiff 2 $z $z WITHSCORES", "zinter 2 $z $z WITHSCORES", "zintercard 2 $z $z", "zlexcount $z - +", "zmscore $z a b",
		"#zrandmember $z 1000", "zrange $z 0 -1 WITHSCORES", "zrangebylex $z - +", "zrangebyscore $z -inf +inf", "zrank $z a",
		"zrevrange $z 0 -1", "zrevrangebylex $z + -", "zrevrangebyscore $z +inf -inf", "zrevrank $z a", "#zscan $z 0 COUNT 1000",
		"zscore $z a", "zunion 3 $z $e $z WITHSCORES",
	}
}

// OtherReaders are those that have no line: RANDOMKEY and DBSIZE are looked at by themselves,
// LOLWUT has no keys.
func OtherReaders() []string { return []string{"randomkey", "dbsize", "lolwut"} }

// ReaderName is the full name of a line's command.
func ReaderName(line string) string {
	name, _, _ := strings.Cut(strings.TrimLeft(line, "~#!"), " ")
	return name
}

// ReaderCall is what a server is sent for a line.
func ReaderCall(line string) string {
	return strings.Replace(strings.TrimLeft(line, "~#!"), "|", " ", 1)
}

// ReaderAnswer is a reply to a line as far as two nodes must agree on it.
func ReaderAnswer(line string, v Value) string {
	switch {
	case line[0] == '!' && !v.IsError():
		return "no error"
	case line[0] == '~' && !v.IsError():
		return fmt.Sprint(v.Null || v.Kind == '_' || v.Kind == '*' && len(v.Elems) == 0)
	case line[0] == '#':
		words := v.leaves(nil)
		slices.Sort(words)
		return fmt.Sprint(words)
	}
	return v.String()
}

// leaves are the values within a value that have no elements.
func (v Value) leaves(words []string) []string {
	if len(v.Elems) == 0 {
		words = append(words, v.String())
	}
	for _, e := range v.Elems {
		words = e.leaves(words)
	}
	return words
}
