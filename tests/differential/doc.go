// Package differential sends the same commands to Dozo and to a genuine
// redis-server and compares what comes back: replies byte by byte (or by a named
// looser rule), and at the end of each history the data itself: keys, encodings,
// DUMP payloads, deadlines and DEBUG DIGEST.
//
// There are two sources of histories. The curated ones are the files in
// testdata, in a form that reads like a session:
//
//	=== SET with every option
//	SET k v EX 100 NX
//	TTL k                    ;; within 2
//	b> WATCH k
//	KEYS *                   ;; sorted
//
// The syntax is described at Parse. The generated ones come from a weighted
// grammar that the oracle itself reports (COMMAND DOCS), bent where a blind
// choice of arguments would mostly test error replies, or would race with time.
// A seed makes a history; a history that shows a difference is cut down to the
// commands that matter and printed in the form above, ready for testdata.
//
//	go test ./tests/differential -run Generated -commands 1000000 -seed 7
//
// What may differ is written down, with a reason each, in accepted.go.
//
// The idea is from miniredis, whose integration tests run each command on a real
// server as well; cutting down by halves is Zeller's delta debugging.
//
// LIMITATIONS. Commands on several connections are sent one connection at a
// time: races between clients are the business of the end-to-end tests. Deadlines
// in generated histories are far away or long past, so exact expiry is tested
// elsewhere. The oracle is Redis 7.0: what 7.2 changed is tested without it.
package differential
