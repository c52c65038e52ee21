package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/boards"
)

func TestSerialOf(t *testing.T) {
	const (
		tree = "proc/device-tree/serial-number"
		uuid = "sys/class/dmi/id/product_uuid"
		fuse = "sys/bus/nvmem/devices/rockchip-efuse0/nvmem"
	)
	burnt := "\x01\x02\x03\x04\x05\x06\x07" + "0123456789abcdef" + "rest"
	for name, tt := range map[string]struct {
		board boards.Board
		files map[string]string
		want  string
	}{
		"Raspberry Pi":           {boards.RaspberryPi, map[string]string{tree: "100000000abcdef0\x00"}, "100000000abcdef0"},
		"virtual machine":        {boards.VMAmd64, map[string]string{uuid: "4c4c4544-0042-3510-8052-b4c04f4d3732\n"}, "4c4c4544-0042-3510-8052-b4c04f4d3732"},
		"nobody gave it one":     {boards.VMAmd64, map[string]string{uuid: "00000000-0000-0000-0000-000000000000\n"}, ""},
		"nobody gave it another": {boards.VMAmd64, map[string]string{uuid: "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n"}, ""},
		"nothing":                {boards.VMArm64, nil, ""},
		"ROCK64":                 {boards.Rock64, map[string]string{tree: "made up\x00", fuse: burnt}, "30313233343536373839616263646566"},
		"ROCK64, no driver":      {boards.Rock64, map[string]string{tree: "made up\x00"}, ""},
		"ROCK64, never burnt":    {boards.Rock64, map[string]string{tree: "made up\x00", fuse: strings.Repeat("\x00", 32)}, ""},
		"ROCK64, all burnt":      {boards.Rock64, map[string]string{fuse: strings.Repeat("\xff", 32)}, ""},
		"ROCK64, cut short":      {boards.Rock64, map[string]string{fuse: burnt[:10]}, ""},
	} {
		root := t.TempDir()
		for path, text := range tt.files {
			path = filepath.Join(root, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := serialOf(root, tt.board); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}
