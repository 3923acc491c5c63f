package cli

import (
	"bytes"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"dozo/env"
	"dozo/importer"
)

// parseImport parses a command line of the import.
func parseImport(t *testing.T, line string) (*importOptions, error) {
	t.Helper()
	m, o := new(importOptions), defaultOptions()
	_, err := o.parseFlags(append(connectionFlags(), importFlags(m)...), strings.Fields(line), func() {}, &bytes.Buffer{})
	if err == nil {
		err = m.complete(&session{options: o, env: env.Real(), errout: &bytes.Buffer{}})
	}
	return m, err
}

func TestImportOptions(t *testing.T) {
	t.Setenv("DOZO_SOURCE_AUTH", "")
	m, err := parseImport(t, "--from redis://u:p%40@[::1]:7000/2 -p 6400 -n 5 -a secret --user me --db-map 2:3 --rate-limit 20mb --scan")
	switch {
	case err != nil:
		t.Fatal(err)
	case m.Server.Address != "[::1]:7000" || m.Server.User != "u" || m.Server.Password != "p@":
		t.Errorf("source %+v", m.Server)
	case m.Target.Address != "127.0.0.1:6400" || m.Target.User != "me" || m.Target.Password != "secret":
		t.Errorf("target %+v", m.Target)
	case !maps.Equal(m.DBMap, map[int]int{2: 3, importer.AnyDB: 5}) || !maps.Equal(m.DBs, map[int]bool{2: true}):
		t.Errorf("databases %v, %v", m.DBMap, m.DBs)
	case m.Rate != 20<<20 || !m.Scan || m.State != "dozo-import-[--1]-7000.state":
		t.Errorf("%+v", m.Options)
	}
	m, err = parseImport(t, "--from import_test.go --to unix:/tmp/x --db-map *:1,0:4 --db 0,3")
	if err != nil || m.Path != "import_test.go" || m.Target.Network != "unix" || m.Target.Address != "/tmp/x" || m.State != "import_test.go.import" ||
		!maps.Equal(m.DBMap, map[int]int{0: 4, importer.AnyDB: 1}) || len(m.DBs) != 2 {
		t.Errorf("%+v, %v", m.Options, err)
	}
	for line, says := range map[string]string{
		"":                                     "--from",
		"--from nothing":                       "neither a file",
		"--from nothing:port":                  "neither a file",
		"--from rediss://h:1":                  "TLS",
		"--from import_test.go --scan":         "for servers",
		"--from h:1 --scan --follow":           "mutually exclusive",
		"--from h:1 --replace --skip-existing": "mutually exclusive",
		"--from h:1 --db x":                    "no number",
		"--from h:1 --db-map 1":                "from:to",
		"--from h:1 --rate-limit fast":         "bytes",
		"--from h:1 --rate-limit 1mbb":         "bytes",
		"--from h:1 --to h":                    "host:port",
		"--from h:1 --nonsense":                "Unrecognized option",
	} {
		if _, err := parseImport(t, line); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v should say %q", line, err, says)
		}
	}
}

func TestImportMain(t *testing.T) {
	var out, errout bytes.Buffer
	if code := Import([]string{"--help"}, nil, &out, &errout); code != 0 || !strings.Contains(out.String(), "--db-map <from:to>") {
		t.Errorf("%d, %s%s", code, out.String(), errout.String())
	}
	if code := Import([]string{"dump.rdb"}, nil, &out, &errout); code != 1 || !strings.Contains(errout.String(), "--from") {
		t.Errorf("%d, %s", code, errout.String())
	}
	state := filepath.Join(t.TempDir(), "state")
	if code := Import([]string{"--from", "import_test.go", "-s", "/nonexistent", "--state", state}, nil, &out, &errout); code != 1 ||
		!strings.Contains(errout.String(), "cannot connect to the target /nonexistent") {
		t.Errorf("%d, %s", code, errout.String())
	}
}
