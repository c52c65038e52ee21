package assign

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/truechimer/truechimer/monitor"
)

func parse(t *testing.T, s string) []monitor.Server {
	t.Helper()
	l, err := Parse([]byte(s))
	if err != nil {
		t.Fatalf("%.200s: %v", s, err)
	}
	return l.Servers
}

func TestParse(t *testing.T) {
	const doc = "\xef\xbb\xbf" + ` {
		"count": 4, "later": [{"a": null}, {"a": 1e400}], "version": 1,
		"servers": [
			{"address": "NTP.example.net.", "unknown": {"address": "x"}},
			{"name": " the cellar's\u0000\u202e\n\t clock ", "address": "2600:0::7", "port": 1123, "limit_s": 0.005, "interval_s": 32.5},
			{"address": "::ffff:1.1.1.1", "port": 124, "limit_s": 1e-30, "interval_s": 0.1, "name": null},
			{"address": "192.168.1.1", "name": "\ud800", "limit_s": 1e300, "interval_s": 1e300}
		]}` + "\n"
	want := []monitor.Server{
		{Name: "NTP.example.net.", Host: "ntp.example.net", Port: 123, Limit: 0.025, Interval: 64 * time.Second, Remote: true},
		{Name: "the cellar's clock", Host: "2600::7", Port: 1123, Limit: 0.005, Interval: 32500 * time.Millisecond, Remote: true},
		{Name: "1.1.1.1:124", Host: "1.1.1.1", Port: 124, Limit: 1e-5, Interval: 16 * time.Second, Remote: true},
		{Name: "\uFFFD", Host: "192.168.1.1", Port: 123, Limit: 10, Interval: 24 * time.Hour, Remote: true},
	}
	if got := parse(t, doc); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	l, err := Parse([]byte(doc))
	if err != nil || l.Refused != 1 || !strings.Contains(l.First, "192.168.1.1") {
		t.Errorf("%d refused: %q, %v", l.Refused, l.First, err)
	}
	if got := parse(t, `{"version":1,"count":0,"servers":[]}`); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// one is a document with one server.
func one(server string) string { return `{"version": 1, "servers": [` + server + `]}` }

func TestInvalid(t *testing.T) {
	with := func(more string) string { return one(`{"address": "1.1.1.1", ` + more + `}`) }
	for _, c := range []struct{ doc, want string }{
		{"", "an empty file"}, {" \n", "an empty file"}, {"<!DOCTYPE html>", "a page for people"}, {"\xff\xfe{", "not UTF-8"},
		{one(`{"address": "a` + "\xff" + `"}`), "not UTF-8"},
		{"[]", "an array where { and } belong"}, {"null", "null where { and } belong"}, {`"x"`, "text where"}, {"17", "a number where"},
		{`{"version": 1, "servers": [`, "ends in the middle"}, {`{"version": 1`, "ends in the middle"}, {`{"version": 1,` + "\n" + ` "servers": [}`, "line 2, column 14"},
		{one("") + "x", "line 1, column 30"}, {one("") + "{}", "after top-level value"},
		{`{"servers": []}`, "does not say its version"}, {`{"version": 2, "servers": 17}`, "of version 2"}, {`{"version": "1", "servers": []}`, `of version "1"`}, {`{"version": 1.0, "servers": []}`, "of version 1.0"},
		{`{"version": {"x": 1}, "servers": []}`, "of version an object"}, {`{"version": ` + strings.Repeat("9", 1000) + `, "servers": []}`, "of version 999999"},
		{`{"version": 1}`, `no "servers"`}, {`{"version": 1, "servers": null}`, `no "servers"`}, {`{"version": 1, "servers": {}}`, "servers is an object"},
		{`{"version": 1, "Servers": []}`, `no "servers"`},
		{`{"version": 1, "servers": []}`, `it takes "count": 0`}, {`{"version": 1, "servers": [], "count": null}`, `it takes "count": 0`},
		{`{"version": 1, "servers": [], "count": 1}`, "not complete"}, {`{"version": 1, "servers": [], "count": "0"}`, "not complete"}, {`{"version": 1, "servers": [{"address":"a"}], "count": 0}`, "not complete"},
		{`{"version": 1, "version": 1, "servers": []}`, `"version" is there twice`}, {`{"version": 1, "servers": [], "servers": []}`, `"servers" is there twice`}, {`{"version": 1, "a": 1, "\u0061": 1, "servers": []}`, `"a" is there twice`},

		{one("17"), "server 1: there is a number"}, {one(`{"address": "a"}, []`), "server 2: there is an array"}, {one("{}"), "server 1: it has no address"}, {one(`{"name": "attic"}`), "server 1 (attic): it has no address"},
		{one(`{"address": 17}`), "its address is a number"}, {one(`{"address": "a", "name": ["x"]}`), "its name is an array"},
		{with(`"port": 0`), "server 1 (1.1.1.1): its port is 0"}, {with(`"port": 65536`), "port is 65536"}, {with(`"port": -1`), "port is -1"}, {with(`"port": 123.0`), "port is 123.0"}, {with(`"port": 1e2`), "port is 1e2"}, {with(`"port": "123"`), `port is "123"`}, {with(`"port": true`), "port is true"},
		{with(`"port": ` + strings.Repeat("1", 5000)), "port is 1111111111111111111…"},
		{with(`"limit_s": 0`), "limit_s is 0"}, {with(`"limit_s": -0.1`), "limit_s is -0.1"}, {with(`"limit_s": 1e400`), "limit_s is 1e400"}, {with(`"limit_s": "25ms"`), `limit_s is "25ms"`}, {with(`"limit_s": {}`), "limit_s is an object"},
		{with(`"limit_s": NaN`), "line 1, column"}, {with(`"limit_s": Infinity`), "line 1, column"}, {with(`"limit_s": 0x10`), "line 1, column"},
		{with(`"interval_s": 0`), "interval_s is 0"}, {with(`"interval_s": -1e400`), "interval_s is -1e400"}, {with(`"interval_s": "64s"`), "interval_s is"},
		{with(`"address": "2.2.2.2"`), `"address" is there twice`},
		{one(`{"address": ""}`), "neither the name"}, {one(`{"address": "a b"}`), "neither the name"}, {one(`{"address": "a:123"}`), "a port has a field of its own"}, {one(`{"address": "[::1]"}`), "neither"}, {one(`{"address": "1.2.3.4.5"}`), "neither"}, {one(`{"address": "192.168.1"}`), "neither"},
		{one(`{"address": "fe80::1%eth0"}`), "names a link"}, {one(`{"address": "-a"}`), "neither"}, {one(`{"address": "é"}`), "neither"}, {one(`{"address": "a..b"}`), "neither"}, {one(`{"address": "` + strings.Repeat("a", 64) + `"}`), "neither"}, {one(`{"address": "` + strings.Repeat("a.", 130) + `a"}`), "neither"}, {one(`{"address": "https://a/"}`), "neither"}, {one(`{"address": "a\u0000"}`), "neither"},
	} {
		l, err := Parse([]byte(c.doc))
		if err == nil || !strings.Contains(err.Error(), c.want) || l.Servers != nil {
			t.Errorf("%.100s: %v, want %q", c.doc, err, c.want)
		}
	}
}

// document is a list of n servers.
func document(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"version":1,"servers":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name":"server %05d","address":"ntp%d.example.net","port":123,"limit_s":0.025,"interval_s":64}`, i, i)
	}
	b.WriteString("]}")
	return []byte(b.String())
}

