package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dozo/internal/testutil"
)

// metricsNotOurs are exported for redis-server but not for Dozo, with the reason.
var metricsNotOurs = map[string]string{}

// TestExporter scrapes Dozo and redis-server with the same exporter: every metric
// that the one has, the other must have.
func TestExporter(t *testing.T) {
	dozo, redis := both(t)
	var metrics [2]map[string]string
	for i, s := range []*testutil.Server{dozo, redis} {
		c := s.Conn(t, 2)
		for n := range 50 {
			c.MustOK("SET", "k"+strconv.Itoa(n), "v")
		}
		c.MustOK("EXPIRE", "k1", "1000")
		c.MustOK("GET", "k1")
		c.Do("GET", "nope")
		c.MustOK("SELECT", "3")
		c.MustOK("SET", "third", "v")
		metrics[i] = scrape(t, s)
	}
	for name, want := range map[string]string{
		"redis_up":                           "1",
		`redis_db_keys{db="db0"}`:            "50",
		`redis_db_keys_expiring{db="db0"}`:   "1",
		`redis_db_keys{db="db3"}`:            "1",
		"redis_keyspace_hits_total":          "1",
		"redis_keyspace_misses_total":        "1",
		"redis_exporter_last_scrape_error{}": "",
	} {
		if name, ok := strings.CutSuffix(name, "{}"); ok {
			if got := metricLike(metrics[0], name); got != "0" {
				t.Errorf("%s = %q: the exporter met an error", name, got)
			}
		} else if got := metrics[0][name]; got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	for _, name := range []string{"redis_commands_processed_total", "redis_memory_used_bytes", "redis_uptime_in_seconds", "redis_connected_clients"} {
		if v, err := strconv.ParseFloat(metrics[0][name], 64); err != nil || v < 0 {
			t.Errorf("%s = %q", name, metrics[0][name])
		}
	}
	have := families(metrics[0])
	for _, name := range families(metrics[1]) {
		if !slices.Contains(have, name) && metricsNotOurs[name] == "" {
			t.Errorf("no metric %s, which the exporter finds at redis-server", name)
		}
	}
}

func metricLike(m map[string]string, prefix string) string {
	for name, value := range m {
		if strings.HasPrefix(name, prefix) {
			return value
		}
	}
	return ""
}

// families are the names of the metrics without their labels.
func families(m map[string]string) []string {
	var out []string
	for name := range m {
		name, _, _ = strings.Cut(name, "{")
		out = append(out, name)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// scrape starts an exporter for the server and reads its page once.
func scrape(t *testing.T, s *testutil.Server) map[string]string {
	t.Helper()
	path, err := exec.LookPath("prometheus-redis-exporter")
	if err != nil {
		t.Fatalf("the exporter is not here (Debian: prometheus-redis-exporter): %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	addr := l.Addr().String()
	_ = l.Close() // only its port was wanted
	cmd := exec.Command(path, "--redis.addr", "redis://"+s.Addr(), "--web.listen-address", addr)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	testutil.Tie(cmd)
	must(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill() // it runs until then
		_ = cmd.Wait()
	}()
	for range 200 {
		if body, err := get("http://" + addr + "/metrics"); err == nil {
			return parseMetrics(body)
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the exporter never answered:\n%s", log.String())
	return nil
}

func get(url string) (string, error) {
	r, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", r.Status)
	}
	return string(body), err
}

func parseMetrics(body string) map[string]string {
	m := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(body))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), "} ")
		if ok {
			name += "}"
		} else {
			name, value, ok = strings.Cut(lines.Text(), " ")
		}
		if ok && !strings.HasPrefix(name, "#") {
			m[name] = value
		}
	}
	return m
}
