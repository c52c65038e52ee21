package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// String says who has signed, and what comes next.
func (p Progress) String() string {
	by := "nobody"
	if len(p.Signed) > 0 {
		var ids []string
		for _, id := range p.Signed {
			ids = append(ids, short(id))
		}
		by = strings.Join(ids, ", ")
	}
	what := fmt.Sprintf("%s %d is signed by %s; ", p.Role, p.Version, by)
	switch p.Missing {
	case 0:
		return what + "that is enough"
	case 1:
		return what + "one more has to sign"
	default:
		return fmt.Sprintf("%s%d more have to sign", what, p.Missing)
	}
}

// Review says in a few lines what is staged for a role, RoleRoot or
// RoleTargets, against what is published: for whoever is about to sign. The
// manifests have to be at hand, their packs do not.
func (r *Repository) Review(role string) ([]string, error) {
	s, err := r.load()
	if err != nil && !errors.Is(err, ErrNotPublished) {
		return nil, err
	}
	p, err := r.pending(s)
	if err != nil {
		return nil, err
	}
	switch {
	case role == RoleRoot && p.root != nil:
		var old *rootMetadata
		if s != nil {
			old = s.Root
		}
		return append(reviewRoot(old, p.root), progress(role, voters(s, p, role), p.root).String()), nil
	case role == RoleTargets && p.targets != nil:
		var old *targetsMetadata
		if s != nil {
			old = s.targets()
		}
		lines, err := r.reviewTargets(old, p.targets)
		return append(lines, progress(role, voters(s, p, role), p.targets).String()), err
	case role == RoleRoot || role == RoleTargets:
		return nil, fmt.Errorf("%s: %w: nothing awaits a signature", r.staged(role), fs.ErrNotExist)
	}
	return nil, fmt.Errorf("role %q: nothing of it awaits a signature; write root or targets", role)
}

func reviewRoot(old, next *rootMetadata) []string {
	lines := []string{fmt.Sprintf("root %d, valid until %s", next.Signed.Version, next.Signed.Expires.Format(time.DateOnly))}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP} {
		now := next.Signed.Roles[role]
		lines = append(lines, fmt.Sprintf("  %s: %d of %d keys", role, now.Threshold, len(now.KeyIDs)))
		var before []string
		if old != nil {
			before = old.Signed.Roles[role].KeyIDs
		}
		for _, id := range now.KeyIDs {
			mark := " "
			if !slices.Contains(before, id) {
				mark = "+"
			}
			lines = append(lines, "  "+mark+" "+id)
		}
		for _, id := range before {
			if !slices.Contains(now.KeyIDs, id) {
				lines = append(lines, "  - "+id)
			}
		}
	}
	return lines
}

func (r *Repository) reviewTargets(old, next *targetsMetadata) ([]string, error) {
	lines := []string{fmt.Sprintf("targets %d, valid until %s", next.Signed.Version, next.Signed.Expires.Format(time.DateOnly))}
	same := 0
	for _, name := range slices.Sorted(maps.Keys(next.Signed.Targets)) {
		m, err := r.manifest(next, name)
		if err != nil {
			return lines, fmt.Errorf("%s: %w", name, err)
		}
		was := "nothing"
		if old != nil && old.Signed.Targets[name] != nil {
			if old.Signed.Targets[name].Equal(*next.Signed.Targets[name]) {
				same++
				continue
			}
			was = "a release that is not at hand"
			if o, err := r.manifest(old, name); err == nil {
				was = o.Version
			}
		}
		from := "any version"
		if m.MinFrom != "" {
			from = m.MinFrom + " or newer"
		}
		lines = append(lines,
			fmt.Sprintf("  %s: %s instead of %s, from %s, epoch %d, %.1f MB", name, m.Version, was, from, m.Epoch, float64(m.Pack.Size)/1e6),
			fmt.Sprintf("    manifest %x", []byte(next.Signed.Targets[name].Hashes["sha256"])),
			fmt.Sprintf("    root file system %v", m.Objects[m.Root].Sum),
			"    "+strings.Join(rolloutLines(m.Rollout, r.now()), ", "))
	}
	if same > 0 {
		lines = append(lines, fmt.Sprintf("  %d others as they are", same))
	}
	if old != nil {
		for _, name := range slices.Sorted(maps.Keys(old.Signed.Targets)) {
			if next.Signed.Targets[name] == nil {
				lines = append(lines, "  "+name+": gone")
			}
		}
	}
	return lines, nil
}
