package sysfs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/truechimer/truechimer/boards"
)

func tree(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

const (
	pi4           = "raspberrypi,4-model-b\x00brcm,bcm2711\x00"
	rock64        = "pine64,rock64\x00rockchip,rk3328\x00"
	healthyMounts = `21 1 179:2 / / ro,relatime - squashfs /dev/root ro
25 21 0:22 / /proc rw,nosuid - proc proc rw
31 21 179:4 / /perm rw,relatime - ext4 /dev/mmcblk0p4 rw,errors=remount-ro
`
)

// TestImageAndBoard: an image is wrong only where a device tree says so.
func TestImageAndBoard(t *testing.T) {
	for _, c := range []struct {
		board      boards.Board
		compatible string
		want       bool
	}{
		{boards.RaspberryPi, pi4, false},
		{boards.RaspberryPi, "raspberrypi,500\x00raspberrypi,5-model-b\x00brcm,bcm2712\x00", false},
		{boards.RaspberryPi, rock64, true},
		{boards.RaspberryPi, "", false},
		{boards.RaspberryPi, strings.Repeat("x\x00", longest), false}, // no kernel's word is that long
		{boards.Rock64, rock64, false},
		{boards.Rock64, pi4, true},
		{boards.VMArm64, "linux,dummy-virt\x00", false},
		{boards.VMAmd64, pi4, false},
	} {
		m := New(tree(map[string]string{"proc/device-tree/compatible": c.compatible, "proc/device-tree/model": "Some Board Rev 1.2\x00"}), c.board, "", "")
		got := m.Look(time.Now())
		if got.WrongImage != c.want || got.Model == nil || *got.Model != "Some Board Rev 1.2" {
			t.Errorf("%s on %q: %+v", c.board.Name, c.compatible[:min(len(c.compatible), 40)], got)
		}
	}
	if got := New(tree(nil), boards.RaspberryPi, "/perm", "").Look(time.Now()); got.Model != nil || got.WrongImage || got.Undervoltage != nil || got.CardReadOnly {
		t.Errorf("of a machine that tells nothing: %+v", got)
	}
}

// TestUndervoltage is told for a while after it was over, and not made up.
func TestUndervoltage(t *testing.T) {
	files := tree(map[string]string{
		"sys/class/hwmon/hwmon0/name": "cpu_thermal\n", "sys/class/hwmon/hwmon0/in0_lcrit_alarm": "1\n",
		"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "0\n",
	})
	m := New(files, boards.RaspberryPi, "", "")
	now := time.Now()
	alarm := files["sys/class/hwmon/hwmon1/in0_lcrit_alarm"]
	for _, c := range []struct {
		after time.Duration
		says  string
		want  string
	}{
		{0, "0\n", "no"}, {time.Minute, "1\n", "yes"}, {time.Minute, "0\n", "yes"}, {lowFor - time.Minute, "0\n", "yes"}, {time.Second, "0\n", "no"},
		{time.Second, "", "unknown"}, {time.Second, "what\n", "unknown"}, {time.Second, "1\n", "yes"},
	} {
		now = now.Add(c.after)
		alarm.Data = []byte(c.says)
		got, said := m.Look(now).Undervoltage, "unknown"
		if got != nil {
			said = map[bool]string{true: "yes", false: "no"}[*got]
		}
		if said != c.want {
			t.Errorf("%q: %s, want %s", c.says, said, c.want)
		}
	}
}

func TestReadOnlyCard(t *testing.T) {
	remounted := strings.Replace(healthyMounts, "/perm rw,", "/perm ro,", 1)
	for name, c := range map[string]struct {
		mounts, perm, device string
		want                 bool
	}{
		"as it should be":        {healthyMounts, "/perm", "0\n", false},
		"made so by the kernel":  {remounted, "/perm", "0\n", true},
		"a directory on it":      {remounted, "/perm/journal", "0\n", true},
		"its file system is":     {strings.Replace(healthyMounts, "rw,errors", "ro,errors", 1), "/perm", "0\n", true},
		"its device is":          {healthyMounts, "/perm", "1\n", true},
		"not mounted by itself":  {healthyMounts, "/permanent", "0\n", true}, // on the root, which is a squashfs
		"mounted over":           {remounted + "40 31 0:40 / /perm rw - tmpfs tmpfs rw\n", "/perm", "0\n", false},
		"a list that is no list": {"what\n31 21 179:4 / /perm ro\n31 21 ../..:4 / /perm rw - x y rw\n", "/perm", "0\n", false},
		"nothing is kept":        {remounted, "", "1\n", false},
		"a list without an end":  {remounted + strings.Repeat("x", mounts), "/perm", "0\n", false},
	} {
		m := New(tree(map[string]string{"proc/self/mountinfo": c.mounts, "sys/dev/block/179:4/ro": c.device}), boards.RaspberryPi, c.perm, "")
		if got := m.Look(time.Now()).CardReadOnly; got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestThisMachine: its own files are read without harm.
func TestThisMachine(t *testing.T) {
	m := New(os.DirFS("/"), boards.RaspberryPi, t.TempDir(), "")
	if got := m.Look(time.Now()); got.CardReadOnly {
		t.Errorf("%+v, where this test can write", got)
	}
	if b, err := os.ReadFile("/proc/self/mountinfo"); err == nil && mountOf(b, filepath.Join(t.TempDir(), "x")).device == "" {
		t.Errorf("no mount in\n%s", b)
	}
}

func TestRadio(t *testing.T) {
	root := tree(map[string]string{"sys/class/net/wlan0/phy80211/name": "phy0\n", "sys/class/net/eth0/mtu": "1500\n"})
	for link, want := range map[string]bool{"wlan0": true, "eth0": false, "": false, "..": false, "../net/wlan0": false, "wlan9": false} {
		if got := Radio(root, link); got != want {
			t.Errorf("%q: %v", link, got)
		}
	}
}

func FuzzMountOf(f *testing.F) {
	f.Add([]byte(healthyMounts), "/perm")
	f.Add([]byte("31 21 179:4 / /perm - ro\n"), "")
	f.Fuzz(func(t *testing.T, list []byte, dir string) {
		if at := mountOf(list, dir); strings.ContainsAny(at.device, "/\\") {
			t.Errorf("%+v leads out of /sys/dev/block", at)
		}
	})
}
