package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/access/password"
	"github.com/truechimer/truechimer/appliance/advice"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/gpspps/gpstest"
	"github.com/truechimer/truechimer/gpspps/receiver"
	"github.com/truechimer/truechimer/monitor"
)

// addressed is dayFile without the server that has a name.
var addressed = dayFile[:strings.Index(dayFile, "[[server]]\nname")]

// alone is a station whose servers say nothing of the time.
var alone = lack{unlinked: true}

// answers has one server say something else.
func answers(server string, outcome monitor.Outcome) func(string, *monitor.Exchange) {
	return func(name string, x *monitor.Exchange) {
		if name == server {
			x.Outcome = outcome
		}
	}
}

// TestSituations brings about the situations of receivers, servers and boards, each
// by what causes it, and looks at what the page says first.
func TestSituations(t *testing.T) {
	const second = "198.51.100.1"
	for id, c := range map[string]struct {
		lack  lack
		file  string // truechimer.toml; empty: dayFile
		rig   rig
		wrong func(string) time.Duration
		files map[string]string // in /proc and /sys
		set   func(*platform)
		after time.Duration // 0: three minutes
		// by is what is there too and comes first
		by     string
		during func(*world) // a change, while it lives
	}{
		"well":     {after: 5 * time.Minute},
		"no-bytes": {rig: rig{port: gps(9600, "gps off")}, lack: lack{pulseless: true}},
		"no-port":  {rig: rig{port: gps(9600), serial: []string{"none"}}, lack: lack{pulseless: true}},
		"garbled":  {rig: rig{port: gps(9600, "gps garbage")}, lack: lack{pulseless: true}},
		"wrong-baud": {rig: rig{port: gps(38400)}, lack: lack{pulseless: true},
			file: dayFile + "[receiver]\nbaud = 9600\n"},
		"no-pulse":     {rig: rig{port: gps(9600)}, lack: lack{pulseless: true}},
		"usb-no-pulse": {rig: rig{port: gps(9600), serial: []string{"/dev/ttyACM0"}}, lack: lack{pulseless: true}},
		"pulse-elsewhere": {rig: rig{port: gps(9600), pin: "GPIO4"},
			file: dayFile + "[receiver]\npps = \"GPIO18\"\n"},
		"few-satellites": {rig: rig{port: gps(9600, "gps sats 2")}, lack: lack{pulseless: true}},
		"antenna-open":   {rig: rig{port: gps(9600, "gps sats 0", "gps antenna open")}, lack: lack{pulseless: true}},
		"antenna-short":  {rig: rig{port: gps(9600, "gps sats 0", "gps antenna short")}, lack: lack{pulseless: true}},
		"antenna-moved": {rig: rig{port: gps(9600, "gps away 5000")}, after: 10 * time.Minute,
			set: func(p *platform) { survey(p) }},
		"disputed": {after: 20 * time.Minute, wrong: func(string) time.Duration { return 0 },
			during: func(w *world) {
				time.Sleep(10 * time.Minute)
				w.ahead.Store(int64(500 * time.Millisecond))
			}},
		"signal-lost": {after: 5*time.Minute + 30*time.Second, during: func(w *world) {
			time.Sleep(5 * time.Minute)
			w.cut.Store(true)
		}},
		"server-off": {after: 10 * time.Minute, wrong: func(s string) time.Duration {
			if s == second {
				return 75 * time.Millisecond
			}
			return 0
		}},
		"server-silent": {after: 10 * time.Minute, rig: rig{answer: answers(second, monitor.OutcomeTimeout)}},
		"server-unset":  {after: 10 * time.Minute, rig: rig{answer: answers(second, monitor.OutcomeUnsynchronized)}},
		"server-shy":    {after: 10 * time.Minute, rig: rig{answer: answers(second, monitor.OutcomeDenied)}},
		"name-unknown":  {rig: rig{unknown: true}},
		"dns-dead":      {lack: lack{nameless: true}},
		"by-servers":    {rig: rig{bare: true}},
		"no-servers":    {file: "# none\n", after: time.Minute},
		"settling":      {lack: alone, file: addressed, by: "notice"},
		"listening":     {lack: lack{unlinked: true, mute: true}, after: 2 * time.Second, by: "notice"},
		"notice":        {file: strings.Replace(dayFile, "interval = \"64s\"", "interval = \"64\"", 1), after: 5 * time.Minute},
		"wrong-image":   {files: map[string]string{"proc/device-tree/compatible": "pine64,rock64\x00rockchip,rk3328\x00", "proc/device-tree/model": "Pine64 Rock64\x00"}},
		"undervoltage":  {files: map[string]string{"sys/class/hwmon/hwmon1/name": "rpi_volt\n", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": "1\n"}},
		"card-read-only": {files: map[string]string{
			"proc/self/mountinfo": "21 1 179:2 / / ro - squashfs /dev/root ro\n31 21 179:4 / PERM ro,relatime - ext4 /dev/mmcblk0p4 rw\n"}},
		"card-lost":     {set: func(p *platform) { p.volatile = true }},
		advice.SafeMode: {set: func(p *platform) { p.safe = true }},
	} {
		t.Run(id, func(t *testing.T) {
			file := c.file
			if file == "" {
				file = dayFile
			}
			p := &platform{station: true, perm: t.TempDir(), root: t.TempDir(), bootDevice: card(t, []byte(file))}
			for name, text := range c.files {
				imageFile(t, p, name, strings.ReplaceAll(text, "PERM", p.perm))
			}
			if c.set != nil {
				c.set(p)
			}
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(c.lack)
				w.rig, w.wrong = c.rig, c.wrong
				if c.during != nil {
					go c.during(w)
				}
				after := c.after
				if after == 0 {
					after = 3 * time.Minute
				}
				s, _ := live(t, w, p, after)
				var by []string
				if c.by != "" {
					by = []string{c.by}
				}
				advised(t, s, id, by...)
			})
		})
	}
}

