package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/truechimer/truechimer/image/disk"
)

// root is what a command line says of the root: a partition by its distance
// from one that is known by its GUID.
type root struct {
	guid   disk.GUID
	offset disk.Number
}

// parseRoot reads root=PARTUUID=guid/PARTNROFF=n.
func parseRoot(cmdline string) (root, error) {
	const form = "root=PARTUUID=GUID/PARTNROFF=NUMBER"
	for _, arg := range strings.Fields(cmdline) {
		text, ok := strings.CutPrefix(arg, "root=")
		if !ok {
			continue
		}
		guid, offset, ok := strings.Cut(strings.TrimPrefix(text, "PARTUUID="), "/PARTNROFF=")
		g, err := disk.ParseGUID(guid)
		n, numErr := strconv.ParseUint(offset, 10, 8)
		if !strings.HasPrefix(text, "PARTUUID=") || !ok || err != nil || numErr != nil {
			return root{}, fmt.Errorf("the command line says %.100q, not %s", arg, form)
		}
		return root{g, disk.Number(n)}, nil
	}
	return root{}, errors.New("the command line does not say " + form)
}

// find looks for the root on all disks: sys lists them (/sys/block), dev has
// their device nodes.
func (r root) find(sys, dev string) (device string, err error) {
	disks, err := os.ReadDir(sys)
	if err != nil {
		return "", err
	}
	var seen []string
	for _, d := range disks {
		n, ok := partitionOf(filepath.Join(dev, d.Name()), r.guid)
		if !ok {
			seen = append(seen, d.Name())
			continue
		}
		if device, err = nodeOf(filepath.Join(sys, d.Name()), dev, n+r.offset); err == nil {
			return device, nil
		}
		return "", err
	}
	return "", fmt.Errorf("no disk has a partition %s; there are %s", r.guid, strings.Join(append(seen, "no others"), ", "))
}

// partitionOf finds a partition in a disk's table.
func partitionOf(name string, guid disk.GUID) (disk.Number, bool) {
	f, err := os.Open(name)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	t, err := disk.Read(f)
	if err != nil {
		return 0, false
	}
	for _, p := range t.Partitions {
		if p.GUID == guid {
			return p.Number, true
		}
	}
	return 0, false
}

// nodeOf is the device node of a disk's partition.
func nodeOf(sysDisk, dev string, n disk.Number) (string, error) {
	parts, err := filepath.Glob(filepath.Join(sysDisk, "*/partition"))
	if err != nil {
		return "", err
	}
	for _, p := range parts {
		b, err := os.ReadFile(p)
		if err == nil && strings.TrimSpace(string(b)) == strconv.Itoa(int(n)) {
			return filepath.Join(dev, filepath.Base(filepath.Dir(p))), nil
		}
	}
	return "", fmt.Errorf("%s has no partition %d yet", filepath.Base(sysDisk), n)
}
