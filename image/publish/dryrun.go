package publish

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/mod/semver"

	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// Plan is what a station would do.
type Plan struct {
	Station string // its version
	Staged  bool   // it is about what is staged; else about what is published
	// Manifest is what the station would be offered, File where it lies below the
	// repository.
	Manifest *artifact.Manifest
	File     string
	Refused  string   // why it would not install that; empty: it would
	Known    bool     // the station's own release is in the repository
	Rollout  []string // which share of the stations takes it when, for people

	// What it would fetch, bytes: with nothing at hand; without the chunks that
	// its own release has; with deltas where there are any for its files.
	Full, Missing, Delta int64
	Ranges               int // requests for the missing chunks
}

// maxRange is the longest run of chunks that a station asks for at once, bytes.
const maxRange = 8 << 20

// DryRun says what a station that runs slot a with a version would do. It looks
// at what is staged where that has a release for the board, else at what is
// published.
func (r *Repository) DryRun(station, board, channel string) (Plan, error) {
	plan := Plan{Station: station}
	if !semver.IsValid("v" + station) {
		return plan, fmt.Errorf("station version %q: write one such as 1.4.0", station)
	}
	s, p, err := r.current()
	if err != nil {
		return plan, err
	}
	name := targetName(channel, board)
	t := s.targets()
	if p.targets != nil {
		t, plan.Staged = p.targets, true
	}
	if plan.Manifest, err = r.manifest(t, name); err != nil {
		return plan, fmt.Errorf("%s: %w", r.Dir, err)
	}
	plan.File = targetFile(name, t.Signed.Targets[name].Hashes["sha256"])
	old := r.find(station, board)
	plan.Known = old != nil
	plan.Rollout = rolloutLines(plan.Manifest.Rollout, r.now())
	plan.Refused = refusal(plan.Manifest, station, old)
	plan.measure(old)
	return plan, nil
}

// find looks for a version's manifest, whatever its channel.
func (r *Repository) find(version, board string) *artifact.Manifest {
	channels, _ := os.ReadDir(r.path("targets"))
	for _, channel := range channels {
		dir := r.path("targets", channel.Name(), board)
		files, _ := os.ReadDir(dir)
		for _, f := range files {
			if !strings.HasSuffix(f.Name(), "."+manifestLast) {
				continue
			}
			b, err := readBounded(filepath.Join(dir, f.Name()), artifact.MaxManifest)
			if err != nil {
				continue
			}
			if m, err := artifact.Parse(b); err == nil && m.Version == version && m.Board == board {
				return m
			}
		}
	}
	return nil
}

// refusal says why a station would not install a release.
func refusal(m *artifact.Manifest, station string, old *artifact.Manifest) string {
	switch {
	case semver.Compare("v"+m.Version, "v"+station) <= 0:
		return fmt.Sprintf("%s is not newer than what it has", m.Version)
	case m.MinFrom != "" && semver.Compare("v"+station, "v"+m.MinFrom) < 0:
		return fmt.Sprintf("%s can be reached from %s on", m.Version, m.MinFrom)
	case old != nil && m.Epoch < old.Epoch:
		return fmt.Sprintf("its epoch is %d, the release's %d", old.Epoch, m.Epoch)
	}
	return ""
}

// needed are the objects that slot b's update puts on the card.
func needed(m *artifact.Manifest, slot bootfs.Slot) (objects []int) {
	staged, _ := m.Stage(slot)
	for _, o := range staged {
		objects = append(objects, o.Object)
	}
	return objects
}

// measure counts bytes.
func (p *Plan) measure(old *artifact.Manifest) {
	m := p.Manifest
	have := make(map[artifact.Sum]bool)
	objects := make(map[artifact.Sum]bool)
	if old != nil {
		for _, o := range needed(old, bootfs.SlotA) {
			objects[old.Objects[o].Sum] = true
			for _, c := range old.ObjectChunks(o) {
				have[c.Sum] = true
			}
		}
	}
	seen := make(map[int64]bool) // by the chunk's place in the pack
	var end, run int64           // of the current request
	for _, o := range needed(m, bootfs.SlotB) {
		var missing int64
		for _, c := range m.ObjectChunks(o) {
			if seen[c.Offset] {
				continue
			}
			seen[c.Offset] = true
			p.Full += int64(c.Packed)
			if have[c.Sum] {
				continue
			}
			missing += int64(c.Packed)
			if c.Offset != end || run+int64(c.Packed) > maxRange {
				p.Ranges++
				run = 0
			}
			run += int64(c.Packed)
			end = c.Offset + int64(c.Packed)
		}
		p.Missing += missing
		for _, d := range m.Deltas {
			if d.To == o && objects[d.From] {
				missing = min(missing, d.File.Size)
			}
		}
		p.Delta += missing
	}
}

// String is for people.
func (p Plan) String() string {
	where := "published"
	if p.Staged {
		where = "staged"
	}
	m := p.Manifest
	head := fmt.Sprintf("a station of %s with %s sees %s, %s (%s)\n%s", m.Board, p.Station, m.Version, where, path.Base(p.File)[:12], strings.Join(p.Rollout, "\n"))
	if p.Refused != "" {
		return head + "\nit installs nothing: " + p.Refused
	}
	head += fmt.Sprintf("\nit installs that: %.2f MB in full", float64(p.Full)/1e6)
	if !p.Known {
		return head + "; its own release is not in this repository, so how much of that it has is not known"
	}
	head += fmt.Sprintf(", %.2f MB without what it has, in %d requests", float64(p.Missing)/1e6, p.Ranges)
	if len(m.Deltas) > 0 {
		head += fmt.Sprintf(", %.2f MB with deltas", float64(p.Delta)/1e6)
	}
	return head
}
