package update

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/bootfs"
)

// fullRecord is as long as a record gets.
func fullRecord() Record {
	version := "1." + strings.Repeat("1", 30) + ".3-" + strings.Repeat("x", 29)
	return Record{
		Format: recordFormat, Phase: PhaseArmed,
		Floors: Floors{Version: version, Epoch: maxEpoch, Metadata: tuf.Floor{
			Root: maxCount, Timestamp: maxCount, Snapshot: maxCount, Targets: maxCount,
			Keys: strings.Repeat("\\", maxKeys), Issued: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC),
		}},
		Release:  &Release{Manifest: noSum, Version: version, Epoch: maxEpoch, Slot: bootfs.SlotB, Tries: maxTries},
		Baseline: &Baseline{true, true, true, true, true},
		Blocked:  version, Reason: strings.Repeat("\"", maxReason), Anchor: noSum.String(),
	}
}

func TestRecord(t *testing.T) {
	for name, r := range map[string]Record{
		"idle": {Format: recordFormat, Phase: PhaseIdle},
		"full": fullRecord(),
	} {
		b, err := r.encode()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := parseRecord(b)
		if err != nil || !reflect.DeepEqual(got, r) {
			t.Errorf("%s: %v\n got %+v\nwant %+v", name, err, got, r)
		}
	}
}

// TestRecordDamaged says what is kept of records that are not whole, or not ours.
func TestRecordDamaged(t *testing.T) {
	full := fullRecord()
	whole, err := full.encode()
	if err != nil {
		t.Fatal(err)
	}
	edit := func(change func(map[string]any)) []byte {
		var m map[string]any
		if err := json.Unmarshal(whole, &m); err != nil {
			t.Fatal(err)
		}
		change(m)
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, c := range map[string]struct {
		b                        []byte
		floors, release, blocked bool // are kept
	}{
		"nothing":            {nil, false, false, false},
		"no JSON":            {[]byte("\x00\xff"), false, false, false},
		"cut off":            {whole[:len(whole)-1], false, false, false},
		"null":               {[]byte("null"), false, false, false},
		"more behind it":     {append(bytes.Clone(whole), "{}"...), false, false, false},
		"too long":           {append(bytes.Clone(whole), bytes.Repeat([]byte(" "), bootfs.StatePayload)...), false, false, false},
		"a later format":     {edit(func(m map[string]any) { m["format"] = 2 }), true, true, true},
		"a field of a later": {edit(func(m map[string]any) { m["rollout"] = []int{1} }), true, true, true},
		"a phase of a later": {edit(func(m map[string]any) { m["phase"] = "mirrored" }), true, true, true},
		"floors below zero":  {edit(func(m map[string]any) { m["floors"].(map[string]any)["epoch"] = -1 }), false, true, true},
		"floors of text":     {edit(func(m map[string]any) { m["floors"] = "high" }), false, true, true},
		"a floor too high": {edit(func(m map[string]any) {
			m["floors"].(map[string]any)["metadata"].(map[string]any)["timestamp"] = math.MaxInt64
		}), false, true, true},
		"slot c":              {edit(func(m map[string]any) { m["release"].(map[string]any)["slot"] = "c" }), true, false, true},
		"blocked is no one":   {edit(func(m map[string]any) { m["blocked"] = "1.2" }), true, true, false},
		"a reason of lines":   {edit(func(m map[string]any) { m["reason"] = "a\nb" }), true, true, true},
		"idle with a release": {edit(func(m map[string]any) { m["phase"] = "idle" }), true, true, true},
		"armed without one":   {edit(func(m map[string]any) { delete(m, "release") }), true, false, true},
		"without a baseline":  {edit(func(m map[string]any) { delete(m, "baseline") }), true, true, true},
	} {
		got, err := parseRecord(c.b)
		if err == nil {
			t.Errorf("%s: accepted: %+v", name, got)
		}
		want := Record{Format: recordFormat, Phase: PhaseIdle}
		if c.floors {
			want.Floors = full.Floors
		}
		if c.blocked {
			want.Blocked = full.Blocked
		}
		if c.floors || c.blocked || c.release {
			want.Anchor = full.Anchor
		}
		if c.release {
			want.Phase, want.Release = PhaseFailed, full.Release
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
		}
	}
}

func FuzzRecord(f *testing.F) {
	whole, err := fullRecord().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"format":1,"phase":"idle","floors":{}}`))
	f.Add([]byte(`{"format":2,"phase":"odd","floors":{"version":"1.0.0"},"release":{"slot":"a"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if e := r.check(); e != nil {
			t.Fatalf("%v, and what was kept is not sound: %v", err, e)
		}
		again, e := r.encode()
		if e != nil {
			t.Fatalf("what was read cannot be written: %v", e)
		}
		if back, e := parseRecord(again); e != nil || !reflect.DeepEqual(back, r) {
			t.Fatalf("%v: it reads differently when it has been written\n%+v\n%+v", e, r, back)
		}
	})
}

// TestFloors merges floors.
func TestFloors(t *testing.T) {
	day := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	a := Floors{Version: "1.9.0", Epoch: 3, Metadata: tuf.Floor{Root: 2, Timestamp: 9, Snapshot: 1, Targets: 4, Keys: "x", Issued: day}}
	for name, c := range map[string]struct{ b, want Floors }{
		"none": {Floors{}, a},
		"each count": {
			Floors{Version: "1.10.0", Epoch: 2, Metadata: tuf.Floor{Root: 1, Timestamp: 8, Snapshot: 5, Targets: 5, Keys: "x"}},
			Floors{Version: "1.10.0", Epoch: 3, Metadata: tuf.Floor{Root: 2, Timestamp: 9, Snapshot: 5, Targets: 5, Keys: "x", Issued: day}},
		},
		"an image's": {
			Floors{Metadata: tuf.Floor{Root: 1, Snapshot: 5}},
			Floors{Version: "1.9.0", Epoch: 3, Metadata: tuf.Floor{Root: 2, Timestamp: 9, Snapshot: 5, Targets: 4, Keys: "x", Issued: day}},
		},
		"of later keys": {
			Floors{Metadata: tuf.Floor{Root: 3, Timestamp: 1, Keys: "y"}},
			Floors{Version: "1.9.0", Epoch: 3, Metadata: tuf.Floor{Root: 3, Timestamp: 1, Keys: "y", Issued: day}},
		},
		"of earlier keys": {
			Floors{Metadata: tuf.Floor{Root: 1, Timestamp: 100, Keys: "w", Issued: day.Add(time.Hour)}},
			Floors{Version: "1.9.0", Epoch: 3, Metadata: tuf.Floor{Root: 2, Timestamp: 9, Snapshot: 1, Targets: 4, Keys: "x", Issued: day.Add(time.Hour)}},
		},
	} {
		if got := highest(a, c.b); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", name, got, c.want)
		}
		if got := highest(c.b, a); got != c.want {
			t.Errorf("%s, the other way:\n got %+v\nwant %+v", name, got, c.want)
		}
	}
}
