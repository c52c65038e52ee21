package tuf_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

// A /perm that is lost costs nothing but bytes: the floor is kept elsewhere.
func TestFloorAlone(t *testing.T) {
	s := newStation()
	for range 3 {
		s.repo.Rotate(metadata.ROOT)
		s.repo.Publish()
	}
	old := s.repo.Files()
	s.repo.PublishRoot()
	s.repo.Publish()
	s.good(t)

	s.store = newMemory()
	now := s.repo.Files()
	s.repo.SetFiles(old)
	s.bad(t, tuf.ErrRollback, "root.json")
	s.repo.SetFiles(now)
	s.store = newMemory()
	wantVersions(t, s.good(t), [4]int64{5, 5, 5, 5})
}

// Each version of the floor holds by itself.
func TestFloorOfEachRole(t *testing.T) {
	for role, raise := range map[string]func(f *tuf.Floor){
		"root":      func(f *tuf.Floor) { f.Root++ },
		"timestamp": func(f *tuf.Floor) { f.Timestamp++ },
		"snapshot":  func(f *tuf.Floor) { f.Snapshot++ },
		"targets":   func(f *tuf.Floor) { f.Targets++ },
	} {
		for _, keys := range []bool{true, false} {
			s := newStation()
			s.good(t)
			raise(&s.floor)
			if !keys {
				s.floor.Keys = "" // an image's own floor
			}
			t.Run(role, func(t *testing.T) { s.bad(t, tuf.ErrRollback, "timestamp.json") })
		}
	}
}

// Whoever had the online key for a day and counted up to a billion is undone
// by a new key (TUF 5.3.11), both in what is kept and in the floor.
func TestFastForwardRecovery(t *testing.T) {
	for _, lost := range []bool{false, true} {
		for _, roles := range [][]string{{metadata.TIMESTAMP, metadata.SNAPSHOT}, {metadata.SNAPSHOT}} {
			s := newStation()
			s.repo.Timestamp.Signed.Version = 1e9
			s.repo.Snapshot.Signed.Version = 1e9
			s.repo.Publish()
			s.good(t)
			if lost {
				s.store = newMemory()
			}
			s.repo.Rotate(roles...)
			s.repo.Timestamp.Signed.Version = 1
			s.repo.Snapshot.Signed.Version = 1
			s.repo.Publish()
			wantVersions(t, s.good(t), [4]int64{2, 2, 2, 3})
		}
	}

	// The same for targets: with their keys, and with those of the snapshot,
	// which tells their versions, but only where it is not the floor that binds.
	s := newStation()
	s.repo.Targets.Signed.Version = 1e9
	s.repo.Publish()
	s.good(t)
	s.repo.Rotate(metadata.SNAPSHOT, metadata.TIMESTAMP)
	s.repo.Targets.Signed.Version = 1
	s.repo.Publish()
	s.bad(t, tuf.ErrRollback, "root.json", "timestamp.json", "snapshot.json")
	s.repo.Rotate(metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP)
	s.repo.Publish()
	if got := s.good(t).Floor().Targets; got != 3 {
		t.Errorf("targets %d, want 3", got)
	}
}

// A new online key does not free the versions that the offline keys signed.
func TestRotationKeepsTargetsFloor(t *testing.T) {
	s := newStation()
	s.repo.Publish()
	s.repo.Publish()
	s.good(t)
	s.store = newMemory()
	s.repo.Rotate(metadata.TIMESTAMP, metadata.SNAPSHOT)
	s.repo.Targets.Signed.Version = 1
	s.repo.Publish()
	s.bad(t, tuf.ErrRollback, "root.json", "timestamp.json")
}

// The clock: expiry is judged by the latest time that is known for sure.
func TestClock(t *testing.T) {
	s := newStation()
	later := day0.AddDate(0, 2, 0)
	s.repo.Now = later
	stale := s.repo.Files()
	s.repo.PublishRoot()
	s.repo.Publish()

	// 1970: versions are enforced all the same. What is known of the date
	// comes from the root.
	s.now = time.Unix(1, 0)
	s.good(t)
	if !s.floor.Issued.Equal(later) {
		t.Errorf("issued %v, want %v", s.floor.Issued, later)
	}
	// So a server that hides the new root's successors cannot go back behind it.
	stale["metadata/2.root.json"] = s.repo.File("metadata/2.root.json")
	s.repo.SetFiles(stale)
	lost := newStation()
	lost.repo, lost.first, lost.now = s.repo, s.first, time.Unix(1, 0)
	lost.bad(t, tuf.ErrExpired, "root.json")
	// The same from the floor, without any new root.
	delete(stale, "metadata/2.root.json")
	s.repo.SetFiles(stale)
	lost = newStation()
	lost.repo, lost.first, lost.now = s.repo, s.first, time.Unix(1, 0)
	lost.floor.Issued = later
	lost.bad(t, tuf.ErrExpired)

	// 2099: nothing is believed, nothing is forgotten, and no floor moves.
	s = newStation()
	s.good(t)
	before := s.floor
	s.now = time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)
	s.bad(t, tuf.ErrExpired)
	s.now = day0
	s.good(t)
	if s.floor != before {
		t.Errorf("floor %+v, want %+v", s.floor, before)
	}

	s.now = time.Time{}
	if _, err := s.refreshFrom(s.repo); err == nil {
		t.Error("no reference time is no error")
	}
}

// A date that was signed by mistake does not move the floor, nor do dates that
// an online key has signed.
func TestIssued(t *testing.T) {
	for _, c := range []struct {
		issued any
		want   time.Time
	}{
		{"2027-04-01T00:00:00Z", time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC)},
		{"2062-04-01T00:00:00Z", day0}, {"2027-04-01", day0}, {"", day0}, {12, day0}, {nil, day0},
	} {
		s := newStation()
		s.repo.Publish()
		s.repo.Targets.Signed.UnrecognizedFields["issued"] = c.issued
		s.repo.Put("metadata/2.targets.json", tuftest.Sign(s.repo.Targets, s.repo.Keys[metadata.TARGETS]...))
		online := map[string]any{"issued": "2027-03-10T00:00:00Z"}
		s.repo.Snapshot.Signed.UnrecognizedFields, s.repo.Timestamp.Signed.UnrecognizedFields = online, online
		s.repo.Snapshot.Signed.Meta["targets.json"] = metadata.MetaFile(2)
		s.repo.PublishSnapshot()
		s.now = day0
		if got := s.good(t).Floor().Issued; !got.Equal(c.want) {
			t.Errorf("%v: %v, want %v", c.issued, got, c.want)
		}
	}
}

func TestFloorAsJSON(t *testing.T) {
	s := newStation()
	s.good(t)
	b, err := json.Marshal(s.floor)
	if err != nil {
		t.Fatal(err)
	}
	var back tuf.Floor
	if err := json.Unmarshal(b, &back); err != nil || back != s.floor {
		t.Errorf("%s: %+v, %v, want %+v", b, back, err, s.floor)
	}
	if len(b) > 256 {
		t.Errorf("%d bytes: %s", len(b), b)
	}
	if b, err := json.Marshal(tuf.Floor{}); err != nil || strings.Contains(string(b), ":") {
		t.Errorf("no floor is %s, %v", b, err)
	}
}

func TestExpires(t *testing.T) {
	if got, want := newStation().good(t).Expires(), day0.Add(14*day); !got.Equal(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
