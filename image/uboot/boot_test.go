//go:build linux

package uboot

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
	"github.com/truechimer/truechimer/image/disk"
)

// on is a slot that says its name and switches the machine off, back one that
// says its name and restarts it, as a kernel that panics does.
func on(name string) *slot {
	return &slot{Slot: Slot{Bootargs: "truechimer.slot=" + name}, kernel: stub("[kernel "+name+"]\n", psciOff)}
}

func back(name string) *slot {
	return &slot{Slot: Slot{Bootargs: "truechimer.slot=" + name}, kernel: stub("[kernel "+name+"]\n", psciReset)}
}

func (s *slot) but(spoil func(map[string][]byte)) *slot {
	s.spoil = spoil
	return s
}

// state is a state partition; nil records are blank.
func state(copy1, copy2, try []byte) []byte {
	b := make([]byte, disk.StateSize)
	copy(b[bootfs.CommittedSector1:], copy1)
	copy(b[bootfs.CommittedSector2:], copy2)
	copy(b[bootfs.TrySector:], try)
	return b
}

func committed(slot byte) []byte { return record(bootfs.CommittedMagic, slot) }
func try(slot byte) []byte       { return record(bootfs.TryMagic, slot) }

var kernels = regexp.MustCompile(`\[kernel ([ab])\]`)

// started lists the slots whose kernels have run, in order.
func started(console string) (list []string) {
	for _, m := range kernels.FindAllStringSubmatch(console, -1) {
		list = append(list, m[1])
	}
	return list
}

// TestBoot starts the virt machine with the real U-Boot, with the environment
// of ours, while the console is flooded.
func TestBoot(t *testing.T) {
	env, err := Virt().Environment()
	if err != nil {
		t.Fatal(err)
	}
	dirty := func(b []byte) []byte { b[300] = 1; return b }
	for i, tt := range []struct {
		name              string
		copy1, copy2, try []byte
		a, b              *slot
		readOnly          bool
		want              []string
		says              string
	}{
		{name: "blank state", want: []string{"a"}},
		{name: "committed b", copy1: committed('b'), copy2: committed('b'), want: []string{"b"}},
		{name: "committed a, copies differ", copy1: committed('a'), copy2: committed('b'), want: []string{"a"}},
		{name: "copy 1 lost", copy2: committed('b'), want: []string{"b"}},
		{name: "copy 1 torn: magic alone", copy1: []byte(bootfs.CommittedMagic), copy2: committed('a'), want: []string{"a"}},
		{name: "copy 1 torn: half the magic", copy1: []byte("TC"), copy2: committed('b'), want: []string{"b"}},
		{name: "copy 1 with another letter", copy1: committed('c'), copy2: committed('b'), want: []string{"b"}},
		{name: "copy 1 with garbage behind", copy1: dirty(committed('a')), copy2: committed('b'), want: []string{"b"}},
		{name: "both torn", copy1: []byte(bootfs.CommittedMagic), copy2: []byte("T"), want: []string{"a"}},
		{name: "try b", copy1: committed('a'), copy2: committed('a'), try: try('b'), b: back("b"), want: []string{"b", "a"}},
		{name: "try b, never committed before", try: try('b'), b: back("b"), want: []string{"b", "a"}},
		{name: "try a", copy1: committed('b'), copy2: committed('b'), try: try('a'), a: back("a"), want: []string{"a", "b"}},
		{name: "tried already", copy1: committed('a'), try: try(bootfs.TryNothing), want: []string{"a"}},
		{name: "try record torn: magic alone", copy1: committed('a'), try: []byte(bootfs.TryMagic), want: []string{"a"}},
		{name: "try record of another letter", copy1: committed('a'), try: try('c'), want: []string{"a"}},
		{name: "read-only disk", copy1: committed('a'), copy2: committed('a'), try: try('b'), readOnly: true, want: []string{"a"}, says: "cannot be cleared"},
		{name: "tried slot without kernel", try: try('b'), b: on("b").but(func(f map[string][]byte) { delete(f, KernelName) }), want: []string{"a"}, says: "back to the committed"},
		{name: "tried slot without boot.env", try: try('b'), b: on("b").but(func(f map[string][]byte) { delete(f, SlotFileName) }), want: []string{"a"}, says: "back to the committed"},
		{name: "tried slot empty", try: try('b'), b: &slot{}, want: []string{"a"}, says: "back to the committed"},
		{name: "tried slot truncated", try: try('b'), b: on("b").but(func(f map[string][]byte) { f[KernelName] = f[KernelName][:100] }), want: []string{"a"}, says: "back to the committed"},
		{name: "tried slot's kernel rotten", try: try('b'), b: on("b").but(func(f map[string][]byte) { f[KernelName] = flip(f[KernelName], 4000) }), want: []string{"a"}, says: "back to the committed"},
		{name: "tried slot's boot.env rotten", try: try('b'), b: on("b").but(func(f map[string][]byte) { f[SlotFileName] = flip(f[SlotFileName], 20) }), want: []string{"a"}, says: "bad CRC"},
		{name: "tried slot's initrd lost", try: try('b'), b: withInitrd("b").but(func(f map[string][]byte) { delete(f, InitrdName) }), want: []string{"a"}, says: "back to the committed"},
		{name: "committed slot rotten", copy1: committed('b'), b: on("b").but(func(f map[string][]byte) { f[KernelName] = flip(f[KernelName], 4000) }), want: []string{"a"}, says: "trying the other one"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := tt.a, tt.b
			if a == nil {
				a = on("a")
			}
			if b == nil {
				b = on("b")
			} else if b.kernel == nil {
				b = nil
			}
			before := state(tt.copy1, tt.copy2, tt.try)
			image := write(t, a, b, before)
			out := virt{disk: image, env: env, readOnly: tt.readOnly, flood: int64(i + 1)}.run(t, "")
			if got := started(out); !slices.Equal(got, tt.want) {
				t.Errorf("started %q, want %q; the console:\n%s", got, tt.want, out)
			}
			if !bytes.Contains([]byte(out), []byte(tt.says)) {
				t.Errorf("the console does not say %q:\n%s", tt.says, out)
			}
			// Nothing but a cleared trial was written.
			after := make([]byte, disk.StateSize)
			f, err := os.Open(image)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.ReadAt(after, disk.StateStart); err != nil {
				t.Fatal(err)
			}
			if !tt.readOnly && (bytes.Equal(tt.try, try('a')) || bytes.Equal(tt.try, try('b'))) {
				copy(before[bootfs.TrySector:], try(bootfs.TryNothing))
			}
			if !bytes.Equal(before, after) {
				t.Error("the state partition is not what it should be")
			}
		})
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

func withInitrd(name string) *slot {
	s := on(name)
	s.initrd = bytes.Repeat([]byte("initrd"), 1000)
	return s
}
