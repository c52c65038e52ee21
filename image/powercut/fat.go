package powercut

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Fault is something that fsck.fat would complain of.
type Fault struct {
	Kind    FaultKind
	Cluster int    // where
	Path    string // of the file or directory, in 8.3 form; empty for a lost cluster
	What    string
}

// FaultKind is a kind of Fault.
type FaultKind string

// The kinds.
const (
	Lost      FaultKind = "lost cluster"       // in use, in no file
	Crossed   FaultKind = "cross-linked"       // in two files
	BadChain  FaultKind = "chain"              // does not fit the size, or leads nowhere
	Duplicate FaultKind = "two of one name"    // in one directory
	BadDir    FaultKind = "broken directory"   // no . or .., or a loop
	BadHead   FaultKind = "broken boot sector" // nothing else was looked at
)

func (f Fault) String() string {
	return fmt.Sprintf("%s at cluster %d: %s %s", f.Kind, f.Cluster, f.Path, f.What)
}

// fatCheck walks a FAT16 as fsck.fat does. It shares no code with image/bootfs.
type fatCheck struct {
	r       io.ReaderAt
	fat     []byte
	data    int64
	cluster int64
	owner   []uint16 // by cluster: 1 + index into paths; 0 nobody's
	paths   []string
	buf     []int
	faults  []Fault
}

// CheckFAT lists all that is wrong with the FAT16 at the beginning of r.
func CheckFAT(r io.ReaderAt) []Fault {
	c, root, err := openFAT(r)
	if err != nil {
		return []Fault{{BadHead, 0, "", err.Error()}}
	}
	c.dir("", root, 0, 0)
	for n := 2; n < len(c.owner); n++ {
		if v := c.next(n); c.owner[n] == 0 && v != 0 && v != 0xfff7 {
			c.faults = append(c.faults, Fault{Lost, n, "", fmt.Sprintf("%#x", v)})
		}
	}
	return c.faults
}

func openFAT(r io.ReaderAt) (*fatCheck, []byte, error) {
	b := make([]byte, sectorSize)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, nil, err
	}
	le := binary.LittleEndian
	reserved, perFAT, fats := int64(le.Uint16(b[14:])), int64(le.Uint16(b[22:])), int64(b[16])
	entries, total := int64(le.Uint16(b[17:])), int64(le.Uint32(b[32:]))
	if b[510] != 0x55 || b[511] != 0xaa || fats != 1 || b[13] == 0 || entries == 0 || perFAT == 0 || le.Uint16(b[11:]) != sectorSize {
		return nil, nil, errors.New("not a FAT16 with one FAT")
	}
	c := &fatCheck{r: r, cluster: int64(b[13]) * sectorSize, fat: make([]byte, perFAT*sectorSize)}
	c.data = (reserved+perFAT)*sectorSize + entries*32
	count := (total*sectorSize - c.data) / c.cluster
	if count < 4085 || int64(len(c.fat)) < 2*(count+2) {
		return nil, nil, errors.New("sizes make no sense")
	}
	c.owner = make([]uint16, count+2)
	root := make([]byte, entries*32)
	if _, err := r.ReadAt(c.fat, reserved*sectorSize); err != nil {
		return nil, nil, err
	}
	_, err := r.ReadAt(root, (reserved+perFAT)*sectorSize)
	return c, root, err
}

func (c *fatCheck) next(n int) int { return int(binary.LittleEndian.Uint16(c.fat[2*n:])) }

func (c *fatCheck) fault(kind FaultKind, cluster int, path, format string, args ...any) {
	c.faults = append(c.faults, Fault{kind, cluster, path, fmt.Sprintf(format, args...)})
}

// take follows a chain and gives it to path; it returns the clusters, until it
// is called again.
func (c *fatCheck) take(path string, first int) (list []int, ok bool) {
	c.paths = append(c.paths, path)
	list = c.buf[:0]
	defer func() { c.buf = list }()
	me := uint16(len(c.paths))
	for n := first; ; n = c.next(n) {
		if n >= 0xfff8 {
			return list, true
		}
		if n < 2 || n >= len(c.owner) {
			c.fault(BadChain, first, path, "leads to %#x", n)
			return list, false
		}
		if c.owner[n] != 0 {
			c.fault(Crossed, n, path, "with %s", c.paths[c.owner[n]-1])
			return list, false
		}
		c.owner[n] = me
		list = append(list, n)
	}
}

// dir checks the entries of a directory.
func (c *fatCheck) dir(path string, b []byte, self, parent int) {
	names := make(map[string]bool)
	if path != "" && (len(b) < 64 || string(b[:11]) != ".          " || string(b[32:43]) != "..         " ||
		int(binary.LittleEndian.Uint16(b[26:])) != self || int(binary.LittleEndian.Uint16(b[58:])) != parent) {
		c.fault(BadDir, self, path, "no . and ..")
		return
	}
	for ; len(b) >= 32 && b[0] != 0; b = b[32:] {
		e := b[:32]
		if e[0] == 0xe5 || e[0] == '.' || e[11]&0x08 != 0 { // deleted, . and .., label and long names
			continue
		}
		name := path + "/" + string(e[:11])
		if names[name] {
			c.fault(Duplicate, self, name, "")
		}
		names[name] = true
		first, size := int(binary.LittleEndian.Uint16(e[26:])), int64(binary.LittleEndian.Uint32(e[28:]))
		if e[11]&0x10 == 0 {
			c.file(name, first, size)
			continue
		}
		list, ok := c.take(name, first)
		if !ok {
			continue
		}
		sub := make([]byte, int64(len(list))*c.cluster)
		for i, n := range list {
			if _, err := c.r.ReadAt(sub[int64(i)*c.cluster:][:c.cluster], c.data+int64(n-2)*c.cluster); err != nil {
				c.fault(BadDir, n, name, "%v", err)
			}
		}
		c.dir(name, sub, first, self)
	}
}

func (c *fatCheck) file(name string, first int, size int64) {
	want := (size + c.cluster - 1) / c.cluster
	if first == 0 {
		if want != 0 {
			c.fault(BadChain, first, name, "no cluster for %d bytes", size)
		}
		return
	}
	list, ok := c.take(name, first)
	if ok && int64(len(list)) != want {
		c.fault(BadChain, first, name, "%d clusters for %d bytes", len(list), size)
	}
}
