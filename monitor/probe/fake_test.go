package probe

import (
	"context"
	"encoding/binary"
	"errors"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
)

// virtual is a pair of clocks that stand still unless moved.
type virtual struct{ real, mono int64 }

func (v *virtual) Realtime() int64  { return v.real }
func (v *virtual) Monotonic() int64 { return v.mono }

func (v *virtual) pass(d time.Duration) { v.real += int64(d); v.mono += int64(d) }
func (v *virtual) step(d time.Duration) { v.real += int64(d) }

// script is a wire that replies as written: each reply once, then silence.
type script struct {
	clock   *virtual
	sendErr error
	replies []func(request []byte) ([]byte, error)

	request []byte
	told    func(*sieve)
	t1, t4  int64
	closed  int
}

func (w *script) send(b []byte, told func(*sieve)) error {
	w.told = told
	w.request = append([]byte(nil), b...)
	w.t1 = w.clock.Realtime()
	return w.sendErr
}

func (w *script) receive(s *sieve) error { return sift(s, w.told, w.read) }

func (w *script) read(b []byte) (int, error) {
	if len(w.replies) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	r, err := w.replies[0](w.request)
	w.replies = w.replies[1:]
	w.t4 = w.clock.Realtime()
	return copy(b, r), err
}

func (w *script) stamps(bool) stamps {
	return stamps{t1: w.t1, t4: w.t4, err: kernelStampError, kernel: true, wanted: true}
}

func (w *script) close() { w.closed++ }

// over makes a Prober that has its exchanges over w.
func over(w *script) *Prober {
	return &Prober{timeout: DefaultTimeout, clock: w.clock, dial: func(context.Context, monitor.Target, Clock, time.Duration) (wire, error) {
		return w, nil
	}}
}

func (w *script) probe(t *testing.T) monitor.Exchange {
	t.Helper()
	x := over(w).Probe(context.Background(), monitor.Target{Addr: anyAddr})
	if w.closed != 1 {
		t.Errorf("the wire was closed %d times", w.closed)
	}
	return x
}

// reply is a good server's: 10 ms there, 1 ms work, 10 ms back, its clock
// ahead by offset.
func (v *virtual) reply(offset time.Duration, change func(b []byte)) func([]byte) ([]byte, error) {
	return func(request []byte) ([]byte, error) {
		b := make([]byte, packetSize)
		b[0], b[1], b[3] = 4<<3|modeServer, 1, 0xec
		copy(b[offOrigin:], request[offTransmit:])
		v.pass(10 * time.Millisecond)
		binary.BigEndian.PutUint64(b[32:], ntpTime(v.real+int64(offset)))
		v.pass(time.Millisecond)
		binary.BigEndian.PutUint64(b[40:], ntpTime(v.real+int64(offset)))
		v.pass(10 * time.Millisecond)
		if change != nil {
			change(b)
		}
		return b, nil
	}
}

// ntpTime is ns since the Unix epoch as an NTP time stamp, rounded up so that
// the way back loses nothing.
func ntpTime(ns int64) uint64 {
	t := time.Unix(0, ns)
	return uint64(uint32(t.Unix()+ntpToUnix))<<32 | (uint64(t.Nanosecond())<<32+999_999_999)/1_000_000_000
}

func at(s string) int64 {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t.UnixNano()
}

func TestVirtualExchange(t *testing.T) {
	v := &virtual{real: at("2026-11-23T00:00:00Z"), mono: 5e9}
	start := v.real
	w := &script{clock: v, replies: []func([]byte) ([]byte, error){v.reply(80*time.Millisecond, nil)}}
	x := w.probe(t)
	if x.Outcome != monitor.OutcomeOK {
		t.Fatalf("%s %s", x.Outcome, x.Detail)
	}
	ms := int64(time.Millisecond)
	for name, v := range map[string][2]int64{
		"T1":          {x.T1, start},
		"T2":          {x.T2, start + 90*ms},
		"T3":          {x.T3, start + 91*ms},
		"T4":          {x.T4, start + 21*ms},
		"Diff":        {x.Diff, start - 5e9},
		"Mono":        {x.Mono, 5e9 + 21*ms/2},
		"server time": {x.ServerTime(), start + 21*ms/2 + 80*ms},
	} {
		if v[0] != v[1] {
			t.Errorf("%s is %d, want %d", name, v[0], v[1])
		}
	}
	if x.Delay() != 0.02 || !x.Kernel || x.StampError != kernelStampError {
		t.Errorf("delay %g, kernel %v, stamp error %g", x.Delay(), x.Kernel, x.StampError)
	}
}