func TestBounds(t *testing.T) {
	doc := document(MaxServers)
	if l, err := Parse(doc); err != nil || len(l.Servers) != MaxServers {
		t.Errorf("%d servers in %d bytes: %v", len(l.Servers), len(doc), err)
	}
	if _, err := Parse(document(MaxServers + 1)); err == nil || !strings.Contains(err.Error(), "more than 10000 servers") {
		t.Errorf("%v", err)
	}
	long := one(`{"address": "1.1.1.1"}`)
	long += strings.Repeat(" ", MaxSize-len(long))
	parse(t, long)
	if _, err := Parse([]byte(long + " ")); err == nil || !strings.Contains(err.Error(), "more than 2097152 bytes") {
		t.Errorf("%v", err)
	}
	// Made to be deep, or wide, and for nothing else.
	for _, open := range []string{"[", `{"a":`, `[{"a":`} {
		deep := `{"version": 1, "x": ` + strings.Repeat(open, (MaxSize-20)/len(open))
		for _, doc := range []string{deep, one(deep)} {
			if _, err := Parse([]byte(doc)[:min(len(doc), MaxSize)]); err == nil || len(err.Error()) > 200 {
				t.Errorf("%.40s: %v", doc, err)
			}
		}
	}
	parse(t, `{"version": 1, "x": `+strings.Repeat("[", 9000)+strings.Repeat("]", 9000)+`, "servers": [{"address": "1.1.1.1"}]}`)
	var wide strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&wide, `"%d":0,`, i)
	}
	parse(t, one(`{`+wide.String()+`"address": "1.1.1.1"}`))
}

func names(list []monitor.Server) (n []string) {
	for _, s := range list {
		n = append(n, s.Name)
	}
	return n
}

