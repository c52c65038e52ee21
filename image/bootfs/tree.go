package bootfs

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Attributes of a directory entry (FAT specification).
const (
	attrReadOnly = 0x01
	attrLabel    = 0x08
	attrDir      = 0x10
	attrArchive  = 0x20
	attrLong     = 0x0f
	attrMask     = 0x3f
	longLast     = 0x40 // in the number of a long name's last piece

	entryDeleted = 0xe5 // first byte of an entry that was deleted
)

// node is a file or directory that is to be written.
type node struct {
	name     string
	attr     byte
	file     *File   // nil: a directory, or a file that is left a hole
	children []*node // of a directory, by name
	size     int64   // of a file
	pointer  int     // index into pointerFiles, -1 none

	short    shortName
	long     bool // name does not stand in short
	cluster  int  // first; 0 none
	clusters int
}

func (n *node) dir() bool { return n.attr&attrDir != 0 }

// newTree arranges files by directory. Names are sorted: the order in which
// files are given does not change a single byte of the result.
func newTree(files []File) (*node, error) {
	root := &node{attr: attrDir, pointer: -1}
	for i := range files {
		f := &files[i]
		if f.Size < 0 || f.Size > Size {
			return nil, fmt.Errorf("%s: a size of %d bytes", f.Path, f.Size)
		}
		parts := strings.Split(f.Path, "/")
		at := root
		for j, name := range parts {
			if err := checkName(name); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Path, err)
			}
			if j == len(parts)-1 {
				at.children = append(at.children, &node{name: name, attr: attrArchive, file: f, size: f.Size, pointer: -1})
				break
			}
			k := slices.IndexFunc(at.children, func(c *node) bool { return c.dir() && strings.EqualFold(c.name, name) })
			if k < 0 {
				k = len(at.children)
				at.children = append(at.children, &node{name: name, attr: attrDir, pointer: -1})
			}
			at = at.children[k]
		}
	}
	return root, root.walk(func(n *node) error {
		slices.SortFunc(n.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
		return nil
	})
}

// walk calls f for a directory and all directories below it, parents first.
func (n *node) walk(f func(*node) error) error {
	if err := f(n); err != nil {
		return err
	}
	for _, c := range n.children {
		if c.dir() {
			if err := c.walk(f); err != nil {
				return err
			}
		}
	}
	return nil
}

// region is a run of clusters that is given out from its beginning.
type region struct {
	what      string
	next, end int
}

// take gives n a run of clusters of its own.
func (r *region) take(n *node, bytes int64) error {
	n.clusters = int((bytes + ClusterSize - 1) / ClusterSize)
	if n.clusters == 0 {
		return nil
	}
	if n.clusters > r.end-r.next {
		return fmt.Errorf("%s: %d bytes do not fit into the %d that are left in %s",
			n.name, bytes, int64(r.end-r.next)*ClusterSize, r.what)
	}
	n.cluster, r.next = r.next, r.next+n.clusters
	return nil
}

// place gives clusters to all directories below and including n, if n is not
// the root, and then to their files: so a slot begins with its directory.
func (n *node) place(r *region, root bool) error {
	err := n.walk(func(d *node) error {
		if err := alias(d.children); err != nil {
			return err
		}
		if d == n && root {
			return nil
		}
		return r.take(d, int64(2+d.entries())*entrySize) // 2: . and ..
	})
	if err != nil {
		return err
	}
	return n.walk(func(d *node) error {
		for _, c := range d.children {
			if c.dir() || c.cluster != 0 {
				continue
			}
			in := r
			if c.pointer >= 0 {
				at := clusterAt(PointerOffset) + c.pointer
				in = &region{"its place", at, at + 1}
			}
			if err := in.take(c, c.size); err != nil {
				return err
			}
		}
		return nil
	})
}

// entries is the number of directory entries the children of n take.
func (n *node) entries() int {
	count := 0
	for _, c := range n.children {
		count++
		if c.long {
			count += len(longEntries(c.name, 0)) / entrySize
		}
	}
	return count
}

// stamp is a time as FAT writes it: two seconds' resolution, no time zone (it
// is UTC here), 1980 to 2107.
type stamp struct{ date, time uint16 }

func newStamp(t time.Time) (stamp, error) {
	t = t.UTC()
	if y := t.Year(); y < 1980 || y > 2107 {
		return stamp{}, fmt.Errorf("time stamp %s: FAT knows the years 1980 to 2107", t.Format(time.RFC3339))
	}
	return stamp{
		date: uint16(t.Year()-1980)<<9 | uint16(t.Month())<<5 | uint16(t.Day()),
		time: uint16(t.Hour())<<11 | uint16(t.Minute())<<5 | uint16(t.Second()/2),
	}, nil
}

// entry is a short directory entry.
func (s stamp) entry(name shortName, attr byte, cluster int, size int64) []byte {
	e := make([]byte, entrySize)
	copy(e, name[:])
	e[11] = attr
	binary.LittleEndian.PutUint16(e[14:], s.time) // made
	binary.LittleEndian.PutUint16(e[16:], s.date)
	binary.LittleEndian.PutUint16(e[18:], s.date) // read
	binary.LittleEndian.PutUint16(e[22:], s.time) // written
	binary.LittleEndian.PutUint16(e[24:], s.date)
	binary.LittleEndian.PutUint16(e[26:], uint16(cluster))
	binary.LittleEndian.PutUint32(e[28:], uint32(size))
	return e
}

// list is the content of directory n without . and .., or the label.
func (s stamp) list(n *node) []byte {
	var out []byte
	for _, c := range n.children {
		if c.long {
			out = append(out, longEntries(c.name, c.short.checksum())...)
		}
		out = append(out, s.entry(c.short, c.attr, c.cluster, c.size)...)
	}
	return out
}

// directory is the content of directory n, whose parent begins at the cluster
// parent (0: the root), to the end of its last cluster.
func (s stamp) directory(n *node, parent int) []byte {
	out := s.entry(pack(".", ""), attrDir, n.cluster, 0)
	out = append(out, s.entry(pack("..", ""), attrDir, parent, 0)...)
	out = append(out, s.list(n)...)
	return append(out, make([]byte, n.clusters*ClusterSize-len(out))...)
}
