package node_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"dozo"
)

// TestWarningsOfMissing: what a configuration asks for and Dozo does not have is
// named in the log, and nothing else is.
func TestWarningsOfMissing(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"replicaof", "no one", ""},
		{"aclfile", "/nonexistent", "requirepass"},
		{"user", "bob on", "requirepass"},
		{"tls-port", "6380", "TLS"},
		{"tls-port", "0", ""},
		{"loadmodule", "/x.so", "modules"},
		{"save", "60 1", ""},
	} {
		t.Run(fmt.Sprint(c.name, " ", c.value), func(t *testing.T) {
			var log bytes.Buffer
			s, err := dozo.Start(dozo.Options{Log: &log, Directives: [][2]string{{c.name, c.value}}})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			var warnings []string
			for _, line := range strings.Split(log.String(), "\n") {
				if strings.Contains(line, " # ") && !strings.Contains(line, "bye bye") {
					warnings = append(warnings, line)
				}
			}
			text := strings.Join(warnings, "\n")
			if c.want == "" && text != "" || !strings.Contains(text, c.want) {
				t.Errorf("want a warning with %q, have:\n%s", c.want, log.String())
			}
		})
	}
}
