package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/truechimer/truechimer/monitor"
)

// Statement is what a station says. All instants are ns, offsets and widths
// seconds.
type Statement struct {
	Type    string  `json:"type"`
	Version int     `json:"version"`
	Station Station `json:"station"`
	Server  Server  `json:"server"`
	// Verdict is what the station found, Reason its words for it.
	Verdict   string     `json:"verdict"`
	Reason    string     `json:"reason"`
	Exchanges []Exchange `json:"exchanges"` // in the order they were had
}

// Station is who says it.
type Station struct {
	ID string `json:"id"`
	// Key is the public key that the file is signed with.
	Key Key `json:"key"`
	// KeyKept is false where the key was made for one run of the program, so
	// that nobody can know it again.
	KeyKept  bool   `json:"key_kept"`
	Software string `json:"software"` // name and version
}

// Server is of whom it is said.
type Server struct {
	ID      string         `json:"id"` // of the server's address, the station's own
	Name    string         `json:"name"`
	Host    string         `json:"host"` // as it was assigned
	Address netip.AddrPort `json:"address"`
	Limit   float64        `json:"limit_s"`
}

// Exchange is one request and its reply.
type Exchange struct {
	Request Packet `json:"request"` // NTP headers as they were on the wire
	Reply   Packet `json:"reply"`
	// T1 and T4 are when the request left and the reply came by the station's
	// clock, T2 and T3 when the request came and the reply left by the server's,
	// since the Unix epoch. T2 and T3 are those of the reply, spelt out; T3 is T2
	// in interleaved mode, where the reply does not tell when it left.
	T1 int64 `json:"t1_ns"`
	T2 int64 `json:"t2_ns"`
	T3 int64 `json:"t3_ns"`
	T4 int64 `json:"t4_ns"`
	// Stamps is who made T1 and T4, StampError what they may be wrong by.
	Stamps     string  `json:"stamps"` // kernel or user
	StampError float64 `json:"stamp_error_s"`
	// Mono is CLOCK_MONOTONIC in the middle between T1 and T4, Diff by how much
	// the clock of T1 and T4 was ahead of it.
	Mono      int64     `json:"mono_ns"`
	Diff      int64     `json:"realtime_minus_mono_ns"`
	TTL       uint8     `json:"ttl"` // of the reply, or hop limit; 0 not known
	Reference Reference `json:"reference"`
}

// Who made T1 and T4.
const (
	StampsKernel = "kernel"
	StampsUser   = "user" // at least one of them
)

// Reference is what the station's own source of time said of the instant Mono.
type Reference struct {
	True        int64     `json:"true_ns"`       // UTC since the Unix epoch
	UTC         time.Time `json:"utc"`           // True, for people
	Uncertainty float64   `json:"uncertainty_s"` // half-width of 95 %
	Bound       float64   `json:"bound_s"`       // half-width that truth leaves once in a million
	Source      string    `json:"source"`
	State       string    `json:"state"` // locked or holdover
	Final       bool      `json:"final"` // smoothed with what came later
}

// The states of a reference that is good enough to judge with.
const (
	stateLocked   = "locked"
	stateHoldover = "holdover"
)

// Packet is an NTP header, in lower-case hexadecimal digits.
type Packet [48]byte

// MarshalText implements encoding.TextMarshaler.
func (p Packet) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, p[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Packet) UnmarshalText(b []byte) error { return unhex(p[:], b) }

// unhex fills all of to; digits in upper case are refused by what comes after.
func unhex(to, b []byte) error {
	if len(b) != hex.EncodedLen(len(to)) {
		return fmt.Errorf("%d hexadecimal digits, %d are needed", len(b), hex.EncodedLen(len(to)))
	}
	_, err := hex.Decode(to, b)
	return err
}

