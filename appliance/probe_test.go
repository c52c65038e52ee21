package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/monitor/ntptest"
)

func TestProbeCommand(t *testing.T) {
	serve := func(b ...ntptest.Behaviour) string {
		s, err := ntptest.Start("", b...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s.Addr().String()
	}
	good, bad := serve(), serve(ntptest.Stratum(16))
	for _, tt := range []struct {
		name string
		args []string
		exit int
		said string
	}{
		{"good", []string{good, "--count", "1"}, 0, "stratum 1, reference SIM"},
		{"flags first", []string{"-count=1", "-json", good}, 0, `"result":"ok"`},
		{"bad", []string{bad, "--count", "1"}, 1, "unsynchronized: stratum 16"},
		{"one bad", []string{good, bad, "--count", "1"}, 1, "stratum 1, reference SIM"},
		{"a group", []string{"224.0.1.1", "--count", "1"}, 1, "send_err: 224.0.1.1:123 is no address of a server"},
		{"none", nil, 2, "which server?"},
		{"no host", []string{"a/b"}, 2, "no name of a host"},
		{"none of a count", []string{good, "--count", "0"}, 2, "write 1 to"},
		{"no count", []string{good, "--count", "many"}, 2, "invalid value"},
		{"a flag that is none", []string{"--loud", good}, 2, "-loud"},
		{"a card that does not stamp", []string{good, "--count", "1", "--hardware-timestamps", "lo"}, 0, "no time stamps of lo: it does not stamp packets; the kernel's serve"},
		{"a card that is none", []string{good, "--hardware-timestamps", "a/b"}, 2, "the names of 4 interfaces"},
		{"a card twice", []string{good, "--hardware-timestamps", "lo", "--hardware-timestamps", "lo"}, 2, "once each"},
		{"help", []string{"-h"}, 0, "HOST[:PORT]"},
	} {
		exit, said := appliance(t, append([]string{"probe"}, tt.args...)...)
		if exit != tt.exit || !strings.Contains(said, tt.said) || strings.Contains(said, "panic") {
			t.Errorf("%s: exit %d, want %d: %s", tt.name, exit, tt.exit, said)
		}
		if tt.name == "flags first" {
			if err := json.Unmarshal([]byte(said), new(map[string]any)); err != nil {
				t.Errorf("%v: %s", err, said)
			}
		}
	}
}
