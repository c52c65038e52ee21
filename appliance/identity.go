package main

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/image/bootfs"
)

// whole is what makes a station the one that it is: for a card that is to take the place
// of another one.
type whole struct {
	ID          string `json:"id"`
	Certificate []byte `json:"certificate,omitempty"` // the file; nil: there was none
	ProofKey    []byte `json:"proof_key,omitempty"`   // likewise
}

// wholeFileMost bounds the files in it, bytes.
const wholeFileMost = 32 << 10

// Identity implements settings.Station.
func (c changed) Identity() []byte {
	p := c.s.platform
	if !p.station || p.keeps() == "" || p.state == "" {
		return nil
	}
	w := whole{ID: p.id}
	for name, to := range map[string]*[]byte{access.CertificateName: &w.Certificate, proofKeyName: &w.ProofKey} {
		b, err := durable.ReadBounded(filepath.Join(p.keeps(), name), wholeFileMost)
		if err == nil {
			*to = b
		} else if !errors.Is(err, fs.ErrNotExist) {
			c.s.log.Warn("a key cannot be read for a backup", "file", name, "error", err)
		}
	}
	b, err := json.Marshal(w)
	if err != nil {
		return nil
	}
	return b
}

// SetIdentity implements settings.Station. The keys come first: what a power cut leaves
// of them with the old identity is made anew, and the backup is still there.
func (c changed) SetIdentity(b []byte) error {
	if c.Identity() == nil || c.s.updater == nil {
		return errors.New("who this station is cannot be changed here")
	}
	if err := c.restartable(); err != nil {
		return err
	}
	damaged := errors.New("who the station was cannot be made out of this backup")
	var w whole
	if json.Unmarshal(b, &w) != nil { // the error may show a key
		return damaged
	}
	if raw, err := hex.DecodeString(w.ID); err != nil || len(raw) != 16 || hex.EncodeToString(raw) != w.ID {
		return damaged
	}
	if w.Certificate != nil && access.CheckCertificate(w.Certificate) != nil {
		return damaged
	}
	if w.ProofKey != nil {
		if _, err := parseProofKey(w.ProofKey, w.ID); err != nil {
			return damaged
		}
	}
	d, err := c.s.updater.machine.open(c.s.platform.state, true)
	if err != nil {
		return fmt.Errorf("the card's state partition: %w", err)
	}
	defer d.Close()
	state := bootfs.OpenState(d)
	// The record is bound to the board that the card is in. One that cannot be read
	// leaves that to init.
	id, _ := state.LoadIdentity()
	id.ID = w.ID
	for name, file := range map[string][]byte{access.CertificateName: w.Certificate, proofKeyName: w.ProofKey} {
		path := filepath.Join(c.s.platform.keeps(), name)
		if file == nil {
			err = durable.Remove(path)
		} else {
			err = durable.WriteFile(path, file)
		}
		if err != nil {
			return fmt.Errorf("its keys cannot be kept: %w", err)
		}
	}
	if err := state.StoreIdentity(id); err != nil {
		return fmt.Errorf("its identity cannot be kept: %w", err)
	}
	c.s.becomes.Store(true)
	return nil
}
