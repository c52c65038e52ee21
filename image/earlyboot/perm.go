package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/diskfs/go-diskfs/backend"
	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"golang.org/x/sys/unix"
)

// makePerm makes the file system of /perm at the first boot. The record in the
// state partition is written after the last block is on the card, so a power
// cut repeats the work; once it stands, /perm is never formatted again. What
// the record does not vouch for is not usable: the next boot would format it
// with all that was kept there.
func (d *stationDisk) makePerm(format func(device string) error) (usable bool) {
	boot, err := d.loadBoot()
	if err != nil {
		// It may hold a station's memory: used if it can be mounted, never formatted.
		log.Printf("the boot record cannot be read (%v): /perm is left as it is", err)
		return true
	}
	if boot.PermMade {
		return true
	}
	start := time.Now()
	if err := format(d.partition[disk.Perm]); err != nil {
		log.Printf("making /perm: %v", err)
		return false
	}
	if err := d.changeBoot(func(b *bootfs.Boot) { b.PermMade = true }); err != nil {
		log.Printf("keeping the boot record: %v; /perm will be made again at the next boot", err)
		return false
	}
	log.Printf("first boot: made /perm in %v", time.Since(start).Round(time.Millisecond))
	return true
}

// formatPerm makes an empty ext4 and returns when it is on the card.
func formatPerm(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size != disk.PermSize {
		return fmt.Errorf("%s has %d bytes, not the %d of /perm: it is not formatted; write the image anew", device, size, disk.PermSize)
	}
	if err := makeFileSystem(file.New(f, false), f.Sync); err != nil {
		return fmt.Errorf("ext4 on %s: %w", device, err)
	}
	return nil
}

// makeFileSystem makes the ext4 of /perm on a partition of its size, and returns
// when sync has.
func makeFileSystem(partition backend.Storage, sync func() error) error {
	if _, err := ext4.Create(partition, disk.PermSize, 0, 512, &ext4.Params{
		VolumeName: "perm",
		// So that a block the card has spoilt is noticed, the journal's too.
		Features: []ext4.FeatureOpt{ext4.WithFeatureMetadataChecksums(true)},
	}); err != nil {
		return err
	}
	return sync()
}

// settlePerm puts a tmpfs where /perm could not be mounted, or must not be
// used: the station runs on, and says so.
func settlePerm(usable bool) (volatile bool) {
	isMounted := mounted("/perm", readLine("/proc/self/mounts"))
	if usable && isMounted {
		commitLate()
		return false
	}
	log.Printf("/perm cannot be used: running on memory, what is kept there ends with the power")
	if isMounted {
		if err := unix.Unmount("/perm", 0); err != nil {
			log.Printf("unmounting /perm: %v", err) // the tmpfs will hide it
		}
	}
	if err := unix.Mount("tmpfs", "/perm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=16M"); err != nil {
		log.Printf("tmpfs on /perm: %v", err)
	} else if err := os.Mkdir("/perm/var", 0o755); err != nil { // what the root's /var points to
		log.Printf("%v", err)
	}
	return true
}

// commitLate has ext4 commit every half an hour what nobody flushes, not every five
// seconds: what has to outlast a power cut is flushed by who writes it, and committed
// with that. The rest is the time at which the journal of exchanges was changed, 12 KiB
// each minute for 4 KiB of it.
func commitLate() {
	if err := unix.Mount("", "/perm", "", unix.MS_REMOUNT, "commit=1800"); err != nil {
		log.Printf("/perm goes on committing every few seconds: %v", err)
	}
}

// mounted says whether a table of mounts (proc_pid_mounts(5)) has one at a directory.
func mounted(at, mounts string) bool {
	for line := range strings.Lines(mounts) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == at {
			return true
		}
	}
	return false
}

// writeFileSynced replaces a file so that a power cut leaves the old or the new one.
func writeFileSynced(path, content string) (err error) {
	tmp := path + ".new"
	defer func() {
		if err != nil {
			os.Remove(tmp)
		}
	}()
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