func TestClockStepped(t *testing.T) {
	tests := []struct {
		name   string
		step   time.Duration
		change func([]byte)
		want   monitor.Outcome
	}{
		{"a leap second", time.Second, nil, monitor.OutcomeClockStepped},
		{"back", -1100 * time.Microsecond, nil, monitor.OutcomeClockStepped},
		{"26 years", 26 * 365 * 24 * time.Hour, nil, monitor.OutcomeClockStepped},
		{"not at all", 0, nil, monitor.OutcomeOK},
		{"within tolerance", 900 * time.Microsecond, nil, monitor.OutcomeOK},
		{"a kiss is a kiss", time.Second, func(b []byte) { b[1] = 0; copy(b[12:], "DENY") }, monitor.OutcomeDenied},
		{"so far back that T4 precedes T1", -time.Hour, nil, monitor.OutcomeClockStepped},
		{"a small one with a fault", 900 * time.Microsecond, func(b []byte) { b[32] = 0xff }, monitor.OutcomeClockStepped},
		{"a fault without one", 0, func(b []byte) { b[32] = 0xff }, monitor.OutcomeInvalid},
		{"no time is no time", time.Second, func(b []byte) { b[1] = 16 }, monitor.OutcomeUnsynchronized},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &virtual{real: at("2026-11-23T00:00:00Z"), mono: 5e9}
			w := &script{clock: v, replies: []func([]byte) ([]byte, error){v.reply(0, func(b []byte) {
				v.step(tt.step)
				if tt.change != nil {
					tt.change(b)
				}
			})}}
			x := w.probe(t)
			if x.Outcome != tt.want {
				t.Errorf("got %s %q, want %s", x.Outcome, x.Detail, tt.want)
			}
			if want := kernelStampError + tt.step.Seconds(); x.Outcome == monitor.OutcomeOK && x.StampError != want {
				t.Errorf("stamp error %g, want %g: what moved is not known", x.StampError, want)
			}
			agree(t, x)
			if x.Outcome == monitor.OutcomeClockStepped && x.Diff != v.real-v.mono {
				t.Errorf("difference %d, want the new one, %d", x.Diff, v.real-v.mono)
			}
		})
	}
}

// A reading of the clocks that was interrupted leaves open what the other one
// does not tell.
func TestCombine(t *testing.T) {
	for _, tt := range []struct {
		before, after diffReading
		diff, err     int64
	}{
		{diffReading{100, 3}, diffReading{101, 2}, 101, 4},
		{diffReading{100, 2}, diffReading{101, 3}, 100, 4},
		{diffReading{100, 2}, diffReading{100, 50}, 100, 50},
		{diffReading{100, 2}, diffReading{140, 50}, 100, 90},
		{diffReading{100, 50}, diffReading{140, 2}, 140, 90},
		{diffReading{1000, 1}, diffReading{0, 1}, 1000, 1001},
	} {
		if diff, err := combine(tt.before, tt.after); diff != tt.diff || err != tt.err {
			t.Errorf("%v and %v: %d +-%d, want %d +-%d", tt.before, tt.after, diff, err, tt.diff, tt.err)
		}
	}
}

// Stamps that run backwards without the clock having been stepped are nothing
// to blame a server for.
func TestOwnStampsBackwards(t *testing.T) {
	v := &virtual{real: at("2026-11-23T00:00:00Z"), mono: 5e9}
	w := &script{clock: v}
	w.replies = []func([]byte) ([]byte, error){func(request []byte) ([]byte, error) {
		w.t1 += 1e9
		return v.reply(0, nil)(request)
	}}
	if x := w.probe(t); x.Outcome != monitor.OutcomeInternal || !strings.Contains(x.Detail, "station's own") {
		t.Errorf("got %s %q", x.Outcome, x.Detail)
	}
}

