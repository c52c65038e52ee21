package journal

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// Format is how records are written for others.
type Format string

// The formats of Export.
const (
	CSV  Format = "csv"  // a line of names, then a line for each record, RFC 4180
	JSON Format = "json" // an object on a line of its own for each record
)

// row is a record as others read it. All times are whole nanoseconds; what is not
// known is null, and empty in CSV.
type row struct {
	V           int     `json:"v"`          // of this list of names
	Monitor     string  `json:"monitor_id"` // the station
	ID          string  `json:"id"`         // of the record, for good
	Target      string  `json:"target_id"`
	Name        string  `json:"name"`
	Addr        *string `json:"addr"`
	AF          *int    `json:"af"` // 4 or 6
	Port        *int    `json:"port"`
	T           *int64  `json:"t_ns"`        // the middle of the exchange, since the Unix epoch
	Time        *string `json:"time"`        // the same, RFC 3339
	DatedLater  bool    `json:"dated_later"` // see Record
	Mono        *int64  `json:"mono_ns"`     // only without a date, with
	Session     string  `json:"session"`     // the station's run
	Result      string  `json:"result"`      // of the exchange alone
	Verdict     string  `json:"verdict"`
	Assured     bool    `json:"assured"`
	Provisional bool    `json:"provisional"`
	Offset      *int64  `json:"offset_ns"` // server minus true time
	Delay       *int64  `json:"delay_ns"`
	Bound       *int64  `json:"err_bound_ns"` // half-width that holds the offset whatever the path did
	Uncertainty *int64  `json:"uncertainty_ns"`
	Limit       *int64  `json:"limit_ns"`
	Stamps      *string `json:"ts_src"`    // see monitor.StampSource
	StampError  *int64  `json:"ts_err_ns"` // half-width
	RefOK       bool    `json:"ref_ok"`    // the station's reference was good enough to judge with
	RefSource   string  `json:"ref_source"`
	RefState    string  `json:"ref_state"`
	RefError    *int64  `json:"u_ref_ns"`
	Leap        *int    `json:"li"`
	Stratum     *int    `json:"stratum"`
	RootDelay   *int64  `json:"root_delay_ns"`
	RootDisp    *int64  `json:"root_disp_ns"`
	RootDist    *int64  `json:"root_dist_ns"` // RFC 5905's, without the delay to the server
	RefID       *string `json:"refid_hex"`
	RefIDText   *string `json:"refid_text"`
	Kiss        *string `json:"kiss"`
	Rejected    bool    `json:"rejected"` // the NTP Pool's agent would count this reply as none
}

const rowVersion = 1

// columns are the names of a row's fields in CSV, in their order.
var columns = []string{
	"v", "monitor_id", "id", "target_id", "name", "addr", "af", "port", "t_ns", "time", "dated_later", "mono_ns", "session",
	"result", "verdict", "assured", "provisional", "offset_ns", "delay_ns", "err_bound_ns", "uncertainty_ns", "limit_ns",
	"ts_src", "ts_err_ns", "ref_ok", "ref_source", "ref_state", "u_ref_ns", "li", "stratum", "root_delay_ns", "root_disp_ns",
	"root_dist_ns", "refid_hex", "refid_text", "kiss", "rejected",
}

// fields are a row's values for CSV, in the order of columns.
func (r *row) fields(to []string) []string {
	return append(to[:0],
		strconv.Itoa(r.V), plain(r.Monitor), r.ID, plain(r.Target), plain(r.Name), text(r.Addr), number(r.AF), number(r.Port), number(r.T), text(r.Time),
		strconv.FormatBool(r.DatedLater), number(r.Mono), r.Session, r.Result, r.Verdict, strconv.FormatBool(r.Assured),
		strconv.FormatBool(r.Provisional), number(r.Offset), number(r.Delay), number(r.Bound), number(r.Uncertainty), number(r.Limit),
		text(r.Stamps), number(r.StampError), strconv.FormatBool(r.RefOK), r.RefSource, r.RefState, number(r.RefError),
		number(r.Leap), number(r.Stratum), number(r.RootDelay), number(r.RootDisp), number(r.RootDist),
		text(r.RefID), text(r.RefIDText), text(r.Kiss), strconv.FormatBool(r.Rejected),
	)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return plain(*s)
}

