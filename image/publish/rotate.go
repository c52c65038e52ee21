package publish

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// RoleKey is a key that is to have a say in a role, or none any more.
type RoleKey struct {
	Role string // RoleRoot, RoleTargets or RoleOnline
	Key  string // file of the public key; of one that is removed its id or the beginning of that will do
}

// Rotation is a change of keys.
type Rotation struct {
	Add, Remove []RoleKey
}

// Rotate stages the next root, with other keys. It awaits signatures of the
// old root keys and of the new ones. Where the published targets metadata has
// not enough signatures of those who remain, the next version of it is staged
// too, to be signed by them.
func (r *Repository) Rotate(c Rotation) error {
	if len(c.Add)+len(c.Remove) == 0 {
		return errors.New("which key? add or remove at least one; to make the same root valid for longer, renew it")
	}
	return r.nextRoot(c)
}

// Renew stages metadata of a role, RoleRoot or RoleTargets, as it is published,
// valid for its full time again.
func (r *Repository) Renew(role string) error {
	switch role {
	case RoleRoot:
		return r.nextRoot(Rotation{})
	case RoleTargets:
	default:
		return fmt.Errorf("role %q cannot be renewed: write root or targets; the others are by publish timestamp", role)
	}
	s, err := r.load()
	if err != nil {
		return err
	}
	p, err := r.pending(s)
	if err != nil {
		return err
	}
	if p.targets != nil {
		r.log("targets metadata is staged already, from %v", p.targets.Signed.UnrecognizedFields[issuedField])
		return nil
	}
	next, err := r.nextTargets(s)
	if err != nil {
		return err
	}
	return stage(r, metadata.TARGETS, next)
}

func (r *Repository) nextRoot(c Rotation) error {
	s, err := r.load()
	if err != nil {
		return err
	}
	p, err := r.pending(s)
	if err != nil {
		return err
	}
	root, err := parse[metadata.RootType](metadata.ROOT, s.roots[len(s.roots)-1])
	if err != nil {
		return err
	}
	root.ClearSignatures()
	root.Signed.Version++
	for _, k := range c.Add {
		if err := addKey(root, k); err != nil {
			return err
		}
	}
	for _, k := range c.Remove {
		if err := removeKey(root, k); err != nil {
			return err
		}
	}
	if err := r.dateRoot(root); err != nil {
		return err
	}
	if p.root != nil {
		if sameKeys(p.root, root) {
			r.log("this root is staged already")
			return nil
		}
		return fmt.Errorf("%s: %w, and it is another one: sign and release that first, or remove it", r.staged(metadata.ROOT), fs.ErrExist)
	}
	// Before the root, which says that this call is over.
	if p.targets == nil && root.VerifyDelegate(metadata.TARGETS, s.targets()) != nil {
		next, err := r.nextTargets(s)
		if err != nil {
			return err
		}
		if err := stage(r, metadata.TARGETS, next); err != nil {
			return err
		}
	}
	return stage(r, metadata.ROOT, root)
}

func addKey(root *rootMetadata, k RoleKey) error {
	if !slices.Contains([]string{RoleRoot, RoleTargets, RoleOnline}, k.Role) {
		return unknownRole(k.Role)
	}
	key, err := LoadPublic(k.Key)
	if err != nil {
		return err
	}
	id, err := key.ID()
	if err != nil {
		return err
	}
	for _, role := range tufRoles(k.Role) {
		if slices.Contains(root.Signed.Roles[role].KeyIDs, id) {
			return fmt.Errorf("%s: the role %s has this key already", k.Key, k.Role)
		}
		if err := root.Signed.AddKey(key, role); err != nil {
			return err
		}
	}
	return nil
}

func removeKey(root *rootMetadata, k RoleKey) error {
	if !slices.Contains([]string{RoleRoot, RoleTargets, RoleOnline}, k.Role) {
		return unknownRole(k.Role)
	}
	id := k.Key
	if exists(k.Key) {
		key, err := LoadPublic(k.Key)
		if err != nil {
			return err
		}
		if id, err = key.ID(); err != nil {
			return err
		}
	}
	for _, role := range tufRoles(k.Role) {
		var found []string
		for _, have := range root.Signed.Roles[role].KeyIDs {
			if strings.HasPrefix(have, id) {
				found = append(found, have)
			}
		}
		if len(found) != 1 {
			return fmt.Errorf("%d keys of the role %s are %q: %s", len(found), k.Role, k.Key, strings.Join(root.Signed.Roles[role].KeyIDs, ", "))
		}
		if err := root.Signed.RevokeKey(found[0], role); err != nil {
			return err
		}
	}
	return nil
}

func unknownRole(role string) error {
	return fmt.Errorf("role %q: write %s, %s or %s", role, RoleRoot, RoleTargets, RoleOnline)
}

// sameKeys says whether two roots differ in their dates alone.
func sameKeys(a, b *rootMetadata) bool {
	x, y := *a, *b
	x.Signed.Expires, y.Signed.Expires = a.Signed.Expires, a.Signed.Expires
	x.Signed.UnrecognizedFields, y.Signed.UnrecognizedFields = nil, nil
	return sameSigned(&x, &y)
}
