//go:build browser

package browsertest

import (
	"archive/tar"
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

	"github.com/chromedp/chromedp"
)

// axe-core, which looks a page over for what keeps people out of it. The package's
// sum is the one that the npm registry tells (dist.integrity).
const (
	axeName = "axe-core-4.14.1.tgz"
	axeSpec = "axe-core@4.14.1"
	axeSum  = "sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
	maxAxe  = 16 << 20 // bytes of the package, and of what is taken out of it
)

// fetchAxe returns the path of axe-core's package, from the cache or by npm.
func fetchAxe() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("axe-core: %w", err)
	}
	cache = filepath.Join(cache, "truechimer")
	path := filepath.Join(cache, axeName)
	if checkAxe(path) == nil {
		return path, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", fmt.Errorf("axe-core: %w", err)
	}
	dir, err := os.MkdirTemp(cache, "axe-")
	if err != nil {
		return "", fmt.Errorf("axe-core: %w", err)
	}
	defer os.RemoveAll(dir)
	if out, err := exec.Command("npm", "pack", "--silent", "--pack-destination", dir, axeSpec).CombinedOutput(); err != nil {
		return "", fmt.Errorf("axe-core: npm pack %s: %w; npm comes with: apt-get install npm\n%s", axeSpec, err, out)
	}
	got := filepath.Join(dir, axeName)
	if err := checkAxe(got); err != nil {
		return "", err
	}
	return path, os.Rename(got, path)
}

func checkAxe(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("axe-core: %w", err)
	}
	sum := sha512.Sum512(b)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != axeSum {
		return fmt.Errorf("axe-core: %s has the sum %s, not %s", path, got, axeSum)
	}
	return nil
}

// axeScript is the program that the page is looked over with.
var axeScript = sync.OnceValues(func() (string, error) {
	f, err := os.Open(os.Getenv(envAxe))
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(io.LimitReader(f, maxAxe))
	if err != nil {
		return "", err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return "", errors.New("axe-core's package has no axe.min.js")
		}
		if err != nil {
			return "", err
		}
		if h.Name == "package/axe.min.js" {
			b, err := io.ReadAll(io.LimitReader(r, maxAxe))
			return string(b), err
		}
	}
})

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
