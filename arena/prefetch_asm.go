//go:build amd64 || arm64

package arena

import "unsafe"

// prefetch asks the processor for the line at p, prefetch2 for the one after it,
// too. They wait for nothing and cannot fault, whatever p is.
//
//go:noescape
func prefetch(p unsafe.Pointer)

//go:noescape
func prefetch2(p unsafe.Pointer)
