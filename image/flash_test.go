package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/image/disk"
	"github.com/truechimer/truechimer/image/flash"
)

// plainFile is a card that is a file.
type plainFile struct{ *os.File }

func (plainFile) Forget() error { return nil }

// reader makes a system with one card reader, and cards that are files in dir.
func reader(t *testing.T, count int) (cards flash.Cards, dir string, said *strings.Builder) {
	t.Helper()
	dir, said = t.TempDir(), &strings.Builder{}
	put := func(name, content string) {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("sys/dev/block/8:0/size", fmt.Sprint(disk.DiskSize/512))
	put("sys/dev/block/8:0/removable", "1")
	put("sys/dev/block/8:0/diskseq", "1")
	put("proc/self/mountinfo", "")
	n := 0
	return flash.Cards{
		System: flash.System{Sys: filepath.Join(dir, "sys"), Proc: filepath.Join(dir, "proc"),
			Device: func(string) (string, bool, error) { return "8:0", true, nil }},
		Device: "/dev/sdx", Count: count, Now: time.Now, Report: func(flash.Step) {},
		Open: func(string) (flash.Device, error) {
			n++
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("card%d", n)))
			return plainFile{f}, err
		},
		In: bufio.NewReader(readerFunc(func(b []byte) (int, error) {
			put("sys/dev/block/8:0/diskseq", fmt.Sprint(n+1))
			return copy(b, "\n"), nil
		})),
		Say:   func(format string, args ...any) { fmt.Fprintf(said, format+"\n", args...) },
		Sleep: func(context.Context, time.Duration) error { return nil },
	}, dir, said
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

// Two cards with one configuration are the same bytes, and the image but for
// the configuration.
func TestFlashWithConfig(t *testing.T) {
	image := filepath.Join(t.TempDir(), "x.img.zst")
	plain := buildFor(t, buildOptions{})
	compress(t, image, plain)
	toml := bytes.Repeat([]byte("# much to say\n"), 1000)
	toml = append(toml, "[[server]]\naddress = \"192.0.2.1\"\n"...)
	file := filepath.Join(t.TempDir(), "mine.toml")
	if err := os.WriteFile(file, toml, 0o600); err != nil {
		t.Fatal(err)
	}
	cards, dir, said := reader(t, 2)
	if err := flashImage(t.Context(), image, file, cards); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "card 2 of 2: written and verified") || !strings.Contains(said.String(), "take it out") {
		t.Errorf("it says %q", said)
	}
	one, two := inspectFile(t, filepath.Join(dir, "card1")), inspectFile(t, filepath.Join(dir, "card2"))
	if same, at, err := sameBytes(section(one, 0, one.size), section(two, 0, two.size)); !same {
		t.Errorf("the cards differ from byte %d on, %v", at, err)
	}
	if !bytes.Equal(one.made.Config, toml) {
		t.Error("the card does not hold the configuration")
	}
	differences, err := compareImages(one, inspectFile(t, plain))
	if err != nil || len(differences) != 1 || !strings.Contains(differences[0], "/"+config.FileName) {
		t.Errorf("the card differs from its image in %q, %v", differences, err)
	}
	// Without a configuration, byte for byte.
	cards, dir, _ = reader(t, 1)
	if err := flashImage(t.Context(), image, "", cards); err != nil {
		t.Fatal(err)
	}
	want := inspectFile(t, plain)
	got := inspectFile(t, filepath.Join(dir, "card1"))
	if same, at, err := sameBytes(io.NewSectionReader(got.file, 0, got.size), io.NewSectionReader(want.file, 0, want.size)); !same {
		t.Errorf("the card differs from its image from byte %d on, %v", at, err)
	}
}

func TestFlashRefuses(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.toml")
	if err := os.WriteFile(bad, []byte("[[server]]\naddress = 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := configured(t.Context(), "unused", bad, dir); err == nil || !strings.Contains(err.Error(), bad+":2:11: ") {
		t.Errorf("a wrong configuration: %v", err)
	}
	cards, place, _ := reader(t, 1)
	if err := flashImage(t.Context(), bad, "", cards); err == nil || !strings.Contains(err.Error(), "no station's image") {
		t.Errorf("no image: %v", err)
	}
	if err := flashImage(t.Context(), filepath.Join(dir, "gone"), "", cards); err == nil {
		t.Error("no file is fine")
	}
	if _, err := os.Stat(filepath.Join(place, "card1")); err == nil {
		t.Error("the card was opened all the same")
	}
	for _, args := range [][]string{nil, {"x.img"}, {"-to", "/dev/sdx"}, {"-to", "/dev/sdx", "a", "b"}} {
		if err := flashCommand(t.Context(), args); err == nil || !strings.Contains(err.Error(), "lsblk") {
			t.Errorf("%q: %v", args, err)
		}
	}
}
