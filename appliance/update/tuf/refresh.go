package tuf

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"
)

// Refresh does the client workflow once (TUF 5.3 to 5.6): it walks the chain of
// roots, then fetches and verifies timestamp, snapshot and targets, and keeps
// each in the Store as soon as it is verified. The Store never holds anything
// that was not verified; o.Initial is kept only after the whole has succeeded.
func Refresh(ctx context.Context, o Options) (*Trusted, error) {
	if o.Now.IsZero() {
		return nil, errors.New("updates: no reference time")
	}
	o.Store = keeper{o.Store}
	var t *Trusted
	err := onEachMirror(o.Source, func() (err error) {
		t, err = refresh(ctx, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("updates: %w", err)
	}
	return t, nil
}

func refresh(ctx context.Context, o Options) (*Trusted, error) {
	t := &Trusted{options: o}
	kept, err := t.begin()
	if err != nil {
		return nil, err
	}
	for range maxRoots {
		more, err := t.nextRoot(ctx)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		kept = true
	}
	root := &t.set.Root.Signed
	if err := check(metadata.ROOT, root.Version, o.Floor.Root); err != nil {
		return nil, err
	}
	signed := issued(root.UnrecognizedFields, root.Expires)
	t.set.RefTime = latest(o.Now, o.Floor.Issued, signed).UTC()
	floor := o.Floor.binding(root)
	if err := t.timestamp(ctx, floor); err != nil {
		return nil, err
	}
	if err := t.snapshot(ctx, floor); err != nil {
		return nil, err
	}
	targets, err := t.role(ctx, metadata.TARGETS, metadata.ROOT)
	if err != nil {
		return nil, err
	}
	if !kept {
		if err := o.Store.Save(rootFile, o.Initial); err != nil {
			return nil, err
		}
	}
	t.floor = Floor{
		Root:      root.Version,
		Timestamp: t.set.Timestamp.Signed.Version,
		Snapshot:  t.set.Snapshot.Signed.Version,
		Targets:   targets.Version,
		Keys:      Keys(root),
		Issued:    latest(o.Floor.Issued, signed, issued(targets.UnrecognizedFields, targets.Expires)),
	}
	return t, nil
}

// begin trusts the root that is kept, or else the initial one.
func (t *Trusted) begin() (kept bool, err error) {
	trust := func(b []byte) error {
		return step(metadata.ROOT, b, ErrFormat, func() (err error) {
			t.set, err = trustedmetadata.New(b)
			return err
		})
	}
	b, err := t.options.Store.Load(rootFile)
	if err == nil {
		if err = trust(b); err == nil {
			return true, nil
		}
	}
	if t.options.Initial == nil {
		return false, fmt.Errorf("%w: %v", ErrNoRoot, err) // not of its class: it is no server's fault
	}
	if err := trust(t.options.Initial); err != nil {
		return false, fmt.Errorf("the initial root: %w", err)
	}
	return false, nil
}

// nextRoot goes one root further; false: there is none.
func (t *Trusted) nextRoot(ctx context.Context) (bool, error) {
	store := t.options.Store
	b, err := t.get(ctx, metadata.ROOT, t.set.Root.Signed.Version+1, maxRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	before := onlineKeys(&t.set.Root.Signed)
	err = step(metadata.ROOT, b, ErrMismatch, func() error {
		_, err := t.set.UpdateRoot(b)
		return err
	})
	if err != nil {
		return false, err
	}
	// TUF 5.3.11. Before the root is kept: after a power cut between the two
	// nothing would tell that the keys have changed.
	if onlineKeys(&t.set.Root.Signed) != before {
		if err := errors.Join(store.Delete(timestampFile), store.Delete(snapshotFile)); err != nil {
			return false, err
		}
	}
	return true, store.Save(rootFile, b)
}

func (t *Trusted) timestamp(ctx context.Context, floor Floor) error {
	verify := func(b []byte) error {
		return step(metadata.TIMESTAMP, b, ErrRollback, func() error {
			_, err := t.set.UpdateTimestamp(b)
			return err
		})
	}
	// What is kept may have expired: it still tells versions (5.4.3). What does
	// not verify tells nothing.
	if b, err := t.options.Store.Load(timestampFile); err == nil {
		_ = verify(b)
	}
	b, err := t.get(ctx, metadata.TIMESTAMP, 0, maxTimestamp)
	if err != nil {
		return err
	}
	err = verify(b)
	same := errors.Is(err, errEqual)
	if err != nil && !same {
		return err
	}
	signed := &t.set.Timestamp.Signed
	if err := check(metadata.TIMESTAMP, signed.Version, floor.Timestamp); err != nil {
		return err
	}
	if err := check(metadata.SNAPSHOT, signed.Meta[snapshotFile].Version, floor.Snapshot); err != nil {
		return err
	}
	if same {
		return nil
	}
	return t.options.Store.Save(timestampFile, b)
}

func (t *Trusted) snapshot(ctx context.Context, floor Floor) error {
	verify := func(b []byte, kept bool) error {
		before := t.set.Snapshot
		err := step(metadata.SNAPSHOT, b, ErrRollback, func() error {
			_, err := t.set.UpdateSnapshot(b, kept)
			return err
		})
		if errors.Is(err, ErrRollback) && t.set.Snapshot != before {
			// Newer than what is kept, but not what the timestamp names.
			return fmt.Errorf("%s: %w: version %d", metadata.SNAPSHOT, ErrMismatch, t.set.Snapshot.Signed.Version)
		}
		return err
	}
	above := func() error {
		return check(metadata.TARGETS, t.set.Snapshot.Signed.Meta[targetsFile].Version, floor.Targets)
	}
	if b, err := t.options.Store.Load(snapshotFile); err == nil && verify(b, true) == nil {
		return above()
	}
	meta := t.set.Timestamp.Signed.Meta[snapshotFile]
	b, err := t.get(ctx, metadata.SNAPSHOT, meta.Version, limit(meta.Length, maxSnapshot))
	if err != nil {
		return err
	}
	if err := verify(b, false); err != nil {
		return err
	}
	if err := above(); err != nil {
		return err
	}
	return t.options.Store.Save(snapshotFile, b)
}

// role trusts the targets metadata of a role as far as the one that delegates
// to it does.
func (t *Trusted) role(ctx context.Context, role, parent string) (*metadata.TargetsType, error) {
	verify := func(b []byte) error {
		return step(role, b, ErrMismatch, func() error {
			_, err := t.set.UpdateDelegatedTargets(b, role, parent)
			return err
		})
	}
	file := url.PathEscape(role) + ".json"
	b, err := t.options.Store.Load(file)
	if err == nil && verify(b) == nil {
		return &t.set.Targets[role].Signed, nil
	}
	meta := t.set.Snapshot.Signed.Meta[role+".json"]
	if meta == nil {
		return nil, fmt.Errorf("%s: %w: the snapshot does not name it", role, ErrFormat)
	}
	if b, err = t.get(ctx, role, meta.Version, limit(meta.Length, maxTargets)); err != nil {
		return nil, err
	}
	if err := verify(b); err != nil {
		return nil, err
	}
	return &t.set.Targets[role].Signed, t.options.Store.Save(file, b)
}

// get fetches the metadata of a role in a version.
func (t *Trusted) get(ctx context.Context, role string, version, limit int64) ([]byte, error) {
	name := url.PathEscape(role) + ".json"
	if role == metadata.ROOT || role != metadata.TIMESTAMP && t.set.Root.Signed.ConsistentSnapshot {
		name = fmt.Sprintf("%d.%s", version, name)
	}
	return t.options.Source.Get(ctx, "metadata/"+name, limit)
}

// limit is how long a file of a signed length, 0 if it is not signed, may be.
func limit(signed, most int64) int64 {
	if signed > 0 {
		return min(signed, most)
	}
	return most
}
