package proof

import (
	"bytes"
	"crypto/ed25519"
	"flag"
	"math"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

var update = flag.Bool("update", false, "write the golden files")

// TestFormat holds the format against a file that is kept: files of before must
// be read for ever.
func TestFormat(t *testing.T) {
	list := row(3)
	list[1].inter = true
	b := file(t, "one", list...)
	const golden = "testdata/proof.json"
	if *update {
		if err := os.WriteFile(golden, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, want) {
		t.Errorf("now it is written as\n%s", b)
	}
	c := opened(t, "", want)
	if !c.Finding.Proven || c.Finding.Verdict != monitor.Off || len(c.Finding.Exchanges) != 3 {
		t.Fatalf("%+v", c.Finding)
	}
	if !reflect.DeepEqual(c.Statement, statement(t, "one", list...)) {
		t.Errorf("read as %+v", c.Statement)
	}
	for i, x := range c.Finding.Exchanges {
		low, high := x.Interval.Offset-x.Interval.Bound, x.Interval.Offset+x.Interval.Bound
		if math.Abs(x.Interval.Offset-80*ms) > 1e-6 || math.Abs(high-low-20*ms) > 1e-4 || x.Interval.Side != 1 {
			t.Errorf("exchange %d: from %g to %g", i, low, high)
		}
	}
	// The signature is just that of all but the last line, as anybody's tools have it.
	cut := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	key := KeyOf(signer("one"))
	var e seal
	if err := e.Signature.UnmarshalText(b[len(b)-len("\"}\n")-128 : len(b)-len("\"}\n")]); err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(key[:], b[:cut], e.Signature[:]) {
		t.Error("the signature is not over the statement as it stands")
	}
}

// TestEveryBitCounts: whatever is changed in a file, or cut off it, it is no
// proof any more.
func TestEveryBitCounts(t *testing.T) {
	whole := file(t, "one", row(3)...)
	b := bytes.Clone(whole)
	refused := func(what string, i int, b []byte) {
		if s, err := Open(b); err == nil && Judge(s).Proven {
			t.Errorf("%s at byte %d, beside %q: it still proves", what, i, whole[max(i-20, 0):min(i+20, len(whole))])
		}
	}
	for i := range b {
		bits := []int{i % 8}
		if i >= len(b)-sealSize {
			bits = []int{0, 1, 2, 3, 4, 5, 6, 7}
		}
		for _, bit := range bits {
			b[i] ^= 1 << bit
			refused("a bit turned", i, b)
			b[i] ^= 1 << bit
		}
		refused("cut off", i, whole[:i])
		if i%16 == 0 {
			refused("a byte less", i, append(bytes.Clone(whole[:i]), whole[i+1:]...))
			refused("a space more", i, append(append(bytes.Clone(whole[:i]), ' '), whole[i:]...))
		}
	}
	refused("a line more", len(b)-1, append(bytes.Clone(whole), '\n'))
	refused("twice", 0, append(bytes.Clone(whole), whole...))
	if !bytes.Equal(b, whole) || !opened(t, "", b).Finding.Proven {
		t.Fatal("the test has damaged its own file")
	}
}

// TestForeignKey: nobody else can say it in a station's name.
func TestForeignKey(t *testing.T) {
	s := statement(t, "one", row(3)...)
	if _, err := Sign(s, signer("two")); err == nil {
		t.Error("signed with another key than it names")
	}
	said, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	// Signed by another, naming either key beside the signature.
	good := file(t, "one", row(3)...)
	for _, key := range []Key{KeyOf(signer("one")), KeyOf(signer("two"))} {
		last := bytes.Clone(good[len(good)-sealSize:])
		copy(last[len(`{"key":"`):], key.String())
		text, _ := signature(ed25519.Sign(signer("two"), said)).MarshalText()
		copy(last[len(last)-len("\"}\n")-len(text):], text)
		if _, err := Open(append(bytes.Clone(said), last...)); err == nil || !strings.Contains(err.Error(), "sign") {
			t.Errorf("key %s: %v", key, err)
		}
	}
	// Another server's exchanges under this one's name.
	other := statement(t, "one", row(3)...)
	other.Server.Address = netip.MustParseAddrPort("192.0.2.77:123")
	b, err := other.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(append(b, good[len(good)-sealSize:]...)); err == nil {
		t.Error("a signature for one server holds for another")
	}
}

// TestStatementsThatDoNotHold are signed well, by a station that is wrong or lies
// in a way that shows.
func TestStatementsThatDoNotHold(t *testing.T) {
	for says, spoil := range map[string]func(s *Statement){
		"exchange 2: the reply says other times":                                       func(s *Statement) { s.Exchanges[1].T2++ },
		"exchange 3: the reply says other times":                                       func(s *Statement) { s.Exchanges[2].Reply[44]++ },
		"exchange 1: the reply carries":                                                func(s *Statement) { s.Exchanges[0].Request[47]++ },
		"exchange 1: the request is of mode 4":                                         func(s *Statement) { s.Exchanges[0].Request[0]++ },
		"exchange 1: the request has no cookie":                                        func(s *Statement) { clear(s.Exchanges[0].Request[40:]) },
		"exchange 2: the reply is none to judge":                                       func(s *Statement) { s.Exchanges[1].Reply[1] = 16 },
		"exchange 2: it is in the file twice":                                          func(s *Statement) { s.Exchanges[1] = s.Exchanges[0] },
		"exchange 2: it was had before the one":                                        func(s *Statement) { s.Exchanges[0], s.Exchanges[1] = s.Exchanges[1], s.Exchanges[0] },
		"exchange 3: the reference was \"suspect\"":                                    func(s *Statement) { s.Exchanges[2].Reference.State = "suspect" },
		"exchange 3: the reading of the reference":                                     func(s *Statement) { s.Exchanges[2].Reference.Final = false },
		"exchange 2: 60 s passed since":                                                func(s *Statement) { moved(&s.Exchanges[1], 1e9) },
		"not_judged, not off: the station's own":                                       func(s *Statement) { s.Exchanges[2].T1 -= 1e7 },
		"makes the server doubtful, not off":                                           func(s *Statement) { s.Exchanges = s.Exchanges[:2] },
		"doubtful, not off: 80 ms ahead by the best of the last exchanges, more than ": func(s *Statement) { s.Exchanges[1].Reference.Bound = 0.1; s.Exchanges[2].StampError = 0.1 },
		"makes the server ok":                                                          func(s *Statement) { s.Server.Limit = 0.1 },
		"the station says \"ok\"":                                                      func(s *Statement) { s.Verdict = "ok" },
	} {
		s := statement(t, "one", row(3)...)
		spoil(s)
		b, err := Sign(s, signer("one"))
		if err != nil {
			t.Errorf("%s: %v", says, err)
			continue
		}
		if f := opened(t, "", b).Finding; f.Proven || !strings.Contains(f.Doubt, says) {
			t.Errorf("%s: %+v", says, f)
		}
	}
	// Two seconds must lie between those that count.
	list := row(3)
	for i := range list {
		list[i].at = 1.5 * float64(i)
	}
	if f := opened(t, "", file(t, "one", list...)).Finding; f.Proven {
		t.Errorf("three exchanges within 3 s: %+v", f)
	}
}

func moved(x *Exchange, by int64) {
	x.Reference.True += by
	x.Reference.UTC = time.Unix(0, x.Reference.True).UTC()
}

// TestStatementsThatAreNone are not signed, and not read if somebody else does.
func TestStatementsThatAreNone(t *testing.T) {
	for says, spoil := range map[string]func(s *Statement){
		"no truechimer proof":      func(s *Statement) { s.Type = "x" },
		"version 2 of the format":  func(s *Statement) { s.Version = 2 },
		"does not say whose":       func(s *Statement) { s.Station.ID = "" },
		"station.software: it hol": func(s *Statement) { s.Station.Software = "a\x1b[2J" },
		"server.name: 513 bytes":   func(s *Statement) { s.Server.Name = strings.Repeat("a", 513) },
		"reason: it holds":         func(s *Statement) { s.Reason = "\u202eright to left" },
		"server.address":           func(s *Statement) { s.Server.Address = netip.AddrPort{} },
		"limit_s: 0":               func(s *Statement) { s.Server.Limit = 0 },
		"0 exchanges":              func(s *Statement) { s.Exchanges = nil },
		"17 exchanges":             func(s *Statement) { s.Exchanges = make([]Exchange, 17) },
		"t1_ns: -1":                func(s *Statement) { s.Exchanges[1].T1 = -1 },
		"true_ns: 9":               func(s *Statement) { s.Exchanges[1].Reference.True = math.MaxInt64 },
		"bound_s: -1":              func(s *Statement) { s.Exchanges[1].Reference.Bound = -1 },
		"realtime_minus_mono_ns":   func(s *Statement) { s.Exchanges[1].Diff = math.MinInt64 },
		"stamps: \"hardware\"":     func(s *Statement) { s.Exchanges[1].Stamps = "hardware" },
		"two instants":             func(s *Statement) { s.Exchanges[1].Reference.True++ },
		"reference.source":         func(s *Statement) { s.Exchanges[1].Reference.Source = "a\nb" },
	} {
		s := statement(t, "one", row(3)...)
		spoil(s)
		if _, err := Sign(s, signer("one")); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: signed, %v", says, err)
		}
		if b, err := s.encode(); err == nil {
			if _, err := Open(sealed(b, signer("one"))); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: read, %v", says, err)
			}
		}
	}
	said, err := statement(t, "one", row(3)...).encode()
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string][2]string{
		"a member more":         {"\"verdict\"", "\"more\": 1,\n  \"verdict\""},
		"a member twice":        {"\"verdict\"", "\"verdict\": \"ok\",\n  \"verdict\""},
		"in another case":       {"\"verdict\"", "\"Verdict\""},
		"written in upper case": {"24010000", "24010000"},
		"spaces":                {"\n  ", "\n   "},
		"another number":        {"0.025", "25e-3"},
		"an escape":             {"\"off\"", "\"o\\u0066f\""},
		"null":                  {"\"7f3a9c0e5b1d48f2\"", "null"},
		"a time zone":           {"2026-07-01T14:03:22Z", "2026-07-01T15:03:22+01:00"},
	} {
		b := bytes.ReplaceAll(said, []byte(change[0]), []byte(change[1]))
		if what == "written in upper case" {
			i := bytes.Index(b, []byte(`"reply": "`)) + len(`"reply": "`)
			copy(b[i:i+96], bytes.ToUpper(b[i:i+96]))
		}
		if bytes.Equal(b, said) {
			t.Errorf("%s changes nothing", what)
		} else if _, err := Open(sealed(b, signer("one"))); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
}