func TestMerge(t *testing.T) {
	file := []monitor.Server{
		{Name: "cellar", Host: "ntp.example.net", Port: 123, Limit: 1},
		{Name: "own", Host: "192.168.1.1", Port: 123},
		{Name: "own 2", Host: "192.168.1.1", Port: 123},
	}
	list := parse(t, `{"version": 1, "servers": [
		{"name": "other word", "address": "NTP.EXAMPLE.NET"}, {"name": "cellar", "address": "1.1.1.1"}, {"name": "x", "address": "1.1.1.2"},
		{"name": "same", "address": "a.example"}, {"name": "same", "address": "b.example", "port": 124}, {"name": "same", "address": "A.example."},
		{"name": "b.example:124", "address": "c.example"}, {"name": "same (a.example:123)", "address": "2600::1"}, {"name": "`+strings.Repeat("ä", 70)+`", "address": "d.example"}, {"name": "`+strings.Repeat("ä", 80)+`", "address": "e.example"}
	]}`)
	all, twice := Merge(file, nil, list)
	want := []string{
		"cellar", "own", "own 2", "cellar (1.1.1.1:123)", "x", "a.example:123", "same (b.example:124)", "b.example:124", "same (a.example:123)", "d.example:123", "e.example:123",
	}
	if got := names(all); !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if twice.Count != 2 || twice.Kept.Name != "cellar" || twice.Kept.Limit != 1 || twice.Dropped.Name != "other word" || all[0].Remote || !all[3].Remote {
		t.Errorf("%+v", twice)
	}
	// In another order, nothing is called otherwise.
	slices.Reverse(list)
	again, _ := Merge(file, list)
	got, wanted := names(again), slices.Clone(want)
	slices.Sort(got)
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		t.Errorf("in another order\n%q\nnot\n%q", got, wanted)
	}
	if names(list)[9] != "other word" {
		t.Error("a source's list was changed")
	}
}

func TestRoster(t *testing.T) {
	r := NewRoster(2)
	list, changed := r.Servers()
	if list != nil {
		t.Errorf("%+v", list)
	}
	r.Set(1, []monitor.Server{{Name: "a", Host: "b", Port: 123}})
	select {
	case <-changed:
	default:
		t.Error("nobody was told")
	}
	r.Set(0, []monitor.Server{{Name: "mine", Host: "B", Port: 123}})
	list, changed = r.Servers()
	if len(list) != 1 || list[0].Name != "mine" || r.Twice().Count != 1 {
		t.Errorf("%+v", list)
	}
	select {
	case <-changed:
		t.Error("told of nothing")
	default:
	}
}

// FuzzList: whatever comes, what is taken is within the bounds, and what is
// said of it can be shown.
func FuzzList(f *testing.F) {
	for _, s := range []string{
		one(`{"address": "1.1.1.1"}`), one(`{"address": "a.example", "name": "x\u202e", "port": 1, "limit_s": 1e9, "interval_s": 1}, {"name": "x", "address": "::1"}`),
		`{"version":1,"count":0,"servers":[]}`, `{"version":1,"count":-0,"servers":[{"address":"a"},{"address":"A."}]}`, "\xef\xbb\xbf{}", "[[[[", `{ "x\"]}" : {"}":["]\\"]} ,"version" :1,"servers" : [ {"n":-1.5e3 , "address" :"a\u002eb" } ,{"address":"b"}]}`, `{"a":{"a":{"a":`, `{"version":1e0}`, "", "<html>",
		one(`{"address": "1.1.1.1", "address": "2.2.2.2"}`), one(`{"address": "1.1.1.1", "limit_s": NaN}`), one(`{"address": "\ud800\udc00"}`),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := Parse(b)
		if err != nil {
			text := err.Error()
			if l.Servers != nil || len(text) > 500 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) }) {
				t.Errorf("%q, %d servers", text, len(l.Servers))
			}
			return
		}
		if len(l.Servers) > MaxServers || l.Refused > len(l.Servers) {
			t.Errorf("%d servers, %d refused", len(l.Servers), l.Refused)
		}
		all, twice := Merge(nil, l.Servers)
		if len(all)+twice.Count != len(l.Servers) {
			t.Errorf("%d of %d and %d", len(all), len(l.Servers), twice.Count)
		}
		seenName, seenPlace := map[string]bool{}, map[string]bool{}
		for _, s := range all {
			_, err := netip.ParseAddr(s.Host)
			if s.Name == "" || seenName[s.Name] || seenPlace[place(s)] || !s.Remote || s.Port == 0 || s.Host == "" || len(s.Host) > 253 || err != nil && strings.ContainsAny(s.Host, ":[]%/ @") ||
				!(s.Limit >= 1e-5 && s.Limit <= 10) || s.Interval < MinInterval || s.Interval > 24*time.Hour || strings.ContainsFunc(s.Name, unicode.IsControl) || utf8.RuneCountInString(s.Name) > 300 {
				t.Errorf("%+v", s)
			}
			seenName[s.Name], seenPlace[place(s)] = true, true
		}
		// encoding/json finds the same.
		var other map[string]any
		if err := json.Unmarshal(trimmed(b), &other); err != nil {
			t.Fatal(err)
		}
		list := other["servers"].([]any)
		if len(list) != len(l.Servers) {
			t.Fatalf("%d servers, not %d", len(l.Servers), len(list))
		}
		for i, s := range list {
			host, err := readHost(s.(map[string]any)["address"].(string))
			if err != nil || host != l.Servers[i].Host {
				t.Errorf("server %d is at %q, not %q: %v", i, l.Servers[i].Host, host, err)
			}
		}
	})
}

func trimmed(b []byte) []byte { return []byte(strings.TrimPrefix(string(b), "\xef\xbb\xbf")) }

func BenchmarkParse(b *testing.B) {
	doc := document(MaxServers)
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(doc); err != nil {
			b.Fatal(err)
		}
	}
}
