package main

import (
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
)

func TestReachable(t *testing.T) {
	for text, want := range map[string]bool{
		"127.0.0.1/8 ::1/128 fe80::1/64 169.254.3.4/16": false,
		"127.0.0.1/8 10.0.2.15/24":                      true,
		"192.168.1.7/24":                                true,
		"fd00::7/64":                                    true,
		"2001:db8::7/64 192.0.2.4/24":                   false,
		"":                                              false,
	} {
		got := reachable(func() (list []net.Addr, err error) {
			for _, s := range strings.Fields(text) {
				ip, n, err := net.ParseCIDR(s)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, &net.IPNet{IP: ip, Mask: n.Mask})
			}
			return list, nil
		})
		if got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	if reachable(func() ([]net.Addr, error) { return nil, errors.New("no") }) {
		t.Error("reachable without an address")
	}
}

// gokrazy's marker of a first start would make the server leave at once.
func TestStart(t *testing.T) {
	var args, env []string
	exec := func(path string, a, e []string) error {
		args, env = a, e
		return errors.New("no such file")
	}
	err := start(exec, []string{"HOME=/perm/home/debugshell", "GOKRAZY_FIRST_START=1", "PATH=/user"})
	if err == nil || !strings.Contains(err.Error(), "/user/breakglass") {
		t.Errorf("error %v", err)
	}
	if !slices.Equal(env, []string{"HOME=/perm/home/debugshell", "PATH=/user"}) {
		t.Errorf("environment %q", env)
	}
	if !slices.Contains(args, "-authorized_keys=/etc/breakglass.authorized_keys") {
		t.Errorf("arguments %q", args)
	}
}
