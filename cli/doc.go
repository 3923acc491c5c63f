// Package cli is `dozo cli`, the counterpart of redis-cli: it sends commands to
// any Redis-compatible server and shows the replies as redis-cli does, byte for
// byte, since scripts cut its output apart.
//
// Main is the whole program without the process around it: arguments, standard
// streams, and an exit code. It runs in one of these ways:
//
//   - with a command among the arguments: sends it (-r times) and ends;
//   - with standard input a terminal: a prompt with history and completion;
//   - with standard input a pipe or file: one command a line;
//   - as a tool: --pipe, --scan, --latency, --stat, --eval.
//
// The reply formats (format.go) are those of redis-cli: one for people when
// standard output is a terminal or --no-raw is given, raw, CSV and JSON. The
// environment variables REDISCLI_AUTH, REDISCLI_HISTFILE, REDISCLI_RCFILE and
// FAKETTY mean what they mean there.
//
// Exit codes: 0, or 1 when the connection failed, an option was wrong, or with -e
// when the server answered with an error.
package cli
