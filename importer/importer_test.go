package importer

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dozo/client"
	"dozo/env"
	"dozo/object"
	"dozo/rdb"
	"dozo/resp"
)

func words(line string) [][]byte {
	var out [][]byte
	for _, w := range strings.Fields(line) {
		out = append(out, []byte(w))
	}
	return out
}

// stoppedAt is a clock that stands still.
type stoppedAt struct{ ms int64 }

func (c stoppedAt) Wall() time.Duration      { return time.Duration(c.ms) * time.Millisecond }
func (c stoppedAt) Monotonic() time.Duration { return time.Hour }

// TestPark: deadlines that are over or near move, wherever a command has them.
func TestPark(t *testing.T) {
	const now = 1_000_000_000_000
	r := &run{Options: Options{Env: &env.Env{Clock: stoppedAt{now}}}, margin: minute}
	for _, c := range [][2]string{
		{"PEXPIREAT k 999999999999", "PEXPIREAT k 7307199999999"},
		{"PEXPIREAT k 1000000060000", "PEXPIREAT k 7307200060000"},
		{"PEXPIREAT k 1000000060001", "PEXPIREAT k 1000000060001"},
		{"EXPIREAT k 999999999 NX", "EXPIREAT k 7307199999"},
		{"PEXPIREAT k 1000000060001 GT", "PEXPIREAT k 1000000060001"},
		{"EXPIREAT k 1000000061", "EXPIREAT k 1000000061"},
		{"SET k v PXAT 5", "SET k v PXAT 6307200000005"},
		{"SET PXAT PXAT pxat 5 GET", "SET PXAT PXAT pxat 6307200000005 GET"},
		{"SET k 5 EXAT 1", "SET k 5 EXAT 6307200001"},
		{"SET k PXAT", "SET k PXAT"},
		{"GETEX k PXAT 5", "GETEX k PXAT 6307200000005"},
		{"RESTORE k 5 x ABSTTL", "RESTORE k 6307200000005 x ABSTTL"},
		{"RESTORE k 0 x ABSTTL", "RESTORE k 0 x ABSTTL"},
		{"RESTORE k 5 x", "RESTORE k 5 x"},
		{"PEXPIREAT k", "PEXPIREAT k"},
		{"PEXPIREAT k 9223372036854775807", "PEXPIREAT k 9223372036854775807"},
		{"PEXPIREAT k x", "PEXPIREAT k x"},
	} {
		args := words(c[0])
		args = r.parkCommand(string(args[0]), args)
		if got := string(bytes.Join(args, []byte(" "))); got != c[1] {
			t.Errorf("%s becomes %s, not %s", c[0], got, c[1])
		}
	}
	r.margin = -1
	if r.park(5) != 5 {
		t.Error("parked without commands to come")
	}
}

func TestCrossesDatabases(t *testing.T) {
	for line, want := range map[string]bool{
		"FLUSHALL": true, "SWAPDB 0 1": true, "MOVE k 1": true, "COPY a b DB 2": true, "COPY a b replace db 2": true,
		"COPY a db": false, "COPY db b REPLACE": false, "FLUSHDB": false, "SET db db": false,
	} {
		args := words(line)
		if got := crossesDatabases(string(args[0]), args); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}

func TestCountCommands(t *testing.T) {
	w := resp.Writer{Proto: 2}
	for i := range 5 {
		if n := countCommands(w.Buf); n != i {
			t.Errorf("%d of %d", n, i)
		}
		w.Command(words("SET *3\r\n$1 x")...)
	}
}

// TestConverter: payloads of the same value in other encodings are the same, and others
// are not; what a payload says of its version is the oldest that has the type.
func TestConverter(t *testing.T) {
	c, err := newConverter()
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	key := []byte("k")
	list := func(items ...string) []byte {
		b := rdb.AppendLen([]byte{byte(rdb.TypeList)}, uint64(len(items)))
		for _, s := range items {
			b = append(rdb.AppendLen(b, uint64(len(s))), s...)
		}
		return b
	}
	var modern []byte
	if err := c.open(key, list("a", "b"), func(cell *object.Cell) error {
		modern = rdb.NewEncoder(0, false).AppendObject(nil, cell)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !c.same(key, list("a", "b"), modern) || c.same(key, list("b", "a"), modern) || c.same(key, modern[:3], modern) {
		t.Error("the same is not the same, or the other way round")
	}
	for body, version := range map[string]int{string(list("a")): 6, string(modern): 10, "\x15x": 11, "\x18x": 12, "\x0fx": 9} {
		if _, got, err := rdb.CheckDump(payload([]byte(body)), false); err != nil || got != version {
			t.Errorf("type %d: version %d, %v", body[0], got, err)
		}
	}
	var pieces int
	big := make([]string, 100_000)
	for i := range big {
		big[i] = "0123456789"
	}
	_ = c.open(key, list(big...), func(cell *object.Cell) error {
		total := 0
		commands(key, 1, cell, func(b []byte) { pieces++; total += countCommands(b) })
		if want := (len(big)+63)/64 + 1; total != want {
			t.Errorf("%d commands, not %d", total, want)
		}
		return nil
	})
	if pieces < 4 {
		t.Errorf("%d pieces", pieces)
	}
}

// target answers each command by what a test says, and keeps what came.
func target(t *testing.T, answer func(command string) string) client.Options {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				for c := client.New(nc, client.Options{}); ; {
					v, err := c.Receive()
					if err != nil {
						return
					}
					if _, err := nc.Write([]byte(answer(strings.Join(v.Strings(), " ")))); err != nil {
						return
					}
				}
			}()
		}
	}()
	return client.Options{Dialer: env.Real().Dialer, Address: l.Addr().String()}
}

