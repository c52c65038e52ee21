//go:build browser

package browsertest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// npmPackage is one of the npm registry that tests need; sum is the one that the registry
// tells (dist.integrity).
type npmPackage struct{ name, version, sum string }

var (
	// axe-core looks a page over for what keeps people out of it.
	axeCore = npmPackage{"axe-core", "4.14.1", "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="}
	// uplot is what the station's page has files of.
	uplot = npmPackage{"uplot", "1.6.32", "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="}
)

const maxPackage = 16 << 20 // bytes of a package, and of what is taken out of it

// fetch returns the path of a package, from the cache or by npm.
func (p npmPackage) fetch() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	cache = filepath.Join(cache, "truechimer")
	name := p.name + "-" + p.version + ".tgz"
	path := filepath.Join(cache, name)
	if p.check(path) == nil {
		return path, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	dir, err := os.MkdirTemp(cache, "npm-")
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.name, err)
	}
	defer os.RemoveAll(dir)
	spec := p.name + "@" + p.version
	if out, err := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, spec).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: npm pack %s: %w; npm comes with: apt-get install npm\n%s", p.name, spec, err, out)
	}
	got := filepath.Join(dir, name)
	if err := p.check(got); err != nil {
		return "", err
	}
	return path, os.Rename(got, path)
}

func (p npmPackage) check(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	sum := sha512.Sum512(b)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != p.sum {
		return fmt.Errorf("%s: %s has the sum %s, not %s", p.name, path, got, p.sum)
	}
	return nil
}

// fileOf reads a file of a package.
func fileOf(path, name string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(io.LimitReader(f, maxPackage))
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s has no %s", path, name)
		}
		if err != nil {
			return nil, err
		}
		if h.Name == "package/"+name {
			return io.ReadAll(io.LimitReader(r, maxPackage))
		}
	}
}

// axeScript is the program that the page is looked over with.
var axeScript = sync.OnceValues(func() (string, error) {
	b, err := fileOf(os.Getenv(envAxe), "axe.min.js")
	return string(b), err
})

// TestVendored: what the station has of uPlot is what its package has.
func TestVendored(t *testing.T) {
	for name, file := range map[string]string{"uPlot.iife.min.js": "dist/uPlot.iife.min.js", "uPlot.min.css": "dist/uPlot.min.css", "LICENSE": "LICENSE"} {
		want, err := fileOf(os.Getenv(envUPlot), file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile("../web/assets/uplot/" + name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not %s of %s %s: %v", name, file, uplot.name, uplot.version, err)
		}
	}
}

// finding is one rule that a page breaks.
type finding struct {
	ID     string `json:"id"`
	Impact string `json:"impact"` // minor, moderate, serious or critical
	Help   string `json:"help"`
	Nodes  []struct {
		HTML    string `json:"html"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

func (f finding) grave() bool { return f.Impact == "serious" || f.Impact == "critical" }

func (f finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %s: %s", f.Impact, f.ID, f.Help)
	for i, n := range f.Nodes {
		if i == 3 {
			fmt.Fprintf(&b, "\n    and %d more", len(f.Nodes)-i)
			break
		}
		fmt.Fprintf(&b, "\n    %.300s\n      %s", n.HTML, strings.ReplaceAll(n.Summary, "\n", "\n      "))
	}
	return b.String()
}

// axe looks the page over and returns what it found.
func (b *browser) axe() []finding {
	b.t.Helper()
	script, err := axeScript()
	if err != nil {
		b.t.Fatal(err)
	}
	const run = `axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(
		{rules: r.passes.length + r.violations.length, violations: r.violations}))`
	b.do("axe-core", chromedp.Evaluate[chromedp.Void](script))
	text := call(b, "axe-core", chromedp.Evaluate[string](run, chromedp.EvalAwaitPromise))
	var out struct {
		Rules      int
		Violations []finding
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		b.t.Fatal(err)
	}
	if out.Rules < 10 {
		b.t.Errorf("axe-core looked at %d rules only", out.Rules)
	}
	return out.Violations
}