// sealed is any statement signed.
func sealed(said []byte, by ed25519.PrivateKey) []byte {
	last, _ := signature(ed25519.Sign(by, said)).MarshalText()
	return append(bytes.Clone(said), `{"key":"`+KeyOf(by).String()+`","signature":"`+string(last)+"\"}\n"...)
}

// TestLargest: as much as a station may put into a file fits.
func TestLargest(t *testing.T) {
	s := statement(t, "one", row(MaxExchanges)...)
	long := strings.Repeat("\"", maxText) // twice as long in JSON
	s.Station.ID, s.Station.Software, s.Server.ID, s.Server.Name, s.Server.Host, s.Reason = long, long, long, long, long, long
	for i := range s.Exchanges {
		s.Exchanges[i].Reference.Source, s.Exchanges[i].StampError = long, 1.2345678901234567e-10
	}
	b, err := Sign(s, signer("one"))
	if err != nil {
		t.Fatal(err)
	}
	if len(file(t, "one", row(MaxExchanges)...)) > 20<<10 {
		t.Errorf("a usual file of %d exchanges takes %d bytes", MaxExchanges, len(b))
	}
}

func FuzzOpen(f *testing.F) {
	good := file(f, "one", row(3)...)
	f.Add(good)
	f.Add(good[len(good)-sealSize:])
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Open(b)
		if err != nil {
			return
		}
		Judge(s)
		if again, err := s.encode(); err != nil || !bytes.Equal(again, b[:len(b)-sealSize]) {
			t.Errorf("two files say the same: %v", err)
		}
	})
}

// FuzzSigned is what a station may say that lies.
func FuzzSigned(f *testing.F) {
	said, err := statement(f, "one", row(4)...).encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(said)
	f.Add(bytes.ReplaceAll(said, []byte("0.025"), []byte("1e-300")))
	f.Add(bytes.ReplaceAll(said, []byte(`"mono_ns": 1`), []byte(`"mono_ns": 7258118399`)))
	private := signer("one")
	f.Fuzz(func(t *testing.T, said []byte) {
		s, err := Open(sealed(said, private))
		if err != nil {
			return
		}
		found := Judge(s)
		if found.Proven {
			for _, x := range found.Exchanges[len(found.Exchanges)-1:] {
				if x.Interval.Side == 0 {
					t.Errorf("off within the limit: %+v", found)
				}
			}
		}
		Agree([]Case{{"a", s, found}, {"b", s, found}}, DefaultDrift)
	})
}
