// Package commands is the commands on data, one file for each part of a family:
// what they do to keys and values, and what they answer. A file has the rows of
// its commands (command.Spec) followed by their handlers.
//
// All handlers have one shape:
//
//  1. parse the arguments into opts, so that a fault in them is found first;
//  2. look the keys up, and refuse values of another type;
//  3. operate on the values, through package object and the keyspace's View;
//  4. tell watchers, the log and subscribers (Context.Modified, Propagate), and
//     write one reply.
//
// A handler that fails returns the error having written nothing. The order of
// the checks is Redis', since a call with two faults has only one answer.
//
// What the log gets is free of time and chance: a call that means "in ten
// seconds" is logged with the deadline, one whose result depends on rounding
// with the result.
//
// Units: times are Unix milliseconds (View.Now); offsets and lengths are bytes
// unless a name says bits. Errors: command.ReplyError, in Redis' words.
//
// Invariants: handlers touch only the keys of their row's key specs, and change
// values only after Edit or through the View's own functions, so that a
// snapshot sees each value before it changes. A Cell is not used for writing
// after another key of its database came or went. Reading through it stays
// right, since entries do not move when others go.
package commands