// survey has the station find where its antenna was surveyed to be.
func survey(p *platform) {
	var at antennaFile
	d := receiver.NewDecoder(receiver.DecoderConfig{Emit: func(f gpspps.Fix) { at.Lat, at.Lon = &f.Position.Lat, &f.Position.Lon }})
	d.Feed(gpstest.New(1).Burst(epoch), 1e12)
	d.Idle(2e12)
	b, err := json.Marshal(at)
	if err == nil {
		err = durable.WriteFile(filepath.Join(p.perm, antennaName), durable.Summed(antennaHead, b))
	}
	if err != nil || at.Lat == nil {
		panic(fmt.Sprint("no survey: ", err))
	}
}

// TestReceiverJumps is in doubt until somebody says which second it is.
func TestReceiverJumps(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte("# no server\n"))}
	synctest.Test(t, func(t *testing.T) {
		r := gpstest.New(1)
		w := newWorld(lack{})
		w.rig.port = onPort(r, 9600)
		go func() {
			time.Sleep(20 * time.Minute)
			_ = r.Set("gps late")
		}()
		s, _ := live(t, w, p, 21*time.Minute)
		advised(t, s, "in-doubt")
	})
}

// TestLeapSecondIsComing by the word of a receiver.
func TestLeapSecondIsComing(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(lack{})
		s := newSocket(gpstest.NeoM9N, 9600)
		s.device.Announce(1, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
		w.rig.port = func(*world, string, int) (port, error) { return s, nil }
		got, _ := live(t, w, p, 20*time.Minute)
		advised(t, got, "leap-second")
		if got.Advice.Sentence != "A leap second comes at the end of 31 December 2026." {
			t.Error(got.Advice.Sentence)
		}
	})
}

// TestUnclaimed until somebody owns the station.
func TestUnclaimed(t *testing.T) {
	p := &platform{station: true, perm: t.TempDir(), secure: ":443"}
	s := testStation(t, p, stopped{})
	if got := s.Status(); got.Station.Claimed != nil {
		t.Errorf("before anybody can: %v", *got.Station.Claimed)
	}
	if _, err := s.server(); err != nil {
		t.Fatal(err)
	}
	advised(t, s.Status(), "unclaimed")
	s.conf.Admin.PasswordHash = config.NewSecret(password.New("as long as it has to be").String())
	if _, err := s.server(); err != nil {
		t.Fatal(err)
	}
	if got := s.Status(); got.Station.Claimed == nil || !*got.Station.Claimed || got.Advice.Situation == "unclaimed" {
		t.Errorf("claimed: %v, %q", got.Station.Claimed, got.Advice.Situations)
	}
}

// TestUpdateSituations: an update that waits, one on trial, one that nobody renews.
func TestUpdateSituations(t *testing.T) {
	berlin := "timezone = \"Europe/Berlin\"\n" + dayFile + "[update]\nwindow = \"02:00-05:00\"\n"
	t.Run("update-waiting", func(t *testing.T) {
		p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(berlin))})
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			r := tuftest.New(epoch)
			offer(t, r, "1.3.0")
			w.releases = r
			s, _ := live(t, w, p, 30*time.Minute)
			advised(t, s, "update-waiting")
		})
	})
	t.Run("update-stale", func(t *testing.T) {
		p := updatable(t, &platform{station: true, perm: t.TempDir(), bootDevice: card(t, []byte(dayFile))})
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			r := tuftest.New(epoch.AddDate(0, 0, -30))
			offer(t, r, "1.3.0")
			w.releases = r
			s, _ := live(t, w, p, 30*time.Minute)
			advised(t, s, "update-stale")
		})
	})
	t.Run("update-trial", func(t *testing.T) {
		p, r := tryNewer(t)
		p.slot = "b"
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(lack{})
			w.version, w.releases = "1.3.0", r
			s, _ := live(t, w, p, 2*time.Minute)
			advised(t, s, "update-trial")
		})
	})
	t.Run("update-refused", func(t *testing.T) { updateRefused(t) })
}

// updateRefused is a release whose system does not find the receiver: it is tried
// three times within a day.
func updateRefused(t *testing.T) {
	p, r := tryNewer(t)
	boots := func(slot, version string, l lack, d, quiet time.Duration, last bool) {
		p.slot = slot
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(l)
			w.version, w.releases, w.quiet = version, r, quiet
			s, _ := live(t, w, p, d)
			if last {
				advised(t, s, "update-refused")
			}
		})
	}
	for _, pause := range []time.Duration{70 * time.Minute, 25 * time.Hour, 20 * time.Minute} {
		boots("b", "1.3.0", lack{mute: true}, 11*time.Minute, 0, false)
		// The version before has a fix when the other one is tried again.
		boots("a", "1.2.0", lack{}, pause, pause-90*time.Minute, pause == 20*time.Minute)
	}
}

// TestEverySituationIsBroughtAbout by a test of this package, or of the network's.
func TestEverySituationIsBroughtAbout(t *testing.T) {
	var tests strings.Builder
	for _, file := range []string{"situations_test.go", "network/situations_linux_test.go"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(b)
	}
	for _, s := range advice.Situations {
		if !strings.Contains(tests.String(), `"`+s.ID+`"`) && s.ID != advice.SafeMode {
			t.Errorf("nothing brings about %s", s.ID)
		}
	}
}
