package tuf

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Target is one file that a repository vouches for.
type Target struct {
	Name   string // as the publisher calls it: stable/rpi/manifest.json
	Length int64  // bytes
	SHA256 []byte // nil where the metadata has another hash only
	Path   string // its Source name: targets/stable/rpi/HASH.manifest.json

	file *metadata.TargetFiles
}

// Verify says whether b is the file. ErrMismatch.
func (t Target) Verify(b []byte) error {
	if err := t.file.VerifyLengthHashes(b); err != nil {
		return fmt.Errorf("%s: %w (%w)", t.Name, ErrMismatch, err)
	}
	return nil
}

// Target looks a file up in the top-level targets metadata. ErrNoTarget.
func (t *Trusted) Target(name string) (Target, error) {
	return t.target(&t.set.Targets[metadata.TARGETS].Signed, name)
}

func (t *Trusted) target(in *metadata.TargetsType, name string) (Target, error) {
	file := in.Targets[name]
	if file == nil {
		return Target{}, fmt.Errorf("%.200q: %w", name, ErrNoTarget)
	}
	if file.Length < 0 {
		return Target{}, fmt.Errorf("%.200q: %w: %d bytes long", name, ErrFormat, file.Length)
	}
	at := name
	if t.set.Root.Signed.ConsistentSnapshot {
		sum, ok := file.Hashes["sha256"]
		if !ok {
			sum = file.Hashes["sha512"]
		}
		dir, base := path.Split(name)
		at = dir + hex.EncodeToString(sum) + "." + base
	}
	parts := strings.Split(at, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return Target{
		Name: name, Length: file.Length, SHA256: file.Hashes["sha256"],
		Path: "targets/" + strings.Join(parts, "/"), file: file,
	}, nil
}

// Find is Target that also follows delegations, in their order, and fetches
// the metadata it meets on the way (TUF 5.6.7).
func (t *Trusted) Find(ctx context.Context, name string) (Target, error) {
	type visit struct{ role, parent string }
	stack := []visit{{metadata.TARGETS, metadata.ROOT}}
	visited := map[string]bool{}
	for len(stack) > 0 && len(visited) < maxDelegations {
		at := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if visited[at.role] {
			continue
		}
		visited[at.role] = true
		// Verified anew for each Find: another parent may trust other keys.
		signed, err := t.role(ctx, at.role, at.parent)
		if err != nil {
			return Target{}, err
		}
		if signed.Targets[name] != nil {
			return t.target(signed, name)
		}
		if signed.Delegations == nil {
			continue
		}
		var next []visit
		for _, d := range signed.Delegations.GetRolesForTarget(name) {
			if slices.Contains(metadata.TOP_LEVEL_ROLE_NAMES[:], d.Name) {
				return Target{}, fmt.Errorf("%s: %w: it delegates to %s", at.role, ErrFormat, d.Name)
			}
			next = append(next, visit{d.Name, at.role})
			if d.Terminating {
				stack = nil
				break
			}
		}
		slices.Reverse(next)
		stack = append(stack, next...)
	}
	return Target{}, fmt.Errorf("%.200q: %w", name, ErrNoTarget)
}

// Download finds a file of at most MaxTarget bytes, fetches it, verifies it and
// writes it to w: all of it, or nothing.
func (t *Trusted) Download(ctx context.Context, name string, w io.Writer) error {
	target, err := t.Find(ctx, name)
	if err != nil {
		return fmt.Errorf("updates: %w", err)
	}
	if target.Length > MaxTarget {
		return fmt.Errorf("updates: %.200q is %d bytes long, more than %d", name, target.Length, MaxTarget)
	}
	var b []byte
	err = onEachMirror(t.options.Source, func() (err error) {
		if b, err = t.options.Source.Get(ctx, target.Path, target.Length); err != nil {
			return err
		}
		return target.Verify(b)
	})
	if err != nil {
		return fmt.Errorf("updates: %w", err)
	}
	_, err = w.Write(b)
	return err
}
