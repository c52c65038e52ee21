package bootctl

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
)

func TestEfivars(t *testing.T) {
	dir := t.TempDir()
	v := Efivars(dir)
	if _, err := v.Read(OneShot); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
		if err := v.Write(OneShot, entryName(slot)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, OneShot))
		if want := "\x07\x00\x00\x00" + string(slot) + "\x00.\x00c\x00o\x00n\x00f\x00\x00\x00"; err != nil || string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
		if got, err := v.Read(OneShot); err != nil || string(got) != string(entryName(slot)) {
			t.Errorf("%q, %v", got, err)
		}
	}
	for range 2 {
		if err := v.Delete(OneShot); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "\x07\x00", strings.Repeat("x", 10000)} {
		if err := os.WriteFile(filepath.Join(dir, OneShot), []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Read(OneShot); err == nil {
			t.Errorf("%.10q: read", bad)
		}
	}
	if err := Efivars("/nowhere").Write(OneShot, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
