package publish

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Keys are public keys by role: RoleRoot, RoleTargets, RoleOnline.
type Keys map[string][]*metadata.Key

// Init stages the first root and empty targets metadata: to be signed and
// released like any later ones. ErrPublished says that there is a repository.
func (r *Repository) Init(keys Keys) error {
	_, err := r.load()
	if err == nil {
		return fmt.Errorf("%s: %w", r.Dir, ErrPublished)
	}
	if !errors.Is(err, ErrNotPublished) {
		return err
	}
	if staged, err := r.pending(nil); err != nil {
		return err
	} else if staged.root != nil {
		return fmt.Errorf("%s: %w; to begin anew remove it", r.staged(metadata.ROOT), fs.ErrExist)
	}
	root := metadata.Root(r.now())
	for role, list := range keys {
		for _, key := range list {
			for _, name := range tufRoles(role) {
				if err := root.Signed.AddKey(key, name); err != nil {
					return err
				}
			}
		}
	}
	if err := r.dateRoot(root); err != nil {
		return err
	}
	targets := metadata.Targets()
	r.date(&targets.Signed)
	// The root last: while it is missing, Init can be repeated.
	if err := stage(r, metadata.TARGETS, targets); err != nil {
		return err
	}
	return stage(r, metadata.ROOT, root)
}

// tufRoles are the roles of TUF that a person's role stands for.
func tufRoles(role string) []string {
	if role == RoleOnline {
		return []string{metadata.SNAPSHOT, metadata.TIMESTAMP}
	}
	return []string{role}
}

// dateRoot says when a root was made, until when it is valid and how many keys
// have to sign, and checks that they are enough and apart.
func (r *Repository) dateRoot(root *rootMetadata) error {
	s := &root.Signed
	s.Expires = r.now().AddDate(0, RootExpiry, 0)
	s.UnrecognizedFields = issued(r.now())
	s.Roles[metadata.ROOT].Threshold = rootThreshold
	s.Roles[metadata.TARGETS].Threshold = targetsThreshold
	for _, c := range []struct {
		role, name  string
		least, most int
	}{
		{metadata.ROOT, RoleRoot, rootThreshold + 1, maxKeys},
		{metadata.TARGETS, RoleTargets, targetsThreshold + 1, maxKeys},
		{metadata.TIMESTAMP, RoleOnline, 1, 1},
	} {
		n := len(s.Roles[c.role].KeyIDs)
		if n < c.least {
			return fmt.Errorf("the role %s has %d keys: it needs %d, so that one can be lost", c.name, n, c.least)
		}
		if n > c.most {
			return fmt.Errorf("the role %s has %d keys: at most %d are possible", c.name, n, c.most)
		}
	}
	taken := make(map[string]string)
	for _, role := range []string{metadata.ROOT, metadata.TARGETS, metadata.TIMESTAMP} {
		for _, id := range s.Roles[role].KeyIDs {
			if other := taken[id]; other != "" {
				return fmt.Errorf("key %s is of %s and of %s: whoever steals it has both; make another one", short(id), other, role)
			}
			taken[id] = role
		}
	}
	return nil
}

// maxKeys bounds the keys of a role.
const maxKeys = 9
