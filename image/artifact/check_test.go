package artifact_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/artifact"
)

// files are n files of a slot.
func files(n, object int) []artifact.SlotFile {
	list := make([]artifact.SlotFile, n)
	for i := range list {
		list[i] = artifact.SlotFile{Path: fmt.Sprintf("overlays/%d.dtbo", i), Object: object}
	}
	return list
}

// TestCheck: each thing that is wrong is said, alone.
func TestCheck(t *testing.T) {
	good, _ := sample(t)
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	type manifest = artifact.Manifest
	path := func(s string) func(*manifest) { return func(m *manifest) { m.Slots["a"][0].Path = s } }
	version := func(s string) func(*manifest) { return func(m *manifest) { m.Version, m.MinFrom = s, "" } }
	for say, changes := range map[string][]func(*manifest){
		"board, arch or channel": {
			func(m *manifest) { m.Board = "" }, func(m *manifest) { m.Board = "Rpi" }, func(m *manifest) { m.Board = "../rpi" },
			func(m *manifest) { m.Arch = "arm 64" }, func(m *manifest) { m.Channel = "4" }, func(m *manifest) { m.Channel = "-" },
			func(m *manifest) { m.Channel = strings.Repeat("x", 33) },
		},
		"no semantic version such as": {
			version(""), version("v1.2.3"), version("1.2"), version("1.2.3+build"), version("1.2.03"), version("1.2.3-"),
			version("1.2.3-" + strings.Repeat("x", 60)), version("1.2.3 "),
		},
		"no semantic version up to": {func(m *manifest) { m.MinFrom = "x" }, func(m *manifest) { m.MinFrom = "1.2.3" }, func(m *manifest) { m.MinFrom = "1.10.0" }},
		"epoch":                     {func(m *manifest) { m.Epoch = -1 }, func(m *manifest) { m.Epoch = 1<<20 + 1 }},
		"min_eeprom":                {func(m *manifest) { m.MinEEPROM = -1 }, func(m *manifest) { m.MinEEPROM = 1 << 40 }},
		"notes": {
			func(m *manifest) { m.Notes = strings.Repeat("x", 4097) }, func(m *manifest) { m.Notes = "\x1b[31m" },
			func(m *manifest) { m.Notes = "\xff" }, func(m *manifest) { m.Notes = "\u202e" },
		},
		"files/SHA-256.pack": {
			func(m *manifest) { m.Pack.Name = "files/x.pack" }, func(m *manifest) { m.Pack.Name = "../" + m.Pack.Name },
			func(m *manifest) { m.Pack.Name += "/x" }, func(m *manifest) { m.Pack.Name = artifact.DeltaName(m.Chunks[0].Sum) },
		},
		".pack: ":         {func(m *manifest) { m.Pack.Size = 0 }, func(m *manifest) { m.Pack.Size = 1 << 30 }},
		"chunk 1: stands": {func(m *manifest) { m.Chunks[1].Sum = m.Chunks[0].Sum }, func(m *manifest) { m.Chunks[1].PackedSum = m.Chunks[0].PackedSum }},
		"chunk 1: at": {
			func(m *manifest) { m.Chunks[1].Offset-- }, func(m *manifest) { m.Chunks[1].Offset = m.Pack.Size },
			func(m *manifest) { m.Chunks[1].Offset = 1<<63 - 1 }, func(m *manifest) { m.Chunks[1].Offset = -1 },
		},
		"bytes in": {
			func(m *manifest) { m.Chunks[0].Packed = 0 }, func(m *manifest) { m.Chunks[0].Packed = artifact.MaxPacked + 1 },
			func(m *manifest) { m.Chunks[0].Size = 0 }, func(m *manifest) { m.Chunks[0].Size = artifact.ChunkSize + 1 },
		},
		"of a pack of":           {func(m *manifest) { m.Pack.Size-- }},
		"chunks and":             {func(m *manifest) { m.Chunks = make([]artifact.Chunk, 4097) }, func(m *manifest) { m.Objects = make([]artifact.Object, 4097) }},
		"object 1: stands twice": {func(m *manifest) { m.Objects[1] = m.Objects[0] }},
		"object 0: chunk":        {func(m *manifest) { m.Objects[0].Chunks[0] = -1 }, func(m *manifest) { m.Objects[0].Chunks[0] = len(m.Chunks) }},
		"not its last":           {func(m *manifest) { c := m.Objects[0].Chunks; c[0], c[3] = c[3], c[0] }},
		"another SHA-256":        {func(m *manifest) { m.Objects[1].Sum[0]++ }, func(m *manifest) { m.Objects[readme].Sum[0]++ }},
		"object 0: ":             {func(m *manifest) { m.Objects[0].Size-- }, func(m *manifest) { m.Objects[0].Size = 512<<20 + 1 }, func(m *manifest) { m.Objects[0].Size = -1 }},
		"root: ":                 {func(m *manifest) { m.Root = -1 }, func(m *manifest) { m.Root = len(m.Objects) }, func(m *manifest) { m.Root = readme }},
		"a and b are expected":   {func(m *manifest) { delete(m.Slots, "b") }, func(m *manifest) { m.Slots["c"] = m.Slots["b"] }},
		"slot b: 0 files":        {func(m *manifest) { m.Slots["b"] = nil }, func(m *manifest) { delete(m.Slots, "b"); m.Slots["c"] = m.Slots["a"] }},
		"slot b: 513 files":      {func(m *manifest) { m.Slots["b"] = files(513, kernel) }},
		"no relative path": {
			path(""), path(".."), path("/x"), path("x/"), path("x//y"), path("../x"), path("x/../y"), path("./x"),
			path(strings.Repeat("x/", 100) + "y"), path("x\xffy"),
		},
		"slot a: ":            {path("."), path(`x\y`), path("c:x"), path("x\ny"), path("x."), path(" x"), path("x*"), path("ROOM.BIN"), path("room.bin")},
		"two of that name":    {path("KERNEL8.IMG"), path("overlays"), path("kernel8.img"), path("Overlays/readme")},
		"cmdline.txt: object": {func(m *manifest) { m.Slots["b"][0].Object = -1 }, func(m *manifest) { m.Slots["b"][0].Object = len(m.Objects) }},
		"left in slot b":      {func(m *manifest) { m.Slots["b"] = files(400, kernel) }},
		"root partition has":  {func(m *manifest) { fill(&m.Objects[root], 512<<20) }},
		"17 deltas":           {func(m *manifest) { m.Deltas = make([]artifact.Delta, 17) }},
		"delta 0: to object":  {func(m *manifest) { m.Deltas[0].To = -1 }, func(m *manifest) { m.Deltas[0].To = len(m.Objects) }},
		"files/SHA-256.delta": {func(m *manifest) { m.Deltas[0].File.Name = m.Pack.Name }},
		".delta: ":            {func(m *manifest) { m.Deltas[0].File.Size = 0 }},
		"not named after":     {func(m *manifest) { m.Deltas[0].Sum[0]++ }},
		"delta 0: from ":      {func(m *manifest) { m.Deltas[0].FromSize = 0 }, func(m *manifest) { m.Deltas[0].FromSize = 512<<20 + 1 }},
		"from what it makes":  {func(m *manifest) { m.Deltas[0].From = m.Objects[root].Sum }},
		"delta 1: stands":     {func(m *manifest) { m.Deltas = append(m.Deltas, m.Deltas[0]) }},
	} {
		for i, change := range changes {
			m := copied(t, good)
			change(m)
			err := m.Check()
			if !errors.Is(err, artifact.ErrManifest) || !strings.Contains(err.Error(), say) {
				t.Errorf("%q, %d: error %v", say, i, err)
			}
			if _, encoded := m.Encode(); encoded == nil {
				t.Errorf("%q, %d: it is written", say, i)
			}
		}
	}
}

