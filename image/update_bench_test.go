//go:build bench

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/image/publish"
)

// Changes of the sources that updates are measured with.
const (
	// benchFeature is a file of package web: a page more, and a package of the
	// standard library that nothing else uses.
	benchFeature = `package web

import (
	"encoding/csv"
	"net/http"
	"time"
)

// Table writes the servers' verdicts as a table.
func Table(source Source) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		out := csv.NewWriter(w)
		defer out.Flush()
		out.Write([]string{"time", "id", "name", "address", "verdict", "reason"})
		s := source.Status()
		for _, v := range s.Servers {
			if f := r.FormValue("verdict"); f != "" && f != v.Verdict {
				continue
			}
			out.Write([]string{s.Time.Format(time.RFC3339Nano), v.ID, v.Name, v.Address, v.Verdict, v.Reason})
		}
	})
}
`
	// benchHook has the linker keep it.
	benchHook = `package main

import (
	"net/http"

	"github.com/truechimer/truechimer/appliance/web"
)

// tableOf is the table's page.
func tableOf(s *station) *http.ServeMux {
	m := http.NewServeMux()
	m.Handle("/servers.csv", web.Table(s))
	return m
}
`
)

// benchOlder are earlier versions of five modules that the appliance is linked
// with: to go from these to those of go.mod is "five dependencies bumped".
var benchOlder = []string{
	"github.com/klauspost/compress@v1.20.3", "github.com/pelletier/go-toml/v2@v2.4.2", "github.com/prometheus/client_golang@v1.24.0",
	"golang.org/x/net@v0.61.0", "github.com/mdlayher/vsock@v1.3.0",
}

// TestUpdateSizes measures what a station fetches for changes of the sources,
// from the sources to the signed release, with the publisher's own commands.
// MiB; the bounds are those that updates were designed to.
func TestUpdateSizes(t *testing.T) {
	const board = "rpi"
	dir := t.TempDir()
	tool := filepath.Join(dir, "image")
	run(t, ".", nil, "go", "build", "-o", tool, ".")
	secret := filepath.Join(dir, "passphrase")
	if err := os.WriteFile(secret, []byte("for a benchmark\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sources := func(name string, edit func(dir string)) string {
		to := filepath.Join(dir, name)
		for _, f := range strings.Split(strings.TrimRight(run(t, "..", nil, "git", "ls-files", "-z"), "\x00"), "\x00") {
			copyFile(t, filepath.Join("..", f), filepath.Join(to, f))
		}
		if edit != nil {
			edit(to)
		}
		return to
	}
	asis := sources("as-is", nil)
	feature := sources("feature", func(dir string) {
		write(t, filepath.Join(dir, "appliance/web/table.go"), benchFeature)
		write(t, filepath.Join(dir, "appliance/table.go"), benchHook)
		main := filepath.Join(dir, "appliance/run.go")
		b, err := os.ReadFile(main)
		if err != nil {
			t.Fatal(err)
		}
		const before = "	all := s.parts\n"
		if !strings.Contains(string(b), before) {
			t.Fatal("appliance/run.go is not as it was")
		}
		write(t, main, strings.Replace(string(b), before, "	tableOf(s)\n"+before, 1))
	})
	older := sources("older", func(dir string) {
		run(t, dir, nil, "go", append([]string{"get"}, benchOlder...)...)
	})

	repository := func(name, from string) *publish.Repository {
		r := &publish.Repository{Dir: filepath.Join(dir, name), Now: time.Now()}
		keys := filepath.Join(dir, name+"-keys")
		env := []string{passphraseVar + "=" + secret}
		run(t, from, env, tool, "publish", "init", "-repository", r.Dir, "-keys", keys)
		env = append(env, "SOURCE_DATE_EPOCH=1795392000")
		run(t, from, env, tool, "publish", "add", "-repository", r.Dir, "-board", board, "-version", "1.0.0", "-update-url", "http://192.0.2.1/tc")
		for _, key := range []string{"targets-1.key", "targets-2.key"} {
			run(t, from, env, tool, "publish", "sign", "-repository", r.Dir, "-role", "targets", "-key", filepath.Join(keys, key))
		}
		run(t, from, env, tool, "publish", "release", "-repository", r.Dir, "-key", filepath.Join(keys, "online.key"))
		return r
	}
	first, deps := repository("first", asis), repository("deps", older)

	for _, c := range []struct {
		name        string
		repository  *publish.Repository
		to          string
		delta, full float64 // MiB at the most
	}{
		{"version string", first, asis, 0.01, 30},
		{"small feature", first, feature, 0.5, 30},
		{"five modules", deps, asis, 3, 30},
	} {
		env := []string{"SOURCE_DATE_EPOCH=1795478400"}
		run(t, c.to, env, tool, "publish", "add", "-repository", c.repository.Dir, "-board", board, "-version", "1.1.0", "-update-url", "http://192.0.2.1/tc")
		began := time.Now()
		run(t, c.to, env, tool, "publish", "delta", "-repository", c.repository.Dir, "-board", board)
		took := time.Since(began)
		c.repository.Now = time.Now()
		plan, err := c.repository.DryRun("1.0.0", board, defaultChannel)
		if err != nil {
			t.Fatal(err)
		}
		const mib = 1 << 20
		t.Logf("%-15s full %5.2f MiB, chunks %5.2f MiB, delta %7.4f MiB (made in %v)", c.name,
			float64(plan.Full)/mib, float64(plan.Missing)/mib, float64(plan.Delta)/mib, took.Round(time.Second))
		if d := float64(plan.Delta) / mib; d <= 0 || d > c.delta {
			t.Errorf("%s: a delta of %.4f MiB, %.2f are the bound", c.name, d, c.delta)
		}
		if f := float64(plan.Full) / mib; f <= 0 || f > c.full {
			t.Errorf("%s: a whole release is %.2f MiB, %.0f are the bound", c.name, f, c.full)
		}
		if err := os.RemoveAll(filepath.Join(c.repository.Dir, "staged")); err != nil {
			t.Fatal(err)
		}
	}
}

// run runs a command in a directory and returns what it prints.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args[:min(2, len(args))], " "), err, stderr.String())
	}
	return string(out)
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, to, string(b))
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
