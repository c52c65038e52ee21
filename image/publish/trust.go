package publish

import (
	"fmt"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
)

// Trust is what an image has of a repository: the newest root, and the
// versions and the date that stations never go below.
func (r *Repository) Trust() (root []byte, floor tuf.Floor, err error) {
	s, err := r.load()
	if err != nil {
		return nil, floor, err
	}
	floor = tuf.Floor{
		Root: s.Root.Signed.Version, Timestamp: s.Timestamp.Signed.Version,
		Snapshot: s.Snapshot.Signed.Version, Targets: s.targets().Signed.Version,
		Keys: tuf.Keys(&s.Root.Signed),
	}
	for _, fields := range []map[string]any{s.Root.Signed.UnrecognizedFields, s.targets().Signed.UnrecognizedFields} {
		t, err := issuedOf(fields)
		if err != nil {
			return nil, floor, fmt.Errorf("%s: %w", r.Dir, err)
		}
		if t.After(floor.Issued) {
			floor.Issued = t.UTC()
		}
	}
	return s.roots[len(s.roots)-1], floor, nil
}

// issuedOf is when metadata was made, as it says.
func issuedOf(fields map[string]any) (time.Time, error) {
	text, _ := fields[issuedField].(string)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("when it was issued: %w", err)
	}
	return t, nil
}

// Epoch is the highest security epoch that is published for a board, in
// whatever channel; 0: none.
func (r *Repository) Epoch(board string) (int, error) {
	s, err := r.load()
	if err != nil {
		return 0, err
	}
	epoch := 0
	for name := range s.targets().Signed.Targets {
		m, err := r.manifest(s.targets(), name)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		if m.Board == board {
			epoch = max(epoch, m.Epoch)
		}
	}
	return epoch, nil
}
