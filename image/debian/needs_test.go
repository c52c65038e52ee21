package debian

import (
	"os"
	"os/exec"
	"testing"
)

// needs makes a test depend on a program of Debian. On CI it must be there.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatalf("%s is missing; CI runs on Debian", program)
	}
	t.Skipf("%s is missing; this test runs on Debian and what descends from it", program)
}
