// Package update replaces the system of a station by a newer one, over the
// network, without ever being without a system that boots.
//
// A station has two slots (see docs/architecture.md). The running one is never
// written to; the other one takes the new release:
//
//	idle       the metadata is fetched and verified, and names a release
//	fetching   what is not on the card yet goes to the inactive root partition
//	verifying  all of it is read back from the card, not from memory
//	writing    the boot slot is written from there, and read back as well
//	armed      the next boot, and only that, takes the new slot
//	trial      the new system runs and shows that it is well
//	           committed: it boots from now on; or the old one boots again
//
// What must outlive a restart stands in the [Record] of the state partition, and
// is written before what it announces. So a power cut costs at most one try of a
// release, never a slot; after three tries the release is blocked until there is
// a newer one.
//
// A release is refused before anything is written if it is for another board,
// not newer, or below one of the floors: counts that only rise, and only when a
// new system has been committed, or with metadata that was verified.
package update

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/bootctl"
	"github.com/truechimer/truechimer/image/bootfs"
)

// System is the system that runs, and on what.
type System struct {
	Board, Arch, Channel string      // of the releases to take
	ID                   string      // of the station: its place in rollouts and in the window follow from it
	Version              string      // semantic version without v
	Slot                 bootfs.Slot // that it was started from
	Epoch                int         // security epoch of the image
	Build                time.Time   // of the image: no date before it is believed
	Floor                tuf.Floor   // metadata older than this existed before the image did
	EEPROM               int64       // date of a Raspberry Pi's boot loader, Unix seconds; 0 unknown

	// Rescue says that this slot runs because the committed one cannot be
	// started, Safe that the station hung too often: nothing is updated then, and
	// nothing committed.
	Rescue, Safe bool
}

// Options are what an Engine works with. All of it is required but what says otherwise.
type Options struct {
	System System
	// Policy is when things are done; zero: DefaultPolicy.
	Policy Policy
	// Window is when the station may restart to try a release, by the clock of
	// Zone; nil: the policy's window, and UTC.
	Window *Window
	Zone   *time.Location
	// Hold says, for people, why no update is begun; empty: they are. What was
	// begun before is finished in any case.
	Hold string
	// Leave, once closed, has Run return at a moment when nothing is under way, so
	// that another Engine, with other options, can go on. nil: never.
	Leave <-chan struct{}

	Control                  bootctl.Control
	Pointers                 map[bootfs.Slot]bootfs.Template // bootctl.Pointers of the board; may be empty
	Boot                     Device                          // the boot file system, partition 1
	State                    *bootfs.State                   // partition 5
	RootActive, RootInactive Device                          // the running root's partition, and the other one

	Metadata Metadata  // NewRepository; may be nil if Hold is set
	Files    Files     // may be nil if Hold is set
	Store    tuf.Store // on /perm, for a second copy of the floors
	// Root is the image's first trusted root metadata. OwnRoot is one that the
	// operator put on the card instead, nil: none. It counts until metadata has been
	// verified with either; from then on the other one never does.
	Root, OwnRoot []byte

	Health Health
	// Restart restarts the station; argument is for reboot(2), empty: none. It
	// returns at once, before the restart.
	Restart func(argument string) error
	Clock   Clock
	// Settled is called by Run once the system that runs is the one to boot from now
	// on: nothing that was under way when it began is. nil: nobody wants to know.
	Settled func()
	// Notice tells people of something until it is told anew; an empty text ends
	// it. nil: nobody is told.
	Notice func(topic, text string)
	Log    *slog.Logger
	// Random gives numbers of [0, 1), which spread the stations' requests; nil:
	// math/rand.
	Random func() float64
}

// Clock is what the station knows of the date.
type Clock interface {
	// Now is the date and whether it has been set by a receiver or the network.
	Now() (now time.Time, synced bool)
}

// Files hands out parts of a release's files, as fetch.Client does.
type Files interface {
	// Range gives length bytes from from on of a file: exactly those, or the
	// reader ends with an error. It tries mirrors in turn.
	Range(ctx context.Context, name string, from, length int64) (io.ReadCloser, error)
	// Next says that what came last did not verify: the next Range begins with the
	// next mirror.
	Next()
	// Mirrors is how many there are, at least 1.
	Mirrors() int
}
