package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/debian"
)

func TestMovedPins(t *testing.T) {
	pin := func(name, version string) debian.Pin {
		return debian.Pin{Want: debian.Want{Name: name, Arch: "all"}, Package: name, Version: version, SHA256: strings.Repeat("0", 64), Size: 1}
	}
	old := []debian.Pin{pin("aa", "1"), pin("bb", "1"), pin("cc", "1")}
	now := []debian.Pin{pin("aa", "1"), pin("bb", "2"), pin("dd", "1")}
	if got := movedPins(old, now); !slices.Equal(got, []string{"bb 1 (all) -> bb 2 (all)", "new: dd 1 (all)", "gone: cc 1 (all)"}) {
		t.Errorf("got %q", got)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "pins.txt")
	for _, pins := range [][]debian.Pin{old, now} {
		if err := writePins(file, pins); err != nil {
			t.Fatal(err)
		}
		if got, err := readPins(file); err != nil || !slices.Equal(got, pins) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if err := writePins(file, append(now, now...)); err == nil {
		t.Error("wrote a pin twice")
	}
	if got, err := readPins(file); err != nil || !slices.Equal(got, now) {
		t.Errorf("a failure leaves %v, %v", got, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
