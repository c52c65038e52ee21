package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/truechimer/truechimer/appliance/update/tuf"
	"github.com/truechimer/truechimer/image/artifact"
	"github.com/truechimer/truechimer/image/bootfs"
)

// What went wrong, as far as it makes a difference.
var (
	errRefused  = errors.New("the release that is offered is not taken")
	errReach    = errors.New("the update host cannot be reached")
	errMetadata = errors.New("what the update host says is not taken")
	errKeep     = errors.New("what the update host says cannot be kept on the card")
	errRoot     = errors.New("the root metadata that this station trusts is lost")
	errFetch    = errors.New("the release cannot be fetched")
	errCard     = errors.New("the card fails")
	errBoot     = errors.New("the new version cannot be started")

	errNothing    = errors.New("there is nothing to install")
	errSuperseded = errors.New("meanwhile another release is offered")
)

// isVerdict says whether metadata came and was found to be bad, and not merely out of reach.
func isVerdict(err error) bool {
	for _, e := range []error{tuf.ErrExpired, tuf.ErrRollback, tuf.ErrSignature, tuf.ErrFormat, tuf.ErrMismatch, tuf.ErrNoTarget} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// classed is an error of fetching and verifying metadata with its class.
func classed(err error) error {
	class := errReach
	switch {
	case isVerdict(err):
		class = errMetadata
	case errors.Is(err, tuf.ErrStore):
		class = errKeep
	case errors.Is(err, tuf.ErrNoRoot):
		class = errRoot
	}
	return fmt.Errorf("%w: %w", class, err)
}

// volume is an error of the boot file system: where it is not a person who has
// changed that, the card fails.
func volume(err error) error {
	for _, e := range []error{bootfs.ErrGeometry, bootfs.ErrSlotMoved, bootfs.ErrSlotTaken, bootfs.ErrCorrupt, bootfs.ErrNoRoom, errCard} {
		if errors.Is(err, e) {
			return fmt.Errorf("the boot volume: %w", err)
		}
	}
	return fmt.Errorf("%w: the boot volume: %w", errCard, err)
}

// sentence says for people what failed and what to do.
func sentence(err error) string {
	todo := "It is tried again by itself."
	switch {
	case errors.Is(err, errRoot):
		todo = "Put the root.json that it was given back on the card, or write the card anew."
	case errors.Is(err, errCard), errors.Is(err, errKeep), errors.Is(err, bootfs.ErrCorrupt):
		todo = "If this goes on, write the card anew, or replace it."
	case errors.Is(err, bootfs.ErrGeometry), errors.Is(err, bootfs.ErrSlotMoved), errors.Is(err, bootfs.ErrSlotTaken), errors.Is(err, bootfs.ErrNoRoom):
		todo = "Until then the version that runs stays."
	case errors.Is(err, artifact.ErrFormat), errors.Is(err, errRefused):
		todo = "The version that runs stays."
	case errors.Is(err, tuf.ErrExpired), errors.Is(err, tuf.ErrRollback), errors.Is(err, tuf.ErrSignature), errors.Is(err, tuf.ErrFormat):
		todo = "Nothing is installed until it is right."
	case errors.Is(err, context.DeadlineExceeded):
		todo = "The network may be slow; it is tried again by itself."
	}
	return fmt.Sprintf("%s. %s", capital(strings.TrimRight(line(plain(err)), ". ")), todo)
}

// line is s without what cannot be shown in a line.
func line(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }), " ")
}

func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// summary is how things stand between attempts.
func (e *Engine) summary(s Status) string {
	switch r := e.mem.now; {
	case r.Phase == PhaseFailed && s.Later == "":
		return fmt.Sprintf("Version %s was tried %s and failed: %s. It is tried again.", r.Release.Version, times(r.Release.Tries), r.Reason)
	case s.Later != "" && r.Release != nil && r.Release.Tries > 0 && r.Release.Version == s.Candidate && r.Reason != "":
		return fmt.Sprintf("Version %s was tried %s and failed: %s. %s", r.Release.Version, times(r.Release.Tries), r.Reason, s.Later)
	case s.Failure != "":
		return s.Failure
	case s.Later != "":
		return s.Later
	case r.Blocked != "" && r.Reason != "":
		return fmt.Sprintf("Version %s failed each time it was tried (%s): a newer one is awaited.", r.Blocked, r.Reason)
	case r.Blocked != "":
		return fmt.Sprintf("Version %s failed each time it was tried: a newer one is awaited.", r.Blocked)
	case s.Checked.IsZero():
		return "Not looked for a newer version yet."
	case e.absent:
		return fmt.Sprintf("There is no release for %s in the channel %s yet.", e.o.System.Board, e.o.System.Channel)
	case s.Freshness == FreshUnknown:
		return "No newer version is known; but this station has no date to tell whether what the update host says is recent."
	}
	return "This is the newest version."
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
