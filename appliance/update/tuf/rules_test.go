package tuf_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/appliance/update/tuftest"
)

func TestThreshold(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(r *tuftest.Repo) (file string, b []byte)
		want  error
	}{
		"targets: one key of three": {func(r *tuftest.Repo) (string, []byte) {
			return "2.targets.json", tuftest.Sign(r.Targets, r.Keys[metadata.TARGETS][0])
		}, tuf.ErrSignature},
		"targets: one key twice": {func(r *tuftest.Repo) (string, []byte) {
			k := r.Keys[metadata.TARGETS][0]
			return "2.targets.json", tuftest.Sign(r.Targets, k, k)
		}, tuf.ErrFormat},
		"targets: the online key": {func(r *tuftest.Repo) (string, []byte) {
			return "2.targets.json", tuftest.Sign(r.Targets, append(r.Keys[metadata.SNAPSHOT], r.Keys[metadata.TARGETS][0])...)
		}, tuf.ErrSignature},
		"snapshot: a targets key": {func(r *tuftest.Repo) (string, []byte) {
			return "2.snapshot.json", tuftest.Sign(r.Snapshot, r.Keys[metadata.TARGETS]...)
		}, tuf.ErrSignature},
		"timestamp: no key": {func(r *tuftest.Repo) (string, []byte) {
			return "timestamp.json", tuftest.Sign(r.Timestamp)
		}, tuf.ErrSignature},
		"timestamp: another signature": {func(r *tuftest.Repo) (string, []byte) {
			b := r.File("metadata/timestamp.json")
			at := bytes.Index(b, []byte(`"sig": "`)) + len(`"sig": "`)
			digit := byte('0')
			if b[at] == digit {
				digit++
			}
			return "timestamp.json", append(append(bytes.Clone(b[:at]), digit), b[at+1:]...)
		}, tuf.ErrSignature},
		"timestamp: other content": {func(r *tuftest.Repo) (string, []byte) {
			return "timestamp.json", bytes.Replace(r.File("metadata/timestamp.json"), []byte("2027"), []byte("2029"), 1)
		}, tuf.ErrSignature},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation()
			s.good(t)
			r := s.repo
			// The hashes that the roles above sign would hide what is tested.
			unhash := func() {
				for _, m := range []*metadata.MetaFiles{r.Snapshot.Signed.Meta["targets.json"], r.Timestamp.Signed.Meta["snapshot.json"]} {
					m.Hashes, m.Length = nil, 0
				}
			}
			r.Publish()
			unhash()
			r.Put("metadata/2.snapshot.json", tuftest.Sign(r.Snapshot, r.Keys[metadata.SNAPSHOT]...))
			r.Put("metadata/timestamp.json", tuftest.Sign(r.Timestamp, r.Keys[metadata.TIMESTAMP]...))
			file, b := c.spoil(r)
			r.Put("metadata/"+file, b)
			s.bad(t, c.want, "timestamp.json", "snapshot.json")
			if strings.HasPrefix(name, "timestamp") && s.store.files["timestamp.json"] == nil {
				t.Error("the old timestamp is gone")
			}
		})
	}
}

// What was once seen is the least, for each role, whichever file comes first.
func TestRollback(t *testing.T) {
	for name, spoil := range map[string]func(r *tuftest.Repo, old map[string][]byte){
		"the whole repository": func(r *tuftest.Repo, old map[string][]byte) { r.SetFiles(old) },
		"timestamp": func(r *tuftest.Repo, old map[string][]byte) {
			r.Put("metadata/timestamp.json", old["metadata/timestamp.json"])
		},
		"snapshot": func(r *tuftest.Repo, old map[string][]byte) {
			r.Snapshot.Signed.Version = 1
			r.PublishSnapshot()
			r.PublishTimestamp()
		},
		"targets": func(r *tuftest.Repo, old map[string][]byte) {
			r.Targets.Signed.Version = 1
			r.Publish()
		},
		"a role vanishes": func(r *tuftest.Repo, old map[string][]byte) {
			delete(r.Snapshot.Signed.Meta, "more.json")
			r.PublishSnapshot()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStation()
			s.repo.Snapshot.Signed.Meta["more.json"] = metadata.MetaFile(1)
			s.repo.Publish()
			old := s.repo.Files()
			s.repo.Publish()
			s.repo.Publish()
			s.good(t)
			spoil(s.repo, old)
			// What was kept says so without the floor, and the other way round.
			floor := s.floor
			s.floor = tuf.Floor{}
			s.bad(t, tuf.ErrRollback, "timestamp.json") // which may be newer
			s.floor = floor
			if name == "targets" || name == "a role vanishes" {
				s.bad(t, tuf.ErrRollback, "timestamp.json")
				return
			}
			s.bad(t, tuf.ErrRollback)
			s.store = newMemory()
			s.bad(t, tuf.ErrRollback)
		})
	}
}

