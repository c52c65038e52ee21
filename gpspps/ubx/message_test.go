package ubx

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"
	"time"

	"github.com/truechimer/truechimer/gpspps"
)

// pack lays numbers out as the interface descriptions' tables do, each in as
// many bytes as its type has.
func pack(v ...any) []byte {
	var b bytes.Buffer
	for _, x := range v {
		if err := binary.Write(&b, binary.LittleEndian, x); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

type (
	u1 = uint8
	u2 = uint16
	u4 = uint32
	i1 = int8
	i2 = int16
	i4 = int32
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// thursday is noon's time of the GPS week, 18 s ahead of UTC.
const thursday = u4(4*86400+12*3600+18) * 1000

func pvt(valid, fixType, flags, flags2 u1, nano i4) []byte {
	return pack(thursday, u2(2026), u1(11), u1(26), u1(12), u1(0), u1(0), valid, u4(23), nano, fixType, flags, flags2, u1(14),
		i4(-15000), i4(514779000), i4(91500), i4(46000), u4(1500), u4(2500), [44]byte{})
}

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestPVT(t *testing.T) {
	m, ok := ReadPVT(pvt(0x37, 3, 1, 0xe0, -250))
	want := PVT{TOW: 388818 * time.Second, Time: noon.Add(-250), ValidDate: true, ValidTime: true, Resolved: true, Accuracy: 23e-9, Type: Fix3D,
		OK: true, ConfirmedOK: true, Confirmed: true, Used: 14,
		Position: gpspps.Position{Known: true, Lat: 51.4779, Lon: -0.0015, Height: 46, Accuracy: 1.5}}
	near(t, "accuracy", m.Accuracy, want.Accuracy)
	m.Accuracy = want.Accuracy
	if !ok || m != want {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
	if m, _ := ReadPVT(pvt(3, 3, 1, 0, 0)); m.Resolved || !m.ValidTime || m.Confirmed {
		t.Errorf("not resolved: %+v", m)
	}
	bad := pvt(7, 3, 1, 0, 0)
	bad[7] = 31 // November
	if m, ok := ReadPVT(bad); !ok || m.ValidDate || !m.Time.IsZero() {
		t.Errorf("31 November: %+v %v", m, ok)
	}
	bad = pvt(7, 3, 1, 0, 0)
	binary.LittleEndian.PutUint32(bad[28:], 900000001)
	binary.LittleEndian.PutUint32(bad[12:], math.MaxUint32)
	if m, _ := ReadPVT(bad); m.Position != (gpspps.Position{}) || m.Accuracy != 0 {
		t.Errorf("beyond the pole: %+v", m)
	}
	if _, ok := ReadPVT(bad[:83]); ok {
		t.Error("a short one is read")
	}
}

func TestTimes(t *testing.T) {
	utc, ok := ReadTimeUTC(pack(thursday, u4(30), i4(-250), u2(2026), u1(11), u1(26), u1(12), u1(0), u1(0), u1(0x37)))
	if !ok || !utc.Time.Equal(noon.Add(-250)) || !utc.UTCOK || !utc.TOWOK || !utc.WeekOK || utc.Standard != 3 || !utc.FromSatellites() {
		t.Errorf("TIMEUTC %+v", utc)
	}
	for _, valid := range []u1{0x07, 0xf7, 0x33} {
		if m, _ := ReadTimeUTC(pack(thursday, u4(30), i4(0), u2(2026), u1(11), u1(26), u1(12), u1(0), u1(0), valid)); m.FromSatellites() {
			t.Errorf("TIMEUTC %#x comes from satellites", valid)
		}
	}
	gps, ok := ReadTimeGPS(pack(thursday, i4(-250), i2(2446), i1(18), u1(7), u4(30)))
	if !ok || gps.Leap != 18 || !gps.LeapOK || !gps.TOWOK || !gps.WeekOK {
		t.Errorf("TIMEGPS %+v", gps)
	}
	if got, ok := UTC(gps.Week, gps.TOW, gps.Leap); !ok || !got.Equal(noon.Add(-250)) {
		t.Errorf("TIMEGPS says %v", got)
	}
	if _, ok := UTC(-1, 0, 18); ok {
		t.Error("a week before GPS time")
	}
	for source, want := range map[u1]bool{0: false, 1: true, 2: true, 5: true, 7: false, 255: false} {
		ls, ok := ReadTimeLS(pack(thursday, u1(0), [3]u1{}, source, i1(18), u1(2), i1(1), i4(3600), u2(2446), u2(4), [3]u1{}, u1(3)))
		if !ok || ls.Leap != 18 || !ls.LeapOK || !ls.NextOK || ls.Change != 1 || ls.In != time.Hour || ls.FromSatellites() != want {
			t.Errorf("TIMELS from source %d: %+v", source, ls)
		}
	}
	clock, ok := ReadClock(pack(thursday, i4(-12345), i4(67), u4(20), u4(300)))
	near(t, "bias", clock.Bias, -12.345e-6)
	near(t, "drift", clock.Drift, 67e-9)
	near(t, "frequency accuracy", clock.FrequencyAccuracy, 300e-12)
	if !ok {
		t.Error("CLOCK is not read")
	}
	tp, ok := ReadTP(pack(thursday+1000, u4(1<<31), i4(-4331), u2(2446), u1(0x0b), u1(15)))
	if !ok || tp.TOW != 388819*time.Second+500*time.Microsecond || !tp.UTC || !tp.UTCOK || !tp.ErrorOK || tp.Week != 2446 {
		t.Errorf("TP %+v", tp)
	}
	near(t, "qErr", tp.Error, -4.331e-9)
	if tp, _ := ReadTP(pack(thursday, u4(0), i4(0), u2(2446), u1(0x10), u1(0))); tp.ErrorOK || tp.UTC {
		t.Errorf("TP without an error: %+v", tp)
	}
}

func TestOldReceivers(t *testing.T) {
	// 51.4779 N 0.0015 W, 91.5 m above the ellipsoid, in centimetres.
	sol := pack(thursday, i4(123456), i2(2446), u1(3), u1(0x0f), i4(398054950), i4(-10421), i4(496679180), u4(250), [12]u1{}, u4(0), u2(150), u1(0), u1(7), u4(0))
	m, ok := ReadSOL(sol)
	if !ok || m.Week != 2446 || !m.OK || !m.WeekOK || !m.TOWOK || m.Used != 7 || m.Type != Fix3D || m.TOW != 388818*time.Second+123456 || m.Epoch != 388818*time.Second {
		t.Errorf("SOL %+v", m)
	}
	if p := m.Position; !p.Known || math.Abs(p.Lat-51.4779) > 1e-3 || math.Abs(p.Lon+0.0015) > 1e-6 || p.Accuracy != 2.5 {
		t.Errorf("SOL is at %+v", p)
	}
	p, ok := ReadPOSLLH(pack(thursday, i4(-15000), i4(514779000), i4(91500), i4(46000), u4(1500), u4(2500)))
	if want := (gpspps.Position{Known: true, Lat: 51.4779, Lon: -0.0015, Height: 46, Accuracy: 1.5}); !ok || p.Position != want {
		t.Errorf("POSLLH %+v", p)
	}
	hw, ok := ReadHW(pack([16]u1{}, u2(90), u2(4000), u1(2), u1(1), u1(3<<2), u1(0), u4(0), [25]u1{}, u1(77), [14]u1{}))
	if !ok || hw.Jam != JamCritical || hw.Indicator != 77 {
		t.Errorf("MON-HW of u-blox 6: %+v", hw)
	}
}

// TestGeodetic goes from degrees to metres and back.
func TestGeodetic(t *testing.T) {
	const a, f = 6378137.0, 1 / 298.257223563
	for lat := -90.0; lat <= 90; lat += 7.5 {
		for lon := -175.0; lon <= 180; lon += 35 {
			for _, h := range []float64{-400, 0, 9000} {
				sin, cos := math.Sincos(lat * math.Pi / 180)
				n := a / math.Sqrt(1-f*(2-f)*sin*sin)
				s, c := math.Sincos(lon * math.Pi / 180)
				p := geodetic((n+h)*cos*c, (n+h)*cos*s, (n*(1-f)*(1-f)+h)*sin)
				if !p.Known || math.Abs(p.Lat-lat) > 1e-8 || math.Abs(lat) < 89 && math.Abs(p.Lon-lon) > 1e-8 {
					t.Errorf("%v %v %v: %+v", lat, lon, h, p)
				}
			}
		}
	}
	if p := geodetic(0, 0, 0); p.Known {
		t.Errorf("the middle of the earth is at %+v", p)
	}
}

func TestSurveys(t *testing.T) {
	want := Svin{Duration: 600 * time.Second, Observations: 599, Accuracy: 1.5, ECEF: [3]float64{3980549.51, -104.2055, 4966791.8}, Active: true}
	nav, ok1 := ReadNavSvin(pack(u1(0), [3]u1{}, thursday, u4(600), i4(398054951), i4(-10420), i4(496679180), i1(0), i1(-55), i1(0), u1(0), u4(15000), u4(599), u1(0), u1(1), u2(0)))
	near(t, "y", nav.ECEF[1], want.ECEF[1])
	want.ECEF[1], nav.ECEF[1] = 0, 0
	if !ok1 || nav != want {
		t.Errorf("NAV-SVIN %+v, want %+v", nav, want)
	}
	tim, ok2 := ReadTimSvin(pack(u4(600), i4(398054951), i4(0), i4(496679180), u4(2250000), u4(599), u1(0), u1(1), u2(0)))
	near(t, "accuracy", tim.Accuracy, 1.5)
	tim.Accuracy = 1.5
	if !ok2 || tim != want {
		t.Errorf("TIM-SVIN %+v, want %+v", tim, want)
	}
}

func TestMonitors(t *testing.T) {
	st, ok := ReadStatus(pack(thursday, u1(3), u1(0x0d), u1(0), u1(2<<3), u4(26000), u4(100000)))
	if want := (Status{388818 * time.Second, Fix3D, true, true, true, SpoofIndicated, 100 * time.Second}); !ok || st != want || !st.Spoof.Suspected() {
		t.Errorf("STATUS %+v", st)
	}
	sat := pack(thursday, u1(1), u1(4), u2(0))
	for _, s := range []struct {
		cno  u1
		elev i1
		used u4
	}{{40, 30, 0x1f}, {0, 10, 0}, {0, -91, 0}, {25, -91, 7}} {
		sat = append(sat, pack(u1(0), u1(7), s.cno, s.elev, i2(100), i2(0), s.used)...)
	}
	if m, ok := ReadSat(sat); !ok || m.Used != 1 || m.Seen != 3 {
		t.Errorf("SAT %+v", m)
	}
	if _, ok := ReadSat(sat[:len(sat)-1]); ok {
		t.Error("a SAT cut short is read")
	}
	hw, ok := ReadHW(pack([16]u1{}, u2(90), u2(4000), u1(2), u1(1), u1(2<<2), u1(0), u4(0), [17]u1{}, u1(33), [14]u1{}))
	if want := (HW{90, 4000, 2, JamWarning, 33}); !ok || hw != want {
		t.Errorf("MON-HW %+v", hw)
	}
	block := func(state, ind u1) []byte {
		return pack(u1(0), state, u1(2), u1(1), u4(0), u4(0), u2(80), u2(5000), ind, [7]u1{})
	}
	rf, ok := ReadRF(append(append(pack(u1(0), u1(2), u2(0)), block(1, 200)...), block(3, 20)...))
	if want := (HW{80, 5000, 2, JamCritical, 20}); !ok || rf != want {
		t.Errorf("MON-RF %+v", rf)
	}
	for _, c := range []struct {
		b    []byte
		want Sig
	}{
		{pack(u1(1), [3]u1{}, u1(1|3<<1), [3]u1{}, u1(1|2<<1), [3]u1{}), Sig{true, JamCritical, true, SpoofIndicated}},
		{pack(u1(1), [3]u1{}, u1(1|2<<1), [3]u1{}, u1(1<<1), [3]u1{}), Sig{true, JamWarning, false, SpoofNone}},
		{pack(u1(2), u1(1|1<<1|8|3<<4), u1(0), u1(1), u4(1575420)), Sig{true, JamNone, true, SpoofAffirmed}},
		{pack(u1(3), u1(1|2<<1|8|1<<4), u1(0), u1(0)), Sig{true, JamCritical, true, SpoofNone}},
	} {
		if m, ok := ReadSig(c.b); !ok || m != c.want {
			t.Errorf("SEC-SIG %x is %+v, want %+v", c.b, m, c.want)
		}
	}
	var sw, hwv, ext [30]byte
	copy(sw[:], "ROM CORE 3.01 (107888)")
	copy(hwv[:], "00080000")
	copy(ext[:], "PROTVER=18.00")
	ver, ok := ReadVer(append(append(append([]byte{}, sw[:]...), hwv[:10]...), ext[:]...))
	if !ok || string(ver.Software) != "ROM CORE 3.01 (107888)" || string(ver.Hardware) != "00080000" || ver.Extensions() != 1 || string(ver.Extension(0)) != "PROTVER=18.00" {
		t.Errorf("MON-VER %q %q %d", ver.Software, ver.Hardware, ver.Extensions())
	}
	if of, ok := ReadAck([]byte{6, 0x8a}); !ok || of != (ID{6, 0x8a}) {
		t.Errorf("ACK of %v", of)
	}
}

// readAll reads b as every message; what comes out must be finite.
func readAll(b []byte) {
	ReadStatus(b)
	ReadTimeLS(b)
	ReadHW(b)
	ReadRF(b)
	ReadSig(b)
	ReadAck(b)
	ReadSat(b)
	ReadTimeUTC(b)
	ReadClock(b)
	if m, ok := ReadTimeGPS(b); ok {
		UTC(m.Week, m.TOW, m.Leap)
	}
	if m, ok := ReadVer(b); ok {
		for i := range m.Extensions() {
			m.Extension(i)
		}
	}
	p, _ := ReadPVT(b)
	l, _ := ReadPOSLLH(b)
	s, _ := ReadSOL(b)
	n, _ := ReadNavSvin(b)
	v, _ := ReadTimSvin(b)
	tp, _ := ReadTP(b)
	for _, x := range []float64{p.Position.Lat, p.Position.Lon, l.Position.Lat, s.Position.Lat, s.Position.Lon, n.Accuracy, v.Accuracy, tp.Error} {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			panic(x)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add(pvt(0x37, 3, 1, 0xe0, -250))
	f.Add(bytes.Repeat([]byte{0xff}, 100))
	f.Add(make([]byte, 100))
	f.Fuzz(func(t *testing.T, b []byte) { readAll(b) })
}

func BenchmarkParser(b *testing.B) {
	epoch := frame(0x0d, 0x01, make([]byte, 16))
	epoch = append(epoch, frame(0x01, 0x07, pvt(0x37, 3, 1, 0, 0))...)
	epoch = append(epoch, frame(0x01, 0x35, make([]byte, 8+12*32))...)
	epoch = append(epoch, frame(0x01, 0x26, make([]byte, 24))...)
	var p Parser
	b.SetBytes(int64(len(epoch)))
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range epoch {
			p.Push(c)
			for {
				if _, ok := p.Next(); !ok {
					break
				}
			}
		}
	}
	if p.Damaged() != 0 || p.Frames() == 0 {
		b.Fatalf("%d frames, %d damaged", p.Frames(), p.Damaged())
	}
}
