package byhand

import (
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/truechimer/truechimer/monitor"
)

// recordVersion changes when a name of a Record changes its meaning or goes.
const recordVersion = 1

// Record is one exchange as JSON. Durations and instants are whole nanoseconds,
// instants since the Unix epoch; what is not known is null. docs/probe.md says
// what each name means.
type Record struct {
	V     int     `json:"v"`
	Name  string  `json:"name"`
	Addr  *string `json:"addr"`
	AF    *int    `json:"af"`
	Port  uint16  `json:"port"`
	Seq   int     `json:"seq"`
	Sched int64   `json:"t_sched"`

	T1     *int64  `json:"t1"`
	T2     *int64  `json:"t2"`
	T3     *int64  `json:"t3"`
	T4     *int64  `json:"t4"`
	Mode   *string `json:"mode"`
	Stamps *string `json:"ts_src"`

	Offset    *int64 `json:"offset_ns"`
	Delay     *int64 `json:"delay_ns"`
	Proc      *int64 `json:"proc_ns"`
	PathBound *int64 `json:"path_bound_ns"`
	Bound     *int64 `json:"err_bound_ns"`
	URef      *int64 `json:"u_ref_ns"`
	RefOK     bool   `json:"ref_ok"`
	RefSource string `json:"ref_source"`

	Leap        *uint8   `json:"li"`
	Version     *uint8   `json:"ver"`
	Stratum     *uint8   `json:"stratum"`
	Poll        *int8    `json:"poll_log2"`
	Precision   *int8    `json:"precision_log2"`
	RootDelay   *int64   `json:"root_delay_ns"`
	RootDisp    *int64   `json:"root_disp_ns"`
	RootDist    *int64   `json:"root_dist_ns"`
	RefIDHex    *string  `json:"refid_hex"`
	RefIDText   *string  `json:"refid_text"`
	RefTime     *int64   `json:"ref_time"`
	RefAge      *int64   `json:"ref_age_ns"`
	Kiss        *string  `json:"kiss"`
	Auth        string   `json:"auth"`
	TTL         *uint8   `json:"rx_ttl"`
	BogusRx     int      `json:"bogus_rx"`
	ICMP        *ICMP    `json:"icmp"`
	Result      string   `json:"result"`
	Detail      string   `json:"detail"`
	Warn        []string `json:"warn"`
	BeevikValid *bool    `json:"beevik_valid"`
	Before      *Before  `json:"before"`
}

// ICMP is the message that ended an exchange.
type ICMP struct {
	Type uint8  `json:"type"`
	Code uint8  `json:"code"`
	From string `json:"from"`
}

// Before is the exchange before this one, measured anew: an interleaved reply
// tells when the one before it left.
type Before struct {
	Seq       int   `json:"seq"`
	T1        int64 `json:"t1"`
	T2        int64 `json:"t2"`
	T3        int64 `json:"t3"`
	T4        int64 `json:"t4"`
	Offset    int64 `json:"offset_ns"`
	Delay     int64 `json:"delay_ns"`
	PathBound int64 `json:"path_bound_ns"`
}

const (
	hostClock = "host clock"
	modeBasic = "basic"
	modeLeave = "xleave"
)

func record(a answer) Record {
	x := &a.x
	r := Record{
		V: recordVersion, Name: a.of.host.Name, Port: a.of.host.Port, Seq: a.seq, Sched: a.at.UnixNano(),
		RefOK: a.refKnown, RefSource: hostClock, Auth: "none", BogusRx: int(x.Strays),
		Result: string(x.Finding), Detail: x.Detail, Warn: []string{},
	}
	for _, w := range a.warnings {
		r.Warn = append(r.Warn, string(w))
	}
	if ip := a.of.addr.Addr(); ip.IsValid() {
		af := 6
		if ip.Is4() {
			af = 4
		}
		r.Addr, r.AF = ptr(ip.String()), &af
	}
	if a.refKnown {
		r.URef = nanoseconds(a.uref)
	}
	if x.ICMP.From.IsValid() {
		r.ICMP = &ICMP{x.ICMP.Type, x.ICMP.Code, x.ICMP.From.Unmap().String()}
	}
	if !replied(x) {
		return r
	}
	r.T1, r.T2, r.T3, r.T4 = notZero(x.T1), notZero(x.T2), notZero(x.T3), notZero(x.T4)
	r.Mode, r.Stamps = ptr(mode(x)), ptr(stamps(x))
	if m, ok := measure(x); ok {
		r.Offset, r.Delay, r.Proc, r.PathBound = &m.offset, &m.delay, ptr(x.T3-x.T2), &m.bound
		if r.URef != nil {
			r.Bound = ptr(m.bound + *r.URef)
		}
	}
	r.Leap, r.Version, r.Stratum, r.Poll, r.Precision = &x.Leap, &x.Version, &x.Stratum, &x.Poll, &x.Precision
	r.RootDelay, r.RootDisp, r.RootDist = nanoseconds(x.RootDelay), nanoseconds(x.RootDispersion), nanoseconds(x.RootDistance())
	r.RefIDHex = ptr(fmt.Sprintf("%08x", x.RefID))
	if s := referenceText(x); s != "" {
		r.RefIDText = &s
	}
	if age, ok := x.ReferenceAge(); ok {
		r.RefTime = &x.ReferenceTime
		if x.T3 != 0 {
			r.RefAge = nanoseconds(age)
		}
	}
	if x.Kiss != "" {
		r.Kiss = &x.Kiss
	}
	if x.TTL != 0 {
		r.TTL = &x.TTL
	}
	r.BeevikValid = &x.Validated
	if b := x.Before; b != nil {
		if m, ok := measure(b); ok {
			r.Before = &Before{a.seq - 1, b.T1, b.T2, b.T3, b.T4, m.offset, m.delay, m.bound}
		}
	}
	return r
}

func mode(x *monitor.Exchange) string {
	if x.Interleaved {
		return modeLeave
	}
	return modeBasic
}

func stamps(x *monitor.Exchange) string { return monitor.StampSource(x.Kernel, x.Card) }

func ptr[T any](v T) *T { return &v }

func notZero(v int64) *int64 {
	if v == 0 {
		return nil
	}
	return &v
}

// nanoseconds rounds up, as bounds have to be.
func nanoseconds(seconds float64) *int64 { return ptr(int64(math.Ceil(seconds*1e9 - 1e-3))) }

// lines presents answers as JSON, one a line.
type lines struct{ e *json.Encoder }

func newJSON(out io.Writer) lines {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	return lines{e}
}

func (l lines) answer(a answer) error { return l.e.Encode(record(a)) }
func (lines) end() error              { return nil }
