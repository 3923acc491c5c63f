// Package arena is the off-heap allocator: one reserved range of addresses,
// offsets instead of pointers, blocks in size classes.
package arena
