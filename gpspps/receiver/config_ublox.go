package receiver

import "github.com/truechimer/truechimer/gpspps/ubx"

// nmeaOut are the sentences of u-blox receivers: identity in class F0, the key
// of generation 9 and later, and whether they come without being asked for.
var nmeaOut = []struct {
	name    string
	id      byte
	key     ubx.Key
	usually bool
}{
	{"GSV", 0x03, ubx.OutGSV, true}, // the longest first: that makes room on the line
	{"GSA", 0x02, ubx.OutGSA, true},
	{"GLL", 0x01, ubx.OutGLL, true},
	{"VTG", 0x05, ubx.OutVTG, true},
	{"GGA", 0x00, ubx.OutGGA, true},
	{"RMC", 0x04, ubx.OutRMC, true},
	{"ZDA", 0x08, ubx.OutZDA, false},
	{"GRS", 0x06, ubx.OutGRS, false},
	{"GST", 0x07, ubx.OutGST, false},
	{"GBS", 0x09, ubx.OutGBS, false},
	{"DTM", 0x0a, ubx.OutDTM, false},
	{"GNS", 0x0d, ubx.OutGNS, false},
	{"VLW", 0x0f, ubx.OutVLW, false},
}

const nmeaClass = 0xf0

// order makes a step of a frame.
func order(what string, f []byte) step {
	return step{send: f, key: ubxKey(f[2], f[3]), what: what}
}

// sentencesUblox says which sentences are wanted: none where UBX is read.
func (s Setup) sentencesUblox() map[string]byte {
	if s.UBX {
		return nil
	}
	return s.sentences(5)
}

// planUblox is for generations 6 to 8.
func (c *Configurator) planUblox() []step {
	want := c.setup.sentencesUblox()
	var steps, last []step
	if c.setup.UBX {
		// First what replaces the sentences. Generation 6 has no NAV-PVT: then
		// these stay.
		s := order(whatOutput, ubx.SetMessage(0x01, 0x07, 1))
		s.then = func(c *Configurator) []step {
			if c.verdict != agreed {
				return c.messages(c.setup.sentences(5))
			}
			return append(c.messages(nil), ubxMessages(c.setup)...)
		}
		steps = append(steps, s)
	} else {
		steps = c.messages(want)
	}
	steps = append(steps, order(whatRate, ubx.SetRate()))
	pulse := quietly(order("", ubx.Poll(ubx.ClassCFG, ubx.CfgTP5, 0)))
	pulse.then = func(c *Configurator) []step {
		var now []byte
		if c.verdict == agreed && c.polled == ubx.CfgTP5 {
			now = c.payload
		}
		s := order(whatPulse, ubx.SetPulse(now, c.setup.CableDelay))
		s.cable = c.setup.CableDelay > 0
		return []step{s}
	}
	steps = append(steps, pulse)
	if c.setup.Moving {
		last = append(last, order(whatMoves, ubx.SetModel(ubx.ModelPortable)))
	} else {
		last = append(last, order(whatStill, ubx.SetModel(ubx.ModelStationary)))
		last = append(last, c.survey()...)
	}
	return append(steps, last...)
}

// messages sets the sentences.
func (c *Configurator) messages(want map[string]byte) (steps []step) {
	for _, m := range nmeaOut {
		s := order(whatOutput, ubx.SetMessage(nmeaClass, m.id, want[m.name]))
		s.quiet = !m.usually
		if want[m.name] == 0 {
			s = turningOff(s, m.name)
		}
		steps = append(steps, s)
	}
	return steps
}

// ubxMessages are what generation 8 sends beside NAV-PVT.
func ubxMessages(s Setup) []step {
	return []step{
		quietly(order("", ubx.SetMessage(0x0d, 0x01, 1))),              // TIM-TP
		quietly(order("", ubx.SetMessage(0x01, 0x26, rarely))),         // NAV-TIMELS
		quietly(order("", ubx.SetMessage(0x01, 0x03, rarely))),         // NAV-STATUS
		quietly(order("", ubx.SetMessage(0x0a, 0x09, rarely))),         // MON-HW
		quietly(order("", ubx.SetMessage(0x01, 0x35, s.satellites()))), // NAV-SAT
	}
}

