package artifact_test

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

func TestManifest(t *testing.T) {
	m, _ := sample(t)
	b := encode(t, m)
	got, err := artifact.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Errorf("what was written as\n%+v\nis read as\n%+v", m, got)
	}
	if again := encode(t, got); !bytes.Equal(again, b) {
		t.Errorf("%s\nis written as\n%s", b, again)
	}
}

// TestGolden: a manifest that was written once is read for good, and written
// the same way.
func TestGolden(t *testing.T) {
	want, err := os.ReadFile("testdata/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	m, err := artifact.Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(t, m); !bytes.Equal(got, want) {
		t.Errorf("it is written as\n%s", got)
	}
	if m.Version != "1.2.0" || m.Epoch != 3 || m.Chunks[1].Packed != 70 || m.Objects[m.Root].Size != 262244 || m.Slots["b"][0].Path != "cmdline.txt" {
		t.Errorf("%+v", m)
	}
}

// TestParse: what a later version may add is passed over, what readers could
// understand differently is not.
func TestParse(t *testing.T) {
	m, _ := sample(t)
	good := string(encode(t, m))
	list := strings.TrimSuffix(strings.Repeat("1,", 5000), ",")
	for name, c := range map[string]struct {
		change []string // old, new
		err    error
		say    string
	}{
		"more fields":         {change: []string{`"format":1`, `"format":1,"wave":{"salt":"x","steps":[[1,2],[{"y":3}]]}`}},
		"space":               {change: []string{`"format":1`, "\n \"format\" :\t1 "}},
		"a later format":      {change: []string{`"format":1`, `"format":2`, `"board":"rpi"`, `"board":["rpi"]`}, err: artifact.ErrFormat},
		"no format":           {change: []string{`"format":1,`, ``}, say: "format 0"},
		"format below":        {change: []string{`"format":1`, `"format":-1`}, say: "format -1"},
		"format of text":      {change: []string{`"format":1`, `"format":"1"`}, say: "format"},
		"trailing":            {change: []string{"\n", "\n{}"}, say: "after top-level value"},
		"cut":                 {change: []string{"}\n", ""}, say: "unexpected end"},
		"twice":               {change: []string{`"epoch":2`, `"epoch":2,"epoch":0`}, say: `"epoch" stands twice`},
		"twice, written else": {change: []string{`"epoch":2`, `"epoch":2,"\u0065poch":0`}, say: `"epoch" stands twice`},
		"twice, deeper":       {change: []string{`{"path":"cmdline.txt"`, `{"path":"cmdline.txt","path":"x"`}, say: `"path" stands twice`},
		"slot twice":          {change: []string{`"a":[`, `"b":[],"a":[`}, say: `"b" stands twice`},
		"case":                {change: []string{`"epoch":2`, `"Epoch":2`}, say: `the name "Epoch"`},
		"folded":              {change: []string{`"chunks":[`, "\"chun\u212As\":["}, say: "the name"},
		"no name":             {change: []string{`"epoch":2`, `"epoch":2,"":1`}, say: `the name ""`},
		"null":                {change: []string{`"epoch":2`, `"epoch":null`}, say: "null"},
		"null in a list":      {change: []string{`"chunks":[0`, `"chunks":[null,0`}, say: "null"},
		"a long list":         {change: []string{`"epoch":2`, `"epoch":2,"x":[` + list + `]`}, say: "a list of more than 4096"},
		"deep":                {change: []string{`"epoch":2`, `"epoch":2,"x":` + strings.Repeat("[", 100) + strings.Repeat("]", 100)}, say: "deep"},
		"not UTF-8":           {change: []string{"Better", "B\xffetter"}, say: "UTF-8"},
		"a fraction":          {change: []string{`"epoch":2`, `"epoch":2.5`}, say: "epoch"},
		"a huge number":       {change: []string{`"epoch":2`, `"epoch":99999999999999999999`}, say: "epoch"},
		"short sum":           {change: []string{`"from":"04`, `"from":"4`}, say: "not a SHA-256"},
		"long sum":            {change: []string{`"from":"04`, `"from":"0404`}, say: "not a SHA-256"},
		"upper case sum":      {change: []string{`"from":"04`, `"from":"0A`}, say: "not a SHA-256"},
		"sum of others":       {change: []string{`"from":"04`, `"from":"0x`}, say: "not a SHA-256"},
		"a number":            {change: []string{good, "1"}, say: "cannot unmarshal"},
		"a list":              {change: []string{good, "[]"}, say: "cannot unmarshal"},
		"nothing":             {change: []string{good, ""}, say: "unexpected end"},
		"an end":              {change: []string{good, "]"}, say: "invalid character"},
		"too large":           {change: []string{"\n", strings.Repeat(" ", artifact.MaxManifest)}, say: "at most 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			s := good
			for i := 0; i < len(c.change); i += 2 {
				if !strings.Contains(s, c.change[i]) {
					t.Fatalf("%q is not in %s", c.change[i], s)
				}
				s = strings.Replace(s, c.change[i], c.change[i+1], 1)
			}
			_, err := artifact.Parse([]byte(s))
			switch {
			case c.err == nil && c.say == "":
				if err != nil {
					t.Error(err)
				}
			case c.err != nil:
				if !errors.Is(err, c.err) {
					t.Errorf("error %v, not %v", err, c.err)
				}
			case !errors.Is(err, artifact.ErrManifest) || !strings.Contains(err.Error(), c.say):
				t.Errorf("error %v, not %q", err, c.say)
			}
		})
	}
}

