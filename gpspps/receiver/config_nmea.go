package receiver

import (
	"fmt"
	"strings"

	"github.com/truechimer/truechimer/gpspps/nmea"
)

// What people are told that a receiver did not agree to.
const (
	whatOutput = "to send only what is read"
	whatRate   = "one fix a second"
	whatPulse  = "a pulse only while it is locked"
	whatCable  = "the delay of the antenna's cable"
	whatStill  = "an antenna that stands still"
	whatMoves  = "an antenna that moves"
	whatSurvey = "a survey of its antenna's position"
)

// plan is what to say to the receiver that was found.
func (c *Configurator) plan() []step {
	switch c.who.family {
	case ublox:
		return c.planUblox()
	case ubloxKey:
		return c.planKeys()
	case mediatek:
		return c.planPMTK()
	case airoha:
		return c.planPAIR()
	}
	return c.planPQTM()
}

// say makes a step of a sentence.
func say(key, what string, format string, args ...any) step {
	return step{send: nmea.AppendSentence(nil, fmt.Sprintf(format, args...)), key: key, what: what}
}

func quietly(s step) step {
	s.quiet = true
	return s
}

func turningOff(s step, formatters ...string) step {
	s.off = strings.Join(formatters, " ")
	return s
}

// planPMTK is for MediaTek's: "MTK NMEA Packet User Manual" and Quectel's "L76
// Series GNSS Protocol Specification".
func (c *Configurator) planPMTK() []step {
	// The fields of PMTK314 in their order; the last, of nineteen, is MediaTek's own.
	const zda = 17
	fields := make([]string, 19)
	for i := range fields {
		fields[i] = "0"
	}
	want := c.setup.sentences(3) // the largest, of GPS, GLONASS and BeiDou
	var off []string
	for i, f := range []string{"GLL", "RMC", "VTG", "GGA", "GSA", "GSV", "GRS", "GST"} {
		fields[i] = fmt.Sprint(want[f])
		if want[f] == 0 {
			off = append(off, f)
		}
	}
	fields[zda] = "1"
	return []step{
		turningOff(say("PMTK314", whatOutput, "PMTK314,%s", strings.Join(fields, ",")), off...),
		say("PMTK220", whatRate, "PMTK220,1000"), // ms
		// 3: only with a fix, in two dimensions or three; 100 ms long.
		say("PMTK285", whatPulse, "PMTK285,3,100"),
		// The sentences come at the same distance from the pulse each time.
		quietly(say("PMTK255", "", "PMTK255,1")),
	}
}

// planPAIR is for Airoha's: Quectel's "LC29H&LC79H Series GNSS Protocol
// Specification" and "LC26G&LC76G&LC86G Series GNSS Protocol Specification".
func (c *Configurator) planPAIR() []step {
	want := c.setup.sentences(5)
	var steps []step
	for i, f := range []string{"GGA", "GLL", "GSA", "GSV", "RMC", "VTG", "ZDA", "GRS", "GST"} {
		s := say("PAIR062", whatOutput, "PAIR062,%d,%d", i, want[f])
		if want[f] == 0 {
			s = turningOff(s, f)
		}
		if f == "GRS" || f == "GST" {
			s.quiet = true // off unless somebody turned them on
		}
		steps = append(steps, s)
	}
	steps = append(steps,
		say("PAIR050", whatRate, "PAIR050,1000"),
		say("PAIR752", whatPulse, "PAIR752,3,100"), // as in PMTK285
	)
	if !c.setup.Moving {
		steps = append(steps, quietly(say("PAIR080", "", "PAIR080,4"))) // stationary, where it exists
	}
	return steps
}

// planPQTM is for Quectel's own: "LG290P(03) GNSS Protocol Specification". Their
// rate of fixes takes a restart to change and is left as it is.
func (c *Configurator) planPQTM() []step {
	want := c.setup.sentences(5)
	var steps []step
	for _, f := range []string{"GGA", "GLL", "GSA", "GSV", "RMC", "VTG"} {
		s := say("PQTMCFGMSGRATE", whatOutput, "PQTMCFGMSGRATE,W,%s,%d", f, want[f])
		if want[f] == 0 {
			s = turningOff(s, f)
		}
		steps = append(steps, s)
	}
	// Pulse 1, on, 100 ms, 2: only with a fix, 1: rising, 0 reserved.
	return append(steps, say("PQTMCFGPPS", whatPulse, "PQTMCFGPPS,W,1,1,100,2,1,0"))
}