// planKeys is for generation 9 and later.
func (c *Configurator) planKeys() []step {
	on := func(k ubx.Key) ubx.Key { return k.On(c.port()) }
	want := c.setup.sentencesUblox()
	var out []ubx.Setting
	var off []string
	for _, m := range nmeaOut {
		out = append(out, ubx.Setting{Key: on(m.key), Value: uint32(want[m.name])})
		if want[m.name] == 0 {
			off = append(off, m.name)
		}
	}
	if c.setup.UBX {
		out = append(out,
			ubx.Setting{Key: on(ubx.OutNavPVT), Value: 1}, ubx.Setting{Key: on(ubx.OutTimTP), Value: 1},
			ubx.Setting{Key: on(ubx.OutNavTIMELS), Value: rarely}, ubx.Setting{Key: on(ubx.OutNavSAT), Value: uint32(c.setup.satellites())},
		)
	}
	steps := set(whatOutput, out...)
	steps[len(steps)-1] = turningOff(steps[len(steps)-1], off...)
	if c.setup.UBX {
		// Not every firmware has these.
		for _, k := range []ubx.Key{ubx.OutMonRF, ubx.OutSecSIG} {
			for _, s := range set("", ubx.Setting{Key: on(k), Value: rarely}) {
				steps = append(steps, quietly(s))
			}
		}
	}
	steps = append(steps, set(whatRate, ubx.RateSettings()...)...)
	steps = append(steps, set(whatPulse, ubx.PulseSettings()...)...)
	if c.setup.CableDelay > 0 {
		for _, s := range set(whatCable, ubx.Setting{Key: ubx.TPCableDelay, Value: uint32(min(c.setup.CableDelay, 1<<15-1))}) {
			s.cable = true
			steps = append(steps, s)
		}
	}
	if c.setup.Moving {
		return append(steps, set(whatMoves, ubx.Setting{Key: ubx.DynModel, Value: ubx.ModelPortable})...)
	}
	steps = append(steps, set(whatStill, ubx.Setting{Key: ubx.DynModel, Value: ubx.ModelStationary})...)
	return append(steps, c.survey()...)
}

// port is which of the receiver's ports this is on, as long as what was set there
// has an effect; else the next likely one.
func (c *Configurator) port() ubx.Port {
	switch {
	case c.setup.Baud > 0 && c.elsewhere:
		return ubx.UART2
	case c.setup.Baud > 0 || c.elsewhere: // also behind a converter that looks like a receiver's USB
		return ubx.UART1
	}
	return ubx.USB
}

func set(what string, settings ...ubx.Setting) (steps []step) {
	for _, f := range ubx.Set(settings...) {
		steps = append(steps, order(what, f))
	}
	return steps
}

// survey has a timing receiver find out where its antenna is, unless it knows
// or is at it.
func (c *Configurator) survey() []step {
	var poll, begin step
	var id byte
	switch c.who.timing {
	case noTiming:
		return nil
	case tmode2:
		id = ubx.CfgTMODE2
		poll, begin = order("", ubx.Poll(ubx.ClassCFG, id)), order(whatSurvey, ubx.SurveyTMODE2())
	case tmode3:
		id = ubx.CfgTMODE3
		poll, begin = order("", ubx.Poll(ubx.ClassCFG, id)), order(whatSurvey, ubx.SurveyTMODE3())
	case tmodeKey:
		id = ubx.CfgVALGET
		poll, begin = order("", ubx.Get(ubx.TModeMode)), set(whatSurvey, ubx.SurveySettings()...)[0]
	}
	poll.quiet = true
	poll.then = func(c *Configurator) []step {
		switch {
		case c.verdict != agreed:
			return nil // it has no such thing, whatever its name
		case c.polled == id && ubx.Surveyed(id, c.payload):
			return nil
		}
		return []step{begin}
	}
	return []step{poll}
}
