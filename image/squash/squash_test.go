package squash_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/truechimer/truechimer/image/squash"
)

func TestSmallTree(t *testing.T) {
	compare(t, write(t, small()), small())
}

// TestGolden: a release's bits do not depend on when, where or in which order
// its files were collected.
func TestGolden(t *testing.T) {
	const want = "34530305cf8d5895460483b46f56c8b5e113f0debea76b1430beaea53b5aaf5d"
	sum := func(entries []squash.Entry) string {
		s := sha256.Sum256(write(t, entries))
		return hex.EncodeToString(s[:])
	}
	if got := sum(small()); got != want {
		t.Errorf("SHA-256 %s, want %s", got, want)
	}
	if got := sum(small()); got != want {
		t.Errorf("second time: SHA-256 %s, want %s", got, want)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		entries := small()
		random.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		before := paths(entries)
		if got := sum(entries); got != want {
			t.Errorf("order %v: SHA-256 %s, want %s", before, got, want)
		}
		if !slices.Equal(paths(entries), before) {
			t.Error("Write changed the order of the caller's entries")
		}
	}
}

func paths(entries []squash.Entry) []string {
	var p []string
	for _, e := range entries {
		p = append(p, e.Path)
	}
	return p
}

func TestTime(t *testing.T) {
	var a, b memory
	for m, at := range map[*memory]time.Time{&a: stamp, &b: stamp.Add(999 * time.Millisecond).In(time.FixedZone("x", 3600))} {
		if _, err := squash.Write(m, small(), at); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.b, b.b) {
		t.Error("time zone or fraction of a second change the image")
	}
	for _, at := range []time.Time{time.Unix(-1, 0), time.Unix(1<<32, 0), {}} {
		if _, err := squash.Write(&discard{}, nil, at); err == nil {
			t.Errorf("modification time %v is accepted", at)
		}
	}
}

func TestEmpty(t *testing.T) {
	image := write(t, nil)
	if len(image) != 4096 {
		t.Errorf("%d bytes, want 4096", len(image))
	}
	compare(t, image, nil)
}

func TestRootMode(t *testing.T) {
	entries := []squash.Entry{file("-first", 0o644, nil), dir(".", 0o700)}
	compare(t, write(t, entries), entries)
}

// TestBlocks: content of every length around the block size.
func TestBlocks(t *testing.T) {
	var entries []squash.Entry
	for i, n := range []int{0, 1, 4095, 131_071, 131_072, 131_073, 262_144, 393_217} {
		entries = append(entries, file(fmt.Sprintf("f%d", i), 0o644, noise(uint64(i), n)))
	}
	entries = append(entries, file("zeros", 0o644, make([]byte, 200_000)))
	compare(t, write(t, entries), entries)
}

// TestLargeDirectories: listings over several headers and metadata blocks,
// with a long inode from 64 KiB on.
func TestLargeDirectories(t *testing.T) {
	for _, tt := range []struct {
		n, name int // entries, bytes of each name
		long    bool
	}{
		{256, 8, false},
		{257, 8, false},
		{1000, 12, false},
		{1000, 255, true},
		{5000, 8, true},
		{20000, 8, true},
	} {
		t.Run(fmt.Sprintf("%d entries of %d", tt.n, tt.name), func(t *testing.T) {
			var entries []squash.Entry
			for i := range tt.n {
				name := fmt.Sprintf("%0*d", tt.name, i)
				switch i % 3 {
				case 0:
					entries = append(entries, file("d/"+name, 0o644, []byte(name)))
				case 1:
					entries = append(entries, link("d/"+name, name))
				case 2:
					entries = append(entries, dir("d/"+name, 0o755))
				}
			}
			// Before and after it, so that no table starts with it.
			entries = append(entries, file("a/before", 0o644, []byte("1")), file("z/after", 0o644, []byte("2")))
			image := write(t, entries)
			r := compare(t, image, entries)
			items, _, _ := read(image)
			if got := items["d"].long; got != tt.long {
				t.Errorf("long inode: %v, want %v", got, tt.long)
			}
			if least := tt.n/256 + 2; r.runs < least {
				t.Errorf("%d headers, want at least %d", r.runs, least)
			}
			if least := tt.n * (8 + tt.name) / 8192; r.listingBlocks < least {
				t.Errorf("%d metadata blocks of listings, want at least %d", r.listingBlocks, least)
			}
		})
	}
}

