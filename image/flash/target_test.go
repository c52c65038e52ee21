package flash

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const need = 1 << 20

// host makes a system that has one disk, sdx on USB with one partition, and
// the disk it runs on, sda. Files may be changed by path.
func host(t *testing.T, change map[string]string) System {
	t.Helper()
	root := t.TempDir()
	files := map[string]string{
		"sys/block/sdx/size": "8192\n", "sys/block/sdx/removable": "1\n", "sys/block/sdx/ro": "0\n", "sys/block/sdx/dev": "8:0\n",
		"sys/block/sdx/diskseq": "7\n", "sys/block/sdx/device/vendor": "Generic \n", "sys/block/sdx/device/model": "SD Reader\n",
		"sys/block/sdx/sdx1/partition": "1\n", "sys/block/sdx/sdx1/dev": "8:1\n",
		"sys/block/mmcblk0/size": "8192\n", "sys/block/mmcblk0/removable": "0\n", "sys/block/mmcblk0/device/type": "SD\n", "sys/block/mmcblk0/device/name": "SC16G\n",
		"proc/self/mountinfo": "22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw\n23 22 0:5 / /proc rw - proc proc rw\n",
		"proc/swaps":          "Filename\tType\tSize\tUsed\tPriority\n/dev/nvme0n1p3 partition 1 0 -2\n",
	}
	for path, content := range change {
		files[path] = content
	}
	for path, content := range files {
		if content == "" {
			continue
		}
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(root, "sys/dev/block"), 0o755); err != nil {
		t.Fatal(err)
	}
	for number, dir := range map[string]string{"8:0": "sdx", "8:1": "sdx/sdx1", "179:0": "mmcblk0"} {
		if err := os.Symlink(filepath.Join("../../block", dir), filepath.Join(root, "sys/dev/block", number)); err != nil {
			t.Fatal(err)
		}
	}
	return System{Sys: filepath.Join(root, "sys"), Proc: filepath.Join(root, "proc"), Device: func(name string) (string, bool, error) {
		number, ok := map[string]string{"/dev/sdx": "8:0", "/dev/sdx1": "8:1", "/dev/mmcblk0": "179:0"}[name]
		if name == "/dev/null" || name == "file.img" {
			return "1:3", false, nil
		}
		if !ok {
			return "", false, &os.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
		}
		return number, true, nil
	}}
}

func TestFind(t *testing.T) {
	got, err := host(t, nil).Find("/dev/sdx", need)
	if err != nil || got.Name != "/dev/sdx" || got.Size != 4<<20 || got.Model != "Generic SD Reader" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err = host(t, nil).Find("/dev/mmcblk0", need); err != nil || got.Model != "SC16G" {
		t.Errorf("a built-in reader: %+v, %v", got, err)
	}
}

func TestRefusals(t *testing.T) {
	const mounts = "proc/self/mountinfo"
	for name, c := range map[string]struct {
		device string
		change map[string]string
		want   string
	}{
		"not there":       {"/dev/sdy", nil, "is not there"},
		"a file":          {"file.img", nil, "is no disk"},
		"characters":      {"/dev/null", nil, "is no disk"},
		"partition":       {"/dev/sdx1", nil, "name the whole disk, /dev/sdx"},
		"not removable":   {"/dev/sdx", map[string]string{"sys/block/sdx/removable": "0\n"}, "is no removable disk"},
		"does not say":    {"/dev/sdx", map[string]string{"sys/block/sdx/removable": ""}, "is no removable disk"},
		"eMMC":            {"/dev/mmcblk0", map[string]string{"sys/block/mmcblk0/device/type": "MMC\n"}, "is built in (MMC), no SD card"},
		"locked":          {"/dev/sdx", map[string]string{"sys/block/sdx/ro": "1\n"}, "read-only"},
		"empty reader":    {"/dev/sdx", map[string]string{"sys/block/sdx/size": "0\n"}, "there is no card in it"},
		"no size":         {"/dev/sdx", map[string]string{"sys/block/sdx/size": "many\n"}, "size cannot be read"},
		"small":           {"/dev/sdx", map[string]string{"sys/block/sdx/size": "2047\n"}, "has 0 MiB; a station's card needs 1"},
		"mounted":         {"/dev/sdx", map[string]string{mounts: "30 22 8:1 / /media/a\\040b rw - vfat /dev/sdx1 rw\n"}, "sdx1 is mounted at /media/a b; unmount it: umount /dev/sdx1"},
		"whole mounted":   {"/dev/sdx", map[string]string{mounts: "30 22 8:0 / /mnt rw shared:2 - vfat /dev/sdx rw\n"}, "sdx is mounted at /mnt"},
		"btrfs":           {"/dev/sdx", map[string]string{mounts: "30 22 0:45 / /mnt rw shared:2 - btrfs /dev/sdx1 rw\n"}, "sdx1 is mounted at /mnt"},
		"system":          {"/dev/sdx", map[string]string{mounts: "22 1 8:1 / / rw - ext4 /dev/sdx1 rw\n"}, "the disk that this system runs on"},
		"swap":            {"/dev/sdx", map[string]string{"proc/swaps": "Filename\n/dev/sdx1 partition 1 0 -2\n"}, "sdx1 is swap space"},
		"encrypted":       {"/dev/sdx", map[string]string{"sys/block/sdx/sdx1/holders/dm-0/dev": "253:0"}, "in use by dm-0"},
		"whole encrypted": {"/dev/sdx", map[string]string{"sys/block/sdx/holders/md0/dev": "9:0"}, "in use by md0"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := host(t, c.change).Find(c.device, need)
			if _, ok := errors.AsType[*Refusal](err); !ok || !strings.Contains(err.Error(), c.want) || got != (Target{}) {
				t.Errorf("%+v, %v; want a refusal with %q", got, err, c.want)
			}
		})
	}
	// Not knowing what is mounted is no leave to write.
	if got, err := host(t, map[string]string{mounts: ""}).Find("/dev/sdx", need); err == nil {
		t.Errorf("%+v without a list of mounts", got)
	}
}
