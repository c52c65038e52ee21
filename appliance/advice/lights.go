package advice

import (
	"slices"

	"github.com/truechimer/truechimer/appliance/health"
	"github.com/truechimer/truechimer/appliance/status"
	"github.com/truechimer/truechimer/appliance/update"
	"github.com/truechimer/truechimer/gpspps"
	"github.com/truechimer/truechimer/monitor"
)

// time is how well the station knows the time.
func (f *facts) time() status.Light {
	r := f.Reference
	within := "."
	if r.Uncertainty != nil {
		within = ", within " + health.Within(*r.Uncertainty) + "."
	}
	switch state := gpspps.State(r.State); {
	case f.Station.SafeMode:
		return status.Light{Level: status.LevelBad, Word: "off", Sentence: "Not kept in safe mode."}
	case f.byServers():
		return status.Light{Level: status.LevelWait, Word: "borrowed", Sentence: "Agreed among the servers" + within}
	case state == gpspps.StateLocked:
		return status.Light{Level: status.LevelGood, Word: "known", Sentence: "From " + from(gpspps.Source(r.Source)) + within}
	case state == gpspps.StateHoldover && r.Uncertainty == nil:
		return status.Light{Level: status.LevelBad, Word: "lost", Sentence: "No longer known well enough."}
	case state == gpspps.StateHoldover:
		return status.Light{Level: status.LevelWarn, Word: "carried on", Sentence: "By the station's own clock" + within}
	case state == gpspps.StateSuspect:
		return status.Light{Level: status.LevelBad, Word: "in doubt", Sentence: "Not used until that is settled."}
	case state == gpspps.StateNumbering:
		return status.Light{Level: status.LevelWait, Word: "checking", Sentence: "Coming in, not proven yet."}
	}
	return status.Light{Level: status.LevelWait, Word: "waiting", Sentence: "Not known yet."}
}

// from names where the time comes from.
func from(source gpspps.Source) string {
	switch source {
	case gpspps.SourceGPSPPS, gpspps.SourceGPS:
		return "GPS"
	case gpspps.SourcePPS:
		return "the pulse"
	case gpspps.SourceNTP:
		return "one server"
	}
	return waited(source)
}

// answers are the verdicts on servers that have said something.
var answers = []monitor.Verdict{
	monitor.OK, monitor.Doubtful, monitor.Off, monitor.Unsynchronized, monitor.Denied, monitor.RateLimited, monitor.Invalid,
}

// network is whether the station reaches anybody.
func (f *facts) network() status.Light {
	way := "Over this computer's network"
	if f.Status.Network != nil {
		way = "By cable"
		if f.Network.Radio {
			way = "By Wi-Fi"
		}
		switch {
		case f.Network.IPv4 && f.Network.IPv6:
			way += ", with IPv4 and IPv6"
		case f.Network.IPv4:
			way += ", with IPv4"
		case f.Network.IPv6:
			way += ", with IPv6"
		}
	}
	switch f.Network.Trouble {
	case status.NetworkNoLink:
		return status.Light{Level: status.LevelBad, Word: "unplugged", Sentence: "No cable, and no Wi-Fi."}
	case status.NetworkNoLease:
		return status.Light{Level: status.LevelBad, Word: "no address", Sentence: "Plugged in, without an address."}
	case status.NetworkNoRouter:
		return status.Light{Level: status.LevelWarn, Word: "local only", Sentence: "No way to the internet."}
	case status.NetworkSilent:
		return status.Light{Level: status.LevelBad, Word: "cut off", Sentence: "The router does not answer."}
	}
	if f.name(status.NameNoAnswer) != "" {
		return status.Light{Level: status.LevelBad, Word: "no names", Sentence: "Names cannot be looked up."}
	}
	asked := slices.ContainsFunc(f.Servers, func(s status.Server) bool { return s.Verdict != "" && s.Verdict != string(monitor.NotJudged) })
	answered := slices.ContainsFunc(f.Servers, func(s status.Server) bool {
		return slices.Contains(answers, monitor.Verdict(s.Verdict)) || s.Received > 0
	})
	switch {
	case asked && !answered:
		return status.Light{Level: status.LevelWarn, Word: "silent", Sentence: "No server answers."}
	case f.Status.Network == nil && !answered:
		return status.Light{Level: status.LevelWait, Word: "unknown", Sentence: "No server has answered yet."}
	}
	return status.Light{Level: status.LevelGood, Word: "works", Sentence: way + "."}
}

// updates is how the station's own program is kept new.
func (f *facts) updates() status.Light {
	u := f.Update
	version := "Version " + f.version()
	switch {
	case u == nil:
		return status.Light{Level: status.LevelWait, Word: "none", Sentence: "This program does not update itself."}
	case u.Damage != "":
		return status.Light{Level: status.LevelBad, Word: "damaged", Sentence: "The card does not read back right."}
	case u.State == string(update.StateOff):
		return status.Light{Level: status.LevelWait, Word: "off", Sentence: "No new version is looked for."}
	case u.State == string(update.StateTrial):
		return status.Light{Level: status.LevelWait, Word: "on trial", Sentence: version + " has to prove itself."}
	case u.Blocked != nil:
		return status.Light{Level: status.LevelWarn, Word: "refused", Sentence: version + " failed, and is left out."}
	case u.Freshness == string(update.Expired):
		return status.Light{Level: status.LevelWarn, Word: "stopped", Sentence: "Nothing recent is offered."}
	case u.Candidate != nil && u.State == string(update.StateIdle):
		return status.Light{Level: status.LevelWait, Word: "waiting", Sentence: version + " is ready."}
	case u.Candidate != nil:
		return status.Light{Level: status.LevelWait, Word: "under way", Sentence: version + " is on its way."}
	case u.State == string(update.StateWaiting):
		return status.Light{Level: status.LevelWait, Word: "later", Sentence: "Not reached; tried again by itself."}
	case u.Checked == nil:
		return status.Light{Level: status.LevelWait, Word: "looking", Sentence: "Not looked for one yet."}
	}
	return status.Light{Level: status.LevelGood, Word: "current", Sentence: "This is the newest version."}
}
