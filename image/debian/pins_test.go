package debian

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestEveryWantIsPinned(t *testing.T) {
	pins, err := ParsePins(pinsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range Wants() {
		if p, err := Pinned(w); err != nil || p.Want != w {
			t.Errorf("%v: %v, %v", w, p, err)
		}
	}
	if len(pins) != len(Wants()) {
		t.Errorf("%d pins for %d wants", len(pins), len(Wants()))
	}
	if _, err := Pinned(Want{"linux-image-9", "arm64"}); err == nil || !strings.Contains(err.Error(), "make pins") {
		t.Errorf("a want without a pin: %v", err)
	}
}

func TestMatches(t *testing.T) {
	kernel := Want{"linux-image-6.12.*+deb12-arm64-unsigned", "arm64"}
	for name, want := range map[string]bool{
		"linux-image-6.12.113+deb12-arm64-unsigned":       true,
		"linux-image-6.12.9+deb12-arm64-unsigned":         true,
		"linux-image-6.12.113+deb12-rt-arm64-unsigned":    false,
		"linux-image-6.12.113+deb12-cloud-arm64-unsigned": false,
		"linux-image-6.12.113+deb12-arm64-16k-unsigned":   false,
		"linux-image-6.12.1-rt+deb12-arm64-unsigned":      false,
		"linux-image-6.12.113+deb12-arm64-dbg":            false,
		"linux-image-6.12.113+deb12-arm64":                false,
		"linux-image-6.1.0-1+deb12-arm64-unsigned":        false,
		"linux-image-6.12./+deb12-arm64-unsigned":         false,
	} {
		if got := kernel.matches(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (Want{"ovm?", "all"}).matches("ovm-") || !(Want{"ovm?", "all"}).matches("ovmf") {
		t.Error("? matches wrongly")
	}
}

func somePins() []Pin {
	hash := strings.Repeat("0a", 32)
	return []Pin{
		{Want{"linux-image-6.12.*+deb12-arm64-unsigned", "arm64"}, "linux-image-6.12.9+deb12-arm64-unsigned", "6.12.9-1", hash, 100},
		{Want{"ovmf", "all"}, "ovmf", "2:2022.11-6+deb12u2~x", hash, maxPackage},
	}
}

func TestPinsAreStrict(t *testing.T) {
	var b bytes.Buffer
	if err := WritePins(&b, []Pin{somePins()[1], somePins()[0]}); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	if got, err := ParsePins([]byte(good)); err != nil || !slices.Equal(got, somePins()) {
		t.Fatalf("%v, %v", got, err)
	}
	if got := somePins()[1].File(); got != "ovmf_2%3a2022.11-6+deb12u2~x_all.deb" {
		t.Errorf("file name %s", got)
	}
	blocks := strings.SplitAfter(good, "\n\n")
	for name, text := range map[string]string{
		"empty":           "",
		"no head":         strings.Join(blocks[1:], ""),
		"merge":           strings.Replace(good, "Want: ovmf", "<<<<<<< HEAD\nWant: ovmf", 1),
		"out of order":    blocks[0] + blocks[2] + "\n" + strings.TrimSuffix(blocks[1], "\n"),
		"twice":           blocks[0] + blocks[1] + blocks[1] + blocks[2],
		"other package":   strings.Replace(good, "Package: ovmf", "Package: ovmg", 1),
		"other arch":      strings.Replace(good, "ovmf all", "ovmf mips", 1),
		"short hash":      strings.Replace(good, "0a", "", 1),
		"capital hash":    strings.Replace(good, "0a", "0A", 1),
		"no size":         strings.Replace(good, "Size: 100\n", "Size: 0\n", 1),
		"large size":      strings.Replace(good, "Size: 1073741824", "Size: 1073741825", 1),
		"size of letters": strings.Replace(good, "Size: 100\n", "Size: 0x64\n", 1),
		"leading zero":    strings.Replace(good, "Size: 100\n", "Size: 0100\n", 1),
		"option":          strings.Replace(good, "Package: ovmf", "Package: -o", 1),
		"path":            strings.Replace(good, "Version: 6", "Version: ../6", 1),
		"missing line":    strings.Replace(good, "Size: 100\n", "", 1),
		"no newline":      strings.TrimSuffix(good, "\n"),
		"more newlines":   good + "\n",
		"windows":         strings.ReplaceAll(good, "\n", "\r\n"),
	} {
		if _, err := ParsePins([]byte(text)); err == nil || text == good {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParsePins(f *testing.F) {
	f.Add(pinsFile)
	f.Add([]byte(pinsHead))
	f.Fuzz(func(t *testing.T, b []byte) {
		pins, err := ParsePins(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := WritePins(&again, pins); err != nil || !bytes.Equal(again.Bytes(), b) {
			t.Errorf("%v: written otherwise:\n%s", err, again.Bytes())
		}
	})
}

// Each version is older than the next.
func someVersions() []string {
	return []string{"0", "0.1~~", "0.1~~a", "0.1~", "0.1", "0.1a", "0.1+b", "0.2-1~deb12u1", "0.2-1", "0.2-1+b1", "0.2-1.1", "0.9",
		"0.10", "6.12.9-1", "6.12.113-1~bpo12+1", "6.12.113-1~deb12u1", "6.12.113-1", "2023.01+dfsg-2+deb12u2", "2023.01+dfsg-2+deb12u3", "1:0"}
}

func TestVersionsAreOrdered(t *testing.T) {
	all := someVersions()
	for i, a := range all {
		for j, b := range all {
			if got := compareVersions(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("%s and %s: %d", a, b, got)
			}
		}
	}
	for _, c := range [][2]string{{"1.0", "1.00"}, {"0:1", "1"}, {"1-0", "1"}} {
		if compareVersions(c[0], c[1]) != 0 {
			t.Errorf("%s and %s differ", c[0], c[1])
		}
	}
}

func TestVersionsAreOrderedAsDpkgDoes(t *testing.T) {
	needs(t, "dpkg")
	all := someVersions()
	for i := range all {
		a, b := all[i], all[(i*7+3)%len(all)]
		less := exec.Command("dpkg", "--compare-versions", a, "lt", b).Run() == nil
		if got := compareVersions(a, b) < 0; got != less {
			t.Errorf("%s < %s: %v here, %v by dpkg", a, b, got, less)
		}
	}
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0-1", "1.0~rc1", "2")
	f.Add("1:1", "09", "9")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		if compareVersions(a, b) != -compareVersions(b, a) {
			t.Errorf("%q and %q have no order", a, b)
		}
		if compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0 && compareVersions(a, c) > 0 {
			t.Errorf("%q, %q and %q go round", a, b, c)
		}
	})
}
