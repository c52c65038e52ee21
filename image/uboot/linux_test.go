//go:build linux

package uboot

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/u-root/u-root/pkg/dt"
)

// TestLinux starts a real kernel with an initrd, a device tree of the slot's
// and the slot's command line, from slot b, while the console is flooded.
func TestLinux(t *testing.T) {
	env, err := Virt().Environment()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/gokrazy/kernel.arm64").Output()
	if err != nil {
		t.Fatal(err)
	}
	kernel, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "vmlinuz"))
	if err != nil {
		t.Fatal(err)
	}
	const model, said = "truechimer's own tree", "[init of slot b]"
	b := &slot{kernel: kernel, initrd: initrd(said + "\n")}
	b.Bootargs = "console=ttyAMA0,115200 panic=-1 truechimer.slot=b"
	b.tree = machineTree(t, model)
	rotten := on("a").but(func(f map[string][]byte) { f[KernelName] = flip(f[KernelName], 4000) })
	for _, tt := range []struct {
		name    string
		a       *slot
		state   []byte
		cmdline string
	}{
		{"committed", on("a"), state(committed('b'), committed('b'), nil), b.Bootargs},
		// It must not take itself for a slot on trial.
		{"the last resort", rotten, state(committed('a'), committed('a'), nil), b.Bootargs + " " + Rescue},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out := virt{disk: write(t, tt.a, b, tt.state), env: env, flood: 1}.run(t, said)
			for _, want := range []string{"Kernel command line: " + tt.cmdline, "Machine model: " + model} {
				if !regexp.MustCompile(regexp.QuoteMeta(want) + `\s`).MatchString(out) {
					t.Errorf("the console does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

// initrd holds /init, which says something and restarts the machine, in the
// form "newc" of cpio (Linux, Documentation/driver-api/early-userspace/buffer-format.rst).
func initrd(text string) []byte {
	var b bytes.Buffer
	add := func(name string, mode, major, minor int, data []byte) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x", 0, mode, 0, 0, 1, 0, len(data))
		fmt.Fprintf(&b, "%08x%08x%08x%08x%08x%08x%s\x00", 0, 0, major, minor, len(name)+1, 0, name)
		pad := func() { b.Write(make([]byte, -b.Len()&3)) }
		pad()
		b.Write(data)
		pad()
	}
	add("dev", 0o40755, 0, 0, nil)
	add("dev/console", 0o20600, 5, 1, nil)
	add("init", 0o100755, 0, 0, program(text))
	add("TRAILER!!!", 0, 0, 0, nil)
	return b.Bytes()
}

// machineTree is the virt machine's own device tree with another model. With
// firmware the machine has other devices than without.
func machineTree(t *testing.T, model string) []byte {
	t.Helper()
	needs(t, "qemu-system-aarch64", "qemu-system-arm")
	name := filepath.Join(t.TempDir(), "tree.dtb")
	out, err := exec.CommandContext(t.Context(), "qemu-system-aarch64", "-M", "virt,dumpdtb="+name,
		"-bios", firmware(t), "-cpu", "cortex-a53", "-m", "256", "-display", "none", "-nic", "none").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tree, err := dt.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	tree.RootNode.Update(dt.Property{Name: "model", Value: []byte(model + "\x00")})
	var b bytes.Buffer
	if _, err := tree.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
