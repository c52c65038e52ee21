package publish

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// LoadKeys reads public keys, files by role.
func LoadKeys(files map[string][]string) (Keys, error) {
	keys := Keys{}
	for role, list := range files {
		for _, name := range list {
			key, err := LoadPublic(name)
			if err != nil {
				return nil, err
			}
			keys[role] = append(keys[role], key)
		}
	}
	return keys, nil
}

// keyNames are the files that Begin makes, by role.
var keyNames = map[string][]string{
	RoleRoot:    {"root-1.key", "root-2.key", "root-3.key"},
	RoleTargets: {"targets-1.key", "targets-2.key", "targets-3.key"},
	RoleOnline:  {onlineName},
}

const onlineName = "online.key"

// Begin makes all keys in a directory and with them a repository without a
// release: for somebody who has all keys at first and hands them out later.
// Keys that are there already are taken. Where plainOnline is set, the online
// key is made without a passphrase.
func (r *Repository) Begin(ctx context.Context, dir string, ask Passphrase, plainOnline bool) error {
	return r.begin(ctx, dir, ask, plainOnline, workFactor)
}

func (r *Repository) begin(ctx context.Context, dir string, ask Passphrase, plainOnline bool, factor int) error {
	if _, err := r.load(); !errors.Is(err, ErrNotPublished) {
		if err == nil {
			err = ErrPublished
		}
		return fmt.Errorf("%s: %w", r.Dir, err)
	}
	files := make(map[string][]string)
	for role, names := range keyNames {
		for _, name := range names {
			path := filepath.Join(dir, name)
			by := ask
			if role == RoleOnline && plainOnline {
				by = nil
			}
			// One that has both files is there from a call that was interrupted.
			if !exists(path) || !exists(path+publicSuffix) {
				if err := makeKey(path, by, factor); err != nil {
					return err
				}
			}
			files[role] = append(files[role], path+publicSuffix)
		}
	}
	keys, err := LoadKeys(files)
	if err != nil {
		return err
	}
	if err := r.Init(keys); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, role := range []string{metadata.ROOT, metadata.TARGETS} {
		for _, name := range keyNames[role] {
			key, err := LoadKey(filepath.Join(dir, name), ask)
			if err != nil {
				return err
			}
			if _, err := r.Sign(role, key); err != nil {
				return err
			}
		}
	}
	online, err := LoadKey(filepath.Join(dir, onlineName), ask)
	if err != nil {
		return err
	}
	return r.Release(ctx, online)
}
