package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/truechimer/truechimer/image/artifact"
)

// RolloutChange is what is to become of how a release reaches stations. The zero
// one begins a rollout by artifact.DefaultSteps, and leaves alone one that there is.
type RolloutChange struct {
	Start time.Time       // when the first step begins; zero: as it is, or now
	Steps []artifact.Step // nil: as they are, or artifact.DefaultSteps
	// Pause holds the release back. Resume lets it go on where it was: the start
	// moves by as long as it was held back.
	Pause, Resume bool
	// All has all stations take it at once.
	All bool
}

// Rollout stages the same release, of the same files, with another rollout: of
// what is staged where that has one for the board, else of what is published.
// Stations that have it notice nothing, and none fetches anything twice.
func (r *Repository) Rollout(board, channel string, change RolloutChange) (Added, error) {
	s, p, err := r.current()
	if err != nil {
		return Added{}, err
	}
	name := targetName(channel, board)
	t := s.targets()
	if p.targets != nil {
		t = p.targets
	}
	m, err := r.manifest(t, name)
	if errors.Is(err, fs.ErrNotExist) {
		return Added{}, fmt.Errorf("%s: %w: add a release with publish add", name, err)
	}
	if err != nil {
		return Added{}, err
	}
	if m.Rollout, err = change.apply(m.Rollout, r.now()); err != nil {
		return Added{}, fmt.Errorf("%s %s: %w", name, m.Version, err)
	}
	return r.addManifest(s, p, name, m)
}

// apply is what a rollout becomes.
func (c RolloutChange) apply(old *artifact.Rollout, now time.Time) (*artifact.Rollout, error) {
	if c.Pause && c.Resume || c.All && (c.Pause || c.Resume || c.Steps != nil || !c.Start.IsZero()) {
		return nil, errors.New("these changes exclude each other: make one")
	}
	if c.All {
		return nil, nil
	}
	next := artifact.Rollout{Start: now.Unix(), Steps: artifact.DefaultSteps()}
	switch {
	case old != nil:
		next = *old
	case c.Pause:
		// Who had it so far was everybody: so it is when it goes on.
		next.Steps = []artifact.Step{{After: 0, Share: artifact.Buckets}}
	case c.Resume:
		return nil, errors.New("it is not held back: all stations take it already")
	}
	if c.Steps != nil {
		next.Steps = c.Steps
	}
	switch {
	case c.Pause && next.Paused == 0:
		next.Paused = now.Unix()
	case c.Resume && next.Paused == 0:
		return nil, errors.New("it is not held back")
	case c.Resume:
		next.Start += max(0, now.Unix()-max(next.Paused, next.Start))
		next.Paused = 0
	}
	if !c.Start.IsZero() {
		next.Start = c.Start.Unix()
	}
	return &next, nil
}

// ParseSteps reads a schedule such as "1%@0h,10%@24h,50%@48h,100%@96h": shares of
// all stations in percent, with up to two digits behind the point, and the time
// after the start, as Go's durations are written. What is in order, the
// manifest's check says.
func ParseSteps(s string) (steps []artifact.Step, err error) {
	for word := range strings.SplitSeq(s, ",") {
		share, after, ok := strings.Cut(strings.TrimSpace(word), "@")
		number, percent := strings.CutSuffix(share, "%")
		value, errShare := strconv.ParseFloat(number, 64)
		hundredths := int(value*100 + 0.5)
		d, errAfter := time.ParseDuration(after)
		switch {
		case !ok || !percent || errShare != nil || errAfter != nil:
			return nil, fmt.Errorf("%q: write steps such as 10%%@24h, with commas between them", word)
		case !(value > 0 && value <= 100) || value*100-float64(hundredths) > 1e-6 || float64(hundredths)-value*100 > 1e-6:
			return nil, fmt.Errorf("%q: shares are 0.01%% to 100%%, in hundredths of a percent", word)
		case d < 0 || d%time.Second != 0:
			return nil, fmt.Errorf("%q: times are whole seconds from the start on", word)
		}
		steps = append(steps, artifact.Step{After: int64(d / time.Second), Share: hundredths})
	}
	return steps, nil
}

// rolloutLines says for people which share of the stations takes a release when.
func rolloutLines(r *artifact.Rollout, now time.Time) (lines []string) {
	if r == nil {
		return []string{"all stations take it at once"}
	}
	if r.Paused != 0 {
		lines = append(lines, fmt.Sprintf("held back since %s: no station takes it", minute(r.Paused)))
	}
	for _, s := range r.Steps {
		when := "from " + minute(r.Start+s.After)
		if r.Paused == 0 && now.Unix() >= r.Start+s.After {
			when = "since " + minute(r.Start+s.After)
		}
		lines = append(lines, fmt.Sprintf("%s %% %s", strconv.FormatFloat(float64(s.Share)*100/artifact.Buckets, 'f', -1, 64), when))
	}
	return lines
}

// minute is a time in Unix seconds, for people.
func minute(t int64) string { return time.Unix(t, 0).UTC().Format("2006-01-02 15:04 MST") }
