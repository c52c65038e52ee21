package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/truechimer/truechimer/appliance/health"
)

// print writes a judgement for people. A write that fails shows when w is flushed.
func (j *judgement) print(w io.Writer) {
	for i := range j.Files {
		j.Files[i].print(w)
		fmt.Fprintln(w)
	}
	for i := range j.Agreements {
		j.Agreements[i].print(w)
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "What this rests on and cannot be checked from here:")
	for _, t := range j.Trusting {
		fmt.Fprintf(w, "  - %s\n", t)
	}
}

const judgedTime = "2006-01-02 15:04:05.000"

func (f *judgedFile) print(w io.Writer) {
	say := func(format string, args ...any) { fmt.Fprintf(w, "  "+format+"\n", args...) }
	fmt.Fprintf(w, "%q\n", f.File)
	if f.Signed {
		say("signature  holds, by key %s%s", f.Key, f.trusted())
		say("station    %s, %s", f.Station.ID, f.Station.Software)
		say("server     %s, %s as %s, limit %s", f.Server.Address, f.Server.Name, f.Server.Host, health.Seconds(f.Server.Limit, 4))
	}
	for _, x := range f.Had {
		where := "not measured"
		if x.Offset != nil {
			where = fmt.Sprintf("%s, give or take %s whatever the path did: %s", health.Signed(*x.Offset, 5),
				health.Within((*x.High-*x.Low)/2), map[bool]string{true: "outside", false: "not outside"}[x.Outside])
		}
		say("%s  %s", x.Time.Format(judgedTime), where)
		say("    round trip %s, %s stamps; reference %s, %s, at most %s from true time",
			health.Seconds(x.Delay, 3), x.Stamps, x.Source, x.State, health.Within(x.Reference))
	}
	if f.Verdict != nil {
		say("verdict    %s%s", *f.Verdict, after(": ", f.Reason))
	}
	if f.Proven {
		say("           PROVEN, if the station told the truth about its own clock")
	} else {
		say("           NOT PROVEN%s", after(": ", f.Doubt))
	}
}

func (f *judgedFile) trusted() string {
	switch {
	case f.Trusted != nil && *f.Trusted:
		return ", which you named"
	case f.Trusted != nil:
		return ", which you did not name"
	case !f.Station.KeyKept:
		return ", made for one run of the program: nobody knows it again"
	}
	return "; compare it with the station's own, or name it with -trust"
}

func (s *judgedServers) print(w io.Writer) {
	fmt.Fprintf(w, "%s, by %d files of %s, %s to %s UTC\n", s.Address, len(s.Files), stations(s.Stations),
		s.From.Format(judgedTime), s.To.Format(judgedTime))
	if s.Conflict != nil {
		fmt.Fprintf(w, "  THEY CONTRADICT EACH OTHER: %s.\n", *s.Conflict)
		fmt.Fprintf(w, "  What one station says of its reference or of its path is wrong, or more than one machine answers at the\n"+
			"  address, or the server's clock was set in between or ran faster than %g ppm.\n", s.Drift)
	} else {
		fmt.Fprintf(w, "  They agree: at %s it was between %s and %s of true time, if nobody set its clock in between\n"+
			"  and it ran within %g ppm.\n", s.At.Format("15:04:05.000"), health.Signed(*s.Low, 5), health.Signed(*s.High, 5), s.Drift)
	}
	if s.Caution != nil {
		fmt.Fprintf(w, "  Mind: %s.\n", *s.Caution)
	}
}

func stations(n int) string {
	if n == 1 {
		return "one station alone"
	}
	return fmt.Sprintf("%d stations", n)
}

func after(what string, s *string) string {
	if s == nil {
		return ""
	}
	return what + strings.TrimSpace(*s)
}
