package publish

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// pending is what is staged; nil where nothing is.
type pending struct {
	root    *rootMetadata
	targets *targetsMetadata
}

// pending reads what is staged on top of what is published; s is nil before
// the first release. What an interrupted release has published already is not
// staged any more.
func (r *Repository) pending(s *state) (p pending, err error) {
	if p.root, err = readStaged[metadata.RootType](r, metadata.ROOT); err != nil {
		return p, err
	}
	if p.targets, err = readStaged[metadata.TargetsType](r, metadata.TARGETS); err != nil {
		return p, err
	}
	var root, targets int64
	if s != nil {
		root, targets = s.Root.Signed.Version, s.targets().Signed.Version
	}
	if p.root != nil {
		if v := p.root.Signed.Version; v == root {
			p.root, err = left(p.root, s.Root)
		} else if v != root+1 {
			err = ErrStale
		}
		if err != nil {
			return p, fmt.Errorf("%s: %w (root %d): remove it and begin anew", r.staged(metadata.ROOT), err, root)
		}
	}
	if p.targets != nil {
		if v := p.targets.Signed.Version; v == targets {
			p.targets, err = left(p.targets, s.targets())
		} else if v != targets+1 {
			err = ErrStale
		}
		if err != nil {
			return p, fmt.Errorf("%s: %w (targets %d): remove it and begin anew with publish add", r.staged(metadata.TARGETS), err, targets)
		}
	}
	return p, nil
}

// left says whether what is staged was left by an interrupted release.
func left[T metadata.Roles](staged, published *metadata.Metadata[T]) (*metadata.Metadata[T], error) {
	if !sameSigned(staged, published) {
		return staged, ErrStale
	}
	return nil, nil
}

func readStaged[T metadata.Roles](r *Repository, role string) (*metadata.Metadata[T], error) {
	b, err := readBounded(r.staged(role), maxMetadata)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parse[T](r.staged(role), b)
}

func parse[T metadata.Roles](name string, b []byte) (m *metadata.Metadata[T], err error) {
	defer func() {
		if v := recover(); v != nil { // go-tuf cannot bear null in places
			m, err = nil, fmt.Errorf("%s is malformed: %v", name, v)
		}
	}()
	if m, err = new(metadata.Metadata[T]).FromBytes(b); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if root, ok := any(m).(*rootMetadata); ok {
		for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
			if root.Signed.Roles[role] == nil {
				return nil, fmt.Errorf("%s: there is no role %s", name, role)
			}
		}
		for id, key := range root.Signed.Keys {
			if key == nil {
				return nil, fmt.Errorf("%s: key %s is nothing", name, short(id))
			}
		}
	}
	return m, nil
}

// stage writes what awaits signatures.
func stage[T metadata.Roles](r *Repository, role string, m *metadata.Metadata[T]) error {
	b, err := m.ToBytes(true)
	if err != nil {
		return err
	}
	if len(b) > maxMetadata {
		return fmt.Errorf("%s would have %d bytes, stations accept %d", role, len(b), maxMetadata)
	}
	return r.write(r.staged(role), b)
}

// voters are the roots whose keys decide about staged metadata of a role. For
// a root these are the published one and the new one itself (TUF 5.3.4); for
// targets it is the one that is published last or together with it.
func voters(s *state, p pending, role string) (list []*rootMetadata) {
	if s != nil && (role == metadata.ROOT || p.root == nil) {
		list = append(list, s.Root)
	}
	if p.root != nil {
		list = append(list, p.root)
	}
	return list
}

// signers are the keys of a role whose signatures are on a piece of metadata,
// each verified.
func signers[T metadata.Roles](root *rootMetadata, role string, m *metadata.Metadata[T]) (ids []string) {
	for _, id := range root.Signed.Roles[role].KeyIDs {
		if signed(root, role, id, m) {
			ids = append(ids, id)
		}
	}
	return ids
}

// signed has go-tuf say whether one key of a root has signed m.
func signed[T metadata.Roles](root *rootMetadata, role, id string, m *metadata.Metadata[T]) bool {
	alone := metadata.Root(root.Signed.Expires)
	alone.Signed.Keys = root.Signed.Keys
	alone.Signed.Roles[role] = &metadata.Role{KeyIDs: []string{id}, Threshold: 1}
	return alone.VerifyDelegate(role, m) == nil
}

// Progress says who has signed what is staged.
type Progress struct {
	Role    string
	Version int64
	Signed  []string // ids of the keys that have signed
	Missing int      // how many more have to
}

// Sign adds one signature to what is staged for a role, RoleRoot or
// RoleTargets. Signing twice with one key is signing once. The key is
// ErrWrongKey unless it is one of the role's.
func (r *Repository) Sign(role string, key ed25519.PrivateKey) (Progress, error) {
	switch role {
	case RoleRoot:
		return change(r, role, func(p pending) *rootMetadata { return p.root }, signWith[metadata.RootType](key, r.now()))
	case RoleTargets:
		return change(r, role, func(p pending) *targetsMetadata { return p.targets }, signWith[metadata.TargetsType](key, r.now()))
	}
	return Progress{}, fmt.Errorf("role %q: nothing of it awaits a signature; write root or targets", role)
}