// Era 1 begins on 7 February 2036, 06:28:16 UTC.
func TestEras(t *testing.T) {
	const day = 24 * time.Hour
	end := at("2036-02-07T06:28:16Z")
	tests := []struct {
		name, clock string
		server      int64 // true time at the server when the request comes
	}{
		{"this era", "2026-11-23T00:00:00Z", at("2026-11-23T00:00:00Z")},
		{"booted in 2000", "2000-01-01T00:00:00Z", at("2026-11-23T00:00:00Z")},
		{"booted in 1970, next era", "1970-01-01T00:00:10Z", at("2040-06-01T00:00:00Z")},
		{"rtc gone mad", "2199-01-01T00:00:00Z", at("2027-01-01T00:00:00Z")},
		{"next era", "2050-01-01T00:00:00Z", at("2050-01-01T00:00:01Z")},
		{"station before, server after", "2036-02-07T06:28:15Z", end + 5e9},
		{"station after, server before", "2036-02-07T06:28:17Z", end - 5e9},
		{"late in the next era", "2075-01-01T00:00:00Z", at("2090-01-01T00:00:00Z")},
		{"the era ends while the server works", "2036-02-07T06:28:16Z", end - int64(500*time.Microsecond)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := &virtual{real: at(tt.clock), mono: 5e9}
			offset := time.Duration(tt.server-v.real) - 10*time.Millisecond
			w := &script{clock: v, replies: []func([]byte) ([]byte, error){v.reply(offset, nil)}}
			x := w.probe(t)
			if x.Outcome != monitor.OutcomeOK {
				t.Fatalf("%s %s", x.Outcome, x.Detail)
			}
			if x.T2 != tt.server || x.T3 != tt.server+int64(time.Millisecond) {
				t.Errorf("T2 %v, T3 %v, want %v and 1 ms more",
					time.Unix(0, x.T2).UTC(), time.Unix(0, x.T3).UTC(), time.Unix(0, tt.server).UTC())
			}
			if x.Delay() != 0.02 {
				t.Errorf("delay %g, want 0.02", x.Delay())
			}
			// The middle of the exchange is half a millisecond after T2.
			if got, want := x.ServerTime(), tt.server+int64(500*time.Microsecond); got != want {
				t.Errorf("server time %v, want %v", time.Unix(0, got).UTC(), time.Unix(0, want).UTC())
			}
		})
	}
	if got := unixNano(0, end-int64(day)); got != end {
		t.Errorf("time stamp 0 is %v, want the era's end", time.Unix(0, got).UTC())
	}
}

func refusedBy(addr string) *icmpError {
	return &icmpError{errno: syscall.ECONNREFUSED, from: netip.MustParseAddr(addr), typ: 3, code: 3}
}

func TestStationsOwnFaults(t *testing.T) {
	oops := func([]byte) ([]byte, error) { panic("oops") }
	fails := func(err error) func([]byte) ([]byte, error) {
		return func([]byte) ([]byte, error) { return nil, err }
	}
	for _, tt := range []struct {
		name    string
		sendErr error
		receive func([]byte) ([]byte, error)
		want    monitor.Outcome
		detail  string
	}{
		{"panic", nil, oops, monitor.OutcomeInternal, "panic in the protocol code: oops"},
		{"firewall", os.NewSyscallError("send", syscall.EPERM), nil, monitor.OutcomeSendError, "operation not permitted"},
		{"no route", os.NewSyscallError("send", syscall.ENETUNREACH), nil, monitor.OutcomeSendError, "network is unreachable"},
		{"no route any more", nil, fails(classifyErrno(syscall.EHOSTUNREACH, &icmpError{errno: syscall.EHOSTUNREACH, local: true})), monitor.OutcomeSendError, "could not send"},
		{"link down", nil, fails(classifyErrno(os.NewSyscallError("receive", syscall.ENETDOWN), nil)), monitor.OutcomeSendError, "could not send"},
		{"unknown", nil, fails(errors.New("strange")), monitor.OutcomeInternal, "strange"},
		{"from the path", nil, fails(classifyErrno(syscall.EHOSTUNREACH, nil)), monitor.OutcomeUnreachable, "no route to host"},
		{"net unreachable", nil, fails(classifyErrno(syscall.ENETUNREACH, nil)), monitor.OutcomeUnreachable, "network is unreachable"},
		{"refused", nil, fails(classifyErrno(syscall.ECONNREFUSED, nil)), monitor.OutcomeRefused, "connection refused"},
		{"refused by itself", nil, fails(classifyErrno(syscall.ECONNREFUSED, refusedBy("::ffff:127.0.0.1"))), monitor.OutcomeRefused, "from ::ffff:127.0.0.1"},
		{"refused by a gateway", nil, fails(classifyErrno(syscall.ECONNREFUSED, refusedBy("10.0.0.1"))), monitor.OutcomeUnreachable, "connection refused: icmp type 3 code 3 from 10.0.0.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &script{clock: &virtual{real: 1e18, mono: 1}, sendErr: tt.sendErr}
			if tt.receive != nil {
				w.replies = append(w.replies, tt.receive)
			}
			x := w.probe(t)
			if x.Outcome != tt.want || !strings.Contains(x.Detail, tt.detail) {
				t.Errorf("got %s %q, want %s with %q", x.Outcome, x.Detail, tt.want, tt.detail)
			}
			agree(t, x)
		})
	}
	w := &script{clock: &virtual{}, replies: []func([]byte) ([]byte, error){oops}}
	p := over(w)
	p.Probe(context.Background(), monitor.Target{Addr: anyAddr})
	if n := p.Counters().Panics; n != 1 {
		t.Errorf("%d panics counted, want 1", n)
	}
}
