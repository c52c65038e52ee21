package probe

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inNamespace runs the present test once more, in a process whose network
// namespace is its own; there, it runs f.
func inNamespace(t *testing.T, f func(*testing.T)) {
	const inside = "TRUECHIMER_TEST_NAMESPACE"
	if os.Getenv(inside) != "" {
		f(t)
		return
	}
	if os.Getuid() != 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("network namespaces need root, and CI is to test them")
		}
		t.Skip("network namespaces need root; run as root to test them")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=3m", "-test.parallel=2")
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}