// Gather adds the signatures that a copy of what is staged was given on
// another machine. The copy has to be of the same metadata.
func (r *Repository) Gather(role, file string) (Progress, error) {
	b, err := readBounded(file, maxMetadata)
	if err != nil {
		return Progress{}, err
	}
	switch role {
	case RoleRoot:
		return change(r, role, func(p pending) *rootMetadata { return p.root }, gather[metadata.RootType](file, b))
	case RoleTargets:
		return change(r, role, func(p pending) *targetsMetadata { return p.targets }, gather[metadata.TargetsType](file, b))
	}
	return Progress{}, fmt.Errorf("role %q: nothing of it awaits a signature; write root or targets", role)
}

// change has add change the signatures of what is staged for a role, and
// keeps those that count.
func change[T metadata.Roles](r *Repository, role string, of func(pending) *metadata.Metadata[T], add func(*metadata.Metadata[T], []*rootMetadata) error) (Progress, error) {
	s, err := r.load()
	if err != nil && !errors.Is(err, ErrNotPublished) {
		return Progress{}, err
	}
	p, err := r.pending(s)
	if err != nil {
		return Progress{}, err
	}
	m := of(p)
	if m == nil {
		return Progress{}, fmt.Errorf("%s: %w: nothing awaits a signature", r.staged(role), fs.ErrNotExist)
	}
	roots := voters(s, p, role)
	if err := add(m, roots); err != nil {
		return Progress{}, err
	}
	now := progress(role, roots, m)
	m.Signatures = slices.DeleteFunc(m.Signatures, func(sig metadata.Signature) bool { return !slices.Contains(now.Signed, sig.KeyID) })
	return now, stage(r, role, m)
}

func progress[T metadata.Roles](role string, roots []*rootMetadata, m *metadata.Metadata[T]) Progress {
	p := Progress{Role: role}
	switch m := any(m).(type) {
	case *rootMetadata:
		p.Version = m.Signed.Version
	case *targetsMetadata:
		p.Version = m.Signed.Version
	}
	for _, root := range roots {
		ids := signers(root, role, m)
		p.Missing = max(p.Missing, root.Signed.Roles[role].Threshold-len(ids))
		for _, id := range ids {
			if !slices.Contains(p.Signed, id) {
				p.Signed = append(p.Signed, id)
			}
		}
	}
	return p
}

func signWith[T metadata.Roles](key ed25519.PrivateKey, now time.Time) func(*metadata.Metadata[T], []*rootMetadata) error {
	return func(m *metadata.Metadata[T], roots []*rootMetadata) error {
		role := roleOf(m)
		if err := checkIssued(m, now); err != nil {
			return err
		}
		public, err := metadata.KeyFromPublicKey(key.Public())
		if err != nil {
			return err
		}
		id, err := public.ID()
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(roots, func(root *rootMetadata) bool { return slices.Contains(root.Signed.Roles[role].KeyIDs, id) }) {
			return fmt.Errorf("key %s: %w: it is no key of %s", short(id), ErrWrongKey, role)
		}
		return addSignature(m, key)
	}
}

// checkIssued says whether somebody may sign metadata today. A date to come
// would move the clocks of stations for good: so the clock of each signer's
// machine is asked.
func checkIssued[T metadata.Roles](m *metadata.Metadata[T], now time.Time) error {
	var fields map[string]any
	switch m := any(m).(type) {
	case *rootMetadata:
		fields = m.Signed.UnrecognizedFields
	case *targetsMetadata:
		fields = m.Signed.UnrecognizedFields
	}
	t, err := issuedOf(fields)
	if err != nil {
		return err
	}
	if t.After(now.Add(time.Hour)) {
		return fmt.Errorf("%w: it says %s, here it is %s; if this clock is right, remove what is staged and begin anew", ErrFuture, t.Format(time.RFC3339), now.Format(time.RFC3339))
	}
	return nil
}

// addSignature signs, instead of an earlier signature of the same key.
func addSignature[T metadata.Roles](m *metadata.Metadata[T], key ed25519.PrivateKey) error {
	signer, err := signature.LoadED25519Signer(key)
	if err != nil {
		return err
	}
	sig, err := m.Sign(signer)
	if err != nil {
		return err
	}
	last := len(m.Signatures) - 1
	m.Signatures = append(slices.DeleteFunc(m.Signatures[:last:last], func(s metadata.Signature) bool { return s.KeyID == sig.KeyID }), *sig)
	return nil
}

func gather[T metadata.Roles](file string, b []byte) func(*metadata.Metadata[T], []*rootMetadata) error {
	return func(m *metadata.Metadata[T], roots []*rootMetadata) error {
		other, err := parse[T](file, b)
		if err != nil {
			return err
		}
		role := roleOf(m)
		added := 0
		for _, sig := range other.Signatures {
			counts := slices.ContainsFunc(roots, func(root *rootMetadata) bool {
				one := &metadata.Metadata[T]{Signed: m.Signed, Signatures: []metadata.Signature{sig}}
				return slices.Contains(root.Signed.Roles[role].KeyIDs, sig.KeyID) && signed(root, role, sig.KeyID, one)
			})
			if !counts {
				continue
			}
			added++
			m.Signatures = append(slices.DeleteFunc(m.Signatures, func(s metadata.Signature) bool { return s.KeyID == sig.KeyID }), sig)
		}
		if added == 0 {
			return fmt.Errorf("%s has no signature of what is staged here: was it signed before something was added?", file)
		}
		return nil
	}
}

func roleOf[T metadata.Roles](m *metadata.Metadata[T]) string {
	switch any(m).(type) {
	case *rootMetadata:
		return metadata.ROOT
	case *targetsMetadata:
		return metadata.TARGETS
	}
	return ""
}

// short is what a key is called where a person reads it.
func short(id string) string { return id[:min(12, len(id))] }