// encode is the statement as it is signed.
func (s *Statement) encode() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// parse reads a statement that may hold anything.
func parse(b []byte) (*Statement, error) {
	var kind struct {
		Type    string `json:"type"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &kind); err != nil {
		return nil, fmt.Errorf("the statement: %w", err)
	}
	switch {
	case kind.Type != Type:
		return nil, fmt.Errorf("it is no %s", Type)
	case kind.Version != Version:
		return nil, fmt.Errorf("it is of version %d of the format, this program knows version %d: take a newer one", kind.Version, Version)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	s := new(Statement)
	if err := d.Decode(s); err != nil {
		return nil, fmt.Errorf("the statement: %w", err)
	}
	if err := s.check(); err != nil {
		return nil, fmt.Errorf("the statement: %w", err)
	}
	again, err := s.encode()
	if err != nil {
		return nil, fmt.Errorf("the statement: %w", err)
	}
	if !bytes.Equal(again, b) {
		return nil, errors.New("the statement is not written as this version of the format is")
	}
	return s, nil
}

// check says what a statement has that none may have.
func (s *Statement) check() error {
	for name, text := range map[string]string{
		"station.id": s.Station.ID, "station.software": s.Station.Software,
		"server.id": s.Server.ID, "server.name": s.Server.Name, "server.host": s.Server.Host,
		"verdict": s.Verdict, "reason": s.Reason,
	} {
		if err := plain(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	a := s.Server.Address
	switch {
	case s.Station.ID == "":
		return errors.New("it does not say whose it is")
	case !a.IsValid() || a.Port() == 0 || a.Addr().Is4In6():
		return fmt.Errorf("server.address: %s is none", a)
	case !(s.Server.Limit > 0) || math.IsInf(s.Server.Limit, 1):
		return fmt.Errorf("server.limit_s: %g is none", s.Server.Limit)
	case len(s.Exchanges) == 0 || len(s.Exchanges) > MaxExchanges:
		return fmt.Errorf("%d exchanges, 1 to %d are allowed", len(s.Exchanges), MaxExchanges)
	}
	// Zones are the station's own names of its interfaces.
	if err := plain(a.Addr().Zone()); err != nil {
		return fmt.Errorf("server.address: %w", err)
	}
	for i := range s.Exchanges {
		if err := s.Exchanges[i].check(); err != nil {
			return fmt.Errorf("exchange %d: %w", i+1, err)
		}
	}
	return nil
}

// latest is the last instant that the format can tell, the beginning of 2200; the
// first is that of 1970.
const latest = int64(7258118400e9)

func (x *Exchange) check() error {
	r := &x.Reference
	for name, text := range map[string]string{"reference.source": r.Source, "reference.state": r.State} {
		if err := plain(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, at := range map[string]int64{"t1_ns": x.T1, "t4_ns": x.T4, "true_ns": r.True, "mono_ns": x.Mono} {
		if at <= 0 || at > latest {
			return fmt.Errorf("%s: %d is no instant", name, at)
		}
	}
	for name, width := range map[string]float64{"stamp_error_s": x.StampError, "uncertainty_s": r.Uncertainty, "bound_s": r.Bound} {
		if !(width >= 0) || math.IsInf(width, 1) {
			return fmt.Errorf("%s: %g is no width", name, width)
		}
	}
	switch {
	case x.Diff < -latest || x.Diff > latest:
		return fmt.Errorf("realtime_minus_mono_ns: %d", x.Diff)
	case x.Stamps != StampsKernel && x.Stamps != StampsUser:
		return fmt.Errorf("stamps: %q", x.Stamps)
	case r.UTC.Format(time.RFC3339Nano) != time.Unix(0, r.True).UTC().Format(time.RFC3339Nano):
		return errors.New("utc and true_ns are two instants")
	}
	return nil
}

// plain refuses text that could do anything to who reads it.
func plain(s string) error {
	switch {
	case len(s) > maxText:
		return fmt.Errorf("%d bytes, %d are allowed", len(s), maxText)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r != ' ' && !unicode.IsGraphic(r) || r == utf8.RuneError }):
		return errors.New("it holds what is no text")
	}
	return nil
}

// tame makes text that comes from anywhere plain.
func tame(s string) string {
	s = strings.Map(func(r rune) rune {
		if r != ' ' && !unicode.IsGraphic(r) || r == utf8.RuneError {
			return -1
		}
		return r
	}, s)
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}

// New is the statement that a server is off by the evidence there is, at most
// MaxExchanges of it, and not by anybody's signature yet.
func New(by Station, t monitor.Target, reason string, list []Evidence) (*Statement, error) {
	by.ID, by.Software = tame(by.ID), tame(by.Software)
	s := &Statement{
		Type: Type, Version: Version, Station: by,
		Server: Server{
			ID: tame(t.ID), Name: tame(t.Server.Name), Host: tame(t.Server.Host),
			Address: netip.AddrPortFrom(t.Addr.Addr().Unmap(), t.Addr.Port()), Limit: t.Server.Limit,
		},
		Verdict: string(monitor.Off), Reason: tame(reason),
	}
	for _, e := range list {
		x, r := e.Exchange, e.Reading
		if x.Wire == nil {
			return nil, errors.New("an exchange without its packets")
		}
		stamps := StampsUser
		if x.Kernel {
			stamps = StampsKernel
		}
		s.Exchanges = append(s.Exchanges, Exchange{
			Request: x.Wire.Request, Reply: x.Wire.Reply,
			T1: x.T1, T2: x.T2, T3: x.T3, T4: x.T4, Stamps: stamps, StampError: x.StampError,
			Mono: x.Mono, Diff: x.Diff, TTL: x.TTL,
			Reference: Reference{
				True: r.True, UTC: time.Unix(0, r.True).UTC(), Uncertainty: r.Uncertainty, Bound: r.Bound,
				Source: tame(e.Source), State: tame(e.State), Final: r.Final,
			},
		})
	}
	return s, s.check()
}
