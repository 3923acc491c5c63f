package replication

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
)

// The files in testdata tell stories. Their blocks are of lines, each of which is one
// event and is printed with what the machine answers; +TIME before an event lets so much
// time pass first. The name of a history is one letter, which stands for forty. `due` as a
// line shows when the machine wants to be woken, `status` how it stands.

// story is what all kinds of stories share.
type story struct {
	now time.Duration
	out strings.Builder
}

// namesAsLetters matches the long form of a history's name.
var namesAsLetters = regexp.MustCompile(`[a-zA-Z0]{40}`)

// brief puts letters for names.
func brief(s string) string {
	return namesAsLetters.ReplaceAllStringFunc(s, func(id string) string {
		if strings.Count(id, id[:1]) == IDLength {
			return id[:1]
		}
		return id
	})
}

// long is the name that a letter stands for.
func long(letter string) string { return strings.Repeat(letter, IDLength) }

// position reads letter:offset; "none" is none.
func position(s string) Position {
	if s == "none" {
		return Position{}
	}
	letter, number, _ := strings.Cut(s, ":")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		panic("no position: " + s)
	}
	return Position{long(letter), n}
}

// play plays a block.
func (s *story) play(input string, do func(word string, args []string)) string {
	s.out.Reset()
	for line := range strings.Lines(input) {
		line = strings.TrimSpace(line)
		words := strings.Fields(line)
		if after, ok := strings.CutPrefix(words[0], "+"); ok {
			d, err := time.ParseDuration(after)
			if err != nil {
				panic(err)
			}
			s.now += d
			words = words[1:]
		}
		fmt.Fprintf(&s.out, "%s\n", line)
		if len(words) != 0 {
			do(words[0], words[1:])
		}
	}
	return s.out.String()
}

func (s *story) say(format string, args ...any) {
	fmt.Fprintf(&s.out, "    %s\n", brief(fmt.Sprintf(format, args...)))
}

// after is a time as the story sees it.
func (s *story) after(t time.Duration) string {
	if t == Never {
		return "never"
	}
	return "in " + (t - s.now).Round(time.Millisecond).String()
}

// option is the value of name=value among words.
func option(words []string, name string) (string, bool) {
	for _, w := range words {
		if n, value, _ := strings.Cut(w, "="); n == name {
			return value, true
		}
	}
	return "", false
}

func number(words []string, name string) int {
	v, _ := option(words, name)
	n, _ := strconv.Atoi(v)
	return n
}

// stories runs all files of a kind.
func stories(t *testing.T, kind string, block func(t *testing.T, d *datadriven.TestData) string, reset func()) {
	files, err := filepath.Glob("testdata/" + kind + "_*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories of %s: %v", kind, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			reset()
			datadriven.RunTest(t, file, block)
		})
	}
}
