package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/truechimer/truechimer/monitor/proof"
)

// proofFiles are those of stations that have asked the same server at about the
// same time; the last one's reference is wrong by a minute.
func proofFiles(t *testing.T) (paths []string, keys []string) {
	t.Helper()
	dir := t.TempDir()
	for i, name := range []string{"one", "two", "wrong"} {
		p := testStation(t, &platform{id: name}, stopped{}).proofs
		u := convicted("ntp.example.net", 1)
		for n := range u.list {
			x, r := &u.list[n].Exchange, &u.list[n].Reading
			// Half a second later than the one before it.
			x.T1, x.T2, x.T4 = x.T1+int64(i)*5e8, x.T2+int64(i)*5e8, x.T4+int64(i)*5e8
			x.Mono, r.True = x.Mono+int64(i)*5e8, r.True+int64(i)*5e8
			packets(x)
			if name == "wrong" {
				r.True -= 60e9
			}
		}
		if err := p.make(u); err != nil {
			t.Fatal(err)
		}
		l := p.List()
		b, err := p.File(l.Proofs[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".json")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		paths, keys = append(paths, path), append(keys, *l.Key)
	}
	return paths, keys
}

func TestJudge(t *testing.T) {
	files, keys := proofFiles(t)
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, bytes.Replace(b, []byte(`"limit_s": 0.025`), []byte(`"limit_s": 0.024`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args  []string
		err   error
		files string // p for each that is proven, - for each that is not
		agree string // a where they agree, c where they contradict each other
		says  []string
	}{
		{[]string{files[0]}, nil, "p", "", []string{"signature  holds, by key " + keys[0], "nobody knows it again", "192.0.2.1:123", "limit 25.00 ms",
			"+80.00 ms, give or take 1.1 ms whatever the path did: outside", "kernel stamps; reference gps+pps, locked, at most 10 µs", "verdict    off: 80 ms ahead", "  PROVEN", "cannot be checked from here"}},
		{files[:2], nil, "pp", "a", []string{"by 2 files of 2 stations", "They agree: at "}},
		{files, errUnproven, "ppp", "c", []string{"by 3 files of 3 stations", "THEY CONTRADICT EACH OTHER", "reference or of its path is wrong"}},
		{[]string{files[0], bad}, errUnproven, "p-", "", []string{"NOT PROVEN: the signature does not hold for key " + keys[0]}},
		{[]string{bad + "none", files[0]}, errUnproven, "-p", "", []string{"NOT PROVEN: open "}},
		{[]string{"/dev/zero"}, errUnproven, "-", "", []string{"more than 65536 bytes"}},
		{[]string{"-trust", keys[0], files[0]}, nil, "p", "", []string{", which you named"}},
		{[]string{files[0], "-trust", keys[1], files[1], "--trust=" + keys[2]}, errUnproven, "-p", "", []string{"NOT PROVEN: it is signed with a key that -trust does not name"}},
		{[]string{"-drift", "1e9", files[0], files[2]}, nil, "pp", "a", []string{"1e+09 ppm"}},
	} {
		var out bytes.Buffer
		if err := runJudge(c.args, &out); !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %v", c.args, err, c.err)
		}
		for _, says := range c.says {
			if !strings.Contains(out.String(), says) {
				t.Errorf("%v does not say %q:\n%s", c.args, says, &out)
			}
		}
		out.Reset()
		if err := runJudge(append([]string{"--json"}, c.args...), &out); !errors.Is(err, c.err) {
			t.Errorf("%v: %v, want %v", c.args, err, c.err)
		}
		var j judgement
		d := json.NewDecoder(&out)
		d.DisallowUnknownFields()
		if err := d.Decode(&j); err != nil {
			t.Fatal(err)
		}
		found, agree := "", ""
		for _, f := range j.Files {
			mark := "-"
			if f.Proven {
				mark = "p"
				if len(f.Had) != 3 || f.Doubt != nil || *f.Verdict != "off" || f.Server.Name != "ntp.example.net" {
					t.Errorf("%v: %+v", c.args, f)
				}
				for _, x := range f.Had {
					if !x.Outside || *x.Low < 0.078 || *x.High > 60.082 || *x.Offset < *x.Low || *x.Offset > *x.High {
						t.Errorf("%v: %+v", c.args, x)
					}
				}
			}
			found += mark
		}
		for _, a := range j.Agreements {
			if a.Conflict != nil {
				agree += "c"
			} else if agree += "a"; *a.Low > *a.High || a.At == nil {
				t.Errorf("%v: %+v", c.args, a)
			}
		}
		if found != c.files || agree != c.agree || j.Proven != (c.err == nil) || len(j.Trusting) == 0 {
			t.Errorf("%v: %s %s, want %s %s", c.args, found, agree, c.files, c.agree)
		}
	}
}

func TestJudgeIsCalled(t *testing.T) {
	files, _ := proofFiles(t)
	for says, args := range map[string][]string{
		"judge takes files":     {"judge"},
		"64 are needed":         {"judge", "-trust", "abc", files[0]},
		"invalid byte":          {"judge", "-trust", strings.Repeat("z", 64), files[0]},
		"flag provided but not": {"judge", files[0], "-nonsense"},
		"-drift NaN":            {"judge", "-drift", "nan", files[0]},
		"256 files at a time":   append([]string{"judge"}, strings.Split(strings.Repeat(files[0]+" ", 257), " ")...),
	} {
		if exit, said := appliance(t, args...); exit != 2 || !strings.Contains(said, says) {
			t.Errorf("%.100v: exit %d, said %.1000q", args, exit, said)
		}
	}
	if exit, said := appliance(t, "judge", files[0], files[1]); exit != 0 || !strings.Contains(said, "PROVEN") {
		t.Errorf("exit %d, said %q", exit, said)
	}
	if exit, said := appliance(t, "judge", files[0], files[2]); exit != 1 || !strings.Contains(said, "appliance: not every file") {
		t.Errorf("exit %d, said %q", exit, said)
	}
	if err := runJudge([]string{"-help"}, &bytes.Buffer{}); !errors.Is(err, flag.ErrHelp) {
		t.Error(err)
	}
	// As many as may be, in which each exchange is held against each other.
	var cases []proof.Case
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := proof.Open(b)
	if err != nil {
		t.Fatal(err)
	}
	for range judgedMost {
		cases = append(cases, proof.Case{Name: "a", Statement: s, Finding: proof.Judge(s)})
	}
	if got := proof.Agree(cases, 0); len(got) != 1 || got[0].Conflict != "" {
		t.Errorf("%+v", got)
	}
}