func TestStage(t *testing.T) {
	m, _ := sample(t)
	objects, end := m.Stage(bootfs.SlotB)
	want := []artifact.Staged{{root, 0}, {cmdlineB, 4 << 20}, {kernel, 4<<20 + 4096}, {readme, 4<<20 + 4096 + artifact.ChunkSize}}
	if !reflect.DeepEqual(objects, want) || end != 4<<20+4096+artifact.ChunkSize {
		t.Errorf("%v to %d, not %v", objects, end, want)
	}
}

// TestEncodeLarge: a manifest that stations would refuse for its size is not
// written.
func TestEncodeLarge(t *testing.T) {
	m, _ := sample(t)
	for i := range 4000 {
		c := artifact.Chunk{Offset: m.Pack.Size, Packed: 1, PackedSum: artifact.Sum{9, byte(i), byte(i >> 8)}, Size: 1, Sum: artifact.Sum{9, byte(i), byte(i >> 8)}}
		m.Pack.Size++
		m.Objects = append(m.Objects, artifact.Object{Sum: c.Sum, Size: 1, Chunks: []int{len(m.Chunks)}})
		m.Chunks = append(m.Chunks, c)
	}
	if _, err := m.Encode(); err == nil || !strings.Contains(err.Error(), "bytes of JSON") {
		t.Errorf("error %v", err)
	}
}

// FuzzParse: what is accepted is written so that it is read as the same, and
// every object lies where the chunks of the pack and a card have room for it.
func FuzzParse(f *testing.F) {
	golden, err := os.ReadFile("testdata/manifest.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Add(bytes.Replace(golden, []byte(`"pack":`), []byte(`"rollout":{"start":1,"paused":2,"steps":[{"after":0,"share":1},{"after":9,"share":10000}]},"pack":`), 1))
	f.Add([]byte(`{"format":2,"board":[1]}`))
	f.Add([]byte(`{"format":1,"chunks":[{}],"objects":[{"chunks":[0,0]}],"slots":{"a":[{"path":"../x"}]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := artifact.Parse(b)
		if err != nil {
			if !errors.Is(err, artifact.ErrManifest) && !errors.Is(err, artifact.ErrFormat) {
				t.Error(err)
			}
			return
		}
		again, err := artifact.Parse(encode(t, m))
		if err != nil || !bytes.Equal(encode(t, again), encode(t, m)) {
			t.Errorf("%+v is read as %+v, %v", m, again, err)
		}
		if at, _ := m.Rollout.Due(artifact.Buckets - 1); at.IsZero() != (m.Rollout == nil) {
			t.Errorf("the last station's turn is %v: %+v", at, m.Rollout)
		}
		for i, o := range m.Objects {
			var size int64
			for at, c := range m.ObjectChunks(i) {
				if at != size || c.Offset < 0 || c.Offset+int64(c.Packed) > m.Pack.Size {
					t.Errorf("object %d: a chunk of %d bytes at %d, for %d", i, c.Packed, c.Offset, at)
				}
				size += int64(c.Size)
			}
			if size != o.Size {
				t.Errorf("object %d: %d bytes, not %d", i, size, o.Size)
			}
		}
		for _, slot := range []bootfs.Slot{bootfs.SlotA, bootfs.SlotB} {
			if objects, end := m.Stage(slot); end > 512<<20 || len(objects) > 1+artifact.MaxSlotFiles {
				t.Errorf("slot %s: %d objects to %d", slot, len(objects), end)
			}
		}
	})
}