// TestLongInode: a directory's inode is a long one from the first size on that
// the 16 bits of the other cannot say.
func TestLongInode(t *testing.T) {
	list := func(last int) (size uint32, long bool) {
		var entries []squash.Entry
		for i := range 4340 {
			entries = append(entries, link(fmt.Sprintf("d/%07d", i), "x"))
		}
		entries = append(entries, link("d/"+strings.Repeat("z", last), "x"))
		image := write(t, entries)
		compare(t, image, entries)
		items, _, _ := read(image)
		return items["d"].listing, items["d"].long
	}
	const most = 65535
	size, _ := list(1)
	fill := int(most-size) + 1
	if size, long := list(fill); size != most || long {
		t.Errorf("size %d, long %v; want %d in a basic inode", size, long, most)
	}
	if size, long := list(fill + 1); size != most+1 || !long {
		t.Errorf("size %d, long %v; want %d in a long inode", size, long, most+1)
	}
}

// TestLongRun: 256 entries behind one header, which needs inodes so small that
// one metadata block holds more: only links to short names.
func TestLongRun(t *testing.T) {
	var entries []squash.Entry
	for i := range 1000 {
		entries = append(entries, link(fmt.Sprintf("%03d", i), "x"))
	}
	r := compare(t, write(t, entries), entries)
	if r.maxRun != 256 {
		t.Errorf("largest run has %d entries, want 256", r.maxRun)
	}
}

func TestDeep(t *testing.T) {
	p := strings.Repeat("d/", 500) + "file"
	entries := []squash.Entry{file(p, 0o644, []byte("deep"))}
	compare(t, write(t, entries), entries)
}

func TestRefused(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, tt := range []struct {
		name    string
		entries []squash.Entry
		want    string
	}{
		{"twice", []squash.Entry{file("a/b", 0o644, nil), dir("c", 0o755), link("a/b", "c")}, "a/b: path is given twice"},
		{"directory twice", []squash.Entry{dir("a", 0o755), dir("a", 0o755)}, "a: path is given twice"},
		{"root twice", []squash.Entry{dir(".", 0o755), dir(".", 0o755)}, "path is given twice"},
		{"dot dot", []squash.Entry{file("a/../b", 0o644, nil)}, `path "a/../b" has the element ".."`},
		{"dot", []squash.Entry{file("./b", 0o644, nil)}, `path "./b" has the element "."`},
		{"empty path", []squash.Entry{file("", 0o644, nil)}, `path "" has an empty element`},
		{"absolute", []squash.Entry{file("/etc", 0o644, nil)}, `path "/etc" has an empty element`},
		{"slash at the end", []squash.Entry{dir("etc/", 0o755)}, `path "etc/" has an empty element`},
		{"two slashes", []squash.Entry{file("a//b", 0o644, nil)}, `path "a//b" has an empty element`},
		{"zero byte", []squash.Entry{file("a\x00b", 0o644, nil)}, "has a zero byte"},
		{"long name", []squash.Entry{file("a/"+long, 0o644, nil)}, "an element of 256 bytes"},
		{"below a file", []squash.Entry{file("a", 0o644, nil), file("a/b/c", 0o644, nil)}, "a/b: a is not a directory"},
		{"below a link", []squash.Entry{link("a", "b"), file("a/b", 0o644, nil)}, "a/b: a is not a directory"},
		{"root a file", []squash.Entry{file(".", 0o644, nil)}, `"." is the root and must be a directory`},
		{"no target", []squash.Entry{link("a", "")}, "a: link target"},
		{"long target", []squash.Entry{link("a", strings.Repeat("x", 4096))}, "a: link target"},
		{"device", []squash.Entry{{Path: "null", Mode: fs.ModeDevice | fs.ModeCharDevice | 0o666}}, "null: mode Dcrw-rw-rw- is none of"},
		{"negative", []squash.Entry{{Path: "a", Size: -1}}, "a: size -1 is not within"},
		{"4 GiB", []squash.Entry{{Path: "big", Size: 1 << 32, Open: (&content{}).open}}, "big: size 4294967296 is not within 0 to 4294967295"},
		{"nothing to open", []squash.Entry{{Path: "a", Size: 1}}, "a: 1 bytes are announced but there is nothing to open"},
		{"more than 4 GiB together", []squash.Entry{
			{Path: "a", Size: squash.MaxFileSize, Open: (&content{}).open},
			{Path: "b", Size: 1, Open: (&content{}).open},
		}, "b: the files before it have more than 4 GiB together"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var d discard
			_, err := squash.Write(&d, tt.entries, stamp)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if d.n != 0 {
				t.Errorf("%d bytes were written before the entries were refused", d.n)
			}
		})
	}
}

