package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestAssignments(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://lists.example.net/attic.json": true, "https://192.0.2.1/x": true, "https://a.example/dir/": true, "https://[2001:db8::1]:8443/x": true,
		"http://127.0.0.1:8080/x": true, "http://[::1]/x": true, "http://localhost:8080/x": true, "http://192.168.1.7/x": true, "http://10.0.0.1/x": true, "http://[fd00::1]/x": true,
		"http://a.example/x": false, "http://nas.lan/x": false, "http://192.0.2.1/x": false, "http://100.64.0.1/x": false, "http://1.1.1.1/x": false, "http://[2001:db8::1]/x": false,
		"ftp://a.example/x": false, "a.example/x": false, "": false, "https://": false, "https://a.example/x?y": false, "https://a.example/x#y": false, "https://u:p@a.example/x": false, "https://a.example/\u00e4": false,
	} {
		c, err := Parse("f", fmt.Appendf(nil, "[assignments]\nurl = %q\n", url))
		if (err == nil) != ok || ok && *c.Assignments != (Assignments{URL: url, Interval: 15 * time.Minute}) {
			t.Errorf("%s: %+v, %v", url, c.Assignments, err)
		}
	}
	c, err := Parse("f", []byte("[assignments]\nurl = \"http://127.0.0.1/x\"\ninterval = \"24h\"\ntoken = \"ab.c_d~e+f/g==\"\n"))
	want := &Assignments{URL: "http://127.0.0.1/x", Interval: 24 * time.Hour, Token: NewSecret("ab.c_d~e+f/g==")}
	if err != nil || !reflect.DeepEqual(c.Assignments, want) {
		t.Errorf("%+v, %v", c.Assignments, err)
	}
	if s := fmt.Sprintf("%v %+v %#v", c, c.Assignments, *c.Assignments); strings.Contains(s, "ab.c") {
		t.Errorf("the token is shown: %s", s)
	}
	if c, err := Parse("f", []byte("[assignments]\n")); err != nil || c.Assignments != nil {
		t.Errorf("an empty block: %+v, %v", c.Assignments, err)
	}
	for _, token := range []string{"", "a b", "a\nb", "a\u00e4", "a=b", strings.Repeat("x", maxToken+1)} {
		if w := checkToken(token); w == (wrong{}) || token != "" && strings.Contains(w.problem+w.instead, token) {
			t.Errorf("%q: %+v", token, w)
		}
	}
}

// No mistake shows what may be a secret.
func TestMistakesDoNotShowTheToken(t *testing.T) {
	files, err := filepath.Glob("testdata/invalid-assignments*.toml")
	if err != nil || len(files) < 7 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse("f", data); err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The token is kept with the rest, where nobody else can read it.
func TestTheTokenIsKept(t *testing.T) {
	dir := t.TempDir()
	const own = "[assignments]\nurl = \"https://a.example/x\"\ntoken = \"hunter2\"\n"
	Load(onCard(FileName, own), dir)
	info, err := os.Stat(filepath.Join(dir, KeptName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if l := Load(onCard(FileName, own), dir); l.Config.Assignments == nil || l.Config.Assignments.Token.Reveal() != "hunter2" {
		t.Errorf("%+v", l.Config.Assignments)
	}
}
