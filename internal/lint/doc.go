// Package lint holds the rules of this repository as tests: what gofmt, go vet
// and staticcheck say, which package may import which, how long a function may
// be, what may not be called. A rule that is not checked here is advice.
//
// The tables that the rules read (imports_test.go, exemptions_test.go) are meant
// to be read by people as well: the first is the architecture.
package lint
