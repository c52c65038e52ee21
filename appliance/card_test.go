package main

import (
	"os"
	"path/filepath"
	"testing"
)

// sysTree makes a directory with these files, links last: their texts begin with "->".
func sysTree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if len(text) > 2 && text[:2] == "->" {
			err = os.Symlink(text[2:], path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestCardWritten(t *testing.T) {
	// A Raspberry Pi's card, as Linux 6.12 shows it.
	const stat = "    4811     1370   413782     6153      842     1297    28160     5921        0     7672    12074        0        0        0        0        0        0\n"
	sys := sysTree(t, map[string]string{
		"devices/mmc0/block/mmcblk0/stat":                stat,
		"devices/mmc0/block/mmcblk0/mmcblk0p1/stat":      "1 1 1 1 1 1 1 1 1 1 1\n",
		"devices/mmc0/block/mmcblk0/mmcblk0p1/partition": "1\n",
		"devices/mmc0/block/short/stat":                  "1 2 3\n",
		"devices/mmc0/block/odd/stat":                    "1 2 3 4 5 6 x\n",
		"class/block/mmcblk0":                            "->../../devices/mmc0/block/mmcblk0",
		"class/block/mmcblk0p1":                          "->../../devices/mmc0/block/mmcblk0/mmcblk0p1",
		"class/block/short":                              "->../../devices/mmc0/block/short",
		"class/block/odd":                                "->../../devices/mmc0/block/odd",
	})
	for _, name := range []string{"/dev/mmcblk0p1", "/dev/mmcblk0"} {
		if got := cardWritten(sys, name); got == nil || *got != 28160*512 {
			t.Errorf("%s: %v", name, got)
		}
	}
	for _, name := range []string{"", "/dev/short", "/dev/odd", "/dev/gone"} {
		if got := cardWritten(sys, name); got != nil {
			t.Errorf("%s: %d", name, *got)
		}
	}
}
