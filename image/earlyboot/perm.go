package main

import (
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/diskfs/go-diskfs/backend/file"
	"github.com/diskfs/go-diskfs/filesystem/ext4"
	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
	"golang.org/x/sys/unix"
)

// makePerm makes the file system of /perm at the first boot. The record in the
// state partition is written after the last block is on the card, so a power
// cut repeats the work; once it stands, /perm is never formatted again.
func (s *station) makePerm() {
	if s.disk.state == nil {
		return
	}
	boot, err := s.disk.state.LoadBoot()
	if err == nil && boot.PermMade {
		s.permMade = true
		return
	}
	if err != nil && !errors.Is(err, bootfs.ErrNeverWritten) {
		// The record is damaged: /perm may hold a station's memory.
		log.Printf("the boot record cannot be read (%v): /perm is left as it is", err)
		return
	}
	start := time.Now()
	if err := formatPerm(s.disk.partition[disk.Perm]); err != nil {
		log.Printf("making /perm: %v", err)
		return
	}
	boot.PermMade = true
	if err := s.disk.state.StoreBoot(boot); err != nil && !errors.Is(err, bootfs.ErrOneCopy) {
		log.Printf("keeping the boot record: %v", err)
		return
	}
	s.permMade = true
	log.Printf("first boot: made /perm in %v", time.Since(start).Round(time.Millisecond))
}

func formatPerm(device string) error {
	f, err := os.OpenFile(device, os.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := ext4.Create(file.New(f, false), disk.PermSize, 0, 512, &ext4.Params{
		VolumeName: "perm",
		Checksum:   true,
	}); err != nil {
		return fmt.Errorf("ext4 on %s: %w", device, err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("ext4 on %s: %w", device, err)
	}
	return nil
}

// settlePerm puts a tmpfs where /perm could not be mounted (the station runs
// on, and says so), and writes the machine id there.
func (s *station) settlePerm() {
	if !mounted("/perm", readLine("/proc/self/mounts")) {
		log.Printf("/perm cannot be used: running on memory, what is kept there ends with the power")
		if err := unix.Mount("tmpfs", "/perm", "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "size=16M"); err != nil {
			log.Printf("tmpfs on /perm: %v", err)
		}
		s.permTmp = true
		os.Mkdir("/perm/var", 0o755)
	}
	const path = "/perm/machine-id"
	want := s.identity.ID + "\n"
	if have, err := os.ReadFile(path); err == nil && string(have) == want {
		return
	}
	if err := writeFileSynced(path, want); err != nil {
		log.Printf("%v", err)
	}
}

func mounted(at, mounts string) bool {
	for line := range strings.Lines(mounts) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == at {
			return true
		}
	}
	return false
}

// writeFileSynced replaces a file so that a power cut leaves the old or the new one.
func writeFileSynced(path, content string) error {
	tmp := path + ".new"
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
	return os.Rename(tmp, path)
}
