package config

import (
	"strings"
)

// The kinds and checks that only a few rows have.

func guardKind() kind { return oneOf("no", "yes", "local") }

func shutdownKind() kind {
	return &choiceKind{set: true, check: checkShutdown, choices: []choice{
		{"default", 0}, {"save", ShutdownSave}, {"nosave", ShutdownNoSave},
		{"now", ShutdownNow}, {"force", ShutdownForce},
	}}
}

func checkShutdown(bits int64) error {
	if bits&ShutdownSave != 0 && bits&ShutdownNoSave != 0 {
		return refusal("shutdown options SAVE and NOSAVE can't be used simultaneously")
	}
	return nil
}

// atLeast turns smaller values into the least one.
func atLeast(least int64) func(int64) int64 {
	return func(n int64) int64 { return max(n, least) }
}

// holdWatchdog: a watchdog that is on looks no closer than two rounds of work.
func holdWatchdog(n int64) int64 {
	if n == 0 {
		return 0
	}
	return max(n, 200)
}

// holdHZ: hz is a wish, so what is out of range becomes the nearest.
func holdHZ(n int64) int64 { return min(max(n, 1), 500) }

// baseName refuses names with a folder in them, with the message given.
func baseName(message string) func(string) error {
	return func(s string) error {
		if strings.ContainsAny(s, `/\`) {
			return refusal(message)
		}
		return nil
	}
}

func filledBaseName(whenEmpty, whenPath string) func(string) error {
	return func(s string) error {
		if s == "" {
			return refusal(whenEmpty)
		}
		return baseName(whenPath)(s)
	}
}

// maxHostname is the longest host name, with room for C's final zero.
const maxHostname = 256

func checkHostname(s string) error {
	if len(s) >= maxHostname {
		return refusal("Hostnames must be less than 256 characters")
	}
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && s[i] != '-' && s[i] != '.' {
			return refusal("Hostnames may only contain alphanumeric characters, hyphens or dots")
		}
	}
	return nil
}

func checkNodeName(s string) error {
	for i := 0; i < len(s); i++ {
		if !isAlphanumeric(s[i]) && strings.IndexByte("!#$%&()*+:;<>?@[]^{|}~\x00", s[i]) >= 0 {
			return refusal("Announced human node name contained invalid character")
		}
	}
	return nil
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// checkTitle demands known variables and something left to show.
func checkTitle(s string) error {
	shown, ok := ExpandTitle(s, sampleVariable)
	if !ok || shown == "" {
		return refusal("template format is invalid or contains unknown variables")
	}
	return nil
}

// sampleVariable stands for the values of title variables: empty for those that
// may be.
func sampleVariable(name string) (sample string, known bool) {
	switch name {
	case "title", "server-mode", "unixsocket":
		return "", true
	case "listen-addr", "port", "tls-port", "config-file":
		return name, true
	}
	return "", false
}

// ExpandTitle fills the {variables} of a proc-title-template; {{ is a brace. ok
// is false when a brace is not closed or look does not know a variable.
func ExpandTitle(template string, look func(name string) (string, bool)) (title string, ok bool) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(template, "{")
		b.WriteString(before)
		if !found {
			return strings.Trim(b.String(), " "), true
		}
		if strings.HasPrefix(rest, "{") {
			b.WriteByte('{')
			template = rest[1:]
			continue
		}
		name, after, closed := strings.Cut(rest, "}")
		s, known := look(name)
		if !closed || !known {
			return "", false
		}
		b.WriteString(s)
		template = after
	}
}
