package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/semver"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/bootfs"
)

// memory is the record, on the card in two places: all of it in the state
// partition, and what must not be lost with that on /perm as well.
type memory struct {
	state *bootfs.State
	store tuf.Store
	now   Record
	// kept is what /perm is known to hold.
	kept keptFloors
}

// floorsName is the file on /perm. Its names are the Store's: none of TUF's roles
// is called so.
const floorsName = "floors.json"

// keptFloors is what the file holds.
type keptFloors struct {
	Floors  Floors `json:"floors"`
	Blocked string `json:"blocked,omitempty"`
	Anchor  string `json:"anchor,omitempty"`
}

// load reads both. It always leaves a sound record; the error says what of it
// was lost.
func (m *memory) load() error {
	b, err := m.state.Load(bootfs.KindUpdate)
	switch {
	case err == nil:
		m.now, err = parseRecord(b)
	case errors.Is(err, bootfs.ErrNeverWritten):
		m.now, err = Record{Format: recordFormat, Phase: PhaseIdle}, nil
	default:
		m.now = Record{Format: recordFormat, Phase: PhaseIdle}
	}
	kept, keptErr := m.loadKept()
	m.kept = kept
	m.now.Floors = highest(m.now.Floors, kept.Floors)
	if kept.Blocked != "" && newer(kept.Blocked, m.now.Blocked) {
		m.now.Blocked = kept.Blocked
	}
	if m.now.Anchor == "" {
		m.now.Anchor = kept.Anchor
	}
	return errors.Join(err, keptErr)
}

func (m *memory) loadKept() (keptFloors, error) {
	b, err := m.store.Load(floorsName)
	if errors.Is(err, fs.ErrNotExist) {
		return keptFloors{}, nil
	}
	if err != nil {
		return keptFloors{}, fmt.Errorf("the floors' second copy: %w", err)
	}
	var k keptFloors
	if len(b) > bootfs.StatePayload || json.Unmarshal(b, &k) != nil {
		return keptFloors{}, errors.New("the floors' second copy is damaged")
	}
	if err := (Record{Format: recordFormat, Phase: PhaseIdle, Floors: k.Floors, Blocked: k.Blocked, Anchor: k.Anchor}).check(); err != nil {
		return keptFloors{}, fmt.Errorf("the floors' second copy: %w", err)
	}
	return k, nil
}

// put makes r the record. When it returns nil the record is on the card; after
// an error the one before is, or r if the card failed to say so, and the one
// before counts until the next load. A note says what is not as it should be,
// though r is kept.
func (m *memory) put(r Record) (note, err error) {
	r = r.tidy()
	b, err := r.encode()
	if err != nil {
		return nil, err
	}
	err = m.state.Store(bootfs.KindUpdate, b)
	if err != nil && !errors.Is(err, bootfs.ErrOneCopy) {
		return nil, err
	}
	m.now = r
	return errors.Join(err, m.keep()), nil
}

// keep keeps the second copy on /perm, if it has changed.
func (m *memory) keep() error {
	k := keptFloors{m.now.Floors, m.now.Blocked, m.now.Anchor}
	if k == m.kept {
		return nil
	}
	b, err := json.Marshal(k)
	if err == nil {
		err = m.store.Save(floorsName, b)
	}
	if err != nil {
		return fmt.Errorf("the floors' second copy: %w", err)
	}
	m.kept = k
	return nil
}

// tidy is r without what its phase does not have.
func (r Record) tidy() Record {
	if r.Phase == PhaseIdle {
		r.Release = nil
	}
	if r.Phase != PhaseArmed && r.Phase != PhaseTrial {
		r.Baseline = nil
	}
	return r
}

// highest are the higher of both floors, count by count.
func highest(a, b Floors) Floors {
	if newer(b.Version, a.Version) && b.Version != "" {
		a.Version = b.Version
	}
	a.Epoch = max(a.Epoch, b.Epoch)
	a.Metadata = highestMetadata(a.Metadata, b.Metadata)
	return a
}

// highestMetadata: versions under different keys cannot be compared, those that
// go with the later root count then.
func highestMetadata(a, b tuf.Floor) tuf.Floor {
	issued := a.Issued
	if b.Issued.After(issued) {
		issued = b.Issued
	}
	issued = issued.UTC()
	if a.Keys != b.Keys && a.Keys != "" && b.Keys != "" {
		if b.Root > a.Root {
			a = b
		}
		a.Issued = issued
		return a
	}
	return tuf.Floor{
		Root: max(a.Root, b.Root), Timestamp: max(a.Timestamp, b.Timestamp),
		Snapshot: max(a.Snapshot, b.Snapshot), Targets: max(a.Targets, b.Targets),
		Keys: max(a.Keys, b.Keys), Issued: issued,
	}
}

// compare orders two versions.
func compare(a, b string) int { return semver.Compare("v"+a, "v"+b) }
