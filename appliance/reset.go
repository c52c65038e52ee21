package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/truechimer/truechimer/appliance/access"
	"github.com/truechimer/truechimer/appliance/config"
	"github.com/truechimer/truechimer/appliance/durable"
	"github.com/truechimer/truechimer/appliance/settings"
)

// What a station forgets when it is reset, of what it keeps beside each other. What
// makes it the one that it is stays: its identity, which is elsewhere on the card, the
// keys of its certificate and its proofs, and whose releases it takes.
func forgotten() []string {
	return []string{
		config.KeptName, settings.HistoryName, access.OwnerName,
		keptName, antennaName, mannersName, "assignments", journalName, proofsName, uploadName, uploadName + ".part",
	}
}

const (
	resetName = "reset"
	resetHead = "truechimer reset 1"
	resetMost = 512 // bytes
)

// resetFile remembers what was asked for, so that a power cut in the middle does not
// leave half of it, and what was done, so that it is not done at each start.
type resetFile struct {
	Pending bool   `json:"pending"`
	Done    string `json:"done"` // SHA-256 of the truechimer.toml that last had the station reset
}

func readResetFile(dir string) (r resetFile, err error) {
	f, err := os.Open(filepath.Join(dir, resetName))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, resetMost+1))
	if err == nil {
		b, err = durable.Unsummed(resetHead, b, resetMost)
	}
	if err == nil {
		err = json.Unmarshal(b, &r)
	}
	if err != nil {
		return resetFile{}, err
	}
	return r, nil
}

func (r resetFile) write(dir string) error {
	body, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(dir, resetName), durable.Summed(resetHead, body))
}

// reset is resetIfAsked as loadConfig tells of it.
func (p *platform) reset(file []byte) []string {
	if notice := p.resetIfAsked(file); notice != "" {
		return []string{notice}
	}
	return nil
}

// resetIfAsked has the station forget what it knows, if that was asked for on the page
// or by a truechimer.toml with reset = true that has not had it done yet. It is called
// before anything that is kept is read, and says for people what came of it.
func (p *platform) resetIfAsked(file []byte) (notice string) {
	dir := p.keeps()
	if dir == "" {
		return ""
	}
	r, err := readResetFile(dir)
	damaged := err != nil
	before := r
	if c, err := config.Parse(config.FileName, file); err == nil && c.Reset {
		sum := sha256.Sum256(bytes.TrimSpace(file))
		if digest := hex.EncodeToString(sum[:]); digest != r.Done {
			// Of a record that is damaged nobody knows what was done: rather nothing now.
			r.Done, r.Pending = digest, r.Pending || !damaged
		}
	}
	if r == before {
		if !r.Pending {
			return ""
		}
	} else if err := r.write(dir); err != nil {
		return fmt.Sprintf("The station was to be reset, which cannot be kept on the card, so nothing was done: %v.", err)
	}
	if !r.Pending {
		return fmt.Sprintf("%s asks for a reset. What was done of that before cannot be read, so nothing was done: change the file once more, or reset the station on its page.", config.FileName)
	}
	for _, name := range forgotten() {
		for _, path := range []string{filepath.Join(dir, name), filepath.Join(dir, name+".new")} {
			if err := os.RemoveAll(path); err != nil {
				return fmt.Sprintf("The station could not be reset as a whole, and tries again at its next start: %v.", err)
			}
		}
	}
	if err := durable.SyncDir(dir); err != nil {
		return fmt.Sprintf("The station could not be reset for good, and tries again at its next start: %v.", err)
	}
	r.Pending = false
	if err := r.write(dir); err != nil {
		return fmt.Sprintf("The station was reset, and will be once more at its next start: %v.", err)
	}
	return "The station was reset: it has forgotten its settings, its password and its history."
}

// Reset implements settings.Station.
func (c changed) Reset() error { return c.forget("on its page") }

// forget has the station forget what it knows when it starts anew, which is now.
func (c changed) forget(asked string) error {
	dir := c.s.platform.keeps()
	if dir == "" {
		return errors.New("nothing is kept here that could be forgotten: start the station anew")
	}
	if err := c.restartable(); err != nil {
		return err
	}
	r, err := readResetFile(dir)
	if err != nil {
		r = resetFile{}
	}
	r.Pending = true
	if err := r.write(dir); err != nil {
		return fmt.Errorf("nothing was done, since the card cannot be written: %w", err)
	}
	c.s.log.Warn("the station is reset, as was asked for " + asked)
	return c.Restart()
}
