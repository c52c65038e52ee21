package powercut

import (
	"path/filepath"
	"testing"

	"github.com/truechimer/truechimer/image/bootfs"
)

// TestCheckFAT: it finds what fsck.fat finds.
func TestCheckFAT(t *testing.T) {
	needs(t, "fsck.fat", "dosfstools")
	image := filepath.Join(t.TempDir(), "boot.img")
	for _, tt := range []struct {
		name string
		do   func(p1 Part, toml int64, cluster int)
		want FaultKind
	}{
		{"nothing", func(Part, int64, int) {}, ""},
		{"lost", func(p1 Part, _ int64, _ int) { setFAT(p1, 600, 0xffff) }, Lost},
		{"lost chain", func(p1 Part, _ int64, _ int) { setFAT(p1, 600, 601); setFAT(p1, 601, 0xffff) }, Lost},
		{"bad cluster", func(p1 Part, _ int64, _ int) { setFAT(p1, 600, 0xfff7) }, ""},
		{"shared", func(p1 Part, at int64, c int) { p1.WriteAt([]byte{byte(c + 1)}, at+26) }, Crossed},
		{"too long", func(p1 Part, at int64, c int) { setFAT(p1, c, 600); setFAT(p1, 600, 0xffff) }, BadChain},
		{"too short", func(p1 Part, at int64, c int) { p1.WriteAt([]byte{0, 0x30}, at+28) }, BadChain},
		{"free", func(p1 Part, at int64, c int) { setFAT(p1, c, 0) }, BadChain},
		{"nowhere", func(p1 Part, at int64, c int) { setFAT(p1, c, 0xfff0) }, BadChain},
		{"loop", func(p1 Part, at int64, c int) { setFAT(p1, c, uint16(c)) }, Crossed},
		{"two of one name", func(p1 Part, at int64, c int) { p1.WriteAt([]byte("CONFIG  TXT"), at) }, Duplicate},
		{"slot without its beginning", func(p1 Part, at int64, c int) { p1.WriteAt(make([]byte, 64), bootfs.SlotAOffset) }, BadDir},
		{"no boot sector", func(p1 Part, at int64, c int) { p1.WriteAt(make([]byte, 512), 0) }, BadHead},
	} {
		card := newCard(t)
		p1 := bootPart(card)
		at := findEntry(t, p1, "TRUECH~1TOM")
		b := make([]byte, 2)
		p1.ReadAt(b, at+26)
		tt.do(p1, at, int(b[0])|int(b[1])<<8)
		var got FaultKind
		if f := CheckFAT(p1); len(f) > 0 {
			got = f[0].Kind
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		// The real one does not look for the beginning of a directory.
		if out, ok := fsck(t, card, image); ok != (tt.want == "") && tt.want != BadDir {
			t.Errorf("%s: fsck.fat: %v\n%s", tt.name, ok, out)
		}
	}
}