func TestSources(t *testing.T) {
	broken := errors.New("disk on fire")
	source := func(size int64, r io.Reader) (*content, squash.Entry) {
		c := &content{Reader: r}
		return c, squash.Entry{Path: "dir/name", Mode: 0o644, Size: size, Open: c.open}
	}
	for _, tt := range []struct {
		name string
		size int64
		r    io.Reader
		want string // empty: no error
	}{
		{"right", 5, strings.NewReader("hello"), ""},
		{"empty", 0, strings.NewReader(""), ""},
		{"byte by byte", 5, iotest.OneByteReader(strings.NewReader("hello")), ""},
		{"short", 6, strings.NewReader("hello"), "dir/name: source has 5 bytes, 6 were announced"},
		{"long", 4, strings.NewReader("hello"), "dir/name: source has more than the 4 bytes"},
		{"not empty", 0, strings.NewReader("hello"), "dir/name: source has more than the 0 bytes"},
		{"broken", 5, iotest.ErrReader(broken), "dir/name: disk on fire"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, e := source(tt.size, tt.r)
			var m memory
			_, err := squash.Write(&m, []squash.Entry{e}, stamp)
			if tt.want == "" && err != nil {
				t.Error(err)
			}
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				if _, _, err := read(append(m.b, make([]byte, 4096)...)[:4096]); err == nil {
					t.Error("a failed image can be read")
				}
			}
			if c.opened != 1 || c.closed != 1 {
				t.Errorf("opened %d times, closed %d times", c.opened, c.closed)
			}
		})
	}
	e := squash.Entry{Path: "a", Size: 1, Open: func() (io.ReadCloser, error) { return nil, broken }}
	if _, err := squash.Write(&discard{}, []squash.Entry{e}, stamp); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

// fails fails at the n-th write.
type fails struct {
	n   int
	err error
}

func (f *fails) WriteAt(p []byte, off int64) (int, error) {
	if f.n--; f.n < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func TestWriteErrors(t *testing.T) {
	full := errors.New("no room")
	entries := []squash.Entry{file("a", 0o644, []byte("x"))}
	for n := range 3 { // content, tables, superblock
		if _, err := squash.Write(&fails{n, full}, entries, stamp); !errors.Is(err, full) {
			t.Errorf("write %d fails: %v", n+1, err)
		}
	}
	if _, err := squash.Write(&fails{3, full}, entries, stamp); err != nil {
		t.Errorf("no write fails: %v", err)
	}
}

// FuzzWrite: any path and content is refused or read back as it was.
func FuzzWrite(f *testing.F) {
	f.Add("etc/hostname", "etc", []byte("station\n"), uint32(0o644))
	f.Add("a/../b", "a", []byte(nil), uint32(0o777))
	f.Add("a-b", "a/b", bytes.Repeat([]byte("x"), 131_073), uint32(0))
	f.Add(".", "x", []byte(nil), uint32(fs.ModeDir|0o755))
	f.Fuzz(func(t *testing.T, p, target string, data []byte, mode uint32) {
		e := file(p, fs.FileMode(mode), data)
		switch e.Mode.Type() {
		case fs.ModeDir:
			e = dir(p, e.Mode)
		case fs.ModeSymlink:
			e = squash.Entry{Path: p, Mode: e.Mode, Target: target}
		}
		entries := []squash.Entry{e, file("z/z", 0o600, []byte("z"))}
		var m memory
		if _, err := squash.Write(&m, entries, stamp); err != nil {
			return
		}
		items, _, err := read(m.b)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := items[p]
		if !ok {
			t.Fatalf("%q is missing", p)
		}
		if e.Mode.IsRegular() && !bytes.Equal(got.data, data) {
			t.Errorf("%q: content differs", p)
		}
		if e.Mode.Type() != got.mode.Type() || got.target != e.Target {
			t.Errorf("%q: mode %v, target %q; want %v, %q", p, got.mode, got.target, e.Mode, e.Target)
		}
	})
}

// zeros is an endless source.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestStreaming: content goes through, memory does not grow with it.
func TestStreaming(t *testing.T) {
	const size = 256 << 20
	c := &content{Reader: io.LimitReader(zeros{}, size)}
	var d discard
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, err := squash.Write(&d, []squash.Entry{{Path: "big", Mode: 0o644, Size: size, Open: c.open}}, stamp)
	runtime.ReadMemStats(&after)
	if err != nil {
		t.Fatal(err)
	}
	if d.n != n || n < size || n > size+64<<10 {
		t.Errorf("%d bytes written, size is %d", d.n, n)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
		t.Errorf("%d bytes were allocated for %d bytes of content, want at most 1 MiB", got, size)
	}
}

// BenchmarkWrite writes what a root holds: 64 MiB in 1000 files.
func BenchmarkWrite(b *testing.B) {
	data := noise(1, 64<<20/1000)
	var entries []squash.Entry
	for i := range 1000 {
		entries = append(entries, file(fmt.Sprintf("lib/modules/%d/%d.ko", i%10, i), 0o644, data))
	}
	b.SetBytes(int64(len(data)) * 1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := squash.Write(&discard{}, entries, stamp); err != nil {
			b.Fatal(err)
		}
	}
}
