package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/debian"
	"github.com/truechimer/truechimer/image/squash"
)

// radioFiles are what an image has for Wi-Fi, by path.
func radioFiles(t *testing.T, b boards.Board) (map[string]squash.Entry, *kernel) {
	t.Helper()
	p := boardParts(t, b)
	root := &tree{}
	if err := moduleEntries(root, b, p.kernel); err != nil {
		t.Fatal(err)
	}
	if err := radioEntries(root, b, p.from); err != nil {
		t.Fatal(err)
	}
	m := make(map[string]squash.Entry)
	for _, e := range root.list {
		if _, ok := m[e.Path]; ok {
			t.Errorf("%s comes twice", e.Path)
		}
		m[e.Path] = e
	}
	return m, p.kernel
}

// leadsTo follows links to a file's content; nil: there is none.
func leadsTo(t *testing.T, files map[string]squash.Entry, name string) []byte {
	t.Helper()
	for range 8 {
		e, ok := files[name]
		if !ok {
			return nil
		}
		if e.Target == "" {
			r, err := e.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		name = path.Join(path.Dir(name), e.Target)
	}
	return nil
}

func TestRadioLinksLeadToFiles(t *testing.T) {
	for _, b := range boards.All {
		if b.Radio == nil {
			continue
		}
		files, _ := radioFiles(t, b)
		for name := range files {
			if strings.HasPrefix(name, "lib/firmware/") && len(leadsTo(t, files, name)) == 0 {
				t.Errorf("%s: %s leads to no file", b.Name, name)
			}
		}
	}
}

// The kernel asks for the rules and their signature by these names, and has to
// know the key.
func TestRegulatoryRules(t *testing.T) {
	files, k := radioFiles(t, boards.RaspberryPi)
	const name = "lib/firmware/regulatory.db"
	// Its magic number and version, net/wireless/reg.c.
	if got := leadsTo(t, files, name); !bytes.HasPrefix(got, []byte("RGDB\x00\x00\x00\x14")) {
		t.Errorf("%s: %.8q", name, got)
	}
	signature := leadsTo(t, files, name+".p7s")
	image, err := os.ReadFile(k.image)
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"wens", "sforshee"} {
		if bytes.Contains(signature, []byte(who)) && bytes.Contains(image, []byte("\x0c"+string(rune(len(who)))+who)) {
			return
		}
	}
	t.Errorf("the kernel knows no key of a signature of %d bytes", len(signature))
}

// radios are the chips that Raspberry Pis have, by the first "compatible" of
// their device trees, as brcmfmac names them; none: the model has no radio.
var radios = map[string][]string{
	"raspberrypi,2-model-b-rev2": nil, "raspberrypi,3-compute-module": nil, "raspberrypi,4-compute-module-s": nil,
	"raspberrypi,3-model-b":        {"43430"},
	"raspberrypi,3-model-a-plus":   {"43455"},
	"raspberrypi,3-model-b-plus":   {"43455"},
	"raspberrypi,4-model-b":        {"43455"},
	"raspberrypi,400":              {"43455"},
	"raspberrypi,4-compute-module": {"43455", "43456"},
	"raspberrypi,5-model-b":        {"43455"},
	"raspberrypi,500":              {"43455"},
	"raspberrypi,5-compute-module": {"43455"},
	// The 43436, and the 43436s, which says it is a 43430.
	"raspberrypi,model-zero-2-w":   {"43430b0", "43430"},
	"raspberrypi,0-compute-module": {"43430b0", "43430"},
}

// noFirmware are the radios for which Debian has no files. Once it has, they
// leave this list and the README.
var noFirmware = []string{
	"raspberrypi,4-compute-module 43456",
	"raspberrypi,model-zero-2-w 43430b0", "raspberrypi,model-zero-2-w 43430",
	"raspberrypi,0-compute-module 43430b0", "raspberrypi,0-compute-module 43430",
}

// Every model finds firmware and settings of its radio under the names that the
// driver asks for (brcmfmac/firmware.c: first with the model's name in it).
func TestEveryRaspberryPisRadio(t *testing.T) {
	files, k := radioFiles(t, boards.RaspberryPi)
	var driver []byte
	var load string
	for name := range files {
		switch path.Base(name) {
		case "brcmfmac.ko":
			driver = leadsTo(t, files, name)
		case "modules.load":
			load = string(leadsTo(t, files, name))
		}
	}
	for _, m := range []string{"brcmfmac\n", "brcmfmac_wcc\n", "brcmfmac_cyw\n"} {
		if !strings.Contains(load, m) {
			t.Errorf("%q is not loaded: nothing here answers request_module", m)
		}
	}
	trees, err := filepath.Glob(filepath.Join(k.trees, "*.dtb"))
	if err != nil || len(trees) < 10 {
		t.Fatalf("%q, %v", trees, err)
	}
	var lacking []string
	for _, name := range trees {
		model, _, _ := strings.Cut(text(t, readTree(t, name), "", "compatible"), "\x00")
		chips, known := radios[model]
		if !known {
			t.Errorf("%s: what radio has a %q?", filepath.Base(name), model)
		}
		for _, chip := range chips {
			base := "brcm/brcmfmac" + chip + "-sdio"
			if !bytes.Contains(driver, []byte("firmware="+base+".bin\x00")) {
				t.Errorf("the driver does not ask for %s", base)
			}
			has := func(end string) bool {
				return leadsTo(t, files, "lib/firmware/"+base+"."+model+end) != nil || leadsTo(t, files, "lib/firmware/"+base+end) != nil
			}
			// A radio that has another's firmware needs the settings for it.
			if what := model + " " + chip; !(has(".bin") && has(".txt")) && !slices.Contains(lacking, what) {
				lacking = append(lacking, what)
			} else if !slices.Contains(lacking, what) && !has(".clm_blob") {
				t.Errorf("%s: no rules of the maker's", what)
			}
		}
	}
	want := slices.Clone(noFirmware)
	slices.Sort(want)
	slices.Sort(lacking)
	if !slices.Equal(lacking, want) {
		t.Errorf("without firmware or settings:\n%q\nwant\n%q", lacking, want)
	}
}

// An image can be built where Debian's packages cannot be had, a release not.
func TestNoWifiFirmware(t *testing.T) {
	b := boards.RaspberryPi
	none := &debian.Store{Cache: t.TempDir(), Etc: t.TempDir(), Run: func(context.Context, string, []string, string, ...string) ([]byte, error) {
		return nil, errors.New("no network")
	}}
	from, err := findSources(t.Context(), b, none)
	if err != nil || from.noRadio == nil {
		t.Fatalf("%v; firmware: %v", err, from.noRadio)
	}
	if _, err := findSources(t.Context(), boards.Rock64, none); err == nil {
		t.Error("a board was built without its kernel")
	}
	t.Setenv("GOCACHE", goEnv(t, "GOCACHE"))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("PATH", filepath.Join(goEnv(t, "GOROOT"), "bin")) // no apt
	var said strings.Builder
	o := buildOptions{Board: b.Name, Dir: t.TempDir(), Log: func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }}
	if _, err := build(t.Context(), o); err != nil || !strings.Contains(said.String(), "no Wi-Fi firmware in this image: ") {
		t.Errorf("%v, said %q", err, said.String())
	}
	o.Release = true
	if _, err := build(t.Context(), o); err == nil {
		t.Error("it was released")
	}
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := goTool(t.Context(), nil, "env", name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}
