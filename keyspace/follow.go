package keyspace

// On a node that follows a primary, keys are removed by the primary's DEL alone. Until
// that comes, a key whose time is over, the primary's time, which the view has for Now,
// is hidden from every command of a client; the primary's own commands, which are
// Timeless, find it: they were executed when it was alive, or come after its DEL.
// Nothing of this depends on when the DEL comes, nor on the order of a deadline's end
// and a later deadline that is on its way.
//
// So the wheels stand still: nothing takes records off them, and redating adds to them
// as always. When the node leads, the first round finds all that is over.
//
// Clients may write to such a node, if the operator wants it (replica-read-only no), and
// give deadlines to keys that no primary knows of. Those are noted, as Redis does, and
// removed by ExpireOwn. A key that the primary has given another deadline since is the
// primary's again. Who writes to a key that is over removes it, as Redis does, too.
//
// LIMITATIONS: the names of own keys are Go memory; they are looked for by chance rather
// than in the order of their deadlines, which only decides how soon memory is free.

import (
	"dozo/container/entry"
)

// SetFollows says for one executor whether the node follows. All executors get it in the
// same exclusive mode, or before they begin.
func (v *View) SetFollows(on bool) {
	if v.Follows = on; !on {
		v.ks.forgetOwn()
	}
}

// Lost is the moment up to which deadlines are over for good: what is saved leaves that
// out. On a node that follows it is never: only the primary knows.
func (v *View) Lost() int64 {
	if v.Follows {
		return 0
	}
	return v.Now
}

// noteOwn notes a key that a client has given a deadline to, or to one of its fields.
func (d *database) noteOwn(key []byte, next int64) {
	if d.own == nil {
		d.own = make(map[string]int64)
	}
	d.own[string(key)] = next
}

// forgetOwn forgets what clients have written: all keys are this node's, or none.
func (ks *Keyspace) forgetOwn() {
	for i := range ks.shards {
		for _, d := range ks.shards[i].dbs {
			if d != nil {
				d.own = nil
			}
		}
	}
}

// OwnKeys is how many keys ExpireOwn looks after. Exclusive mode only.
func (v *View) OwnKeys() (n int) {
	for i := range v.ks.shards {
		for _, d := range v.ks.shards[i].dbs {
			if d != nil {
				n += len(d.own)
			}
		}
	}
	return n
}

// ownPerLook is how many own keys of a shard's database are looked at in one go: when
// more than a quarter of them were over there may be many, and ExpireOwn tells.
const ownPerLook = 64

// ExpireOwn removes keys whose time is over that clients have written to a node that
// follows, from the shards of one executor (every step-th from first), and tells whether
// there may be more. No shard is held by the caller.
func (v *View) ExpireOwn(first, step int) (more bool) {
	for i := first; i < len(v.ks.shards); i += step {
		v.roam(i, func(sh *shard) {
			for db, d := range sh.dbs {
				if d != nil && len(d.own) != 0 && v.expireOwnOf(sh, db, d) > ownPerLook/4 {
					more = true
				}
			}
		})
	}
	return more
}

// expireOwnOf looks at some own keys of a shard's database, any, and says how many of
// them were over.
func (v *View) expireOwnOf(sh *shard, db int, d *database) (over int) {
	looked := 0
	for name, next := range d.own {
		if looked++; looked > ownPerLook {
			break
		}
		key := []byte(name)
		h := v.ks.tableHash(key)
		slot := d.table.Find(h, key)
		if !slot.Ok() || v.timesOf(entry.At(v.ks.arena, slot.Ref())).next != next {
			delete(d.own, name) // it is gone, or has got its deadline from the primary
			continue
		}
		if next > v.Now {
			continue
		}
		over++
		delete(d.own, name)
		e := entry.At(v.ks.arena, slot.Ref())
		if dead(e, v.Now) {
			v.Stats.Expired++
			v.removeAs(sh, d, db, h, slot, e, Expired)
			continue
		}
		c := v.cell(sh, slot, e)
		v.dropFields(sh, d, db, h, &c, fieldsPerLookup) // which notes it again if more are due later
	}
	return over
}
