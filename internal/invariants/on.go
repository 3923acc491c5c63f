//go:build invariants

package invariants

// Enabled is true in builds tagged `invariants`.
const Enabled = true
