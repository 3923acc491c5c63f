package text

import (
	"bytes"
	"slices"
	"testing"
)

func TestSplitArgs(t *testing.T) {
	for _, c := range []struct {
		line string
		want []string // nil: refused
	}{
		{"", []string{}}, {"  \t ", []string{}}, {"set a b", []string{"set", "a", "b"}}, {" a  b ", []string{"a", "b"}}, {`""`, []string{""}}, {`a ''`, []string{"a", ""}},
		{`"a b" 'c d'`, []string{"a b", "c d"}}, {`a"b c"`, []string{"ab c"}}, {`"\x41\n\r\t\a\b\q\""`, []string{"A\n\r\t\a\bq\""}}, {`'\n\''`, []string{`\n'`}},
		{`"\xzz"`, []string{"xzz"}}, {"a\vb \fc", []string{"a\vb", "c"}}, {"a\x00b", []string{"a"}},
		{`"a`, nil}, {`'a`, nil}, {`"a"b`, nil}, {`'a'b`, nil}, {`"\`, nil}, {"\"a\x00\"", nil},
	} {
		got, ok := SplitArgs([]byte(c.line))
		if ok != (c.want != nil) || ok && !equal(got, c.want) {
			t.Errorf("SplitArgs(%q) = %q, %v", c.line, got, ok)
		}
	}
}

func equal(got [][]byte, want []string) bool {
	return slices.EqualFunc(got, want, func(a []byte, b string) bool { return string(a) == b })
}

func TestSplitArgsAgainstRedis(t *testing.T) {
	r, c := random(t), oracle(t)
	for range 3000 {
		line := pick(r, `ab "'\x41nrt `+"\t\v\xff", 12)
		args, ok := SplitArgs([]byte(line))
		if !ok {
			continue // the genuine server closes the connection: see below
		}
		c.QueueRaw([]byte(`EVAL "return ARGV" 0 ` + line + "\r\n"))
		flush(t, c)
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		raw, want := reply(t, c), []byte("*")
		want = append(AppendInt(want, int64(len(args))), "\r\n"...)
		for _, a := range args {
			want = append(AppendInt(append(want, '$'), int64(len(a))), "\r\n"...)
			want = append(append(want, a...), "\r\n"...)
		}
		if !bytes.Equal(raw, want) {
			t.Errorf("%q: %q, here %q", line, raw, want)
		}
	}
}

func TestSplitArgsRefusalsAgainstRedis(t *testing.T) {
	r, first := random(t), oracle(t)
	addr := first.Net().RemoteAddr().String()
	for range 200 {
		line := "ECHO " + pick(r, `ab "'\`, 8) + []string{"'", `"`}[r.IntN(2)]
		if _, ok := SplitArgs([]byte(line)); ok {
			continue
		}
		c := dial(t, addr)
		c.QueueRaw([]byte(line + "\r\n"))
		if err := c.Flush(); err != nil {
			t.Fatal(err)
		}
		if raw, err := c.ReadRaw(); err != nil || !bytes.Contains(raw, []byte("unbalanced quotes")) {
			t.Errorf("%q: %q, %v; here refused", line, raw, err)
		}
		c.Close()
	}
}

func TestQuote(t *testing.T) {
	if got := Quote("a\"b\\\n\r\t\a\b\x00\xff ~\x7f"); got != `"a\"b\\\n\r\t\a\b\x00\xff ~\x7f"` {
		t.Error(got)
	}
	for s, want := range map[string]bool{"abc": false, "a b": true, "": false, `"`: true, "\xe9": true, "'": false, "\t": true} {
		if NeedsQuote(s) != want {
			t.Errorf("NeedsQuote(%q)", s)
		}
	}
}

// FuzzQuote: SplitArgs undoes Quote, whatever the bytes.
func FuzzQuote(f *testing.F) {
	f.Add([]byte("a\x00\xff\"'\\"))
	f.Fuzz(func(t *testing.T, b []byte) {
		args, ok := SplitArgs(AppendQuote(nil, b))
		if !ok || len(args) != 1 || !bytes.Equal(args[0], b) {
			t.Errorf("%q comes back as %q, %v", b, args, ok)
		}
		SplitArgs(b)
	})
}

func TestFold(t *testing.T) {
	b := []byte("AbZ@[`{\xc9")
	Fold(b)
	if string(b) != "abz@[`{\xc9" || string(AppendFold(nil, "XY")) != "xy" {
		t.Errorf("%q", b)
	}
	if !EqualFold([]byte("GeT"), "get") || EqualFold("get", "gets") || EqualFold("@", "`") {
		t.Error("EqualFold")
	}
}