// fill lets an object be of size bytes, the same chunk again and again.
func fill(o *artifact.Object, size int64) {
	o.Size = size
	o.Chunks = make([]int, size/artifact.ChunkSize)
}

// TestCheckAllows: what is at its limits is not refused.
func TestCheckAllows(t *testing.T) {
	good, _ := sample(t)
	for name, change := range map[string]func(*artifact.Manifest){
		"all of a root partition": func(m *artifact.Manifest) { fill(&m.Objects[root], 507<<20) },
		"all of a slot":           func(m *artifact.Manifest) { m.Slots["a"] = files(375, kernel) },
		"many files":              func(m *artifact.Manifest) { m.Slots["b"] = files(512, cmdlineB) },
		"other chunks behind":     func(m *artifact.Manifest) { m.Pack.Size += 100 },
		"other chunks between":    func(m *artifact.Manifest) { m.Chunks[len(m.Chunks)-1].Offset += 100; m.Pack.Size += 100 },
		"no deltas":               func(m *artifact.Manifest) { m.Deltas = nil },
		"long notes":              func(m *artifact.Manifest) { m.Notes = strings.Repeat("é\n", 1365) },
		"from itself":             func(m *artifact.Manifest) { m.MinFrom = m.Version },
		"long ago":                func(m *artifact.Manifest) { m.MinFrom, m.MinEEPROM, m.Epoch = "0.0.0-0", 0, 0 },
	} {
		m := copied(t, good)
		change(m)
		if err := m.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
