package update

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/truechimer/truechimer/boards"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// model is what a station may do, whatever happens to it, in a few lines.
type model struct {
	t         *testing.T
	w         *world
	log       []string
	committed *release
	epoch     int
	losses    int // how often what is remembered was destroyed
}

func (m *model) note(format string, args ...any) {
	m.log = append(m.log, fmt.Sprintf(format, args...))
}

// holds checks what has to hold at any time.
func (m *model) holds() {
	m.t.Helper()
	got := m.w.committed() // both slots lost, or half a release: it fails here
	switch {
	case got == m.committed:
	case got.kind != good:
		m.fail("%s is committed, which is not well", got.version)
	case newer(m.committed.version, got.version):
		m.fail("from %s back to %s", m.committed.version, got.version)
	case got.epoch < m.epoch:
		m.fail("from epoch %d back to %d", m.epoch, got.epoch)
	}
	m.committed, m.epoch = got, max(m.epoch, got.epoch)
	for v, n := range m.w.trials {
		if most := 3 * (1 + m.losses); n > most {
			m.fail("%s had %d trials, at most %d are allowed", v, n, most)
		}
	}
}

func (m *model) fail(format string, args ...any) {
	m.t.Helper()
	for _, l := range m.log {
		m.t.Log(l)
	}
	m.t.Fatalf("%s: "+format+"; %+v", append(append([]any{m.w.loader}, args...), m.w.engine.Status())...)
}

// stock are releases that are made once.
type stock map[string]*release

func (s stock) get(t testing.TB, version string, k kind, epoch int) *release {
	key := fmt.Sprint(version, k, epoch)
	if s[key] == nil {
		s[key] = newRelease(t, version, k, 1, func(m *artifact.Manifest) { m.Epoch = epoch })
	}
	return s[key]
}

// TestModel lets things happen in any order, and power cuts at any write, and
// compares what the station does with the model.
func TestModel(t *testing.T) {
	const runs = 20
	all := stock{}
	lives, trials, cuts := 0, 0, 0
	for _, l := range loaders {
		t.Run(string(l), func(t *testing.T) {
			for seed := range runs {
				synctest.Test(t, func(t *testing.T) {
					m := newModel(t, l, all)
					n, c := m.random(all, rand.New(rand.NewPCG(uint64(seed), 7)))
					lives, cuts = lives+n, cuts+c
					for _, n := range m.w.trials {
						trials += n
					}
				})
			}
		})
	}
	t.Logf("%d boots, %d trials, %d power cuts", lives, trials, cuts)
	if trials < runs || cuts < runs {
		t.Error("next to nothing happened")
	}
}

func newModel(t *testing.T, l boards.Loader, all stock) *model {
	first := all.get(t, "1.0.0", good, 1)
	return &model{t: t, w: newWorld(t, l, first), committed: first, epoch: 1}
}

// random is a sequence of events; then all is fine, and the station has to
// arrive at the newest release.
func (m *model) random(all stock, rng *rand.Rand) (lives, cuts int) {
	m.t.Helper()
	w := m.w
	w.card.rng = rng
	version, epoch := 0, 1
	live := func(d time.Duration) {
		how := w.live(d)
		lives++
		if how == cut {
			cuts++
		}
		m.note("ran %s from slot %s for up to %v: %s, then %s is committed", w.engineVersion(), w.slot, d, how, w.committed().version)
		m.holds()
	}
	for range 25 {
		switch event := rng.IntN(20); event {
		case 0, 1, 2, 3:
			version++
			epoch += max(0, rng.IntN(5)-3)
			k := []kind{good, good, good, panics, silent, lost, hangs, liar}[rng.IntN(8)]
			of := max(0, epoch-rng.IntN(6)/5)
			r := all.get(m.t, fmt.Sprintf("1.%d.0", version), k, of)
			w.publish(r)
			m.note("published %s, %s, epoch %d", r.version, k, of)
		case 4:
			w.publisher.fail([]error{nil, nil, errOffline}[rng.IntN(3)])
			m.note("the internet: %v", w.publisher.err)
		case 5:
			w.perm.m = map[string][]byte{}
			m.note("/perm is lost")
		case 6:
			w.destroyRecord()
			m.losses++
			m.note("the record is lost")
		case 7:
			if l := w.loader; l != boards.LoaderUBoot {
				w.editPointer()
				m.note("somebody edited a pointer file")
				// What is committed cannot be read before it is repaired.
				w.publisher.fail(nil)
				w.publish(all.get(m.t, fmt.Sprintf("1.%d.0", version+1), good, epoch))
				version++
				for n := 0; n < 9 && w.pointerBroken(); n++ {
					w.live(50 * time.Hour)
				}
				if w.pointerBroken() {
					m.fail("it was never repaired")
				}
				m.holds()
			}
		case 8, 9, 10, 11, 12, 13:
			w.card.left = rng.IntN(40)
			live(time.Duration(1+rng.IntN(30)) * time.Hour)
			w.card.left = -1
		default:
			live(time.Duration(1+rng.IntN(30)) * time.Hour)
		}
	}
	w.publisher.fail(nil)
	w.publish(all.get(m.t, fmt.Sprintf("1.%d.0", version+1), good, epoch))
	for n := 0; n < 6 && w.committed() != w.publisher.offers; n++ {
		live(8 * time.Hour)
	}
	if w.committed() != w.publisher.offers {
		m.fail("all is fine, and %s is not installed", w.publisher.offers.version)
	}
	return lives, cuts
}

// engineVersion is the version whose engine ran last.
func (w *world) engineVersion() string {
	if w.engine == nil {
		return "nothing"
	}
	return w.engine.Status().Version
}

// destroyRecord destroys both copies of the record.
func (w *world) destroyRecord() {
	const copies, kinds = 4 << 20, 512 << 10 // bytes from one to the next, see bootfs.State
	for half := range int64(2) {
		at := half*copies + int64(bootfs.KindUpdate-1)*kinds
		b := make([]byte, 8)
		statePart(w.card).ReadAt(b, at)
		if string(b) == "TCSTATE1" {
			statePart(w.card).WriteAt([]byte("gone"), at+30)
		}
	}
	w.card.Sync()
}

// committedPointer is the file that says what boots.
func (w *world) committedPointer() bootfs.Template { return pointers(w.loader)[bootfs.SlotA] }

// editPointer saves the pointer file as an editor does that adds a line.
func (w *world) editPointer() {
	p, err := bootfs.FindPointer(bootPart(w.card), w.committedPointer())
	if err != nil {
		w.t.Fatal(err)
	}
	// A comment takes the place of the first characters of the first line, but
	// what says which slot boots stays.
	b := []byte(p.Content)
	at := 0
	if w.loader == boards.LoaderUEFI {
		at = len(b) - 5
	}
	copy(b[at:], "#mine")
	bootPart(w.card).WriteAt(b, p.Offset)
	w.card.Sync()
}

func (w *world) pointerBroken() bool {
	_, err := w.open(w.slot).Current()
	return isPointer(err)
}
