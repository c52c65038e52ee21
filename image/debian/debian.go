// Package debian takes files for images out of Debian's packages: kernels,
// U-Boot, boot loaders, firmware. It needs no root and leaves the machine's own
// apt as it is: packages come through apt-get with a configuration and a state
// of its own, from the mirrors that the machine uses anyway, and are checked
// against pins that are part of the project.
//
//	pin, err := debian.Pinned(debian.Want{Name: "u-boot-rockchip", Arch: "arm64"})
//	files, err := store.Get(ctx, pin)
//	found, err := debian.Extract(files[pin], "usr/lib/u-boot/rock64-rk3328/*.bin")
package debian

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Want names a package by a pattern of its name, since kernels carry their
// version in their name.
type Want struct {
	// Name is as in path.Match, without classes. Neither * nor ? match a '-', so
	// that a kernel's pattern leaves out its flavours ("-rt-", "-cloud-").
	Name string
	Arch string // "amd64", "arm64" or "all", as the package itself says
}

func (w Want) String() string { return w.Name + " " + w.Arch }

// Wants are the packages that images and their tests are made of.
func Wants() []Want {
	return []Want{
		{"firmware-brcm80211", "all"}, // Wi-Fi of Raspberry Pi and others
		{"linux-image-6.12.*+deb12-amd64-unsigned", "amd64"},
		{"linux-image-6.12.*+deb12-arm64-unsigned", "arm64"},
		{"ovmf", "all"}, // tests: UEFI for QEMU
		{"systemd-boot-efi", "amd64"},
		{"u-boot-qemu", "all"}, // tests: U-Boot for QEMU
		{"u-boot-rockchip", "arm64"},
		{"wireless-regdb", "all"}, // which radio channels each country allows
	}
}

// Pin is the one package that a Want stands for today.
type Pin struct {
	Want    Want
	Package string
	Version string
	SHA256  string // lower case hexadecimal, of the .deb
	Size    int64  // bytes, of the .deb
}

// File is the name that apt-get gives the package's file.
func (p Pin) File() string {
	return p.Package + "_" + strings.ReplaceAll(p.Version, ":", "%3a") + "_" + p.Want.Arch + ".deb"
}

func (p Pin) String() string { return p.Package + " " + p.Version + " (" + p.Want.Arch + ")" }

// maxPackage is longer than any package that an image needs; the largest, a
// kernel, has 100 MB.
const maxPackage = 1 << 30

// The forms of Debian Policy, sections 5.6.1, 5.6.8 and 5.6.12. Bounds keep
// file names below 255 bytes.
var (
	nameForm    = regexp.MustCompile(`^[a-z0-9][a-z0-9+.-]{1,127}$`)
	patternForm = regexp.MustCompile(`^[a-z0-9][a-z0-9+.?*-]{1,127}$`)
	versionForm = regexp.MustCompile(`^([0-9]{1,9}:)?[0-9][A-Za-z0-9.+~-]{0,79}$`)
	hashForm    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check says what is wrong with a want.
func (w Want) check() error {
	switch {
	case !patternForm.MatchString(w.Name):
		return fmt.Errorf("%.60q is no name of a package, nor a pattern of one", w.Name)
	case w.Arch != "amd64" && w.Arch != "arm64" && w.Arch != "all":
		return fmt.Errorf("%s: %.20q is none of amd64, arm64 and all", w.Name, w.Arch)
	}
	return nil
}

// check says what is wrong with a pin. What it accepts is safe in the name of a
// file and on apt-get's command line.
func (p Pin) check() error {
	if err := p.Want.check(); err != nil {
		return err
	}
	switch {
	case !nameForm.MatchString(p.Package):
		return fmt.Errorf("%.60q is no name of a package", p.Package)
	case !p.Want.matches(p.Package):
		return fmt.Errorf("%s is not what %s asks for", p.Package, p.Want.Name)
	case !versionForm.MatchString(p.Version):
		return fmt.Errorf("%s: %.60q is no version", p.Package, p.Version)
	case !hashForm.MatchString(p.SHA256):
		return fmt.Errorf("%s: %.80q is no SHA-256 in lower case", p.Package, p.SHA256)
	case p.Size < 1 || p.Size > maxPackage:
		return fmt.Errorf("%s: a size of %d bytes is not within 1 and %d", p.Package, p.Size, maxPackage)
	}
	return nil
}

// matches compares a package's name with the pattern. Where path.Match keeps
// elements of a path apart, a '-' stands in for the '/'.
func (w Want) matches(name string) bool {
	slashed := func(s string) string { return strings.ReplaceAll(s, "-", "/") }
	ok, err := path.Match(slashed(w.Name), slashed(name))
	return ok && err == nil && nameForm.MatchString(name)
}

// prefix is what comes before the pattern's first wildcard.
func (w Want) prefix() string {
	before, _, _ := strings.Cut(strings.ReplaceAll(w.Name, "?", "*"), "*")
	return before
}

// compare orders wants by name, then architecture.
func (w Want) compare(v Want) int {
	return cmp.Or(strings.Compare(w.Name, v.Name), strings.Compare(w.Arch, v.Arch))
}
