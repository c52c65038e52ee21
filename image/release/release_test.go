package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/image/packed"
)

var date = time.Date(2026, 12, 24, 23, 30, 0, 0, time.FixedZone("", -3600)) // the 25th in UTC

// small makes a release of two small images and one package.
func small(t *testing.T) Release {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, size int) string {
		name = filepath.Join(dir, name)
		if err := os.WriteFile(name, bytes.Repeat([]byte(name[len(name)-3:]), size/3), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	components := []Component{
		{Kind: Go, Name: "go", Version: "go1.26.0", Files: []string{"root:/user/appliance"}, Texts: []Licence{{"/usr/share/licences/go/LICENSE", "BSD-3-Clause"}}},
		{Kind: Module, Name: "example.org/Big/thing", Version: "v2.0.0+incompatible", Sum: "h1:abc=", Texts: []Licence{
			{"/usr/share/licences/example.org/Big/thing/LICENSE", "MIT"}, {"/usr/share/licences/example.org/Big/thing/COPYING", "GPL-2.0"}, {"/usr/share/licences/example.org/Big/thing/NOTICE", ""}}},
		{Kind: Debian, Name: "u-boot-rockchip", Version: "2023.01+dfsg-2", Arch: "arm64", Sum: strings.Repeat("a", 64), Texts: []Licence{{"/usr/share/licences/u-boot/copyright", ""}}},
		{Kind: NPM, Name: "plots", Version: "1.6.32", Sum: "sha512-AQID", Files: []string{"root:/user/appliance"}, Texts: []Licence{{"/usr/share/licences/plots/LICENSE", "MIT"}}},
	}
	return Release{
		Version: "1.2.3", Date: date, Website: "https://example.org/station", Log: t.Logf,
		Images: []Image{
			{Board: "vm", Title: "a machine", File: file("vm.img", 30_000), Components: components[:1]},
			{Board: "rpi", Title: "Raspberry Pi 3, 4, 5", File: file("rpi.img", 60_000), Components: components},
		},
		Packages: []string{file("u-boot.deb", 99)},
	}
}

func write(t *testing.T, r Release) map[string][]byte {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "a", "release")
	if err := r.Write(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	files := make(map[string][]byte)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			files[rel], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRelease(t *testing.T) {
	r := small(t)
	files := write(t, r)
	again := write(t, r)
	for _, name := range []string{
		"truechimer-vm-1.2.3.img.xz", "truechimer-vm-1.2.3.img.xz.sha256", "truechimer-vm-1.2.3.cdx.json",
		"truechimer-rpi-1.2.3.img.xz", "truechimer-rpi-1.2.3.img.xz.sha256", "truechimer-rpi-1.2.3.cdx.json",
		"licences.txt", "imager.json", "truechimer.png", "SHA256SUMS", "packages/u-boot.deb",
	} {
		if files[name] == nil || !bytes.Equal(files[name], again[name]) {
			t.Errorf("%s: missing, or other bytes the second time", name)
		}
	}
	if len(files) != 11 {
		t.Errorf("%d files", len(files))
	}
	sums := strings.Split(strings.TrimSpace(string(files["SHA256SUMS"])), "\n")
	if len(sums) != len(files)-1 {
		t.Errorf("%d sums of %d files", len(sums), len(files))
	}
	for _, line := range sums {
		sum, name, _ := strings.Cut(line, "  ")
		if got := fmt.Sprintf("%x", sha256.Sum256(files[name])); got != sum {
			t.Errorf("%s has %s, said is %s", name, got, sum)
		}
	}
	for _, i := range r.Images {
		name := "truechimer-" + i.Board + "-1.2.3.img.xz"
		if got, want := string(files[name+".sha256"]), fmt.Sprintf("%x  %s\n", sha256.Sum256(files[name]), name); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if want, err := os.ReadFile(i.File); err != nil || !bytes.Equal(unpack(t, files[name]), want) {
			t.Errorf("%s does not hold the image, %v", name, err)
		}
	}
	text := string(files["licences.txt"])
	for _, want := range []string{
		"rpi (Raspberry Pi 3, 4, 5)\n", "go\tgo1.26.0\tBSD-3-Clause\t/usr/share/licences/go/LICENSE",
		"u-boot-rockchip\t2023.01+dfsg-2\tsee the text\t/usr/share/licences/u-boot/copyright", "\tnotice\t/usr/share/licences/example.org/Big/thing/NOTICE",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("licences.txt does not say %q:\n%s", want, text)
		}
	}
}

func unpack(t *testing.T, b []byte) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	i, err := packed.Open(name, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	plain, err := io.ReadAll(i)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestReleaseRefuses(t *testing.T) {
	r := small(t)
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "old"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := r.Write(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "is not empty") {
		t.Errorf("into what is there: %v", err)
	}
	for _, url := range []string{"example.org/x", "file:///tmp", "https://", "https://example.org/?x=1", "ftp://example.org/", "%"} {
		r.URL = url
		if err := r.Write(t.Context(), filepath.Join(t.TempDir(), "x")); err == nil || !strings.Contains(err.Error(), "-url") {
			t.Errorf("%s: %v", url, err)
		}
	}
	r.URL = ""
	r.Packages = append(r.Packages, r.Packages[0])
	if err := r.Write(t.Context(), filepath.Join(t.TempDir(), "x")); !errors.Is(err, os.ErrExist) {
		t.Errorf("two packages of one name: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := r.Write(ctx, filepath.Join(t.TempDir(), "x")); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

func TestSBOM(t *testing.T) {
	r := small(t)
	sum := strings.Repeat("b", 64)
	b, err := SBOM("rpi", "1.2.3", date, sum, r.Images[1].Components)
	if err != nil {
		t.Fatal(err)
	}
	var got bom
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "CycloneDX" || got.SpecVersion != "1.6" || got.Version != 1 || got.Metadata.Timestamp != "2026-12-25T00:30:00Z" ||
		got.Metadata.Component.Hashes[0].Content != sum || len(got.Components) != 4 || len(got.Dependencies[0].DependsOn) != 4 {
		t.Errorf("%s", b)
	}
	if s := got.SerialNumber; len(s) != len("urn:uuid:")+36 || s[9+14] != '8' || !strings.ContainsRune("89ab", rune(s[9+19])) {
		t.Errorf("serial number %s", s)
	}
	want := []struct{ purl, licence string }{
		{"pkg:golang/std@1.26.0", "BSD-3-Clause"},
		{"pkg:golang/example.org/big/thing@v2.0.0%2Bincompatible", "GPL-2.0 AND MIT"},
		{"pkg:deb/debian/u-boot-rockchip@2023.01%2Bdfsg-2?arch=arm64", ""},
		{"pkg:npm/plots@1.6.32", "MIT"},
	}
	for i, c := range got.Components {
		licence := ""
		if len(c.Licenses) == 1 {
			licence = c.Licenses[0].Expression
		}
		if c.PURL != want[i].purl || licence != want[i].licence || c.Ref != got.Dependencies[0].DependsOn[i] {
			t.Errorf("%+v, want %v", c, want[i])
		}
	}
	if c := got.Components[2]; len(c.Hashes) != 1 || c.Hashes[0].Content != strings.Repeat("a", 64) {
		t.Errorf("a package without its hash: %+v", c)
	}
	if c := got.Components[3]; len(c.Hashes) != 1 || c.Hashes[0] != (bomHash{"SHA-512", "010203"}) {
		t.Errorf("a package of npm without its hash: %+v", c)
	}
	if _, err := SBOM("rpi", "1.2.3", date, "", []Component{{Kind: NPM, Name: "odd", Sum: "sha512-?"}}); err == nil || !strings.Contains(err.Error(), "odd") {
		t.Errorf("an integrity that is none: %v", err)
	}
	other, err := SBOM("rpi", "1.2.3", date, strings.Repeat("c", 64), nil)
	if err != nil || strings.Contains(string(other), got.SerialNumber) || !strings.Contains(string(other), `"components": []`) {
		t.Errorf("another image: %s, %v", other, err)
	}
}

func TestIdentify(t *testing.T) {
	const redistribution = "Redistribution and use in source and binary forms, with or without\nmodification, are permitted provided that\n"
	for text, want := range map[string]string{
		"":          "",
		"All mine.": "",
		"   Apache License\n   Version 2.0, January 2004":                                "Apache-2.0",
		"Permission is hereby granted, free of charge, to\n any person obtaining a copy": "MIT",
		redistribution:                         "BSD-2-Clause",
		redistribution + "Neither the name of": "BSD-3-Clause",
		redistribution + "All advertising materials ... Neither the name":                                      "BSD-4-Clause",
		"GNU GENERAL PUBLIC LICENSE\n\t Version 2, June 1991":                                                  "GPL-2.0",
		"MIT: Permission is hereby granted, free of charge, to any person obtaining a copy\n" + redistribution: "BSD-2-Clause AND MIT",
		"Redistribution and use in binary form, without modification, are permitted":                           "",
	} {
		if got := Identify([]byte(text)); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestIcon(t *testing.T) {
	b, err := icon()
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil || img.Bounds().Dx() != iconSize || img.Bounds().Dy() != iconSize {
		t.Errorf("%v, %v", img.Bounds(), err)
	}
	if _, _, _, a := img.At(0, 0).RGBA(); a != 0 {
		t.Error("the corner is not clear")
	}
	if _, _, _, a := img.At(20, 20).RGBA(); a != 0xffff {
		t.Error("the middle is clear")
	}
}