// Freeze: what is not renewed is not believed for ever.
func TestExpiry(t *testing.T) {
	s := newStation()
	s.now = day0.Add(14 * day)
	s.good(t)
	s.now = day0.Add(14*day + 1)
	s.bad(t, tuf.ErrExpired)

	for role, expire := range map[string]func(r *tuftest.Repo){
		"timestamp": func(r *tuftest.Repo) { r.PublishTimestamp() },
		"snapshot":  func(r *tuftest.Repo) { r.PublishSnapshot(); r.Now = day0.Add(10 * day); r.PublishTimestamp() },
		"targets": func(r *tuftest.Repo) {
			r.Now = day0.AddDate(-1, 0, 0)
			r.Publish()
			r.Now = day0.Add(10 * day)
			r.PublishSnapshot()
		},
		"root": func(r *tuftest.Repo) {
			r.Now = day0.AddDate(-2, 0, 0)
			r.PublishRoot()
			r.Now = day0.Add(10 * day)
			r.Publish()
		},
	} {
		t.Run(role, func(t *testing.T) {
			s := newStation()
			s.good(t)
			expire(s.repo)
			s.now = day0.Add(20 * day)
			s.bad(t, tuf.ErrExpired, "root.json", "timestamp.json", "snapshot.json")
			// The publisher mends it; what has expired here is no hindrance.
			s.repo.Now = s.now
			s.repo.PublishRoot()
			s.repo.Publish()
			s.good(t)
		})
	}
}

// Mix and match: a version is what its signer above says, to the bit.
func TestMixAndMatch(t *testing.T) {
	for _, file := range []string{"snapshot", "targets"} {
		for _, hashes := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, hashes %v", file, hashes), func(t *testing.T) {
				s := newStation()
				r := s.repo
				r.Publish()
				s.good(t)
				r.Publish()
				if !hashes {
					r.Snapshot.Signed.Meta["targets.json"].Hashes, r.Snapshot.Signed.Meta["targets.json"].Length = nil, 0
					r.Put("metadata/3.snapshot.json", tuftest.Sign(r.Snapshot, r.Keys[metadata.SNAPSHOT]...))
					r.Timestamp.Signed.Meta["snapshot.json"].Hashes, r.Timestamp.Signed.Meta["snapshot.json"].Length = nil, 0
					r.Put("metadata/timestamp.json", tuftest.Sign(r.Timestamp, r.Keys[metadata.TIMESTAMP]...))
				}
				r.Put("metadata/3."+file+".json", r.File("metadata/2."+file+".json"))
				s.bad(t, tuf.ErrMismatch, "timestamp.json", "snapshot.json")
			})
		}
	}
}

func TestNotFound(t *testing.T) {
	for _, file := range []string{"timestamp.json", "1.snapshot.json", "1.targets.json"} {
		t.Run(file, func(t *testing.T) {
			s := newStation()
			b := s.repo.File("metadata/" + file)
			s.repo.Put("metadata/"+file, nil)
			s.bad(t, fs.ErrNotExist, "timestamp.json", "snapshot.json")
			s.repo.Put("metadata/"+file, b)
			s.good(t)
		})
	}
}

// A file that is longer than its role may be is not read.
func TestTooLong(t *testing.T) {
	for _, file := range []string{"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"} {
		s := newStation()
		s.repo.Put("metadata/"+file, append(s.repo.File("metadata/1.root.json"), bytes.Repeat([]byte{' '}, 300<<10)...))
		if _, err := s.refreshFrom(s.repo); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestWithoutConsistentSnapshot(t *testing.T) {
	s := newStation()
	s.repo.Root.Signed.ConsistentSnapshot = false
	s.repo.PublishRoot()
	s.repo.Add("stable/rpi/manifest.json", []byte("{}"))
	s.repo.Publish()
	trusted := s.good(t)
	wantVersions(t, trusted, [4]int64{2, 2, 2, 2})
	if target, err := trusted.Target("stable/rpi/manifest.json"); err != nil || target.Path != "targets/stable/rpi/manifest.json" {
		t.Errorf("%+v, %v", target, err)
	}
}