// plain keeps a text from being taken for a formula by a program that opens it.
func plain(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func number[T int | int64](n *T) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(int64(*n), 10)
}

// shownAddr is an address as others read it; all is nil where there is none.
func shownAddr(a netip.AddrPort) (addr *string, port, family *int) {
	if !a.IsValid() {
		return nil, nil, nil
	}
	ip, p, f := a.Addr().Unmap().String(), int(a.Port()), 6
	if a.Addr().Unmap().Is4() {
		f = 4
	}
	return &ip, &p, &f
}

// newRow shows a record.
func newRow(station string, rec *Record) row {
	r := row{
		V: rowVersion, Monitor: station, ID: fmt.Sprintf("%s-%d", rec.Segment, rec.Slot),
		Target: rec.Target.ID, Name: rec.Target.Name, Session: fmt.Sprintf("%016x", rec.Session), DatedLater: rec.DatedLater,
		Result: string(rec.Outcome), Verdict: string(rec.Verdict), Assured: rec.Assured, Provisional: rec.Provisional, Rejected: rec.Rejected,
		RefOK: rec.Reference.Usable, RefSource: rec.Reference.Source, RefState: rec.Reference.State,
		Limit: whole(rec.Target.Limit),
	}
	r.Addr, r.Port, r.AF = shownAddr(rec.Target.Addr)
	if rec.Time.IsZero() {
		r.Mono = &rec.Mono
	} else {
		ns, at := rec.Time.UnixNano(), rec.Time.Format(time.RFC3339Nano)
		r.T, r.Time = &ns, &at
	}
	if rec.Measured {
		r.Offset, r.Bound, r.Uncertainty = &rec.Offset, whole(rec.Bound), whole(rec.Uncertainty)
	}
	if rec.Timed {
		r.Delay = &rec.Delay
	}
	if rec.Reference.Known {
		r.RefError = whole(rec.Reference.Uncertainty)
	}
	if isReply(rec.Outcome) {
		leap, stratum, stamps := int(rec.Leap), int(rec.Stratum), monitor.StampSource(rec.Kernel, rec.Card)
		r.Leap, r.Stratum, r.Stamps, r.StampError = &leap, &stratum, &stamps, whole(rec.StampError)
		r.RootDelay, r.RootDisp = whole(rec.RootDelay), whole(rec.RootDispersion)
		r.RootDist = whole(rec.RootDelay/2 + rec.RootDispersion)
		hex, id := fmt.Sprintf("%08x", rec.RefID), monitor.RefIDText(rec.Stratum, rec.RefID)
		r.RefID = &hex
		switch {
		case id == "":
		case rec.Kiss:
			r.Kiss = &id
		default:
			r.RefIDText = &id
		}
	}
	return r
}

// whole is seconds in ns.
func whole(seconds float64) *int64 {
	ns := nanoseconds(seconds)
	return &ns
}

// Export writes the records that are wanted to w, as they are read: it needs little
// memory however many there are. monitor names the station.
func (j *Journal) Export(ctx context.Context, w io.Writer, monitor string, f Format, q Query) (Found, error) {
	b := bufio.NewWriterSize(w, 32<<10)
	write, end, err := rowWriter(b, f, columns, (*row).fields)
	if err != nil {
		return Found{}, err
	}
	found, err := j.Range(ctx, q, func(rec *Record) error {
		r := newRow(monitor, rec)
		return write(&r)
	})
	if err == nil {
		err = end()
	}
	if err != nil {
		return found, err
	}
	return found, b.Flush()
}

// rowWriter writes rows to b in a format; names and fields are for CSV, where fields may
// use the list that it is given. end is called after the last.
func rowWriter[R any](b *bufio.Writer, f Format, names []string, fields func(*R, []string) []string) (write func(*R) error, end func() error, err error) {
	switch f {
	case JSON:
		e := json.NewEncoder(b)
		return func(r *R) error { return e.Encode(r) }, func() error { return nil }, nil
	case CSV:
		c := csv.NewWriter(b)
		c.UseCRLF = true
		if err := c.Write(names); err != nil {
			return nil, nil, err
		}
		var list []string
		write = func(r *R) error {
			list = fields(r, list)
			return c.Write(list)
		}
		return write, func() error { c.Flush(); return c.Error() }, nil
	}
	return nil, nil, fmt.Errorf("%q is no format of the journal's: %s and %s are", f, CSV, JSON)
}
