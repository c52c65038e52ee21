package bootctl

import (
	"strings"
	"testing"
)

// TestRestartRefusesWhatIsNoArgument, before it does anything. That it restarts
// is for the tests that boot images.
func TestRestartRefusesWhatIsNoArgument(t *testing.T) {
	for _, argument := range []string{"0 tryboot\x00", "\x00", strings.Repeat("x", longestArgument)} {
		if err := Restart(argument); err == nil || !strings.Contains(err.Error(), "is no argument") {
			t.Errorf("%.20q: %v", argument, err)
		}
	}
}
