package led

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake makes an LED as the kernel shows one.
func fake(t *testing.T, trigger string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"trigger": trigger, "brightness": "0\n"} {
		path := filepath.Join(dir, "ACT", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shown is what the LED does, a letter for each quarter of a second: # on, . off.
func shown(dir string, d time.Duration) string {
	var b strings.Builder
	time.Sleep(blink / 2)
	for range d / blink {
		level, _ := os.ReadFile(filepath.Join(dir, "ACT", "brightness"))
		b.WriteByte(map[bool]byte{true: '#', false: '.'}[strings.TrimSpace(string(level)) == "255"])
		time.Sleep(blink)
	}
	return b.String()
}

// TestPatterns lives some seconds of each, and of changes between them.
func TestPatterns(t *testing.T) {
	for pattern, want := range map[Pattern]string{
		Locked:    "########################",
		Acquiring: "####....####....####....",
		Holdover:  "#.#.....#.#.....#.#.....",
		Fault:     "#.#.#.#.#.#.#.#.#.#.#.#.",
		Updating:  "####.#.####.#.####.#.###",
		Held:      "#...#...#...#...#...#...",
		LetGo:     "#.#.#.....#.#.#.....#.#.",
		"unheard": "#.#.#.#.#.#.#.#.#.#.#.#.",
	} {
		dir := fake(t, "none timer [mmc0] heartbeat\n")
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			writes, asked, done := 0, 0, make(chan error)
			go func() {
				done <- Run(ctx, Options{Dir: dir, Name: "ACT",
					Pattern: func() Pattern { asked++; return pattern },
					Write:   func(path string, text []byte) error { writes++; return os.WriteFile(path, text, 0) },
				})
			}()
			got := shown(dir, 6*time.Second)
			cancel()
			if err := <-done; err != nil || got != want {
				t.Errorf("%s shows %s, want %s; %v", pattern, got, want, err)
			}
			// One write takes the LED, two give it back, the others change it, the last
			// of them perhaps after the last look.
			changes := 1
			for i := range got[1:] {
				if got[i] != got[i+1] {
					changes++
				}
			}
			if writes > changes+4 || asked > 4*6+1 {
				t.Errorf("%s: %d writes for %d changes, asked %d times in 6 s", pattern, writes, changes, asked)
			}
		})
		if b, _ := os.ReadFile(filepath.Join(dir, "ACT", "trigger")); string(b) != "mmc0" {
			t.Errorf("%s: the LED was given back to %q", pattern, b)
		}
	}
}

func TestPatternChanges(t *testing.T) {
	dir := fake(t, "[none] timer\n")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begun, done := time.Now(), make(chan error)
		go func() {
			done <- Run(ctx, Options{Dir: dir, Name: "ACT", Pattern: func() Pattern {
				if time.Since(begun) < 3*time.Second {
					return Acquiring
				}
				return Locked
			}})
		}()
		if got, want := shown(dir, 6*time.Second), "####....################"; got != want {
			t.Errorf("shown %s, want %s", got, want)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if b, _ := os.ReadFile(filepath.Join(dir, "ACT", "brightness")); string(b) != "0" {
		t.Errorf("it is left at %q, as if all were well", b)
	}
}

// TestNoLED: that is told, and nothing is written.
func TestNoLED(t *testing.T) {
	err := Run(t.Context(), Options{Dir: t.TempDir(), Name: "ACT", Write: func(string, []byte) error {
		t.Error("something was written")
		return nil
	}})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no LED: %v", err)
	}
	// One that cannot be written says so.
	dir := fake(t, "none\n")
	gone := errors.New("input/output error")
	err = Run(t.Context(), Options{Dir: dir, Name: "ACT", Pattern: func() Pattern { return Locked }, Write: func(string, []byte) error { return gone }})
	if !errors.Is(err, gone) {
		t.Errorf("one that fails: %v", err)
	}
}
