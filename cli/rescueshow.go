package cli

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dozo/client"
	"dozo/rescue"
	"dozo/resp"
	"dozo/text"
)

// rescued is what a file has of one key.
type rescued struct {
	db       int
	key      string
	commands int
	last     string
	// left is what the last command, by itself, has left, if that can be told.
	left    leaves
	value   string
	listing []string // all commands, when keys were chosen
}

// leaves is what a command leaves of a key, whatever was there before.
type leaves uint8

const (
	leavesUnknown leaves = iota
	leavesNothing
	leavesValue
)

// valueMax is the longest value that is kept to be compared.
const valueMax = 4096

// note takes a command of the key.
func (k *rescued) note(args [][]byte, listed bool) {
	k.commands++
	k.last, k.left, k.value = shownCall(args), leavesUnknown, ""
	switch strings.ToUpper(string(args[0])) {
	case "DEL", "UNLINK":
		k.left = leavesNothing
	case "SET":
		if len(args) >= 3 && len(args[2]) <= valueMax {
			k.left, k.value = leavesValue, string(args[2])
		}
	}
	if listed {
		k.listing = append(k.listing, k.last)
	}
}

// show tells what is in a file, by key.
func (t *rescueTool) show(rest []string) (int, error) {
	if len(rest) != 1 {
		return rescueFailed, usageError("show takes one file")
	}
	r, err := rescue.Open(t.env.FS, rest[0])
	if err != nil {
		return rescueFailed, err
	}
	defer r.Close()
	fmt.Fprintln(t.out, rest[0])
	t.head(r.File)
	keys, others, err := t.gather(r)
	if err != nil {
		return rescueFailed, err
	}
	var c *client.Conn
	if t.server {
		if c, err = t.dial(); err != nil {
			return rescueFailed, err
		}
		defer c.Close()
	}
	for _, k := range keys {
		if err := t.showKey(c, k); err != nil {
			return rescueFailed, err
		}
	}
	for _, call := range others {
		fmt.Fprintf(t.out, "without a key: %s\n", call)
	}
	return rescueDone, nil
}

// gather reads a file's commands by key, in the order in which the keys come first.
func (t *rescueTool) gather(r *rescue.Reader) (keys []*rescued, others []string, err error) {
	found, db := map[string]*rescued{}, 0
	for {
		cmd, err := r.Next()
		if err == io.EOF {
			return keys, others, nil
		}
		if err != nil {
			return nil, nil, err
		}
		if frames(cmd.Args, &db) {
			continue
		}
		named := t.keysOf(cmd.Args)
		if len(named) == 0 {
			others = append(others, fmt.Sprintf("db %d, %s", db, shownCall(cmd.Args)))
		}
		for _, key := range named {
			if len(t.patterns) > 0 && !t.matches(key) {
				continue
			}
			id := strconv.Itoa(db) + " " + string(key)
			k := found[id]
			if k == nil {
				k = &rescued{db: db, key: string(key)}
				found[id], keys = k, append(keys, k)
			}
			k.note(cmd.Args, len(t.patterns) > 0)
		}
	}
}

// frames tells whether a command is none of its own: SELECT, of which db takes note, MULTI
// or EXEC.
func frames(args [][]byte, db *int) bool {
	switch {
	case bytes.EqualFold(args[0], []byte("SELECT")) && len(args) == 2:
		*db, _ = strconv.Atoi(string(args[1])) // the server wrote it
	case bytes.EqualFold(args[0], []byte("MULTI")), bytes.EqualFold(args[0], []byte("EXEC")):
	default:
		return false
	}
	return true
}

func (t *rescueTool) showKey(c *client.Conn, k *rescued) error {
	fmt.Fprintf(t.out, "db %d, key %s: %d commands, the last is %s\n", k.db, text.Quote(k.key), k.commands, k.last)
	for _, call := range k.listing {
		fmt.Fprintf(t.out, "    %s\n", call)
	}
	if c == nil {
		return nil
	}
	now, err := present(c, k)
	if err == nil {
		fmt.Fprintf(t.out, "  now: %s\n", now)
	}
	return err
}

// lengths are the commands that tell how long a value is.
var lengths = map[string]string{"string": "STRLEN", "list": "LLEN", "hash": "HLEN", "set": "SCARD", "zset": "ZCARD", "stream": "XLEN"}

// present describes what a server has of a key, and whether that is what the file's last
// command left.
func present(c *client.Conn, k *rescued) (string, error) {
	ask := func(args ...string) (v resp.Value, err error) {
		if v, err = c.Do(args...); err != nil && !v.IsError() {
			return v, fmt.Errorf("the server was lost: %w", err)
		}
		return v, nil
	}
	v, err := ask("SELECT", strconv.Itoa(k.db))
	if err != nil {
		return "", err
	}
	if v.IsError() {
		return "(" + v.Str + ")", nil
	}
	kind, err := ask("TYPE", k.key)
	if err != nil {
		return "", err
	}
	if kind.IsError() {
		return "(" + kind.Str + ")", nil
	}
	if kind.Str == "none" {
		if k.left == leavesNothing {
			return "not there, as the last command left it: SAME", nil
		}
		return "not there", nil
	}
	return describe(ask, k, kind.Str)
}

// describe is present for a key that is there.
func describe(ask func(...string) (resp.Value, error), k *rescued, kind string) (string, error) {
	words := []string{"a " + kind}
	if name := lengths[kind]; name != "" {
		v, err := ask(name, k.key)
		if err != nil {
			return "", err
		}
		words = append(words, fmt.Sprintf("length %d", v.Int))
		if kind == "string" && v.Int <= valueMax {
			if v, err = ask("GET", k.key); err != nil {
				return "", err
			}
			words = append(words, text.Quote(v.Str[:min(len(v.Str), 64)]))
			switch {
			case k.left == leavesValue && v.Str == k.value:
				words = append(words, "as the last command left it: SAME")
			case k.left == leavesValue:
				words = append(words, "another than the last command left: DIFFERS")
			}
		}
	}
	ttl, err := ask("PTTL", k.key)
	if err != nil {
		return "", err
	}
	if ttl.Int >= 0 {
		words = append(words, fmt.Sprintf("expires in %d ms", ttl.Int))
	}
	idle, err := ask("OBJECT", "IDLETIME", k.key) // refused when the server keeps frequencies
	if err == nil && !idle.IsError() {
		words = append(words, fmt.Sprintf("used %d s ago", idle.Int))
	}
	return strings.Join(words, ", "), err
}
