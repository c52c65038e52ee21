package kmod

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machine makes a directory of modules and one of devices, and a loader that
// notes what it would load.
func machine(t *testing.T, load []string, devices map[string]string) (*Loader, *[]string, string) {
	t.Helper()
	list, err := Pick(package1, []string{"dw_mmc_rockchip", "ext4", "virtio_blk"})
	if err != nil {
		t.Fatal(err)
	}
	dir, sys := t.TempDir(), t.TempDir()
	for name, text := range Index(list, load) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, alias := range devices {
		addDevice(t, sys, name, alias)
	}
	l, err := Open(dir, sys)
	if err != nil {
		t.Fatal(err)
	}
	var inserted []string
	l.insert = func(p string) error {
		inserted = append(inserted, NameOf(p))
		return nil
	}
	return l, &inserted, sys
}

func addDevice(t *testing.T, sys, name, alias string) {
	t.Helper()
	d := filepath.Join(sys, "devices", name)
	if err := os.MkdirAll(d, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d, "modalias"), []byte(alias+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestColdplug(t *testing.T) {
	l, inserted, sys := machine(t, []string{"ext4"}, map[string]string{
		"platform/mmc": "of:NmmcT(null)Crockchip,rk3328-dw-mshcCrockchip,rk3288-dw-mshc", "platform/other": "of:NxTyCz",
	})
	l.Always()
	if want := []string{"jbd2", "mbcache", "ext4"}; !slices.Equal(*inserted, want) {
		t.Errorf("at every boot: %v, want %v", *inserted, want)
	}
	if n := l.Coldplug(); n != 3 {
		t.Errorf("%d modules loaded, want 3: %v", n, *inserted)
	}
	if want := []string{"jbd2", "mbcache", "ext4", "dw_mmc", "dw_mmc_pltfm", "dw_mmc_rockchip"}; !slices.Equal(*inserted, want) {
		t.Errorf("%v, want %v", *inserted, want)
	}
	if n := l.Coldplug(); n != 0 {
		t.Errorf("%d more for the same devices", n)
	}
	addDevice(t, sys, "pci/virtio0", "virtio:d00000002v00001AF4")
	if n := l.Coldplug(); n != 1 {
		t.Errorf("%d for a new device, want 1", n)
	}
}

func TestLoadFails(t *testing.T) {
	l, _, _ := machine(t, []string{"ext4"}, nil)
	tries := 0
	l.insert = func(p string) error {
		if strings.Contains(p, "jbd2") {
			tries++
			return errors.New("wrong version")
		}
		return nil
	}
	var said []string
	l.Log = func(format string, args ...any) { said = append(said, format) }
	l.Always()
	l.Load("ext4")
	if tries != 1 || len(said) != 1 {
		t.Errorf("tried %d times, said %q", tries, said)
	}
	l.Load("no_such_module")
}

// A kernel with everything built in has no index, and that is no error.
func TestOpenWithoutIndex(t *testing.T) {
	l, err := Open(filepath.Join(t.TempDir(), "7.1.3"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l.Always()
	if n := l.Coldplug(); n != 0 {
		t.Errorf("%d modules", n)
	}
}

// What is not a module must not be taken for loaded.
func TestInsertSaysWhyNot(t *testing.T) {
	if err := insert(filepath.Join(t.TempDir(), "absent.ko")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	text := filepath.Join(t.TempDir(), "text.ko")
	if err := os.WriteFile(text, []byte("no module"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := insert(text); err == nil || !strings.Contains(err.Error(), "text.ko") {
		t.Errorf("%v", err)
	}
}

func TestEvent(t *testing.T) {
	l, inserted, _ := machine(t, nil, nil)
	for _, e := range []string{
		"", "add", "add@/devices/x", "remove@/devices/x\x00MODALIAS=virtio:d00000002v00001AF4\x00",
		"bind@/devices/x\x00MODALIAS=virtio:d00000002v00001AF4\x00", "add@/devices/x\x00ACTION=add\x00MODALIAS=\x00",
		"add@/devices/x\x00XMODALIAS=virtio:d00000002v00001AF4\x00",
	} {
		l.event([]byte(e))
		if len(*inserted) != 0 {
			t.Errorf("%q loads %v", e, *inserted)
		}
	}
	for range 2 {
		l.event([]byte("add@/devices/pci/virtio0\x00ACTION=add\x00MODALIAS=virtio:d00000002v00001AF4\x00SEQNUM=1\x00"))
	}
	if !slices.Equal(*inserted, []string{"virtio_blk"}) {
		t.Errorf("loaded %v", *inserted)
	}
}
