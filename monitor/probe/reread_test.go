package probe

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/monitor"
	"github.com/truechimer/truechimer/monitor/ntptest"
)

// TestReread reads an exchange again as it was read first, in both modes.
func TestReread(t *testing.T) {
	t.Parallel()
	s := serve(t, "")
	s.Behave(ntptest.Offset(time.Hour), ntptest.Stratum(3), ntptest.Root(77, 99), ntptest.RefID("GPS"))
	p := prober(t)
	first := p.Probe(t.Context(), monitor.Target{ID: "a", Addr: s.Addr()})
	if first.Outcome != monitor.OutcomeOK || first.Wire == nil || bytes.Equal(first.Wire.Request[40:], make([]byte, 8)) {
		t.Fatalf("%+v", first)
	}
	first.Card = 2 // as if it had been one
	again := func(x monitor.Exchange, w monitor.Wire) (monitor.Exchange, error) {
		out := monitor.Exchange{
			Target: x.Target, Addr: x.Addr, T1: x.T1, T4: x.T4, Mono: x.Mono, Diff: x.Diff,
			StampError: x.StampError, Kernel: x.Kernel, Card: x.Card, TTL: x.TTL,
		}
		out.Validated = x.Validated
		err := Reread(&out, w)
		return out, err
	}
	if got, err := again(first, *first.Wire); err != nil || !reflect.DeepEqual(got, first) {
		t.Errorf("%v, read as\n%+v, was\n%+v", err, got, first)
	}
	// Interleaved, the reply says when the one before it left, here long ago.
	w := *first.Wire
	binary.BigEndian.PutUint64(w.Request[offReceive:], 0x1122334455667788)
	copy(w.Reply[offOrigin:], w.Request[offReceive:offReceive+8])
	w.Reply[offTransmit+3] -= 9
	if got, err := again(first, w); err != nil || !got.Interleaved || got.T2 != first.T2 || got.T3 != first.T2 {
		t.Errorf("%v, read as %+v", err, got)
	}
	for says, spoil := range map[string]func(*monitor.Wire){
		"which the request did not ask": func(w *monitor.Wire) { w.Reply[offOrigin]++ },
		"not a client's":                func(w *monitor.Wire) { w.Request[0] = 3<<3 | modeClient },
		"has no cookie":                 func(w *monitor.Wire) { clear(w.Request[offTransmit:]) },
		"kiss code RATE":                func(w *monitor.Wire) { w.Reply[1] = 0; copy(w.Reply[12:], "RATE") },
		"receive time stamp is zero":    func(w *monitor.Wire) { clear(w.Reply[offReceive : offReceive+8]) },
	} {
		w := *first.Wire
		spoil(&w)
		if got, err := again(first, w); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, %+v", says, err, got)
		}
	}
	// Nothing is kept of what is no proper reply.
	s.Behave(ntptest.Kiss("DENY"))
	if x := p.Probe(t.Context(), monitor.Target{ID: "a", Addr: s.Addr()}); x.Wire != nil {
		t.Errorf("%+v", x)
	}
}
