package update

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
)

// steady are vitals that do not change.
type steady Vitals

func (s steady) Vitals(context.Context) Vitals { return Vitals(s) }

// TestGate is what a system on trial has to show: always, or if the one before it
// did.
func TestGate(t *testing.T) {
	well := Vitals{Serving: "1.1.0", Perm: true, Up: 5 * time.Minute, Network: true, Locked: true, Asked: true, Fix: true}
	all, none := Baseline{true, true, true, true, true}, Baseline{}
	for name, c := range map[string]struct {
		change func(*Vitals)
		meta   error
		all    string // what is lacking where all worked before
		none   string // where nothing did
	}{
		"well":                 {func(v *Vitals) {}, nil, "", ""},
		"no page":              {func(v *Vitals) { v.Serving = "" }, nil, "page", "page"},
		"an old page":          {func(v *Vitals) { v.Serving = "1.0.0" }, nil, "page", "page"},
		"no /perm":             {func(v *Vitals) { v.Perm = false }, nil, "kept on the card", "kept on the card"},
		"too young":            {func(v *Vitals) { v.Up-- }, nil, "long enough", "long enough"},
		"no network":           {func(v *Vitals) { v.Network = false }, nil, "network", ""},
		"not locked":           {func(v *Vitals) { v.Locked = false }, nil, "clock", ""},
		"not locked yet":       {func(v *Vitals) { v.Locked, v.Locking = false, true }, nil, "", ""},
		"nobody answered":      {func(v *Vitals) { v.Asked = false }, nil, "time server", ""},
		"no fix":               {func(v *Vitals) { v.Fix = false }, nil, "fix", ""},
		"offline":              {func(v *Vitals) {}, errOffline, "update host", ""},
		"expired metadata":     {func(v *Vitals) {}, tuf.ErrExpired, "update host", ""},
		"metadata not signed":  {func(v *Vitals) {}, tuf.ErrSignature, "update host", "update host"},
		"metadata of the past": {func(v *Vitals) {}, tuf.ErrRollback, "update host", "update host"},
	} {
		for base, want := range map[Baseline]string{all: c.all, none: c.none} {
			t.Run(fmt.Sprintf("%s, metadata before: %v", name, base.Metadata), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					v := well
					c.change(&v)
					p := &publisher{err: c.meta}
					e := &Engine{o: Options{
						System: System{Version: "1.1.0", Build: built}, Policy: DefaultPolicy(),
						Health: steady(v), Metadata: p, Clock: &world{}, Log: slog.New(slog.DiscardHandler),
					}}
					g := gate{e: e, base: base}
					got := strings.Join(g.lacks(t.Context()), ", ")
					if want == "" && got != "" || !strings.Contains(got, want) {
						t.Errorf("lacks %q, want %q", got, want)
					}
					g.lacks(t.Context())
					if p.asked != 1 {
						t.Errorf("the update host was asked %d times at once", p.asked)
					}
				})
			})
		}
	}
}