// importOf runs an import of a file.
func importOf(t *testing.T, content string, to client.Options, change func(*Options)) (*Summary, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o := Options{Env: env.Real(), Target: to, Path: file, State: file + ".state", Log: &log}
	if change != nil {
		change(&o)
	}
	return Run(context.Background(), o)
}

// TestCommandsThatAreRefused: those that the target does not queue are left out and listed,
// the others of the transaction run; those that fail are listed.
func TestCommandsThatAreRefused(t *testing.T) {
	var ran, queue []string
	bad := false
	to := target(t, func(command string) string {
		verb, _, _ := strings.Cut(command, " ")
		switch {
		case verb == "INFO":
			return "$0\r\n\r\n"
		case verb == "MULTI":
			queue, bad = []string{}, false
			return "+OK\r\n"
		case verb == "NOSUCH":
			bad = true
			return "-ERR unknown command\r\n"
		case verb == "EXEC" && bad:
			return "-EXECABORT Transaction discarded because of previous errors.\r\n"
		case verb == "EXEC":
			ran = append(ran, queue...)
			defer func() { queue = nil }()
			out := "*" + string(number(int64(len(queue)))) + "\r\n"
			for _, q := range queue {
				if strings.HasPrefix(q, "LPUSH") {
					out += "-WRONGTYPE no\r\n"
				} else {
					out += "+OK\r\n"
				}
			}
			return out
		case verb == "SELECT" && queue == nil || verb == "DEL":
			return "+OK\r\n"
		}
		queue = append(queue, command)
		return "+QUEUED\r\n"
	})
	w := resp.Writer{Proto: 2}
	for _, line := range []string{"SELECT 1", "SET a 1", "NOSUCH x", "LPUSH a x", "MULTI", "SET b 2", "EXEC", "FLUSHALL"} {
		w.Command(words(line)...)
	}
	sum, err := importOf(t, string(w.Buf), to, func(o *Options) { o.DBMap = map[int]int{1: 7} })
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(ran, ";")
	if !strings.HasPrefix(got, "SELECT 7;SET a 1;LPUSH a x;SET b 2;SELECT 0;SET dozo-import:") {
		t.Errorf("ran %s", got)
	}
	if list := strings.Join(sum.ErrorList, "\n"); sum.Errors != 3 || sum.Commands != 2 || !strings.Contains(list, "unknown command") ||
		!strings.Contains(list, "WRONGTYPE") || !strings.Contains(list, "FLUSHALL concerns more than one database") {
		t.Errorf("%+v", sum)
	}
}

// TestRefusals: a reply that says something of the target as a whole ends the import and
// says what to do.
func TestRefusals(t *testing.T) {
	for reply, says := range map[string]string{
		"-OOM command not allowed": "maxmemory", "-MISCONF x": "disk", "-NOPERM x": "--user", "-READONLY x": "replica",
		"-MOVED 1 h:1": "cluster", "-LOADING x": "wait",
	} {
		to := target(t, func(command string) string {
			if strings.HasPrefix(command, "SET") {
				return reply + "\r\n"
			}
			return "+OK\r\n"
		})
		_, err := importOf(t, "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n", to, func(o *Options) { o.Replace = true })
		if err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), strings.TrimPrefix(reply, "-")) {
			t.Errorf("%s: %v", reply, err)
		}
	}
}

// TestFilesThatAreNotRight: damage is told with its place, a torn end is left out.
func TestFilesThatAreNotRight(t *testing.T) {
	to := target(t, func(command string) string {
		if command == "EXEC" {
			return "*4\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n"
		}
		return "+OK\r\n"
	})
	set := "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n"
	replace := func(o *Options) { o.Replace = true }
	if sum, err := importOf(t, set+set[:9], to, replace); err != nil || sum.Commands != 1 || len(sum.Notes) != 1 {
		t.Errorf("a torn end: %+v, %v", sum, err)
	}
	if _, err := importOf(t, set+"hello", to, replace); err == nil || !strings.Contains(err.Error(), "offset 27") {
		t.Errorf("garbage: %v", err)
	}
	if _, err := importOf(t, "", to, replace); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
	if _, err := importOf(t, "REDIS0011\x00\x01", to, replace); err == nil || !strings.Contains(err.Error(), "offset 11") {
		t.Errorf("half a database file: %v", err)
	}
	if _, err := importOf(t, set, to, func(o *Options) { o.SkipExisting = true }); err == nil || !strings.Contains(err.Error(), "--skip-existing") {
		t.Errorf("commands and --skip-existing: %v", err)
	}
	if _, err := importOf(t, set, to, func(o *Options) { _ = os.WriteFile(o.State, []byte("hello"), 0o600) }); err == nil || !strings.Contains(err.Error(), "--restart") {
		t.Errorf("a foreign state file: %v", err)
	}
	if _, err := importOf(t, set, to, func(o *Options) { o.Path += "x" }); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
}

func TestProgressLine(t *testing.T) {
	r := &run{Summary: Summary{Keys: 500, Bytes: 3 << 20}, progress: progress{total: 4000, done: 1000}}
	if got := r.progressLine(2 * time.Second); got != " 25%  500 keys, 3.0 MiB, 1.5 MiB/s, 250 keys/s, 6s left" {
		t.Errorf("%q", got)
	}
	r.Terminal, r.total = true, 0
	if got := r.progressLine(2 * time.Second); got != "500 keys, 3.0 MiB, 1.5 MiB/s, 250 keys/s" {
		t.Errorf("%q", got)
	}
}
