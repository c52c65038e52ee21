package artifact_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
)

const rolloutStart = 1_790_000_000

func rollout() *artifact.Rollout {
	return &artifact.Rollout{Start: rolloutStart, Steps: artifact.DefaultSteps()}
}

// TestRolloutIsStrict: one that would never end, or that says nothing, is no manifest.
func TestRolloutIsStrict(t *testing.T) {
	good, _ := sample(t)
	good.Rollout = rollout()
	b := encode(t, good)
	m, err := artifact.Parse(b)
	if err != nil || m.Rollout.Start != rolloutStart || len(m.Rollout.Steps) != 4 {
		t.Fatalf("%+v, %v", m, err)
	}
	type wave = artifact.Rollout
	for say, changes := range map[string][]func(*wave){
		"start":            {func(r *wave) { r.Start = 0 }, func(r *wave) { r.Start = -1 }, func(r *wave) { r.Start = 253402300800 }, func(r *wave) { r.Start = math.MaxInt64 }},
		"paused":           {func(r *wave) { r.Paused = -1 }, func(r *wave) { r.Paused = math.MaxInt64 }},
		"steps, 1 to 16":   {func(r *wave) { r.Steps = nil }, func(r *wave) { r.Steps = make([]artifact.Step, 17) }},
		"step 0":           {func(r *wave) { r.Steps[0].After = -1 }, func(r *wave) { r.Steps[0].Share = 0 }},
		"step 3":           {func(r *wave) { r.Steps[3].Share = 10001 }, func(r *wave) { r.Steps[3].After = math.MaxInt64 }},
		"step 2: no more":  {func(r *wave) { r.Steps[2].Share = 1000 }, func(r *wave) { r.Steps[2].After = 24 * 3600 }},
		"would never be s": {func(r *wave) { r.Steps = r.Steps[:3] }},
	} {
		for i, change := range changes {
			m := copied(t, good)
			change(m.Rollout)
			if err := m.Check(); !errors.Is(err, artifact.ErrManifest) || !strings.Contains(err.Error(), say) {
				t.Errorf("%q, %d: %v", say, i, err)
			}
		}
	}
	for _, bad := range []string{`null`, `[]`, `{}`, `{"start":1,"Steps":[]}`, `{"start":1.5,"steps":[{"after":0,"share":10000}]}`, `{"start":1,"start":1,"steps":[{"after":0,"share":10000}]}`} {
		s := strings.Replace(string(b), `"pack":`, `"rollout":`+bad+`,"pack":`, 1)
		s = strings.Replace(s, `"rollout":{"start":1790000000,`, `"before":{"start":1790000000,`, 1)
		if _, err := artifact.Parse([]byte(s)); !errors.Is(err, artifact.ErrManifest) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestDue: who takes a release from when on.
func TestDue(t *testing.T) {
	start := time.Unix(rolloutStart, 0)
	for bucket, hours := range map[int]int{0: 0, 99: 0, 100: 24, 999: 24, 1000: 48, 4999: 48, 5000: 96, 9999: 96} {
		if at, ok := rollout().Due(bucket); !ok || !at.Equal(start.Add(time.Duration(hours)*time.Hour)) {
			t.Errorf("bucket %d: %v, %v", bucket, at, ok)
		}
	}
	held := rollout()
	held.Paused = rolloutStart + 1
	if at, ok := held.Due(0); ok {
		t.Errorf("held back, but due at %v", at)
	}
	if at, ok := (*artifact.Rollout)(nil).Due(9999); !ok || !at.IsZero() {
		t.Errorf("no rollout: %v, %v", at, ok)
	}
}

// TestBuckets: stations fall evenly into the steps, and each release has others first.
func TestBuckets(t *testing.T) {
	const stations = 100_000
	count := func(version, channel string) (first map[int]bool, tenths [10]int) {
		m := artifact.Manifest{Channel: channel, Version: version}
		first = map[int]bool{}
		for i := range stations {
			b := m.Bucket(fmt.Sprintf("%032x", i))
			if b < 0 || b >= artifact.Buckets {
				t.Fatalf("bucket %d", b)
			}
			tenths[b*10/artifact.Buckets]++
			if b < artifact.Buckets/100 {
				first[i] = true
			}
		}
		return first, tenths
	}
	one, tenths := count("1.0.0", "stable")
	// The deviation of a tenth is 95, of a hundredth 31.
	for i, n := range tenths {
		if n < stations/10-500 || n > stations/10+500 {
			t.Errorf("%d stations in tenth %d", n, i)
		}
	}
	if n := len(one); n < stations/100-160 || n > stations/100+160 {
		t.Errorf("%d stations are first", n)
	}
	for _, next := range [][2]string{{"1.0.1", "stable"}, {"1.0.0", "beta"}} {
		other, _ := count(next[0], next[1])
		both := 0
		for i := range other {
			if one[i] {
				both++
			}
		}
		if both > 40 { // 10 by chance
			t.Errorf("%v: %d stations are first again", next, both)
		}
	}
	m := artifact.Manifest{Channel: "stable", Version: "1.0.0"}
	if got := m.Bucket("0123456789abcdef0123456789abcdef"); got != goldenBucket {
		t.Errorf("bucket %d: a station's place must not change", got)
	}
}

// goldenBucket was computed with other tools: the first 8 bytes of the SHA-256.
const goldenBucket = 8861
