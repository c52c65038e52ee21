package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/proof"
)

const judgeUsage = `What files prove in which stations say why a server is off:

  appliance judge [-json] [-trust KEY]... [-drift PPM] FILE...

checks each file's signature, reads its packets again and judges again what they
say. Files of several stations about one server are held against each other.

  -json        one JSON object for all, in place of text
  -trust KEY   only what is signed with one of these keys counts; a station's own
               is at /api/v1/proofs on it
  -drift PPM   how fast a server's clock may gain or lose at the most between the
               exchanges of several files, parts per million (600)

It ends with 0 if every file proves that its server was off and none contradict
each other, with 1 if not, with 2 if it was called wrongly.

`

// judgedMost is how many files are taken at a time: each exchange of one is held
// against each of all others.
const judgedMost = 256

// errUnproven ends a run after which nobody should rely on what the files say.
var errUnproven = errors.New("not every file proves that its server was off")

// runJudge runs the command.
func runJudge(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("appliance judge", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(flags.Output(), judgeUsage) }
	asJSON := flags.Bool("json", false, "")
	drift := flags.Float64("drift", proof.DefaultDrift*1e6, "")
	var trust []proof.Key
	flags.Func("trust", "", func(s string) error {
		k, err := proof.ParseKey(s)
		trust = append(trust, k)
		return err
	})
	var files []string
	for rest := args; ; {
		if err := flags.Parse(rest); errors.Is(err, flag.ErrHelp) {
			return err
		} else if err != nil {
			return usageError{err}
		}
		if flags.NArg() == 0 {
			break
		}
		files, rest = append(files, flags.Arg(0)), flags.Args()[1:]
	}
	switch {
	case len(files) == 0:
		return usageError{errors.New("judge takes files; write appliance judge -help")}
	case len(files) > judgedMost:
		return usageError{fmt.Errorf("judge takes %d files at a time, not %d", judgedMost, len(files))}
	case !(*drift >= 0) || math.IsInf(*drift, 1):
		return usageError{fmt.Errorf("-drift %g: write parts per million, such as 50", *drift)}
	}
	j := judgeFiles(files, trust, *drift/1e6)
	w := bufio.NewWriter(out)
	if *asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		if err := e.Encode(j); err != nil {
			return err
		}
	} else {
		j.print(w)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !j.Proven {
		return errUnproven
	}
	return nil
}

// judgement is all that a run finds, as it is told to machines.
type judgement struct {
	Proven     bool            `json:"proven"` // by every file, and none contradict each other
	Files      []judgedFile    `json:"files"`
	Agreements []judgedServers `json:"agreements"`
	Trusting   []string        `json:"trusting"` // what this rests on and nobody can check from here
}

type judgedFile struct {
	File    string           `json:"file"`
	Proven  bool             `json:"proven"`
	Doubt   *string          `json:"doubt"`  // why not
	Signed  bool             `json:"signed"` // all of it, by Key
	Key     *proof.Key       `json:"key"`
	Trusted *bool            `json:"trusted"` // null where no key was named
	Station *proof.Station   `json:"station"`
	Server  *proof.Server    `json:"server"`
	Verdict *string          `json:"verdict"` // derived
	Reason  *string          `json:"reason"`
	Had     []judgedExchange `json:"exchanges"`
}

type judgedExchange struct {
	Time      time.Time       `json:"time"`
	Verdict   monitor.Verdict `json:"verdict"`
	Offset    *float64        `json:"offset_s"`
	Low       *float64        `json:"low_s"` // the truth lies from here to High, whatever the path did
	High      *float64        `json:"high_s"`
	Outside   bool            `json:"outside"`
	Delay     float64         `json:"delay_s"`
	Stamps    string          `json:"stamps"`
	Source    string          `json:"reference_source"`
	State     string          `json:"reference_state"`
	Reference float64         `json:"reference_bound_s"`
}

type judgedServers struct {
	Address  string     `json:"address"`
	Files    []string   `json:"files"`
	Stations int        `json:"stations"`
	From     time.Time  `json:"from"`
	To       time.Time  `json:"to"`
	Drift    float64    `json:"drift_ppm"`
	At       *time.Time `json:"at"` // null where they contradict each other
	Low      *float64   `json:"low_s"`
	High     *float64   `json:"high_s"`
	Conflict *string    `json:"conflict"`
	Caution  *string    `json:"caution"`
}

// trusting is what a proof does not prove.
var trusting = []string{
	"the station's key: that it is this station's and nobody else has it",
	"what the station says of its own clock: its time stamps, what they may be wrong by, and its reference's readings with their bounds",
	"that the replies came from the address it names: NTP's are not signed, and an address may be many machines'",
	"that it left nothing out in between",
}

func judgeFiles(names []string, trust []proof.Key, drift float64) *judgement {
	j := &judgement{Proven: true, Agreements: []judgedServers{}, Trusting: trusting}
	var cases []proof.Case
	for _, name := range names {
		f, c := judgeFile(name, trust)
		j.Files = append(j.Files, f)
		j.Proven = j.Proven && f.Proven
		if f.Proven {
			cases = append(cases, c)
		}
	}
	for _, a := range proof.Agree(cases, drift) {
		s := judgedServers{
			Address: a.Server.String(), Files: a.Files, Stations: a.Stations, From: a.From, To: a.To, Drift: a.Drift * 1e6,
			Conflict: maybe(a.Conflict), Caution: maybe(a.Caution),
		}
		if a.Conflict == "" {
			s.At, s.Low, s.High = &a.At, &a.Low, &a.High
		}
		j.Proven = j.Proven && a.Conflict == ""
		j.Agreements = append(j.Agreements, s)
	}
	return j
}

func judgeFile(name string, trust []proof.Key) (f judgedFile, c proof.Case) {
	f = judgedFile{File: name, Had: []judgedExchange{}}
	b, err := readAtMost(name, proof.MaxSize)
	if err != nil {
		f.Doubt = maybe(err.Error())
		return f, c
	}
	s, err := proof.Open(b)
	if err != nil {
		f.Doubt = maybe(err.Error())
		return f, c
	}
	found := proof.Judge(s)
	f.Signed, f.Key, f.Station, f.Server = true, &s.Station.Key, &s.Station, &s.Server
	f.Verdict, f.Reason = maybe(string(found.Verdict)), maybe(found.Reason)
	for _, x := range found.Exchanges {
		had := judgedExchange{
			Time: time.Unix(0, x.At).UTC(), Verdict: x.Verdict, Outside: x.Interval.Side != 0, Delay: x.Delay, Stamps: x.Stamps,
			Source: x.Reference.Source, State: x.Reference.State, Reference: x.Reference.Bound,
		}
		if x.Measured {
			low, high := x.Interval.Offset-x.Interval.Bound, x.Interval.Offset+x.Interval.Bound
			had.Offset, had.Low, had.High = &x.Interval.Offset, &low, &high
		}
		f.Had = append(f.Had, had)
	}
	f.Proven, f.Doubt = found.Proven, maybe(found.Doubt)
	if trust != nil {
		known := slices.Contains(trust, s.Station.Key)
		f.Trusted = &known
		if !known && f.Proven {
			f.Proven, f.Doubt = false, maybe("it is signed with a key that -trust does not name")
		}
	}
	return f, proof.Case{Name: name, Statement: s, Finding: found}
}

// maybe is nil for nothing.
func maybe(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
