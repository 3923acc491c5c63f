// Package eventloop moves bytes between sockets and one Handler per loop. It knows
// nothing of what the bytes mean.
//
//	g, err := eventloop.New(eventloop.Options{Loops: 2, Handler: newHandler})
//	addr, err := g.Listen("tcp4", "127.0.0.1:6379")
//	g.Start()
//	...
//	g.Close()
//
// A Group has loops; a loop has connections, a Handler and one goroutine that calls
// it. A connection stays with the loop that it was given to when it came (the one
// with the fewest). Nothing is shared between loops, so a Handler needs no locks for
// what is its own, and a command runs from its first byte to the last of its reply
// without changing threads.
//
// # The life of a round
//
// A loop does the same things over and over. One time round is a round:
//
//  1. It waits for events, not at all if work is left from the round before.
//  2. It reads the clock (Loop.Now) and calls AfterSleep, if the Handler has one.
//  3. For each socket that has bytes: one read of at most 64 KiB into a buffer that
//     all connections of the loop share, then Data with what arrived. Replies are
//     appended to c.Out, which is a part of another shared buffer.
//  4. Connections that asked for a turn (Kick, ResumeRead, more to read or to write
//     than one round allows) get it.
//  5. Messages that were posted to the loop are handed to Message.
//  6. Tick, if it is time.
//  7. Replies leave: one write for each connection that has some. Gates that Release
//     opened let out what they held. Closed is called for connections that ended.
//  8. Sources send (see below).
//  9. BeforeSleep, and once more step 7 for what it caused.
//
// A request thus costs one read, one write and a share of one epoll_wait. That
// replies leave at the end and not one by one makes no difference to who waits
// longest, and keeps the kernel's path for sending in the instruction cache (about 4%
// of the CPU time at pipeline 16).
//
// # Who may touch a Conn
//
// Only its loop's goroutine: code that runs inside a Handler call of that loop. That
// includes the calls for other connections, so Data of one may append to c.Out of
// another (and must then call its MarkDirty). Everybody else posts a Message with the
// Conn in it and lets the Handler act; a Conn that has ended meanwhile ignores what is
// done to it, and IsClosed tells. Builds with the tag invariants check this rule.
// Loop.Post, Loop.Release, Loop.Attach and the methods of Group may be called from
// anywhere, but Group.Close not from a Handler.
//
// c.Out may be appended to, and what was appended since the call began may be
// changed or cut off; it must not be kept, sliced from the front or replaced. The
// bytes given to Data must not be kept either: both buffers are somebody else's a
// moment later.
//
// A handler call is never made inside another one. Close only marks the connection;
// Closed comes in step 7.
//
// # Input
//
// Data gets all that has arrived and was not consumed, in one piece. What it does not
// consume is copied to a buffer of the connection's own; the next read puts such a
// rest in front of its bytes if it is short, so a command that was cut in two is
// parsed in the shared buffer again. A Handler that knows how much is missing says so
// with ExpectMore: then the buffer gets its final size at once, the bytes are read to
// where they stay, and Data is not called before they are there. So a value of many
// megabytes is read without being moved, and is not looked at again for each packet.
//
// A peer that has ended its own side is served to the end: what it sent is delivered,
// what is pending is written, and then Closed is told io.EOF. Input that the Handler
// leaves does not keep the connection once nothing is pending and no turn was asked
// for.
//
// # Output
//
// What the socket does not take is copied to a queue of chunks. Flushed tells when
// such a queue has become empty. How much may wait there is the Handler's to decide,
// with PendingOut; PauseRead stops the peer from causing more.
//
// # Sources
//
// Output that many connections get, or that is long, is not appended to c.Out but
// stays where it is: SetSource names a Source, and the loop writes from its bytes what
// the socket takes. A stream for a replica is a reader of the log and costs no memory
// and no copy however many there are; how far one may lag is the source's to decide,
// and its error ends the connection.
//
//	c.Out = append(c.Out, "+CONTINUE\r\n"...)
//	c.SetSource(reader) // from here on the output is what the reader gives
//	...
//	reader's notify: c.Wake() // from any goroutine, when the reader was armed
//
// Order is that of the calls: what was appended before leaves before the source, what
// is appended later when the source has ended with io.EOF (SourceEnded) or was
// dropped. Input is read and delivered as ever. A peer that ends its side while a
// source is set is not served to the end, for there may be none.
//
// Sources send when the replies of a round have left, and little in a round in which
// there were others, so that who asks does not wait much longer for their sake: 64 KiB,
// or as much as makes a long round longer by a fifth. A source that fails while its peer does not read is
// found out at the next tick.
//
// # Gates
//
// A reply to a write may have to wait until the write is durable. c.Hold(offset) makes
// a gate at the current end of the output: what is appended later stays until
// Loop.Release has been called with offset or more. Order is never changed, so
// replies to reads behind a held reply wait, too, while other connections go on.
// Release may come from the goroutine that syncs the log; the loop notices in the
// same round or is woken. A loop without gates pays one comparison a round.
//
// # Memory
//
// An idle connection has no buffers. Measured with 10,000 of them: 590 bytes each
// under the epoll transport, the Conn, its place in the tables and the test's own
// bookkeeping included. Spare buffers are kept by each loop for reuse, and let go
// tick by tick when nobody uses them.
//
// # Transports
//
// Epoll serves TCP and unix sockets on the loop's own thread. Portable, for other
// systems, and any other net.Conn (TLS) under both, use goroutines: one that reads
// for each connection, one that writes while there is something to write. They own a
// buffer or a part of the queue while they work and hand it back by a note in the
// loop's inbox, so that all Handler calls are the same and come from the same
// goroutine.
//
// # The Go runtime
//
// Where 75% of a request's time is the kernel's, what the runtime adds counts:
//
//   - Reads, writes and short waits are raw system calls, of which the scheduler
//     knows nothing. They never block for long: sockets are non-blocking, sizes are
//     bounded (256 KiB, about 20 us), and a preemption signal ends a wait.
//   - Long waits park the goroutine through the runtime's poller, so that its P is
//     free (see bed).
//   - There are no runtime timers, no channels and no allocation on the way of a
//     request.
//   - The goroutine is not locked to its thread. Nothing here needs that, and being
//     preempted would cost two switches of threads instead of none.
//   - GOMAXPROCS should be larger than the number of loops, by two or more, also if
//     that is more than there are cores: a loop keeps its P during short waits, and
//     the other goroutines (the log, snapshots, the collector) need some of their own.
//     With fewer, loops give their P away at once and a round costs more.
//
// Measured with PING from 50 clients against Redis 7.0, each on one core (see
// compare_linux_test.go): 0.80 to 0.89 of its CPU time per operation without
// pipelining, 0.35 to 0.52 with sixteen in a pipeline. 92% of what remains is spent
// in the kernel.
//
// # LIMITATIONS
//
//   - A Handler call that takes long delays every connection of its loop: there is
//     no preemption between connections.
//   - The inbox has no limit. Whoever posts must not post without bound what the
//     loop cannot keep up with.
//   - A paused connection notices that its peer went away only by a reset, and the
//     portable transport, which has a read under way then, by an end of input at
//     most when it is resumed.
//   - A connection never changes loops, even if one loop has all the busy ones.
//   - ExpectMore reserves up to 64 MiB on a peer's word; a larger value's buffer
//     doubles as it fills. The Handler must bound what peers may announce.
//   - Values and replies above 1 MiB take buffers from the garbage collector.
//   - A connection that is closed with unread input sends a reset, as Redis' do; a
//     peer on a system that drops received bytes on a reset may miss the last reply.
//   - Under the portable transport a source's bytes are copied, 256 KiB at a time, and
//     count as pending until they have left.
//   - Under the portable transport every reply takes a goroutine, and Flushed comes
//     after nearly each of them. An idle connection costs about 16 KiB there.
//   - PendingOut counts what was handed to the kernel as gone. Whether the peer has
//     it is not known here.
package eventloop
