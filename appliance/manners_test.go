package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

func someManners() []monitor.Manner {
	return []monitor.Manner{
		{Addr: netip.MustParseAddrPort("192.0.2.1:123"), Kiss: "DENY", Until: keptAt, Left: 23 * time.Hour},
		{Addr: netip.MustParseAddrPort("[2001:db8::1]:123"), Kiss: "RSTR", Left: time.Hour},
		{Addr: netip.MustParseAddrPort("192.0.2.7:0"), Kiss: "RATE", Until: keptAt.Add(time.Hour), Left: time.Minute, Interval: 1024 * time.Second},
	}
}

func newManners(t *testing.T) manners {
	return manners{dir: filepath.Join(t.TempDir(), "perm"), notes: quietNotes()}
}

func TestMannersRoundTrip(t *testing.T) {
	m := newManners(t)
	if list, err := m.Load(); list != nil || err != nil {
		t.Errorf("before anything was kept: %v, %v", list, err)
	}
	if err := m.Save(someManners()); err != nil {
		t.Fatal(err)
	}
	list, err := m.Load()
	if err != nil || !reflect.DeepEqual(list, someManners()) {
		t.Errorf("%+v, %v", list, err)
	}
	if err := m.Save(nil); err != nil {
		t.Fatal(err)
	}
	if list, err = m.Load(); len(list) != 0 || err != nil {
		t.Errorf("%+v, %v", list, err)
	}
	none := manners{notes: quietNotes()}
	if list, err := none.Load(); list != nil || err != nil || none.Save(someManners()) != nil {
		t.Errorf("without a directory: %v, %v", list, err)
	}
	m.dir = filepath.Join(m.dir, mannersName) // a file stands in the way
	if m.Save(someManners()) == nil {
		t.Error("no error where nothing can be written")
	}
}

// As many as there may be fit, however long their addresses are.
func TestMannersFit(t *testing.T) {
	var list []monitor.Manner
	for i := range monitor.MostManners {
		a := netip.MustParseAddr("2001:1111:1111:1111:1111:1111:1111:1111").As16()
		a[14], a[15] = byte(i>>8), byte(i)
		list = append(list, monitor.Manner{Addr: netip.AddrPortFrom(netip.AddrFrom16(a), 65535), Kiss: "RATE", Until: keptAt, Left: 999999 * time.Second, Interval: 1024e9})
	}
	m := newManners(t)
	if err := m.Save(list); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Load(); err != nil || len(got) != len(list) {
		t.Errorf("%d, %v", len(got), err)
	}
}

// No damage is taken for what servers asked.
func TestDamagedManners(t *testing.T) {
	m := newManners(t)
	if err := m.Save(someManners()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(m.dir, mannersName)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	load := func(b []byte) ([]monitor.Manner, error) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return m.Load()
	}
	for i := range good {
		bad := append([]byte(nil), good...)
		bad[i] ^= 1
		if list, err := load(bad); err == nil && i != len(good)-1 || err != nil && !strings.Contains(err.Error(), mannersName) {
			t.Errorf("byte %d is wrong: %v, %v", i, list, err)
		}
		if i < len(good)-1 {
			if list, err := load(good[:i]); err == nil {
				t.Errorf("the first %d bytes are taken: %v", i, list)
			}
		}
	}
	if _, err := load(make([]byte, 1<<20)); err == nil {
		t.Error("a megabyte is taken")
	}
	for _, body := range []string{`[{"addr":"","left_s":1}]`, `[{"addr":"192.0.2.1:123","left_s":-1}]`, `[{"addr":"192.0.2.1:123","left_s":1e300}]`, `[{"addr":"192.0.2.1:123","interval_s":1e7}]`, `{}`, ``} {
		if list, err := load(durable.Summed(mannersHead, []byte(body))); err == nil {
			t.Errorf("%s is taken: %v", body, list)
		}
	}
}

func FuzzManners(f *testing.F) {
	b, err := mannersFile(someManners())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(durable.Summed(mannersHead, []byte(`[{"addr":"192.0.2.1:123","kiss":"x","left_s":1e6,"until":"0001-01-01T00:00:00Z"}]`)))
	f.Fuzz(func(t *testing.T, b []byte) {
		// The checksum is no secret: whoever writes the card can make it right.
		for _, b := range [][]byte{b, durable.Summed(mannersHead, b)} {
			list, err := parseManners(b)
			if err != nil {
				continue
			}
			if len(list) > monitor.MostManners {
				t.Fatalf("%d", len(list))
			}
			for _, x := range list {
				if !x.Addr.IsValid() || x.Left < 0 || x.Interval < 0 {
					t.Fatalf("%+v", x)
				}
			}
		}
	})
}

func TestLeapThisMonth(t *testing.T) {
	december := time.Date(2026, 12, 5, 0, 0, 0, 0, time.UTC)
	next := gpspps.NextLeap{Change: 1, At: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, c := range []struct {
		utc    time.Time
		l      gpspps.Leap
		change int
		known  bool
	}{
		{december, gpspps.Leap{}, 0, false},
		{december, gpspps.Leap{Next: next, Receiver: true}, 1, true},
		{december, gpspps.Leap{Next: next, Network: true}, 1, false},
		{december.AddDate(0, -1, 0), gpspps.Leap{}, 0, true},
		{december.AddDate(0, -3, 0), gpspps.Leap{Next: next, Receiver: true}, 0, true},
		{december.AddDate(0, -3, 0), gpspps.Leap{}, 0, false},
		{december.AddDate(0, 1, 0), gpspps.Leap{}, 0, true},
	} {
		if change, known := leapOf(c.utc, c.l); change != c.change || known != c.known {
			t.Errorf("%s, %+v: %d, %v", c.utc, c.l, change, known)
		}
	}
}
