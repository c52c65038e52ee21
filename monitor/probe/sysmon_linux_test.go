package probe

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestCalm(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("another thread's timer slack takes CAP_SYS_NICE")
	}
	slack := func(file string) string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Skip(err)
		}
		return strings.TrimSpace(string(b))
	}
	calm()
	main := "/proc/" + strconv.Itoa(os.Getpid()) + "/timerslack_ns"
	if now := slack(main); now != strconv.Itoa(workSlack) {
		t.Errorf("the main thread's slack is %s ns, want %d", now, workSlack)
	}
	d, err := os.Open("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	list, err := d.Readdirnames(2)
	if err != nil {
		t.Fatal(err)
	}
	if now := slack("/proc/" + list[1] + "/timerslack_ns"); now != strconv.Itoa(napSlack) {
		t.Errorf("the monitor thread's slack is %s ns, want %d", now, napSlack)
	}
}
