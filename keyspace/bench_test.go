package keyspace

import (
	"fmt"
	"sync/atomic"
	"testing"
)

const benchKeys = 1 << 20

// benchView is a keyspace for two executors with a million keys.
func benchKeyspace(b *testing.B) (*Keyspace, [][]byte) {
	ks := newTestKeyspace(b, 2, 1, 5)
	v := ks.NewView(nil)
	v.Now = 1
	keys := make([][]byte, benchKeys)
	val := make([]byte, 64)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key:%012d", i)
		sh := ks.LockKey(v, ks.Hash(keys[i]))
		v.SetString(keys[i], val, 0, false)
		ks.UnlockShard(v, sh)
	}
	return ks, keys
}

// parallel runs op on each executor (-cpu sets how many) with its own view and
// its own walk over the keys that want says.
func parallel(b *testing.B, want func(ks *Keyspace, key []byte, executor int) bool, op func(v *View, key []byte)) {
	ks, keys := benchKeyspace(b)
	var executors atomic.Int32
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		me := int(executors.Add(1))
		v := ks.NewView(nil)
		v.Now = 1
		var mine [][]byte
		for i := range keys {
			k := keys[(i*7919+me*104729)%len(keys)]
			if want(ks, k, me) {
				mine = append(mine, k)
			}
		}
		for i := 0; pb.Next(); i++ {
			key := mine[i%len(mine)]
			sh := ks.LockKey(v, ks.Hash(key))
			op(v, key)
			ks.UnlockShard(v, sh)
		}
	})
}

func anyKey(*Keyspace, []byte, int) bool { return true }

// ownShards gives each of two executors half of the shards.
func ownShards(ks *Keyspace, key []byte, executor int) bool {
	return ks.shardOf(ks.Hash(key))&1 == executor&1
}

func find(v *View, key []byte) { v.Find(key) }

var benchValue = make([]byte, 64)

func set(v *View, key []byte) { v.SetString(key, benchValue, 0, false) }

// Run with -cpu 1,2: the ratio of the two lines is the scaling.
func BenchmarkFindRandom(b *testing.B)   { parallel(b, anyKey, find) }
func BenchmarkFindDisjoint(b *testing.B) { parallel(b, ownShards, find) }
func BenchmarkSetRandom(b *testing.B)    { parallel(b, anyKey, set) }
func BenchmarkSetDisjoint(b *testing.B)  { parallel(b, ownShards, set) }
