package sysfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/boards"
)

// kernelFiles are files below a root, and a partition of a disk.
func kernelFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	blocks := filepath.Join(root, "sys/class/block")
	if err := os.MkdirAll(blocks, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, to := range map[string]string{"mmcblk0": "../../devices/mmcblk0", "mmcblk0p1": "../../devices/mmcblk0/mmcblk0p1"} {
		if err := os.Symlink(to, filepath.Join(blocks, name)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestVitals(t *testing.T) {
	files := map[string]string{
		"sys/class/thermal/thermal_zone0/temp": "61000\n", "sys/class/thermal/thermal_zone0/type": "gpu-thermal\n",
		"sys/class/thermal/thermal_zone1/temp": "52345\n", "sys/class/thermal/thermal_zone1/type": "cpu-thermal\n",
		"sys/devices/mmcblk0/stat":                "   10 2 300 4 50 6 20480 8 0 9 10\n",
		"sys/devices/mmcblk0/mmcblk0p1/partition": "1\n",
		"proc/uptime": "43200.50 86000.00\n",
	}
	look := func(files map[string]string, disk string) status.Machine {
		return New(os.DirFS(kernelFiles(t, files)), boards.RaspberryPi, "", disk).Look(time.Now())
	}
	v := look(files, "/dev/mmcblk0p1")
	if v.Temperature == nil || *v.Temperature != 52.345 || *v.CardWritten != 20480*512 || int(*v.CardPerDay/1e3) != 20971 {
		t.Fatalf("%+v", v)
	}
	files["proc/uptime"] = "100 1"
	if v := look(files, "/dev/mmcblk0p1"); v.CardPerDay != nil || v.CardWritten == nil {
		t.Error("a rate by a minute and a half")
	}
	if v := look(files, ""); v.CardWritten != nil {
		t.Error("a disk of nobody")
	}
	if v := look(nil, "/dev/mmcblk0p1"); v.Temperature != nil || v.CardWritten != nil || v.CardPerDay != nil {
		t.Errorf("%+v", v)
	}
	for _, bad := range []string{"", "hot", "999999999", strings.Repeat("9", 1<<16)} {
		odd := map[string]string{"sys/class/thermal/thermal_zone0/temp": bad, "sys/devices/mmcblk0/stat": bad + " " + bad}
		if v := look(odd, "/dev/mmcblk0"); v.Temperature != nil || v.CardWritten != nil || v.CardPerDay != nil {
			t.Errorf("%.20q: %+v", bad, v)
		}
	}
}
