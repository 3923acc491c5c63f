// Package disk runs whole servers on disks that fail: full, broken, read-only, slow,
// or with files on them that are damaged. The disks are those of internal/faultfs,
// so that each fault comes at the call that it is meant for; tests/e2e has the same on
// real file systems, beside redis-server.
package disk
