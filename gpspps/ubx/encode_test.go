package ubx

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
)

// TestKnownFrames: frames as they stand in manuals and other people's notes.
func TestKnownFrames(t *testing.T) {
	for want, got := range map[string][]byte{
		"b5620a0400000e34":                   Poll(ClassMON, MonVER),
		"b56206010300f00300fd15":             SetMessage(0xf0, 0x03, 0),
		"b5620631010000 38e5":                Poll(ClassCFG, CfgTP5, 0),
		"b562068a0900000100000100321001deed": Set(Setting{0x10320001, 1})[0], // GPS L5 whatever its health
	} {
		b, err := hex.DecodeString(string(bytes.ReplaceAll([]byte(want), []byte(" "), nil)))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, b) {
			t.Errorf("% x, want % x", got, b)
		}
	}
}

// TestFramesAreFrames: length and checksum are right.
func TestFramesAreFrames(t *testing.T) {
	frames := [][]byte{
		SetRate(), SetModel(ModelStationary), SetPulse(nil, 0), SurveyTMODE2(), SurveyTMODE3(), Get(TModeMode),
		AppendFrame(nil, 1, 2, nil), AppendFrame(nil, 1, 2, make([]byte, 300)),
	}
	frames = append(frames, Set(PulseSettings()...)...)
	frames = append(frames, Set(RateSettings()...)...)
	frames = append(frames, Set(SurveySettings()...)...)
	for _, f := range frames {
		var a, b byte
		for _, c := range f[2 : len(f)-2] {
			a += c
			b += a
		}
		if n := len(f) - 8; f[0] != 0xb5 || f[1] != 0x62 || int(f[4])|int(f[5])<<8 != n || f[len(f)-2] != a || f[len(f)-1] != b {
			t.Errorf("% x is no frame", f)
		}
	}
	if n := len(AppendFrame(nil, 1, 2, make([]byte, 1<<17))); n != 8+1<<16-1 {
		t.Errorf("the longest frame has %d bytes", n)
	}
}

// TestPulse: the layout is that of the receivers' own default, which has
// flags F7: the same, on the grid of GPS time.
func TestPulse(t *testing.T) {
	now := make([]byte, 32)
	now[0], now[1] = 0, 1
	now[4], now[6] = 0xce, 7 // -50 ns is possible too; radio frequency group delay
	now[5] = 0xff
	now[24] = 9 // the user's own delay
	p := SetPulse(now, 0)
	p = p[6 : len(p)-2]
	if len(p) != 32 || int16(binary.LittleEndian.Uint16(p[4:])) != -50 || p[6] != 7 || p[24] != 9 || p[28] != 0x77 || p[29]|p[30]|p[31] != 0 {
		t.Errorf("% x", p)
	}
	p = SetPulse(now, 1<<20)
	if d := int16(binary.LittleEndian.Uint16(p[10:])); d != 32767 {
		t.Errorf("a cable of %d ns", d)
	}
	for _, now := range [][]byte{nil, {1}, make([]byte, 33)} {
		p = SetPulse(now, 0)
		if p[7] != 1 || p[10] != 50 {
			t.Errorf("of %x: % x", now, p)
		}
	}
}

// TestSettings: 64 to a message, each as long as its key says.
func TestSettings(t *testing.T) {
	var many []Setting
	for i := range uint32(3*MostSettings + 5) {
		many = append(many, Setting{Key(0x10000000*(1+i%4) + i), 1})
	}
	frames := Set(many...)
	if len(frames) != 4 || Set() != nil {
		t.Fatalf("%d messages", len(frames))
	}
	var back []Setting
	for _, f := range frames {
		if f[7] != LayerRAM {
			t.Errorf("layers %x", f[7])
		}
		list, ok := Settings(f[6 : len(f)-2])
		if !ok || len(list) > MostSettings {
			t.Errorf("%d settings, %v", len(list), ok)
		}
		back = append(back, list...)
	}
	if !slices.Equal(back, many) {
		t.Errorf("%v", back)
	}
	whole := frames[3][6 : len(frames[3])-2]
	if _, ok := Settings(whole[:len(whole)-1]); ok {
		t.Error("cut short, and taken")
	}
	for _, p := range [][]byte{nil, {0, 1, 0}, {1, 1, 0, 0}, {0, 7, 0, 0}, {0, 2, 0, 0}, {0, 4, 0, 0}, {0, 1, 0, 0, 1}} {
		if _, ok := Settings(p); ok {
			t.Errorf("% x is taken", p)
		}
	}
	if k := OutTimTP.On(USB); k != 0x20910180 {
		t.Errorf("on USB %x", k)
	}
}

func TestSurveyed(t *testing.T) {
	key := func(k Key, v byte) []byte {
		return append(binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 0}, uint32(k)), v)
	}
	for _, c := range []struct {
		id   byte
		p    []byte
		want bool
	}{
		{CfgTMODE2, SurveyTMODE2()[6:34], true}, {CfgTMODE2, make([]byte, 28), false}, {CfgTMODE2, make([]byte, 27), false},
		{CfgTMODE3, SurveyTMODE3()[6:46], true}, {CfgTMODE3, make([]byte, 40), false}, {CfgTMODE3, nil, false},
		{CfgVALGET, key(TModeMode, 2), true}, {CfgVALGET, key(TModeMode, 0), false}, {CfgVALGET, key(DynModel, 2), false}, {CfgVALGET, nil, false},
		{CfgTP5, make([]byte, 32), false},
	} {
		if got := Surveyed(c.id, c.p); got != c.want {
			t.Errorf("%x, % x: %v", c.id, c.p, got)
		}
	}
}

func FuzzSettings(f *testing.F) {
	f.Add(Set(PulseSettings()...)[0][6:])
	f.Fuzz(func(t *testing.T, p []byte) {
		list, ok := Settings(p)
		if !ok {
			return
		}
		if len(list) == 0 {
			return
		}
		frames := Set(list...)
		if got := frames[0][10 : len(frames[0])-2]; len(frames) != 1 || !bytes.Equal(got, p[4:]) {
			t.Errorf("% x, was % x", got, p[4:])
		}
	})
}
