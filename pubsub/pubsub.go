// Package pubsub knows who listens to what: channels, patterns and shard
// channels, over all event loops.
//
// There are two levels. The Hub is shared: for each name it counts the
// subscribers on each loop, so that a publisher learns at once how many will get
// its message and which loops must hear of it. Each loop has a Local of its own:
// the subscribers themselves, which only that loop touches. A message therefore
// costs one note per loop that has subscribers, however many they are.
//
// Order: notes from one publisher reach a loop in the order they were sent, and
// a loop delivers them in that order, so each subscriber sees each publisher's
// messages in order. Messages of different publishers may be seen in different
// orders by subscribers on different loops. Nobody sees a message that was
// published before the subscription was made, however long the note was under
// way: subscriptions are numbered, and a message knows the last one before it.
//
// Invariants: a Hub's count for a loop equals the subscribers in that loop's
// Local; a name with no subscribers has no entry.
package pubsub

import (
	"sync"

	"dozo/text"
)

// Kind is what a subscription is to.
type Kind uint8

// The kinds.
const (
	Channel Kind = iota
	Pattern
	Shard
	NumKinds
)

// Message is one published message. It is shared by loops and never changes.
type Message struct {
	Kind    Kind // Channel or Shard
	Channel []byte
	Payload []byte
	// Patterns are those that match the channel and have subscribers somewhere.
	Patterns []string
	// Seq is when it was published: the number of subscriptions made before.
	Seq uint64
}

// Hub counts subscribers by name and loop. It is safe for concurrent use.
type Hub struct {
	loops int
	mu    sync.RWMutex
	seq   uint64 // subscriptions made so far
	names [NumKinds]map[string]*counts
}

type counts struct {
	total  int
	byLoop []int32
	name   []byte
}

// NewHub is a Hub for a number of loops.
func NewHub(loops int) *Hub {
	h := &Hub{loops: loops}
	for k := range h.names {
		h.names[k] = make(map[string]*counts)
	}
	return h
}

// Add counts one more subscriber of a name on a loop, and numbers the
// subscription.
func (h *Hub) Add(k Kind, name string, loop int) (seq uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seq++
	c := h.names[k][name]
	if c == nil {
		c = &counts{byLoop: make([]int32, h.loops), name: []byte(name)}
		h.names[k][name] = c
	}
	c.total++
	c.byLoop[loop]++
	return h.seq
}

// Remove counts one subscriber less.
func (h *Hub) Remove(k Kind, name string, loop int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.names[k][name]
	c.total--
	c.byLoop[loop]--
	if c.total == 0 {
		delete(h.names[k], name)
	}
}

// Publish finds out who gets a message: it returns how many subscribers there
// are, and calls post for each loop that has some. channel and payload are
// copied if anybody listens.
func (h *Hub) Publish(k Kind, channel, payload []byte, post func(loop int, m *Message)) (receivers int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	c := h.names[k][string(channel)]
	if c == nil && (k == Shard || len(h.names[Pattern]) == 0) {
		return 0
	}
	var wanted [loopsMax / 64]uint64
	if c != nil {
		receivers = c.total
		c.mark(&wanted)
	}
	var patterns []string
	if k == Channel {
		for p, pc := range h.names[Pattern] {
			if text.Match(pc.name, channel, false) {
				patterns = append(patterns, p)
				receivers += pc.total
				pc.mark(&wanted)
			}
		}
	}
	if receivers > 0 {
		h.send(&wanted, k, channel, payload, patterns, post)
	}
	return receivers
}

// loopsMax bounds the number of loops, and so the set of those to notify.
const loopsMax = 256

func (c *counts) mark(wanted *[loopsMax / 64]uint64) {
	for i, n := range c.byLoop {
		if n > 0 {
			wanted[i>>6] |= 1 << (i & 63)
		}
	}
}

func (h *Hub) send(wanted *[loopsMax / 64]uint64, k Kind, channel, payload []byte, patterns []string, post func(int, *Message)) {
	buf := make([]byte, 0, len(channel)+len(payload))
	buf = append(append(buf, channel...), payload...)
	m := &Message{
		Kind: k, Channel: buf[:len(channel):len(channel)], Payload: buf[len(channel):], Patterns: patterns, Seq: h.seq,
	}
	for i := range h.loops {
		if wanted[i>>6]>>(i&63)&1 != 0 {
			post(i, m)
		}
	}
}

// Names lists the names of a kind that match a pattern and have subscribers; a
// nil pattern matches all.
func (h *Hub) Names(k Kind, pattern []byte, visit func(name string)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for name, c := range h.names[k] {
		if pattern == nil || text.Match(pattern, c.name, false) {
			visit(name)
		}
	}
}

// Subscribers is the number of subscribers of a name.
func (h *Hub) Subscribers(k Kind, name []byte) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if c := h.names[k][string(name)]; c != nil {
		return c.total
	}
	return 0
}

// Len is the number of names of a kind that have subscribers.
func (h *Hub) Len(k Kind) int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.names[k])
}

// Local is the subscribers of one loop, of any comparable type S.
type Local[S comparable] struct {
	hub   *Hub
	loop  int
	names [NumKinds]map[string]*list[S]
}

// list is the subscribers of one name, for fast passing over and fast removal.
type list[S comparable] struct {
	all []member[S]
	at  map[S]int
}

// member is a subscriber and the number of its subscription.
type member[S comparable] struct {
	s   S
	seq uint64
}

// NewLocal is the Local of one loop.
func NewLocal[S comparable](h *Hub, loop int) *Local[S] {
	l := &Local[S]{hub: h, loop: loop}
	for k := range l.names {
		l.names[k] = make(map[string]*list[S])
	}
	return l
}

// Add subscribes s; false when it was subscribed already.
func (l *Local[S]) Add(k Kind, name string, s S) bool {
	t := l.names[k][name]
	if t == nil {
		t = &list[S]{at: make(map[S]int)}
		l.names[k][name] = t
	}
	if _, known := t.at[s]; known {
		return false
	}
	t.at[s] = len(t.all)
	t.all = append(t.all, member[S]{s, l.hub.Add(k, name, l.loop)})
	return true
}

// Remove unsubscribes s; false when it was not subscribed.
func (l *Local[S]) Remove(k Kind, name string, s S) bool {
	t := l.names[k][name]
	if t == nil {
		return false
	}
	i, known := t.at[s]
	if !known {
		return false
	}
	last := len(t.all) - 1
	t.all[i] = t.all[last]
	t.at[t.all[i].s] = i
	delete(t.at, s)
	t.all[last] = member[S]{}
	t.all = t.all[:last]
	if last == 0 {
		delete(l.names[k], name)
	}
	l.hub.Remove(k, name, l.loop)
	return true
}

// Each calls fn with the subscribers of a name who were so when a message with the
// given Seq was published. fn must not change the Local.
func (l *Local[S]) Each(k Kind, name string, seq uint64, fn func(s S)) {
	if t := l.names[k][name]; t != nil {
		for i := range t.all {
			if m := &t.all[i]; m.seq <= seq {
				fn(m.s)
			}
		}
	}
}
