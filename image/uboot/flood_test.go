//go:build linux

package uboot

import (
	"slices"
	"strings"
	"testing"
)

const (
	prompt    = "\n=> "
	resetting = "resetting ..."
)

// TestFloodStopsOthers is what TestBoot's flood is worth: with the environment
// that U-Boot has built in, the same bytes end at its prompt.
func TestFloodStopsOthers(t *testing.T) {
	image := write(t, on("a"), on("b"), state(nil, nil, nil))
	for _, seed := range []int64{2, 4, 5} {
		out := virt{disk: image, flood: seed}.run(t, prompt)
		if got := started(out); len(got) != 0 {
			t.Errorf("seed %d: started %q before the prompt", seed, got)
		}
	}
}

// TestWithoutEnvironment: on a quiet console the script starts the slot with
// U-Boot's built-in variables too, which a card with a lost environment gets.
func TestWithoutEnvironment(t *testing.T) {
	image := write(t, on("a"), back("b"), state(committed('a'), committed('a'), try('b')))
	out := virt{disk: image}.run(t, "")
	if got, want := started(out), []string{"b", "a"}; !slices.Equal(got, want) {
		t.Errorf("started %q, want %q; the console:\n%s", got, want, out)
	}
	if !strings.Contains(out, "Hit any key") {
		t.Errorf("U-Boot had an environment; the console:\n%s", out)
	}
}

// TestNoPrompt: where nothing can be started U-Boot starts over, and does not
// listen to the noise on its console.
func TestNoPrompt(t *testing.T) {
	env, err := Virt().Environment()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		a, b *slot
		lose bool
		says string
	}{
		{name: "both slots empty", says: "neither slot can be started"},
		{name: "kernel is not one", a: on("a").but(func(f map[string][]byte) { f[KernelName] = nil }), says: "neither slot can be started"},
		{name: "no boot.scr", a: on("a"), lose: true, says: "Failed to load 'boot.scr'"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			image := write(t, tt.a, tt.b, state(nil, nil, nil))
			if tt.lose {
				loseScript(t, image)
			}
			// The pauses end at each Ctrl-C, of which the flood has plenty.
			out := virt{disk: image, env: env, flood: 1}.run(t, resetting)
			if strings.Contains(out, prompt) || !strings.Contains(out, tt.says) {
				t.Errorf("want %q and no prompt; the console:\n%s", tt.says, out)
			}
		})
	}
}
